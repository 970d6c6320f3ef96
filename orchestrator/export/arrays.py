"""Decisions as numbers: one NPZ per game and variant, and the same as Parquet, for those who train on arrays.

An episode is one seat's way through one match: its decisions in their order, next to each other, the others' moves
between them being part of its world. That is what trainers of turn-based self-play go by (a value target from the
mover's view, PettingZoo's reward since its last move), and readers of offline data find episodes by their ends. Who
wants whole matches sorts by `decision_id`.

The reward is 0 but at a seat's last decision, where it is the mover's result, -1 to 1, and `terminated` is true. A
match that somebody forfeited did not come to its end: there `truncated` is true instead and the reward 0, for the
last move on record earned neither; `outcome` has the result that counts all the same, in every row. What was
forfeited has no row, nothing was played. Where chance moved for a player (a fallback) `own` is false: the step is
true to the game, but shows nobody's policy.

`value` and `policy` are the best that is known, NaN and the played action alone where nothing is; `value_by` and
`policy_by` say which. NPZ has no pickles and fixed types, and is the same, byte by byte, for the same rows.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.export.columns import Row
from orchestrator.export.source import Step
from orchestrator.export.tables import Parquet

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MISSING = "arrays need numpy, their Parquet twin pyarrow: pip install 'duelist[data]'"
NO_MINARI = "Minari's format needs minari: pip install 'duelist[minari]'"
MANY_EPISODES = 20_000  # of Minari, which keeps a group of some 14 KB for each
VERSION = 1  # of these arrays; one that changes its meaning makes it another
VALUE_BY = ("unknown", "solver", "search", "player")
POLICY_BY = ("action", "player", "search")
ID_LENGTH = 40
LEVEL = 1  # of deflate: observations are mostly zeros, which it finds as well as 6 does, three times as fast


class Array(NamedTuple):
    dtype: str
    about: str
    width: str = ""  # what its second axis goes over


ARRAYS: Mapping[str, Array] = {
    "obs": Array("<f4", "what the seat to move saw, from its own view", "observation"),
    "mask": Array("|b1", "which actions were legal", "action"),
    "action": Array("<i4", "what was played"),
    "reward": Array("<f4", "at an episode's last step the mover's result, -1 to 1; else 0"),
    "terminated": Array("|b1", "the seat's last decision of a match that came to its end"),
    "truncated": Array("|b1", "the seat's last decision of a match that somebody forfeited"),
    "value": Array("<f4", "what the position was worth to the mover, -1 to 1; NaN where nobody knows"),
    "value_by": Array("|u1", "who says so: see meta"),
    "policy": Array("<f4", "of every action; sums to 1", "action"),
    "policy_by": Array("|u1", "whose it is: see meta"),
    "outcome": Array("<f4", "the mover's result in the end, -1 to 1, in every row"),
    "own": Array("|b1", "false where chance moved for the player"),
    "episode": Array("<i4", "one seat's way through one match, from 0"),
    "ply": Array("<i4", "how many moves were made before"),
    "seat": Array("<i4", "whose turn it was, from 0"),
    "split": Array("<U10", "train, validation or test"),
    "decision_id": Array(f"<U{ID_LENGTH}", "the one id of this decision in all formats"),
}
Columns = dict[str, Any]
"""By name the arrays of some rows, and `meta`, text."""


# ── from decisions ───────────────────────────────────────────────────────────────────────────────────


def blocks(steps: Iterable[Step], splits: Mapping[str, str]) -> Iterator[tuple[str, int, Columns]]:
    """Of whole matches: the name of a file, how many rows, and these, with episodes numbered from 0."""
    found: defaultdict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        found[step.row["game"], step.row["variant"]].append(step)
    for (game, variant), own in found.items():
        own.sort(key=lambda step: (step.row["match_id"], step.row["seat"]))  # stable: plies stay in order
        yield name_of(game, variant), len(own), columns_of(own, splits)


def name_of(game: str, variant: str) -> str:
    """Of a file, safe in a path and different for different tables: connect4, blob-players-4-1a2b3c."""
    settings = json.loads(variant)
    if not settings and re.fullmatch(r"\w+", game):
        return game
    told = re.sub(r"\W+", "-", f"{game} {' '.join(f'{key}={value}' for key, value in settings.items())}")
    return f"{told.strip('-')[:60]}-{sha256(f'{game} {variant}'.encode()).hexdigest()[:6]}"


def columns_of(steps: Sequence[Step], splits: Mapping[str, str]) -> Columns:
    """Of steps of one game and variant, ordered by episode and ply. Raises ValueError for an id that is too long."""
    import numpy as np

    rows = [step.row for step in steps]
    count, game = len(rows), steps[0].game
    longest = max(len(row["decision_id"]) for row in rows)
    if longest > ID_LENGTH:
        raise ValueError(f"a decision's id has {longest} characters: expected {ID_LENGTH} at most")
    seats = [(row["match_id"], row["seat"]) for row in rows]
    last = np.array([at + 1 == count or seats[at] != seats[at + 1] for at in range(count)])
    cut = np.array([step.cut for step in steps])
    outcome = np.array([row["outcome"] for row in rows])
    seen = b"".join([step.game.observation(step.row["seat"]) for step in steps])
    mask = b"".join([step.game.action_mask() for step in steps])
    values = [value_of(row) for row in rows]
    policy, policy_by = policies(rows, game.num_actions())
    made = {
        "obs": np.frombuffer(seen, "<f4").reshape(count, -1),
        "mask": np.frombuffer(mask, "|b1").reshape(count, -1),
        "action": [row["action"] for row in rows],
        "reward": np.where(last & ~cut, outcome, 0.0),
        "terminated": last & ~cut,
        "truncated": last & cut,
        "value": [value for value, _ in values],
        "value_by": [VALUE_BY.index(by) for _, by in values],
        "policy": policy,
        "policy_by": policy_by,
        "outcome": outcome,
        "own": [not row["was_fallback"] for row in rows],
        "episode": np.cumsum(last) - last,
        "ply": [row["ply"] for row in rows],
        "seat": [row["seat"] for row in rows],
        "split": [splits[row["decision_id"]] for row in rows],
        "decision_id": [row["decision_id"] for row in rows],
    }
    typed: Columns = {name: np.asarray(made[name], each.dtype) for name, each in ARRAYS.items()}
    return typed | {"meta": meta(rows[0], steps[0])}


def value_of(row: Row) -> tuple[float, str]:
    """What the position was worth to the mover, and who says so: exact before searched before said."""
    if row["value_solver"] is not None:
        return row["value_solver"], "solver"
    if row["q_search"]:
        return max(row["q_search"]), "search"
    if row["forecast"] is not None:
        return 2 * row["forecast"] - 1, "player"
    return float("nan"), "unknown"


def policies(rows: Sequence[Row], width: int) -> tuple[np.ndarray, list[int]]:
    """The player's own policy (of a bot that searched its visits), else the visits of a grade, else the action."""
    import numpy as np

    found, by = np.zeros((len(rows), width)), []
    for at, row in enumerate(rows):
        known, whose = (row["policy"], "player") if row["policy"] else (row["visits"], "search")
        total = sum(known) if known else 0
        if total > 0:
            found[at, row["legal_actions"]] = known
            found[at] /= total
        else:
            found[at, row["action"]], whose = 1, "action"
        by.append(POLICY_BY.index(whose))
    return found, by


def meta(row: Row, step: Step) -> str:
    """What the arrays are, as JSON."""
    told = {
        "arrays": VERSION,
        "duelist": version("duelist"),
        "game": row["game"],
        "variant": json.loads(row["variant"]),
        "n_players": int(step.game.num_players()),
        "num_actions": int(step.game.num_actions()),
        "encoding": f"engine.Game.observation, {step.game.observation_size()} float32 from the mover's view",
        "episode": "one seat's way through one match",
        "value_by": VALUE_BY,
        "policy_by": POLICY_BY,
        "columns": {name: each.about for name, each in ARRAYS.items()},
    }
    return json.dumps(told, sort_keys=True)


# ── as files ─────────────────────────────────────────────────────────────────────────────────────────


class Numbered:
    """Gives every block's episodes their numbers in the file."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, columns: Columns) -> Columns:
        episodes = columns["episode"] + self._next
        self._next = int(episodes[-1]) + 1
        return columns | {"episode": episodes.astype(ARRAYS["episode"].dtype)}


class Npz:
    """An NPZ that grows block by block: columns as they are in files beside it, packed when their length is known."""

    def __init__(self, path: Path) -> None:
        self._path, self._beside = path, path.with_name(f"{path.name}.columns")
        self._beside.mkdir()
        self._number, self._meta, self._rows = Numbered(), "", 0
        self._widths: dict[str, tuple[int, ...]] = {}
        self._raw = {name: (self._beside / name).open("wb") for name in ARRAYS}

    def add(self, columns: Columns) -> None:
        """Rows as `blocks` makes them."""
        columns = self._number(columns)
        self._meta = self._meta or columns["meta"]
        self._rows += len(columns["episode"])
        for name, raw in self._raw.items():
            self._widths[name] = columns[name].shape[1:]
            raw.write(columns[name].tobytes())

    def close(self) -> None:
        """Pack."""
        for raw in self._raw.values():
            raw.close()
        with zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as packed:
            for name, each in ARRAYS.items():
                with (self._beside / name).open("rb") as column, opened(packed, name) as out:
                    header(out, each.dtype, (self._rows, *self._widths[name]))
                    shutil.copyfileobj(column, out, 1 << 20)
            put(packed, "meta", self._meta)
        self.drop()

    def drop(self) -> None:
        """Leave nothing but the file."""
        for raw in self._raw.values():
            raw.close()
        shutil.rmtree(self._beside, ignore_errors=True)


def opened(packed: zipfile.ZipFile, name: str) -> Any:
    """An array of an NPZ, to be written; dated 1980, as numpy does, so that the same is the same."""
    info = zipfile.ZipInfo(f"{name}.npy")
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = LEVEL  # type: ignore[attr-defined]  # public from 3.13 on
    return packed.open(info, "w", force_zip64=True)


def header(out: Any, dtype: str, shape: tuple[int, ...]) -> None:
    """Of an array in numpy's own format."""
    import numpy as np

    np.lib.format.write_array_header_1_0(
        out, {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    )


def put(packed: zipfile.ZipFile, name: str, array: Any) -> None:
    """One whole array."""
    import numpy as np

    with opened(packed, name) as out:
        np.lib.format.write_array(out, np.asanyarray(array), allow_pickle=False)


class Twin:
    """The same as Parquet: scalars as columns, rows of two axes as lists of a fixed length, `meta` in its schema."""

    def __init__(self, path: Path) -> None:
        self._number, self._file = Numbered(), Parquet(path)

    def add(self, columns: Columns) -> None:
        """Rows as `blocks` makes them."""
        self._file.put(table(self._number(columns)))

    def close(self) -> None:
        self._file.close()

    def drop(self) -> None:
        self._file.drop()


def table(columns: Columns) -> pa.Table:
    """Arrays as a table."""
    import pyarrow as pa

    widths = {name: columns[name].shape[1] for name, each in ARRAYS.items() if each.width}
    made = schema(widths, columns["meta"])
    return pa.Table.from_arrays(
        [column(columns[name]).cast(made.field(name).type) for name in ARRAYS], schema=made
    )


def schema(widths: Mapping[str, int], meta: str) -> pa.Schema:
    """Of the twin; a column in which NaN means unknown is marked, for JSON has null there."""
    import numpy as np
    import pyarrow as pa

    fields = []
    for name, each in ARRAYS.items():
        dtype = np.dtype(each.dtype)
        kind = pa.string() if dtype.kind == "U" else pa.from_numpy_dtype(dtype)
        told = {"about": each.about} | ({"nan": "unknown"} if name == "value" else {})
        fields.append(pa.field(name, pa.list_(kind, widths[name]) if each.width else kind, metadata=told))
    return pa.schema(fields, metadata={"meta": meta})


def column(array: np.ndarray) -> pa.Array:
    """An array of one axis or two."""
    import pyarrow as pa

    flat = pa.array(array.ravel(), pa.string() if array.dtype.kind == "U" else None)
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1]) if array.ndim == 2 else flat


def uncolumn(column: pa.Array) -> np.ndarray:
    """The inverse, without nulls."""
    import pyarrow as pa

    fixed = pa.types.is_fixed_size_list(column.type)
    flat: np.ndarray = (column.flatten() if fixed else column).to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size) if fixed else flat


# ── as Minari has it ─────────────────────────────────────────────────────────────────────────────────


def have_minari() -> bool:
    """Whether the extra is installed."""
    return find_spec("minari") is not None


def to_minari(npz: Path, folder: Path) -> int:
    """An NPZ as the dataset duelist/NAME-v0 below a folder, MINARI_DATASETS_PATH of who reads it: how many episodes.

    It has no masks, values and policies, for Minari's buffers do not; and the last observation twice, because what a
    seat sees after its last move is nobody's decision.
    """
    import os

    import gymnasium
    import minari
    import numpy as np
    from minari.data_collector import EpisodeBuffer

    data = np.load(npz, allow_pickle=False)
    obs, episode = data["obs"], data["episode"]
    begins = np.flatnonzero(np.r_[True, episode[1:] != episode[:-1]]).tolist()
    buffers = [
        EpisodeBuffer(
            id=number,
            observations=np.concatenate([obs[first:after], obs[after - 1 : after]]),
            actions=data["action"][first:after].astype(np.int64),
            rewards=data["reward"][first:after],
            terminations=data["terminated"][first:after],
            truncations=data["truncated"][first:after],
        )
        for number, (first, after) in enumerate(zip(begins, [*begins[1:], len(episode)], strict=True))
    ]
    told = json.loads(str(data["meta"]))
    os.environ["MINARI_DATASETS_PATH"] = str(folder.resolve())
    minari.create_dataset_from_buffers(
        dataset_id=f"duelist/{npz.stem}-v0",
        buffer=buffers,
        observation_space=gymnasium.spaces.Box(-np.inf, np.inf, obs.shape[1:], np.float32),
        action_space=gymnasium.spaces.Discrete(told["num_actions"]),
        algorithm_name="duelist",
        description=str(data["meta"]),
    )
    return len(buffers)
