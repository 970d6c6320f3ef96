"""The command `orchestrator`: thin faces over the rooms.

A command lives in the module of its name and is imported when it is used; the table below is all
that `--help` needs, so that it answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click

SECTIONS = {
    "Play": {
        "duel": "Play matches between two players or more, on record.",
        "tournament": "Everybody plays everybody, or whoever tells most of the ranks.",
        "generate": "Play games for data: models against a mix of opponents.",
        "selfplay": "Bots play each other for data, on all cores.",
        "probe": "Ask again in other clothes: mirrored, turned, relabelled.",
        "ablate": "Hold a style, track, effort or model against a control.",
    },
    "Look on and step in": {
        "runs": "The runs that there are, and how each of them stands.",
        "status": "How a run stands: pace, bill, failures, and how to go on.",
        "pause": "Hold a run: no call leaves until it is resumed.",
        "resume": "Let a paused run go on, or go on with one that ended early.",
        "stop": "End a run early, so that it can go on another day.",
    },
    "What came of it": {
        "show": "Replay a match: boards, all sides' reasoning, cost.",
        "replay": "Play a run again from its record; nothing is asked or paid.",
        "report": "All that can be said of runs, here or as one page with plots.",
        "leaderboard": "Standings over one run or many, with intervals.",
        "grade": "How well each move was chosen, against a solver or search.",
        "export": "Recorded play as files that trainers take.",
        "convert": "A table as JSONL, Parquet or NPZ, from one to another.",
    },
    "What there is": {
        "games": "The games that can be played.",
        "players": "What can sit down at the table, and how to name it.",
        "prices": "What models cost, and since when.",
        "doctor": "Check the installation; spends nothing.",
        "simulate": "Serve a stand-in for the model services on loopback.",
    },
}
COMMANDS = {name: about for section in SECTIONS.values() for name, about in section.items()}
SHARED = {"pause": "orders", "resume": "orders", "stop": "orders"}
"""Commands that share a module, in which each has its own name."""


class Commands(click.Group):
    """Commands by the name of their module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"orchestrator.cli.{SHARED.get(name, name)}")
        command: click.Command = getattr(module, name if name in SHARED else "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), about) for name, about in section.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="duelist", prog_name="duelist")
def main() -> None:
    """Language models duel at real games: a result, a bill and data one can trust."""
    from orchestrator.cli.environment import load

    for name in ("stdout", "stderr"):  # where it is closed, the next file to be opened would take its place
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # until the process ends
    load()
