"""`orchestrator generate`: one model or several play for data, against a mix of opponents over a mix of games."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import playing

if TYPE_CHECKING:
    from orchestrator.programme import GameShare, Opponent
    from orchestrator.request import GenerateRequest, Request

DEFAULT_GAMES = 10


@click.command(
    short_help="Play games for data: models against a mix of opponents.",
    epilog="""\b
Opponents: any player (see `orchestrator players`), `self` for matches of a model against itself,
           `each-other` for matches of several models among themselves
Weights:   --opponent bot:greedy=2,bot:random=1 --game connect4=3 --game othello=1
           a part of the run in that proportion; 1 where none is given
\b
Exit status: 0 done, 1 ended with voids or stopped by an error, 2 wrong use, 130 interrupted (resumable).
""",
)
@click.option("--provider", metavar="NAME", help="The model's service, with --model.")
@click.option(
    "--model",
    "models",
    metavar="NAME",
    multiple=True,
    help="The model, as its service calls it; may be repeated.",
)
@click.option(
    "--player", "players", metavar="SPEC", multiple=True, help="A model as a spec or alias; may be repeated."
)
@click.option(
    "--opponent",
    "opponents",
    metavar="SPEC[=WEIGHT],...",
    multiple=True,
    help="Who they play against; may be repeated.  [default: bot:random,bot:greedy,bot:mcts:200]",
)
@click.option(
    "--game",
    "mix",
    metavar="NAME[=WEIGHT]",
    multiple=True,
    help="What is played; may be repeated.  [default: connect4]",
)
@click.option(
    "--games",
    type=click.IntRange(min=1),
    help=f"Matches in total, rounded up: every model plays every deal from every seat.  [default: {DEFAULT_GAMES}]",
)
@playing.options
def command(**options: Any) -> None:
    """Play games for data: every decision of every model with its reasoning, on record.

    Each deal is played by every model against the same opponents, once from each seat. Opponents and games come
    in the proportion of their weights at any point of the run. Where a game has more than two seats, the others
    are filled from the opponents too. With --resume a larger --games makes the run longer, also a finished one:
    what it has so far stays as it is.

    \b
    orchestrator generate --provider anthropic --model MODEL --opponent bot:greedy --games 100
    orchestrator generate --player claude --player gemini --opponent bot:mcts:200=2,bot:random --games 500
    orchestrator generate --player claude --player gpt --opponent each-other,self --game connect4 --game othello
    orchestrator generate --output runs/NAME --resume --games 1000
    """
    playing.begin("generate", options, read_options, new_request, same)


# ── what was asked ───────────────────────────────────────────────────────────────────────────────


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options in the words of a GenerateRequest, but for the number of games; what was not given is
    left out."""
    asked: dict[str, Any] = {}
    if models := read_models(options):
        asked["models"] = models
    if options["opponents"]:
        asked["opponents"] = read_opponents(options["opponents"])
    if options["mix"]:
        asked["games"] = tuple(read_game(text) for text in options["mix"])
    if options["games"] is not None:
        asked["matches"] = options["games"]
    return asked | playing.terms(options)


def read_models(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Canonical specs of --player, or of --provider and --model."""
    from orchestrator.request import canonical

    provider, models, players = options["provider"], options["models"], options["players"]
    if players and (provider or models):
        raise click.UsageError(
            "name the models either with --player or with --provider and --model, not both"
        )
    if bool(provider) != bool(models):
        raise click.UsageError(
            "--provider and --model go together: --provider anthropic --model MODEL, or --player anthropic:MODEL"
        )
    return canonical(tuple(f"{provider}:{model}" for model in models) if provider else players)


def read_opponents(given: Iterable[str]) -> tuple[Opponent, ...]:
    """The mix of opponents, in the order in which it was given."""
    from orchestrator.programme import EACH_OTHER, SELF, Opponent
    from orchestrator.request import canonical

    words = (SELF, EACH_OTHER)
    weighted = [weight_of(spec) for text in given for spec in playing.specs(text, words)]
    return tuple(
        Opponent(spec if spec in words else canonical((spec,))[0], weight) for spec, weight in weighted
    )


def read_game(text: str) -> GameShare:
    """A game of the mix, its variant whole."""
    from orchestrator import programme
    from orchestrator.request import whole_game

    text, weight = weight_of(text)
    return programme.GameShare(*whole_game(*programme.read_game(text)), weight)


def weight_of(text: str) -> tuple[str, float]:
    """`NAME=WEIGHT` taken apart: 1 where there is none. Raises ValueError.

    Behind a question mark `option=value` has no weight and `option=value=2` has.
    """
    name, equals, weight = text.rpartition("=")
    options = name.partition("?")[2].rpartition("&")[2]
    if not equals or ")" in weight or ("?" in name and "=" not in options):
        return text, 1
    if not re.fullmatch(r"[-+]?\d+(\.\d+)?", weight):
        raise ValueError(f"unreadable weight {weight!r} of {name}: expected a number, such as {name}=2")
    number = float(weight)
    return name, int(number) if number == math.floor(number) else number


def new_request(asked: dict[str, Any]) -> GenerateRequest:
    from orchestrator.request import GenerateRequest

    if "models" not in asked:
        raise click.UsageError("who plays? For example: orchestrator generate --player claude --games 100")
    asked = dict(asked)
    games = asked.pop("matches", DEFAULT_GAMES)
    return rounded(GenerateRequest(**playing.drawn(asked)), games)


def same(asked: dict[str, Any], known: Request) -> dict[str, Any]:
    """What is asked of a run that goes on, for the rounds that it has."""
    from orchestrator.request import GenerateRequest

    asked = dict(asked)
    games = asked.pop("matches", None)
    if games is not None and isinstance(known, GenerateRequest):
        asked["pairs"] = rounded(known, games).pairs
    return asked


def rounded(request: GenerateRequest, games: int) -> GenerateRequest:
    """The request with so many games, and a word where they are more than was asked."""
    request = request.longer(games)
    if request.matches != games:
        of = "the model" if len(request.models) == 1 else f"each of the {len(request.models)} models"
        click.echo(
            f"--games {games} rounded up to {request.matches}: {of} plays every deal from every seat",
            err=True,
        )
    return request
