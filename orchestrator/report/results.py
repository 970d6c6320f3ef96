"""What came of each run: the duels and tables with their statistics of pairs, the runs for data with what they met.

Everything is that of the run's own summary, so that a report says what the screen said when the run ended, in the
same sentences. Runs are not joined here; over runs stand the ratings.

Beside the sequential test stands the rule that self-play pipelines promote a new network by, more than 55 % of the
points of a fixed number of matches (Silver et al., Nature 550, 2017, for 400 of them): one line says what each would
decide, and how often that rule would promote an equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    "Elo, nElo (normalised by a pair's standard deviation) and LOS (the chance of being the better one) are from "
    "complete pairs, with 95 % intervals; wins, draws and losses are of all finished matches.",
)
PAIR_NOTES = (
    "0 to 2: complete pairs by the player's points; different: without exact repeats of another.",
    "First seat: what moving first is worth between equals. Variance left: that of the mean with pairs, over that of "
    "as many matches without.",
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
    if told.get("shape"):
        lines.append(gates(told))
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


def gates(told: Mapping[str, Any]) -> str:
    """What the rule of 55 % and a sequential test would each decide of the first player, from the pairs that count."""
    counts, matches = told["shape"]["counts"], 2 * told["pairs"]
    label = " ".join(told["players"][0]["label"].split())
    points = sum(number * half for half, number in enumerate(counts)) / 2
    passes = points > MARK * matches
    rule = f"{words.percent(points, matches)} of the points of {words.plural(matches, 'match', 'matches')}"
    if matches <= EXACT:
        draws = min(told["shape"]["draws"], MOST_DRAWS)
        equal, so = (promoted(matches, score, draws) for score in (0.5, MARK))
        chances = words.percent(equal, 1), words.percent(so, 1)
        rule += ", which an equal passes {} of the time and a true 55 % {}".format(*chances)
    return (
        f"As a gate for {label}: more than 55 % {'promotes' if passes else 'does not promote'} ({rule}); "
        f"{_sequential(told, counts)}."
    )


def _sequential(told: Mapping[str, Any], counts: Sequence[int]) -> str:
    """What the duel's own test says, or one of an equal against a player of 55 % over the same pairs."""
    test = told["test"]
    if test and test["rule"] == "sprt":
        what, outcome = "its own test", test["outcome"]
    else:
        rule = Sprt(0, round(elo(MARK)))
        ratio = rule.llr(counts, told["shape"]["independent"])
        low, high = rule.bounds
        outcome = "H1" if ratio >= high else "H0" if ratio <= low else None
        what = f"a test of +0 against {rule.elo1:+g} Elo"
    decides = {"H1": "promotes", "H0": "does not promote"}.get(outcome or "", "is undecided")
    return f"{what} {decides}"
