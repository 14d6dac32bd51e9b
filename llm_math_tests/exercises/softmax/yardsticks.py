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


SOFTMAX = {
    "numpy": Yardstick("scipy.special.softmax", _scipy_softmax),
    "torch": Yardstick("torch.softmax", _torch_softmax),
    "cupy": Yardstick("cupyx.scipy.special.softmax", _cupyx_softmax),
}
