"""Entropy and divergences, as SciPy, mpmath and torch compute them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.outside import Outside


def _entropy(p: Any, axis: int = -1) -> Any:
    from scipy.special import entr

    return entr(p).sum(axis=axis)


def _kl_divergence(p: Any, q: Any, axis: int = -1) -> Any:
    from scipy.special import rel_entr

    return rel_entr(p, q).sum(axis=axis)


def _js_divergence(p: Any, q: Any, axis: int = -1) -> Any:
    """By mpmath, row by row: SciPy's jensenshannon divides by the sums and takes a root."""
    import mpmath

    both = np.stack([np.moveaxis(p, axis, -1), np.moveaxis(q, axis, -1)], axis=-2)
    out = np.empty(both.shape[:-2])
    with mpmath.workdps(40):
        for row in np.ndindex(out.shape):
            total = mpmath.mpf(0)
            for x, y in both[row].T:
                x, y = mpmath.mpf(float(x)), mpmath.mpf(float(y))
                for one in (x, y):
                    if one:
                        total += one * mpmath.log(2 * one / (x + y)) / 2
            out[row] = float(total)
    return out


def _distillation_loss(student_logits: Any, teacher_logits: Any, temperature: float = 2.0) -> Any:
    import torch

    student, teacher = torch.tensor(student_logits), torch.tensor(teacher_logits)
    masked = (teacher == -torch.inf) & (teacher > -torch.inf).any(-1, keepdim=True)
    logs = [(z / temperature).log_softmax(-1) for z in (student, teacher)]
    logs = [log.masked_fill(masked, 0) for log in logs]
    terms = torch.nn.functional.kl_div(*logs, log_target=True, reduction="none")
    # kl_div would add the masked classes as if the teacher were sure of each.
    rows = terms.masked_fill(masked, 0).sum(-1)
    return (temperature**2 * rows.mean()).numpy()


def _gaussian_kl(mean: Any, log_var: Any) -> Any:
    """By mpmath: torch.distributions subtracts 1 and loses the digits near the prior."""
    import mpmath

    mean, log_var = np.asarray(mean), np.asarray(log_var)
    out = np.empty(mean.shape[:-1])
    with mpmath.workdps(60):
        for row in np.ndindex(out.shape):
            total = mpmath.mpf(0)
            for m, v in zip(mean[row].tolist(), log_var[row].tolist(), strict=True):
                total += (mpmath.mpf(m) ** 2 + mpmath.exp(v) - 1 - mpmath.mpf(v)) / 2
            out[row] = float(total)
    return out


def _kl_penalized_reward(
    reward: Any, policy_logprobs: Any, reference_logprobs: Any, beta: float
) -> Any:
    """By fractions: every product and sum exact, rounded once."""
    from fractions import Fraction

    rewards = []
    for r, policy, reference in zip(
        reward.tolist(), policy_logprobs.tolist(), reference_logprobs.tolist(), strict=True
    ):
        if -np.inf in reference:
            rewards.append(-np.inf)
            continue
        drift = sum(Fraction(a) - Fraction(b) for a, b in zip(policy, reference, strict=True))
        rewards.append(float(Fraction(r) - Fraction(beta) * drift))
    return np.array(rewards)


ROWS: tuple[Outside, ...] = (
    Outside("entropy", "scipy.special.entr", _entropy),
    Outside("kl_divergence", "scipy.special.rel_entr", _kl_divergence),
    Outside(
        "js_divergence",
        "mpmath",
        _js_divergence,
        # 20000 logarithms in Python take longer than all the others together.
        without=("handles_long_rows/float32_20000",),
    ),
    Outside(
        "distillation_loss",
        "torch.nn.functional.kl_div",
        _distillation_loss,
    ),
    Outside("gaussian_kl", "mpmath", _gaussian_kl, without=("handles_long_rows/float32_20000",)),
    Outside("kl_penalized_reward", "fractions", _kl_penalized_reward),
)
