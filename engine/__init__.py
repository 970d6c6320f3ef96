"""Games and bots: pure, seeded, compiled by mypyc. Knows nobody.

DUELIST_ENGINE=pure runs the engine from its .py sources even where compiled modules lie beside them.
"""

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path

HERE = Path(__file__).parent
TOLERANCE_S = 5.0  # an installer writes a source some moments after the module that was built from it


def _prefer_sources() -> None:
    """For this directory only, let the import system see no extension modules."""
    sources_only = FileFinder.path_hook((SourceFileLoader, SOURCE_SUFFIXES))

    def hook(path: str) -> FileFinder:
        if Path(path) == HERE or HERE in Path(path).parents:
            return sources_only(path)  # type: ignore[return-value]
        raise ImportError(f"not in {HERE}")

    sys.path_hooks.insert(0, hook)
    for path in list(sys.path_importer_cache):
        if Path(path) == HERE or HERE in Path(path).parents:
            del sys.path_importer_cache[path]


if os.environ.get("DUELIST_ENGINE") == "pure":
    _prefer_sources()

from engine import core  # noqa: E402
from engine.bot import Bot  # noqa: E402
from engine.core import Action, Game, IllegalAction, Move, View  # noqa: E402
from engine.grading import ActionValue, Grader, Grades, grade  # noqa: E402
from engine.registry import bots, from_bytes, games, new, new_bot  # noqa: E402
from engine.rng import Rng, derive  # noqa: E402
from engine.vector import VecGames  # noqa: E402

__all__ = [
    "Action",
    "ActionValue",
    "Bot",
    "Game",
    "Grader",
    "Grades",
    "IllegalAction",
    "Move",
    "Rng",
    "VecGames",
    "View",
    "bots",
    "derive",
    "from_bytes",
    "games",
    "grade",
    "is_compiled",
    "new",
    "new_bot",
    "stale",
]


def is_compiled() -> bool:
    """Whether the engine in use is the compiled one."""
    return str(core.__file__).endswith((".so", ".pyd"))


def stale() -> list[str]:
    """The compiled modules that are older than their source, by dotted name; they hide its newer state."""
    old = []
    for source in sorted(HERE.rglob("*.py")):
        built = [source.with_suffix(suffix) for suffix in EXTENSION_SUFFIXES]
        times = [path.stat().st_mtime for path in built if path.exists()]
        if times and max(times) + TOLERANCE_S < source.stat().st_mtime:
            old.append(".".join(("engine", *source.relative_to(HERE).with_suffix("").parts)))
    return old
