"""Attention in extended precision, and how far a careful answer may be from it.

The errors that no careful answer escapes, to first order: a score is known to
``a_ij = sum_c |q_ic k_jc| / sqrt(d)`` times a few roundings, and a score that is
off by ``e_j`` moves the output by ``sum_j p_j e_j (v_j - out)``. So a query that
sees one key only may be asked for that value to the last digits, however large
the scores are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llm_math_tests.answers.values import Value, plain
from llm_math_tests.checks.truth import Extended, Truth, extended
from llm_math_tests.truths.softmax import largest_finite

_NEAR = "what the weights, the scores they come from and the values are known to"


def _turned(x: np.ndarray) -> np.ndarray:
    return x.swapaxes(-1, -2)


def _root(width: int) -> np.longdouble:
    root: np.longdouble = np.sqrt(Extended(width))
    return root


def attention_scores(q: Value, k: Value) -> Truth:
    """``q k^T / sqrt(d)``, absolute to the sum of the products' magnitudes."""
    queries, keys = extended(q), extended(k)
    width = queries.shape[-1]
    value = queries @ _turned(keys) / _root(width)
    scale = np.abs(queries) @ _turned(np.abs(keys)) / _root(width)
    return Truth(value, scale, terms=width, relative_to="sum |q_c k_c| / sqrt(d)")


def causal_mask(n: int) -> Truth:
    """True on and below the diagonal."""
    value = np.tril(np.ones((n, n), bool))
    return Truth(value, value)


def causal_keep(n: int, m: int) -> np.ndarray:
    """``j <= i``, counted from the top left."""
    return np.tril(np.ones((n, m), bool))


@dataclass(frozen=True, eq=False)
class _Attended:
    """Attention's result, its weights, and what each is known to."""

    p: np.ndarray
    score_size: np.ndarray
    """What an error in a score is relative to; 0 where the weight is 0."""
    value: np.ndarray
    scale: np.ndarray


def _attend(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    keep: np.ndarray | None,
    sizes: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> _Attended:
    """Attend in extended precision; ``sizes`` are what q, k and v are known to, if computed."""
    root = _root(q.shape[-1])
    with np.errstate(invalid="ignore"):
        scores = q @ _turned(k) / root
        if keep is not None:
            scores = np.where(keep, scores, Extended(-np.inf))
        below = scores - largest_finite(scores, -1)
        weights = np.exp(below)
        total = weights.sum(axis=-1, keepdims=True)
        p = weights / np.where(total == 0, Extended(1), total)
        if sizes is None:
            size = np.abs(q) @ _turned(np.abs(k))
        else:
            size = sizes[0] @ _turned(np.abs(k)) + np.abs(q) @ _turned(sizes[1])
        size = np.where(p > 0, size / root + np.abs(below), 0)
    value = p @ v
    away = np.abs(v[..., None, :, :] - value[..., :, None, :])
    moved = ((p * size)[..., None, :] @ away)[..., 0, :]
    return _Attended(p, size, value, p @ (np.abs(v) if sizes is None else sizes[2]) + moved)


def _kept(mask: Value) -> np.ndarray | None:
    return None if mask is None else plain(mask)


def scaled_dot_product_attention(q: Value, k: Value, v: Value, mask: Value = None) -> Truth:
    """``softmax(q k^T / sqrt(d)) v``; zeros, exactly, where no key is left."""
    keys = extended(k)
    found = _attend(extended(q), keys, extended(v), _kept(mask))
    return Truth(found.value, found.scale, terms=sum(keys.shape[-2:]), relative_to=_NEAR)


def flash_attention(
    q: Value, k: Value, v: Value, block_size: int = 64, causal: bool = False
) -> Truth:
    """The same for every block size: only the order of the sums differs."""
    n, m = plain(q).shape[-2], plain(k).shape[-2]
    return scaled_dot_product_attention(q, k, v, causal_keep(n, m) if causal else None)


def scaled_dot_product_attention_backward(
    grad_output: Value, q: Value, k: Value, v: Value, mask: Value = None
) -> tuple[Truth, Truth, Truth]:
    """``(dq, dk, dv)`` of the formulas, each absolute to what its parts are known to."""
    g, queries, keys, values = (extended(x) for x in (grad_output, q, k, v))
    found = _attend(queries, keys, values, _kept(mask))
    p, root = found.p, _root(queries.shape[-1])

    def mean(x: np.ndarray) -> np.ndarray:
        averaged: np.ndarray = (p * x).sum(axis=-1, keepdims=True)
        return averaged

    dp = g @ _turned(values)
    centred = dp - mean(dp)
    ds = p * centred
    # A weight is off by p_j e_j less p_j times the mean e: nothing for a lone key.
    others = mean(found.score_size)
    loose = found.score_size * (1 - p) + (others - p * found.score_size)
    known = np.abs(g) @ _turned(np.abs(values))
    ds_scale = p * ((1 + loose) * np.abs(centred) + mean((1 + loose) * np.abs(centred)))
    ds_scale += p * (known + mean(known))
    dv_scale = _turned(p * (1 + loose)) @ np.abs(g)
    terms = sum(keys.shape[-2:]) + queries.shape[-2]

    def truth(value: np.ndarray, scale: np.ndarray) -> Truth:
        return Truth(value, scale, terms=terms, relative_to=_NEAR)

    return (
        truth(ds @ keys / root, ds_scale @ np.abs(keys) / root),
        truth(_turned(ds) @ queries / root, _turned(ds_scale) @ np.abs(queries) / root),
        truth(_turned(p) @ g, dv_scale),
    )


def multi_head_attention(
    x: Value,
    w_q: Value,
    w_k: Value,
    w_v: Value,
    w_o: Value,
    num_heads: int,
    mask: Value = None,
) -> Truth:
    """Attention in each slice of the width, put side by side and mixed by w_o."""
    tokens = extended(x)
    weights = tuple(extended(w) for w in (w_q, w_k, w_v, w_o))
    value, scale = attended_by_heads(tokens, np.abs(tokens), weights, num_heads, _kept(mask))
    return Truth(value, scale, terms=3 * tokens.shape[-1] + tokens.shape[-2], relative_to=_NEAR)


def attended_by_heads(
    tokens: np.ndarray,
    known: np.ndarray,
    weights: tuple[np.ndarray, ...],
    num_heads: int,
    keep: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The same in extended numbers, with what it is known to where the tokens are to ``known``."""
    shape = tokens.shape
    width = shape[-1] // num_heads

    def in_heads(projected: np.ndarray) -> np.ndarray:
        return projected.reshape(*shape[:-1], num_heads, width).swapaxes(-2, -3)

    *to_heads, mixed = weights
    q, k, v = (in_heads(tokens @ w) for w in to_heads)
    sizes = tuple(in_heads(known @ np.abs(w)) for w in to_heads)
    if keep is not None and keep.ndim > 2:
        keep = keep[..., None, :, :]
    found = _attend(q, k, v, keep, sizes)  # type: ignore[arg-type]

    def merged(heads: np.ndarray) -> np.ndarray:
        return heads.swapaxes(-2, -3).reshape(shape)

    return merged(found.value) @ mixed, merged(found.scale) @ np.abs(mixed)
