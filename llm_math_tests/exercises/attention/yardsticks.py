"""What the libraries have themselves, timed beside the answers.

The compositions keep the contract in the dtypes that are timed, float32 and float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import library


def _batched(baddbmm: Callable[..., Any], q: Any, k: Any) -> Any:
    return baddbmm(q.new_zeros(()), q, k.mT, beta=0, alpha=1 / math.sqrt(q.shape[-1]))


def _gradients(
    attention: Callable[..., Any], grad_output: Any, q: Any, k: Any, v: Any, mask: Any = None
) -> Any:
    import torch

    leaves = [x.detach().requires_grad_() for x in (q, k, v)]
    with torch.enable_grad():
        out = attention(*leaves, mask)
    return torch.autograd.grad(out, leaves, grad_output)


def _in_heads(
    attention: Callable[..., Any], x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any,
    num_heads: int, mask: Any = None,
) -> Any:  # fmt: skip
    heads = (
        (x @ w).reshape(*x.shape[:-1], num_heads, -1).swapaxes(-2, -3) for w in (w_q, w_k, w_v)
    )
    if mask is not None and mask.ndim > 2:
        mask = mask[..., None, :, :]
    return attention(*heads, mask).swapaxes(-2, -3).reshape(x.shape) @ w_o


def _numpy_attention(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    weights = q * (1 / math.sqrt(q.shape[-1])) @ k.swapaxes(-1, -2)
    if mask is not None:
        np.copyto(weights, -np.inf, where=~mask)
    top = weights.max(axis=-1, keepdims=True)
    np.copyto(top, 0, where=np.isinf(top))
    np.exp(np.subtract(weights, top, out=weights), out=weights)
    total = weights.sum(axis=-1, keepdims=True)
    return weights @ v / np.where(total == 0, 1, total)


def _torch_attention(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    weights = q * (1 / math.sqrt(q.shape[-1])) @ k.mT
    if mask is not None:
        weights = weights.masked_fill_(~mask, -math.inf)
    top = weights.detach().amax(dim=-1, keepdim=True)
    weights = weights.sub_(top.masked_fill_(top.isinf(), 0)).exp_()
    total = weights.sum(dim=-1, keepdim=True)
    return weights @ v / total.masked_fill(total == 0, 1)


_SDPA = "torch.nn.functional.scaled_dot_product_attention"

SCORES = {"torch": library("torch.baddbmm", _batched)}
MASK = {
    "numpy": library("numpy.tri", lambda tri, n: tri(n, dtype=bool)),
    "torch": library(
        "torch.full", lambda full, n, device=None: full((n, n), True, device=device).tril()
    ),
    "cupy": library("cupy.tri", lambda tri, n, device=None: tri(n, dtype=bool)),
}
ATTENTION = FLASH = {"torch": library(_SDPA)}
BACKWARD = {"torch": library(_SDPA, _gradients)}
MULTI_HEAD = {"torch": library(_SDPA, _in_heads)}

ATTENTION_COMPOSED = {
    "numpy": Yardstick("numpy: matmul, max, exp, sum", _numpy_attention),
    "torch": Yardstick("torch: matmul, amax, exp, sum", _torch_attention),
}
MULTI_HEAD_COMPOSED = {
    "numpy": Yardstick("numpy: matmul, max, exp, sum", partial(_in_heads, _numpy_attention)),
    "torch": Yardstick("torch: matmul, amax, exp, sum", partial(_in_heads, _torch_attention)),
}
