"""Right but unusual answers to the attention exercises, in PyTorch."""

import math

import torch
from torch.nn import functional


def _shapes(q, k, v=None):
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q and k must be equally wide, got q {q.shape}, k {k.shape}")
    if v is not None and v.shape[-2] != k.shape[-2]:
        raise ValueError(f"k and v must be equally long, got k {k.shape}, v {v.shape}")


def _mask(mask, shape):
    if mask is None:
        return None
    if mask.dtype is not torch.bool:
        raise ValueError(f"mask has dtype {mask.dtype}, not bool")
    try:
        return mask.expand(shape)
    except RuntimeError:
        raise ValueError(f"mask of shape {mask.shape} does not broadcast to {shape}") from None


def _dtype(x):
    return x.dtype if x.is_floating_point() else torch.get_default_dtype()


def _wide(x):
    return x.double() if x.dtype == torch.float64 else x.float()


def attention_scores__einsum(q, k):
    _shapes(q, k)
    return (
        torch.einsum("...id,...jd->...ij", _wide(q), _wide(k)).div(q.shape[-1] ** 0.5).to(_dtype(q))
    )


def attention_scores__inner_product(q, k):
    _shapes(q, k)
    products = _wide(q).unsqueeze(-2) * _wide(k).unsqueeze(-3)
    return (products.sum(-1) / math.sqrt(q.size(-1))).to(_dtype(q))


def causal_mask__tril(n, device=None):
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n = {n} is no number of tokens")
    return torch.ones(n, n, dtype=torch.bool, device=device).tril()


def causal_mask__not_triu(n, device=None):
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n = {n} is no number of tokens")
    return ~torch.triu(torch.ones((n, n), device=device), diagonal=1).bool()


def _softmax(scores, mask):
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    lost = (scores == -torch.inf).all(-1, keepdim=True)
    return torch.softmax(scores.masked_fill(lost, 0), -1).masked_fill(lost, 0)


def scaled_dot_product_attention__torch_softmax(q, k, v, mask=None):
    _shapes(q, k, v)
    scores = _wide(q) @ _wide(k).transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (_softmax(scores, _mask(mask, scores.shape)) @ _wide(v)).to(_dtype(q))


def scaled_dot_product_attention__additive_bias(q, k, v, mask=None):
    """The lowest number added instead of -inf, and the weights zeroed once more."""
    _shapes(q, k, v)
    scores = torch.einsum("...id,...jd->...ij", _wide(q), _wide(k)) * q.shape[-1] ** -0.5
    keep = scores > -torch.inf
    if mask is not None:
        keep = keep & _mask(mask, scores.shape)
    lowest = torch.finfo(scores.dtype).min
    scores = scores.masked_fill(~keep, lowest)
    p = torch.softmax(scores, -1) * keep
    return (p @ _wide(v)).to(_dtype(q))


def scaled_dot_product_attention__library_on_wide_inputs(q, k, v, mask=None):
    """torch's own, told to use its plain form."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    _shapes(q, k, v)
    keep = _mask(mask, (*q.shape[:-1], k.shape[-2]))
    with sdpa_kernel(SDPBackend.MATH):
        out = functional.scaled_dot_product_attention(_wide(q), _wide(k), _wide(v), attn_mask=keep)
    return out.to(_dtype(q))


def scaled_dot_product_attention_backward__autograd(grad_output, q, k, v, mask=None):
    _shapes(q, k, v)
    if grad_output.shape != q.shape[:-1] + v.shape[-1:]:
        raise ValueError(f"grad_output does not fit: {grad_output.shape}")
    keep = _mask(mask, (*q.shape[:-1], k.shape[-2]))
    again = any(x.requires_grad for x in (grad_output, q, k, v))
    with torch.enable_grad():
        wide = [_wide(x) for x in (q, k, v)]
        leaves = [x if x.requires_grad else x.detach().requires_grad_() for x in wide]
        scores = leaves[0] @ leaves[1].mT / math.sqrt(q.shape[-1])
        out = _softmax(scores, keep) @ leaves[2]
        grads = torch.autograd.grad(out, leaves, _wide(grad_output), create_graph=again)
    return tuple(x.to(_dtype(q)) for x in grads)


def scaled_dot_product_attention_backward__einsum(grad_output, q, k, v, mask=None):
    _shapes(q, k, v)
    if grad_output.shape != q.shape[:-1] + v.shape[-1:]:
        raise ValueError(f"grad_output does not fit: {grad_output.shape}")
    g, wq, wk, wv = (_wide(x) for x in (grad_output, q, k, v))
    scale = q.shape[-1] ** -0.5
    scores = torch.einsum("...id,...jd->...ij", wq * scale, wk)
    p = _softmax(scores, _mask(mask, scores.shape))
    r = (g * (p @ wv)).sum(-1, keepdim=True)
    ds = p * (torch.einsum("...ie,...je->...ij", g, wv) - r) * scale
    dq = torch.einsum("...ij,...jd->...id", ds, wk)
    dk = torch.einsum("...ij,...id->...jd", ds, wq)
    dv = torch.einsum("...ij,...ie->...je", p, g)
    return dq.to(_dtype(q)), dk.to(_dtype(q)), dv.to(_dtype(q))


def multi_head_attention__unflatten(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    d = x.shape[-1]
    for name, w in {"w_q": w_q, "w_k": w_k, "w_v": w_v, "w_o": w_o}.items():
        if tuple(w.shape) != (d, d):
            raise ValueError(f"{name} should be {d} x {d} but is {w.shape}")
    if num_heads <= 0 or d % num_heads != 0:
        raise ValueError(f"num_heads={num_heads} does not divide {d}")
    keep = _mask(mask, (*x.shape[:-1], x.shape[-2]))
    q, k, v = (
        (_wide(x) @ _wide(w)).unflatten(-1, (num_heads, d // num_heads)).movedim(-2, -3)
        for w in (w_q, w_k, w_v)
    )
    p = _softmax(q @ k.mT / math.sqrt(q.shape[-1]), None if keep is None else keep.unsqueeze(-3))
    return ((p @ v).movedim(-3, -2).flatten(-2) @ _wide(w_o)).to(_dtype(x))


def multi_head_attention__chunks(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    d = x.shape[-1]
    for name, w in {"w_q": w_q, "w_k": w_k, "w_v": w_v, "w_o": w_o}.items():
        if tuple(w.shape) != (d, d):
            raise ValueError(f"{name} should be {d} x {d} but is {w.shape}")
    if num_heads <= 0 or d % num_heads != 0:
        raise ValueError(f"num_heads={num_heads} does not divide {d}")
    keep = _mask(mask, (*x.shape[:-1], x.shape[-2]))
    parts = ((_wide(x) @ _wide(w)).chunk(num_heads, dim=-1) for w in (w_q, w_k, w_v))
    heads = [
        _softmax(q @ k.mT / math.sqrt(d / num_heads), keep) @ v
        for q, k, v in zip(*parts, strict=True)
    ]
    return (torch.cat(heads, dim=-1) @ _wide(w_o)).to(_dtype(x))


def flash_attention__rows_at_a_time(q, k, v, block_size=64, causal=False):
    """All keys at once, but only so many queries that the scores stay small."""
    _shapes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size={block_size}")
    n, m = q.shape[-2], k.shape[-2]
    out = []
    for start in range(0, n, block_size):
        rows = torch.arange(start, min(n, start + block_size), device=q.device)
        scores = _wide(q[..., start : start + block_size, :]) @ _wide(k).mT / q.shape[-1] ** 0.5
        keep = torch.arange(m, device=q.device) <= rows[:, None] if causal else None
        out.append(_softmax(scores, keep) @ _wide(v))
    return torch.cat(out, dim=-2).to(_dtype(q))


def flash_attention__log_sum_of_each_block(q, k, v, block_size=64, causal=False):
    """Each block's own average, joined by weights from their logsumexp."""
    _shapes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size={block_size}")
    n = q.shape[-2]
    out = log_sum = None
    for kb, vb, start in zip(
        k.split(block_size, dim=-2), v.split(block_size, dim=-2), range(0, k.shape[-2], block_size),
        strict=True,
    ):  # fmt: skip
        scores = torch.einsum("...id,...jd->...ij", _wide(q), _wide(kb)) / math.sqrt(q.shape[-1])
        if causal:
            rows = torch.arange(n, device=q.device)[:, None]
            columns = start + torch.arange(kb.shape[-2], device=q.device)
            scores = torch.where(columns <= rows, scores, -torch.inf)
        lost = (scores == -torch.inf).all(-1, keepdim=True)
        block_sum = torch.logsumexp(scores.masked_fill(lost, 0), -1, keepdim=True)
        block_sum = block_sum.masked_fill(lost, -torch.inf)
        block = _softmax(scores, None) @ _wide(vb)
        if out is None:
            out, log_sum = block, block_sum
            continue
        both = torch.logaddexp(log_sum, block_sum)
        safe = both.masked_fill(both == -torch.inf, 0)
        out = out * torch.exp(log_sum - safe) + block * torch.exp(block_sum - safe)
        log_sum = both
    return out.to(_dtype(q))
