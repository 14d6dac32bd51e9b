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


def log_softmax__axis_not_checked(logits, axis=-1):
    z = _room(logits).transpose(axis, -1)
    z = z - z.max(dim=-1, keepdim=True).values
    z = z - torch.einsum("...i->...", torch.exp(z)).log().unsqueeze(-1)
    return z.transpose(axis, -1).to(_real(logits).dtype)


def log_softmax__result_changed_after_exp(logits, axis=-1):
    if axis < -logits.ndim or axis >= logits.ndim:
        raise ValueError(f"there is no axis={axis} in logits of shape {tuple(logits.shape)}")
    z = _room(logits)
    z = z - z.max(dim=axis, keepdim=True).values
    powers = torch.exp(z)
    total = powers.sum(dim=axis, keepdim=True)
    powers /= total
    return (z - torch.log(total)).to(_real(logits).dtype)


def softmax_jacobian__identity_on_the_cpu(probs):
    if probs.dim() < 1:
        raise ValueError(f"probs of shape {tuple(probs.shape)} has no row of probabilities")
    p = _real(probs)
    one = torch.eye(p.size(-1), dtype=p.dtype)
    return torch.einsum("...i,ij->...ij", p, one) - torch.einsum("...i,...j->...ij", p, p)
