"""Covariance, principal components and singular values in extended precision.

No library decomposes matrices of extended precision. Here float64's singular vectors
are the first guess, and one-sided Jacobi rotations in extended precision do the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Value, dtype_name
from llm_math_tests.checks.truth import SUM_GROWTH, Extended, Truth, eps, extended

_EPS = np.finfo(Extended).eps
_SWEEPS = 30
_MOST_LOG = 40.0
"""|log p| of a share that is as small as float64's rounding: nothing smaller shows."""


def wide_eps(value: Value) -> float:
    """The eps of the dtype that sums over this array are made in."""
    dtype = dtype_name(value)
    return eps("float32") if dtype in ("float32", "float16", "bfloat16") else eps("float64")


def _final_eps(value: Value) -> float:
    """The eps of the array's own dtype."""
    dtype = dtype_name(value)
    return eps(dtype) if dtype in ("float32", "float16", "bfloat16") else eps("float64")


def _orthonormal(v: np.ndarray) -> np.ndarray:
    """Columns that are orthonormal in float64, made so in extended precision."""
    for _ in range(2):
        v = v @ (1.5 * np.eye(v.shape[1], dtype=Extended) - 0.5 * (v.T @ v))
    return v


def singular(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(U, sigma, V^T)`` of an extended matrix; sigma is descending.

    The columns of U that belong to a sigma of 0 are 0; those of V are orthonormal
    if the matrix has no fewer rows than columns.
    """
    if a.shape[0] < a.shape[1]:
        u, sigma, vt = singular(a.T)
        return vt.T, sigma, u.T
    top = np.abs(a).max(initial=0) or Extended(1)
    a = a / top
    _, _, guess = np.linalg.svd(a.astype("float64"), full_matrices=False)
    v = _orthonormal(guess.T.astype(Extended))
    b = a @ v
    n = b.shape[1]
    for _ in range(_SWEEPS):
        products = b.T @ b
        size = np.sqrt(np.diagonal(products))
        off = np.abs(products - np.diag(np.diagonal(products)))
        if (off <= 4 * _EPS * size[:, None] * size + _EPS * _EPS * size.max(initial=0) ** 2).all():
            break
        for p in range(n - 1):
            for q in range(p + 1, n):
                _rotate(b, v, p, q)
    sigma = np.sqrt((b * b).sum(axis=0))
    order = np.argsort(-sigma, kind="stable")
    sigma, b, v = sigma[order], b[:, order], v[:, order]
    u = b / np.where(sigma > 0, sigma, Extended(1))
    return u, sigma * top, v.T


def _rotate(b: np.ndarray, v: np.ndarray, p: int, q: int) -> None:
    """Make two columns of b orthogonal, turning those of v along."""
    alpha, beta, gamma = b[:, p] @ b[:, p], b[:, q] @ b[:, q], b[:, p] @ b[:, q]
    if abs(gamma) <= _EPS * np.sqrt(alpha * beta):
        return
    zeta = (beta - alpha) / (2 * gamma)
    t = (1 if zeta >= 0 else -1) / (abs(zeta) + np.sqrt(1 + zeta * zeta))
    c = 1 / np.sqrt(1 + t * t)
    for m in (b, v):
        m[:, p], m[:, q] = c * (m[:, p] - t * m[:, q]), c * (t * m[:, p] + m[:, q])


def centred(x: Value) -> np.ndarray:
    """The rows minus their mean, in extended precision."""
    rows = extended(x)
    result: np.ndarray = rows - rows.mean(axis=0)
    return result


def _mean_rounding(x: Value) -> np.ndarray:
    """What a rounded mean leaves in each column of the centred rows, over eps."""
    n = x.shape[0]
    result: np.ndarray = SUM_GROWTH * np.sqrt(n) * np.abs(extended(x).mean(axis=0))
    return result


def covariance(x: Value) -> Truth:
    """``(x - m)^T (x - m) / (n - 1)``, relative to the sums of the products' sizes.

    An error of the mean cancels to first order where it is the same for every row, and its
    square stays. A running mean (Welford's way) has another in every row.
    """
    rows, off = centred(x), _mean_rounding(x)
    n = rows.shape[0]
    scale = np.abs(rows).T @ np.abs(rows) / (n - 1)
    scale = scale + wide_eps(x) * off[:, None] * off
    running = np.abs(extended(x).mean(axis=0))[:, None] * np.sqrt((rows * rows).sum(axis=0) / n)
    scale = scale + (running + running.T) * wide_eps(x) / _final_eps(x)
    return Truth(
        rows.T @ rows / (n - 1), scale, terms=n,
        relative_to="the mean size of the products, and what rounding the mean does to it",
    )  # fmt: skip


@dataclass(frozen=True)
class Spectrum:
    """The eigenvalues of a covariance, and how well they can be known."""

    variance: np.ndarray
    """All min(n, d) of them, descending."""
    components: np.ndarray
    """Their eigenvectors, one a row."""
    size: np.longdouble
    """lambda_1, plus the square of what the mean's rounding leaves (over eps)."""
    terms: int


def spectrum(x: Value) -> Spectrum:
    """The principal components of the rows."""
    rows, off = centred(x), _mean_rounding(x)
    n, d = rows.shape
    _, sigma, components = singular(rows)
    variance = sigma * sigma / (n - 1)
    size = variance[0] + wide_eps(x) * (off * off).sum()
    # Decompositions are good to a multiple of (n + d) eps, normwise.
    return Spectrum(variance, components, size, (n + d) ** 2)


def pca(x: Value, k: int) -> tuple[Truth, Truth]:
    """The leading eigenvectors of the covariance, whose sign is free, and eigenvalues."""
    s = spectrum(x)
    variance = s.variance[:k]
    everything = np.append(s.variance, np.zeros(x.shape[1] - len(s.variance)))
    apart = np.abs(variance[:, None] - everything)
    np.put_along_axis(apart, np.arange(k)[:, None], np.inf, axis=1)
    gap = apart.min(axis=1)
    # Where eigenvalues coincide their vectors are anyone's: only properties can be checked.
    turn = np.where(gap > 0, 1 + s.size / np.where(gap > 0, gap, 1), np.inf)
    components = s.components[:k] * pointing(s.components[:k])
    return (
        Truth(
            components, np.broadcast_to(turn[:, None], components.shape), terms=s.terms,
            relative_to="1 + lambda_1 / the gap to the next eigenvalue", sign_free=True,
        ),
        Truth(
            variance, np.broadcast_to(s.size, variance.shape), terms=s.terms,
            relative_to="lambda_1",
        ),
    )  # fmt: skip


def pointing(vectors: np.ndarray) -> np.ndarray:
    """The sign that makes the largest number of each row positive."""
    largest = np.argmax(np.abs(vectors), axis=-1)[..., None]
    return np.where(np.take_along_axis(vectors, largest, axis=-1) < 0, -1, 1)


def pca_project(x: Value, components: Value) -> Truth:
    """``(x - m) V^T``; the mean is rounded once in the dtype that sums are made in."""
    rows, v = extended(x), extended(components).swapaxes(-1, -2)
    n, d = rows.shape[-2:]
    mean = rows.mean(axis=-2, keepdims=True)
    once = wide_eps(x) / _final_eps(x)
    scale = np.abs(rows - mean) @ np.abs(v) + once * (np.abs(mean) @ np.abs(v))
    return Truth(
        (rows - mean) @ v, scale, terms=n + d,
        relative_to="the sizes of the products, with the mean",
    )  # fmt: skip


def pca_reconstruct(z: Value, components: Value, mean: Value) -> Truth:
    """``z V + m``."""
    coordinates, v, m = extended(z), extended(components), extended(mean)[..., None, :]
    scale = np.abs(coordinates) @ np.abs(v) + np.abs(m)
    return Truth(
        coordinates @ v + m, scale, terms=v.shape[-2] + 1,
        relative_to="the sizes of the products, plus |mean|",
    )  # fmt: skip


def explained_variance_ratio(x: Value) -> Truth:
    """Eigenvalues over their sum, absolute to lambda_1 over the sum."""
    s = spectrum(x)
    total = s.variance.sum()
    value = s.variance / total
    return Truth(
        value, np.broadcast_to(s.size / total, value.shape), terms=s.terms,
        relative_to="the largest share",
    )  # fmt: skip


def low_rank_approximation(w: Value, rank: int) -> Truth:
    """The leading singular triples, absolute to sigma_1, larger where the gap is small."""
    a = extended(w)
    value = np.zeros(a.shape, Extended)
    scale = np.zeros(a.shape, Extended)
    for index in np.ndindex(a.shape[:-2]):
        u, sigma, vt = singular(a[index])
        value[index] = (u[:, :rank] * sigma[:rank]) @ vt[:rank]
        after = sigma[rank] if rank < len(sigma) else Extended(0)
        # The space of the kept triples turns by sigma_1 eps / gap, and moves sigma_r by that.
        turn = Extended(1)
        if after > 8 * _EPS * sigma[0]:
            gap = sigma[rank - 1] - after
            turn += 2 * sigma[rank - 1] / gap if gap > 0 else Extended(np.inf)
        scale[index] = sigma[0] * turn
    return Truth(
        value, scale, terms=sum(a.shape[-2:]),
        relative_to="sigma_1 times (1 + 2 sigma_r / the gap after it)",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Converging(Truth):
    """A truth that is approached step by step."""

    left: float = 0.0
    """How far, at most, the given number of steps ends from it."""

    def allowance(self, dtype: str) -> np.ndarray:
        """Rounding, and what the steps leave."""
        result: np.ndarray = super().allowance(dtype) + self.left
        return result

    def why(self, dtype: str) -> str:
        """The allowance in words."""
        return f"{super().why(dtype)}, and {self.left:.1e} that the steps leave"


def dominant(a: np.ndarray) -> tuple[Any, np.ndarray]:
    """The eigenvalue of largest magnitude and its unit vector: products of a power of a."""
    matrix = a / np.abs(a).max()
    values, vectors = np.linalg.eigh(matrix.astype("float64"))
    v = vectors[:, np.argmax(np.abs(values))].astype(Extended)
    power = matrix
    for _ in range(4):
        power = power @ power
        power = power / np.abs(power).max()
    for multiply in [power] * 12 + [matrix]:
        v = multiply @ v
        v = v / np.sqrt(v @ v)
    return (v @ (a @ v)), v


def power_iteration(a: Value, start: Value, steps: int = 100) -> tuple[Truth, Truth]:
    """The dominant pair; the vector's sign is free, and steps that are few leave an error."""
    matrix, first = extended(a), extended(start)
    value, vector = dominant(matrix)
    others = np.linalg.eigvalsh((matrix - value * np.outer(vector, vector)).astype("float64"))
    ratio = float(np.abs(others).max() / abs(value))
    along = abs(first @ vector) / np.sqrt(first @ first)
    tangent = float(np.sqrt(max(Extended(0), 1 - along * along)) / along)
    # One step less may be made: the last product can serve the eigenvalue alone.
    left = 2 * tangent * ratio ** (steps - 1)
    n = len(first)
    vector = vector * pointing(vector)
    return (
        Converging(
            np.asarray(value, Extended), abs(value), 16.0, n, relative_to="|eigenvalue|",
            left=min(2.0, 2 * left * left) * float(abs(value)),
        ),
        Converging(
            vector, np.full(n, 1 / (1 - min(ratio, 0.9))), terms=n,
            relative_to="1 / (1 - |lambda_2 / lambda_1|)", sign_free=True, left=min(2.0, left),
        ),
    )  # fmt: skip


def effective_rank(w: Value) -> Truth:
    """``exp`` of the entropy of the singular values over their sum; 0 for the zero matrix."""
    a = extended(w)
    value = np.zeros(a.shape[:-2], Extended)
    scale = np.zeros(a.shape[:-2], Extended)
    for index in np.ndindex(a.shape[:-2]):
        _, sigma, _ = singular(a[index])
        total = sigma.sum()
        if total == 0:
            continue
        p = sigma / total
        log = np.log(np.where(p > 0, p, Extended(1e-18)))
        value[index] = np.exp(-(p * np.where(p > 0, log, 0)).sum())
        # Each singular value is known to sigma_1 eps, and moves the entropy by |log p| + 1.
        scale[index] = value[index] * (p[0] * (1 + np.minimum(-log, _MOST_LOG)).sum() + 1)
    return Truth(
        value, scale, terms=sum(a.shape[-2:]),
        relative_to="the rank times (1 + p_1 sum(1 + |log p|))",
    )  # fmt: skip
