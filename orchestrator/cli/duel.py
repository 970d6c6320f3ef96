"""`orchestrator duel A vs B [vs C …]`: read what was asked, play it, print what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import playing

if TYPE_CHECKING:
    from orchestrator.request import DuelRequest, Request

LONGEST = 400  # matches of a duel that stops by a rule, where nothing else was said


@click.command(
    short_help="Play matches between two players or more, on record.",
    epilog="""\b
Players: anthropic:MODEL  google:MODEL  openai:MODEL  litellm:MODEL  local:MODEL
         sim:BOT  human  bot:random|greedy|perfect|mcts:N|ismcts:N|pimc:N
         and aliases (see `orchestrator players`)
\b
Exit status: 0 done, 1 ended with voids or stopped by an error, 2 wrong use, 130 interrupted (resumable).
""",
)
@click.argument("versus", nargs=-1, metavar="[A vs B [vs C ...]]")
@click.option("--player1", metavar="SPEC", help="The player on the first seat in a pair's first match.")
@click.option("--player2", metavar="SPEC", help="The other player.")
@click.option(
    "--table", metavar="A,B,C,...", help="All players, parted by commas: the same as A vs B vs C ..."
)
@click.option("--game", metavar="NAME", help="What is played.  [default: connect4]")
@click.option(
    "--games",
    type=click.IntRange(min=1),
    help="Matches, rounded up to whole pairs or deals.  [default: 10; a table: 5 deals; to a rule: 400]",
)
@click.option(
    "--sprt",
    metavar="ELO0,ELO1",
    help="Stop once one of two Elo differences is accepted, with errors of 5 % (nelo:0,50 for normalized Elo).",
)
@click.option(
    "--until-ci",
    metavar="N[,USEFUL]",
    help="Stop once the interval is ±N Elo, or player 1 is surely less than USEFUL ahead.",
)
@playing.options
def command(**options: Any) -> None:
    """Play pairs of matches between two players: each pair once from either side.

    A table of more plays deals in their place: each once with everybody on every seat. A game that takes
    several numbers of players gets as many seats as there are players.

    \b
    orchestrator duel claude vs gemini
    orchestrator duel bot:mcts:200 vs bot:greedy --game tictactoe --games 100 --seed 7
    orchestrator duel --table claude,gemini,gpt,bot:mcts:200 --game blob --games 20
    orchestrator duel --output runs/NAME --resume
    """
    playing.begin("duel", options, read_options, new_request, same)


# ── what was asked ───────────────────────────────────────────────────────────────────────────────


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options in the words of a DuelRequest; what was not given is left out."""
    from orchestrator.programme import read_game
    from orchestrator.request import canonical

    asked: dict[str, Any] = {}
    players = read_players(options)
    if players:
        asked["players"] = canonical(players)
    if options["game"]:
        asked["game"], asked["variant"] = read_game(options["game"])
    if options["games"] is not None:
        asked["games"] = options["games"]
    asked |= {name: options[name] for name in ("sprt", "until_ci") if options[name]}
    return asked | playing.terms(options)


def read_players(options: Mapping[str, Any]) -> tuple[str, ...]:
    """`A vs B`, or --player1 and --player2, or --table."""
    versus = [word for word in options["versus"] if word.lower() not in ("vs", "vs.", "versus")]
    flags = [flag for flag in (options["player1"], options["player2"]) if flag]
    ways = [players for players in (versus, flags, playing.specs(options["table"] or "")) if players]
    if len(ways) > 1:
        raise click.UsageError(
            "name the players either as `A vs B` or with --player1 and --player2 or with --table, not both"
        )
    players = ways[0] if ways else []
    if len(players) == 1:
        raise click.UsageError("a duel has two players or more, got 1: orchestrator duel A vs B")
    return tuple(players)


def new_request(asked: dict[str, Any]) -> DuelRequest:
    from orchestrator.request import DEFAULT_GAME, DuelRequest

    if "players" not in asked:
        raise click.UsageError("who plays? For example: orchestrator duel bot:mcts:200 vs bot:greedy")
    if "games" not in asked and ("sprt" in asked or "until_ci" in asked):
        asked["games"] = LONGEST
    asked = fitted({"game": DEFAULT_GAME, **asked}, len(asked["players"]))
    return DuelRequest(**playing.drawn(asked))


def same(asked: dict[str, Any], known: Request) -> dict[str, Any]:
    """What is asked of a duel that goes on, for the players that it has."""
    return fitted(asked, len(asked.get("players", known.players)))


def fitted(asked: dict[str, Any], players: int) -> dict[str, Any]:
    """What was asked, for so many players: a seat for everybody, and whole pairs or deals. Raises ValueError."""
    from orchestrator.request import seated_game

    asked = dict(asked)
    if "game" in asked:
        asked["game"], asked["variant"] = seated_game(asked["game"], asked.get("variant", {}), players)
    if "games" in asked:
        games = asked.pop("games")
        asked["pairs"] = math.ceil(games / players)
        if games % players:
            what = "a pair is two matches" if players == 2 else f"a deal is {players} matches"
            click.echo(f"--games {games} rounded up to {asked['pairs'] * players}: {what}", err=True)
    return asked
