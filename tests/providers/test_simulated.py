"""The stand-in as a model and as the provider `sim`: what it reads, answers, and that it repeats itself."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import engine
import prompts
import providers
from providers.base import BatchProvider, BatchStatus, Final, Message, Reply, Request, Retryable
from providers.simulated import FAULTS, OPTIONS, WRONG, Behaviour, Simulated, StandIn, read
from tests.providers.simulated_questions import OPEN, lengthy, question


def stand_in(bot: str = "greedy", **options: str | float) -> StandIn:
    return StandIn(Behaviour.of(bot, **options))


def test_a_strong_bot_takes_the_win_on_both_tracks() -> None:
    moves = ("a1", "b1", "a2", "b2")
    on_open = json.loads(stand_in().answer(question(*moves)).text)
    on_rules = json.loads(stand_in().answer(question(*moves, track="rules")).text)
    assert list(on_open) == ["rationale", "threats", "action", "forecast"]
    assert engine.new("tictactoe").action_text(on_open["action"]) == "a3"
    assert on_rules["move"] == "a3"
    assert on_rules["rationale"] == "Simulated answer by greedy: I play a3."


def test_numbers_are_taken_from_the_list_and_not_from_the_engine() -> None:
    asked = question("a1", "b1", "a2", "b2")
    user = asked.messages[0].content.replace("6: a3", "40: a3")
    renumbered = Request("greedy", asked.system, (Message("user", user),), schema=OPEN)
    assert json.loads(stand_in().answer(renumbered).text)["action"] == 40


@pytest.mark.parametrize(
    "text",
    [
        "Legal moves, by number: 3 5",
        "Legal moves:\n3\n5",
        "Legal moves, as number: move\n3: 3\n5: 5\n\n9: 9\n",
    ],
)
def test_every_way_to_list_moves_is_read(text: str) -> None:
    ask = read(Request("greedy", "Game: unknown", (Message("user", f"1 2 3\n{text}"),)))
    assert ask.listed == ((3, "3"), (5, "5"))


def test_a_variant_is_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = question(game="connect4")
    made = []
    monkeypatch.setattr(engine, "new", lambda *args, **variant: made.append((args, variant)))
    with pytest.raises(AttributeError):  # the fake makes no game
        read(Request("greedy", f"{asked.system}\nVariant: width=9, height=3", asked.messages))
    assert made == [(("connect4", 0), {"width": 9, "height": 3})]


def test_an_unknown_game_is_answered_from_the_list() -> None:
    asked = question("a1")
    strange = Request("greedy", asked.system.replace("tictactoe", "calvinball"), asked.messages, schema=OPEN)
    assert read(strange).game is None
    picks = {json.loads(stand_in(seed=seed).answer(strange).text)["action"] for seed in range(60)}
    assert picks == set(range(1, 9))


def test_nothing_readable_is_answered_in_words_without_a_move() -> None:
    reply = stand_in().answer(
        Request("greedy", "Hello.", (Message("user", "What do you play?"),), schema=OPEN)
    )
    assert "no move" in reply.text and "{" not in reply.text and reply.finish == "stop"


def test_a_reask_is_a_new_question_about_the_same_position() -> None:
    asked = question("a1", "b1", "a2", "b2")
    first = stand_in(illegal=0.5, seed=1)
    again = Request(
        "greedy",
        asked.system,
        (
            *asked.messages,
            Message("assistant", '{"action": 0}'),
            Message("user", "0 is not legal. Try again."),
        ),
        schema=OPEN,
    )
    assert read(again).listed == read(asked).listed
    answers = {
        stand_in(illegal=0.5, seed=seed).answer(again).text
        != stand_in(illegal=0.5, seed=seed).answer(asked).text
        for seed in range(40)
    }
    assert answers == {True, False}, "the rates apply anew to a re-ask"
    assert first.answer(again) == first.answer(again)


@pytest.mark.parametrize("track", ["open", "rules"])
@pytest.mark.parametrize("moves", [(), ("a1", "b2", "c3")])
def test_wrong_answers_are_wrong_in_their_own_way(track: str, moves: tuple[str, ...]) -> None:
    asked = question(*moves, track=track)
    game = engine.new("tictactoe")
    for move in moves:
        game.apply(game.parse_action(move))
    key = "action" if track == "open" else "move"
    legal = (
        set(game.legal_actions()) if track == "open" else {game.action_text(a) for a in game.legal_actions()}
    )
    said = {wrong: stand_in().answer(asked, wrong) for wrong in ("", *WRONG)}
    assert json.loads(said[""].text)[key] in legal
    assert json.loads(said["illegal"].text)[key] not in legal
    with pytest.raises(json.JSONDecodeError):
        json.loads(said["malformed"].text)
    assert f'"{key}": ' in said["malformed"].text
    assert said["truncated"].finish == "length" and f'"{key}"' not in said["truncated"].text
    assert said["refused"].finish == "refusal" and "{" not in said["refused"].text
    assert any(game.action_text(a) in said["prose"].text for a in game.legal_actions())
    assert "{" not in said["prose"].text and said["prose"].finish == "stop"
    two = [json.loads(line)[key] for line in said["ambiguous"].text.splitlines()]
    assert len(set(two)) == 2 and set(two) <= legal
    assert said["empty"].text == ""


def answers(model: StandIn, asked: list[Request]) -> dict[str, Reply]:
    return {request.messages[0].content: model.answer(request) for request in asked}


def test_an_answer_depends_on_content_and_seed_alone() -> None:
    asked = [question("a1", note=f"Note {i}.") for i in range(50)]
    options = {"seed": 5, "illegal": 0.2, "malformed": 0.2, "tokens": 80, "latency": 1.0, "spread": 0.5}
    here = answers(stand_in("random", **options), asked)
    shuffled = random.Random(1).sample(asked, len(asked))
    assert answers(stand_in("random", **options), shuffled) == here
    assert answers(stand_in("random", **(options | {"seed": 6})), asked) != here
    seeded = [question("a1", note=f"Note {i}.", seed=3) for i in range(50)]
    assert answers(stand_in("random", **options), seeded) != here


def test_answers_survive_a_restart() -> None:
    code = (
        "from tests.providers.test_simulated import question, stand_in; "
        "print(stand_in('random', seed=2).answer(question('b2', note='here')).text)"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "PYTHONHASHSEED": salt,
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    ]
    assert found[0] == found[1] != ""


def test_rates_hold() -> None:
    rates = {"illegal": 0.1, "malformed": 0.05, "truncated": 0.05, "refused": 0.1, "empty": 0.2}
    model = stand_in("random", **rates)
    seen: Counter[str] = Counter()
    for i in range(4000):
        reply = model.answer(question(note=str(i), track="rules"))
        if reply.finish != "stop":
            seen["refused" if reply.finish == "refusal" else "truncated"] += 1
        elif not reply.text:
            seen["empty"] += 1
        elif '"move": }' in reply.text:
            seen["malformed"] += 1
        elif json.loads(reply.text)["move"] not in {column + row for column in "abc" for row in "123"}:
            seen["illegal"] += 1
    for name, rate in rates.items():
        assert abs(seen[name] / 4000 - rate) < 4 * (rate * (1 - rate) / 4000) ** 0.5, (name, seen[name])


def test_faults_are_drawn_per_attempt_so_that_a_retry_can_succeed() -> None:
    asked = [question(note=str(i)) for i in range(1000)]
    first, second = stand_in(fail=0.4, hang=0.1), stand_in(fail=0.4, hang=0.1)
    attempts = [[first.fault(request) for _ in range(3)] for request in asked]
    backwards = {id(request): [second.fault(request) for _ in range(3)] for request in reversed(asked)}
    assert attempts == [backwards[id(request)] for request in asked]
    seen = Counter(fault for three in attempts for fault in three)
    assert set(seen) == {"", *FAULTS}
    assert all(250 < seen[fault] < 350 for fault in FAULTS), seen
    assert any(three[0] and not three[1] for three in attempts)


def test_latency_has_the_mean_and_the_spread_that_was_asked() -> None:
    model = stand_in("random", latency=2, spread=0.6)
    drawn = [model.answer(question(note=str(i))).latency_s for i in range(3000)]
    assert abs(sum(drawn) / len(drawn) - 2) < 0.1
    assert min(drawn) < 0.8 and max(drawn) > 5
    assert stand_in(latency=2).answer(question()).latency_s == 2


def test_usage_adds_up_and_the_cache_is_read_once_the_game_is_under_way() -> None:
    opening, later = (stand_in().answer(lengthy(question(*moves))) for moves in ((), ("a1",)))
    system = -(-len(lengthy(question()).system) // 3)
    assert (opening.usage.cache_write_short, opening.usage.cache_read) == (system, 0)
    assert (later.usage.cache_write_short, later.usage.cache_read) == (0, system)
    for uncached in (
        stand_in(cache=0).answer(lengthy(question("a1"))),
        stand_in().answer(question("a1")),  # too short for any vendor's cache
    ):
        assert uncached.usage.input == uncached.usage.input_fresh
    assert later.usage.output - later.usage.reasoning == -(-len(later.text) // 3)
    assert later.usage.input > later.usage.cache_read


def test_thinking_is_as_long_as_its_tokens_and_follows_the_effort() -> None:
    model = stand_in(tokens=300)
    by_effort = {
        effort: model.answer(question(effort=effort)) for effort in ("none", "low", "medium", "high")
    }
    assert by_effort["none"].reasoning == "" and by_effort["none"].reasoning_kind == "none"
    assert (
        by_effort["low"].usage.reasoning
        < by_effort["medium"].usage.reasoning
        < by_effort["high"].usage.reasoning
    )
    medium = by_effort["medium"]
    assert medium.reasoning.startswith("Simulated thinking by greedy: ")
    assert len(medium.reasoning) == 3 * medium.usage.reasoning and 150 <= medium.usage.reasoning < 450
    assert len({reply.text for reply in by_effort.values()}) == 1


def test_an_answer_longer_than_its_bound_is_cut() -> None:
    reply = stand_in(tokens=0, words=200).answer(question(max_output_tokens=30))
    assert reply.finish == "length" and reply.usage.output == 30
    thoughts = stand_in(tokens=4000).answer(question(max_output_tokens=100))
    assert thoughts.finish == "length" and thoughts.text == "" and thoughts.usage.output == 100


def test_behaviour_is_read_from_a_spec() -> None:
    behaviour = Behaviour.parse("mcts:200?latency=0.2&illegal=0.1&seed=7&fail=0.2&429=0.1&cache=0")
    assert (behaviour.bot, behaviour.latency, behaviour.seed, behaviour.cache) == ("mcts:200", 0.2, 7, False)
    assert dict(behaviour.wrong) == {"illegal": 0.1}
    assert dict(behaviour.faults) == pytest.approx({"429": 0.15, "529": 0.05, "500": 0.05, "cut": 0.05})
    assert Behaviour.parse("") == Behaviour()


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("greedy?ilegal=0.1", "no option ilegal; it has seed, "),
        ("greedy?illegal=0.7&empty=0.4", "illegal, empty add up to more than 1"),
        ("greedy?429=0.7&fail=0.8", "add up to more than 1"),
        ("greedy?illegal=-0.1", "illegal=-0.1: expected a number"),
        ("greedy?latency=nan", "latency=nan: expected a number"),
        ("greedy?seed=x", "seed=x: expected a whole number"),
        ("greedy?price=3,15", "no option price"),
        ("greedy?latency", "bad query field"),
    ],
)
def test_a_wrong_option_is_refused_with_what_was_expected(spec: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Behaviour.parse(spec)


def test_the_provider_answers_and_names_itself() -> None:
    provider = providers.create("sim", latency="0.001", seed="3")

    async def ask() -> Reply:
        reply = await provider.complete(question("a1", "b1", "a2", "b2"))
        await provider.aclose()
        return reply

    reply = asyncio.run(ask())
    assert provider.name == "sim"
    assert reply.model == "simulated/greedy" and reply.latency_s == 0.001
    assert json.loads(reply.text)["action"] == 6
    assert reply == stand_in(latency=0.001, seed=3).answer(question("a1", "b1", "a2", "b2"))


def test_the_provider_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="no option strength"):
        providers.create("sim", strength="3")
    assert "fail" in OPTIONS
    provider = providers.create("sim")
    with pytest.raises(Final) as caught:
        asyncio.run(provider.complete(Request("grandmaster", "", (Message("user", "hi"),))))
    assert caught.value.kind == "unknown_model" and "greedy" in caught.value.message
    with pytest.raises(Final, match="does not take a temperature"):
        asyncio.run(provider.complete(question(temperature=0.5)))


@pytest.mark.parametrize(
    ("fault", "kind", "status", "wait", "billed"),
    [
        ("429", "rate_limit", 429, 0.25, False),
        ("529", "overloaded", 529, 0.25, False),
        ("500", "server", 500, None, False),
        ("cut", "connection", None, None, True),
        ("hang", "timeout", None, None, True),
    ],
)
def test_faults_are_the_errors_of_a_provider(
    fault: str, kind: str, status: int | None, wait: float | None, billed: bool
) -> None:
    provider = providers.create("sim", **{fault: "1", "retry_after": "0.25"})
    with pytest.raises(Retryable) as caught:
        asyncio.run(provider.complete(question(timeout_s=0.01)))
    error = caught.value
    assert (error.kind, error.status, error.retry_after_s, error.possibly_billed) == (
        kind,
        status,
        wait,
        billed,
    )


def test_an_answer_slower_than_the_time_allowed_is_a_timeout() -> None:
    with pytest.raises(Retryable) as caught:
        asyncio.run(providers.create("sim", latency="5").complete(question(timeout_s=0.01)))
    assert caught.value.kind == "timeout"


def test_a_whole_game_is_played_the_same_way_twice() -> None:
    def game() -> list[str]:
        state, moves, model = engine.new("connect4"), list[str](), stand_in("random", seed=11)
        while not state.is_terminal():
            reply = model.answer(question(*moves, game="connect4"))
            state.apply(json.loads(reply.text)["action"])
            moves.append(state.history()[-1].text)
        return moves

    played = game()
    assert played == game() and len(played) >= 7


OPEN_GAMES = [name for name in engine.games() if not engine.new(name).hidden_information()]


def asked_as_the_arena_does(state: engine.Game, track: str, style: str = "default") -> Request:
    asked = prompts.render(state.view(state.current_player()), style, track)  # type: ignore[arg-type]
    return Request("greedy", asked.system, (Message("user", asked.user),), schema=asked.schema)


@pytest.mark.parametrize("track", ["open", "rules"])
@pytest.mark.parametrize("game", OPEN_GAMES)
@pytest.mark.parametrize("style", prompts.styles())
def test_the_arenas_own_prompts_are_read_and_its_parser_agrees(style: str, game: str, track: str) -> None:
    kinds = {
        "illegal": "illegal",
        "malformed": "unparsable",
        "truncated": "truncated",
        "refused": "refusal",
        "prose": "unparsable",
        "ambiguous": "ambiguous",
        "empty": "empty",
    }
    state, rng = engine.new(game, 5), engine.Rng(3)
    model, bot = stand_in("greedy"), engine.new_bot("random")
    plies = 0
    while not state.is_terminal() and plies < 12:
        asked, view = asked_as_the_arena_does(state, track, style), state.view(state.current_player())
        ask = read(asked)
        assert ask.under_way is (plies > 0)
        assert ask.game is not None and ask.game.history() == state.history()
        right = prompts.parse(model.answer(asked, ""), view, track)  # type: ignore[arg-type]
        assert isinstance(right, prompts.Choice) and right.action in state.legal_actions()
        for wrong in WRONG:
            heard = prompts.parse(model.answer(asked, wrong), view, track)  # type: ignore[arg-type]
            if wrong == "ambiguous" and len(view.legal) == 1:
                continue
            assert isinstance(heard, prompts.Unreadable) and heard.kind == kinds[wrong], (wrong, heard)
        state.apply(bot.choose(state, rng))
        plies += 1


@pytest.mark.parametrize("track", ["open", "rules"])
@pytest.mark.parametrize("game", sorted(set(engine.games()) - set(OPEN_GAMES)))
def test_what_is_hidden_is_not_rebuilt(game: str, track: str) -> None:
    state, rng, model = engine.new(game, 5), engine.Rng(3), stand_in("greedy")
    for _ in range(12):
        asked, view = asked_as_the_arena_does(state, track), state.view(state.current_player())
        assert read(asked).game is None
        right = prompts.parse(model.answer(asked, ""), view, track)  # type: ignore[arg-type]
        if track == "open":
            assert isinstance(right, prompts.Choice) and right.action in state.legal_actions()
        else:
            assert isinstance(right, prompts.Unreadable) and right.kind == "unparsable"
        state.apply(state.random_action(rng))


def decision(*moves: str, **more: object) -> Request:
    state = engine.new("tictactoe")
    for move in moves:
        state.apply(state.parse_action(move))
    choices = tuple((action, state.action_text(action)) for action in state.legal_actions())
    return question(*moves, mode="decision", choices=choices, **more)


def test_a_decision_spreads_around_the_move_of_the_bot() -> None:
    provider = providers.create("sim")
    assert provider.capabilities("greedy").decision
    reply = asyncio.run(provider.complete(decision("a1", "b1", "a2", "b2")))
    assert reply.text == '{"action":6}' and reply.probabilities is not None
    assert set(reply.probabilities) == {2, 5, 6, 7, 8}
    assert sum(reply.probabilities.values()) == pytest.approx(1)
    assert max(reply.probabilities, key=reply.probabilities.__getitem__) == 6
    assert (reply.usage.output, reply.usage.tier, reply.reasoning) == (0, "decision", "")
    assert reply.usage.input > stand_in().answer(question("a1", "b1", "a2", "b2")).usage.input


def test_the_numbers_of_a_decision_are_its_own_whatever_the_prompt_lists() -> None:
    asked = decision("a1", "b1", "a2", "b2", track="rules")
    renumbered = replace(asked, choices=tuple((n + 30, text) for n, text in asked.choices or ()))
    assert json.loads(stand_in().answer(renumbered).text) == {"action": 36}
    described = replace(
        decision("a1", "b1", "a2", "b2"), choices=tuple((n, f"cell {n}") for n, _ in asked.choices or ())
    )
    assert json.loads(stand_in().answer(described).text) == {"action": 6}, (
        "the prompt's list says what is meant"
    )


def test_a_decision_can_be_refused_and_is_wrong_in_no_other_way() -> None:
    refused = stand_in(refused=1).answer(decision())
    assert (refused.finish, refused.text, refused.probabilities) == ("refusal", "", None)
    for wrong in set(WRONG) - {"refused"}:
        assert stand_in(**{wrong: 1}).answer(decision()) == stand_in().answer(decision())
    with pytest.raises(Final, match="between 2 and 255 choices"):
        asyncio.run(providers.create("sim").complete(replace(decision(), choices=((0, "a1"),))))


def test_thinking_can_have_a_heavy_tail() -> None:
    even, heavy = stand_in("random", tokens=1000), stand_in("random", tokens=1000, tokens_spread=1)
    asked = [question(note=str(i), max_output_tokens=1 << 20) for i in range(2000)]
    thought = [heavy.answer(request).usage.reasoning for request in asked]
    assert abs(sum(thought) / len(thought) - 1000) < 120
    assert max(thought) > 8000 and sorted(thought)[1000] < 750
    assert max(even.answer(request).usage.reasoning for request in asked) < 1500


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


def wave(count: int = 4) -> dict[str, Request]:
    return {f"part.{i}": question("a1", note=str(i), tier="batch") for i in range(count)}


def test_a_batch_in_this_process_gives_the_same_answers() -> None:
    async def scene() -> None:
        clock = Clock()
        provider = Simulated(clock, batch_latency="60")
        assert isinstance(provider, BatchProvider) and "batch" in provider.capabilities("greedy").tiers
        asked = wave()
        batch = await provider.submit("wave-1", asked)
        assert await provider.poll(batch) == BatchStatus(False, 4, detail="in_progress")
        assert await provider.find("wave-1", clock.time, list(asked)) == batch
        assert await provider.find("wave-2", clock.time, list(asked)) is None
        assert await provider.find("wave-1", clock.time + 1, list(asked)) is None
        clock.time += 60
        assert await provider.poll(batch) == BatchStatus(True, 4, 4, 0, "completed")
        found = {id_: reply async for id_, reply in provider.results(batch)}
        for id_, request in asked.items():
            expected = stand_in().answer(request)
            assert found[id_] == replace(expected, usage=replace(expected.usage, tier="batch"))
        await provider.cancel(batch)
        assert (await provider.poll(batch)).done == 4, "too late to cancel"
        with pytest.raises(Final, match="knows no batch 'none'"):
            await provider.poll("none")
        with pytest.raises(Final, match="the tier 'batch' in a single call"):
            await provider.complete(asked["part.0"])
        with pytest.raises(Final, match="names no bot"):
            await provider.submit("w", {"a": replace(asked["part.0"], model="nobody")})

    asyncio.run(scene())


def test_parts_of_a_batch_fail_and_may_succeed_when_handed_in_again() -> None:
    async def scene() -> None:
        provider, asked = Simulated(batch_errored="0.3", batch_expired="0.3"), wave(100)
        batch = await provider.submit("w", asked)
        found = {id_: reply async for id_, reply in provider.results(batch)}
        lost = {id_: error for id_, error in found.items() if isinstance(error, Retryable)}
        assert {error.kind for error in lost.values()} == {"server", "overloaded"}
        assert not any(error.possibly_billed for error in lost.values())
        status = await provider.poll(batch)
        assert (status.done, status.failed) == (100 - len(lost), len(lost)) and 30 < len(lost) < 90
        again = await provider.submit("w", {id_: asked[id_] for id_ in lost})
        assert any([isinstance(reply, Reply) async for _, reply in provider.results(again)])

    asyncio.run(scene())


def test_a_cancelled_batch_answers_nothing() -> None:
    async def scene() -> None:
        provider = Simulated(batch_latency="3600")
        batch = await provider.submit("w", wave(3))
        await provider.cancel(batch)
        assert await provider.poll(batch) == BatchStatus(True, 3, 0, 3, "cancelled")
        found = [reply async for _, reply in provider.results(batch)]
        assert all(isinstance(reply, Retryable) and "was cancelled" in reply.message for reply in found)

    asyncio.run(scene())
