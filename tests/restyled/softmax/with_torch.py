"""Known mistakes as a student writes them who has never seen our reference.

Each function is ``<exercise>__<mistake>``: that one mistake, the rest right.
"""

# ruff: noqa: B007 (students use a loop's variable after the loop)

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


def _pieces(blocks):
    """Each block with room to sum in, and the dtype that the result is to have."""
    before = None
    for block in blocks:
        if before is None:
            before = tuple(block.shape[:-1])
        elif tuple(block.shape[:-1]) != before:
            raise ValueError(f"blocks of shape {tuple(block.shape)} after one of {before} + (b,)")
        yield _room(block), _real(block).dtype
    if before is None:
        raise ValueError("blocks has no block at all")


def _subtractable(m):
    return torch.where(torch.isinf(m), torch.zeros_like(m), m)


def online_logsumexp__sum_made_on_the_cpu(blocks):
    m = s = None
    for piece, dtype in _pieces(blocks):
        high = piece.max(dim=-1).values
        if m is None:
            m = torch.full_like(high, -torch.inf)
            s = torch.zeros(high.shape, dtype=piece.dtype)
        higher = torch.maximum(m, high)
        shift = _subtractable(higher)
        s = s * torch.exp(m - shift) + torch.exp(piece - shift[..., None]).sum(-1)
        m = higher
    return (torch.log(s) + _subtractable(m)).to(dtype)


def online_logsumexp__bfloat16_sum(blocks):
    m = s = None
    for piece, dtype in _pieces(blocks):
        kept = torch.bfloat16 if dtype == torch.bfloat16 else piece.dtype
        high = piece.max(dim=-1).values
        higher = high if m is None else torch.maximum(m, high)
        shift = _subtractable(higher)
        added = torch.einsum("...b->...", (piece - shift.unsqueeze(-1)).exp()).to(kept)
        s = added if m is None else s * (m - shift).exp().to(kept) + added
        m = higher
    return (s.to(m.dtype).log() + _subtractable(m)).to(dtype)


def online_logsumexp__a_list_of_blocks(blocks):
    pieces = list(_pieces(blocks))
    m = pieces[0][0].max(dim=-1).values
    for piece, _ in pieces[1:]:
        m = torch.maximum(m, piece.max(dim=-1).values)
    m = _subtractable(m)
    s = torch.zeros_like(m)
    for piece, _ in pieces:
        s = s + torch.exp(piece - m[..., None]).sum(dim=-1)
    return (s.log() + m).to(pieces[0][1])
