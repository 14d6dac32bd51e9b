"""Activations and their derivatives in extended precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Value, dtype_name
from llm_math_tests.checks.truth import Extended, Truth, eps, extended

_TANH_SCALE = np.sqrt(Extended(2) / (4 * np.arctan(Extended(1))))
"""sqrt(2 / pi)."""
_DENSITY_AT_ZERO = _TANH_SCALE / 2
"""1 / sqrt(2 pi)."""


def logistic(x: np.ndarray) -> np.ndarray:
    """The sigmoid of extended numbers."""
    e = np.exp(-np.abs(x))
    value: np.ndarray = np.where(x < 0, e, Extended(1)) / (1 + e)
    return value


def logistic_slope(x: np.ndarray) -> np.ndarray:
    """The sigmoid's derivative, without subtracting from 1."""
    e = np.exp(-np.abs(x))
    slope: np.ndarray = e / (1 + e) ** 2
    return slope


def density(x: np.ndarray) -> np.ndarray:
    """The standard normal density."""
    value: np.ndarray = np.exp(-x * x / 2) * _DENSITY_AT_ZERO
    return value


def below(x: np.ndarray) -> np.ndarray:
    """Phi(x), the probability that a standard normal number is below x.

    ``1/2 + phi(x) (x + x^3/3 + x^5/(3*5) + ...)`` (Marsaglia 2004): the terms have one sign, so
    that nothing cancels in the sum. Beyond 10 it is 0 or 1 to more digits than are compared:
    the tail is asked for relative to ``|x|`` only.
    """
    inside = np.clip(x, -10, 10)
    term = inside.copy()
    total = inside.copy()
    # At 10 the terms grow until the exponent is 100, and are below 1e-25 of the sum by 400.
    for odd in range(3, 400, 2):
        term = term * inside * inside / odd
        total = total + term
    value: np.ndarray = Extended(0.5) + density(inside) * total
    return value


def _exact(value: np.ndarray) -> Truth:
    return Truth(value, 0, steps=0, terms=0, relative_to="anything: there is nothing to round")


def relu(x: Value) -> Truth:
    """``max(x, 0)``, exactly."""
    return _exact(np.maximum(extended(x), 0))


def relu_backward(grad_output: Value, x: Value) -> Truth:
    """``g`` where x is positive, exactly."""
    return _exact(np.where(extended(x) > 0, extended(grad_output), 0))


def tanh(x: Value) -> Truth:
    """``tanh x``, absolute to 1: where it is near 0, the plain formula cancels."""
    return Truth(np.tanh(extended(x)), 1, steps=4, relative_to="1")


def tanh_relative(x: Value) -> Truth:
    """The same, relative to each value."""
    value = np.tanh(extended(x))
    return Truth(value, value)


def tanh_slope(x: np.ndarray) -> np.ndarray:
    """``1 - tanh^2``, without subtracting from 1."""
    return 4 * logistic_slope(2 * x)


def sigmoid(x: Value) -> Truth:
    """``1 / (1 + exp(-x))``, to 2 eps."""
    return Truth(logistic(extended(x)), 1, steps=2, terms=0, relative_to="1")


def gelu(x: Value) -> Truth:
    """``x Phi(x)``, absolute to |x|."""
    z = extended(x)
    return Truth(z * below(z), z, relative_to="|x|")


def gelu_slope(x: np.ndarray) -> np.ndarray:
    """``Phi(x) + x phi(x)``."""
    slope: np.ndarray = below(x) + x * density(x)
    return slope


def gelu_tanh(x: Value) -> Truth:
    """``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))``, absolute to |x|."""
    z = extended(x)
    gate = logistic(2 * _TANH_SCALE * (z + Extended("0.044715") * z**3))
    return Truth(z * gate, z, relative_to="|x|")


def gelu_tanh_backward(grad_output: Value, x: Value) -> Truth:
    """The derivative of the approximation, which no exercise asks for but autograd."""
    z = extended(x)
    inner = 2 * _TANH_SCALE * (z + Extended("0.044715") * z**3)
    moved = 2 * _TANH_SCALE * (1 + 3 * Extended("0.044715") * z * z)
    slope = logistic(inner) + z * logistic_slope(inner) * moved
    g = extended(grad_output)
    return Truth(g * slope, g, relative_to="|g|")


def silu(x: Value) -> Truth:
    """``x sigmoid(x)``, absolute to |x|."""
    z = extended(x)
    return Truth(z * logistic(z), z, relative_to="|x|")


def silu_slope(x: np.ndarray) -> np.ndarray:
    """``s (1 + x (1 - s))``."""
    slope: np.ndarray = logistic(x) + x * logistic_slope(x)
    return slope


def _backward(
    slope: Callable[[np.ndarray], np.ndarray], grad_output: Value, x: Value, reach: Any = 1
) -> Truth:
    g = extended(grad_output)
    words = "|g|" if isinstance(reach, int) else "|g| (1 + |x|), |x| up to 40"
    return Truth(g * slope(extended(x)), g * reach, steps=4, relative_to=words)


def tanh_backward(grad_output: Value, x: Value) -> Truth:
    """``g (1 - tanh(x)^2)``, absolute to |g|: 1 - tanh^2 may cancel."""
    return _backward(tanh_slope, grad_output, x)


def sigmoid_backward(grad_output: Value, x: Value) -> Truth:
    """``g s (1 - s)``, absolute to |g|: 1 - s may cancel."""
    return _backward(logistic_slope, grad_output, x)


def gelu_backward(grad_output: Value, x: Value) -> Truth:
    """``g (Phi(x) + x phi(x))``, absolute to |g|."""
    return _backward(gelu_slope, grad_output, x)


def silu_backward(grad_output: Value, x: Value) -> Truth:
    """``g s (1 + x (1 - s))``: the rounding of 1 - s is multiplied by x until s is 1."""
    reach = 1 + np.minimum(np.abs(extended(x)), 40)
    return _backward(silu_slope, grad_output, x, reach)


def swiglu(x: Value, w_gate: Value, w_up: Value, w_down: Value) -> Truth:
    """``(silu(x w_gate) * (x w_up)) w_down``, absolute to what the roundings are multiplied by."""
    z, gate, up, down = (extended(value) for value in (x, w_gate, w_up, w_down))
    score, carried = z @ gate, z @ up
    opened = score * logistic(score)
    size, slope = np.abs(z), 1.1  # silu's derivative is nowhere above 1.1
    scale = slope * (size @ np.abs(gate)) * np.abs(carried) + np.abs(opened) * (size @ np.abs(up))
    return Truth(
        (opened * carried) @ down, scale @ np.abs(down), terms=sum(gate.shape),
        relative_to="the same sums of absolute values",
    )  # fmt: skip


def gradient_through_depth(derivative: Any, x: Value, depth: int) -> Truth:
    """The derivative as it was given, to the power of depth; each factor may round."""
    if depth == 0:
        return _exact(np.ones_like(extended(x)))
    # Not through the counter: only the answer's calls are counted.
    factor = extended(derivative.function(x))
    with np.errstate(over="ignore", under="ignore"):
        value = factor**depth
    # What was given in 16 bits is multiplied in float32.
    coarse = dtype_name(x) in ("float16", "bfloat16")
    each = eps("float32") / eps(dtype_name(x)) if coarse else 1.0
    return Truth(value, value, steps=4 + depth * each)


def dead_fraction(pre_activations: Value) -> Truth:
    """The share of the last axis's units that are nowhere positive."""
    z = extended(pre_activations)
    alive = (z > 0).any(axis=tuple(range(z.ndim - 1)))
    value = np.asarray(np.mean(~alive, dtype=Extended))
    return Truth(value, value, steps=2, terms=0)
