"""Entropy and divergences in extended precision.

Rows of probabilities are taken as they are: nothing divides them by their sums.
"""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import Value
from llm_math_tests.checks.truth import Extended, Truth, extended
from llm_math_tests.truths.softmax import largest_finite, reach


def logarithm(p: np.ndarray) -> np.ndarray:
    """``log p``, and 0 where p is 0: for what is multiplied by p."""
    result: np.ndarray = np.log(np.where(p == 0, Extended(1), p))
    return result


def _to_each(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """``p log(p/q)`` term by term: 0 where p is 0, +inf where only q is."""
    with np.errstate(divide="ignore"):
        terms: np.ndarray = p * (logarithm(p) - np.log(np.where(p == 0, Extended(1), q)))
    return terms


def _size(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """``p (1 + |log p| + |log q|)``: the terms before p log p and p log q cancel.

    The 1 is for an answer that takes the logarithm of the quotient.
    """
    size: np.ndarray = p * (1 + np.abs(logarithm(p)) + np.abs(logarithm(q)))
    return size


def _finite(size: np.ndarray) -> np.ndarray:
    """A scale without its infinities, which would allow anything."""
    result: np.ndarray = np.where(np.isfinite(size), size, Extended(0))
    return result


def entropy(p: Value, axis: int = -1) -> Truth:
    """``-sum p log p``: terms of one sign, so relative to the entropy itself."""
    x = extended(p)
    value = -(x * logarithm(x)).sum(axis=axis)
    scale = (x * np.abs(logarithm(x))).sum(axis=axis)
    return Truth(value, scale, terms=x.shape[axis], relative_to="the entropy")


def kl_divergence(p: Value, q: Value, axis: int = -1) -> Truth:
    """``sum p log(p/q)``, absolute to what cancels in it."""
    x, y = extended(p), extended(q)
    return Truth(
        _to_each(x, y).sum(axis=axis), _size(x, y).sum(axis=axis), terms=x.shape[axis],
        relative_to="sum p (1 + |log p| + |log q|)",
    )  # fmt: skip


def js_divergence(p: Value, q: Value, axis: int = -1) -> Truth:
    """``(KL(p || m) + KL(q || m)) / 2`` with the mean m, absolute to what cancels in it."""
    x, y = extended(p), extended(q)
    m = (x + y) / 2
    value = (_to_each(x, m) + _to_each(y, m)).sum(axis=axis) / 2
    scale = (_size(x, m) + _size(y, m)).sum(axis=axis) / 2
    return Truth(
        value,
        scale,
        terms=2 * x.shape[axis],
        relative_to="the mean of sum p (1 + |log p| + |log m|)",
    )


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - largest_finite(logits, -1)
    with np.errstate(divide="ignore"):
        logs: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logs


def distillation_loss(
    student_logits: Value, teacher_logits: Value, temperature: float = 2.0
) -> Truth:
    """``T^2`` times the mean over rows of ``KL(teacher || student)`` at temperature T.

    Absolute to the terms before they cancel, and to what a rounding of the largest
    logit moves: the loss has slope p (log p/q - KL) in the teacher's logits over T
    and q - p in the student's.
    """
    t = Extended(temperature)
    student, teacher = extended(student_logits) / t, extended(teacher_logits) / t
    rows = student.size // student.shape[-1]
    if rows == 0:
        nan = np.asarray(Extended(np.nan))
        return Truth(nan, nan)
    with np.errstate(invalid="ignore"):
        log_q, log_p = _log_softmax(student), _log_softmax(teacher)
        p, q = np.exp(log_p), np.exp(log_q)
        # 0 where the teacher's probability is: neither -inf nor -inf - -inf counts
        ratio = np.where(p == 0, Extended(0), log_p - log_q)
        log_p = np.where(p == 0, Extended(0), log_p)
        divergence = (p * ratio).sum(axis=-1, keepdims=True)
        size = p * (1 + np.abs(log_p) + np.abs(log_p - ratio))
        size = size + reach(teacher, -1) * p * np.abs(ratio - divergence)
        size = size + reach(student, -1) * np.abs(p - q)
        scale = size.sum(axis=-1)
    value = np.asarray(t * t * divergence.sum() / rows, Extended)
    return Truth(
        value, t * t * _finite(scale).sum() / rows,
        terms=student.shape[-1] + rows,
        relative_to="T^2 times the mean of sum p (1 + |log p| + |log q|), plus what "
        "rounding a logit moves",
    )  # fmt: skip


def gaussian_kl(mean: Value, log_var: Value) -> Truth:
    """``sum (mean^2 + expm1(log_var) - log_var) / 2``, absolute to those three."""
    m, v = extended(mean), extended(log_var)
    grown = np.expm1(v)
    value = (m * m + (grown - v)).sum(axis=-1) / 2
    scale = _finite(m * m + np.abs(grown) + np.abs(v)).sum(axis=-1) / 2
    return Truth(
        value, scale, terms=m.shape[-1],
        relative_to="half the sum of mean^2 + |expm1(log_var)| + |log_var|",
    )  # fmt: skip


def kl_penalized_reward(
    reward: Value, policy_logprobs: Value, reference_logprobs: Value, beta: float
) -> Truth:
    """``reward - beta sum (log pi - log pi_ref)``, absolute to the differences."""
    r = extended(reward)
    drift = extended(policy_logprobs) - extended(reference_logprobs)
    b = Extended(beta)
    return Truth(
        r - b * drift.sum(axis=-1), np.abs(r) + b * _finite(np.abs(drift)).sum(axis=-1),
        terms=drift.shape[-1], relative_to="|reward| + beta times sum |log pi - log pi_ref|",
    )  # fmt: skip
