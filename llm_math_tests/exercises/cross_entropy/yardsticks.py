"""The libraries' own functions, timed beside the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llm_math_tests.exercise import Yardstick

_Function = Callable[..., Any]


def _losses(log_softmax: _Function, xp: Any, logits: Any, targets: Any) -> Any:
    logs = log_softmax(logits, axis=-1)
    return -xp.take_along_axis(logs, targets[..., None], axis=-1), logs


def _mean(log_softmax: _Function, xp: Any, logits: Any, targets: Any) -> Any:
    return _losses(log_softmax, xp, logits, targets)[0].mean()


def _smoothed(log_softmax: _Function, xp: Any, logits: Any, targets: Any, smoothing: float) -> Any:
    losses, logs = _losses(log_softmax, xp, logits, targets)
    return (1 - smoothing) * losses.mean() - smoothing * logs.mean()


def _difference(softmax: _Function, xp: Any, logits: Any, targets: Any) -> Any:
    difference = softmax(logits, axis=-1)
    rows = difference.reshape(-1, logits.shape[-1])
    rows[xp.arange(len(rows)), targets.reshape(-1)] -= 1
    return difference


def _squared(softmax: _Function, xp: Any, logits: Any, targets: Any) -> Any:
    probs = softmax(logits, axis=-1)
    difference = _difference(softmax, xp, logits, targets)
    inner = (difference * probs).sum(axis=-1, keepdims=True)
    return probs * (difference - inner) * (2 / logits.size)


def _scipy_cross_entropy(logits: Any, targets: Any) -> Any:
    import numpy
    from scipy.special import log_softmax

    return _mean(log_softmax, numpy, logits, targets)


def _cupyx_cross_entropy(logits: Any, targets: Any) -> Any:
    import cupy
    from cupyx.scipy.special import log_softmax

    return _mean(log_softmax, cupy, logits, targets)


def _torch_cross_entropy(logits: Any, targets: Any) -> Any:
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, targets)


def _scipy_backward(logits: Any, targets: Any) -> Any:
    import numpy
    from scipy.special import softmax

    return _difference(softmax, numpy, logits, targets) / targets.size


def _cupyx_backward(logits: Any, targets: Any) -> Any:
    import cupy
    from cupyx.scipy.special import softmax

    return _difference(softmax, cupy, logits, targets) / targets.size


def _torch_backward(logits: Any, targets: Any) -> Any:
    import torch

    at = logits.detach().requires_grad_()
    with torch.enable_grad():
        loss = torch.nn.functional.cross_entropy(at, targets)
    return torch.autograd.grad(loss, at)[0]


def _scipy_smoothed(logits: Any, targets: Any, smoothing: float = 0.1) -> Any:
    import numpy
    from scipy.special import log_softmax

    return _smoothed(log_softmax, numpy, logits, targets, smoothing)


def _cupyx_smoothed(logits: Any, targets: Any, smoothing: float = 0.1) -> Any:
    import cupy
    from cupyx.scipy.special import log_softmax

    return _smoothed(log_softmax, cupy, logits, targets, smoothing)


def _torch_smoothed(logits: Any, targets: Any, smoothing: float = 0.1) -> Any:
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, targets, label_smoothing=smoothing)


def _scipy_perplexity(logits: Any, targets: Any) -> Any:
    import numpy

    return numpy.exp(_scipy_cross_entropy(logits, targets))


def _cupyx_perplexity(logits: Any, targets: Any) -> Any:
    import cupy

    return cupy.exp(_cupyx_cross_entropy(logits, targets))


def _torch_perplexity(logits: Any, targets: Any) -> Any:
    return _torch_cross_entropy(logits, targets).exp()


def _scipy_squared(logits: Any, targets: Any) -> Any:
    import numpy
    from scipy.special import softmax

    return _squared(softmax, numpy, logits, targets)


def _cupyx_squared(logits: Any, targets: Any) -> Any:
    import cupy
    from cupyx.scipy.special import softmax

    return _squared(softmax, cupy, logits, targets)


def _torch_squared(logits: Any, targets: Any) -> Any:
    import torch

    at = logits.detach().requires_grad_()
    with torch.enable_grad():
        probs = torch.softmax(at, dim=-1)
        wanted = torch.nn.functional.one_hot(targets, logits.shape[-1]).to(logits.dtype)
        loss = torch.nn.functional.mse_loss(probs, wanted)
    return torch.autograd.grad(loss, at)[0]


CROSS_ENTROPY = {
    "numpy": Yardstick("scipy.special.log_softmax, then the mean", _scipy_cross_entropy),
    "torch": Yardstick("torch.nn.functional.cross_entropy", _torch_cross_entropy),
    "cupy": Yardstick("cupyx.scipy.special.log_softmax, then the mean", _cupyx_cross_entropy),
}
CROSS_ENTROPY_BACKWARD = {
    "numpy": Yardstick("scipy.special.softmax - one_hot", _scipy_backward),
    "torch": Yardstick("autograd of torch.nn.functional.cross_entropy", _torch_backward),
    "cupy": Yardstick("cupyx.scipy.special.softmax - one_hot", _cupyx_backward),
}
LABEL_SMOOTHING = {
    "numpy": Yardstick("scipy.special.log_softmax, then the mean", _scipy_smoothed),
    "torch": Yardstick("torch.nn.functional.cross_entropy(label_smoothing=...)", _torch_smoothed),
    "cupy": Yardstick("cupyx.scipy.special.log_softmax, then the mean", _cupyx_smoothed),
}
PERPLEXITY = {
    "numpy": Yardstick("exp of scipy.special.log_softmax's mean", _scipy_perplexity),
    "torch": Yardstick("torch.nn.functional.cross_entropy(...).exp()", _torch_perplexity),
    "cupy": Yardstick("exp of cupyx.scipy.special.log_softmax's mean", _cupyx_perplexity),
}
MSE_BACKWARD = {
    "numpy": Yardstick("scipy.special.softmax, then the formula", _scipy_squared),
    "torch": Yardstick("autograd of torch.nn.functional.mse_loss", _torch_squared),
    "cupy": Yardstick("cupyx.scipy.special.softmax, then the formula", _cupyx_squared),
}
