"""Normalization and residual blocks in extended precision, and how near an answer must come.

The errors that no careful answer escapes, to first order: the mean is known to a few
roundings of ``mean|x|``, so a normalized number to those of ``|z| + mean|x| / s``. What is
known of a sublayer's argument becomes what is known of its result through its derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Value, plain
from llm_math_tests.checks.truth import Extended, Truth, extended
from llm_math_tests.truths.activations import below
from llm_math_tests.truths.attention import attended_by_heads

EPS = 1e-5
"""The eps of the blocks, which do not let it be chosen."""

_NEAR = "what the mean, the deviation and the parts of the sum are known to"


def _mean(x: np.ndarray) -> np.ndarray:
    mean: np.ndarray = x.mean(axis=-1, keepdims=True)
    return mean


class _Normalized:
    """Rows of mean 0 and variance 1, their deviations, and what the rows are known to."""

    def __init__(self, x: np.ndarray, eps: float, known: np.ndarray | None = None) -> None:
        centred = x - _mean(x)
        self.s = np.sqrt(_mean(centred**2) + Extended(eps))
        self.z = centred / self.s
        self.loose = np.abs(self.z) + _mean(np.abs(x)) / self.s
        if known is not None:
            self.loose += (known + _mean(known)) / self.s
            self.loose += np.abs(self.z) * _mean(known * np.abs(self.z)) / self.s

    def scaled(self, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What layer_norm gives, and what it is known to."""
        return self.z * weight + bias, self.loose * np.abs(weight) + np.abs(bias)

    def back(self, h: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The gradient that arrives at x, and what it is known to."""
        along = _mean(h * self.z)
        value = (h - _mean(h) - self.z * along) / self.s
        scale = known + _mean(known) + self.loose * np.abs(along)
        scale += np.abs(self.z) * _mean(known * np.abs(self.z) + np.abs(h) * self.loose)
        return value, scale / self.s


def layer_norm(x: Value, weight: Value, bias: Value, eps: float = 1e-5) -> Truth:
    """``(x - m) / sqrt(v + eps) * weight + bias``."""
    numbers = extended(x)
    value, scale = _Normalized(numbers, eps).scaled(extended(weight), extended(bias))
    return Truth(
        value, scale, terms=numbers.shape[-1],
        relative_to="|weight| (|z| + mean|x| / sqrt(v + eps)) + |bias|",
    )  # fmt: skip


def _over_rows(x: np.ndarray) -> np.ndarray:
    total: np.ndarray = x.reshape(-1, x.shape[-1]).sum(axis=0)
    return total


def layer_norm_backward(
    grad_output: Value, x: Value, weight: Value, eps: float = 1e-5
) -> tuple[Truth, Truth, Truth]:
    """``(dx, dweight, dbias)`` of the formulas, each absolute to what its parts are known to."""
    g, numbers, scale = extended(grad_output), extended(x), extended(weight)
    normalized = _Normalized(numbers, eps)
    n = numbers.shape[-1]
    rows = max(1, numbers.size // n)
    h = g * scale
    value, known = normalized.back(h, np.abs(h))
    return (
        Truth(value, known, terms=n, relative_to=_NEAR),
        Truth(
            _over_rows(g * normalized.z), _over_rows(np.abs(g) * normalized.loose),
            terms=rows + n, relative_to="the sum of |g| (|z| + mean|x| / s) over all rows",
        ),
        Truth(
            _over_rows(g), _over_rows(np.abs(g)),
            terms=rows, relative_to="the sum of |g| over all rows",
        ),
    )  # fmt: skip


def _root(numbers: np.ndarray, eps: float) -> np.ndarray:
    root: np.ndarray = np.sqrt(_mean(numbers**2) + Extended(eps))
    return root


def rms_norm(x: Value, weight: Value, eps: float = 1e-6) -> Truth:
    """``x / sqrt(mean(x^2) + eps) * weight``: nothing cancels."""
    numbers = extended(x)
    value = numbers / _root(numbers, eps) * extended(weight)
    return Truth(value, np.abs(value), terms=numbers.shape[-1])


def rms_norm_backward(
    grad_output: Value, x: Value, weight: Value, eps: float = 1e-6
) -> tuple[Truth, Truth]:
    """``(dx, dweight)`` of the formulas, each absolute to what its parts are known to."""
    g, numbers = extended(grad_output), extended(x)
    root = _root(numbers, eps)
    z = numbers / root
    h = g * extended(weight)
    n = numbers.shape[-1]
    return (
        Truth(
            (h - z * _mean(h * z)) / root,
            (np.abs(h) + np.abs(z) * _mean(np.abs(h * z))) / root,
            terms=n, relative_to="(|h| + |z| mean|h z|) / r",
        ),
        Truth(
            _over_rows(g * z), _over_rows(np.abs(g * z)),
            terms=max(1, numbers.size // n) + n,
            relative_to="the sum of |g z| over all rows",
        ),
    )  # fmt: skip


def _moved(
    function: Callable[[np.ndarray], np.ndarray], at: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """What a function is known to where its argument is to ``known``: ``|J| known``.

    By differences in every column at once: the function works on each row by itself.
    """
    step = Extended(1e-6) * (1 + np.abs(at).max(initial=0))
    width = at.shape[-1]
    changes = (step * np.eye(width, dtype=Extended)).reshape(width, *(1,) * (at.ndim - 1), width)
    slopes = (function(at + changes) - function(at - changes)) / (2 * step)
    moved: np.ndarray = (np.abs(slopes) * np.moveaxis(known, -1, 0)[..., None]).sum(axis=0)
    return moved


def pre_norm_block(x: Value, sublayer: Any, weight: Value, bias: Value) -> Truth:
    """``x + f(layer_norm(x))`` for a sublayer that works on each row by itself."""
    numbers = extended(x)
    normed, known = _Normalized(numbers, EPS).scaled(extended(weight), extended(bias))
    change = sublayer.function(normed)
    scale = np.abs(numbers) + np.abs(change) + _moved(sublayer.function, normed, known)
    return Truth(numbers + change, scale, terms=numbers.shape[-1], relative_to=_NEAR)


def pre_norm_block_backward(
    grad_output: Value, x: Value, sublayer_vjp: Any, weight: Value, bias: Value
) -> Truth:
    """``g + layer_norm'(f'(g))`` for a sublayer that works on each row by itself."""
    g, numbers, scale = extended(grad_output), extended(x), extended(weight)
    normalized = _Normalized(numbers, EPS)
    normed, known = normalized.scaled(scale, extended(bias))
    arrived = sublayer_vjp.function(normed, g)
    # A gradient off by a rounding moves what arrives by as much as it is made of.
    unsure = np.abs(arrived) + _moved(lambda at: sublayer_vjp.function(at, g), normed, known)
    unsure += _moved(lambda at: sublayer_vjp.function(normed, at), g, np.abs(g))
    value, loose = normalized.back(arrived * scale, unsure * np.abs(scale))
    return Truth(g + value, np.abs(g) + loose, terms=numbers.shape[-1], relative_to=_NEAR)


def post_norm_block(x: Value, sublayer: Any, weight: Value, bias: Value) -> Truth:
    """``layer_norm(x + f(x))``."""
    numbers = extended(x)
    change = sublayer.function(numbers)
    normalized = _Normalized(numbers + change, EPS, np.abs(numbers) + np.abs(change))
    value, scale = normalized.scaled(extended(weight), extended(bias))
    return Truth(value, scale, terms=numbers.shape[-1], relative_to=_NEAR)


def transformer_block(
    x: Value, params: dict[str, Value], num_heads: int, mask: Value = None
) -> Truth:
    """Attention, then the feed-forward network, each before a norm and beside a residual."""
    tokens = extended(x)
    p = {name: extended(value) for name, value in params.items()}
    size = {name: np.abs(value) for name, value in p.items()}
    normed, known = _Normalized(tokens, EPS).scaled(p["norm1_weight"], p["norm1_bias"])
    weights = tuple(p[name] for name in ("w_q", "w_k", "w_v", "w_o"))
    keep = None if mask is None else plain(mask)
    attended, loose = attended_by_heads(normed, known, weights, num_heads, keep)
    mixed = tokens + attended
    unsure = np.abs(tokens) + np.abs(attended) + loose
    normed, known = _Normalized(mixed, EPS, unsure).scaled(p["norm2_weight"], p["norm2_bias"])
    before = normed @ p["w1"] + p["b1"]
    # The derivative of gelu is at most 1.13.
    loose = 1.13 * (known @ size["w1"] + size["b1"]) + np.abs(before)
    hidden = before * below(before)
    value = mixed + hidden @ p["w2"] + p["b2"]
    scale = unsure + (np.abs(hidden) + loose) @ size["w2"] + size["b2"]
    n, d = tokens.shape[-2:]
    return Truth(value, scale, terms=8 * d + n, relative_to=_NEAR)
