"""Probabilities that ratings need: Student's t, chi-square, and the largest of many differences."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

NORMAL = NormalDist()


def student(t: float, degrees: int) -> float:
    """P(T ≤ t): exact up to 200 degrees (Abramowitz & Stegun 26.7.3 and 26.7.4), then to 1e-5 (26.7.8)."""
    if degrees > 200:
        return NORMAL.cdf(t * (1 - 1 / (4 * degrees)) / math.sqrt(1 + t * t / (2 * degrees)))
    angle = math.atan(t / math.sqrt(degrees))
    cosine, odd = math.cos(angle), degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(degrees // 2):
        total += term
        term *= cosine**2 * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    within = math.sin(angle) * total
    return 0.5 + (angle + within) / math.pi if odd else 0.5 + within / 2


def chi_square_tail(value: float, degrees: int) -> float:
    """P(X > value), to 0.01 (Wilson & Hilferty, PNAS 17, 1931)."""
    spread = 2 / (9 * degrees)
    return 1 - NORMAL.cdf(((max(0.0, value) / degrees) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


@lru_cache
def largest_difference(many: int) -> float:
    """How many standard errors the largest of all differences between `many` equals exceeds in 1 case of 20.

    Tukey's studentised range over √2 (1.96 of two, 3.16 of ten), where
    P(range ≤ q) = many · ∫ φ(z) (Φ(z) − Φ(z − q))^(many−1) dz.
    """
    if many < 2:
        return 0.0
    grid = [-8 + k / 20 for k in range(321)]
    density = [NORMAL.pdf(z) / 20 for z in grid]
    below = [NORMAL.cdf(z) for z in grid]
    low, high = 1.0, 12.0
    while high - low > 1e-6:
        q = (low + high) / 2
        inside = (
            d * (b - NORMAL.cdf(z - q)) ** (many - 1) for z, d, b in zip(grid, density, below, strict=True)
        )
        low, high = (q, high) if many * sum(inside) < 0.95 else (low, q)
    return low / math.sqrt(2)
