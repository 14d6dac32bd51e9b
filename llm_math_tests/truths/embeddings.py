"""Embeddings in extended precision: copies of rows, and sums of gradients."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import Value
from llm_math_tests.checks.truth import Extended, Truth, extended


def one_hot(token_ids: np.ndarray, vocab_size: int) -> Truth:
    """1 where the column is the token, 0 elsewhere: nothing to round."""
    value = (token_ids[..., None] == np.arange(vocab_size)).astype(Extended)
    return Truth(value, np.zeros_like(value), relative_to="nothing: 0 and 1 are exact")


def embedding_lookup(table: Value, token_ids: np.ndarray) -> Truth:
    """Rows of the table: a copy rounds nothing."""
    value = extended(table)[token_ids]
    return Truth(value, np.zeros_like(value), relative_to="nothing: a copy is exact")


def embedding_backward(grad_output: Value, token_ids: np.ndarray, vocab_size: int) -> Truth:
    """Each token's gradients added up, relative to the sum of their magnitudes."""
    value, scale, most = _summed(extended(grad_output), token_ids, vocab_size)
    # A single gradient is a copy; only a 16-bit result is rounded, once.
    return Truth(
        value, scale, steps=1, terms=most, relative_to="the sum of |g| over the token's places"
    )


def embedding_sgd_step(table: Value, grad_output: Value, token_ids: np.ndarray, lr: float) -> Truth:
    """``table - lr * sum of g``, relative to both together; other rows are copies."""
    old = extended(table)
    total, size, most = _summed(extended(grad_output), token_ids, len(old))
    moved = np.zeros((len(old), 1), bool)
    moved[token_ids.reshape(-1)] = True
    with np.errstate(invalid="ignore"):
        value = np.where(moved, old - Extended(lr) * total, old)
        scale = np.where(moved, np.abs(old) + Extended(lr) * size, 0)
    # Rounded are: lr, its product, the difference, and a 16-bit result.
    return Truth(value, scale, 3, most, relative_to="|table| + lr times the sum of |g|")


def _summed(
    g: np.ndarray, token_ids: np.ndarray, vocab_size: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Each token's sums of g and of |g|, and how often the most frequent token came."""
    ids = token_ids.reshape(-1).astype(np.int64)
    rows = g.reshape(ids.size, g.shape[-1])
    total = np.zeros((vocab_size, g.shape[-1]), Extended)
    size = np.zeros_like(total)
    with np.errstate(invalid="ignore"):
        np.add.at(total, ids, rows)
        np.add.at(size, ids, np.abs(rows))
    return total, size, max(1, int(np.bincount(ids, minlength=1).max()))
