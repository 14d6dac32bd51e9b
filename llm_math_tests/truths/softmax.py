"""Softmax and its family in extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_math_tests.answers.values import Blocks, Value
from llm_math_tests.checks.truth import Extended, Truth, extended


def largest_finite(x: np.ndarray, axis: int) -> np.ndarray:
    """Maximum along an axis where it is finite, else 0: what may be subtracted safely."""
    top = x.max(axis=axis, keepdims=True)
    result: np.ndarray = np.where(np.isfinite(top), top, Extended(0))
    return result


def reach(x: np.ndarray, axis: int) -> np.ndarray:
    """1 + the largest finite magnitude along an axis: what an error in a score becomes."""
    size = np.where(np.isfinite(x), np.abs(x), 0)
    result: np.ndarray = 1 + size.max(axis=axis, keepdims=True)
    return result


def probabilities(z: np.ndarray, axis: int = -1) -> np.ndarray:
    """Softmax of extended scores; a row of all -inf gives NaN."""
    if z.size == 0:
        return z
    with np.errstate(invalid="ignore", divide="ignore"):
        e = np.exp(z - largest_finite(z, axis))
        p: np.ndarray = e / e.sum(axis=axis, keepdims=True)
    return p


def softmax(logits: Value, temperature: float = 1.0, axis: int = -1) -> Truth:
    """``exp(z/T) / sum exp(z/T)``, relative to each probability and 1 + max|z/T|."""
    z = extended(logits) / Extended(temperature)
    if z.size == 0:
        return Truth(z, z)
    p = probabilities(z, axis)
    return Truth(
        p, p * reach(z, axis), terms=z.shape[axis],
        relative_to="each probability times 1 + max|z/T|",
    )  # fmt: skip


def logsumexp_value(x: np.ndarray, axis: int) -> np.ndarray:
    """``log sum exp`` of extended numbers, the axis kept with size 1."""
    top = largest_finite(x, axis)
    with np.errstate(divide="ignore", over="ignore"):
        value: np.ndarray = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return np.where((x == np.inf).any(axis=axis, keepdims=True), Extended(np.inf), value)


def log_softmax(logits: Value, axis: int = -1) -> Truth:
    """``z - logsumexp(z)``, absolute to 1 + |value| (and to the scores it is made of)."""
    z = extended(logits)
    if z.size == 0:
        return Truth(z, z)
    with np.errstate(invalid="ignore"):
        # z - max is exact to eps, whatever the size of z: the docstring asks for that order.
        moved = z - largest_finite(z, axis)
        value = moved - logsumexp_value(moved, axis)
    scale = 1 + np.abs(np.where(np.isfinite(value), value, 0))
    return Truth(value, scale, terms=z.shape[axis], relative_to="1 + |value|")


def logsumexp(x: Value, axis: int = -1) -> Truth:
    """``log sum exp(x)`` along an axis, absolute to 1 + |value|."""
    z = extended(x)
    if z.size == 0:
        value = z.sum(axis=axis)
        return Truth(value, value)
    value = np.squeeze(logsumexp_value(z, axis), axis=axis)
    scale = 1 + np.abs(np.where(np.isfinite(value), value, 0))
    return Truth(value, scale, terms=z.shape[axis], relative_to="1 + |value|")


def softmax_backward(grad_output: Value, probs: Value, axis: int = -1) -> Truth:
    """``p * (g - sum(g p))``, absolute to p times (|g| + the row's mean |g|)."""
    g, p = extended(grad_output), extended(probs)
    if p.size == 0:
        return Truth(p, p)
    value = p * (g - (g * p).sum(axis=axis, keepdims=True))
    scale = p * (np.abs(g) + (np.abs(g) * p).sum(axis=axis, keepdims=True))
    return Truth(
        value, scale, terms=p.shape[axis], relative_to="p times (|g| + the mean |g| of the row)"
    )


def softmax_jacobian(probs: Value) -> Truth:
    """``diag(p) - p p^T``; on the diagonal p - p^2 may cancel, off it each product is exact."""
    p = extended(probs)
    outer = p[..., :, None] * p[..., None, :]
    n = p.shape[-1]
    value = np.where(np.eye(n, dtype=bool), p[..., :, None] - outer, -outer)
    scale = np.where(np.eye(n, dtype=bool), p[..., :, None], outer)
    return Truth(value, scale, relative_to="p on the diagonal, p_i p_j off it")


def online_logsumexp(blocks: Any) -> Truth:
    """``log sum exp`` over all blocks together."""
    held = blocks.arrays if isinstance(blocks, Blocks) else blocks
    return logsumexp_of_blocks([extended(block) for block in held])


def logsumexp_of_blocks(blocks: list[np.ndarray]) -> Truth:
    """The same as :func:`logsumexp` of the blocks side by side."""
    together = np.concatenate(blocks, axis=-1)
    truth = logsumexp(together)
    # The running sum is scaled and added to once a block: two more roundings for each.
    terms = together.shape[-1] + 2 * len(blocks)
    return Truth(truth.value, truth.scale, terms=terms, relative_to="1 + |value|")
