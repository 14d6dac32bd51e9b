"""Cross-entropy and its gradients in extended precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llm_math_tests.answers.values import Value, plain
from llm_math_tests.checks.truth import Extended, Truth, extended
from llm_math_tests.truths.softmax import largest_finite, probabilities, reach

_TO_THE_LOGITS = "1 + the mean over kept tokens of max|z|"


def all_losses(z: np.ndarray) -> np.ndarray:
    """``-log softmax(z)`` of every class; a row of all -inf gives NaN."""
    shifted = z - largest_finite(z, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        losses: np.ndarray = np.log(np.exp(shifted).sum(axis=-1, keepdims=True)) - shifted
    return losses


def token_losses(z: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """``-log softmax(z)_t`` of each token; targets are all in range."""
    losses: np.ndarray = np.take_along_axis(all_losses(z), targets[..., None], -1)[..., 0]
    return losses


def _mean(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Mean of the kept values as a 0-d array; NaN of nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(kept, values, 0).sum() / Extended(kept.sum()), Extended)


def _one_hot(targets: np.ndarray, classes: int) -> np.ndarray:
    hot: np.ndarray = targets[..., None] == np.arange(classes)
    return hot


def cross_entropy(logits: Value, targets: Value, ignore_index: int | None = -100) -> Truth:
    """Mean of ``logsumexp(z) - z_t`` over kept tokens.

    Absolute to 1 + max|z|: a logit of 1e4 is known to eps * 1e4 and no better, and
    ``logsumexp(z) - z_t`` as the textbook has it loses that much.
    """
    z, t = extended(logits), plain(targets)
    kept = np.asarray(t != ignore_index)
    losses = token_losses(z, np.where(kept, t, 0))
    scale = _mean(reach(z, -1)[..., 0], kept) if kept.any() else Extended(1)
    return Truth(
        _mean(losses, kept), scale, terms=z.shape[-1] + int(kept.sum()), relative_to=_TO_THE_LOGITS
    )


def cross_entropy_backward(logits: Value, targets: Value, ignore_index: int | None = -100) -> Truth:
    """``(softmax - one_hot) / kept``, zero where ignored.

    Relative to each probability times 1 + max|z|, and absolute to 1 at the target,
    where ``p - 1`` may cancel.
    """
    z, t = extended(logits), plain(targets)
    kept = np.asarray(t != ignore_index)[..., None]
    if z.size == 0:
        return Truth(z, z)
    p = probabilities(z)
    y = _one_hot(t, z.shape[-1])
    count = max(1, int(kept.sum()))
    return Truth(
        np.where(kept, (p - y) / count, Extended(0)),
        np.where(kept, (p * reach(z, -1) + y) / count, Extended(0)),
        terms=z.shape[-1],
        relative_to="each probability times 1 + max|z|, plus 1 at the target, over kept tokens",
    )


def label_smoothing_cross_entropy(logits: Value, targets: Value, smoothing: float = 0.1) -> Truth:
    """Cross-entropy against ``(1 - s) one_hot + s/V``, with ``0 * inf = 0``."""
    z, t = extended(logits), plain(targets)
    every = np.ones(t.shape, bool)
    s = Extended(smoothing)
    losses = np.zeros(t.shape, Extended)
    if smoothing < 1:
        losses = losses + (1 - s) * token_losses(z, t)
    if smoothing > 0:
        losses = losses + s * all_losses(z).mean(axis=-1)
    plainly = cross_entropy(logits, targets, None)
    return replace(plainly, value=_mean(losses, every))


def perplexity(logits: Value, targets: Value) -> Truth:
    """``exp`` of the mean cross-entropy: its absolute error becomes a relative one."""
    mean = cross_entropy(logits, targets, None)
    with np.errstate(over="ignore"):
        value = np.asarray(np.exp(mean.value), Extended)
    return replace(
        mean, value=value, scale=value * mean.scale, relative_to="the value times 1 + mean max|z|"
    )


def mean_squared_error(logits: Value, targets: Value) -> Truth:
    """Mean over all elements of ``(softmax - one_hot)^2``: what mse_backward differentiates."""
    z, t = extended(logits), plain(targets)
    squares = (probabilities(z) - _one_hot(t, z.shape[-1])) ** 2
    return Truth(np.asarray(squares.mean(), Extended), Extended(1))


def mse_backward(logits: Value, targets: Value) -> Truth:
    """``2/(N V) p (d - sum(d p))`` with ``d = p - y``.

    The factor p keeps its digits however small it is; what it multiplies is a
    difference of numbers up to 1, known to eps.
    """
    z, t = extended(logits), plain(targets)
    if z.size == 0:
        return Truth(z, z)
    p = probabilities(z)
    y = _one_hot(t, z.shape[-1])
    factor = Extended(2) / z.size
    d = p - y
    value = factor * p * (d - (d * p).sum(axis=-1, keepdims=True))
    size = p + y + ((p + y) * p).sum(axis=-1, keepdims=True)
    return Truth(
        value, factor * p * size * reach(z, -1), terms=z.shape[-1],
        relative_to="2 / (tokens V) times p (p + y + their mean) times 1 + max|z|",
    )  # fmt: skip
