"""What this topic's inputs look like: matrices with chosen singular values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from llm_math_tests.answers.values import cast
from llm_math_tests.checks.situations import Rng
from llm_math_tests.exercise import Bench, Case, Inputs, Size, Yardstick

Make = Callable[[Rng], Inputs]
Compositions = dict[str, Yardstick]

VARIANCES = (9.0, 4.0, 1.0, 0.25)
"""Ordinary data: each direction varies well apart from the next."""

SINGULAR = (4.0, 2.0, 1.0, 0.5)
"""Ordinary matrices: each singular value is twice the next."""


def orthonormal(rng: Rng, n: int, k: int) -> np.ndarray:
    """``k`` orthonormal columns of ``n`` numbers, in no particular direction."""
    q, r = np.linalg.qr(rng.normal(0, 1, (n, k)))
    result: np.ndarray = q * np.where(np.diagonal(r) < 0, -1, 1)
    return result


def table(
    rng: Rng, variances: Sequence[float], n: int, d: int, mean: float | Sequence[float] = 0.0
) -> np.ndarray:
    """``n`` rows of ``d`` numbers with these eigenvalues of their covariance, all others 0."""
    r = len(variances)
    rows = rng.normal(0, 1, (n, r))
    rows = np.linalg.qr(rows - rows.mean(axis=0))[0]
    sigma = np.sqrt(np.asarray(variances) * (n - 1))
    result: np.ndarray = (rows * sigma) @ orthonormal(rng, d, r).T + np.asarray(mean)
    return result


def data(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary data: seven rows of four numbers (a table has no leading axes)."""
    return {"x": cast(table(rng, VARIANCES, 7, 4, (1.0, -2.0, 3.0, 0.5)), dtype)}


def data_and_k(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary data, of which two components are asked."""
    return {**data(rng, dtype), "k": 2}


def whole_data(rng: Rng, dtype: str) -> Inputs:
    """Integers or booleans that vary in every direction, by different amounts."""
    if dtype == "bool":
        rows = ["1001", "1100", "1110", "0000", "1111", "0001", "1101"]
        table_of = np.array([[digit == "1" for digit in row] for row in rows])
        return {"x": rng.permutation(table_of)}
    return {"x": np.round(3 * data(rng)["x"]).astype(dtype)}


def whole_data_and_k(rng: Rng, dtype: str) -> Inputs:
    """The same, of which two components are asked."""
    return {**whole_data(rng, dtype), "k": 2}


def rows_case(
    name: str,
    note: str,
    variances: Sequence[float],
    n: int,
    d: int,
    *,
    mean: float = 0.0,
    dtype: str = "float64",
    columns: Sequence[float] = (1.0,),
    k: int | None = None,
) -> Case:
    """Data with chosen eigenvalues, its columns multiplied, and perhaps k."""

    def make(rng: Rng) -> Inputs:
        x = cast(table(rng, variances, n, d, mean) * np.asarray(columns), dtype)
        return {"x": x} if k is None else {"x": x, "k": k}

    return Case(name, make, note)


def coordinates(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Data around another mean in every column, and two orthonormal components."""
    return {
        "x": cast(rng.normal(0, 2, (*batch, 7, 4)) + np.array([1.0, -2.0, 3.0, 0.5]), dtype),
        "components": cast(_each(batch, lambda: orthonormal(rng, 4, 2).T, (2, 4)), dtype),
    }


def reduced(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Coordinates, the two components that they belong to, and a mean."""
    return {
        "z": cast(rng.normal(0, 2, (*batch, 7, 2)), dtype),
        "components": cast(_each(batch, lambda: orthonormal(rng, 4, 2).T, (2, 4)), dtype),
        "mean": cast(rng.normal(0, 3, (*batch, 4)), dtype),
    }


def matrix(
    rng: Rng, singular: Sequence[float], m: int, n: int, batch: tuple[int, ...] = ()
) -> np.ndarray:
    """``(m, n)`` matrices with these singular values, all others 0."""

    def one() -> np.ndarray:
        r = len(singular)
        left, right = orthonormal(rng, m, r), orthonormal(rng, n, r)
        made: np.ndarray = (left * np.asarray(singular)) @ right.T
        return made

    return _each(batch, one, (m, n))


def weights(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary matrices: four by five, of singular values 4, 2, 1 and 1/2."""
    return {"w": cast(matrix(rng, SINGULAR, 4, 5, batch), dtype)}


def matrix_case(
    name: str,
    note: str,
    singular: Sequence[float],
    m: int,
    n: int,
    *,
    dtype: str = "float64",
    rank: int | None = None,
) -> Case:
    """A matrix with chosen singular values, and perhaps a rank."""

    def make(rng: Rng) -> Inputs:
        w = cast(matrix(rng, singular, m, n), dtype)
        return {"w": w} if rank is None else {"w": w, "rank": rank}

    return Case(name, make, note)


def symmetric(
    rng: Rng,
    eigenvalues: Sequence[float],
    *,
    dtype: str = "float64",
    size: float = 1.0,
    steps: int | None = None,
) -> Inputs:
    """A symmetric matrix with these eigenvalues, and a start that has a part of every one."""
    n = len(eigenvalues)
    q = orthonormal(rng, n, n)
    a = (q * np.asarray(eigenvalues)) @ q.T
    start = q @ (rng.uniform(0.5, 1.0, n) * rng.choice([-1, 1], n))
    rounded = cast((a + a.T) / 2, dtype)
    inputs: Inputs = {"a": rounded, "start": cast(size * start, dtype)}
    return inputs if steps is None else {**inputs, "steps": steps}


def square(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """An ordinary symmetric matrix: its largest eigenvalue is twice the next."""
    return symmetric(rng, (5.0, -2.5, 1.5, 1.0, 0.5), dtype=dtype)


def whole_square(rng: Rng, dtype: str) -> Inputs:
    """Integers or booleans in a symmetric matrix with one large eigenvalue."""
    if dtype == "bool":
        a = np.ones((4, 4), bool)
        a[0, 1] = a[1, 0] = False
        return {"a": a, "start": np.array([True, True, False, True])}
    a = np.array([[9, 1, 0], [1, 3, -1], [0, -1, 2]])
    return {"a": a.astype(dtype), "start": np.array([1, 2, -1]).astype(dtype)}


def _each(
    batch: tuple[int, ...], one: Callable[[], np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """One matrix for each index of the leading axes."""
    out = np.zeros((*batch, *shape))
    for index in np.ndindex(batch):
        out[index] = one()
    return out


def bench(
    make: Callable[[Rng, str, int, int], Inputs],
    sizes: tuple[tuple[int, int], ...],
    moved: Callable[[int, int], int],
    operations: Callable[[int, int], int],
    yardsticks: Compositions,
    compositions: Compositions | None = None,
) -> Bench:
    """Matrices whose first is ``(n, m)``; numbers moved and operations depend on both."""

    def size(n: int, m: int) -> Size:
        return Size(f"{n} x {m}", lambda rng, dtype: make(rng, dtype, n, m))

    def first(inputs: Inputs) -> np.ndarray:
        return np.asarray(next(iter(inputs.values())))

    return Bench(
        sizes=tuple(size(n, m) for n, m in sizes),
        moved_bytes=lambda inputs: moved(*first(inputs).shape) * first(inputs).itemsize,
        operations=lambda inputs: operations(*first(inputs).shape),
        yardsticks=yardsticks,
        compositions=compositions or {},
    )
