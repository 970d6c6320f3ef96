from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli import display, result, text
from orchestrator.events import Event
from orchestrator.remarks import verdict
from orchestrator.summary import summary
from tests.orchestrator.duels import play, request

EVIL = "\x1b[31m[bold]evil[/bold]\x1b]0;owned\x07\u202e"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(**more: Any) -> Event:
    seats = len(more.get("players", ["claude", "gemini"]))
    return {
        "type": "run",
        "at": 0.0,
        "run": "r1",
        "output": "runs/x",
        "game": "connect4",
        "players": ["claude", "gemini"],
        "specs": [f"local:{label}" for label in more.get("players", ["claude", "gemini"])],
        "pairs": 25,
        "matches": 50,
        "planned": more.get("matches", 50),
        "waiting": more.get("matches", 50),
        "boards": [{"game": "connect4", "variant": {}, "players": list(range(1, 1 + seats)), "share": 1.0}],
        "spent_usd": 0.0,
        "wall_usd": None,
        "seed": 7,
        "concurrency": 8,
        **more,
    }


def match(id: str, status: str, pair: int = 0, swap: int = 0, **more: Any) -> Event:
    seats = ["claude", "gemini"] if not swap else ["gemini", "claude"]
    return {
        "type": "match",
        "at": 0.0,
        "id": f"r1-{id}",
        "status": status,
        "seats": seats,
        "pair": pair,
        "swap": swap,
        "replay": 0,
        **({"deal": "d", "begins": 0} if status == "started" else {}),
        **more,
    }


def finished(id: str, scores: list[float], pair: int = 0, swap: int = 0, **more: Any) -> Event:
    ranks = [1 + sum(other > score for other in scores) for score in scores]
    paid = [2 * score - 1 for score in scores]
    ended = {"scores": scores, "ranks": ranks, "points": paid, "plies": 17, "forfeits": ["", ""], **more}
    return match(id, "finished", pair, swap, **ended)


def decision(match: str, player: str = "claude", move: str = "4", **more: Any) -> Event:
    told = {"seat": 0, "ply": 3, "outcome": "ok", "fault": "", "illegal": 0, "rationale": "", "cost_usd": 0.0}
    told |= {"type": "decision", "at": 0.0, "match": f"r1-{match}", "player": player, "move": move}
    return told | {"latency_ms": 1200.0, **more}


def call(player: str = "claude", kind: str = "ok", **more: Any) -> Event:
    told = {"type": "call", "at": 0.0, "decision": "r1-0001a-000", "player": player, "kind": kind, "ask": 0}
    told |= {"attempt": 1, "status": 200, "model": "m", "input_tokens": 800, "output_tokens": 120}
    return told | {"cost_usd": 0.0044, "possibly_billed": False, "latency_ms": 1200.0, "error": "", **more}


def player(label: str, **more: Any) -> dict[str, Any]:
    counts = (
        "forfeits",
        "decisions",
        "illegal",
        "wrong_first",
        "calls",
        "failed_calls",
        "input_tokens",
    )
    more_counts = ("cached_tokens", "output_tokens", "reasoning_tokens", "unpriced_calls")
    return {
        "spec": f"anthropic:{label}",
        "label": label,
        "model": label,
        "reported": [],
        "wins": 25,
        "draws": 0,
        "losses": 25,
        **dict.fromkeys((*counts, *more_counts), 0),
        "cost_usd": 0.0,
        "possibly_billed_usd": 0.0,
        "latency_ms": None,
        "latency_p95_ms": None,
        **more,
    }


def ending(*players: dict[str, Any], **more: Any) -> Event:
    whole = {"type": "summary", "at": 0.0, "run": "r1", "output": "runs/x", "game": "connect4"}
    whole |= {"status": "finished", "stopped": None, "pairs": 25, "matches": 50, "planned": 50, "voids": 0}
    whole |= {
        "repeats": 0,
        "distinct_pairs": more.get("pairs", 25),
        "score": 0.55,
        "elo": 35.0,
        "elo_low": -12.0,
        "elo_high": 84.0,
    }
    whole |= {"cost_usd": 0.0, "possibly_billed_usd": 0.0}
    return whole | {"players": list(players) or [player("claude"), player("gemini")], **more}


def shown(mode: str, *events: Event, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    with display.make(mode, stream=stream) as see:
        for event in events:
            see(event)
    return stream.getvalue()


def drawn(*events: Event, width: int = 80, height: int = 24) -> str:
    tally = display.Tally()
    for event in events:
        tally.add(event)
    stream = io.StringIO()
    text.console(stream, width=width, height=height).print(display.screen(tally, width, height))
    return stream.getvalue()


# ── which ────────────────────────────────────────────────────────────────────────────────────────


def test_auto_is_live_on_a_terminal_and_plain_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(display.make("auto", stream=Terminal()), display.Live)
    assert isinstance(display.make("auto", stream=io.StringIO()), display.Plain)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(display.make("auto", stream=Terminal()), display.Plain)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("CI", "true")
    assert isinstance(display.make("auto", stream=Terminal()), display.Plain)


def test_a_mode_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="expected one of auto, live, plain, json, none"):
        display.make("fancy")


# ── plain ────────────────────────────────────────────────────────────────────────────────────────


def test_plain_writes_a_line_per_match_and_notice_and_none_per_decision() -> None:
    out = shown(
        "plain",
        run(),
        match("0001a", "started"),
        decision("0001a"),
        call(),
        finished("0001a", [1.0, 0.0]),
        finished("0001b", [0.5, 0.5], swap=1),
        finished("0002a", [0.0, 1.0], pair=1, forfeits=["illegal", ""]),
        match("0002b", "void", pair=1, swap=1, reason="gemini: overloaded"),
        {"type": "notice", "at": 0.0, "text": "stopping"},
    )
    assert out.splitlines() == [
        "claude vs gemini · connect4 · 25 pairs · seed 7 · 8 at once · runs/x",
        "[1/50] 0001a  claude 1–0 gemini  connect4, 17 plies",
        "[2/50] 0001b  gemini ½–½ claude  connect4, 17 plies",
        "[3/50] 0002a  claude 0–1 gemini  connect4, 17 plies; claude forfeits: illegal",
        "[3/50] 0002b  gemini vs claude  void: gemini: overloaded",
        "stopping",
    ]


def test_plain_is_free_of_escape_sequences_and_counts_on_after_a_resume() -> None:
    out = shown("plain", run(waiting=10), finished("0021a", [1.0, 0.0], pair=20), ending())
    assert "\x1b" not in out
    assert "40 matches played earlier" in out
    assert "[41/50] 0021a" in out


def test_what_others_wrote_cannot_reach_the_terminal() -> None:
    events = [
        run(players=[EVIL, "gemini"], output=EVIL),
        {**match("0001a", "started"), "seats": [EVIL, "gemini"]},
        decision("0001a", EVIL, EVIL, fault=EVIL),
        {**match("0001a", "void", reason=EVIL), "seats": [EVIL, "gemini"]},
        {"type": "notice", "at": 0.0, "text": EVIL},
    ]
    end = ending(player(EVIL, reported=[EVIL], model="m"), player("gemini"), stopped=EVIL, output=EVIL)
    for out in (shown("plain", *events, end), drawn(*events, width=200)):
        assert not any(mark in out for mark in ("\x1b", "\x07", "\u202e"))
        assert "[bold]evil[/bold]" in out


def at_a_table(id: str, points: list[float | None], forfeit: int = -1, **more: Any) -> Event:
    """A match of claude, gemini, gpt and qwen that finished."""
    paid = [-1.0 if seat == forfeit else 1.0 for seat in range(4)] if forfeit >= 0 else points
    beaten = [[(mine > other) + (mine == other) / 2 for other in paid] for mine in paid]
    scores = [(sum(each) - 0.5) / 3 for each in beaten]
    ranks = [1 + sum(other > mine for other in paid) for mine in paid]
    why = ["illegal" if seat == forfeit else "" for seat in range(4)]
    told = {"seats": FOUR, "scores": scores, "ranks": ranks, "points": points, "plies": 104, "forfeits": why}
    return match(id, "finished", **{**told, **more})


FOUR = ["claude", "gemini", "gpt", "qwen"]


def test_plain_tells_a_table_with_the_first_first() -> None:
    out = shown(
        "plain",
        run(players=FOUR, pairs=10, matches=40, waiting=40, game="blob"),
        at_a_table("0001a", [80, 124, -3, 96.25]),
        at_a_table("0001b", [None] * 4, forfeit=2),
        match("0001c", "void", seats=FOUR, reason="qwen: overloaded"),
    )
    assert out.splitlines() == [
        "claude vs gemini vs gpt vs qwen · blob · 10 deals · seed 7 · 8 at once · runs/x",
        "[1/40] 0001a  gemini 124, qwen 96.25, claude 80, gpt -3  blob, 104 plies",
        "[2/40] 0001b  cut short  blob, 104 plies; gpt forfeits: illegal",
        "[2/40] 0001c  claude vs gemini vs gpt vs qwen  void: qwen: overloaded",
    ]


def test_the_live_table_of_four_puts_the_best_first() -> None:
    out = drawn(
        run(players=FOUR, pairs=10, matches=40, waiting=40, game="blob"),
        at_a_table("0001a", [80, 124, -3, 96]),
        at_a_table("0001b", [None] * 4, forfeit=2),
        call("qwen"),
    )
    assert "0 of 10 deals" in out and "2/40 matches" in out and "Elo" not in out
    table = [
        " ".join(line.split()) for line in out.splitlines() if line.split()[:1] and line.split()[0] in FOUR
    ]
    assert table[1:] == [  # the first is the headline
        "gemini 83.3 % 1.00 124 1.33 0 0 –",
        "qwen 66.7 % 1.50 96 0.33 0 0 $0.0044",
        "claude 50.0 % 2.00 80 0.33 0 0 –",
        "gpt 0 % 4.00 -3 0 1 0 –",
    ]
    assert "0001b  cut short  104 plies; gpt forfeits: illegal" in out


def test_the_live_table_tells_how_near_a_test_is_to_its_end() -> None:
    def at(ratio: float) -> str:
        told = {
            "rule": "sprt",
            "of": "+0 against +30 Elo",
            "llr": ratio,
            "llr_low": -2.944,
            "llr_high": 2.944,
        }
        return drawn(run(), {"type": "test", "at": 3.0, "pairs": 9, **told}, width=80)

    assert f"H0 ├{'─' * 10}●{'─' * 10}┤ H1  LLR +0.00 in -2.94 … +2.94  +0 against +30 Elo" in at(0.0)
    assert f"├●{'─' * 20}┤" in at(-3.1) and f"├{'─' * 20}●┤" in at(9.0)
    assert max(map(len, at(0.0).splitlines())) <= 80
    wide = {"type": "test", "at": 3.0, "pairs": 9, "rule": "until-ci", "half": 80.4, "until": 50.0}
    assert "interval ±80 Elo, until ±50" in drawn(run(), wide)
    assert "H0" not in drawn(run())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_live_table_of_eight_keeps_to_the_terminal(width: int) -> None:
    names = [f"a-service/a-model-with-a-long-name-{n}" for n in range(8)]
    many = [match(f"{n:04d}a", "started", n, seats=names) for n in range(1, 99)]
    out = drawn(
        run(players=names, matches=800), *many, *(call(name) for name in names), width=width, height=26
    )
    assert max(map(len, out.splitlines())) <= width and len(out.splitlines()) <= 26
    assert "more at the table" in out and "score" in out


# ── json ─────────────────────────────────────────────────────────────────────────────────────────


def test_json_is_one_strict_line_per_event_and_ends_with_the_summary() -> None:
    events = [run(), match("0001a", "started"), decision("0001a", rationale="a\nb\u2028 \ud800 é"), ending()]
    lines = shown("json", *events).splitlines()
    assert [json.loads(line) for line in lines] == events
    assert all(line.isascii() for line in lines)


def test_json_writes_each_event_at_once() -> None:
    class Counting(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    stream = Counting()
    shown("json", run(), ending(), stream=stream)
    assert stream.flushed >= 2


def test_none_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("none", run(), finished("0001a", [1.0, 0.0]), ending()) == ""
    assert capsys.readouterr().out == ""


# ── live ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_live_table_tells_the_state_of_things() -> None:
    out = drawn(
        run(),
        match("0001a", "started"),
        match("0001b", "started", swap=1),
        decision("0001a", illegal=2),
        call(),
        call(kind="timeout", possibly_billed=True, cost_usd=1.0, input_tokens=0, output_tokens=0),
        finished("0002a", [1.0, 0.0], pair=1),
        finished("0002b", [0.5, 0.5], pair=1, swap=1),
        match("0003a", "void", pair=2, reason="overloaded"),
    )
    assert "claude 1½ – ½ gemini   1 of 25 pairs" in out
    assert "Elo" in out
    assert "2/50 matches" in out and "1 void" in out
    assert row(out, "won / drawn / lost") == "1 / 1 / 0 0 / 1 / 1"
    assert row(out, "illegal answers") == "2 0"
    assert row(out, "calls") == "2 (1 failed) –"
    assert row(out, "cost") == "$0.0044 –"  # what may have been billed is not what was
    assert row(out, "time to a move") == "1.2 s –"
    assert "0001a  ply   4  claude: 4 after 2 illegal answers" in out
    assert "0001b  gemini begins" in out
    assert "0001a  gemini begins" in drawn(run(), match("0001a", "started", begins=1))
    assert "0003a  claude vs gemini  void: overloaded" in out


def test_a_match_that_was_stopped_is_at_no_table_and_no_result() -> None:
    events = [run(), match("0001a", "started"), decision("0001a"), match("0001a", "stopped")]
    out = drawn(*events)
    assert "0/50 matches" in out and "0001a" not in out
    assert len(shown("plain", *events).splitlines()) == 1


def test_the_running_interval_counts_exact_repeats_once() -> None:
    def pairs(*moves: str, deals: int = 1) -> str:
        told: list[Event] = [run()]
        for number, move in enumerate(moves):
            for swap in (0, 1):
                name = f"{number:04d}{'ab'[swap]}"
                deal = f"d{number % deals}"
                told += [match(name, "started", number, swap, deal=deal), decision(name, move=move)]
                told.append(finished(name, [1.0, 0.0] if not swap else [0.0, 1.0], number, swap))
        out = drawn(*told, width=120)
        return out[out.index("pairs   ") :].splitlines()[0]

    assert pairs(*"12345678") != pairs(*"1" * 8) == pairs("1").replace("1 of", "8 of")
    assert pairs(*"1" * 8, deals=8) == pairs(*"12345678"), "two deals are no repeats, however they are played"


def row(out: str, name: str) -> str:
    line = next(line for line in out.splitlines() if line.strip().startswith(name))
    return " ".join(line.strip().removeprefix(name).split())


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_live_table_keeps_to_the_terminal(width: int) -> None:
    many = [match(f"{n:04d}a", "started", n) for n in range(1, 501)]
    voids = [match(f"{n:04d}a", "void", n, reason="overloaded " * 30) for n in range(1, 9)]
    out = drawn(run(matches=1000), *many, call(), *voids, width=width)
    assert max(map(len, out.splitlines())) <= width
    assert len(out.splitlines()) <= 24
    assert "more at the table" in out


def test_a_bar_without_a_match_yet_and_players_who_are_never_asked() -> None:
    out = drawn(run(players=["greedy", "random"], specs=["bot:greedy", "bot:random"]))
    assert "0/50 matches" in out
    assert "tokens" not in out


def test_live_draws_while_it_plays_and_leaves_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    out = shown("live", run(), finished("0001a", [1.0, 0.0]), ending(), stream=stream)
    assert "\x1b[?25l" in out and out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")  # the cursor is back
    assert out.rindex("too close to call") > out.rindex("\x1b[?25h")


def test_live_lets_go_of_the_terminal_when_the_run_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with pytest.raises(RuntimeError), display.make("live", stream=stream) as see:
        see(run())
        raise RuntimeError("full disk")
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_a_resumed_run_shows_what_was_played_before(tmp_path: Path) -> None:
    asked = request("bot:greedy", "sim:random?illegal=0.2", pairs=3)
    events: list[Event] = []
    _, result = play(tmp_path, asked, events=events)
    begin = next(event for event in events if event["type"] == "run")
    tally = display.Tally()
    tally.add({**begin, "waiting": 0})
    assert tally.pair_scores() == result.pair_scores
    assert tally.distinct_pairs() == result.distinct_pairs
    for standing in result.standings:
        counts = tally.players[standing.player.label]
        assert (counts.wins, counts.losses, counts.calls) == (standing.wins, standing.losses, standing.calls)
        assert counts.illegal == standing.illegal


def test_what_is_counted_live_is_what_the_record_says(tmp_path: Path) -> None:
    events: list[Event] = []
    _, result = play(tmp_path, request("bot:greedy", "sim:random?illegal=0.2&429=0.05"), events=events)
    tally = display.Tally()
    for event in events:
        tally.add(event)
    assert not tally.flying
    assert sorted(tally.pair_scores()) == sorted(result.pair_scores)
    assert tally.distinct_pairs() == result.distinct_pairs
    for told in summary(result)["players"]:
        counts = tally.players[told["label"]]
        assert (counts.wins, counts.draws, counts.losses) == (told["wins"], told["draws"], told["losses"])
        assert (counts.calls, counts.failed) == (told["calls"], told["failed_calls"])
        assert (counts.input_tokens, counts.output_tokens) == (told["input_tokens"], told["output_tokens"])
        assert (counts.illegal, counts.forfeits) == (told["illegal"], told["forfeits"])


# ── money, waves, paces ──────────────────────────────────────────────────────────────────────────


def budget(spent: float, **more: Any) -> Event:
    return {"type": "budget", "at": 0.0, "spent_usd": spent, "reserved_usd": 0.08, "wall_usd": 1.0, **more}


def wave(status: str, number: int = 3, player: str = "claude", seconds: float = 250.0, **more: Any) -> Event:
    told = {"type": "wave", "at": 0.0, "id": f"r1-w{number:04d}.1", "status": status, "player": player}
    return told | {"calls": 120, "batch": "b", "seconds": seconds, **more}


def limit(reason: str, paused_s: float = 0.0, at: float = 0.0, lane: str = "local:claude") -> Event:
    return {"type": "limit", "at": at, "lane": lane, "in_flight": 3, "paused_s": paused_s, "reason": reason}


def test_plain_tells_money_and_waves_a_line_each() -> None:
    out = shown(
        "plain",
        run(wall_usd=1.0),
        budget(0.42),
        wave("submitted", seconds=0.2),
        wave("progress", done=40, failed=1),
        wave("progress", done=80, failed=1, seconds=260.0) | {"at": 30.0},
        wave("progress", done=90, failed=1, seconds=900.0) | {"at": 700.0},
        wave("ended", done=118, failed=2, seconds=1000.0),
        wave("refused", 4, error=EVIL),
        wave("left", 5),
        {"type": "notice", "at": 0.0, "text": "the run is paused", "status": "paused"},
    )
    assert out.splitlines()[1:] == [
        "$0.4200 of $1.00 spent, $0.0800 reserved",
        "claude: wave 3, 120 calls handed in",
        "claude: wave 3, 120 calls, out for 4 min 10 s, 41 done",
        "claude: wave 3, 120 calls, out for 15 min 00 s, 91 done",
        "claude: wave 3, 120 calls, back after 16 min 40 s, 2 of them failed",
        f"claude: wave 4, 120 calls, refused: {text.one_line(EVIL)}",
        "claude: wave 5, 120 calls, left open after 4 min 10 s",
        "the run is paused",
    ]


def test_a_log_is_not_flooded_by_a_pace_that_changes_every_second() -> None:
    told = [limit(f"refused, {second}", at=100.0 + second) for second in range(180)]
    other = limit("refused, too", at=101.0, lane="local:gemini")
    lines = shown("plain", run(), *told, other).splitlines()[1:]
    assert lines == [
        "local:claude: refused, 0",
        "local:claude: refused, 60",
        "local:claude: refused, 120",
        "local:gemini: refused, too",
    ]


def test_the_live_table_tells_what_is_spent_and_what_all_will_come_to() -> None:
    events = [
        run(wall_usd=20.0, matches=10),
        *(
            each
            for n in (1, 2)
            for each in (match(f"{n:04d}a", "started"), call(decision=f"r1-{n:04d}a-000"))
        ),
        call(cost_usd=0.5, decision="r1-0001a-001"),
        call(cost_usd=0.25, decision="r1-0002a-001"),
        finished("0001a", [1.0, 0.0]),
    ]
    out = drawn(*events)
    # 0.0044 + 0.5 were spent on the match that is over, and there are ten
    assert "$0.7588 of $20.00 spent · at this pace about $5.04 in all" in out
    assert "$0.4200 of $1.00 spent, $0.0800 reserved" in drawn(*events, budget(0.42))
    assert "spent" not in drawn(run(), match("0001a", "started"), call(cost_usd=0.0))
    assert "at this pace" not in drawn(*events[:-1]), "no match is over"


def test_the_live_table_tells_who_is_waited_for() -> None:
    late = limit("the service is overloaded: it asks to wait 20 s", paused_s=20.0, lane="local:gemini")
    out = drawn(
        run(),
        wave("submitted"),
        wave("progress", done=60, failed=1, seconds=250.0),
        wave("submitted", 2, "gemini"),
        wave("ended", 2, "gemini", done=119, failed=1),
        limit("refused at 600 requests per minute: 300 requests per minute for now"),
        late,
        {"type": "notice", "at": 0.0, "text": "the run is paused", "status": "paused"},
        width=100,
    )
    assert "claude: wave 3, 120 calls, out for 4 min 10 s, 61 done" in out
    assert "gemini: wave 2, 120 calls, back after 4 min 10 s, 1 of them failed" in out
    assert "local:claude: refused at 600/min: 300/min for now" in out
    assert "local:gemini: paused for 20 s: the service is overloaded" in out
    assert " · paused" in out
    assert "· paused" not in drawn(run(), {"type": "notice", "at": 0.0, "text": "on", "status": "running"})


@pytest.mark.parametrize("width", [40, 80])
def test_the_live_table_keeps_to_the_terminal_whatever_is_waited_for(width: int) -> None:
    many = [match(f"{n:04d}a", "started", n) for n in range(1, 99)]
    waves = [wave("submitted", n, f"a-model-with-a-long-name-{n}") for n in range(9)]
    lanes = [limit("it asks to wait " * 9, 30.0, lane=f"service:model-{n}") for n in range(9)]
    out = drawn(run(matches=1000, wall_usd=5.0), *many, *waves, *lanes, call(), width=width)
    assert max(map(len, out.splitlines())) <= width and len(out.splitlines()) <= 24
    assert "and 5 waves more" in out


def test_what_an_earlier_process_left_is_collected_before_anybody_is_named() -> None:
    events = [wave("progress", done=5, failed=0), call(player="claude"), wave("ended", done=120, failed=0)]
    assert "is collected first" in drawn(events[0]) and "claude: wave 3" in drawn(events[0])
    out = drawn(*events, run(spent_usd=0.3))
    assert "wave 3" not in out and row(out, "won / drawn / lost") == "0 / 0 / 0 0 / 0 / 0"
    assert "$0.3000 spent" in out, "what was collected is in what the run says is spent"
    assert "calls" not in out


def test_a_pilot_counts_its_own_matches() -> None:
    out = shown("plain", run(planned=4, waiting=4), finished("0001a", [1.0, 0.0]))
    assert "the first 4 of 50 matches" in out and "[1/4] 0001a" in out and "earlier" not in out


def test_pairs_of_a_run_for_data_are_pairs_however_many_take_part() -> None:
    board = {"game": "connect4", "variant": {}, "players": [1, 2], "share": 1.0}
    assert "25 pairs" in shown("plain", run(kind="generate", players=FOUR, boards=[board]))


def test_the_time_of_calls_in_batches_is_not_shown() -> None:
    batched = player("claude", calls=9, latency_ms=0.0, latency_p95_ms=0.0)
    out = shown("plain", ending(batched, player("gemini", calls=9, latency_ms=900.0, latency_p95_ms=950.0)))
    assert row(out, "time to a move") == "– 900 ms, 95 % in 950 ms"


# ── the result in words ──────────────────────────────────────────────────────────────────────────


@given(st.floats(-500, 500), st.floats(0.1, 300), st.floats(0.1, 300))
def test_nobody_is_named_ahead_while_the_interval_holds_equality(
    mid: float, below: float, above: float
) -> None:
    low, high = mid - below, mid + above
    said = verdict(ending(elo=mid, elo_low=low, elo_high=high))
    decided = low > 0 or high < 0
    assert ("is ahead of" in said) == decided
    assert ("too close to call" in said) != decided
    if decided:
        assert said.startswith("claude" if mid > 0 else "gemini")


def test_the_verdict_is_told_from_the_side_that_leads() -> None:
    said = verdict(ending(elo=-120.0, elo_low=-205.0, elo_high=-40.0))
    assert said == "gemini is ahead of claude: +120 [+40, +205] Elo over 25 pairs."
    said = verdict(ending())
    assert said == "claude leads gemini by +35 [-12, +84] Elo over 25 pairs: too close to call."
    said = verdict(ending(elo=0.0, elo_low=-50.0, elo_high=50.0))
    assert said == "claude and gemini are level: +0 [-50, +50] Elo over 25 pairs; too close to call."
    assert "no estimate" in verdict(ending(elo=None))


def four(**more: Any) -> Event:
    """The summary of a table."""
    players = [
        player(
            name,
            score=0.7 - rank / 10,
            score_low=0.55 - rank / 10,
            score_high=0.85 - rank / 10,
            rank=1.5 + rank,
            points=96.254 - rank,
            firsts=5 + 1 / 3,
        )
        for rank, name in enumerate(FOUR)
    ]
    lead = {"first": "claude", "second": "gemini", "by": 0.1, "low": 0.02, "high": 0.18}
    whole = {
        "pairs": 10,
        "distinct_pairs": 10,
        "matches": 40,
        "planned": 40,
        "elo": None,
        "score": None,
        "lead": lead,
    }
    return ending(*reversed(players), **whole | more)


def test_the_result_of_a_table_has_the_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = shown("plain", four())
    assert row(out, "claude  ") == "70.0 % [55, 85] 1.50 96.25 5.33 0"
    places = [out.rindex(f"\n{name}  ") for name in FOUR]
    assert places == sorted(places)
    assert "calls" not in out and "Elo" not in out and "Stopped" not in out
    said = " ".join(out.split())
    assert (
        "claude is ahead of gemini, who is second: +10.0 [+2.0, +18.0] percentage points of score over 10 deals."
        in said
    )


def test_nobody_is_named_ahead_at_a_table_while_the_interval_holds_equality() -> None:
    def said(**lead: float) -> str:
        return verdict(four(lead={"first": "claude", "second": "gemini", **lead}))

    assert said(by=0.1, low=-0.02, high=0.18) == (
        "claude leads gemini, who is second, by +10.0 [-2.0, +18.0] percentage points of score over 10 deals: "
        "too close to call."
    )
    assert said(by=0.0, low=-0.1, high=0.1).startswith("claude and gemini are level: +0.0 [-10.0, +10.0]")
    assert verdict(four(lead=None, pairs=0)).startswith("No deal was completed")
    assert verdict(four(lead=None, pairs=1)).startswith("Only 1 deal was completed")
    assert verdict(four(lead=None, pairs=3)).startswith("All 3 deals are repeats of one")


def test_what_qualifies_the_figures_of_a_table_is_said() -> None:
    out = " ".join(shown("plain", four(matches=39, pairs=9, distinct_pairs=7, planned=40)).split())
    assert "3 matches of unfinished deals: in the table, not in the scores." in out
    alone = " ".join(shown("plain", four(lead=None, matches=39, pairs=0, distinct_pairs=0)).split())
    assert "39 matches of unfinished deals: in the table. " in alone
    assert "2 of 9 deals repeat others move by move" in out and "(7 different)" in out
    one = player("claude", score=None, score_low=None, score_high=None, rank=None, points=None, firsts=0)
    assert row(shown("plain", ending(one, one, one, lead=None, pairs=0)), "claude  ") == "– – – 0 0"


@pytest.mark.parametrize("columns", ["50", "80", "120"])
def test_the_result_of_a_table_fits_whatever_the_names(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    told = four(lead=None)
    for number, one in enumerate(told["players"]):
        one |= {"label": f"a-service/a-model-with-a-long-name-{number}", "calls": 9, "input_tokens": 10**7}
    out = shown("plain", told)
    assert max(len(line.rstrip()) for line in out.splitlines()) <= int(columns)
    assert ("No room here for" in out) == (columns == "50")
    assert "\n\nNo room" not in out, "what is left out is told right below its own table"


def test_a_stand_in_is_said_aloud_and_a_dated_name_is_none() -> None:
    fake = player("claude-sonnet-5-5", reported=["simulated/greedy"])
    dated = player("gemini-3", reported=["gemini-3-20261001"])
    out = shown("plain", run(), ending(fake, dated))
    assert "STAND-IN: claude-sonnet-5-5 was answered by simulated/greedy" in out
    assert "the service reported" not in out
    openly = player("greedy", spec="sim:greedy", reported=["simulated/greedy"])
    assert "STAND-IN" not in shown("plain", run(), ending(openly, dated))
    other = player("gpt-6", reported=["gpt-5-mini"])
    assert "gpt-6 asked for gpt-6; the service reported gpt-5-mini." in shown(
        "plain", run(), ending(other, dated)
    )


def test_everything_that_qualifies_the_figures_is_said() -> None:
    unpriced = player("claude", calls=3, unpriced_calls=3)
    out = shown(
        "plain",
        run(),
        ending(
            unpriced,
            player("gemini", calls=9, decisions=9, wrong_first=1, cost_usd=0.0044),
            matches=49,
            pairs=24,
            voids=3,
            distinct_pairs=20,
            possibly_billed_usd=0.02,
            stopped="auth: no key",
        ),
    )
    flat = " ".join(out.split())  # wherever it was folded
    for words in (
        "49 matches of 50",
        "1 match without a partner",
        "3 void matches",
        "over 24 pairs (20 different)",
        "4 of 24 pairs repeat others move by move: the interval counts only the 20 different",
        "$0.0200 more may have been billed",
        "claude has no price",
        "Stopped early: auth: no key",
        "orchestrator show runs/x",
        "$0.0044",
        "11.1 %",
    ):
        assert words in flat, words
    assert row(out, "cost") == "unknown $0.0044"


def test_a_path_is_quoted_so_that_it_can_be_pasted() -> None:
    assert result.where(ending(output="runs/a b")) == "More: orchestrator show 'runs/a b'"


def test_the_result_fits_eighty_columns_whatever_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = player(
        "anthropic-claude-sonnet-5-5-with-a-very-long-name", calls=9, latency_ms=9.0, latency_p95_ms=9e4
    )
    out = shown("plain", ending(long, player("gemini", wins=1000, losses=1000)))
    assert max(map(len, out.splitlines())) <= 80
    assert "1000 / 0 / 1000" in out


def test_the_console_of_a_pipe_is_wider_than_a_terminal_and_survives_a_narrow_encoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    raw = io.BytesIO()
    console = text.console(io.TextIOWrapper(raw, encoding="ascii"))
    assert console.width == text.PIPE_WIDTH
    console.print("½ – ok")
    console.file.flush()
    assert raw.getvalue() == b"? ? ok\n"


def test_the_picture_in_the_readme_fetches_nothing() -> None:
    picture = (Path(__file__).parents[2] / "docs" / "duel.svg").read_text(encoding="utf-8")
    assert "Elo over" in picture.replace("&#160;", " ")
    assert not any(word in picture for word in ("@font-face", "@import", "href", "<script", "url(http"))
