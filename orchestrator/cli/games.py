"""`orchestrator games`: what can be played."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from engine import Game

MOST_SEATS = 16  # tried


@click.command(short_help="The games that can be played.")
@click.argument("platform", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs; with the rules or the parameters.")
def command(platform: str | None, as_json: bool) -> None:
    """The games that can be played, those of installed packages (entry points `duelist.games`) included.

    With PLATFORM (openspiel), the games of that platform.
    """
    import engine

    if platform is not None:
        _list_platform(platform, as_json)
        return
    found = [describe(name) for name in engine.games()]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _print([game for game in found if "error" not in game])
    _point_at_platforms()
    for game in found:
        if "error" in game:
            click.echo(f"left out: {text.one_line(game['error'], 400)}", err=True)


def _point_at_platforms() -> None:
    """A line for each bridge; none of their platforms is imported."""
    from engine.registry import bridge, bridges

    for name in bridges():
        missing = bridge(name).missing()
        how = f"needs {missing}" if missing else f"list them with: {text.command('games', name)}"
        click.echo(f"\n{name}:NAME  turn-based games of another platform; {how}")


def _list_platform(platform: str, as_json: bool) -> None:
    from engine.registry import bridge

    try:
        found = bridge(platform).titles()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _print_titles(found)


def describe(name: str) -> dict[str, Any]:
    """The facts of a game, or why it does not load."""
    import engine

    try:
        game = engine.new(name)
    except ValueError as error:
        return {"name": name, "error": str(error)}
    module = type(game).__module__
    return {
        "name": name,
        "players": int(game.num_players()),
        "seats": _seats(game),
        "actions": int(game.num_actions()),
        "max_plies": int(game.max_plies()),
        "hidden_information": bool(game.hidden_information()),
        "variant": game.variant(),
        "compiled": str(getattr(sys.modules[module], "__file__", "")).endswith((".so", ".pyd")),
        "source": "built in" if module.startswith("engine.games.") else module,
        "rules": game.rules_text(),
    }


def _seats(game: Game) -> list[int]:
    """The fewest and the most players of a game whose variant has `players`; otherwise its number twice."""
    import engine

    fit = [int(game.num_players())]
    for players in range(1, MOST_SEATS + 1) if "players" in game.variant() else ():
        with suppress(ValueError):
            fit.append(int(engine.new(game.name(), 0, players=players).num_players()))
    return [min(fit), max(fit)]


def _print(found: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("game", style="bold", no_wrap=True)
    for name in ("players", "actions", "longest"):
        table.add_column(name, justify="right")
    for name in ("information", "engine", "variant", "from"):
        table.add_column(name)
    for game in found:
        table.add_row(
            text.one_line(game["name"]),
            _range(*game["seats"]),
            *(str(game[name]) for name in ("actions", "max_plies")),
            "hidden" if game["hidden_information"] else "perfect",
            "compiled" if game["compiled"] else "plain Python",
            text.one_line(" ".join(f"{key}={value}" for key, value in game["variant"].items()))
            or text.NOTHING,
            text.one_line(game["source"]),
        )
    text.console().print(table)


def _print_titles(found: list[dict[str, Any]]) -> None:
    """What is known of a platform's games before they are loaded."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("game", style="bold", no_wrap=True)
    for name in ("players", "information", "chance"):
        table.add_column(name, no_wrap=True)
    table.add_column("parameters, in brackets after the name")
    for game in found:
        settings = game["parameters"].items()
        table.add_row(
            game["name"],
            _range(*game["players"]),
            "hidden" if game["hidden_information"] else "perfect",
            "yes" if game["chance"] else "no",
            text.one_line(", ".join(f"{key}={value}" for key, value in sorted(settings))) or text.NOTHING,
        )
    text.console().print(table)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"
