"""The libraries' own functions, timed beside the answers."""

from __future__ import annotations

import math
from typing import Any

from llm_math_tests.exercise import Yardstick


def _torch_scores(q: Any, k: Any) -> Any:
    import torch

    nothing = q.new_zeros(())
    return torch.baddbmm(nothing, q, k.mT, beta=0, alpha=1 / math.sqrt(q.shape[-1]))


def _numpy_mask(n: int) -> Any:
    import numpy as np

    return np.tri(n, dtype=bool)


def _torch_mask(n: int, device: Any = None) -> Any:
    import torch

    return torch.ones((n, n), dtype=torch.bool, device=device).tril()


def _cupy_mask(n: int, device: Any = None) -> Any:
    import cupy

    return cupy.tri(n, dtype=bool)


def _torch_attention(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    from torch.nn.functional import scaled_dot_product_attention

    return scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _torch_backward(grad_output: Any, q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    import torch

    leaves = [x.detach().requires_grad_() for x in (q, k, v)]
    with torch.enable_grad():
        out = _torch_attention(leaves[0], leaves[1], leaves[2], mask)
    return torch.autograd.grad(out, leaves, grad_output)


def _torch_multi_head(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, num_heads: int, mask: Any = None
) -> Any:
    from torch.nn.functional import scaled_dot_product_attention

    def in_heads(w: Any) -> Any:
        return (x @ w).unflatten(-1, (num_heads, -1)).transpose(-2, -3)

    heads = scaled_dot_product_attention(in_heads(w_q), in_heads(w_k), in_heads(w_v), mask)
    return heads.transpose(-2, -3).flatten(-2) @ w_o


def _torch_flash(q: Any, k: Any, v: Any, block_size: int = 64, causal: bool = False) -> Any:
    from torch.nn.functional import scaled_dot_product_attention

    return scaled_dot_product_attention(q, k, v, is_causal=causal)


SCORES = {"torch": Yardstick("torch.baddbmm", _torch_scores)}
MASK = {
    "numpy": Yardstick("numpy.tri", _numpy_mask),
    "torch": Yardstick("torch.Tensor.tril", _torch_mask),
    "cupy": Yardstick("cupy.tri", _cupy_mask),
}
_SDPA = "torch.nn.functional.scaled_dot_product_attention"
ATTENTION = {"torch": Yardstick(_SDPA, _torch_attention)}
BACKWARD = {"torch": Yardstick("torch.autograd.grad of its own forward", _torch_backward)}
MULTI_HEAD = {"torch": Yardstick(f"{_SDPA} in heads", _torch_multi_head)}
FLASH = {"torch": Yardstick(_SDPA, _torch_flash)}
