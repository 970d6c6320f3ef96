"""`orchestrator ablate CONTROL --arm …`: does a style, a track, an effort or another model make a difference?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import playing
from orchestrator.cli.generate import read_game, read_opponents

if TYPE_CHECKING:
    from orchestrator.request import AblateRequest, Request

DEFAULT_DEALS = 50
NO_DRAWS = 0.5  # of a deal's difference, the standard deviation between equals: the most there usually is


@click.command(
    short_help="Compare styles, tracks, efforts or models, arm by arm with a control.",
    epilog="""\b
Arms:      --arm style=analyst          the control with that option; & joins several: effort=high&track=rules
           --arm effort=                the control without that option
           --arm gemini                 another player, as a spec or alias
Options:   style track mode reasks fallback effort temperature max_tokens tier, and those of the player's kind
\b
Exit status: 0 done, 1 ended with voids or stopped by an error, 2 wrong use, 130 interrupted (resumable).
""",
)
@click.argument("control", required=False, metavar="[CONTROL]")
@click.option(
    "--arm",
    "arms",
    metavar="OPTION=VALUE|SPEC",
    multiple=True,
    help="What is changed of the control, or another player; may be repeated.",
)
@click.option(
    "--no-null", is_flag=True, help="Leave out the control's double, which shows how large noise is."
)
@click.option(
    "--opponent",
    "opponents",
    metavar="SPEC[=WEIGHT],...",
    multiple=True,
    help="Whom all arms play against; may be repeated.  [default: bot:mcts:200]",
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
    help="Matches in total, rounded up: every arm plays every deal from every seat.  "
    f"[default: {DEFAULT_DEALS} deals]",
)
@playing.options
def command(**options: Any) -> None:
    """Hold changes of a player against the player itself: does a style, a track, an effort, a model play better?

    Every arm plays the same deals against the same opponents from every seat, and is compared with CONTROL deal by
    deal. The null arm is CONTROL once more, asked in the very same words: what it differs by is noise. How long it
    is played is said beforehand, and it is not made longer: whoever plays on until an arm wins finds one.

    \b
    orchestrator ablate claude --arm style=analyst --arm style=terse --opponent bot:mcts:200 --games 400
    orchestrator ablate claude --arm track=rules --arm effort=high --arm gemini --opponent bot:greedy --max-cost 20
    orchestrator ablate --output runs/NAME --resume
    """
    playing.begin("ablate", options, read_options, new_request, same)


# ── what was asked ───────────────────────────────────────────────────────────────────────────────


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options in the words of an AblateRequest, but for the arms and the number of games; what was not
    given is left out."""
    from orchestrator.request import canonical

    asked: dict[str, Any] = {}
    if options["control"]:
        (asked["control"],) = canonical((options["control"],))
    if options["no_null"]:
        asked["null"] = False
    if options["opponents"]:
        asked["opponents"] = read_opponents(options["opponents"])
    if options["mix"]:
        asked["games"] = tuple(read_game(text) for text in options["mix"])
    if options["arms"]:
        asked["arms"] = options["arms"]
    if options["games"] is not None:
        asked["matches"] = options["games"]
    return asked | playing.terms(options)


def read_arm(control: str, text: str) -> str:
    """The canonical spec of an arm: `option=value&…` of the control, or a spec. Raises SpecError."""
    from urllib.parse import parse_qsl

    from orchestrator.request import canonical
    from orchestrator.table import Spec, SpecError
    from providers.prices import PriceBook

    text = text.strip()
    if not re.match(r"\w+=", text):
        return canonical((text,))[0]
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise SpecError(f"unreadable arm {text!r}: expected option=value&option=value, or a player") from None
    options = dict(pairs)
    if len(options) < len(pairs):
        raise SpecError(f"an option is given twice in arm {text!r}: leave one of them out")
    spec = Spec.parse(control, PriceBook.load())
    for name, value in options.items():
        if not value and name not in spec.options:
            raise SpecError(f"arm {text!r} takes away what {control} has not: give {name} a value")
    merged = {name: value for name, value in {**spec.options, **options}.items() if value}
    return canonical((str(Spec(spec.kind, spec.name, merged)),))[0]  # read once more: it may hold a password


def new_request(asked: dict[str, Any]) -> AblateRequest:
    from orchestrator.request import AblateRequest

    for what, name in (("what is the control?", "control"), ("which arms?", "arms")):
        if name not in asked:
            raise click.UsageError(
                f"{what} For example: orchestrator ablate claude --arm style=analyst --opponent bot:mcts:200"
            )
    asked = dict(asked)
    games = asked.pop("matches", None)
    asked["arms"] = tuple(read_arm(asked["control"], text) for text in asked["arms"])
    request = AblateRequest(**playing.drawn(asked))
    all_differ(request)
    if games is None:
        request = replace(request, pairs=DEFAULT_DEALS * len(request.models))
    else:
        request = rounded(request, games)
    tell_power(request)
    return request


def all_differ(request: AblateRequest) -> None:
    """Two arms that come to the same would show nothing but noise, at full price. Raises SpecError."""
    from orchestrator.ablation import names
    from orchestrator.cli.human import ask_for_move
    from orchestrator.duel import seat_players
    from orchestrator.model import Conduct
    from orchestrator.table import Spec, SpecError, Table
    from providers.prices import PriceBook

    arms = len(request.models)
    players = seat_players(request, Table(ask_human=ask_for_move), billed=True)[:arms]
    known: dict[str, str] = {}
    for name, player in zip(names(request.models), players, strict=True):
        if name == "null":
            continue
        options = Spec.parse(player.seated.spec, PriceBook.load()).options
        theirs = {key: value for key, value in options.items() if key not in (*Conduct.__slots__, "price")}
        own = str((player.seated.hash, theirs, player.seated.parameters))
        if own in known:
            raise SpecError(
                f"arm {name} comes to the same as {known[own]} once defaults are filled in: "
                "give an option another value, or leave the arm out"
            )
        known[own] = "the control" if name == "control" else f"arm {name}"


def rounded(request: AblateRequest, games: int) -> AblateRequest:
    """The request with so many games, and a word where they are more than was asked."""
    request = request.of_matches(games)
    if request.matches != games:
        click.echo(
            f"--games {games} rounded up to {request.matches}: each of the {len(request.models)} arms, the control"
            f"{' and the null' if request.null else ''} among them, plays every deal from every seat",
            err=True,
        )
    return request


def tell_power(request: AblateRequest) -> None:
    """How small a difference so many deals can find: to be known before they are paid."""
    from orchestrator.ratings.pairs import elo
    from orchestrator.ratings.permutation import ALPHA, detectable, least_deals

    if any(len(board.players) > 2 for board, _ in request.boards()):
        return
    deals, alpha = request.pairs // len(request.models), ALPHA / len(request.arms)
    if deals < least_deals(alpha):
        click.echo(
            f"{deals} deals for each arm can find no difference, however large: {least_deals(alpha)} is the least, "
            f"--games {2 * len(request.models) * least_deals(alpha)}",
            err=True,
        )
        return
    found = detectable(NO_DRAWS, deals, alpha)
    size = (
        f"of about {round(2 * elo(0.5 + found / 2), -1):.0f} Elo or more"
        if found < 1
        else "only between near opposites"
    )
    click.echo(
        f"{deals} deals for each arm, two games each: they find differences {size}, four times in five",
        err=True,
    )


def same(asked: dict[str, Any], known: Request) -> dict[str, Any]:
    """What is asked of a run that goes on, which has its control and its length."""
    from orchestrator.request import AblateRequest

    asked = dict(asked)
    games = asked.pop("matches", None)
    if isinstance(known, AblateRequest):
        if "arms" in asked:
            asked["arms"] = tuple(
                read_arm(asked.get("control", known.control), text) for text in asked["arms"]
            )
        if games is not None:
            asked["pairs"] = known.of_matches(games).pairs
    return asked
