"""What a run will cost: rehearsed, learned from records, and right nine times in ten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import engine
import prompts
from benchmarks import estimates
from orchestrator.batch import VENDORS_SAY_S
from orchestrator.duel import seat_players
from orchestrator.estimate import (
    ANSWER,
    Belief,
    Estimate,
    Lot,
    estimate,
    from_record,
    heeded,
    length_belief,
    lots_of,
    mean_of,
    of_request,
    pooled,
    spread_of,
)
from orchestrator.history import Course, History, Sight, Who, neighbours, read, who
from orchestrator.limits import Limits
from orchestrator.players import Seated
from orchestrator.programme import GameShare, Opponent
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record
from orchestrator.rehearsal import Way, rehearse
from orchestrator.request import GenerateRequest
from orchestrator.table import Table
from providers.prices import PriceBook, most
from tests.orchestrator.duels import play, request

OPEN = Way("default", "open")
BOTS = "bot:random", "bot:greedy"
PAID = "sim:greedy?price=3,15&tokens=60&spread=0.5"


def seats(*specs: str, **asked: Any) -> list[Seated]:
    made = request(*specs, unpriced=True, conduct=asked)
    return [player.seated for player in seat_players(made, Table())]


def of(
    *specs: str, matches: int = 20, game: str = "tictactoe", known: History | None = None, **more: Any
) -> Estimate:
    conduct = more.pop("conduct", {})
    lot = Lot(game, dict(engine.new(game).variant()), tuple(range(len(specs))), matches)
    return estimate(seats(*specs, **conduct), [lot], known or History(), seed=1, **more)


def seen(
    seated: Seated, *answers: tuple[int, ...], own: bool = True, game: str = "tictactoe", **more: Any
) -> Sight:
    variant = dict(engine.new(game).variant())
    return Sight(who(seated), game, variant, own, answers, sum(map(len, answers)), **more)


# ── rehearsals ───────────────────────────────────────────────────────────────────────────────────


def test_a_rehearsal_measures_real_prompts() -> None:
    found = rehearse("connect4", {}, [OPEN, Way("default", "rules")], seed=3)
    assert all(7 <= length <= 42 for length in found.lengths) and len(set(found.lengths)) > 1
    assert (found.most, found.seats, found.uneven) == (42, 2, 0)
    game = engine.new("connect4", 3)
    question = prompts.render(game.view(0))
    form = found.forms[OPEN]
    assert form.system == len(question.system)
    assert len(question.user) <= form.user <= form.longest - form.system - form.schema
    assert found.forms[Way("default", "rules")].user < form.user  # no moves are listed


def test_a_rehearsal_is_fixed_by_its_seed() -> None:
    one, same, other = (rehearse("blob", {"players": 3}, [OPEN], seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.forms[OPEN].user != other.forms[OPEN].user


def test_what_is_drawn_before_the_players_begin_is_not_theirs() -> None:
    whole = rehearse("connect4", {}, [OPEN], seed=3)
    found = rehearse("connect4", {}, [OPEN], opening=4, seed=3)
    assert found.lengths == tuple(length - 4 for length in whole.lengths)
    assert found.most == 38


def test_a_rehearsal_without_time_still_says_something() -> None:
    found = rehearse("othello", {}, [OPEN], deadline=0.0)
    assert found.lengths == (1, 4)  # of one ply it is known only that there may be more
    assert found.forms[OPEN].user > 0
    assert rehearse("othello", {}, [OPEN], opening=6, deadline=0.0).forms[OPEN].user > 0


def test_a_game_behind_a_bridge_is_rehearsed_in_time() -> None:
    pytest.importorskip("pyspiel")
    found = rehearse("openspiel:leduc_poker", {}, [OPEN], seed=1)
    assert all(2 <= length <= found.most for length in found.lengths) and found.forms[OPEN].user > 0


# ── beliefs ──────────────────────────────────────────────────────────────────────────────────────


def test_what_was_seen_counts_for_more_than_a_guess() -> None:
    guess = Belief(300.0, 0.9)
    answers = [(900, 1100, 1000), (1050, 950, 1000), (1000, 980, 1020)] * 3
    found = pooled(guess, mean_of(answers, spread_of(answers)))
    assert 900 < found.mean < 1100 and found.sd < 0.2
    few = [answers[0]]
    assert found.sd < pooled(guess, mean_of(few, spread_of(few))).sd < guess.sd


def test_a_model_known_from_another_game_is_known_less_well() -> None:
    model = seats("gpt", "bot:random")[0]
    answers = tuple((1000,) * 10 for _ in range(10))
    ranges = [
        of("gpt", "bot:random", known=History((seen(model, *answers, own=own, game=game),))).players[0]
        for own, game in ((True, "tictactoe"), (False, "tictactoe"), (False, "connect4"))
    ] + [of("gpt", "bot:random").players[0]]
    widths = [each.figures.output.high / each.figures.output.low for each in ranges]
    assert widths == sorted(widths)
    assert [each.source for each in ranges] == [
        "from 100 decisions of this run",
        "from 100 decisions on record",
        "from 100 decisions at other games",
        "no history: guessed from effort=low",
    ]


@pytest.mark.parametrize("tail", sorted(estimates.TAILS))
def test_the_range_holds_nine_runs_in_ten(tail: str) -> None:
    found = estimates.score(200, pilot=3, tail=tail, seed=1)
    assert 0.85 <= found.covered <= 0.95
    assert found.error < 0.15


def test_the_range_holds_where_nothing_is_known() -> None:
    found = estimates.score(100, pilot=0, seed=2)
    assert 0.85 <= found.covered <= 0.97
    assert found.width > 3


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────


def every_range(found: Estimate) -> Iterator[tuple[float, float, float]]:
    for figures in (found.total, *(player.figures for player in found.players)):
        for name in (
            "decisions",
            "calls",
            "input",
            "input_fresh",
            "cache_read",
            "cache_write",
            "output",
            "pico",
        ):
            yield getattr(figures, name)


def test_low_expected_and_high_below_the_ceiling() -> None:
    found = of("claude", "gpt", conduct={"max_tokens": 2000})
    assert all(low <= expected <= high for low, expected, high in every_range(found))
    assert 0 < found.hours.low < found.hours.high
    for each in (*(player.figures for player in found.players), found.total):
        assert each.pico is not None and each.ceiling_pico is not None and each.pico.high < each.ceiling_pico
    parts = [player.figures.pico.expected for player in found.players if player.figures.pico]
    assert found.total.pico is not None and sum(parts) == pytest.approx(found.total.pico.expected)
    assert found.total.matches == 20


def test_the_same_seed_says_the_same() -> None:
    assert of("claude", "gpt") == of("claude", "gpt")


def test_the_ceiling_is_the_worst_that_a_conversation_can_come_to() -> None:
    """Of five decisions in a match: one answer cut off, then with double room a refusal and two wrong ones."""
    found = of("gpt", "bot:random", matches=2, conduct={"max_tokens": 1000, "reasks": 1})
    price = PriceBook.load().price("openai", "gpt-6.1-sol")
    assert price is not None
    longest = rehearse("tictactoe", {}, [OPEN], seed=1).forms[OPEN].longest
    worst = most(price, longest, 1000) + 3 * most(price, longest + 4000, 2000)
    assert found.total.ceiling_pico == pytest.approx(2 * 5 * worst, rel=0.02)


def test_the_price_of_a_known_model_by_hand() -> None:
    """A long record leaves no doubt: 10 matches, each answer 500 tokens for 600 of prompt, no further asks."""
    model = seats("openai:gpt-6-luna", "bot:random")[0]
    sight = seen(model, *((500, 500, 500, 500) for _ in range(900)), characters=10**6, tokens=400_000)
    course = Course(
        "tictactoe", {}, tuple(sorted(map(who, seats("openai:gpt-6-luna", "bot:random")))), True, (8,) * 900
    )
    found = of("openai:gpt-6-luna", "bot:random", matches=10, known=History((sight,), (course,)))
    figures = found.players[0].figures
    assert figures.decisions.expected == pytest.approx(40, rel=0.02)
    assert figures.calls.expected == pytest.approx(40, rel=0.03)
    assert figures.output.expected == pytest.approx(40 * 500, rel=0.03)
    form = rehearse("tictactoe", {}, [OPEN], seed=1).forms[OPEN]
    assert figures.input.expected == pytest.approx(40 * (form.system + form.user) * 0.4, rel=0.04)
    assert figures.pico is not None
    assert figures.pico.expected == pytest.approx(
        figures.input.expected * 100_000 + figures.output.expected * 500_000, rel=1e-4
    )


def test_a_mix_of_lots_is_their_sum() -> None:
    players = seats("gpt", "bot:random", "bot:greedy")
    lots = [
        Lot("tictactoe", {}, (0, 1), 30),
        Lot("connect4", {}, (0, 2), 10),
        Lot("tictactoe", {}, (1, 2), 50),  # nobody is asked there
    ]
    found = estimate(players, lots, seed=1)
    alone = [estimate(players, [lot], seed=1) for lot in lots[:2]]
    assert [each.seated.label for each in found.players] == ["gpt-6.1-sol"]
    assert found.total.matches == 40
    assert found.total.output.expected == pytest.approx(
        sum(each.total.output.expected for each in alone), rel=0.1
    )


def test_a_mix_over_games_and_opponents_is_taken_apart() -> None:
    asked = GenerateRequest(
        models=("openai:gpt-6.1-sol",),
        opponents=(Opponent("bot:random", 2), Opponent("bot:greedy")),
        games=(GameShare("tictactoe", dict(engine.new("tictactoe").variant())), GameShare("connect4")),
        pairs=60,
        seed=1,
    )
    lots = lots_of(asked)
    assert sum(lot.matches for lot in lots) == asked.matches == 120
    assert {(lot.game, lot.players) for lot in lots} == {
        (game, (0, other)) for game in ("tictactoe", "connect4") for other in (1, 2)
    }
    begun = lots_of(asked, {(0, 0), (0, 1), (7, 1)})
    assert sum(lot.matches for lot in begun) == 117
    found = of_request(asked)
    assert found.total.matches == 120 and [each.seated.model for each in found.players] == ["gpt-6.1-sol"]
    assert 60 * 2.5 + 60 * 3.5 < found.total.decisions.expected < 60 * 5 + 60 * 21


def test_nothing_left_to_play_costs_nothing() -> None:
    found = of("claude", "gpt", matches=0)
    assert found.total.pico == (0, 0, 0) and found.total.matches == 0
    assert of("bot:greedy", "bot:random").players == ()


def test_an_unknown_price_is_unknown() -> None:
    both = of("openai:gpt-99-nova", "claude")
    nova, claude = both.players
    assert nova.figures.pico is None and nova.figures.ceiling_pico is None
    assert nova.figures.output.expected > 0
    assert both.unpriced == (nova,) and both.total.pico == claude.figures.pico
    for other in ("bot:random", "sim:greedy"):
        assert of("openai:gpt-99-nova", other).total.pico is None
    assert not both.free and of("sim:greedy", "bot:random").free


def test_a_guess_follows_the_effort_and_ends_at_the_longest_answer() -> None:
    low, high = (of("gpt", "bot:random", conduct={"effort": effort}).total for effort in ("low", "high"))
    assert high.output.expected / low.output.expected == pytest.approx(
        min(ANSWER["high"], 4096 / 2) / ANSWER["low"], rel=0.01
    )
    short = of("gpt", "bot:random", conduct={"effort": "high", "max_tokens": 64}).total
    assert short.output.expected <= 64 * short.calls.expected


def test_a_cache_helps_where_the_prompt_is_long_enough() -> None:
    cached = of("claude", *BOTS, game="blob", matches=10).players[0].figures  # 512 tokens are enough
    assert cached.cache_read.expected > 0.5 * cached.input.expected
    assert cached.cache_write.high > 0.3 * cached.input.expected  # and yet it may never be hit
    parts = cached.input_fresh.expected + cached.cache_read.expected + cached.cache_write.expected
    assert parts == pytest.approx(cached.input.expected)
    uncached = of("gemini", *BOTS, game="blob", matches=10)  # 4096 tokens
    assert uncached.total.cache_read.high == 0


def test_a_batch_is_cheaper_uncached_and_takes_as_long_as_its_waves() -> None:
    model, *bots = seats("claude", *BOTS)
    price = PriceBook.load().price("anthropic", model.model, "batch")
    batched = replace(model, price=price, parameters={**model.parameters, "tier": "batch"})
    lot = Lot("blob", {"players": 3}, (0, 1, 2), 10)
    now, later = (estimate([player, *bots], [lot], seed=1) for player in (model, batched))
    assert later.total.cache_read.high == later.total.cache_write.high == 0
    assert now.total.pico is not None and later.total.pico is not None
    assert later.total.output.expected == pytest.approx(now.total.output.expected)
    assert later.total.pico.expected < 0.8 * now.total.pico.expected
    assert now.waves is None and later.waves is not None
    assert later.waves.waves >= max(later.total.decisions) / lot.matches
    assert [3600 * hours / later.waves.waves for hours in later.hours] == pytest.approx(VENDORS_SAY_S)
    assert later.at_once == 10, "all play at once"


def test_flex_is_priced_as_flex() -> None:
    standard, flex = (of(f"gpt{tier}", "bot:random").total.pico for tier in ("", "?tier=flex"))
    assert standard is not None and flex is not None
    assert flex.expected == pytest.approx(standard.expected / 2, rel=1e-6)


def test_the_share_of_cache_hits_on_record_is_believed() -> None:
    model = seats("gpt", "bot:random")[0]
    sight = seen(model, *((100,) * 4 for _ in range(50)), input=100_000, cache_read=30_000)
    figures = of("gpt", "bot:random", known=History((sight,))).total
    assert figures.cache_read.expected == pytest.approx(0.3 * figures.input.expected, rel=0.01)
    claude = seats("claude", "bot:random")[0]
    tokens = {"input": 100_000, "cache_read": 60_000, "cache_write": 20_000}
    figures = of(
        "claude", *BOTS[:1], known=History((seen(claude, *((100,) * 4 for _ in range(50)), **tokens),))
    ).total
    assert figures.cache_read.expected == pytest.approx(0.6 * figures.input.expected, rel=0.01)
    assert figures.cache_write.expected == pytest.approx(0.2 * figures.input.expected, rel=0.01)
    never = seen(claude, *((100,) * 4 for _ in range(50)), input=100_000)
    assert of("claude", *BOTS[:1], known=History((never,))).total.cache_write.high == 0


def test_one_model_on_both_sides_is_wrong_on_both() -> None:
    alone, twice = of("gpt", "bot:random", matches=2000), of("gpt", "gpt", matches=2000)
    assert alone.total.pico is not None and twice.total.pico is not None
    width = alone.total.pico.high / alone.total.pico.low
    assert twice.total.pico.high / twice.total.pico.low > 0.8 * width  # were they independent: width ** 0.7


def test_matches_between_others_say_little_of_their_length() -> None:
    """However many of them, in however many records; a pilot soon knows better."""
    sharp, greedy, chance = (
        tuple(sorted(map(who, seats("gpt", other)))) for other in ("bot:mcts:200", "bot:greedy", "bot:random")
    )
    lot = Lot("connect4", {}, (0, 1), 60)
    played = rehearse("connect4", {}, [OPEN], seed=1)

    def course(table: tuple[Who, ...], plies: int, *, own: bool = False) -> Course:
        return Course("connect4", {}, table, own, (plies,) * 40)

    def length(*known: Course) -> Belief:
        return length_belief(greedy, lot, played, known)[0]

    elsewhere = (course(chance, 18), course(sharp, 19))
    assert length(*elsewhere).sd > 0.25
    assert length(course(chance, 18)).sd == pytest.approx(length(*[course(chance, 18)] * 9).sd, rel=0.05)
    pilot = Course("connect4", {}, greedy, True, (28, 30, 25, 33, 21, 31))
    assert 25 < length(*elsewhere, pilot).mean < 29 and length(*elsewhere, pilot).sd < 0.15
    assert length(course(greedy, 28)).sd < 0.2 < length(course(chance, 28)).sd
    assert length(course(chance, 28, own=True)).sd > 0.2, "another table of the same run is another table"


def test_what_a_stand_in_showed_says_nothing_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    (real,) = {who(seat) for seat in seats("gpt", "bot:random")[:1]}
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    (fake,) = {who(seat) for seat in seats("gpt", "bot:random")[:1]}
    assert fake != real and fake._replace(endpoint=real.endpoint) == real


def test_a_limit_and_a_narrow_gate_take_time() -> None:
    model = "openai", "gpt-6.1-sol"
    free, alone, slow = (
        of("gpt", "gpt", matches=100, **how).hours
        for how in ({}, {"concurrency": 1}, {"limits": {model: Limits(requests_per_minute=1)}})
    )
    assert free and alone and slow
    assert alone.expected > 5 * free.expected
    calls = of("gpt", "gpt", matches=100).total.calls.expected
    assert slow.expected == pytest.approx(calls / 60)
    assert of("gpt", "gpt", matches=100, limits={model: Limits(tokens_per_minute=10**9)}).hours == free


# ── records ──────────────────────────────────────────────────────────────────────────────────────


def test_a_pilot_tells_what_the_rest_takes(tmp_path: Path) -> None:
    asked = request(PAID, "bot:random", game="connect4", pairs=25)
    play(tmp_path / "begun" / "pilot", replace(asked, pairs=5))
    _, result = play(tmp_path / "whole", asked)
    blind, taught = of_request(asked), from_record(tmp_path / "begun" / "pilot", asked)
    assert blind.players[0].source.startswith("no history")
    assert taught.players[0].source.endswith(" decisions of this run")
    assert taught.total.matches == 40 and taught.spent_pico > 0
    paid = result.standings[0].cost_pico - taught.spent_pico
    assert taught.total.pico is not None and blind.total.pico is not None
    assert taught.total.pico.low <= paid <= taught.total.pico.high
    assert taught.total.pico.expected == pytest.approx(paid, rel=0.25)
    assert taught.total.pico.high / taught.total.pico.low < blind.total.pico.high / blind.total.pico.low


def test_records_beside_the_output_are_asked(tmp_path: Path) -> None:
    asked = request(PAID, "bot:random", pairs=4)
    _, result = play(tmp_path / "old", asked)
    found = of_request(request(PAID, "bot:greedy", pairs=30), tmp_path / "new")
    assert found.players[0].source == f"from {result.standings[0].decisions} decisions on record"
    other_way = of_request(request(PAID, "bot:random", conduct={"effort": "high"}), tmp_path / "new")
    assert other_way.players[0].source == "no history: guessed from effort=high"


def test_prompts_on_record_say_how_many_tokens_a_character_is(tmp_path: Path) -> None:
    asked = request(PAID, "bot:random", pairs=4)
    _, result = play(tmp_path / "old", asked)
    model = seats(PAID)[0]
    (sight,) = read(neighbours(tmp_path / "new"), [who(model)]).sights
    standing = result.standings[0]
    assert sight.decisions == standing.decisions and sight.input == standing.input_tokens
    assert sum(map(sum, sight.answers)) == standing.output_tokens
    assert sight.tokens / sight.characters == pytest.approx(1 / 3, rel=0.1)  # what the stand-in counts by
    found = of(PAID, "bot:random", matches=8, known=History((sight,))).players[0].figures
    assert found.input.expected / found.calls.expected == pytest.approx(sight.input / sight.asks, rel=0.1)


def test_only_what_is_left_of_a_run_is_estimated_at_the_prices_it_began_with(tmp_path: Path) -> None:
    asked = request("sim:greedy?price=3,15", "bot:random", pairs=3)
    run = tmp_path / "run"
    play(run, asked, stop_after=10)
    with closing(sqlite3.connect(run / "record.db")) as db, db:
        (done,) = db.execute("SELECT count(*) FROM match WHERE status = 'finished'").fetchone()
        db.execute("UPDATE price SET numbers = json_set(numbers, '$.input', 30000000, '$.output', 150000000)")
    found = from_record(run, asked)
    assert found.total.matches == 6 - done
    again = estimate(seats("sim:greedy?price=30,150", "bot:random"), [Lot("tictactoe", {}, (0, 1), 6 - done)])
    assert found.total.pico is not None and again.total.pico is not None
    assert found.total.pico.expected > again.total.pico.expected / 10


def test_a_run_that_is_open_can_be_asked(tmp_path: Path) -> None:
    asked = request(PAID, "bot:random", pairs=2)
    run = tmp_path / "run"
    play(run, asked, stop_after=6)
    with Record(run) as record:
        record.flush()
        assert from_record(run, asked).players[0].source.endswith("of this run")


def test_a_record_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    asked = request(PAID, "bot:random", pairs=2)
    play(tmp_path / "good", asked)
    for name, content in (("bad", b"no database"), ("empty", b"")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.db").write_bytes(content)
    found = of_request(asked, tmp_path / "new")
    assert "on record" in found.players[0].source
    for path in (tmp_path / "bad", tmp_path / "nowhere"):
        with pytest.raises(RecordError):
            from_record(path, asked)


def test_asking_brings_no_record_up_to_date(tmp_path: Path) -> None:
    asked = request(PAID, "bot:random", pairs=1)
    play(tmp_path / "old", asked)
    path = tmp_path / "old" / "record.db"
    assert "on record" in of_request(asked, tmp_path / "new").players[0].source
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    before = path.read_bytes()
    assert "no history" in of_request(asked, tmp_path / "new").players[0].source
    assert path.read_bytes() == before


def test_no_time_is_spent_on_records_when_there_is_none(tmp_path: Path) -> None:
    play(tmp_path / "old", request(PAID, "bot:random", pairs=1))
    assert read(neighbours(tmp_path / "new"), [who(seats(PAID)[0])], seconds=-1.0) == History()


def test_what_a_run_itself_shows_overrules_what_contradicts_it() -> None:
    elsewhere = Belief(80.0, 0.1)
    near, far = heeded(Belief(90.0, 0.3), elsewhere), heeded(Belief(7300.0, 0.3), elsewhere)
    assert near == pooled(Belief(90.0, 0.3), elsewhere) and near.mean < 85
    assert 6000 < far.mean < 7300 and far.sd > 0.29
