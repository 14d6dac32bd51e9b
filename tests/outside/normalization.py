"""Normalization and blocks: PyTorch's own, in float64, and its autograd."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.outside import Outside


def _tensor(x: Any) -> Any:
    import torch

    return torch.from_numpy(np.array(x))


def _layer_norm(x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    import torch

    tensors = (_tensor(one) for one in (weight, bias))
    return torch.nn.functional.layer_norm(_tensor(x), x.shape[-1:], *tensors, eps).numpy()


def _layer_norm_backward(grad_output: Any, x: Any, weight: Any, eps: float = 1e-5) -> Any:
    import torch

    leaves = [_tensor(one).requires_grad_() for one in (x, weight, np.zeros_like(weight))]
    out = torch.nn.functional.layer_norm(leaves[0], x.shape[-1:], leaves[1], leaves[2], eps)
    return tuple(g.numpy() for g in torch.autograd.grad(out, leaves, _tensor(grad_output)))


def _rms_norm(x: Any, weight: Any, eps: float = 1e-6) -> Any:
    import torch

    return torch.nn.functional.rms_norm(_tensor(x), x.shape[-1:], _tensor(weight), eps).numpy()


def _rms_norm_backward(grad_output: Any, x: Any, weight: Any, eps: float = 1e-6) -> Any:
    import torch

    leaves = [_tensor(one).requires_grad_() for one in (x, weight)]
    out = torch.nn.functional.rms_norm(leaves[0], x.shape[-1:], leaves[1], eps)
    return tuple(g.numpy() for g in torch.autograd.grad(out, leaves, _tensor(grad_output)))


def _pre_norm_block(x: Any, sublayer: Any, weight: Any, bias: Any) -> Any:
    return x + sublayer.function(_layer_norm(x, weight, bias))


def _pre_norm_block_backward(
    grad_output: Any, x: Any, sublayer_vjp: Any, weight: Any, bias: Any
) -> Any:
    import torch

    leaf = _tensor(x).requires_grad_()
    normed = torch.nn.functional.layer_norm(leaf, x.shape[-1:], _tensor(weight), _tensor(bias))
    arrived = sublayer_vjp.function(normed.detach().numpy(), grad_output)
    (through,) = torch.autograd.grad(normed, leaf, _tensor(arrived))
    return grad_output + through.numpy()


def _post_norm_block(x: Any, sublayer: Any, weight: Any, bias: Any) -> Any:
    return _layer_norm(x + sublayer.function(x), weight, bias)


def _transformer_block(x: Any, params: Any, num_heads: int, mask: Any = None) -> Any:
    """PyTorch's own encoder layer, with its layers' weights set."""
    import torch

    d = x.shape[-1]
    p = {name: _tensor(np.asarray(value, np.float64)) for name, value in params.items()}
    layer = torch.nn.TransformerEncoderLayer(
        d, num_heads, 4 * d, dropout=0.0, activation=torch.nn.functional.gelu,
        batch_first=True, norm_first=True, dtype=torch.float64,
    )  # fmt: skip
    with torch.no_grad():
        for norm, which in ((layer.norm1, "norm1"), (layer.norm2, "norm2")):
            norm.weight.copy_(p[f"{which}_weight"])
            norm.bias.copy_(p[f"{which}_bias"])
        together = torch.cat([p[name] for name in ("w_q", "w_k", "w_v")], dim=1)
        layer.self_attn.in_proj_weight.copy_(together.mT)
        layer.self_attn.in_proj_bias.zero_()
        layer.self_attn.out_proj.weight.copy_(p["w_o"].mT)
        layer.self_attn.out_proj.bias.zero_()
        layer.linear1.weight.copy_(p["w1"].mT)
        layer.linear1.bias.copy_(p["b1"])
        layer.linear2.weight.copy_(p["w2"].mT)
        layer.linear2.bias.copy_(p["b2"])
        # Training mode, without dropout: the fused path of evaluation takes other masks.
        n = x.shape[-2]
        rows = _tensor(np.asarray(x, np.float64)).reshape(-1, n, d)
        hidden = None
        if mask is not None:
            whole = np.broadcast_to(mask, (*x.shape[:-1], n)).reshape(-1, n, n)
            hidden = _tensor(~whole).repeat_interleave(num_heads, dim=0)
        return layer(rows, src_mask=hidden).reshape(x.shape).numpy()


ROWS: tuple[Outside, ...] = (
    Outside("layer_norm", "torch.nn.functional.layer_norm", _layer_norm),
    Outside("layer_norm_backward", "torch.autograd of F.layer_norm", _layer_norm_backward),
    Outside("rms_norm", "torch.nn.functional.rms_norm", _rms_norm),
    Outside("rms_norm_backward", "torch.autograd of F.rms_norm", _rms_norm_backward),
    Outside("pre_norm_block", "torch.nn.functional.layer_norm", _pre_norm_block),
    Outside(
        "pre_norm_block_backward", "torch.autograd of F.layer_norm", _pre_norm_block_backward
    ),
    Outside("post_norm_block", "torch.nn.functional.layer_norm", _post_norm_block),
    Outside(
        "transformer_block", "torch.nn.TransformerEncoderLayer", _transformer_block,
        without=(
            # There a query with no key left gives NaN.
            "gives_zeros_where_no_key_is_left/one_query",
            "gives_zeros_where_no_key_is_left/one_sequence",
            "gives_zeros_where_no_key_is_left/nobody",
        ),
    ),
)  # fmt: skip
