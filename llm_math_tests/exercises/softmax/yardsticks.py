"""What the libraries have themselves, timed beside the answers.

The compositions keep the contract in the dtypes that are timed, float32 and float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import FUSED, ahead, library


def _along(function: Callable[..., Any], scores: Any, axis: int = -1) -> Any:
    return function(scores, axis)


def _softened(
    function: Callable[..., Any], logits: Any, temperature: float = 1.0, axis: int = -1
) -> Any:
    return function(logits if temperature == 1.0 else logits / temperature, axis)


def _in_every_track(name: str, how: Callable[..., Any] = _along) -> dict[str, Yardstick]:
    return {
        "numpy": library(f"scipy.special.{name}", how),
        "torch": library(f"torch.{name}", how),
        "cupy": library(f"cupyx.scipy.special.{name}", how),
    }


def _numpy_softmax(logits: Any, temperature: float = 1.0, axis: int = -1) -> Any:
    scores = logits if temperature == 1.0 else logits / temperature
    out = scores - scores.max(axis, keepdims=True)
    np.exp(out, out=out)
    out /= out.sum(axis, keepdims=True)
    return out


def _torch_softmax(logits: Any, temperature: float = 1.0, axis: int = -1) -> Any:
    scores = logits if temperature == 1.0 else logits / temperature
    out = (scores - scores.amax(axis, keepdim=True)).exp_()
    return out / out.sum(axis, keepdim=True)


SOFTMAX = _in_every_track("softmax", _softened)
LOG_SOFTMAX = _in_every_track("log_softmax")
LOG_SOFTMAX["torch"] = ahead(LOG_SOFTMAX["torch"], FUSED)
LOGSUMEXP = _in_every_track("logsumexp")
SOFTMAX_BACKWARD = {
    "torch": ahead(
        library(
            "torch.ops.aten._softmax_backward_data",
            lambda function, g, p, axis=-1: function(g, p, axis, p.dtype),
        ),
        FUSED,
    )
}
SOFTMAX_COMPOSED = {
    "numpy": Yardstick("numpy: max, exp, sum", _numpy_softmax),
    "torch": Yardstick("torch: amax, exp, sum", _torch_softmax),
}
