"""Attention, by torch's own functions in float64 and by its autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.outside import Outside


def _scores(q: Any, k: Any) -> Any:
    import torch

    pairs = torch.einsum("...id,...jd->...ij", torch.from_numpy(q), torch.from_numpy(k))
    return (pairs / math.sqrt(q.shape[-1])).numpy()


def _mask(n: int) -> Any:
    import torch

    return torch.ones((n, n), dtype=torch.bool).tril().numpy()


def _attended(q: Any, k: Any, v: Any, mask: Any = None, causal: bool = False) -> tuple[Any, Any]:
    """The arguments as leaves of a graph, and torch's own attention of them."""
    import torch

    leaves = [torch.tensor(x, requires_grad=True) for x in (q, k, v)]
    keep = None
    if mask is not None:
        batch = np.broadcast_shapes(*(x.shape[:-2] for x in (q, k, v)))
        keep = np.broadcast_to(mask, (*batch, q.shape[-2], k.shape[-2]))
        keep = torch.from_numpy(keep.copy())
    attend = torch.nn.functional.scaled_dot_product_attention
    return leaves, attend(*leaves, attn_mask=keep, is_causal=causal)


def _attention(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    return _attended(q, k, v, mask)[1].detach().numpy()


def _backward(grad_output: Any, q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    import torch

    leaves, out = _attended(q, k, v, mask)
    grads = torch.autograd.grad(out, leaves, torch.from_numpy(grad_output))
    return tuple(grad.numpy() for grad in grads)


def _flash(q: Any, k: Any, v: Any, block_size: int = 64, causal: bool = False) -> Any:
    return _attended(q, k, v, causal=causal)[1].detach().numpy()


def _multi_head(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, num_heads: int, mask: Any = None
) -> Any:
    import torch

    *batch, n, d = x.shape
    layer = torch.nn.MultiheadAttention(
        d, num_heads, bias=False, batch_first=True, dtype=torch.float64
    )
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.from_numpy(np.concatenate([w_q.T, w_k.T, w_v.T])))
        layer.out_proj.weight.copy_(torch.from_numpy(w_o.T.copy()))
    hidden = None
    if mask is not None:
        keep = np.broadcast_to(mask, (*batch, n, n)).reshape(-1, n, n)
        hidden = torch.from_numpy(~np.repeat(keep, num_heads, axis=0))
    tokens = torch.from_numpy(x.reshape(math.prod(batch), n, d))
    out, _ = layer(tokens, tokens, tokens, attn_mask=hidden, need_weights=False)
    return out.detach().numpy().reshape(x.shape)


_ATTENTION = "torch.nn.functional.scaled_dot_product_attention"

ROWS: tuple[Outside, ...] = (
    Outside("attention_scores", "torch.einsum", _scores),
    Outside("causal_mask", "torch.tril", _mask),
    Outside("scaled_dot_product_attention", _ATTENTION, _attention),
    Outside("scaled_dot_product_attention_backward", f"torch.autograd of {_ATTENTION}", _backward),
    Outside("multi_head_attention", "torch.nn.MultiheadAttention", _multi_head),
    Outside("flash_attention", _ATTENTION, _flash),
)
