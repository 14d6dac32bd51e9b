"""What the libraries have themselves, timed beside the answers.

The compositions keep the contract in the dtypes that are timed, float32 and float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import CHECKED, ahead, library

_Function = Callable[..., Any]


def _mean(take: _Function, log_softmax: _Function, logits: Any, targets: Any) -> Any:
    return -take(log_softmax(logits, -1), targets[..., None], -1).mean()


def _smoothed(
    take: _Function, log_softmax: _Function, logits: Any, targets: Any, smoothing: float = 0.1
) -> Any:
    logs = log_softmax(logits, -1)
    picked = take(logs, targets[..., None], -1)
    return (smoothing - 1) * picked.mean() - smoothing * logs.mean()


def _perplexity(take: _Function, log_softmax: _Function, logits: Any, targets: Any) -> Any:
    return 2.718281828459045 ** _mean(take, log_softmax, logits, targets)


def _without_one_hot(probs: Any, arange: _Function, targets: Any) -> Any:
    rows = probs.reshape(-1, probs.shape[-1])
    rows[arange(len(rows)), targets.reshape(-1)] -= 1
    return probs


def _difference(arange: _Function, softmax: _Function, logits: Any, targets: Any) -> Any:
    return _without_one_hot(softmax(logits, -1), arange, targets) / targets.size


def _squared(arange: _Function, softmax: _Function, logits: Any, targets: Any) -> Any:
    probs = softmax(logits, -1)
    difference = _without_one_hot(probs.copy(), arange, targets)
    inner = (difference * probs).sum(-1, keepdims=True)
    return probs * (difference - inner) * (2 / logits.size)


def _of_arrays(name: str, how: _Function, needs: str) -> dict[str, Yardstick]:
    """For the two libraries of arrays without a loss of their own."""
    return {
        "numpy": library(f"scipy.special.{name}", partial(how, getattr(np, needs))),
        "cupy": library(f"cupyx.scipy.special.{name}", partial(how, library(f"cupy.{needs}").call)),
    }


def _gradient(loss: _Function, logits: Any, targets: Any) -> Any:
    import torch

    at = logits.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(loss(at, targets), at)[0]


def _gradient_of_squares(mse_loss: _Function, logits: Any, targets: Any) -> Any:
    import torch

    one_hot = torch.nn.functional.one_hot(targets, logits.shape[-1]).to(logits.dtype)
    return _gradient(lambda at, _: mse_loss(torch.softmax(at, -1), one_hot), logits, targets)


def _in_range(targets: Any, classes: int) -> Any:
    if ((targets < 0) | (targets >= classes)).any():
        raise ValueError(f"targets must be in [0, {classes - 1}]")
    return targets


def _numpy_loss(logits: Any, targets: Any, ignore_index: int = -100) -> Any:
    kept = targets != ignore_index
    chosen = _in_range(np.where(kept, targets, 0), logits.shape[-1])
    shifted = logits - logits.max(-1, keepdims=True)
    picked = np.take_along_axis(shifted, chosen[..., None], -1)[..., 0]
    losses = np.log(np.exp(shifted, out=shifted).sum(-1)) - picked
    return np.where(kept, losses, 0).sum() / kept.sum()


def _torch_loss(logits: Any, targets: Any, ignore_index: int = -100) -> Any:
    kept = targets != ignore_index
    chosen = _in_range(targets.masked_fill(~kept, 0), logits.shape[-1])
    losses = logits.logsumexp(-1) - logits.gather(-1, chosen[..., None])[..., 0]
    return losses.masked_fill(~kept, 0).sum() / kept.sum()


def _numpy_backward(logits: Any, targets: Any, ignore_index: int = -100) -> Any:
    kept = targets != ignore_index
    chosen = _in_range(np.where(kept, targets, 0), logits.shape[-1])
    grad = logits - logits.max(-1, keepdims=True)
    np.exp(grad, out=grad)
    count = logits.dtype.type(max(1, kept.sum()))
    grad /= grad.sum(-1, keepdims=True) * count
    rows = grad.reshape(-1, grad.shape[-1])
    rows[np.arange(len(rows)), chosen.reshape(-1)] -= 1 / count
    grad[~kept] = 0
    return grad


def _torch_backward(logits: Any, targets: Any, ignore_index: int = -100) -> Any:
    import torch

    kept = targets != ignore_index
    chosen = _in_range(targets.masked_fill(~kept, 0), logits.shape[-1])
    count = kept.sum().clamp(min=1).to(logits.dtype)
    grad = torch.softmax(logits, -1) / count
    less = (-1 / count).expand_as(chosen[..., None])
    return grad.scatter_add_(-1, chosen[..., None], less).masked_fill_(~kept[..., None], 0)


_LOSS = "torch.nn.functional.cross_entropy"

CROSS_ENTROPY = {
    **_of_arrays("log_softmax", _mean, "take_along_axis"),
    "torch": ahead(library(_LOSS), CHECKED),
}
BACKWARD = {**_of_arrays("softmax", _difference, "arange"), "torch": library(_LOSS, _gradient)}
LABEL_SMOOTHING = {
    **_of_arrays("log_softmax", _smoothed, "take_along_axis"),
    "torch": ahead(
        library(_LOSS, lambda loss, z, t, smoothing=0.1: loss(z, t, label_smoothing=smoothing)),
        CHECKED,
    ),
}
PERPLEXITY = {
    **_of_arrays("log_softmax", _perplexity, "take_along_axis"),
    "torch": ahead(
        library(_LOSS, lambda loss, logits, targets: loss(logits, targets).exp()), CHECKED
    ),
}
MSE_BACKWARD = {
    **_of_arrays("softmax", _squared, "arange"),
    "torch": library("torch.nn.functional.mse_loss", _gradient_of_squares),
}
CROSS_ENTROPY_COMPOSED = {
    "numpy": Yardstick("numpy: max, exp, sum, take_along_axis", _numpy_loss),
    "torch": Yardstick("torch: logsumexp, gather", _torch_loss),
}
BACKWARD_COMPOSED = {
    "numpy": Yardstick("numpy: max, exp, sum, arange", _numpy_backward),
    "torch": Yardstick("torch: softmax, scatter_add", _torch_backward),
}
