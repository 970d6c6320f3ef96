"""What a run says at its end, as plain JSON values: results with their interval, and the bill.

Two players have an Elo difference (`elo`); a table of more has none, but says by how much the first of it is
ahead of the second (`lead`, in shares of opponents beaten). A run for data compares nobody: it says of every
model, against whom and in what, how much there is and of what kind (`lines`). An ablation says of every arm how it
stands to the control (`arms`). A tournament has a rank for everybody (`ranking`) and who met whom how often
(`meetings`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.ablation import Arm, Held, ablation, beside, differs, repeated, said
from orchestrator.programme import SELF, game_text
from orchestrator.ranking import ranking
from orchestrator.ratings.pairs import Repeats, estimate
from orchestrator.ratings.pentanomial import Sides, shape
from orchestrator.ratings.shares import lead, share
from orchestrator.record.reading import Board, Played, RunResult, Standing
from orchestrator.record.tables import Player
from orchestrator.request import KINDS
from orchestrator.stopped import stopped

NO_MODELS = ("bot", "human", "policy")


def summary(result: RunResult) -> dict[str, Any]:
    """The last event of a run: plain JSON values."""
    of_kind = {
        "generate": _of_data,
        "ablate": _of_an_ablation,
        "probe": _of_a_probe,
        "tournament": _of_a_tournament,
    }
    return of_kind.get(result.run.kind, _of_a_duel)(result)


def _of_a_duel(result: RunResult) -> dict[str, Any]:
    two = _of_two(result) if len(result.standings) == 2 else dict.fromkeys(OF_TWO)
    return {
        "run": result.run.id,
        "output": str(result.path),
        "game": result.boards[0].game,
        "status": result.run.status,
        "stopped": result.run.reason or None,
        "pairs": len(result.pairs),
        "distinct_pairs": result.distinct_pairs,
        "beyond": 0,
        "matches": result.finished,
        "planned": result.run.request["pairs"] * len(result.standings),
        "voids": result.voids,
        "repeats": result.repeats,
        "players": [_player_summary(standing) | _share(result, standing) for standing in result.standings],
        "lead": _lead(result) if len(result.standings) > 2 else None,
        **_bill(result.standings),
        **two,
    }


OF_TWO = ("score", "elo", "elo_low", "elo_high", "nelo", "nelo_low", "nelo_high", "los", "shape", "test")


def _of_two(result: RunResult) -> dict[str, Any]:
    """The estimate from the pairs that count: all, or those that a rule to stop by has seen.

    Elo is then what the rule says of it, which is honest about stopping.
    """
    rule = stopped(result)
    complete = {pair: sides for pair, sides in _sides(result).items() if len(sides) == 2}
    counted = [complete[pair] for pair in (rule.counted if rule else sorted(complete))]
    repeats = Repeats(frozenset((match.sat, match.went) for match in sides) for sides in counted)
    pairs = [Sides(*(match.scores[1] for match in _first_first(sides))) for sides in counted]
    found = estimate([sum(pair) / 2 for pair in pairs], repeats.independent) if pairs else None
    if found is None:
        return dict.fromkeys(OF_TWO)
    elo = {"elo": found.elo, "elo_low": found.elo_low, "elo_high": found.elo_high}
    test = rule.report() if rule else None
    if test is not None:
        elo = {name: test[name] for name in elo}
    nelo = {"nelo": found.nelo, "nelo_low": found.nelo_low, "nelo_high": found.nelo_high}
    return {
        "pairs": len(counted),
        "distinct_pairs": repeats.different,
        "beyond": len(complete) - len(counted),
        "score": found.score,
        **{name: round(value, 1) for name, value in (elo | nelo).items()},
        "los": round(found.los, 4),
        "shape": _shape(pairs, repeats.independent),
        "test": test,
    }


def _shape(pairs: list[Sides], independent: float) -> dict[str, Any] | None:
    found = shape(pairs, independent)
    if found is None:
        return None
    return {
        "counts": list(found.counts),
        "independent": round(independent, 3),
        "draws": found.draws,
        "seat_low": round(found.seat.low, 1),
        "seat_elo": round(found.seat.elo, 1),
        "seat_high": round(found.seat.high, 1),
        "gain": found.gain,
    }


def _sides(result: RunResult) -> dict[int, list[Played]]:
    """The finished matches of every pair."""
    found: dict[int, list[Played]] = {}
    for match in result.matches:
        if match.scores:
            found.setdefault(match.pair, []).append(match)
    return found


def _first_first(sides: Iterable[Played]) -> list[Played]:
    """The match first in which player 1 moves first."""
    return sorted(sides, key=lambda match: match.sat.index(1))


def _bill(standings: Iterable[Standing]) -> dict[str, float]:
    sure, possibly = zip(
        *((standing.cost_pico, standing.possibly_pico) for standing in standings), strict=True
    )
    return {"cost_usd": sum(sure) / 1e12, "possibly_billed_usd": sum(possibly) / 1e12}


# ── a run for data ───────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Line:
    """One model against certain others in one game, over all their boards; matches against itself count once."""

    model: Player
    against: tuple[str, ...]  # labels, or `self`
    game: str
    standing: Standing
    games: int = 0
    plies: int = 0


def lines(result: RunResult) -> list[Line]:
    """In the order of the models, then of the boards."""
    found: dict[tuple[str, tuple[str, ...], str], Line] = {}
    for board in result.boards:
        for player in models(board):
            against, game = opponents(player, board), game_text(board.game, board.variant)
            key = player.hash, against, game
            line = found.setdefault(key, Line(player, against, game, Standing(player)))
            line.games += len(board.finished)
            line.plies += sum(match.plies for match in board.finished)
            for standing in board.standings:
                if standing.player.hash == player.hash:
                    line.standing += standing
    order = list(dict.fromkeys(standing.player.hash for standing in result.standings))
    games = list(dict.fromkeys(line.game for line in found.values()))
    return sorted(
        found.values(), key=lambda line: (order.index(line.model.hash), games.index(line.game), line.against)
    )


def models(board: Board) -> list[Player]:
    """Those who sit at a board and are asked in words, each once."""
    seated = {s.player.hash: s.player for s in reversed(board.standings) if s.player.kind not in NO_MODELS}
    return list(reversed(seated.values()))


def opponents(player: Player, board: Board) -> tuple[str, ...]:
    """Whom a player meets there, in words."""
    others = [s.player for s in board.standings if s.player.id != player.id]
    return tuple(sorted(SELF if other.hash == player.hash else plain(other) for other in others))


def plain(player: Player) -> str:
    """Its label without the number that tells it from those who play exactly as it does."""
    return re.sub(r" #\d+$", "", player.label)


def _as_one(standings: Iterable[Standing]) -> list[Standing]:
    """Players who play alike (a model and itself, an opponent who takes two seats) together."""
    found: dict[str, Standing] = {}
    for standing in standings:
        alike = standing.player.hash
        found[alike] = found[alike] + standing if alike in found else standing
    return list(found.values())


def _of_data(result: RunResult) -> dict[str, Any]:
    return {
        **_of_run(result),
        "decisions": sum(standing.asked for standing in result.standings),
        "players": [
            _player_summary(standing) | {"label": plain(standing.player)}
            for standing in _as_one(result.standings)
        ],
        "lines": [_line_summary(line) for line in lines(result)],
        **_bill(result.standings),
    }


def _of_run(result: RunResult) -> dict[str, Any]:
    """How far a run of several boards came."""
    return {
        "run": result.run.id,
        "kind": result.run.kind,
        "output": str(result.path),
        "game": ", ".join(dict.fromkeys(game_text(board.game, board.variant) for board in result.boards)),
        "status": result.run.status,
        "stopped": result.run.reason or None,
        "pairs": len(result.pairs),
        "distinct_pairs": result.distinct_pairs,
        "matches": result.finished,
        "planned": KINDS[result.run.kind].from_json(result.run.request).matches,
        "voids": result.voids,
        "repeats": result.repeats,
    }


def _line_summary(line: Line) -> dict[str, Any]:
    """`legal` is the share of decisions with a legal move at the first answer, `helped` that after asking again."""
    standing = line.standing
    return {
        "model": plain(line.model),
        "against": list(line.against),
        "game": line.game,
        "games": line.games,
        "plies": _share_of(line.plies, line.games),
        "decisions": standing.asked,
        "win": _share_of(standing.wins, standing.matches),
        "draw": _share_of(standing.draws, standing.matches),
        "loss": _share_of(standing.losses, standing.matches),
        "score": standing.score if standing.matches else None,
        "legal": _share_of(standing.asked - standing.wrong_first, standing.asked),
        "helped": _share_of(standing.asked - standing.fallbacks - standing.forfeits, standing.asked),
        "forfeits": dict(standing.faults.most_common()),
        "cost_usd": standing.cost_pico / 1e12,
        "cost_per_game_usd": _share_of(standing.cost_pico / 1e12, line.games),
        "unpriced_calls": standing.unpriced_calls,
    }


def _of_a_probe(result: RunResult) -> dict[str, Any]:
    """`matches` are questions that were answered or given up; intervals are low, mean and high."""
    from orchestrator.probe_record import answers, probed

    found = answers(result.path)
    players = []
    for standing in result.standings:
        label = standing.player.label
        player = probed(label, found.players[label], found.symmetries)
        ways = [way._asdict() for way in player.ways]
        players.append(_player_summary(standing) | {"ways": ways, "verdict": player.verdict})
    return {
        "run": result.run.id,
        "kind": result.run.kind,
        "output": str(result.path),
        "game": ", ".join(dict.fromkeys(game_text(board.game, board.variant) for board in result.boards)),
        "status": result.run.status,
        "stopped": result.run.reason or None,
        "matches": found.asked,
        "planned": found.planned,
        "voids": result.voids,
        "decisions": sum(standing.decisions for standing in result.standings),
        "players": players,
        **_bill(result.standings),
    }


def _share_of(part: float, whole: int) -> float | None:
    return part / whole if whole else None


# ── an ablation ──────────────────────────────────────────────────────────────────────────────────────


def _of_an_ablation(result: RunResult) -> dict[str, Any]:
    """`says` has a sentence on the null and one on each arm, `beside` one on each other difference that was
    found and on deals that went alike."""
    found = ablation(result)
    return {
        **_of_run(result),
        "players": [_player_summary(standing) for standing in result.standings],
        "arms": [_arm_summary(arm) for arm in found.arms],
        "null_differs": differs(found),
        "says": said(found),
        "beside": [*beside(found), *repeated(found)],
        **_bill(result.standings),
    }


def _arm_summary(arm: Arm) -> dict[str, Any]:
    """`figures` are means over its deals, `held` is the arm beside the control over the deals of both."""
    return {
        "arm": arm.name,
        "role": arm.role,
        "spec": arm.spec,
        "player": arm.player,
        "deals": arm.deals,
        "games": arm.games,
        "figures": arm.means,
        "held": {key: _held_summary(held) for key, held in arm.held.items()},
        "elo": arm.elo and [round(end, 1) for end in arm.elo],
        "finds": arm.finds,
        "finds_elo": arm.finds_elo,
        "found": arm.found() if arm.role == "arm" else None,
    }


def _held_summary(held: Held) -> dict[str, Any]:
    """`p` is exact where all signs were counted; `holm` is adjusted for the number of arms."""
    compared = held.compared
    return {
        "deals": compared.deals,
        "independent": round(compared.independent, 2),
        "control": held.control,
        "arm": held.arm,
        "low": compared.low,
        "difference": compared.mean,
        "high": compared.high,
        "p": compared.p,
        "exact": compared.exact,
        "holm": held.holm,
    }


# ── a tournament ─────────────────────────────────────────────────────────────────────────────────────


def _of_a_tournament(result: RunResult) -> dict[str, Any]:
    """See `ranking`. `active` says whether pairs were chosen by what they tell."""
    found = _of_run(result)
    return {
        **found,
        "game": found["game"] or game_text(result.run.request["game"], result.run.request["variant"]),
        "active": result.run.request["active"],
        "players": [_player_summary(standing) for standing in result.standings],
        **ranking(result),
        **_bill(result.standings),
    }


# ── players ──────────────────────────────────────────────────────────────────────────────────────────


def _player_summary(standing: Standing) -> dict[str, Any]:
    middle, slow = standing.latency_ms(0.5, 0.95)
    return {
        "spec": standing.player.spec,
        "label": standing.player.label,
        "model": standing.player.model,
        "reported": standing.reported,
        "wins": standing.wins,
        "draws": standing.draws,
        "losses": standing.losses,
        "firsts": round(standing.firsts, 4),
        "rank": standing.rank,
        "points": standing.points,
        "forfeits": standing.forfeits,
        "decisions": standing.decisions,
        "illegal": standing.illegal,
        "wrong_first": standing.wrong_first,
        "calls": standing.calls,
        "failed_calls": standing.failed_calls,
        "input_tokens": standing.input_tokens,
        "cached_tokens": standing.cached_tokens,
        "output_tokens": standing.output_tokens,
        "reasoning_tokens": standing.reasoning_tokens,
        "cost_usd": standing.cost_pico / 1e12,
        "possibly_billed_usd": standing.possibly_pico / 1e12,
        "unpriced_calls": standing.unpriced_calls,
        "latency_ms": middle,
        "latency_p95_ms": slow,
    }


def _scores(result: RunResult, standing: Standing) -> list[float]:
    """One per complete pair."""
    return [pair[standing.player.id] for pair in result.pairs]


def _share(result: RunResult, standing: Standing) -> dict[str, Any]:
    """The mean score with its interval, both over complete pairs; below two, that of all matches without one."""
    found = share(_scores(result, standing), result.distinct_pairs)
    alone = standing.score if standing.matches else None
    return {
        "score": found.mean if found else alone,
        "score_low": found and round(found.low, 4),
        "score_high": found and round(found.high, 4),
    }


def _lead(result: RunResult) -> dict[str, Any] | None:
    """By how much the best of a table is ahead of the next, over complete pairs; None below two."""
    by_score = sorted(result.standings, key=lambda standing: -sum(_scores(result, standing)))
    first, second, *_ = by_score
    found = lead(_scores(result, first), _scores(result, second), result.distinct_pairs)
    if found is None:
        return None
    return {
        "first": first.player.label,
        "second": second.player.label,
        "by": round(found.mean, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }
