"""The little linear algebra that ratings need, on lists of lists: tens of players are no case for a library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Matrix = list[list[float]]


def zeros(size: int) -> Matrix:
    return [[0.0] * size for _ in range(size)]


def diagonal(size: int, value: float) -> Matrix:
    return [[value if i == j else 0.0 for j in range(size)] for i in range(size)]


def add_square(matrix: Matrix, vector: Mapping[int, float], weight: float = 1.0) -> None:
    """matrix += weight · v vᵀ, for a sparse v."""
    entries = list(vector.items())
    for i, a in entries:
        row, scaled = matrix[i], weight * a
        for j, b in entries:
            row[j] += scaled * b


def quadratic(matrix: Sequence[Sequence[float]], vector: Mapping[int, float]) -> float:
    """vᵀ · matrix · v, for a sparse v."""
    return sum(a * b * matrix[i][j] for i, a in vector.items() for j, b in vector.items())


def product(left: Iterable[Sequence[float]], right: Iterable[Sequence[float]]) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left]


def solve(matrix: Matrix, right: Matrix) -> Matrix:
    """X of `matrix` · X = `right` for a positive definite `matrix`, by Gauss–Jordan elimination."""
    size = len(matrix)
    rows = [[*matrix[i], *right[i]] for i in range(size)]
    for k in range(size):  # no pivoting: the diagonal of a positive definite matrix stays positive
        pivot = rows[k][k]
        rows[k] = [value / pivot for value in rows[k]]
        for i in range(size):
            factor = rows[i][k]
            if i != k and factor:
                rows[i] = [value - factor * other for value, other in zip(rows[i], rows[k], strict=True)]
    return [row[size:] for row in rows]
