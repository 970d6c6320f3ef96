"""What came of each run: the duels and tables with their statistics of pairs, the runs for data with what they met.

Everything is that of the run's own summary, so that a report says what the screen said when the run ended, in the
same sentences. Runs are not joined here; over runs stand the ratings.

Beside the sequential test stands the rule that self-play pipelines promote a new network by, more than 55 % of the
points of a fixed number of matches (Silver et al., Nature 550, 2017, for 400 of them): it is said what each would
decide, and how often that rule would promote an equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from orchestrator import words
from orchestrator.ratings.pairs import elo, expected
from orchestrator.ratings.sprt import Sprt, promoted
from orchestrator.remarks import remarks, stand_ins, verdict
from orchestrator.report.section import Column, Estimated, Run, Section, Table, Value, told_apart
from orchestrator.request import DuelRequest, GenerateRequest
from orchestrator.summary import summary

MARK = 0.55  # of the points
MOST_DRAWS = 0.89  # of matches: more leave no room for a score of 55 %
EXACT = 200  # matches up to which the chance to be promoted is summed up outcome by outcome

DUELS = (
    Column("run"), Column("game"), Column("player"), Column("against"), Column("pairs", "count"),
    Column("matches", "count"), Column("voids", "count"), Column("wins", "count"), Column("draws", "count"),
    Column("losses", "count"), Column("score", "share"), Column("Elo", "elo"), Column("nElo", "elo"),
    Column("LOS", "share"),
)  # fmt: skip
PAIRS = (
    Column("run"), Column("player"), Column("0", "count"), Column("½", "count"), Column("1", "count"),
    Column("1½", "count"), Column("2", "count"), Column("different", "count"), Column("drawn", "share"),
    Column("first seat", "elo"), Column("variance left", "share"),
)  # fmt: skip
TESTS = (
    Column("run"), Column("rule"), Column("LLR", "signed"), Column("accepts H0 at", "signed"),
    Column("accepts H1 at", "signed"), Column("outcome"), Column("pairs", "count"), Column("beyond", "count"),
)  # fmt: skip
GATES = (
    Column("run"), Column("player"), Column("against"), Column("score", "share"), Column("more than 55 %"),
    Column("an equal passes", "share"), Column("a true 55 % passes", "share"), Column("a sequential test"),
)  # fmt: skip
SEATED = (
    Column("run"), Column("game"), Column("player"), Column("score", "share"), Column("rank", "number"),
    Column("points", "number"), Column("first", "number"), Column("matches", "count"), Column("forfeits", "count"),
)  # fmt: skip
DATA = (
    Column("run"), Column("model"), Column("against"), Column("game"), Column("games", "count"),
    Column("won", "share"), Column("drawn", "share"), Column("lost", "share"), Column("legal", "share"),
    Column("helped", "share"), Column("forfeits", "count"), Column("$/game", "usd"), Column("plies", "number"),
    Column("decisions", "count"),
)  # fmt: skip


def sections(runs: Sequence[Run]) -> list[Section]:
    """One, of all runs that compare players or made data; none without such."""
    told = [(name(run), summary(run.result)) for run in runs if run.result.run.kind in KINDS]
    if not told:
        return []
    two = [each for each in told if len(each[1]["players"]) == 2 and "lines" not in each[1]]
    rated = [each for each in two if each[1]["shape"]]
    tables = [
        Table("duels", "Duels", DUELS, [_duel(*each) for each in two], DUEL_NOTES),
        Table("pairs", "What the pairs look like", PAIRS, [_pairs(*each) for each in rated], PAIR_NOTES),
        Table("tests", "Rules to stop by", TESTS, [_test(*each) for each in two if each[1]["test"]]),
        Table("gates", "Would it be promoted?", GATES, [_gate_row(*each) for each in rated], GATE_NOTES),
        Table("tables", "Tables", SEATED, [row for each in told for row in _seated(*each)], SEATED_NOTES),
        Table("data", "Runs for data", DATA, [row for each in told for row in _met(*each)], DATA_NOTES),
    ]
    says = [line for each in told for line in _says(*each, several=len(told) > 1)]
    return [
        Section(
            "results",
            "Results",
            says,
            [told_apart(table, "run", len(told)) for table in tables if table.rows],
        )
    ]


KINDS = (DuelRequest.KIND, GenerateRequest.KIND)
DUEL_NOTES = (
    "Score, Elo, nElo (normalised by a pair's standard deviation) and LOS (the chance of being the better one) are "
    "from complete pairs up to where a rule stopped, with 95 % intervals; wins, draws and losses are of all finished "
    "matches.",
)
PAIR_NOTES = (
    "0 to 2: complete pairs by the player's points; different: without exact repeats of another.",
    "First seat: what moving first is worth between equals. Variance left: that of the mean with pairs, over that of "
    "as many matches without.",
)
GATE_NOTES = (
    "More than 55 % of the points promotes, whatever the number of matches: how often an equal and a player that truly "
    "scores 55 % pass that; and what a sequential test says of the same pairs.",
)
SEATED_NOTES = (
    "Score: the share of opponents beaten, ties half, with its 95 % interval over deals; rank and points are means; "
    "first: first places, a shared one by its share.",
)
DATA_NOTES = ("Legal: decisions with a legal move at first; helped: after asking again.",)


def name(run: Run) -> str:
    """Its directory's, by which people know it."""
    return (run.path if run.path.suffix != ".db" else run.path.absolute().parent).name or str(run.path)


def _says(run: str, told: Mapping[str, Any], *, several: bool) -> Iterator[str]:
    lines = [*stand_ins(told)]
    if "lines" not in told:
        lines += [verdict(told)]
    lines += remarks({**told, "shape": None} if several else told)  # of several runs the table has it
    if told.get("shape") and not several:
        lines.append(_gate_sentence(told))
    yield from (f"{run}: {line}" if several else line for line in lines)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _duel(run: str, told: Mapping[str, Any]) -> list[Value]:
    one, other = told["players"]
    return [
        run, told["game"], one["label"], other["label"], told["pairs"], told["matches"], told["voids"],
        one["wins"], one["draws"], one["losses"], _score(told), within(told, "elo"), within(told, "nelo"), told["los"],
    ]  # fmt: skip


def _score(told: Mapping[str, Any]) -> Value:
    """Its ends are those of the Elo, which are honest about stopping; its middle is the plain mean."""
    if told["elo"] is None:
        return None
    low, high = expected(told["elo_low"]), expected(told["elo_high"])
    return Estimated(min(low, told["score"]), told["score"], max(high, told["score"]))


def within(told: Mapping[str, Any], what: str) -> Estimated | None:
    """A figure of a summary with its interval; None where there is none."""
    value = told[what]
    return None if value is None else Estimated(told[f"{what}_low"], value, told[f"{what}_high"])


def _pairs(run: str, told: Mapping[str, Any]) -> list[Value]:
    shape = told["shape"]
    seat = Estimated(shape["seat_low"], shape["seat_elo"], shape["seat_high"])
    label = told["players"][0]["label"]
    return [run, label, *shape["counts"], told["distinct_pairs"], shape["draws"], seat, shape["gain"]]


def _test(run: str, told: Mapping[str, Any]) -> list[Value]:
    test = told["test"]
    if test["rule"] == "until-ci":
        rule = f"until ±{test['half']:g} Elo"
        if test["useful"] is not None:
            rule += f", or surely less than {test['useful']:+g}"
    else:
        rule = f"{test['elo0']:+g} against {test['elo1']:+g} {'nElo' if test['unit'] == 'nelo' else 'Elo'}"
    bounds = [test.get(part) for part in ("llr", "llr_low", "llr_high")]
    return [run, rule, *bounds, test["outcome"] or "undecided", test["pairs"], told["beyond"]]


def _seated(run: str, told: Mapping[str, Any]) -> list[list[Value]]:
    """The players of a table of more than two, the best first."""
    if "lines" in told or len(told["players"]) < 3:
        return []
    return [
        [
            run, told["game"], player["label"], within(player, "score"), player["rank"], player["points"],
            player["firsts"], player["wins"] + player["draws"] + player["losses"], player["forfeits"],
        ]
        for player in sorted(told["players"], key=lambda player: -(player["score"] or 0))
    ]  # fmt: skip


def _met(run: str, told: Mapping[str, Any]) -> list[list[Value]]:
    return [
        [
            run, line["model"], ", ".join(line["against"]), line["game"], line["games"], line["win"], line["draw"],
            line["loss"], line["legal"], line["helped"], sum(line["forfeits"].values()),
            None if line["unpriced_calls"] else line["cost_per_game_usd"], line["plies"], line["decisions"],
        ]
        for line in told.get("lines", ())
    ]  # fmt: skip


# ── two ways to promote ──────────────────────────────────────────────────────────────────────────────


class Gate(NamedTuple):
    """What the rule of 55 % and a sequential test would each decide of a duel's first player."""

    share: float  # of the points
    passes: bool
    chances: tuple[float, float] | None  # that an equal and a true 55 % pass; None of many matches
    test: str
    decides: Literal["promotes", "does not promote", "is undecided"]


def gate(told: Mapping[str, Any]) -> Gate:
    """From the pairs that count."""
    counts, matches = told["shape"]["counts"], 2 * told["pairs"]
    points = sum(number * half for half, number in enumerate(counts)) / 2
    chances = None
    if matches <= EXACT:
        draws = min(told["shape"]["draws"], MOST_DRAWS)
        chances = promoted(matches, 0.5, draws), promoted(matches, MARK, draws)
    test = told["test"]
    if test and test["rule"] == "sprt":
        what, outcome = "its own test", test["outcome"]
    else:
        rule = Sprt(0, round(elo(MARK)))
        ratio, (low, high) = rule.llr(counts, told["shape"]["independent"]), rule.bounds
        outcome = "H1" if ratio >= high else "H0" if ratio <= low else ""
        what = f"a test of {rule}"
    passes = points > MARK * matches
    return Gate(points / matches, passes, chances, what, DECIDES.get(outcome or "", "is undecided"))


DECIDES: Mapping[str, Literal["promotes", "does not promote"]] = {"H1": "promotes", "H0": "does not promote"}


def _gate_row(run: str, told: Mapping[str, Any]) -> list[Value]:
    found, (one, other) = gate(told), told["players"]
    by_rule = "promotes" if found.passes else "does not promote"
    equal, so = found.chances or (None, None)
    return [
        run,
        one["label"],
        other["label"],
        found.share,
        by_rule,
        equal,
        so,
        f"{found.test} {found.decides}",
    ]


def _gate_sentence(told: Mapping[str, Any]) -> str:
    found, matches = gate(told), words.plural(2 * told["pairs"], "match", "matches")
    rule = f"{words.percent(found.share, 1)} of the points of {matches}"
    if found.chances:
        equal, so = (words.percent(chance, 1) for chance in found.chances)
        rule += f", which an equal passes {equal} of the time and a true 55 % {so}"
    label = " ".join(told["players"][0]["label"].split())
    by_rule = "promotes" if found.passes else "does not promote"
    return f"As a gate for {label}: more than 55 % {by_rule} ({rule}); {found.test} {found.decides}."
