"""Draws `docs/duel.svg`, the picture in the README: a seeded duel, played for real, as a terminal shows it.

    python -m docs.picture

The players are stand-ins and bots, so it needs no key and draws the same picture every time. The SVG
fetches nothing: fonts are those of the reader's machine.
"""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.text import Text

from orchestrator.cli import text
from orchestrator.cli.result import result_table
from orchestrator.cli.show import Teller
from orchestrator.duel import Duel
from orchestrator.events import Events
from orchestrator.record.reading import match_story, run_result
from orchestrator.record.store import Record
from orchestrator.request import DuelRequest
from orchestrator.summary import summary
from orchestrator.table import Table

PICTURE = Path(__file__).with_name("duel.svg")
WIDTH = 92
RUN = "r1ng05demo00"  # in place of one drawn by the clock and by chance
OUTPUT = "runs/demo"
PLAYERS = (
    "sim:mcts:200?illegal=0.01&latency=0.02&tokens=180&price=2,10",
    "sim:greedy?illegal=0.06&latency=0.01&tokens=50&price=0.1,0.5",
)
PAIRS, OPENING, SEED, PLY = 25, 2, 7, 12
COMMAND = f"""\
orchestrator duel '{PLAYERS[0]}' \\
    vs '{PLAYERS[1]}' \\
    --games {PAIRS * 2} --opening {OPENING} --seed {SEED} --output {OUTPUT}"""
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def main() -> None:
    """Play, draw, write."""
    console = text.console(io.StringIO(), width=WIDTH, record=True, force_terminal=True)
    with TemporaryDirectory() as place:
        directory = Path(place)
        play(directory)
        told = {**summary(run_result(directory)), "output": OUTPUT}
        typed(console, COMMAND)
        console.print(result_table(told))
        story = match_story(directory, "0001a")
        typed(console, f"orchestrator show 0001a {OUTPUT} --ply {PLY}")
        for part in Teller(story, WIDTH, full=False, prompts=False, calls=False).tell(PLY):
            console.print(part)
    PICTURE.write_text(svg(console), encoding="utf-8")
    print(f"wrote {PICTURE}")


def play(directory: Path) -> None:
    request = DuelRequest(players=PLAYERS, pairs=PAIRS, seed=SEED, opening=OPENING)

    async def go(record: Record) -> None:
        table = Table()
        try:
            await Duel(request, record, table, Events()).play()
        finally:
            await table.aclose()

    with patch("orchestrator.duel.new_run_id", lambda: RUN), Record(directory) as record:
        asyncio.run(go(record))


def typed(console: Console, command: str) -> None:
    console.print(Text.assemble(("\n$ ", "bold green"), (command, "bold")))


def svg(console: Console) -> str:
    """The screen so far, in rich's frame without its web fonts."""
    frame = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    frame = frame.replace("Fira Code", FONTS.removesuffix(", monospace"))
    return console.export_svg(title="orchestrator", code_format=frame, unique_id="duel")


if __name__ == "__main__":
    main()
