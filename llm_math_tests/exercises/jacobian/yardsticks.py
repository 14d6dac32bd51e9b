"""The libraries' own functions, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import library


def _numpy_ratio(jacobian: Any) -> Any:
    import numpy as np

    sigma = np.linalg.svd(jacobian, compute_uv=False)
    return _or_inf(np, jacobian, sigma)


def _torch_ratio(jacobian: Any) -> Any:
    import torch

    sigma = torch.linalg.svdvals(jacobian)
    return _or_inf(torch, jacobian, sigma)


def _cupy_ratio(jacobian: Any) -> Any:
    import cupy

    sigma = cupy.linalg.svd(jacobian, compute_uv=False)
    return _or_inf(cupy, jacobian, sigma)


def _or_inf(library: Any, matrices: Any, sigma: Any) -> Any:
    """The ratio, and inf at or below the threshold: the libraries' own cond has none."""
    largest, smallest = sigma[..., 0], sigma[..., -1]
    kept = smallest > max(matrices.shape[-2:]) * library.finfo(sigma.dtype).eps * largest
    return library.where(kept, largest / smallest, float("inf"))


CONDITION_NUMBER = {
    "numpy": library("numpy.linalg.cond"),
    "torch": library("torch.linalg.cond"),
    "cupy": library("cupy.linalg.cond"),
}

SINGULAR_VALUES = {
    "numpy": Yardstick("numpy.linalg.svd", _numpy_ratio),
    "torch": Yardstick("torch.linalg.svdvals", _torch_ratio),
    "cupy": Yardstick("cupy.linalg.svd", _cupy_ratio),
}
