"""Right answers that look different: every one must pass all checks."""

import torch


def _floating(x):
    return x if x.dtype.is_floating_point else x.to(torch.get_default_dtype())


def _wide(x):
    x = _floating(x)
    return x.to(torch.float32) if x.dtype.itemsize == 2 else x


def _axis(axis, x):
    if axis not in range(-x.dim(), x.dim()):
        raise ValueError(f"no axis={axis} in shape {tuple(x.shape)}")


def softmax__fused(logits, temperature=1.0, axis=-1):
    if temperature <= 0:
        raise ValueError(f"temperature={temperature} is not positive")
    _axis(axis, logits)
    return torch.softmax(_wide(logits) / temperature, dim=axis).to(_floating(logits).dtype)


def softmax__through_log_space(logits, temperature=1.0, axis=-1):
    if temperature <= 0:
        raise ValueError(f"temperature={temperature} is not positive")
    _axis(axis, logits)
    z = _wide(logits) / temperature
    z = z - z.max(dim=axis, keepdim=True).values
    return (z - torch.logsumexp(z, dim=axis, keepdim=True)).exp().to(_floating(logits).dtype)


def softmax__einsum(logits, temperature=1.0, axis=-1):
    if temperature <= 0:
        raise ValueError(f"temperature={temperature} is not positive")
    _axis(axis, logits)
    z = _wide(logits).movedim(axis, -1).div(temperature)
    e = torch.exp(z - torch.amax(z, -1, keepdim=True).detach())
    p = torch.einsum("...i,...->...i", e, 1 / e.sum(-1))
    return p.movedim(-1, axis).to(_floating(logits).dtype)


def log_softmax__fused(logits, axis=-1):
    _axis(axis, logits)
    return torch.nn.functional.log_softmax(_wide(logits), dim=axis).to(_floating(logits).dtype)


def log_softmax__two_steps(logits, axis=-1):
    _axis(axis, logits)
    z = _wide(logits)
    z = z - z.max(dim=axis, keepdim=True)[0]
    return torch.sub(z, torch.logsumexp(z, dim=axis, keepdim=True)).type(_floating(logits).dtype)


def logsumexp__fused(x, axis=-1):
    _axis(axis, x)
    return torch.logsumexp(_wide(x), dim=axis).to(_floating(x).dtype)


def logsumexp__clamped_maximum(x, axis=-1):
    _axis(axis, x)
    z = _wide(x)
    edge = torch.finfo(z.dtype).max
    top = z.detach().amax(axis).clamp(-edge, edge)
    e = torch.exp(z - top.unsqueeze(axis if axis >= 0 else x.dim() + axis))
    return (top + e.sum(axis).log()).to(_floating(x).dtype)


def _same_shape(grad_output, probs):
    if grad_output.shape != probs.shape:
        raise ValueError(f"grad_output is {grad_output.shape}, not {probs.shape}")


def softmax_backward__einsum(grad_output, probs, axis=-1):
    _same_shape(grad_output, probs)
    _axis(axis, probs)
    g, p = _wide(grad_output).movedim(axis, -1), _wide(probs).movedim(axis, -1)
    out = p * g - p * torch.einsum("...i,...i->...", p, g).unsqueeze(-1)
    return out.movedim(-1, axis).to(_floating(probs).dtype)


def softmax_backward__fused(grad_output, probs, axis=-1):
    _same_shape(grad_output, probs)
    _axis(axis, probs)
    g, p = _wide(grad_output), _wide(probs)
    out = torch.ops.aten._softmax_backward_data(g, p, axis, p.dtype)
    return out.to(_floating(probs).dtype)


def softmax_jacobian__diag_embed(probs):
    if probs.dim() == 0:
        raise ValueError(f"probs of shape {tuple(probs.shape)}")
    p = _floating(probs)
    return torch.diag_embed(p) - torch.einsum("...i,...j->...ij", p, p)


def softmax_jacobian__identity(probs):
    if probs.dim() == 0:
        raise ValueError(f"probs of shape {probs.shape}")
    p = _floating(probs)
    eye = torch.eye(p.shape[-1], dtype=p.dtype, device=p.device)
    return p[..., :, None] * (eye - p[..., None, :])


def online_logsumexp__logaddexp(blocks):
    total = None
    for block in blocks:
        if total is not None and total.shape != block.shape[:-1]:
            raise ValueError(f"blocks of {total.shape} and of {block.shape}")
        dtype = _floating(block).dtype
        part = torch.logsumexp(_wide(block), -1)
        total = part if total is None else torch.logaddexp(total, part)
    if total is None:
        raise ValueError("blocks is empty")
    return total.to(dtype)


def online_logsumexp__stacked_pair(blocks):
    total = None
    for block in blocks:
        if total is not None and total.shape != block.shape[:-1]:
            raise ValueError(f"blocks of {tuple(total.shape)} and of {tuple(block.shape)}")
        dtype = _floating(block).dtype
        wide = _wide(block)
        if total is not None:
            wide = torch.cat([total.unsqueeze(-1), wide], dim=-1)
        total = torch.logsumexp(wide, dim=-1)
    if total is None:
        raise ValueError("blocks gave 0 tensors")
    return total.to(dtype)
