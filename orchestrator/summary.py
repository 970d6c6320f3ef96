"""What a run says at its end, as plain JSON values: results with their interval, and the bill."""

from __future__ import annotations

from typing import Any

from orchestrator.ratings.pairs import estimate
from orchestrator.record.reading import RunResult, Standing


def summary(result: RunResult) -> dict[str, Any]:
    """The last event of a run: plain JSON values."""
    estimated = estimate(result.pair_scores, result.distinct_pairs) if len(result.standings) == 2 else None
    return {
        "run": result.run.id,
        "output": str(result.path),
        "game": result.run.request["game"],
        "status": result.run.status,
        "stopped": result.run.reason or None,
        "pairs": len(result.pair_scores),
        "distinct_pairs": result.distinct_pairs,
        "matches": sum(match.status == "finished" for match in result.matches),
        "planned": result.run.request["pairs"] * len(result.standings),
        "voids": result.voids,
        "repeats": result.repeats,
        "players": [_player_summary(standing) for standing in result.standings],
        "score": estimated and estimated.score,
        "elo": estimated and round(estimated.elo, 1),
        "elo_low": estimated and round(estimated.elo_low, 1),
        "elo_high": estimated and round(estimated.elo_high, 1),
        "cost_usd": sum(standing.cost_pico for standing in result.standings) / 1e12,
        "possibly_billed_usd": sum(standing.possibly_pico for standing in result.standings) / 1e12,
    }


def _player_summary(standing: Standing) -> dict[str, Any]:
    return {
        "spec": standing.player.spec,
        "label": standing.player.label,
        "model": standing.player.model,
        "reported": standing.reported,
        "wins": standing.wins,
        "draws": standing.draws,
        "losses": standing.losses,
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
        "latency_ms": standing.latency_ms(0.5),
        "latency_p95_ms": standing.latency_ms(0.95),
    }
