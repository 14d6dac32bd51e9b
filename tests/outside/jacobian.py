"""Derivatives by mpmath, and singular values by SciPy and mpmath, beside our truths.

The functions are written here once more, number by number: what is compared is not only the
way to a derivative but also the derivatives that our functions say they have.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_math_tests.truths.jacobian import Classic, Layer, Linear, Softmax, Waves, given
from tests.outside import Outside

_DIGITS = 40


def _written_out(f: Any) -> Any:
    """The function behind ``f`` on a list of mpmath numbers."""
    from mpmath import mp

    known = f.function

    def products(matrix: np.ndarray, x: list[Any]) -> list[Any]:
        return [mp.fsum(mp.mpf(float(w)) * t for w, t in zip(row, x, strict=True))
                for row in matrix]  # fmt: skip

    if isinstance(known, Classic):
        return lambda x: [x[0] * x[0] * x[1], 5 * x[0] + mp.sin(x[1])]
    if isinstance(known, Softmax):
        return lambda x: [1 / mp.fsum(mp.exp(t - z) for t in x) for z in x]
    if isinstance(known, Linear):
        return lambda x: products(known.matrix, x)
    if isinstance(known, Waves):
        return lambda x: [mp.sin(z) for z in products(known.weights, x)]
    assert isinstance(known, Layer)
    bias = [mp.mpf(float(b)) for b in known.bias]
    return lambda x: [mp.mpf(known.above) + mp.tanh(z + b)
                      for z, b in zip(products(known.weights, x), bias, strict=True)]  # fmt: skip


def _moved(f: Any, x: np.ndarray, j: int, by: Any) -> list[Any]:
    from mpmath import mp

    at = [mp.mpf(float(t)) for t in x]
    at[j] += by
    found: list[Any] = _written_out(f)(at)
    return found


def _differences(f: Any, x: np.ndarray, eps: Any) -> np.ndarray:
    columns = []
    for j in range(len(x)):
        up, down = _moved(f, x, j, eps), _moved(f, x, j, -eps)
        columns.append([(a - b) / (2 * eps) for a, b in zip(up, down, strict=True)])
    return np.array(columns, dtype=object).T


def _numerical_jacobian(f: Any, x: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    from mpmath import mp

    with mp.workdps(_DIGITS):
        return _differences(f, x, mp.mpf(eps)).astype(np.float64)


def _jacobian(f: Any, x: np.ndarray) -> np.ndarray:
    """A step of 1e-15 among 60 digits: its square and the rounding are both far below float64."""
    from mpmath import mp

    with mp.workdps(60):
        return _differences(f, x, mp.mpf(10) ** -15).astype(np.float64)


def _jvp(f: Any, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _jacobian(f, x) @ v


def _vjp(f: Any, x: np.ndarray, u: np.ndarray) -> np.ndarray:
    return u @ _jacobian(f, x)


def _condition_number(jacobian: np.ndarray) -> np.ndarray:
    """mpmath's singular values, with the threshold that the contract names."""
    from mpmath import mp

    def one(matrix: np.ndarray) -> float:
        with mp.workdps(_DIGITS):
            sigma = sorted(mp.svd_r(mp.matrix(matrix.tolist()), compute_uv=False), reverse=True)
            if sigma[-1] <= max(matrix.shape) * mp.mpf(2) ** -52 * sigma[0]:
                return float("inf")
            return float(sigma[0] / sigma[-1])

    batch = jacobian.shape[:-2]
    rows = jacobian.reshape(-1, *jacobian.shape[-2:])
    return np.array([one(matrix) for matrix in rows]).reshape(batch)


def _scores(rng: np.random.Generator) -> dict[str, Any]:
    return {"f": given(Softmax()), "x": rng.normal(0, 20, 8)}


def _scores_and_direction(rng: np.random.Generator) -> dict[str, Any]:
    return {**_scores(rng), "v": rng.normal(0, 1, 8)}


def _scores_and_weights(rng: np.random.Generator) -> dict[str, Any]:
    return {**_scores(rng), "u": rng.normal(0, 1, 8)}


def _many(rng: np.random.Generator) -> dict[str, Any]:
    return {"jacobian": rng.normal(0, 1, (4, 8, 6)) * rng.lognormal(0, 3, 6)}


ROWS: tuple[Outside, ...] = (
    Outside("numerical_jacobian", "mpmath, 40 digits", _numerical_jacobian, more=(_scores,)),
    Outside("jacobian", "mpmath, 60 digits", _jacobian, more=(_scores,)),
    Outside("jvp", "mpmath, 60 digits", _jvp, more=(_scores_and_direction,)),
    Outside("vjp", "mpmath, 60 digits", _vjp, more=(_scores_and_weights,)),
    Outside(
        "condition_number",
        "mpmath.svd_r, 40 digits",
        _condition_number,
        more=(_many,),
        # Lost to the rounding of float32, which float64 sees as numbers.
        without=("gives_inf_for_lost_rank/many_float32",),
    ),
)
