from __future__ import annotations

import errno
import io
import os
import shlex
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestrator.cli import text

ATTACKS = {
    "clear the screen": "\x1b[2J\x1b[H",
    "retitle the window": "\x1b]0;owned\x07",
    "write the clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "8-bit control sequence": "\x9b31m",
    "overwrite the line": "good\rbad",
    "backspaces": "lose\b\b\b\bwin ",
    "bidi override": "win \u202eesol",
    "bidi isolate": "\u2066a\u2069",
    "line separator": "a\u2028b",
    "tag characters": "a\U000e0041\U000e0042",
    "lone surrogate": "a\ud800b",
    "delete": "a\x7f",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_control_gets_through_and_none_goes_unseen(attack: str) -> None:
    shown = text.clean(attack)
    assert harmless(shown)
    assert any(mark in shown for mark in ("␛", "‹U+", "␍", "␈", "␡", "�"))
    shown.encode("utf-8")


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_whatever_a_model_writes(words: str) -> None:
    shown = text.clean(words)
    assert harmless(shown)
    assert text.clean(shown) == shown
    assert "\n" not in text.one_line(words)


def harmless(shown: str) -> bool:
    return all(
        unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown if c not in "\n\t"
    )


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_the_console_draws_nothing_uncleaned_whoever_built_it(attack: str) -> None:
    stream = io.StringIO()
    console = text.console(stream, width=80)
    table = Table(attack, title=attack)
    table.add_row(Text(attack).append(attack))
    for drawn in (attack, Text(attack), Group(Padding(Text(attack)), attack), table):
        console.print(drawn)
    assert harmless(stream.getvalue())


def test_a_pipe_that_nobody_reads_is_an_error_and_no_exit() -> None:
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    with pytest.raises(BrokenPipeError) as error:
        text.console(stream).print("gone")
    assert error.value.errno == errno.EPIPE  # what click looks for
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_command_can_be_pasted() -> None:
    assert text.command("show", "0001a", "runs/a b") == "orchestrator show 0001a 'runs/a b'"
    assert harmless(shown := text.command("show", "x\x1b[31m;rm -rf\n$HOME")) and "\n" not in shown
    assert shlex.split(shown) == ["orchestrator", "show", "x␛[31m;rm -rf␊$HOME"]


def test_ordinary_text_stays_as_it_is() -> None:
    words = "Ich spiele d4 – naïve, 日本語, עברית, ½ [bold]not markup[/bold]\n\tindented"
    assert text.clean(words) == words
    assert text.clean("a\r\nb") == "a\nb"


def test_a_limit_counts_its_mark() -> None:
    assert text.clean("abcdef", 4) == "abc…"
    assert text.clean("abcd", 4) == "abcd"
    assert text.one_line("a\n\n  b", 80) == "a b"


@pytest.mark.parametrize(
    ("pico", "shown"),
    [
        (0, "$0"),
        (1, "<$0.0001"),
        (4_400_000_000, "$0.0044"),
        (999_949_000_000, "$0.9999"),
        (999_950_000_000, "$1.00"),
        (12_310_000_000_000, "$12.31"),
        (1_234_560_000_000_000, "$1,234.56"),
    ],
)
def test_money(pico: int, shown: str) -> None:
    assert text.money(pico) == shown


@given(st.integers(1, 10**18))
def test_a_cost_never_reads_as_nothing(pico: int) -> None:
    shown = text.money(pico)
    assert shown.startswith("<") or float(shown[1:].replace(",", "")) > 0


def test_dollars_of_an_event_are_the_pico_dollars_of_the_record() -> None:
    assert text.dollars(0.0044) == text.money(4_400_000_000) == "$0.0044"


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "–"),
        (0, 9, "0 %"),
        (9, 9, "100 %"),
        (1, 3, "33.3 %"),
        (1, 9999, "<0.1 %"),
        (9998, 9999, ">99.9 %"),
    ],
)
def test_percent(part: int, whole: int, shown: str) -> None:
    assert text.percent(part, whole) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 ms"),
        (0.34, "340 ms"),
        (0.9999, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


def test_small_words() -> None:
    assert text.elo(-12.4, 35.2, 83.9) == "+35 [-12, +84]"
    assert text.signed(-0.2) == "+0"
    assert [text.points(p) for p in (0, 0.5, 1, 12.5)] == ["0", "½", "1", "12½"]
    assert [text.count(n) for n in (987, 12_345, 272_000, 999_999, 4_500_000)] == [
        "987",
        "12.3k",
        "272k",
        "1M",
        "4.5M",
    ]
    assert [text.plural(n, "match", "matches") for n in (1, 2000)] == ["1 match", "2,000 matches"]


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (124, "124"),
        (-3.0, "-3"),
        (96.25, "96.25"),
        (96.256, "96.26"),
        (100.0, "100"),
        (-0.001, "0"),
        (0.5, "0.5"),
    ],
)
def test_what_a_game_paid(number: float, told: str) -> None:
    assert text.amount(number) == told


def test_moves_with_blanks_are_parted_by_bars() -> None:
    assert text.moves(["e4", "Nf3"]) == "e4 Nf3" and text.moves([]) == ""
    assert text.moves(["24/20 8/3", "8/7/6", "a\x1bb"]) == "24/20 8/3 | 8/7/6 | a␛b"
