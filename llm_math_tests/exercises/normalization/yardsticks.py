"""The libraries' own functions, and the best put together from them, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import FUSED, ahead, library

_LAYER_NORM = "torch.nn.functional.layer_norm"
_RMS_NORM = "torch.nn.functional.rms_norm"


def _layer_norm(function: Any, x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    return function(x, x.shape[-1:], weight, bias, eps)


def _rms_norm(function: Any, x: Any, weight: Any, eps: float = 1e-6) -> Any:
    return function(x, x.shape[-1:], weight, eps)


def _layer_norm_backward(
    function: Any, grad_output: Any, x: Any, weight: Any, eps: float = 1e-5
) -> Any:
    import torch

    _, mean, deviation = torch.ops.aten.native_layer_norm(x, x.shape[-1:], weight, None, eps)
    return function(
        grad_output, x, x.shape[-1:], mean, deviation, weight, weight, [True, True, True]
    )


def _rms_norm_backward(
    function: Any, grad_output: Any, x: Any, weight: Any, eps: float = 1e-6
) -> Any:
    import torch

    leaves = [tensor.detach().requires_grad_() for tensor in (x, weight)]
    with torch.enable_grad():
        out = _rms_norm(function, leaves[0], leaves[1], eps)
    return torch.autograd.grad(out, leaves, grad_output)


def _numpy_layer_norm(x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    import numpy as np

    out = x - x.mean(axis=-1, keepdims=True)
    out /= np.sqrt(np.vecdot(out, out)[..., None] / x.shape[-1] + eps)
    out *= weight
    out += bias
    return out


def _torch_layer_norm(x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    import torch

    out = x - x.mean(-1, keepdim=True)
    length = torch.linalg.vector_norm(out, dim=-1, keepdim=True)
    out.mul_(length.square_().div_(x.shape[-1]).add_(eps).rsqrt_())
    return torch.addcmul(bias, out, weight)


def _numpy_layer_norm_backward(grad_output: Any, x: Any, weight: Any, eps: float = 1e-5) -> Any:
    import numpy as np

    n = x.shape[-1]
    z = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt(np.vecdot(z, z)[..., None] / n + eps)
    z /= deviation
    rows = grad_output.reshape(-1, n)
    dweight = np.einsum("ri,ri->i", rows, z.reshape(-1, n))
    dx = grad_output * weight
    along = np.vecdot(dx, z)[..., None] / n
    dx -= dx.mean(axis=-1, keepdims=True)
    z *= along
    dx -= z
    dx /= deviation
    return dx, dweight, rows.sum(axis=0)


def _torch_layer_norm_backward(grad_output: Any, x: Any, weight: Any, eps: float = 1e-5) -> Any:
    import torch

    n = x.shape[-1]
    z = x - x.mean(-1, keepdim=True)
    length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    scale = length.square_().div_(n).add_(eps).rsqrt_()
    z.mul_(scale)
    gz = grad_output * z
    dbias = grad_output.reshape(-1, n).sum(0)
    dweight = gz.reshape(-1, n).sum(0)
    mean, along = (grad_output @ weight)[..., None] / n, (gz @ weight)[..., None] / n
    dx = (grad_output * weight).sub_(mean).addcmul_(z, along, value=-1)
    return dx.mul_(scale), dweight, dbias


LAYER_NORM = {"torch": ahead(library(_LAYER_NORM, _layer_norm), FUSED)}
LAYER_NORM_COMPOSED = {
    "numpy": Yardstick("x - mean, numpy.vecdot", _numpy_layer_norm),
    "torch": Yardstick("torch.linalg.vector_norm, torch.addcmul", _torch_layer_norm),
}
LAYER_NORM_BACKWARD = {
    "torch": ahead(
        library("torch.ops.aten.native_layer_norm_backward", _layer_norm_backward), FUSED
    )
}
LAYER_NORM_BACKWARD_COMPOSED = {
    "numpy": Yardstick("x - mean, numpy.vecdot, numpy.einsum", _numpy_layer_norm_backward),
    "torch": Yardstick("torch.linalg.vector_norm, torch.addcmul", _torch_layer_norm_backward),
}
RMS_NORM = {"torch": library(_RMS_NORM, _rms_norm)}
RMS_NORM_BACKWARD = {"torch": library(_RMS_NORM, _rms_norm_backward)}


def _torch_block(x: Any, params: Any, num_heads: int, mask: Any = None) -> Any:
    from torch.nn import functional

    p, shape = params, x.shape
    normed = functional.layer_norm(x, shape[-1:], p["norm1_weight"], p["norm1_bias"])
    q, k, v = (
        (normed @ p[w]).reshape(*shape[:-1], num_heads, -1).transpose(-2, -3)
        for w in ("w_q", "w_k", "w_v")
    )
    if mask is not None and mask.dim() > 2:
        mask = mask[..., None, :, :]
    heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    mixed = x + heads.transpose(-2, -3).reshape(shape) @ p["w_o"]
    normed = functional.layer_norm(mixed, shape[-1:], p["norm2_weight"], p["norm2_bias"])
    hidden = functional.gelu(functional.linear(normed, p["w1"].mT, p["b1"]))
    return mixed + functional.linear(hidden, p["w2"].mT, p["b2"])


TRANSFORMER_BLOCK = {
    "torch": Yardstick("F.layer_norm, F.scaled_dot_product_attention, F.gelu", _torch_block)
}
