"""The libraries' own functions, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercise import Yardstick


def _scipy_softmax(logits: Any, temperature: float = 1.0, axis: int = -1) -> Any:
    from scipy.special import softmax

    return softmax(logits if temperature == 1.0 else logits / temperature, axis=axis)


def _torch_softmax(logits: Any, temperature: float = 1.0, axis: int = -1) -> Any:
    import torch

    return torch.softmax(logits if temperature == 1.0 else logits / temperature, dim=axis)


def _cupyx_softmax(logits: Any, temperature: float = 1.0, axis: int = -1) -> Any:
    from cupyx.scipy.special import softmax

    return softmax(logits if temperature == 1.0 else logits / temperature, axis=axis)


def _scipy_log_softmax(logits: Any, axis: int = -1) -> Any:
    from scipy.special import log_softmax

    return log_softmax(logits, axis=axis)


def _torch_log_softmax(logits: Any, axis: int = -1) -> Any:
    import torch

    return torch.log_softmax(logits, dim=axis)


def _cupyx_log_softmax(logits: Any, axis: int = -1) -> Any:
    from cupyx.scipy.special import log_softmax

    return log_softmax(logits, axis=axis)


def _scipy_logsumexp(x: Any, axis: int = -1) -> Any:
    from scipy.special import logsumexp

    return logsumexp(x, axis=axis)


def _torch_logsumexp(x: Any, axis: int = -1) -> Any:
    import torch

    return torch.logsumexp(x, dim=axis)


def _cupyx_logsumexp(x: Any, axis: int = -1) -> Any:
    from cupyx.scipy.special import logsumexp

    return logsumexp(x, axis=axis)


def _torch_softmax_backward(grad_output: Any, probs: Any, axis: int = -1) -> Any:
    import torch

    return torch.ops.aten._softmax_backward_data(grad_output, probs, axis, probs.dtype)


SOFTMAX = {
    "numpy": Yardstick("scipy.special.softmax", _scipy_softmax),
    "torch": Yardstick("torch.softmax", _torch_softmax),
    "cupy": Yardstick("cupyx.scipy.special.softmax", _cupyx_softmax),
}

LOG_SOFTMAX = {
    "numpy": Yardstick("scipy.special.log_softmax", _scipy_log_softmax),
    "torch": Yardstick("torch.log_softmax", _torch_log_softmax),
    "cupy": Yardstick("cupyx.scipy.special.log_softmax", _cupyx_log_softmax),
}
LOGSUMEXP = {
    "numpy": Yardstick("scipy.special.logsumexp", _scipy_logsumexp),
    "torch": Yardstick("torch.logsumexp", _torch_logsumexp),
    "cupy": Yardstick("cupyx.scipy.special.logsumexp", _cupyx_logsumexp),
}
SOFTMAX_BACKWARD = {
    "torch": Yardstick("torch.ops.aten._softmax_backward_data", _torch_softmax_backward),
}
