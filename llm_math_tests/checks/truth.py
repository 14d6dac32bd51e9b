"""High-precision truth, and how far a careful answer may be from it.

Truth is computed in NumPy's widest float. Where that is no wider than float64
(Windows, ARM), its own roundings are allowed on top, so that the promise stays
sound and only gets coarser.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Value, plain

Extended = np.longdouble
_EPS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
_SMALLEST_NORMAL = {
    "bfloat16": 2.0**-126, "float16": 2.0**-14, "float32": 2.0**-126, "float64": 2.0**-1022,
}  # fmt: skip
_LARGEST = {
    "bfloat16": 3.3895313892515355e38, "float16": 65504.0,
    "float32": float(np.finfo(np.float32).max), "float64": float(np.finfo(np.float64).max),
}  # fmt: skip
_EPS_EXTENDED = float(np.finfo(Extended).eps)
SUM_GROWTH = 4.0
"""Rounding errors of a sum of n terms, in any order, stay below this times sqrt(n)."""


def extended(value: Value) -> np.ndarray:
    """An array value in extended precision."""
    return plain(value).astype(Extended)


def eps(dtype: str) -> float:
    """Distance from 1 to the next larger number of a floating dtype."""
    return _EPS[dtype]


def largest(dtype: str) -> float:
    """The largest finite number of a floating dtype."""
    return _LARGEST[dtype]


def smallest_normal(dtype: str) -> float:
    """The smallest number of a floating dtype that has all its digits."""
    return _SMALLEST_NORMAL[dtype]


@dataclass(frozen=True, eq=False)
class Truth:
    """The right value and the error that a careful textbook answer may make.

    Allowed is ``(steps * eps(dtype) + 4 sqrt(terms) * eps(wide)) * scale`` where
    ``wide`` is the dtype that sums are made in: float32 for the 16-bit dtypes,
    the dtype itself otherwise. ``scale`` has the value's shape.
    """

    value: np.ndarray
    scale: Any
    steps: float = 8.0
    terms: int = 1
    relative_to: str = "each value"
    """What ``scale`` is, in words."""
    sign_free: bool = False
    """Whether a vector along the last axis is as right as its opposite (eigenvectors)."""

    @property
    def exact(self) -> bool:
        """Whether no error is allowed (booleans, integers)."""
        return self.value.dtype.kind in "bui"

    def allowance(self, dtype: str) -> np.ndarray:
        """The largest absolute error allowed at each position."""
        wide = "float32" if dtype in ("float16", "bfloat16") else dtype
        growth = SUM_GROWTH * math.sqrt(self.terms)
        factor = self.steps * eps(dtype) + growth * eps(wide)
        factor += (self.steps + growth) * _EPS_EXTENDED
        scale = np.broadcast_to(np.asarray(self.scale, Extended), self.value.shape)
        # Numbers below the smallest normal one may be flushed to zero.
        allowed: np.ndarray = factor * np.abs(scale) + _SMALLEST_NORMAL[dtype]
        return allowed

    def why(self, dtype: str) -> str:
        """The allowance in words."""
        if self.exact:
            return "none: the values are exact"
        wide = "float32" if dtype in ("float16", "bfloat16") else dtype
        steps = f"{self.steps:g} roundings of {dtype} ({eps(dtype):.1e})"
        if self.terms > 1:
            growth = SUM_GROWTH * math.sqrt(self.terms)
            steps += f" + {growth:.3g} of {wide} for sums of {self.terms} terms"
        return f"{steps}, relative to {self.relative_to}"


def difference_vjp(
    function: Callable[..., Any],
    inputs: dict[str, Value],
    name: str,
    cotangents: Sequence[Value],
) -> np.ndarray:
    """Vector-Jacobian product by central differences of an extended-precision function.

    ``function(**inputs)`` gives the truth (one, or a tuple); every coordinate of
    ``inputs[name]`` is moved both ways.
    """
    at = extended(inputs[name])
    step = _EPS_EXTENDED ** (1 / 3)
    gradient = np.zeros(at.shape, Extended)

    def weighted(x: np.ndarray) -> np.longdouble:
        values = function(**{**inputs, name: x})
        values = values if isinstance(values, tuple) else (values,)
        total = Extended(0)
        for truth, cotangent in zip(values, cotangents, strict=True):
            total += (truth.value * extended(cotangent)).sum()
        return total

    for index in np.ndindex(at.shape):
        moved = []
        width = step * max(Extended(1), abs(at[index]))
        for sign in (1, -1):
            x = at.copy()
            x[index] += sign * width
            moved.append((weighted(x), x[index]))
        gradient[index] = (moved[0][0] - moved[1][0]) / (moved[0][1] - moved[1][1])
    return gradient
