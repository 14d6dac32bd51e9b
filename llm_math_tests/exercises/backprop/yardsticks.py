"""The best that can be put together from the libraries' own functions, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import library


def _linear_back(matmul: Any, g: Any, x: Any, w: Any) -> Any:
    return matmul(g, w.T), matmul(x.T, g), g.sum(0)


def _numpy_forward(matmul: Any, x: Any, w1: Any, w2: Any) -> Any:
    import numpy as np

    hidden = matmul(x, w1)
    np.maximum(hidden, 0, out=hidden)
    return matmul(hidden, w2), (x, hidden, w1, w2)


def _torch_forward(matmul: Any, x: Any, w1: Any, w2: Any) -> Any:
    hidden = matmul(x, w1).relu_()
    return matmul(hidden, w2), (x, hidden, w1, w2)


def _numpy_unscale(divide: Any, grads: Any, scale: float) -> Any:
    import numpy as np

    found = [divide(grad, np.float32(scale), dtype=np.float32) for grad in grads]
    return found, ~np.logical_and.reduce([np.isfinite(one).all() for one in found])


def _torch_unscale(divide: Any, grads: Any, scale: float) -> Any:
    import torch

    found = [divide(grad.float(), scale) for grad in grads]
    return found, ~torch.stack([one.isfinite().all() for one in found]).all()


LINEAR_BACKWARD = {
    "numpy": library("numpy.matmul", _linear_back),
    "torch": library("torch.mm", _linear_back),
}
TWO_LAYER_FORWARD: dict[str, Yardstick] = {
    "numpy": library("numpy.matmul", _numpy_forward),
    "torch": library("torch.mm", _torch_forward),
}
UNSCALE_GRADIENTS = {
    "numpy": library("numpy.divide", _numpy_unscale),
    "torch": library("torch.div", _torch_unscale),
}
