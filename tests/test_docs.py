"""What the documents show works: their Python runs, page by page, and their command lines are ones that exist.

A command line is read as the shell and the command read it, up to where something would be played: its options and
their values, and for a new run also who is seated, at which game, under which walls and limits. What a command
prints is not compared.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest

import engine
from orchestrator.cli import COMMANDS, ablate, duel, generate, main, tournament
from orchestrator.duel import batched, seat_players, walled
from orchestrator.limits import parse_limits
from orchestrator.request import Request
from orchestrator.table import Table

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/engine.md")
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "runs" / "README.md"]
)


def command_lines(text: str) -> Iterator[str]:
    """`$ orchestrator …` in the shell sessions of a document, and `orchestrator …` in its sentences.

    One that only names a command there is asked for its help.
    """
    for session in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in re.findall(r"^\$ (.*)$", session.replace("\\\n", " "), re.MULTILINE):
            yield from re.findall(r"(?:[A-Z_]+=\S+\s+)*(orchestrator\s.*)", line)
    sentences = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in re.findall(r"`(orchestrator\s[^`]+)`", sentences):
        yield line if len(line.split()) > 2 else f"{line} --help"


def every(find: str) -> list[tuple[str, str]]:
    """(document, command line) of all documents, those that match `find`."""
    return [
        (page, line)
        for page in DOCUMENTS
        for line in dict.fromkeys(command_lines((ROOT / page).read_text()))
        if re.search(find, line)
    ]


BEGINS = r"^orchestrator (?!.*--resume)(duel|generate|ablate|tournament) .*(vs|--(player|table|pro|arm|pairs|active))"
"""Command lines that begin a run and say who plays."""


def parsed(line: str) -> click.Context:
    """The context of the command that would run. Raises UsageError where it would refuse."""
    words = shlex.split(line, comments=True)[1:]
    context = main.make_context("orchestrator", words)
    name, command, rest = main.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    return command.make_context(name, rest, parent=context)


def asked(context: click.Context) -> Request:
    """What a run that begins with these options is asked."""
    if context.info_name == "duel":
        return duel.new_request(duel.read_options(context.params))
    if context.info_name == "ablate":
        return ablate.new_request(ablate.read_options(context.params))
    if context.info_name == "tournament":
        return tournament.new_request(tournament.read_options(context.params))
    return generate.new_request(generate.read_options(context.params))


# ── Python and links ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not engine.is_compiled(), reason="the blocks are sized for the compiled engine")
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    known: dict[str, object] = {"__name__": page}
    for block in blocks:
        exec(compile(block, page, "exec"), known)


@pytest.mark.parametrize("page", DOCUMENTS)
def test_links_inside_the_project_lead_somewhere(page: str) -> None:
    for target, heading in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", (ROOT / page).read_text()):
        if "://" in target:
            continue
        there = (ROOT / page).parent / target if target else ROOT / page
        assert there.exists(), target
        assert not heading or heading in anchors(there.read_text()), heading


def anchors(text: str) -> set[str]:
    """The headings of a document as links name them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ── command lines ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("page", "line"), every(r"^orchestrator \w"))
def test_a_command_line_is_one_that_the_program_takes(page: str, line: str) -> None:
    with suppress(click.exceptions.Exit):  # after --help
        parsed(line)


@pytest.mark.parametrize(("page", "line"), every(BEGINS))
def test_a_run_can_begin_as_a_command_line_says(page: str, line: str) -> None:
    request = asked(parsed(line))
    players = seat_players(request, Table())
    walled(request, players)
    batched(players)
    for limit in request.limits:
        parse_limits(limit)


@pytest.mark.parametrize("page", ["README.md", "docs/running.md", "docs/evaluating.md"])
def test_an_option_that_a_page_names_exists(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    named = {
        option for code in re.findall(r"`([^`]+)`", text) for option in re.findall(r"--[a-z][a-z-]+", code)
    }
    commands = [main.get_command(click.Context(main), name) for name in COMMANDS]
    known = {option for command in commands if command for each in command.params for option in each.opts}
    assert named
    assert named <= known


@pytest.mark.parametrize(
    "line",
    [
        "orchestrator duell claude vs gemini",
        "orchestrator generate --player claude --gamse 10",
        "orchestrator generate --player claude --games none",
        "orchestrator duel claude vs gemini --tier fast",
    ],
)
def test_a_wrong_command_line_would_be_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(line)


def test_the_commands_that_people_need_are_shown() -> None:
    shown = {line.split()[1] for _, line in every(r"^orchestrator \w")}
    assert {"duel", "generate", "replay", "show", "leaderboard", "simulate"} <= shown
