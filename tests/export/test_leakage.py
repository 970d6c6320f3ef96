"""What held-out parts share with training: measured on real play, and found where it is."""

from __future__ import annotations

import random
import re

import pytest

import engine
from orchestrator.export.leakage import leakage
from orchestrator.export.sketch import NEAR, Sketches, sketch
from orchestrator.export.source import opened
from orchestrator.export.splits import Policy
from tests.export.exports import played, prepared

PARTS = ("validation", "test")


def shares(made, measure: str) -> list[float]:
    told = leakage(made.choice.picks.values())
    assert all(told[part][measure]["rows"] > 20 for part in PARTS), "too few rows to say anything"
    return [told[part][measure]["share"] for part in PARTS]


@pytest.mark.parametrize(("game", "pairs"), [("connect4", 40), ("tictactoe", 150), ("blob", 8)])
def test_no_position_and_nothing_that_a_seat_knew_is_in_two_parts(tmp_path, game, pairs) -> None:
    run = played(tmp_path, game=game, pairs=pairs)
    made = prepared(run, filters=(), policy=Policy(shares=(0.5, 0.25, 0.25)))
    assert shares(made, "position_class") == [0.0, 0.0]
    assert shares(made, "prompt") == [0.0, 0.0]
    if game == "blob":
        assert shares(made, "deal") == [0.0, 0.0]

    by_match = prepared(run, filters=(), policy=Policy("match", (0.5, 0.25, 0.25)))
    assert shares(by_match, "match") == [0.0, 0.0]
    assert min(shares(by_match, "position_class")) > 0


@pytest.mark.parametrize("game", ["connect4", "tictactoe", "blob"])
def test_the_rows_themselves_say_so_too(tmp_path, game) -> None:
    """Beside the hashes of the measure: the classes as the engine tells them, of the rows as they are written."""
    run = played(tmp_path, game=game, pairs=8 if game == "blob" else 30)
    made = prepared(run, filters=(), policy=Policy(shares=(0.5, 0.25, 0.25)))
    where: dict[bytes, set[str]] = {}
    with opened(run) as source:
        rows = {row["decision_id"]: row for row in source.decisions()}
    for one in made.choice.chosen:
        row = rows[one.ids[0]]
        position = engine.from_bytes(bytes.fromhex(row["state"]))
        hidden = position.hidden_information()
        knew = position.infoset_class(row["seat"]) if hidden else position.position_class()
        where.setdefault(knew, set()).add(one.split)
    assert not [parts for parts in where.values() if "train" in parts and len(parts) > 1]
    assert set().union(*where.values()) == {"train", "validation", "test"}


def test_a_mirrored_board_goes_with_its_mirror_image(tmp_path) -> None:
    run = played(tmp_path, pairs=30, opening=0)
    made = prepared(run, filters=(), dedup=False)
    with opened(run) as source:
        boards = {row["decision_id"]: bytes.fromhex(row["state"]) for row in source.decisions()}
    seen: dict[bytes, str] = {}
    mirrored = 0
    for one in made.choice.chosen:
        position = engine.from_bytes(boards[one.ids[0]])
        own, told = position.position_bytes(), position.position_class()
        if told in seen:
            assert one.split == seen[told]
            mirrored += own != told
        seen[told] = one.split
    assert mirrored > 0


@pytest.mark.parametrize("pinned", [0, 1, 3])
def test_first_plies_train(tmp_path, pinned) -> None:
    run = played(tmp_path, game="tictactoe", pairs=60, opening=0)
    made = prepared(run, filters=(), policy=Policy(shares=(0.1, 0.1, 0.8), pin_plies=pinned))
    split = {one.ids[0]: one.split for one in made.choice.chosen}
    with opened(run) as source:
        early = [
            row for row in source.decisions() if row["ply"] < max(pinned, 1) and row["decision_id"] in split
        ]
    assert early
    if pinned:
        assert {split[row["decision_id"]] for row in early} == {"train"}
    assert "test" in set(split.values())
    assert shares_of(made) == 0.0


def shares_of(made) -> float:
    return leakage(made.choice.picks.values())["test"]["position_class"]["share"]


def test_a_split_that_leaks_is_told(tmp_path) -> None:
    """By pair every first position is in all parts: nearly the measured 99.8 to 100 %."""
    run = played(tmp_path, game="tictactoe", pairs=60, opening=0)
    made = prepared(run, filters=(), dedup=False, per_question=10_000, policy=Policy("pair"))
    assert shares(made, "pair") == [0.0, 0.0]
    assert min(shares(made, "position_class")) > 0.5


# ── texts that are nearly the same ───────────────────────────────────────────────────────────────────

WORDS = re.findall(
    r"\w+",
    "the centre column makes the most lines so I play there first and then look whether my opponent builds three "
    "in a row on the left which I would have to block at once or else lose the game on the next move of theirs",
)


def text(seed: int, words: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def test_a_text_with_one_word_changed_is_near_and_another_is_not() -> None:
    train = [text(seed) for seed in range(50)]
    index = Sketches(map(sketch, train))
    changed = []
    for each in train:
        words = each.split()
        words[60] = "elsewhere"
        changed.append(" ".join(words))
    assert sum(index.have_near(sketch(each)) for each in changed) >= 45
    assert all(index.have_near(sketch(each.upper() + "!")) for each in train)
    assert not any(index.have_near(sketch(text(seed))) for seed in range(1000, 1200))


def test_short_texts_are_near_only_where_they_are_equal() -> None:
    index = Sketches([sketch("I take the centre."), sketch("4")])
    assert index.have_near(sketch("i take the centre"))
    assert not index.have_near(sketch("I take the corner."))
    assert not index.have_near(sketch("5"))
    assert sketch("  … ") == b"" and 0 < NEAR <= 16
