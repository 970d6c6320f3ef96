"""A model at the table: asked, read, asked again, forfeited; what it cost; whose fault what is."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

import engine
from engine import Rng
from orchestrator.model import Conduct, ModelPlayer
from orchestrator.players import CallMade, Decision, Halt, Stopped, StopSign, Turn, Void
from orchestrator.table import Spec, SpecError, Table
from providers.base import Capabilities, Final, Retryable
from providers.prices import PriceBook, cost
from tests.orchestrator.scripted import FAST, PRICE, Scripted, model, said

BOOK = PriceBook.load()
GOOD = said('{"rationale": "because", "action": 4}', reasoning="thought", reasoning_kind="summary")
ILLEGAL = said('{"rationale": "no", "action": 0}')  # columns are 1 to 7
PROSE = said("I think the fourth column is nice.")
CUT = said('{"rationale": "so long', "length")
REFUSED = said("", "refusal", finish_detail="frontier_llm")


def a_turn(seed: int = 0, **more: object) -> Turn:
    return Turn("m-000", Rng(1), seed, StopSign(), lambda call: None)._replace(**more)


def choose(
    provider: Scripted, turn: Turn | None = None, **conduct: object
) -> tuple[Decision, list[CallMade]]:
    calls: list[CallMade] = []

    def back(call: CallMade) -> None:
        if call.attempt is not None:
            calls.append(call)

    view = engine.new("connect4", 1).view(0)
    turn = turn or a_turn()
    made = asyncio.run(model(provider, **conduct).choose(view, turn._replace(on_call=back)))
    return made, calls


def test_a_legal_answer_is_the_move() -> None:
    made, calls = choose(Scripted([GOOD]))
    assert (made.action, made.outcome, made.rationale, made.reasoning) == (3, "ok", "because", "thought")
    assert made.cost_pico == calls[0].cost_pico == cost(PRICE, GOOD.usage) > 0
    assert [call.number for call in calls] == [1]


@pytest.mark.parametrize("wrong", [ILLEGAL, PROSE, said("")])
def test_a_wrong_answer_is_asked_again_with_the_reason(wrong) -> None:
    provider = Scripted([wrong, GOOD])
    made, calls = choose(provider)
    assert (made.action, made.outcome, made.illegal) == (3, "reasked", 1)
    assert [call.ask for call in calls] == [0, 1]
    first, second = (request.messages for request in provider.seen)
    assert len(second) == (3 if wrong.text else 1), "an empty turn is not sent back"
    assert second[0].content.startswith(first[0].content)
    assert second[-1].content != first[0].content
    assert provider.seen[0].system == provider.seen[1].system


def test_after_all_asks_the_policy_decides() -> None:
    made, calls = choose(Scripted([ILLEGAL] * 9))
    assert (made.action, made.outcome, made.fault, made.illegal) == (None, "forfeit", "illegal", 3)
    assert len(calls) == 3
    assert made.cost_pico == sum(call.cost_pico for call in calls)
    made, _ = choose(Scripted([ILLEGAL] * 9), fallback="random", reasks=0)
    assert made.outcome == "fallback" and made.action in range(7) and made.fault == "illegal"


def test_a_prompt_does_not_grow_with_every_ask() -> None:
    provider = Scripted([PROSE] * 5 + [GOOD])
    choose(provider, reasks=5)
    assert {len(request.messages) for request in provider.seen[1:]} == {3}


def test_a_refusal_is_put_once_more_unchanged_then_forfeits() -> None:
    provider = Scripted([REFUSED, GOOD])
    made, _ = choose(provider)
    first, second = provider.seen
    assert made.action == 3 and first == replace(second, seed=first.seed)
    assert first.seed != second.seed, "who honours a seed would refuse again"
    made, calls = choose(Scripted([REFUSED] * 3))
    assert (made.outcome, made.fault, len(calls)) == ("forfeit", "refusal: frontier_llm", 2)


def test_a_cut_answer_gets_double_room_once() -> None:
    provider = Scripted([CUT, CUT, GOOD])
    made, _ = choose(provider, max_tokens=100)
    assert made.action == 3 and made.illegal == 1
    assert [request.max_output_tokens for request in provider.seen] == [100, 200, 200]


def test_where_there_is_no_double_room_a_shorter_answer_is_asked_for() -> None:
    provider = Scripted([CUT, Final("bad_request", "max_tokens is too large"), GOOD])
    made, _ = choose(provider, max_tokens=100)
    assert made.action == 3 and [request.max_output_tokens for request in provider.seen] == [100, 200, 100]
    assert "Be brief" in provider.seen[2].messages[-1].content
    with pytest.raises(Halt, match="bad_request"):
        choose(Scripted([Final("bad_request", "no")]))


def test_trouble_with_the_service_is_nobodys_fault() -> None:
    down = Retryable("overloaded", "come back later", status=529, retry_after_s=0)
    made, calls = choose(Scripted([down, down, GOOD]))
    assert made.action == 3 and [call.number for call in calls] == [1, 2, 3]
    with pytest.raises(Void, match="overloaded"):
        choose(Scripted([down] * 9))


@pytest.mark.parametrize("kind", ["auth", "quota", "unknown_model", "bad_request"])
def test_what_will_not_get_better_stops_the_run(kind) -> None:
    with pytest.raises(Halt, match=kind):
        choose(Scripted([Final(kind, "no")]))


def test_a_prompt_that_is_too_long_is_shortened_once() -> None:
    long = Final("too_long", "too long")
    provider = Scripted([PROSE, long, GOOD])
    made, calls = choose(provider)
    assert made.action == 3 and len(provider.seen[2].messages) == 1
    assert [(call.ask, call.number) for call in calls] == [(0, 1), (1, 1), (1, 2)]
    with pytest.raises(Void, match="too long"):
        choose(Scripted([long, long]))


@pytest.mark.parametrize("games", [("tictactoe", "blob"), ("blob", "tictactoe")])
def test_the_most_that_a_call_can_cost_is_that_of_its_own_game(games) -> None:
    """A run may be of several games, whose schemas differ: of 8 numbers, or of 256."""

    def worst(player: ModelPlayer, game: str) -> list[int]:
        reserved: list[int] = []

        async def reserve(call: CallMade) -> None:
            reserved.append(call.cost_pico)

        provider.script.append(GOOD)
        position = engine.new(game, 1)
        view = position.view(position.current_player())
        asyncio.run(player.choose(view, a_turn(reserve=reserve)))
        return reserved

    provider = Scripted()
    player = model(provider, reasks=0)
    assert [worst(player, game) for game in games] == [
        worst(model(provider, reasks=0), game) for game in games
    ]


def test_no_attempt_takes_the_place_of_another_however_often_the_question_is_put_otherwise() -> None:
    """An attempt with the id of another would overwrite it on record, and its cost with it."""
    hang = Retryable("timeout", "no answer", possibly_billed=True)
    long, large = Final("too_long", "too long"), Final("bad_request", "max_tokens is too large")
    made, calls = choose(Scripted([CUT, PROSE, hang, long, hang, large, GOOD]), max_tokens=100)
    assert made.action == 3
    assert [(call.ask, call.number) for call in calls] == [(0, 1), (1, 1), *((2, n) for n in range(1, 6))]


def test_an_attempt_that_may_be_billed_costs_the_most_it_can() -> None:
    hang = Retryable("timeout", "no answer", possibly_billed=True)
    made, calls = choose(Scripted([hang, GOOD]), max_tokens=1000)
    assert calls[0].possibly_billed and calls[0].cost_pico > 1000 * PRICE.output
    assert made.cost_pico == calls[1].cost_pico, "a decision's cost is what is sure"


def test_another_tier_than_the_one_asked_for_has_no_known_price_and_stays_on_the_bill_at_its_worst() -> None:
    fast = replace(GOOD, usage=replace(GOOD.usage, tier="priority"))
    made, calls = choose(Scripted([fast]), max_tokens=1000)
    assert made.cost_pico == 0, "a decision's cost is what is sure"
    assert calls[0].cost_pico > 1000 * PRICE.output and calls[0].possibly_billed and not calls[0].priced


@pytest.mark.parametrize("first", [REFUSED, CUT, ILLEGAL])
def test_whoever_needed_two_answers_was_asked_again(first) -> None:
    made, _ = choose(Scripted([first, GOOD]))
    assert (made.outcome, made.illegal) == ("reasked", int(first is ILLEGAL))


def test_a_service_that_wants_us_later_than_we_wait_stops_the_run_not_the_match() -> None:
    later = Retryable("rate_limit", "later", status=429, retry_after_s=4000)
    with pytest.raises(Halt, match="come back in 4000 s"):
        choose(Scripted([later, GOOD]))


def test_once_the_run_stops_no_new_call_leaves() -> None:
    """Neither a retry, nor a wait for one, nor another ask; what was answered is told."""
    busy = Retryable("rate_limit", "later", retry_after_s=1000)
    for script in ([busy, GOOD], [ILLEGAL, GOOD]):
        sign, calls = StopSign(), []

        def told(call, sign=sign, calls=calls) -> None:
            if call.attempt is not None:
                calls.append(call)
                sign.put_up()

        provider = Scripted(list(script))
        player = model(provider, replace(FAST, total_s=5000))
        with pytest.raises(Stopped):
            asyncio.run(player.choose(engine.new("connect4", 1).view(0), a_turn(stop=sign, on_call=told)))
        assert len(provider.seen) == len(calls) == 1


def test_an_attempt_is_known_before_it_leaves() -> None:
    told: list[CallMade] = []

    async def leaves(call: CallMade) -> None:
        told.append(call)

    turn = a_turn(on_call=told.append, on_leave=leaves)
    asyncio.run(model(Scripted([GOOD])).choose(engine.new("connect4", 1).view(0), turn))
    sent, back = told
    assert sent.attempt is None and sent.possibly_billed and sent.cost_pico > 0
    assert (sent.ask, sent.number, sent.started_unix < back.started_unix + 1) == (back.ask, back.number, True)
    assert back.attempt is not None and not back.possibly_billed


def test_what_was_answered_before_an_interruption_is_not_asked_again() -> None:
    provider = Scripted([GOOD])
    turn = a_turn(answered={0: ILLEGAL, 1: PROSE}, attempts={0: 1, 1: 2, 2: 4})
    made, calls = choose(provider, turn)
    assert (made.action, made.illegal, len(provider.seen)) == (3, 2, 1)
    assert [(call.ask, call.number) for call in calls] == [(2, 5)], "numbers go on after lost attempts"
    assert made.cost_pico == sum(cost(PRICE, reply.usage) for reply in (ILLEGAL, PROSE, GOOD))
    made, calls = choose(Scripted([]), turn._replace(answered={0: GOOD}))
    assert made.action == 3 and made.reasoning == "thought" and not calls


def test_on_the_rules_track_the_answer_is_notation() -> None:
    provider = Scripted([said('{"rationale": "x", "move": "4"}')])
    made, _ = choose(provider, track="rules")
    assert made.action == 3 and provider.seen[0].choices is None


def test_every_request_carries_the_conduct() -> None:
    provider = Scripted([GOOD])
    choose(provider, a_turn(7), effort="low", temperature=0.5, max_tokens=64, timeout=9.0)
    request = provider.seen[0]
    assert (request.effort, request.temperature, request.seed) == ("low", 0.5, 7)
    assert (request.max_output_tokens, request.timeout_s, request.mode) == (64, 9.0, "json")
    assert request.schema is not None and json.dumps(dict(request.schema))


class Deciding(Scripted):
    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(decision=True)


def test_a_native_decision_keeps_a_probability_for_every_legal_action() -> None:
    shares = dict.fromkeys(range(1, 7), 0.1) | {7: 0.4}
    provider = Deciding([said('{"action": 7}', probabilities=shares)])
    made, _ = choose(provider, mode="decision")
    assert (made.action, made.outcome, made.mode) == (6, "ok", "decision")
    assert made.probabilities == {number - 1: share for number, share in shares.items()}
    request = provider.seen[0]
    assert (request.mode, request.schema) == ("decision", None) and len(request.choices) == 7
    assert "JSON" not in request.system


def test_nobody_is_asked_to_choose_from_one() -> None:
    alone = SimpleNamespace(legal=(engine.core.Action(3, "4"),))
    provider = Deciding()
    made = asyncio.run(model(provider, mode="decision").choose(alone, a_turn()))
    assert (made.action, made.probabilities, provider.seen) == (3, {3: 1.0}, [])
    many = SimpleNamespace(game="go", legal=tuple(engine.core.Action(n, str(n)) for n in range(361)))
    with pytest.raises(Halt, match="361 legal moves"):
        asyncio.run(model(provider, mode="decision").choose(many, a_turn()))


def test_ready_is_one_tiny_call_on_the_bill() -> None:
    provider, calls = Scripted([said("ready")]), []
    asyncio.run(model(provider).ready(a_turn(on_call=calls.append)))
    assert [call.cost_pico > 0 for call in calls] == [True] and provider.seen[0].max_output_tokens == 1024
    with pytest.raises(Halt, match="no such key"):
        asyncio.run(model(Scripted([Final("auth", "no such key")])).ready(a_turn()))


# ── specs ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("bot:mcts:200", "bot:mcts:200"),
        ("sim:greedy?seed=2&illegal=0.1", "sim:greedy?illegal=0.1&seed=2"),
        ("local:qwen3:4b", "local:qwen3:4b"),
        ("human", "human"),
        ("claude", BOOK.resolve("claude")),
        ("claude?effort=low", BOOK.resolve("claude") + "?effort=low"),
    ],
)
def test_specs_are_read_and_written_back(text, canonical) -> None:
    assert str(Spec.parse(text, BOOK)) == canonical
    assert Spec.parse(canonical, BOOK) == Spec.parse(text, BOOK)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nobody", "claude"),
        ("bot:", "bot:greedy"),
        ("bot:nobody", "greedy"),
        ("bot:mcts:many", "mcts"),
        ("openai:gpt-6-luna?effort=lots", "expected one of"),
        ("openai:gpt-6-luna?reasks=x", "not a number"),
        ("openai:gpt-6-luna?nonsense=1", "nonsense"),
        ("sim:greedy?nonsense=1", "nonsense"),
        ("anthropic:claude-sonnet-5-5?temperature=0", "temperature"),
        ("openai:no-such-model", "--price"),
        ("openai:gpt-6-luna?style=nope", "default"),
        ("openai:gpt-6-luna?track=closed", "open"),
        ("openai:gpt-6-luna?effort", "option=value"),
        ("openai:gpt-6-luna?timeout=-1", "more than 0"),
        ("openai:gpt-6-luna?timeout=nan", "more than 0"),
        ("openai:gpt-6-luna?max_tokens=-50", "16 to"),
        ("openai:gpt-6-luna?style=terse&style=analyst", "twice"),
        ("openai:gpt-6-luna?base_url=http://bob:hunter2@example.org", "must not hold"),
        ("openai:gpt-6-luna?base_url=http://TOKEN@example.org", "must not hold"),
        ("anthropic:claude-haiku-5-5?tier=flex&price=1,2", "has no tier"),
        ("anthropic:claude-haiku-5-5?mode=decision", "no native decisions"),
        ("openai:gpt-6-luna?mode=decision&track=rules", "needs track=open"),
        ("openai:gpt-6-luna?mode=decision&effort=low", "has no effort"),
        ("openai:gpt-6-luna?mode=decision&tier=flex", "has no tier"),
        ("openai:gpt-6-luna?mode=verse", "expected one of auto"),
    ],
)
def test_a_wrong_spec_says_what_was_expected(text, says) -> None:
    with pytest.raises(SpecError, match=says):
        Table().seat(text)


def test_an_unknown_price_refuses_until_told() -> None:
    table = Table()
    assert table.seat("openai:no-such-model", price="1,2").seated.price.output == 2_000_000
    assert table.seat("openai:no-such-model?price=1,2").seated.price.input == 1_000_000
    assert table.seat("openai:no-such-model", unpriced=True).seated.price is None
    known = table.seat("openai:gpt-6-luna", price="77,77").seated
    assert known.price == BOOK.price("openai", "gpt-6-luna"), (
        "a known price is not overruled for the whole run"
    )


def test_a_native_decision_is_billed_by_a_price_of_its_own() -> None:
    luna = Table().seat("openai:gpt-6-luna?mode=decision").seated
    assert (luna.price.tier, luna.price.output) == ("decision", 0)
    assert luna.hash != Table().seat("openai:gpt-6-luna").seated.hash


def test_only_what_runs_here_is_for_free(monkeypatch) -> None:
    assert Table().seat("local:m").seated.price.output == 0
    monkeypatch.setenv("LOCAL_BASE_URL", "https://models.example.org/v1")
    with pytest.raises(SpecError, match="no price"):
        Table().seat("local:m")
    assert Table().seat("local:m?price=0,0").seated.price.output == 0


def test_whoever_plays_alike_has_one_hash_however_written(monkeypatch) -> None:
    table = Table()

    def hashed(spec: str, **conduct: object) -> str:
        return table.seat(spec, Conduct(**conduct)).seated.hash

    luna = hashed("luna")
    assert (
        luna
        == hashed("openai:gpt-6-luna?effort=low")
        == hashed("luna", timeout=60)
        == hashed("luna?price=9,9")
    )
    assert hashed("luna?style=terse") == hashed("luna", style="terse") != luna
    assert hashed("sim:greedy?illegal=0.1") != hashed("sim:greedy") != hashed("sim:greedy?track=rules")
    assert hashed("sim:greedy") == hashed("sim:greedy?latency=1&429=0.1")
    assert hashed("bot:mcts:200") == hashed("bot:mcts:0200?c=1.4") != hashed("bot:mcts:200?c=1.5")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert hashed("luna") == luna


def test_players_of_one_service_share_one_provider() -> None:
    table = Table()
    one, two = table.seat("sim:greedy?latency=0"), table.seat("sim:random?latency=0")
    assert one.provider is two.provider
    assert table.seat("sim:random?latency=0.1").provider is not one.provider


def test_conduct_of_a_spec_wins_over_the_runs() -> None:
    player = Table().seat("sim:greedy?style=terse&track=rules", Conduct(style="analyst", reasks=5))
    assert (player.conduct.style, player.conduct.track, player.conduct.reasks) == ("terse", "rules", 5)
    assert player.seated.parameters["reasks"] == 5
