"""Right but unusual answers to the cross-entropy exercises, in PyTorch."""

import torch
import torch.nn.functional as F  # noqa: N812


def _checked(logits, targets, ignore_index=None):
    if targets.is_floating_point():
        raise ValueError(f"targets are {targets.dtype}, not integers")
    if tuple(targets.shape) != tuple(logits.shape[:-1]):
        raise ValueError(f"targets have the shape {tuple(targets.shape)}")
    targets = targets.to(torch.int64)
    if targets.device.type == "cpu":
        for target in targets.flatten().tolist():
            if target != ignore_index and not 0 <= target < logits.shape[-1]:
                raise ValueError(f"targets hold {target}")
    if not torch.is_floating_point(logits):
        logits = logits.to(torch.get_default_dtype())
    narrow = logits.dtype in (torch.float16, torch.bfloat16)
    return (logits.float() if narrow else logits), targets, logits.dtype


def cross_entropy__of_the_library(logits, targets, ignore_index=-100):
    z, t, dtype = _checked(logits, targets, ignore_index)
    rows = z.reshape(-1, z.shape[-1])
    return F.cross_entropy(rows, t.reshape(-1), ignore_index=ignore_index).to(dtype)


def cross_entropy__selected_tokens(logits, targets, ignore_index=-100):
    z, t, dtype = _checked(logits, targets, ignore_index)
    kept = t != ignore_index
    logs = torch.log_softmax(z[kept], dim=-1)
    return -logs.gather(-1, t[kept].unsqueeze(-1)).mean().to(dtype)


def cross_entropy__logsumexp(logits, targets, ignore_index=-100):
    z, t, dtype = _checked(logits, targets, ignore_index)
    kept = t.ne(ignore_index)
    safe = torch.where(kept, t, torch.zeros_like(t))
    losses = torch.logsumexp(z, -1) - z.gather(-1, safe[..., None]).squeeze(-1)
    nothing_left = torch.isneginf(z).all(-1)
    losses = torch.where(nothing_left, torch.full_like(losses, torch.nan), losses)
    return torch.where(kept, losses, torch.zeros_like(losses)).sum().div(kept.sum()).to(dtype)


def cross_entropy_backward__autograd_of_the_library(logits, targets, ignore_index=-100):
    z, t, dtype = _checked(logits, targets, ignore_index)
    with torch.enable_grad():
        leaf = z if z.requires_grad else z.detach().requires_grad_()
        kept = (t != ignore_index)[..., None]
        safe = torch.where(kept, leaf, torch.zeros_like(leaf)).reshape(-1, z.shape[-1])
        total = F.cross_entropy(safe, t.reshape(-1), ignore_index=ignore_index, reduction="sum")
        loss = total / kept.sum().clamp(min=1)
        (grad,) = torch.autograd.grad(loss, leaf, create_graph=z.requires_grad)
    return grad.to(dtype)


def cross_entropy_backward__one_hot(logits, targets, ignore_index=-100):
    z, t, dtype = _checked(logits, targets, ignore_index)
    kept = t != ignore_index
    y = F.one_hot(t.where(kept, 0), z.shape[-1])
    grad = (torch.softmax(z, -1) - y) / kept.sum().clamp_min(1)
    return torch.where(kept.unsqueeze(-1), grad, 0.0).to(dtype)


def label_smoothing_cross_entropy__of_the_library(logits, targets, smoothing=0.1):
    if not 0.0 <= smoothing <= 1.0:
        raise ValueError(f"smoothing={smoothing}")
    z, t, dtype = _checked(logits, targets)
    rows, t = z.reshape(-1, z.shape[-1]), t.reshape(-1)
    if smoothing == 1:
        return -torch.log_softmax(rows, -1).mean().to(dtype)
    return F.cross_entropy(rows, t, label_smoothing=smoothing).to(dtype)


def perplexity__of_the_library(logits, targets):
    z, t, dtype = _checked(logits, targets)
    return F.cross_entropy(z.reshape(-1, z.shape[-1]), t.reshape(-1)).exp().to(dtype)


def mse_backward__autograd_of_the_library(logits, targets):
    z, t, dtype = _checked(logits, targets)
    with torch.enable_grad():
        leaf = z if z.requires_grad else z.detach().requires_grad_()
        y = F.one_hot(t, z.shape[-1]).to(z.dtype)
        loss = F.mse_loss(torch.softmax(leaf, -1), y, reduction="sum") / max(1, z.numel())
        (grad,) = torch.autograd.grad(loss, leaf, create_graph=z.requires_grad)
    return grad.to(dtype)
