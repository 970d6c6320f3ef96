"""The command `orchestrator`: thin faces over the rooms.

A command lives in the module of its name and is imported when it is used; the table below is all
that `--help` needs, so that it answers at once.
"""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "duel": "Play matches between two players or more, on record.",
    "generate": "Play games for data: models against a mix of opponents.",
    "show": "Replay a match: boards, all sides' reasoning, cost.",
    "replay": "Play a run again from its record, or a cassette; nothing is asked or paid.",
    "leaderboard": "Standings over one run or many, with intervals.",
    "games": "The games that can be played.",
    "players": "What can sit down at the table, and how to name it.",
    "prices": "What models cost, and since when.",
    "doctor": "Check the installation; spends nothing.",
    "simulate": "Serve a stand-in for the model services on loopback.",
}


class Commands(click.Group):
    """Commands by the name of their module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"orchestrator.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="duelist", prog_name="duelist")
def main() -> None:
    """Language models duel at real games: a result, a bill and data one can trust."""
    from orchestrator.cli.environment import load

    load()
