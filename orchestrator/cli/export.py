"""`orchestrator export KIND RUN...`: recorded play as files for a trainer, and what was kept and dropped for them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import text

if TYPE_CHECKING:
    from orchestrator.export.example import Kind
    from orchestrator.export.pipeline import Exported
    from orchestrator.export.splits import Policy
    from orchestrator.export.wanted import Wanted

KINDS = ("sft", "pref", "format-pref", "kto", "rl-prompts", "rl-arrays", "tables")
PLAIN = ("rl-arrays", "tables")  # files of our own: without a target
EVERY_S = 0.2  # between two looks of the progress line


@click.command(
    short_help="Recorded play as files that trainers take.",
    epilog="""\b
Kinds:    sft         learn what was played well         pref  which of two answers was better
          kto         learn whether an answer was good   rl-prompts  questions, and a reward for any answer
          rl-arrays   observations, actions, rewards     tables      every decision and match, all that is known
          format-pref a legal answer before the first wrong one, where a model was asked again
Targets and filters: orchestrator export --list
\b
Exit status: 0 done, 1 nothing passed, 2 wrong use, or a row or a file that its target would refuse.
""",
)
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--target", metavar="NAME", help="Whose format.  [default: trl; rl-arrays and tables have none]"
)
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="The folder; new or empty.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Which decisions; may be repeated, each says what it dropped.  [default: by kind; `none` for all]",
)
@click.option(
    "--split",
    "by",
    type=click.Choice(["auto", "position", "deal", "pair", "match"]),
    default="auto",
    show_default=True,
    help="What is never in two parts; auto: positions up to symmetry, deals where cards are hidden.",
)
@click.option("--shares", default="80,10,10", show_default=True, help="Train, validation and test, per cent.")
@click.option("--salt", default="duelist-1", show_default=True, help="Another one parts otherwise.")
@click.option(
    "--pin-plies", type=click.IntRange(min=0), default=1, show_default=True, help="First plies train."
)
@click.option(
    "--reasoning", type=click.Choice(["none", "think-tag", "field"]), help="How thoughts are carried."
)
@click.option("--answer", "words", type=click.Choice(["whole", "move"]), default="whole", show_default=True)
@click.option(
    "--solver-thoughts", is_flag=True, help="Where nobody thought aloud: every move's exact result."
)
@click.option("--style", default="terse", show_default=True, help="How bots' decisions are asked.")
@click.option("--track", type=click.Choice(["open", "rules"]), default="open", show_default=True)
@click.option(
    "--per-question", type=click.IntRange(min=1), default=2, show_default=True, help="Answers at most."
)
@click.option("--margin", type=float, default=0.5, show_default=True, help="How much worse a bad answer is.")
@click.option("--keep-repeats", is_flag=True, help="Also rows that say the same.")
@click.option("--include-restricted", is_flag=True, help="Also sources whose terms restrict training.")
@click.option("--tables/--no-tables", default=True, help="Also decisions and games as Parquet, all columns.")
@click.option(
    "--format",
    "formats",
    metavar="NAME,...",
    help="Of the tables: parquet, jsonl; of rl-arrays: npz, parquet, minari.  [default: parquet; npz,parquet]",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: one for each core]")
@click.option("--dry-run", is_flag=True, help="Say what there would be, and stop.")
@click.option(
    "--check",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Hold a file of rows against the rules of --target and --kind, and stop.",
)
@click.option(
    "--kind", "checked", type=click.Choice([kind for kind in KINDS if kind not in PLAIN]), help="Of --check."
)
@click.option("--list", "listing", is_flag=True, help="The targets and the filters that there are.")
@click.option("--terms", "terms_listing", is_flag=True, help="Whose terms say what of training on answers.")
@click.option(
    "--terms-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Terms of your own: they add to those, or replace what has the same id.",
)
@click.option("--push-to-hub", "repo", metavar="OWNER/NAME", help="Put it on the Hugging Face Hub, private.")
@click.option("--public", is_flag=True, help="On the Hub for everybody to see.")
@click.option("--yes", is_flag=True, help="Do not ask before it is put there.")
def command(**options: Any) -> None:
    """Files for a trainer from RUNS, by default all of runs/*: what was kept, why, and whose terms it is under.

    \b
    orchestrator export sft runs/NAME --target trl --to data/NAME
    orchestrator export pref runs/* --target openai-chat --to data/pairs --dry-run
    orchestrator export --check train.jsonl --target openai-chat --kind sft
    """
    from orchestrator.export.example import RowError
    from orchestrator.export.folder import write_all
    from orchestrator.export.hub import HubError, check, push
    from orchestrator.export.pipeline import prepare
    from orchestrator.record.database import RecordError

    if options["listing"]:
        return listing()
    if options["file"] is not None:
        return check_file(options["file"], options["target"] or "trl", options["checked"] or options["kind"])
    if options["terms_listing"]:
        return terms(options["terms_file"])
    if options["kind"] is None:
        raise click.UsageError(
            f"what is to be learnt? One of {', '.join(KINDS)}; for example: export sft runs/NAME"
        )
    try:
        wanted, to = asked_for(options), options["to"]
        if to is None and not options["dry_run"]:
            raise click.UsageError("--to is missing: the folder of the files, new or empty")
        if to is not None and to.exists() and any(to.iterdir()):
            raise click.UsageError(f"{to} is not empty: name a new folder, so that no two exports are mixed")
        must_have(wanted)
        if options["repo"] is not None:
            check(options["repo"])
            if not (options["yes"] or options["dry_run"] or somebody_there()):
                raise ValueError("nobody is at the terminal to be asked whether to push: say --yes")
        jobs, progress = options["jobs"] or os.cpu_count() or 1, Progress()
        made = prepare(wanted, jobs, progress)
        progress.end()
        for line in told(made):
            click.echo(line)
        if not options["dry_run"] and made.choice.chosen:
            write_all(made, to, command_line(options), jobs, progress)
            progress.end()
            for file in made.files:
                click.echo(f"{file.rows:>10,}  {to / file.name}")
            click.echo(f"{'':>10}  {to / 'README.md'} says what it is")
            if options["repo"] is not None and agreed(made, options):
                try:
                    click.echo(f"pushed: {push(to, options['repo'], options['public'])}")
                except HubError as error:
                    raise HubError(f"{error}\nnot pushed; {to} is whole and stays") from None
    except (RecordError, RowError, HubError, OSError, ValueError) as error:
        click.echo(f"error: {text.clean(str(error))}", err=True)
        sys.exit(2)
    sys.exit(0 if made.choice.chosen else 1)


def asked_for(options: dict[str, Any]) -> Wanted:
    """What the options ask for. Raises ValueError."""
    from orchestrator.export.kinds import Form
    from orchestrator.export.known import Known
    from orchestrator.export.source import Ask
    from orchestrator.export.terms import read_file
    from orchestrator.export.wanted import Wanted

    filters = options["filters"] or None
    if filters is not None:
        filters = tuple(each for each in filters if each != "none")
    runs = options["runs"] or tuple(sorted(path.parent for path in Path("runs").glob("*/record.db")))
    return Wanted(
        kind=options["kind"],
        target=options["target"] or ("" if options["kind"] in PLAIN else "trl"),
        runs=tuple(path for path in runs if path.suffix == ".db" or not path.is_file()),
        filters=filters,
        policy=policy(options),
        reasoning=options["reasoning"],
        form=Form(options["words"], options["solver_thoughts"]),
        ask=Ask(options["style"], options["track"]),
        include_restricted=options["include_restricted"],
        known=Known(read_file(options["terms_file"])) if options["terms_file"] else Known(),
        dedup=not options["keep_repeats"],
        per_question=options["per_question"],
        margin=options["margin"],
        tables=has_tables(options),
        formats=tuple(options["formats"].split(",")) if options["formats"] else None,
    )


def has_tables(options: dict[str, Any]) -> bool:
    """Whether the canonical tables are written beside the rest; without pyarrow they are not."""
    from orchestrator.export.tables import LEFT_OUT, have_parquet

    if options["tables"] and options["kind"] not in PLAIN and not options["formats"] and not have_parquet():
        click.echo(LEFT_OUT, err=True)
        return False
    return bool(options["tables"])


def must_have(wanted: Wanted) -> None:
    """Raises ValueError for a package that is not installed."""
    from orchestrator.export import arrays, tables

    if not tables.have_parquet():
        if wanted.kind == "rl-arrays":
            raise ValueError(arrays.MISSING)
        if wanted.has_tables and "parquet" in wanted.table_formats:
            raise ValueError(f"{tables.MISSING}, or say --format jsonl")
    if "minari" in wanted.written and not arrays.have_minari():
        raise ValueError(arrays.NO_MINARI)


def policy(options: dict[str, Any]) -> Policy:
    """How it is parted. Raises ValueError."""
    from orchestrator.export.splits import Policy

    given = options["shares"].split(",")
    try:
        shares = [float(part) / 100 for part in given]
    except ValueError:
        shares = []
    if len(shares) != 3:
        raise ValueError(f"--shares {options['shares']}: expected three numbers, such as 80,10,10")
    return Policy(options["by"], (shares[0], shares[1], shares[2]), options["salt"], options["pin_plies"])


def command_line(options: dict[str, Any]) -> str:
    """What was typed, but for the number of processes, which changes nothing."""
    words = sys.argv[1:]
    told = re.sub(r" --jobs[= ]\d+", "", " " + " ".join(words))
    return f"orchestrator{told}"


def told(made: Exported) -> Iterator[str]:
    """What was looked at, kept and left out, and whose it is."""
    from orchestrator.export.manifest import restricted, sources

    yield f"{made.look.seen:>10,}  decisions of finished matches"
    for name, counts in zip(made.wanted.named, made.look.filters, strict=True):
        unknown = f", {counts['unknown']:,} unknown" if counts["unknown"] else ""
        yield f"{counts['kept']:>10,}  kept by {name} ({counts['dropped']:,} dropped{unknown})"
    for name, left in made.choice.steps.items():
        yield f"{left:>10,}  {STEPS[name]}"
    yield ""
    yield from _sources(sources(made))
    yield from restricted(made)
    yield from minari_warning(made)
    yield ""


def _sources(sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whose decisions passed the filters, and what their terms say."""
    rows = [
        (
            text.one_line(each["player"]),
            f"{each['decisions'] + each['left_out']:,}",
            each["says"] + (" (left out)" if each["left_out"] else ""),
            each["terms"]["checked_on"] if each["terms"]["url"] else "-",
            text.one_line(each["note"]),
        )
        for each in sources
    ]
    table = [("source", "decisions", "terms", "checked", "note"), *rows]
    player, count, terms, checked = (max(len(row[at]) for row in table) for at in range(4))
    for row in table:
        told = f"{row[0]:<{player}}  {row[1]:>{count}}  {row[2]:<{terms}}  {row[3]:<{checked}}  {row[4]}"
        yield told.rstrip()


def minari_warning(made: Exported) -> Iterator[str]:
    """A sentence where its format is asked for more than it is good for."""
    from orchestrator.export.arrays import MANY_EPISODES

    matches = {one.ids[0].rpartition("-")[0] for one in made.choice.chosen}
    if "minari" in made.wanted.written and 2 * len(matches) > MANY_EPISODES:
        yield (
            f"warning: Minari keeps some 14 KB and a group for each of {2 * len(matches):,} episodes or more, and "
            "takes minutes for them; npz and parquet hold the same and more in a hundredth of that"
        )


STEPS = {
    "passed": "passed all filters and terms",
    "parted": "are not known from training by another way",
    "different": "say something different",
    "reasked": "were asked again after an answer that was no legal move",
    "taken": "are taken",
}


def check_file(path: Path, name: str, kind: Kind | None) -> None:
    """Every problem of a file by its line, the first ones told; exit status 2 if there is any."""
    from orchestrator.export.validate import check_path
    from orchestrator.export.wanted import target

    if kind is None:
        raise click.UsageError(f"--kind is missing: of which kind are the rows? One of {', '.join(KINDS)}")
    try:
        found = check_path(path, target(name), kind)
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    for problem in found.problems:
        place = f"{path}:{problem.line}" if problem.line else str(path)
        click.echo(text.one_line(f"{place}: {problem.why}"))
    if found.wrong > len(found.problems):
        click.echo(f"... and {found.wrong - len(found.problems):,} more")
    click.echo(f"{found.rows:,} rows of {kind} for {name}: {found.wrong:,} problems")
    sys.exit(2 if found.wrong else 0)


def agreed(made: Exported, options: Mapping[str, Any]) -> bool:
    """Whether whoever is there wants it on the Hub: what was left out for its terms was left out, the rest was not."""
    if options["yes"]:
        return True
    rows = sum(made.figures.rows.values())
    who = "everybody can see it" if options["public"] else "private"
    return click.confirm(f"Put {rows:,} rows on the Hub as {options['repo']} ({who})?", err=True)


def somebody_there() -> bool:
    """Whether a question would be read."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def terms(own: Path | None) -> None:
    """What is known of the terms of sources. Wrong use where a file holds none."""
    from orchestrator.export.terms import known, read_file

    try:
        entries = known(read_file(own) if own else ())
    except (OSError, ValueError) as error:
        raise click.UsageError(text.clean(str(error))) from None
    click.echo(
        "Facts with the day on which they were looked for, no legal advice; the first that applies counts.\n"
    )
    for each in entries:
        whose = f" ({each.vendor})" if each.vendor else ""
        click.echo(text.one_line(f"{each.id}{whose}: {each.says}, checked {each.checked_on}"))
        click.echo(f"  {text.one_line(each.summary)}")
        if each.url:
            click.echo(f"  {text.one_line(each.url)}")
        click.echo(f"  applies to {text.one_line(each.applies_to)}")
    click.echo(
        "\nAny other source is unknown. Without --include-restricted only own data and what permits is exported."
    )


def listing() -> None:
    """The targets and the filters."""
    from orchestrator.export.filters import FILTERS
    from orchestrator.export.wanted import target, targets

    click.echo("Targets")
    for name in targets():
        made = target(name)
        click.echo(f"  {name:<16} {made.about}")
        for shape in made.kinds:
            click.echo(f"  {'':<16}   {shape:<12} reasoning: {', '.join(made.carries(shape))}")
    click.echo("\nFilters")
    for name, kind in FILTERS.items():
        click.echo(f"  {name + ('=' + kind.value if kind.value else ''):<28} {kind.about}")


class Progress:
    """One line on a terminal, overwritten; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, done: int, of: int) -> None:
        now = monotonic()
        if self._shown and now - self._last >= EVERY_S:
            self._last = now
            click.echo(f"\r\x1b[K{done:,} of {of:,} parts", nl=False, err=True)

    def end(self) -> None:
        """Leave no trace of it."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
