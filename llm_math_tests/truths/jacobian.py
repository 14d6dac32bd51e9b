"""Derivatives of vector functions in extended precision, and the functions themselves.

A function that an answer is handed is a :class:`Map`: it knows its own derivatives, and
computes in extended precision whatever it is asked in, so that all it rounds is its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Given, Value, cast, dtype_name
from llm_math_tests.checks.truth import Extended, Truth, eps, extended
from llm_math_tests.truths.softmax import probabilities

_FLOATS = ("float64", "float32", "float16", "bfloat16")
_MOST = 1000
"""A Jacobian is as large as the square of this, whoever asks for it."""
REFINED = 1e-7
"""The error that refined differences may make, relative to the largest derivative."""


class Map:
    """A smooth function from vectors to vectors that knows its Jacobian."""

    formula = ""
    inputs = 0
    """How long its argument is; 0 where any length will do."""

    def value(self, x: np.ndarray) -> np.ndarray:
        """``f(x)`` of an extended vector."""
        raise NotImplementedError

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """``df_i / dx_j`` at an extended vector."""
        raise NotImplementedError

    def __call__(self, x: Value) -> Value:
        """``f(x)`` in the dtype of x."""
        return cast(self.value(self._vector(x)), _floating(x))

    def pull(self, gradient: Value, x: Value) -> Value:
        """``u^T J``, what autograd asks for backwards."""
        return cast(extended(gradient) @ self.jacobian(self._vector(x)), _floating(x))

    def push(self, x: Value, tangent: Value) -> Value:
        """``J v``, what autograd asks for forwards."""
        return cast(self.jacobian(self._vector(x)) @ extended(tangent), _floating(x))

    def _vector(self, x: Value) -> np.ndarray:
        at = extended(x)
        if at.ndim != 1 or (self.inputs and len(at) != self.inputs):
            length = f"of {self.inputs} numbers" if self.inputs else "of numbers"
            raise ValueError(f"f takes one vector {length} at a time, got shape {at.shape}")
        if len(at) > _MOST:
            raise ValueError(f"f takes a vector of at most {_MOST} numbers, got {len(at)}")
        return at


def _floating(x: Value) -> str:
    dtype = dtype_name(x)
    return dtype if dtype in _FLOATS else "float64"


def given(function: Map) -> Given:
    """The function as an answer is handed it: autograd can go through."""
    return Given.differentiable(function.formula, function, function.pull, function.push)


class Classic(Map):
    """Two inputs, two outputs: the example of the docstrings."""

    formula = "(x0^2 x1, 5 x0 + sin x1)"
    inputs = 2

    def value(self, x: np.ndarray) -> np.ndarray:
        """Both outputs."""
        return np.stack([x[0] ** 2 * x[1], 5 * x[0] + np.sin(x[1])])

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """All four derivatives."""
        return np.stack(
            [np.stack([2 * x[0] * x[1], x[0] ** 2]), np.stack([Extended(5), np.cos(x[1])])]
        )


class Softmax(Map):
    """Scores to probabilities: the Jacobian is diag(p) - p p^T."""

    formula = "softmax(x)"

    def value(self, x: np.ndarray) -> np.ndarray:
        """The probabilities."""
        return probabilities(x)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """``diag(p) - p p^T``."""
        p = probabilities(x)
        found: np.ndarray = np.diag(p) - np.outer(p, p)
        return found


@dataclass(eq=False)
class Linear(Map):
    """A matrix: the derivative is the same everywhere."""

    matrix: np.ndarray
    formula = "A x"

    def __post_init__(self) -> None:
        self.matrix = extended(self.matrix)
        self.inputs = self.matrix.shape[1]

    def value(self, x: np.ndarray) -> np.ndarray:
        """``A x``."""
        found: np.ndarray = self.matrix @ x
        return found

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """``A``."""
        return self.matrix


@dataclass(eq=False)
class Layer(Map):
    """A layer of a network, on top of a constant that no derivative sees."""

    weights: np.ndarray
    bias: np.ndarray
    above: float = 0.0
    formula = "tanh(W x + b)"

    def __post_init__(self) -> None:
        self.weights, self.bias = extended(self.weights), extended(self.bias)
        self.inputs = self.weights.shape[1]
        if self.above:
            self.formula = f"{self.above:g} + tanh(W x + b)"

    def value(self, x: np.ndarray) -> np.ndarray:
        """``tanh(W x + b)`` and the constant."""
        found: np.ndarray = self.above + np.tanh(self.weights @ x + self.bias)
        return found

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """``(1 - tanh^2) W``, row by row."""
        slope = np.cosh(self.weights @ x + self.bias) ** -2
        found: np.ndarray = slope[:, None] * self.weights
        return found


@dataclass(eq=False)
class Waves(Map):
    """Sines of sums: alive however far from 0."""

    weights: np.ndarray
    formula = "sin(W x)"

    def __post_init__(self) -> None:
        self.weights = extended(self.weights)
        self.inputs = self.weights.shape[1]

    def value(self, x: np.ndarray) -> np.ndarray:
        """``sin(W x)``."""
        found: np.ndarray = np.sin(self.weights @ x)
        return found

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """``cos(W x) W``, row by row."""
        found: np.ndarray = np.cos(self.weights @ x)[:, None] * self.weights
        return found


def the_map(f: Any) -> Map:
    """What stands behind the function that an answer is handed."""
    known = f.function if isinstance(f, Given) else f
    assert isinstance(known, Map)
    return known


@dataclass(frozen=True, eq=False)
class Derivative(Truth):
    """A derivative, which an answer without autograd has to take by differences."""

    besides: float = REFINED
    """What is allowed beyond the rounding, relative to the same scale."""

    def allowance(self, dtype: str) -> np.ndarray:
        """The rounding, and what differences lose."""
        scale = np.broadcast_to(np.asarray(self.scale, Extended), self.value.shape)
        allowed: np.ndarray = super().allowance(dtype) + self.besides * np.abs(scale)
        return allowed

    def why(self, dtype: str) -> str:
        """The allowance in words."""
        more = f"{self.besides:g} for differences + " if self.besides else ""
        return more + super().why(dtype)


def numerical_jacobian(f: Any, x: Value, eps: float = 1e-6) -> Truth:
    """Central differences themselves, up to the rounding of f that they divide by eps.

    The scale allows each f(x) eight roundings, and the two points of a careful answer that
    divides by 2 eps eight roundings of numbers around 1.
    """
    known, at = the_map(f), extended(x)
    step = Extended(eps)
    columns = []
    for j in range(len(at)):
        move = np.zeros_like(at)
        move[j] = step
        columns.append((known.value(at + move) - known.value(at - move)) / (2 * step))
    value = np.stack(columns, axis=1)
    scale = (np.abs(known.value(at))[:, None] + np.abs(value).max()) / step
    return Truth(
        value, np.broadcast_to(scale, value.shape),
        relative_to="(|f| + the largest derivative) / eps",
    )  # fmt: skip


def jacobian(f: Any, x: Value) -> Truth:
    """``df_i / dx_j``, relative to the largest derivative."""
    value = the_map(f).jacobian(extended(x))
    return Derivative(value, np.abs(value).max(), relative_to="the largest derivative")


def jvp(f: Any, x: Value, v: Value) -> Truth:
    """``J v``, relative to the largest derivative times sum |v_j|."""
    matrix, along = the_map(f).jacobian(extended(x)), extended(v)
    scale = np.abs(matrix).max() * np.abs(along).sum()
    return Derivative(
        matrix @ along, scale, terms=len(along),
        relative_to="the largest derivative times sum |v_j|",
    )  # fmt: skip


def vjp(f: Any, x: Value, u: Value) -> Truth:
    """``u^T J``, relative to the largest derivative times sum |u_i|."""
    matrix, weights = the_map(f).jacobian(extended(x)), extended(u)
    scale = np.abs(matrix).max() * np.abs(weights).sum()
    return Derivative(
        weights @ matrix, scale, terms=len(weights),
        relative_to="the largest derivative times sum |u_i|",
    )  # fmt: skip


def singular_values(matrices: np.ndarray) -> np.ndarray:
    """Singular values of extended matrices, the largest first: one-sided Jacobi.

    Pairs of columns are turned until they are orthogonal; what they are long then are the
    singular values, each right to its own digits. Zero columns stay what they are.
    """
    a = np.array(matrices if matrices.shape[-2] >= matrices.shape[-1]
                 else np.swapaxes(matrices, -1, -2), Extended)  # fmt: skip
    n = a.shape[-1]
    tiny = Extended(np.finfo(Extended).eps)
    for _ in range(60):
        turned = False
        for i in range(n - 1):
            for j in range(i + 1, n):
                turned |= _turn(a, i, j, tiny)
        if not turned:
            break
    lengths = np.sqrt((a * a).sum(axis=-2))
    found: np.ndarray = -np.sort(-lengths, axis=-1)
    return found


def _turn(a: np.ndarray, i: int, j: int, tiny: np.longdouble) -> bool:
    """Make two columns of every matrix orthogonal, in place; whether any was turned."""
    first, second = a[..., i].copy(), a[..., j].copy()
    p, q = (first * first).sum(-1), (second * second).sum(-1)
    r = (first * second).sum(-1)
    apart = np.abs(r) > 4 * tiny * np.sqrt(p * q)
    if not apart.any():
        return False
    zeta = (q - p) / np.where(apart, 2 * r, Extended(1))
    t = np.where(zeta < 0, -1, 1) / (np.abs(zeta) + np.sqrt(1 + zeta * zeta))
    t = np.where(apart, t, 0)
    c = 1 / np.sqrt(1 + t * t)
    a[..., i] = c[..., None] * first - (c * t)[..., None] * second
    a[..., j] = (c * t)[..., None] * first + c[..., None] * second
    return True


def condition_number(jacobian: Value) -> Truth:
    """``sigma_max / sigma_min``; a computed singular value is off by roundings of the largest."""
    matrices = extended(jacobian)
    m, n = matrices.shape[-2:]
    dtype = dtype_name(jacobian)
    wide = "float32" if dtype in ("float16", "bfloat16") else _floating(jacobian)
    if matrices.size == 0:
        none = np.zeros(matrices.shape[:-2], Extended)
        return Truth(none, none)
    sigma = singular_values(matrices)
    largest, smallest = sigma[..., 0], sigma[..., -1]
    lost = smallest <= max(m, n) * eps(wide) * largest
    value = np.where(lost, Extended(np.inf), largest / np.where(lost, 1, smallest))
    finite = np.where(lost, 0, value)
    # In 16 bits the result is rounded once, and only a large one feels the roundings of float32.
    narrow = dtype if dtype in _FLOATS else "float64"
    scale = finite * np.maximum(1, finite * eps(wide) / eps(narrow))
    return Truth(value, scale, terms=m * n, relative_to="the condition number squared")
