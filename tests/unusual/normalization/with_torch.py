"""Right answers that look different, in PyTorch: every one must pass all checks."""

import torch
from torch.nn import functional


def _floating(x):
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _wide(x):
    x = _floating(x)
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _same_width(x, **arrays):
    for name, array in arrays.items():
        if array.shape != x.shape[-1:]:
            raise ValueError(f"{name}: shape {tuple(array.shape)} is not {tuple(x.shape[-1:])}")


def _not_negative(eps):
    if eps < 0:
        raise ValueError(f"eps={eps} is negative")


def _alike(grad_output, x):
    if grad_output.shape != x.shape:
        raise ValueError(f"grad_output has shape {tuple(grad_output.shape)}, not {x.shape}")


def layer_norm__library(x, weight, bias, eps=1e-5):
    _same_width(x, weight=weight, bias=bias)
    _not_negative(eps)
    arrays = (_wide(weight), _wide(bias))
    return functional.layer_norm(_wide(x), x.shape[-1:], *arrays, eps).to(_floating(x).dtype)


def layer_norm__var_mean(x, weight, bias, eps=1e-5):
    _same_width(x, weight=weight, bias=bias)
    _not_negative(eps)
    var, mean = torch.var_mean(_wide(x), dim=-1, correction=0, keepdim=True)
    y = (_wide(x) - mean) / torch.sqrt(var + eps)
    return torch.addcmul(_wide(bias), y, _wide(weight)).to(_floating(x).dtype)


def layer_norm_backward__autograd(grad_output, x, weight, eps=1e-5):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)
    dtype = _floating(x).dtype
    x, weight, g = _wide(x), _wide(weight), _wide(grad_output)

    def forward(x, weight, bias):
        return layer_norm__var_mean(x, weight, bias, eps)

    _, back = torch.func.vjp(forward, x, weight, torch.zeros_like(weight))
    return tuple(one.to(dtype) for one in back(g))


def rms_norm__library(x, weight, eps=1e-6):
    _same_width(x, weight=weight)
    _not_negative(eps)
    y = functional.rms_norm(_wide(x), x.shape[-1:], _wide(weight), eps)
    return y.to(_floating(x).dtype)


def rms_norm_backward__autograd(grad_output, x, weight, eps=1e-6):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)

    def forward(x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight

    _, back = torch.func.vjp(forward, _wide(x), _wide(weight))
    return tuple(one.to(_floating(x).dtype) for one in back(_wide(grad_output)))


def pre_norm_block__library(x, sublayer, weight, bias):
    x = _floating(x)
    return x + sublayer(layer_norm__library(x, weight, bias))


def pre_norm_block_backward__by_hand(grad_output, x, sublayer_vjp, weight, bias):
    _alike(grad_output, x)
    _same_width(x, weight=weight, bias=bias)
    dtype = _floating(x).dtype
    wide = _wide(x)
    var, mean = torch.var_mean(wide, dim=-1, correction=0, keepdim=True)
    s = (var + 1e-5).sqrt()
    z = (wide - mean) / s
    g = grad_output.to(dtype)
    h = _wide(sublayer_vjp((z * weight + bias).to(dtype), g)) * weight
    h = h - h.mean(-1, keepdim=True) - z * (h * z).mean(-1, keepdim=True)
    return (h / s + g).to(dtype)


def post_norm_block__library(x, sublayer, weight, bias):
    x = _floating(x)
    total = _wide(x) + sublayer(x)
    return layer_norm__library(total, weight, bias).to(x.dtype)


_NAMES = (
    "norm1_weight", "norm1_bias", "w_q", "w_k", "w_v", "w_o",
    "norm2_weight", "norm2_bias", "w1", "b1", "w2", "b2",
)  # fmt: skip


def transformer_block__library(x, params, num_heads, mask=None):
    d = x.shape[-1]
    for name in _NAMES:
        if name not in params:
            raise ValueError(f"{name} is missing")
    inner = {"w1": (d, 4 * d), "b1": (4 * d,), "w2": (4 * d, d)}
    for name in _NAMES:
        shape = inner.get(name, (d, d) if name.startswith("w_") else (d,))
        if params[name].shape != shape:
            raise ValueError(f"{name} is of shape {tuple(params[name].shape)}, not {shape}")
    if num_heads < 1 or d % num_heads:
        raise ValueError(f"num_heads={num_heads}")
    whole = (*x.shape[:-1], x.shape[-2])
    if mask is not None:
        if mask.dtype != torch.bool:
            raise ValueError(f"mask of dtype {mask.dtype}".replace("torch.", ""))
        try:
            mask = mask.expand(whole).unsqueeze(-3)
        except RuntimeError:
            raise ValueError(f"mask of shape {tuple(mask.shape)} is not {whole}") from None
    wide = _wide(x)
    p = {name: params[name].to(wide.dtype) for name in _NAMES}
    z = functional.layer_norm(wide, (d,), p["norm1_weight"], p["norm1_bias"])
    q, k, v = ((z @ p[w]).unflatten(-1, (num_heads, -1)).movedim(-2, -3)
               for w in ("w_q", "w_k", "w_v"))  # fmt: skip
    heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    h = wide + heads.movedim(-3, -2).flatten(-2) @ p["w_o"]
    z = functional.layer_norm(h, (d,), p["norm2_weight"], p["norm2_bias"])
    h = h + functional.gelu(z @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
    return h.to(_floating(x).dtype)
