"""The libraries' own functions, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercises.benches import library


def _summed(terms: Any, *arrays: Any) -> Any:
    return terms(*arrays).sum(-1)


def _kl_div(kl_div: Any, p: Any, q: Any) -> Any:
    return kl_div(q.log(), p, reduction="none").sum(-1)


def _squared(distance: Any, p: Any, q: Any) -> Any:
    return distance(p, q, axis=-1) ** 2


def _distilled(kl_div: Any, student: Any, teacher: Any, temperature: float = 2.0) -> Any:
    logs = [(logits / temperature).log_softmax(-1) for logits in (student, teacher)]
    return temperature**2 * kl_div(*logs, reduction="batchmean", log_target=True)


def _with_scipy(log_softmax: Any, student: Any, teacher: Any, temperature: float = 2.0) -> Any:
    import numpy as np

    log_q, log_p = (log_softmax(z / temperature, axis=-1) for z in (student, teacher))
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        terms = np.where(p == 0, 0, p * (log_p - log_q))
    return temperature**2 * terms.sum(axis=-1).mean()


def _with_torch(log_softmax: Any, student: Any, teacher: Any, temperature: float = 2.0) -> Any:
    log_q, log_p = (log_softmax(z / temperature, dim=-1) for z in (student, teacher))
    p = log_p.exp()
    terms = p * (log_p - log_q).masked_fill(p == 0, 0)
    return temperature**2 * terms.sum(dim=-1).mean()


def _of_normals(kl_divergence: Any, mean: Any, log_var: Any) -> Any:
    import torch
    from torch.distributions import Normal

    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return kl_divergence(Normal(mean, (0.5 * log_var).exp()), prior).sum(-1)


ENTROPY = {
    "numpy": library("scipy.special.entr", _summed),
    "torch": library("torch.special.entr", _summed),
    "cupy": library("cupyx.scipy.special.entr", _summed),
}
KL_DIVERGENCE = {
    "numpy": library("scipy.special.rel_entr", _summed),
    "torch": library("torch.nn.functional.kl_div", _kl_div),
    "cupy": library("cupyx.scipy.special.rel_entr", _summed),
}
JS_DIVERGENCE = {
    "numpy": library("scipy.spatial.distance.jensenshannon", _squared),
}
DISTILLATION_LOSS = {
    "torch": library("torch.nn.functional.kl_div", _distilled),
}
# kl_div adds NaN for a class that is masked for both.
DISTILLATION_LOSS_COMPOSED = {
    "numpy": library("scipy.special.log_softmax", _with_scipy),
    "torch": library("torch.log_softmax", _with_torch),
}
GAUSSIAN_KL = {
    "torch": library("torch.distributions.kl_divergence", _of_normals),
}
