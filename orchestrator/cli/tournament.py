"""`orchestrator tournament A B C …`: everybody plays everybody, or pairs are chosen by what they tell of the ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import playing

if TYPE_CHECKING:
    from orchestrator.request import Request, TournamentRequest

EACH = 10  # pairs of every two, where nothing else was said
EACH_UNTIL = 50  # at most, where it stops by itself


@click.command(
    short_help="Everybody plays everybody, or whoever tells most of the ranks.",
    epilog="""\b
Players: anthropic:MODEL  google:MODEL  openai:MODEL  litellm:MODEL  local:MODEL
         sim:BOT  human  bot:random|greedy|perfect|mcts:N|ismcts:N|pimc:N
         and aliases (see `orchestrator players`)
\b
Exit status: 0 done, 1 ended with voids or stopped by an error, 2 wrong use, 130 interrupted (resumable).
""",
)
@click.argument("names", nargs=-1, metavar="[A B C ...]")
@click.option("--game", metavar="NAME", help="What is played.  [default: connect4]")
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    help=f"In how many pairs every two meet.  [default: {EACH}; --until-ranked: {EACH_UNTIL} at most]",
)
@click.option(
    "--pairs-total", type=click.IntRange(min=1), metavar="N", help="Pairs in all, instead of --pairs."
)
@click.option(
    "--active", is_flag=True, help="The next pairs are those that tell most of the ranks for the money."
)
@click.option(
    "--until-ranked",
    type=click.IntRange(min=0),
    metavar="PLACES",
    help="With --active: stop once no rank is open by more places; 0: once all are apart.",
)
@click.option(
    "--step",
    type=click.IntRange(min=1),
    metavar="PAIRS",
    help="With --active: pairs chosen at a time.  [default: 10; with --batch: 50]",
)
@playing.options
def command(**options: Any) -> None:
    """Play a tournament: every two of the players meet in so many pairs, each once from either side.

    All pairs of a round are played from one deal. At tables of more than two (--game blob) every two meet in so many
    deals, as nearly as it divides.

    With --active there are as many pairs, but who plays them follows from the results so far and what they cost: open
    ranks get more of them, settled ones and dear players less. With --resume a larger --pairs or --pairs-total makes
    a tournament longer, also a finished one.

    \b
    orchestrator tournament claude gemini gpt bot:mcts:400 bot:random --game connect4 --pairs 20
    orchestrator tournament claude gemini gpt bot:mcts:400 --active --pairs-total 300 --max-cost 20
    orchestrator tournament claude gemini gpt bot:greedy --active --until-ranked 1
    orchestrator tournament --output runs/NAME --resume --pairs 40
    """
    playing.begin("tournament", options, read_options, new_request, same)


# ── what was asked ───────────────────────────────────────────────────────────────────────────────────


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options in the words of a TournamentRequest, but for the number of pairs; what was not given is
    left out."""
    from orchestrator.programme import read_game
    from orchestrator.request import canonical

    if options["pairs"] is not None and options["pairs_total"] is not None:
        raise click.UsageError(
            "--pairs is of every two players, --pairs-total of all together: give one of them"
        )
    asked: dict[str, Any] = {}
    if names := [name for name in options["names"] if name.lower() not in ("vs", "vs.", "versus")]:
        asked["players"] = canonical(tuple(names))
    if options["game"]:
        asked["game"], asked["variant"] = read_game(options["game"])
    asked |= {name: True for name in ("active",) if options[name]}
    wanted = ("until_ranked", "step", "pairs", "pairs_total")
    asked |= {name: options[name] for name in wanted if options[name] is not None}
    return asked | playing.terms(options)


def new_request(asked: dict[str, Any]) -> TournamentRequest:
    from orchestrator.request import DEFAULT_GAME, STEP_OF_BATCHES, TournamentRequest

    players = asked.get("players", ())
    if not players:
        raise click.UsageError(
            "who plays? For example: orchestrator tournament bot:mcts:200 bot:greedy bot:random"
        )
    if len(players) == 1:
        raise click.UsageError("a tournament has two players or more, got 1: orchestrator tournament A B C")
    if not asked.get("active") and ("step" in asked or "until_ranked" in asked):
        given = "--step" if "step" in asked else "--until-ranked"
        raise click.UsageError(
            f"{given} is for pairs that are chosen by results: add --active, or leave it out"
        )
    if asked.get("active") and asked.get("conduct", {}).get("tier") == "batch":
        asked = {"step": STEP_OF_BATCHES, **asked}
    asked = fitted({"game": DEFAULT_GAME, **asked}, len(players))
    each = asked.pop("pairs", EACH_UNTIL if "until_ranked" in asked else EACH)
    total = asked.pop("pairs_total", None)
    request = TournamentRequest(**playing.drawn(asked))
    check_field(request)
    if request.active:
        click.echo(
            "Who meets whom follows from the results: an estimate counts on everybody equally often.",
            err=True,
        )
    return longer(request, each, total)


def check_field(request: TournamentRequest) -> None:
    """That ratings tell everybody apart, and have one board where pairs are chosen by them. Raises SpecError."""
    from orchestrator.cli.human import ask_for_move
    from orchestrator.duel import seat_players
    from orchestrator.table import SpecError, Table

    players = seat_players(request, Table(ask_human=ask_for_move), billed=True)
    known: dict[str, str] = {}
    for spec, player in zip(request.players, players, strict=True):
        if (first := known.setdefault(player.seated.hash, spec)) != spec:
            raise SpecError(f"player {spec} plays exactly as {first} does: leave one of them out")
    tracks = sorted({player.seated.track for player in players} - {""})
    if request.active and len(tracks) > 1:
        raise SpecError(
            f"players are on the tracks {' and '.join(tracks)}, which are rated apart: leave --active out, or give "
            "everybody one track"
        )


def same(asked: dict[str, Any], known: Request) -> dict[str, Any]:
    """What is asked of a tournament that goes on."""
    from orchestrator.request import TournamentRequest

    asked = fitted(asked, len(asked.get("players", known.players)))
    each, total = asked.pop("pairs", None), asked.pop("pairs_total", None)
    if isinstance(known, TournamentRequest) and (each or total):
        asked["pairs"] = longer(known, each or 0, total).pairs
    return asked


def longer(request: TournamentRequest, each: int, total: int | None) -> TournamentRequest:
    """The request with so many pairs of every two, or so many in all."""
    from dataclasses import replace

    return replace(request, pairs=request.rotation.pairs(each) if total is None else total)


def fitted(asked: dict[str, Any], players: int) -> dict[str, Any]:
    """What was asked, its variant whole; a game that takes several numbers gets no more seats than players."""
    from orchestrator.request import seated_game, whole_game

    if "game" not in asked:
        return asked
    variant = dict(asked.get("variant", {}))
    game, whole = whole_game(asked["game"], variant)
    if "players" not in variant and whole.get("players", 0) > players:
        game, whole = seated_game(asked["game"], variant, players)
    return {**asked, "game": game, "variant": whole}
