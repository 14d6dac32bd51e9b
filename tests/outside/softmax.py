"""Softmax and its family, by SciPy and by the kernel that torch differentiates softmax with."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from tests.outside import Outside


def _softmax(logits: Any, temperature: float = 1.0, axis: int = -1) -> Any:
    return scipy.special.softmax(logits / temperature, axis=axis)


def _backward(grad_output: Any, probs: Any, axis: int = -1) -> Any:
    import torch

    g, p = torch.from_numpy(grad_output), torch.from_numpy(probs)
    return torch.ops.aten._softmax_backward_data(g, p, axis, p.dtype).numpy()


def _jacobian(probs: Any) -> Any:
    """The products with all unit vectors, side by side."""
    n = probs.shape[-1]
    shape = (*probs.shape, n)
    each = np.broadcast_to(np.eye(n), shape).copy()
    return _backward(each, np.broadcast_to(probs[..., None, :], shape).copy())


def _online(blocks: Any) -> Any:
    return scipy.special.logsumexp(np.concatenate(blocks.arrays, axis=-1), axis=-1)


ROWS: tuple[Outside, ...] = (
    Outside("softmax", "scipy.special.softmax", _softmax),
    Outside(
        "log_softmax",
        "scipy.special.log_softmax",
        lambda logits, axis=-1: scipy.special.log_softmax(logits, axis=axis),
    ),
    Outside(
        "logsumexp",
        "scipy.special.logsumexp",
        lambda x, axis=-1: scipy.special.logsumexp(x, axis=axis),
    ),
    Outside("softmax_backward", "torch.ops.aten._softmax_backward_data", _backward),
    Outside("softmax_jacobian", "torch.ops.aten._softmax_backward_data", _jacobian),
    Outside("online_logsumexp", "scipy.special.logsumexp", _online),
)
