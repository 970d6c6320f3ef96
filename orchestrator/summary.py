"""What a run says at its end, as plain JSON values: results with their interval, and the bill.

Two players have an Elo difference (`elo`); a table of more has none, but says by how much the first of it is
ahead of the second (`lead`, in shares of opponents beaten).
"""

from __future__ import annotations

from typing import Any

from orchestrator.ratings.pairs import estimate
from orchestrator.ratings.shares import lead, share
from orchestrator.record.reading import RunResult, Standing


def summary(result: RunResult) -> dict[str, Any]:
    """The last event of a run: plain JSON values."""
    estimated = estimate(result.pair_scores, result.distinct_pairs) if len(result.standings) == 2 else None
    return {
        "run": result.run.id,
        "output": str(result.path),
        "game": result.boards[0].game,
        "status": result.run.status,
        "stopped": result.run.reason or None,
        "pairs": len(result.pair_scores),
        "distinct_pairs": result.distinct_pairs,
        "matches": result.finished,
        "planned": result.run.request["pairs"] * len(result.standings),
        "voids": result.voids,
        "repeats": result.repeats,
        "players": [_player_summary(standing) | _share(result, standing) for standing in result.standings],
        "score": estimated and estimated.score,
        "elo": estimated and round(estimated.elo, 1),
        "elo_low": estimated and round(estimated.elo_low, 1),
        "elo_high": estimated and round(estimated.elo_high, 1),
        "lead": _lead(result) if len(result.standings) > 2 else None,
        "cost_usd": sum(standing.cost_pico for standing in result.standings) / 1e12,
        "possibly_billed_usd": sum(standing.possibly_pico for standing in result.standings) / 1e12,
    }


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
