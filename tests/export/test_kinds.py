"""What is learnt from what: best answers, pairs that hold, form apart from strategy, curricula, rewards of a record."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from orchestrator.export import kinds
from orchestrator.export.columns import DECISIONS
from orchestrator.export.example import Answer
from orchestrator.export.filters import EPSILON, regret
from orchestrator.export.kinds import Form, Judged, pairs
from orchestrator.export.manifest import manifest
from orchestrator.export.pipeline import prepare
from orchestrator.export.reward_source import answered, worth
from orchestrator.export.select import Samples, weight
from orchestrator.export.source import opened
from orchestrator.export.wanted import Wanted
from orchestrator.ratings.quality import Graded
from tests.export.played import exported, played

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """All decisions of both records by their ids."""
    found = {}
    for name in ("models", "bots"):
        with opened(played(name)) as source:
            found |= {row["decision_id"]: row for row in source.decisions()}
    return found


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def row(**columns: Any) -> Row:
    made = dict.fromkeys(DECISIONS)
    made.update(
        decision_id="r-1a-000",
        system_prompt="Rules.",
        prompt="Move?",
        prompt_template="terse open",
        legal_actions=[3, 5, 8],
        legal_texts=["a1", "b2", "c3"],
        action=5,
        action_index=1,
        parse_status="ok",
        legal_first_try=True,
        was_fallback=False,
        reasoning_kind="none",
    )
    return made | columns


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_what_was_written_or_the_move_alone() -> None:
    told = row(response='I see.\n{"action": 5}', reasoning="Hm.", reasoning_kind="summary")
    assert kinds.answer(told, Form()) == Answer('I see.\n{"action": 5}', "Hm.", "summary")
    assert kinds.answer(told, Form("move")).text == '{"action": 5}'
    assert kinds.answer(row(prompt_template="terse rules"), Form()).text == '{"move": "b2"}'
    assert kinds.answer(row(legal_texts=["1", "2", "4"]), Form()).text == '{"action": 2}'


def test_thoughts_of_a_solver_never_pass_for_a_models_own() -> None:
    solved = row(q_solver=[0.0, 1.0, -1.0])
    assert kinds.answer(solved, Form()).reasoning == ""
    assert kinds.answer(solved, Form(solver_thoughts=True)) == Answer(
        '{"action": 5}', "a1= b2+ c3-", "solver"
    )
    own = solved | {"reasoning": "Mine.", "reasoning_kind": "raw"}
    assert kinds.answer(own, Form(solver_thoughts=True)).reasoning_kind == "raw"


def test_every_answer_of_an_export_names_the_move_that_was_played(rows: dict[str, Row]) -> None:
    for each in rows.values():
        if each["action"] is None or each["was_fallback"]:
            continue
        extra = kinds.rl_prompt(each, "train").extra
        for words in ("whole", "move"):
            text = kinds.answer(each, Form(words)).text
            move = answered(text, extra["legal"], extra["notation"], extra["track"])
            assert move is not None and extra["notation"][extra["legal"].index(move)] == each["action_text"]


# ── best of n ────────────────────────────────────────────────────────────────────────────────────────


def test_at_most_so_many_to_a_question_the_shortest_of_equally_good_first(
    tmp_path: Path, rows: dict[str, Row]
) -> None:
    exported(tmp_path, "sft", per_question=1, dedup=False, filters=("own",))
    told = {each["decision_id"]: each for each in read(tmp_path / "train.ids.jsonl")}
    questions: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for each in rows.values():
        if each["action"] is not None and not each["was_fallback"]:
            questions[each["system_prompt"], each["prompt"]].append(each)
    chosen = [rows[name] for name in told]
    assert len({(each["system_prompt"], each["prompt"]) for each in chosen}) == len(chosen)
    several = 0
    for each in chosen:
        others = questions[each["system_prompt"], each["prompt"]]
        several += len(others) > 1
        best = min(max((regret(one) or 0.0) - EPSILON, 0.0) for one in others)
        assert max((regret(each) or 0.0) - EPSILON, 0.0) == best
        alike = [one for one in others if max((regret(one) or 0.0) - EPSILON, 0.0) == best]
        assert length(each) == min(map(length, alike))
        assert told[each["decision_id"]]["rank"] == 1
    assert several > 5


def length(each: Row) -> int:
    return len(each["response"] or "") + len(each["reasoning"] or "")


def test_of_rows_that_say_the_same_the_shortest_stands_for_all(tmp_path: Path, rows: dict[str, Row]) -> None:
    made = exported(tmp_path, "sft", "fireworks", filters=("own",), per_question=99)
    alike: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for each in rows.values():
        if each["action"] is not None and not each["was_fallback"]:
            alike[each["position_hash"], each["prompt_sha"], each["action_text"]].append(each)
    weights = set()
    for one, row_ in zip(read(tmp_path / "train.ids.jsonl"), read(tmp_path / "train.jsonl"), strict=True):
        each = rows[one["decision_id"]]
        same = alike[each["position_hash"], each["prompt_sha"], each["action_text"]]
        assert length(each) == min(map(length, same))
        assert row_["weight"] == pytest.approx(1 + math.log(min(len(same), 20)), abs=1e-3)
        weights.add(row_["weight"])
    assert len(weights) > 1 and made.choice.steps["different"] < made.choice.steps["passed"]
    assert weight(1) == 1.0 and weight(20) == weight(10_000) < 4.1
    exported(tmp_path / "all", "sft", "fireworks", filters=("own",), per_question=99, dedup=False)
    assert {each["weight"] for each in read(tmp_path / "all" / "train.jsonl")} == {1.0}


def test_ranks_and_pass_rates_tell_of_all_answers_also_those_that_were_dropped(
    tmp_path: Path, rows: dict[str, Row]
) -> None:
    exported(tmp_path, "sft", per_question=3)
    verdicts: defaultdict[tuple[str, str], list[bool | None]] = defaultdict(list)
    for each in rows.values():
        verdicts[each["system_prompt"], each["prompt"]].append(kinds.passed(each, EPSILON))
    ranks: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    rates = set()
    for told in read(tmp_path / "train.ids.jsonl"):
        each = rows[told["decision_id"]]
        question = each["system_prompt"], each["prompt"]
        known = [verdict for verdict in verdicts[question] if verdict is not None]
        assert told["n_samples"] == len(verdicts[question])
        assert told["pass_rate"] == (sum(known) / len(known) if known else None)
        ranks[question].append(told["rank"])
        rates.add(told["pass_rate"])
    assert all(sorted(each) == list(range(1, len(each) + 1)) for each in ranks.values())
    assert any(rate is not None and 0 < rate < 1 for rate in rates)


def test_whether_a_question_was_answered_well() -> None:
    assert kinds.passed(row(regret_solver=0.0), EPSILON) is True
    assert kinds.passed(row(regret_search=0.04), EPSILON) is True
    assert kinds.passed(row(regret_solver=1.0), EPSILON) is False
    assert kinds.passed(row(), EPSILON) is None
    assert kinds.passed(row(regret_solver=0.0, legal_first_try=False), EPSILON) is False
    samples = Samples()
    for well in (True, False, None):
        samples.see(b"q", well)
    assert (samples.answers[b"q"], samples.rate(b"q"), samples.rate(b"other")) == (3, 0.5, None)


def test_prompts_for_rewards_carry_their_curriculum(tmp_path: Path, rows: dict[str, Row]) -> None:
    exported(tmp_path, "rl-prompts")
    found = read(tmp_path / "train.jsonl")
    assert len({json.dumps(each["prompt"]) for each in found}) == len(found)
    asked = Counter((each["system_prompt"], each["prompt"]) for each in rows.values())
    for each in found:
        own = rows[each["decision_id"]]
        assert each["n_samples"] == asked[own["system_prompt"], own["prompt"]]
        assert each["pass_rate"] is None or 0 <= each["pass_rate"] <= 1
    assert any(each["pass_rate"] not in (None, 0, 1) for each in found)


def test_the_reward_of_what_was_played_is_its_accuracy(tmp_path: Path, rows: dict[str, Row]) -> None:
    exported(tmp_path, "rl-prompts")
    graded = 0
    for told in read(tmp_path / "train.jsonl"):
        each = rows[told["decision_id"]]
        if each["action"] is None or each["was_fallback"]:
            continue
        said = kinds.answer(each, Form()).text
        paid = worth(said, told["legal"], told["move_values"], told["notation"], told["track"])
        if each["q_solver"] is None:
            assert (paid, told["move_values"]) == (1.0, "null")
            continue
        known = Graded("", each["q_solver"], each["q_solver"][each["action_index"]])
        assert known.regret == pytest.approx(each["regret_solver"])
        assert paid == pytest.approx(1 - known.regret / known.stake if known.stake else 1.0)
        graded += 1
    assert graded > 50


def test_a_table_with_hidden_cards_is_rewarded_by_its_search(tmp_path: Path) -> None:
    exported(tmp_path, "rl-prompts", "trl", played("cards"), formats=("jsonl",))
    with opened(played("cards")) as source:
        table = {each["decision_id"]: each for each in source.decisions()}
    told = read(tmp_path / "train.jsonl")
    assert len(told) > 50 and {each["game"] for each in told} == {"blob"}
    for each in told:
        own = table[each["decision_id"]]
        assert own["n_players"] == 3
        if own["q_search"] is None:
            continue
        assert each["values_by"].startswith("ismcts:30")
        known = Graded("", own["q_search"], own["q_search"][own["action_index"]])
        paid = worth(
            kinds.answer(own, Form()).text,
            each["legal"],
            each["move_values"],
            each["notation"],
            each["track"],
        )
        assert paid == pytest.approx(1 - known.regret / known.stake if known.stake else 1.0)


# ── pairs ────────────────────────────────────────────────────────────────────────────────────────────


def judged(lost: float, move: str, player: str = "p", error: float = 0.0) -> Judged:
    return Judged(lost, error, player, move)


def test_a_pair_is_the_best_against_the_worst() -> None:
    answers = [judged(1.0, "b"), judged(0.0, "a"), judged(2.0, "c"), judged(0.0, "d")]
    assert pairs(answers, 0.5, 1) == [(1, 2)]
    assert pairs(answers, 0.5, 2) == [(1, 2), (3, 0)]
    assert pairs(answers, 1.5, 2) == [(1, 2)]
    assert pairs(answers[:1] * 3, 0.5, 2) == []


def test_two_answers_of_one_player_come_first() -> None:
    answers = [judged(0.0, "a", "one"), judged(2.0, "c", "two"), judged(1.0, "b", "one")]
    assert pairs(answers, 0.5, 1) == [(0, 2)]


def test_no_two_pairs_set_the_same_moves_against_each_other() -> None:
    answers = [judged(0.0, "a"), judged(0.0, "a"), judged(2.0, "c"), judged(2.0, "c")]
    assert len(pairs(answers, 0.5, 2)) == 1


def test_searched_values_are_two_standard_errors_apart() -> None:
    few, many = ([judged(0.0, "a", error=wide), judged(0.6, "b", error=wide)] for wide in (0.25, 0.2))
    assert pairs(few, 0.5, 1) == []
    assert pairs(many, 0.5, 1) == [(0, 1)]


def test_the_standard_error_of_a_value() -> None:
    searched = row(q_search=[0.5, 0.0, 1.0], visits=[10, 100, 25])
    assert kinds.error(searched) == pytest.approx(0.1)
    assert kinds.error(searched | {"action_index": 2}) == pytest.approx(1 / 25)
    assert kinds.error(searched | {"visits": [10, 0, 25]}) == math.inf
    assert kinds.error(searched | {"visits": None}) == math.inf
    assert kinds.error(row(q_solver=[0.0, 1.0, 0.0])) == 0.0


def test_pairs_answer_one_question_and_change_the_result(tmp_path: Path, rows: dict[str, Row]) -> None:
    made = exported(tmp_path, "pref")
    questions: Counter[tuple[str, str]] = Counter()
    for told, written in zip(read(tmp_path / "train.ids.jsonl"), read(tmp_path / "train.jsonl"), strict=True):
        good, bad = (rows[name] for name in told["ids"])
        question = good["system_prompt"], good["prompt"]
        assert question == (bad["system_prompt"], bad["prompt"])
        assert [message["content"] for message in written["prompt"]] == list(question)
        assert bad["regret_solver"] - good["regret_solver"] >= 0.5
        assert good["action"] != bad["action"]
        questions[question] += 1
    assert 1 <= max(questions.values()) <= 2 and len(questions) > 10
    lengths = manifest(made, "")["mean_bytes"]
    assert set(lengths) == {"chosen", "rejected"} and min(lengths.values()) > 0


def test_questions_that_differ_make_no_pair() -> None:
    with pytest.raises(ValueError, match="different questions"):
        kinds.pref(row(), row(prompt="Another?"), Form(), "train")


def test_form_is_learnt_apart_from_strategy(tmp_path: Path, rows: dict[str, Row]) -> None:
    exported(tmp_path, "format-pref", per_question=99)
    told, written = read(tmp_path / "train.ids.jsonl"), read(tmp_path / "train.jsonl")
    assert len(told) > 10
    for name, pair in zip(told, written, strict=True):
        each = rows[name["decision_id"]]
        assert each["parse_status"] == "reasked" and each["attempt"] > 1
        extra = kinds.rl_prompt(each, "train").extra
        chosen, rejected = (
            answered(pair[side][0]["content"], extra["legal"], extra["notation"], extra["track"])
            for side in ("chosen", "rejected")
        )
        assert chosen is not None and rejected is None
        assert pair["chosen"][0]["content"] == each["response"]
        assert pair["rejected"][0]["content"] == each["first_response"]
        assert "think" not in str(pair["chosen"])
    reasked = [each for each in rows.values() if each["parse_status"] == "reasked"]
    made = prepare(Wanted(kind="format-pref", target="trl", runs=(played(),), per_question=99))
    assert (
        made.choice.steps["reasked"]
        == len(made.choice.chosen)
        == sum(bool(each["first_response"].strip()) for each in reasked)
    )


def test_who_was_not_asked_again_has_no_first_answer(rows: dict[str, Row]) -> None:
    assert all((each["first_response"] is None) == (each["attempt"] == 1) for each in rows.values())


# ── kto ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        ({"regret_solver": 0.0}, True),
        ({"regret_solver": 0.3}, None),
        ({"regret_solver": 1.0}, False),
        ({"regret_search": 0.5}, False),
        ({}, None),
        ({"regret_solver": 1.0, "was_fallback": True}, None),
        ({"regret_solver": 1.0, "action": None}, None),
    ],
)
def test_labels(columns: Row, label: bool | None) -> None:
    assert kinds.label(row(**columns), EPSILON, 0.5) is label
