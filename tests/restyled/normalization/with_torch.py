"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import torch


def _kind(a):
    return a.dtype if a.dtype.is_floating_point else torch.get_default_dtype()


def _wide(a):
    return a.to(torch.float32 if _kind(a).itemsize == 2 else _kind(a))


def _for_each_column(name, a, x):
    if a.shape != x.shape[-1:]:
        raise ValueError(f"{name} has shape {tuple(a.shape)}, x has {tuple(x.shape)}")


def rms_norm_backward__root_detached(grad_output, x, weight, eps=1e-6):
    if grad_output.shape != x.shape:
        raise ValueError(f"grad_output has shape {tuple(grad_output.shape)}, not {tuple(x.shape)}")
    _for_each_column("weight", weight, x)
    if eps < 0:
        raise ValueError(f"eps={eps} is negative")
    g, a, w = _wide(grad_output), _wide(x), _wide(weight)
    with torch.no_grad():
        r = (torch.einsum("...i,...i->...", a, a).unsqueeze(-1) / x.shape[-1] + eps).sqrt()
    z = a / r
    h = g * w
    dx = (h - z * torch.mean(h * z, dim=-1, keepdim=True)) / r
    return dx.to(_kind(x)), (g * z).reshape(-1, x.shape[-1]).sum(0).to(_kind(x))


def post_norm_block__change_detached(x, sublayer, weight, bias):
    _for_each_column("weight", weight, x)
    _for_each_column("bias", bias, x)
    with torch.no_grad():
        change = sublayer(x.to(_kind(x)))
    total = _wide(x) + _wide(change)
    centred = total - total.mean(dim=-1, keepdim=True)
    spread = torch.einsum("...i,...i->...", centred, centred).unsqueeze(-1) / x.shape[-1]
    return (centred * torch.rsqrt(spread + 1e-5) * _wide(weight) + _wide(bias)).to(_kind(x))
