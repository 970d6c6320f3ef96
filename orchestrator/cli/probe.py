"""`orchestrator probe RUN`: show players one position in several ways, and see whether they choose alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import playing, text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.request import ProbeRequest, Request

POSITIONS = 40  # at 20 a player that answers by the side alone is found less than half the time
NEEDLESS = ("opening", "pilot")  # options of playing that a probe has no use for


@click.command(
    short_help="Ask again in other clothes: mirrored, turned, relabelled.",
    epilog="""\b
Exit status: 0 done, 1 ended with voids or stopped by an error, 2 wrong use, 130 interrupted (resumable).
""",
)
@click.argument("source", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--player",
    "players",
    metavar="SPEC",
    multiple=True,
    help="Whom to ask; may be repeated.  [default: the models of RUN]",
)
@click.option("--game", metavar="NAME", help="Only positions of this game.  [default: all of RUN]")
@click.option(
    "--positions",
    "count",
    type=click.IntRange(min=1),
    help=f"How many, each different up to symmetry, spread over the match.  [default: {POSITIONS}]",
)
@click.option("--repeats", type=click.IntRange(min=1), help="Times to ask again unchanged.  [default: 1]")
@click.option(
    "--symmetries",
    type=click.IntRange(min=0),
    help="Ways to mirror or turn each position, at most, drawn.  [default: 2]",
)
@click.option("--no-relabel", is_flag=True, help="Do not ask with the marks of the seats exchanged.")
@playing.options
def command(**options: Any) -> None:
    """Show players positions of a run in several ways: as they were, again, mirrored or turned, relabelled.

    Whoever understands a position chooses the same move however it is drawn. As a model does not always repeat
    itself either, it is first asked again in the same words: what counts is how much less it agrees with itself
    when the position is mirrored, or X is called O. It is a run like any other, with an estimate before and a
    record of every answer. Grade it, and it is known whether the other moves were worse.

    \b
    orchestrator probe runs/NAME
    orchestrator probe runs/NAME --player claude --player bot:perfect --positions 50 --max-cost 2
    orchestrator probe --output runs/PROBE --resume
    orchestrator grade runs/PROBE
    """
    for name in NEEDLESS:
        if options[name]:
            raise click.UsageError(f"--{name} is for matches that are played to their end: leave it out")
    playing.begin("probe", options, read_options, new_request, same)


# ── what was asked ───────────────────────────────────────────────────────────────────────────────────


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options in the words of a ProbeRequest; what was not given is left out."""
    from orchestrator.request import canonical

    asked: dict[str, Any] = {
        name: options[name] for name in ("repeats", "symmetries") if options[name] is not None
    }
    asked |= {name: options[name] for name in ("source", "game", "count") if options[name]}
    if options["players"]:
        asked["players"] = canonical(options["players"])
    if options["no_relabel"]:
        asked["relabel"] = False
    return asked | playing.terms(options)


def new_request(asked: dict[str, Any]) -> ProbeRequest:
    """With positions of the run, and its models where nobody was named. Raises RecordError, ValueError."""
    from orchestrator.probe_record import models, positions
    from orchestrator.request import ProbeRequest

    asked = playing.drawn(asked)
    source: Path | None = asked.pop("source", None)
    if source is None:
        raise click.UsageError("positions of which run? For example: orchestrator probe runs/NAME")
    if "players" not in asked:
        asked["players"] = models(source)
    count, game = asked.pop("count", POSITIONS), asked.pop("game", "")
    found = positions(source, count, asked["seed"], game)
    if len(found) < count:
        click.echo(f"{source} has {text.plural(len(found), 'position')} that differ, not {count}", err=True)
    return ProbeRequest(**asked, positions=found, source=str(source))


def same(asked: dict[str, Any], known: Request) -> dict[str, Any]:
    """What is asked of a probe that goes on: nothing of where its positions came from."""
    for name, option in (("source", "RUN"), ("game", "--game"), ("count", "--positions")):
        if name in asked:
            raise click.UsageError(f"the positions of a probe are drawn when it begins: leave {option} out")
    return asked


# ── what came of it ──────────────────────────────────────────────────────────────────────────────────


def result(summary: Mapping[str, Any], *, hint: bool = True) -> RenderableType:
    """What came of a probe, from its summary."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from orchestrator.remarks import remarks, stand_ins

    names = ", ".join(text.one_line(player["label"]) for player in summary["players"])
    asked = text.plural(summary["matches"], "question")
    of = "" if summary["matches"] == summary["planned"] else f" of {summary['planned']}"
    table = Table(box=None, pad_edge=False)
    for name in ("player", "shown", "answers", "same move", "less than repeated", "as good", "cost"):
        table.add_column(name, justify="left" if name in ("player", "shown") else "right")
    for player in summary["players"]:
        cost = text.dollars(player["cost_usd"])
        for way in player["ways"]:
            label, cost, spent = text.one_line(player["label"]), "", cost
            table.add_row(label, way["way"], str(way["answers"]), *_figures(way), spent)
    parts: list[RenderableType] = [
        Text(""),
        Text(f"{names} · {text.one_line(summary['game'])} · {asked}{of}", "bold"),
        Text(""),
        table,
        Text(""),
        *(Text(line, "bold red") for line in stand_ins(summary)),
        *(Text(text.one_line(player["verdict"], 400), "bold") for player in summary["players"]),
        *(Text(line) for line in remarks(summary)),
    ]
    if hint:
        grade = text.command("grade", summary["output"])
        parts.append(Text(f"Were the other moves worse? {grade}", "dim"))
    return Group(*parts)


def _figures(way: Mapping[str, Any]) -> tuple[str, str, str]:
    """Of one way: the share of the same choice, how much that is less than repeated, and how many are as good."""
    return (
        _share(way["same"]),
        "" if way["drop"] is None else " ".join([_points(way["drop"][1]), _between(way["drop"])]),
        _share(way["fine"]),
    )


def _share(found: tuple[float, float, float] | None) -> str:
    return text.NOTHING if found is None else f"{100 * found[1]:.0f} % {_between(found)}"


def _between(found: tuple[float, float, float]) -> str:
    return f"[{100 * found[0]:.0f}, {100 * found[2]:.0f}]"


def _points(share: float) -> str:
    return f"{100 * share + 0.0:+.0f}"
