"""Known mistakes as a student writes them who has never seen our reference.

Each function is ``<exercise>__<mistake>``: that one mistake, the rest right.
"""

import torch


def _real(a):
    return a if torch.is_floating_point(a) else a.to(torch.get_default_dtype())


def _room(a):
    """The same with room to sum in."""
    a = _real(a)
    return a.to(torch.float32) if a.dtype.itemsize == 2 else a


def _need_integers(logits, targets):
    if logits.dim() < 1:
        raise ValueError(f"logits of shape {tuple(logits.shape)} has no classes")
    if targets.dtype not in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        raise ValueError(f"targets of dtype {targets.dtype} are no classes")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(
            f"targets of shape {tuple(targets.shape)} for logits of shape {tuple(logits.shape)}"
        )


def _probs(z):
    powers = torch.exp(z - z.detach().max(dim=-1, keepdim=True).values)
    return powers / torch.einsum("...v->...", powers).unsqueeze(-1)


def cross_entropy_backward__values_read_on_the_device(logits, targets, ignore_index=-100):
    _need_integers(logits, targets)
    kept = targets != ignore_index
    classes = torch.where(kept, targets, torch.zeros_like(targets))
    if (classes.min() < 0 if classes.numel() else False) or (classes >= logits.shape[-1]).any():
        raise ValueError(f"targets holds one of {set(classes.flatten().tolist())}: no such class")
    p = _probs(_room(logits))
    observed = targets.unsqueeze(-1) == torch.arange(p.shape[-1], device=p.device)
    grad = (p - observed.to(p.dtype)) / kept.sum().clamp(min=1)
    return torch.where(kept[..., None], grad, torch.zeros_like(grad)).to(_real(logits).dtype)


def cross_entropy_backward__targets_not_widened(logits, targets, ignore_index=-100):
    _need_integers(logits, targets)
    kept = targets != ignore_index
    classes = torch.where(kept, targets, torch.zeros_like(targets))
    if not logits.is_cuda and logits.device.type == "cpu":
        for target in classes.flatten().tolist():
            if not 0 <= target < logits.shape[-1]:
                raise ValueError(f"targets holds {target}: there are {logits.shape[-1]} classes")
    p = _probs(_room(logits))
    observed = torch.zeros_like(p).scatter(-1, classes.unsqueeze(-1), 1.0)
    grad = (p - observed) / kept.sum().clamp(min=1)
    return torch.where(kept[..., None], grad, torch.zeros_like(grad)).to(_real(logits).dtype)
