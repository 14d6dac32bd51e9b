"""Right but unusual answers to the attention exercises, in NumPy."""

import math

import numpy as np


def _shapes(q, k, v=None):
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q and k must be equally wide, got q {q.shape}, k {k.shape}")
    if v is not None and v.shape[-2] != k.shape[-2]:
        raise ValueError(f"k and v must be equally long, got k {k.shape}, v {v.shape}")


def _mask(mask, shape):
    if mask is None:
        return np.ones(shape, dtype=bool)
    if mask.dtype != np.bool_:
        raise ValueError(f"mask has dtype {mask.dtype}, not bool")
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(f"mask of shape {mask.shape} does not broadcast to {shape}") from None


def _dtype(x):
    return x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float64)


def _wide(x):
    return x.astype(np.promote_types(_dtype(x), np.float32))


def attention_scores__einsum(q, k):
    _shapes(q, k)
    scores = np.einsum("...id,...jd->...ij", _wide(q), _wide(k)) / np.sqrt(q.shape[-1])
    return scores.astype(_dtype(q))


def attention_scores__both_scaled_by_the_fourth_root(q, k):
    _shapes(q, k)
    root = q.shape[-1] ** -0.25
    return ((_wide(q) * root) @ np.moveaxis(_wide(k) * root, -1, -2)).astype(_dtype(q))


def attention_scores__python_loop(q, k):
    _shapes(q, k)
    out = np.zeros((*q.shape[:-1], k.shape[-2]), _dtype(q))
    d = q.shape[-1]
    for index in np.ndindex(out.shape):
        *batch, i, j = index
        products = _wide(q[(*batch, i)]) * _wide(k[(*batch, j)])
        out[index] = products.sum() / math.sqrt(d)
    return out


def attention_scores__sum_of_products(q, k):
    _shapes(q, k)
    products = _wide(q)[..., :, None, :] * _wide(k)[..., None, :, :]
    return (products.sum(-1) / math.sqrt(q.shape[-1])).astype(_dtype(q))


def attention_scores__float64_throughout(q, k):
    _shapes(q, k)
    scores = np.matmul(q.astype(np.float64), k.astype(np.float64).swapaxes(-1, -2))
    with np.errstate(over="ignore"):
        return (scores * q.shape[-1] ** -0.5).astype(_dtype(q))


def causal_mask__positions_compared(n):
    if not math.isfinite(n) or int(n) != n or n < 0:
        raise ValueError(f"n must not be negative or broken, got {n}")
    return np.arange(n)[None, :] <= np.arange(n)[:, None]


def causal_mask__tril_of_ones(n):
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n = {n} is no number of tokens")
    return np.tril(np.ones((n, n))) == 1


def causal_mask__python_lists(n):
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n = {n} is no number of tokens")
    return np.array([[j <= i for j in range(n)] for i in range(n)], dtype=bool).reshape(n, n)


def causal_mask__not_triu(n):
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n = {n} is no number of tokens")
    return ~np.triu(np.full((n, n), True), k=1)


def _softmax(scores, keep):
    """By the textbook, with where instead of arithmetic on -inf."""
    scores = np.where(keep, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True)
    e = np.exp(scores - np.where(np.isneginf(top), 0, top))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def scaled_dot_product_attention__textbook(q, k, v, mask=None):
    _shapes(q, k, v)
    scores = _wide(q) @ _wide(k).swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    p = _softmax(scores, _mask(mask, scores.shape)).astype(scores.dtype)
    return (p @ _wide(v)).astype(_dtype(q))


def scaled_dot_product_attention__einsum_and_where(q, k, v, mask=None):
    _shapes(q, k, v)
    scores = np.einsum("...id,...jd->...ij", _wide(q) / np.sqrt(q.shape[-1]), _wide(k))
    keep = _mask(mask, scores.shape) & (scores > -np.inf)
    finite = np.where(keep, scores, np.finfo(scores.dtype).min)
    e = np.where(keep, np.exp(finite - finite.max(-1, keepdims=True)), 0)
    p = e / np.maximum(e.sum(-1, keepdims=True), np.finfo(scores.dtype).tiny)
    return np.einsum("...ij,...je->...ie", p, _wide(v)).astype(_dtype(q))


def scaled_dot_product_attention__scipy_softmax(q, k, v, mask=None):
    from scipy.special import softmax

    _shapes(q, k, v)
    scores = _wide(q) @ _wide(k).swapaxes(-1, -2) * q.shape[-1] ** -0.5
    scores = np.where(_mask(mask, scores.shape), scores, -np.inf)
    lost = np.isneginf(scores).all(axis=-1, keepdims=True)
    p = np.where(lost, 0, softmax(np.where(lost, 0, scores), axis=-1))
    return (p @ _wide(v)).astype(_dtype(q))


def scaled_dot_product_attention__query_by_query(q, k, v, mask=None):
    _shapes(q, k, v)
    shape = (*q.shape[:-1], k.shape[-2])
    keep = _mask(mask, shape)
    out = np.zeros((*q.shape[:-1], v.shape[-1]), _dtype(q))
    for index in np.ndindex(shape[:-1]):
        batch = index[:-1]
        seen = keep[index]
        scores = _wide(k[batch])[seen] @ _wide(q[index]) / math.sqrt(q.shape[-1])
        scores = scores[np.isfinite(scores)] if np.isneginf(scores).any() else scores
        values = _wide(v[batch])[seen]
        if not len(scores):
            continue
        if len(scores) < len(values):
            values = values[np.isfinite(_wide(k[batch])[seen]).all(-1)]
        p = np.exp(scores - scores.max())
        out[index] = p @ values / p.sum()
    return out


def scaled_dot_product_attention__log_space(q, k, v, mask=None):
    """The weights as exp of log-softmax."""
    _shapes(q, k, v)
    scores = _wide(q) @ _wide(k).swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    scores[~_mask(mask, scores.shape)] = -np.inf
    shift = np.nan_to_num(scores.max(-1, keepdims=True), neginf=0)
    with np.errstate(divide="ignore"):
        log_sum = np.log(np.exp(scores - shift).sum(-1, keepdims=True))
    p = np.exp(scores - shift - np.where(np.isinf(log_sum), 0, log_sum))
    return (p @ _wide(v)).astype(_dtype(q))


def scaled_dot_product_attention__rounded_to_half_on_the_way(q, k, v, mask=None):
    """Weights rounded to the input's dtype, as fused kernels do before the second product."""
    _shapes(q, k, v)
    scores = _wide(q) @ _wide(k).swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    p = _softmax(scores, _mask(mask, scores.shape)).astype(_dtype(q))
    return (_wide(p) @ _wide(v)).astype(_dtype(q))


def _checked_gradient(grad_output, q, v):
    if grad_output.shape != q.shape[:-1] + v.shape[-1:]:
        raise ValueError(f"grad_output does not fit: {grad_output.shape}")


def scaled_dot_product_attention_backward__textbook(grad_output, q, k, v, mask=None):
    _shapes(q, k, v)
    _checked_gradient(grad_output, q, v)
    root = math.sqrt(q.shape[-1])
    g, wq, wk, wv = (_wide(x) for x in (grad_output, q, k, v))
    scores = wq @ wk.swapaxes(-1, -2) / root
    p = _softmax(scores, _mask(mask, scores.shape)).astype(scores.dtype)
    dp = g @ wv.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    grads = (ds @ wk / root, ds.swapaxes(-1, -2) @ wq / root, p.swapaxes(-1, -2) @ g)
    return tuple(x.astype(_dtype(q)) for x in grads)


def scaled_dot_product_attention_backward__flash_trick(grad_output, q, k, v, mask=None):
    """The row average as sum(g * out), as FlashAttention's backward has it; a list returned."""
    _shapes(q, k, v)
    _checked_gradient(grad_output, q, v)
    scale = q.shape[-1] ** -0.5
    g, wq, wk, wv = (_wide(x) for x in (grad_output, q, k, v))
    scores = np.einsum("...id,...jd->...ij", wq, wk) * scale
    p = _softmax(scores, _mask(mask, scores.shape)).astype(scores.dtype)
    r = (g * (p @ wv)).sum(-1, keepdims=True)
    ds = p * (np.einsum("...ie,...je->...ij", g, wv) - r) * scale
    dq = np.einsum("...ij,...jd->...id", ds, wk)
    dk = np.einsum("...ij,...id->...jd", ds, wq)
    dv = np.einsum("...ij,...ie->...je", p, g)
    return [x.astype(_dtype(q)) for x in (dq, dk, dv)]


def scaled_dot_product_attention_backward__jacobian_of_softmax(grad_output, q, k, v, mask=None):
    """With every row's Jacobian written out."""
    _shapes(q, k, v)
    _checked_gradient(grad_output, q, v)
    root = math.sqrt(q.shape[-1])
    g, wq, wk, wv = (_wide(x) for x in (grad_output, q, k, v))
    scores = wq @ wk.swapaxes(-1, -2) / root
    keep = _mask(mask, scores.shape)
    p = _softmax(scores, keep).astype(scores.dtype)
    ds = np.zeros_like(p)
    dp = g @ wv.swapaxes(-1, -2)
    for index in np.ndindex(p.shape[:-1]):
        row = p[index]
        if len(row) > 200:
            ds[index] = row * dp[index] - row * (row @ dp[index])
        else:
            ds[index] = (np.diag(row) - np.outer(row, row)) @ dp[index]
    dq, dk = ds @ wk / root, ds.swapaxes(-1, -2) @ wq / root
    return tuple(x.astype(_dtype(q)) for x in (dq, dk, p.swapaxes(-1, -2) @ g))


def _heads_checked(x, w_q, w_k, w_v, w_o, num_heads, mask):
    d = x.shape[-1]
    for name, w in {"w_q": w_q, "w_k": w_k, "w_v": w_v, "w_o": w_o}.items():
        if w.shape != (d, d):
            raise ValueError(f"{name} should be {d} x {d} but is {w.shape}")
    if num_heads <= 0 or d % num_heads != 0:
        raise ValueError(f"num_heads={num_heads} does not divide {d}")
    return _mask(mask, (*x.shape[:-1], x.shape[-2]))


def multi_head_attention__head_by_head(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    keep = _heads_checked(x, w_q, w_k, w_v, w_o, num_heads, mask)
    width = x.shape[-1] // num_heads
    wide = _wide(x)
    out = np.zeros_like(wide)
    for h in range(num_heads):
        s = slice(h * width, (h + 1) * width)
        q, k, v = (wide @ _wide(w[:, s]) for w in (w_q, w_k, w_v))
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(width)
        out += _softmax(scores, keep) @ v @ _wide(w_o[s])
    return out.astype(_dtype(x))


def multi_head_attention__einsum(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    keep = _heads_checked(x, w_q, w_k, w_v, w_o, num_heads, mask)
    d = x.shape[-1]
    q, k, v = (
        np.einsum("...nd,dhw->...hnw", _wide(x), _wide(w).reshape(d, num_heads, -1))
        for w in (w_q, w_k, w_v)
    )
    scores = np.einsum("...hiw,...hjw->...hij", q, k) / math.sqrt(d // num_heads)
    p = _softmax(scores, keep[..., None, :, :])
    heads = np.einsum("...hij,...hjw->...hiw", p, v)
    out = np.einsum("...hnw,hwd->...nd", heads, _wide(w_o).reshape(num_heads, -1, d))
    return out.astype(_dtype(x))


def multi_head_attention__split_and_concatenate(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    """One product for the three projections, np.split for the heads."""
    keep = _heads_checked(x, w_q, w_k, w_v, w_o, num_heads, mask)
    together = _wide(x) @ np.concatenate([_wide(w_q), _wide(w_k), _wide(w_v)], axis=1)
    q, k, v = (np.split(part, num_heads, axis=-1) for part in np.split(together, 3, axis=-1))
    heads = []
    for qh, kh, vh in zip(q, k, v, strict=True):
        scores = qh @ kh.swapaxes(-1, -2) / np.sqrt(qh.shape[-1])
        heads.append(_softmax(scores, keep) @ vh)
    return (np.concatenate(heads, axis=-1) @ _wide(w_o)).astype(_dtype(x))


def multi_head_attention__heads_in_front(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    """The head axis as the very first one, weights cut instead of projections."""
    keep = _heads_checked(x, w_q, w_k, w_v, w_o, num_heads, mask)
    d = x.shape[-1]
    width = d // num_heads

    def cut(w):
        parts = np.stack([_wide(w[:, i : i + width]) for i in range(0, d, width)])
        return parts.reshape(num_heads, *(1,) * (x.ndim - 2), d, width)

    q, k, v = (_wide(x)[None] @ cut(w) for w in (w_q, w_k, w_v))
    p = _softmax(q @ k.swapaxes(-1, -2) / math.sqrt(width), keep[None])
    heads = np.moveaxis(p @ v, 0, -2)
    return (heads.reshape(x.shape) @ _wide(w_o)).astype(_dtype(x))


def flash_attention__blocks_of_queries_too(q, k, v, block_size=64, causal=False):
    _shapes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size={block_size}")
    n, m, scale = q.shape[-2], k.shape[-2], q.shape[-1] ** -0.5
    out = np.zeros((*q.shape[:-1], v.shape[-1]), _dtype(q))
    for first in range(0, n, block_size):
        rows = np.arange(first, min(n, first + block_size))
        queries = _wide(q[..., rows, :]) * scale
        top, total, mixed = -np.inf, 0.0, 0.0
        for start in range(0, m, block_size):
            columns = np.arange(start, min(m, start + block_size))
            if causal and start > rows[-1]:
                break
            s = queries @ _wide(k[..., columns, :]).swapaxes(-1, -2)
            if causal:
                s = np.where(columns <= rows[:, None], s, -np.inf)
            new = np.maximum(top, s.max(-1, keepdims=True))
            safe = np.where(np.isneginf(new), 0, new)
            e, shrink = np.exp(s - safe), np.exp(top - safe)
            total = total * shrink + e.sum(-1, keepdims=True)
            mixed = mixed * shrink + e @ _wide(v[..., columns, :])
            top = new
        out[..., rows, :] = mixed / np.where(total == 0, 1, total)
    return out


def flash_attention__rows_at_a_time(q, k, v, block_size=64, causal=False):
    """All keys at once, but only so many queries that the scores stay small."""
    _shapes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size={block_size}")
    n, m = q.shape[-2], k.shape[-2]
    out = np.empty((*q.shape[:-1], v.shape[-1]), _dtype(q))
    for start in range(0, n, block_size):
        stop = min(n, start + block_size)
        s = _wide(q[..., start:stop, :]) @ _wide(k).swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        keep = np.arange(m) <= np.arange(start, stop)[:, None] if causal else True
        out[..., start:stop, :] = _softmax(s, keep).astype(s.dtype) @ _wide(v)
    return out


def flash_attention__two_passes(q, k, v, block_size=64, causal=False):
    """First the logsumexp of every row, then the mixture with weights that are final."""
    _shapes(q, k, v)
    if block_size <= 0:
        raise ValueError(f"block_size must be positive, not {block_size}")
    n, m = q.shape[-2], k.shape[-2]
    queries = _wide(q) / np.sqrt(q.shape[-1]).astype(_wide(q).dtype)

    def blocks():
        for start in range(0, m, block_size):
            stop = min(m, start + block_size)
            s = queries @ _wide(k[..., start:stop, :]).swapaxes(-1, -2)
            if causal:
                s += np.where(np.arange(start, stop) <= np.arange(n)[:, None], 0, -np.inf).astype(
                    s.dtype
                )
            yield s, _wide(v[..., start:stop, :])

    top = np.full((*q.shape[:-1], 1), -np.inf, queries.dtype)
    for s, _ in blocks():
        top = np.maximum(top, s.max(-1, keepdims=True))
    top = np.where(np.isneginf(top), 0, top).astype(queries.dtype)
    total, mixed = 0, 0
    for s, values in blocks():
        e = np.exp(s - top)
        total = total + e.sum(-1, keepdims=True)
        mixed = mixed + e @ values
    return (mixed / np.where(total == 0, 1, total)).astype(_dtype(q))


def flash_attention__normalized_as_it_goes(q, k, v, block_size=64, causal=False):
    """FlashAttention 1: the mixture is a proper average after every block."""
    _shapes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size={block_size}")
    n, m = q.shape[-2], k.shape[-2]
    wide = _wide(q)
    out = np.zeros((*q.shape[:-1], v.shape[-1]), wide.dtype)
    total = np.zeros((*q.shape[:-1], 1), wide.dtype)
    top = np.full_like(total, -np.inf)
    for start in range(0, m, block_size):
        kb, vb = (
            _wide(k[..., start : start + block_size, :]),
            _wide(v[..., start : start + block_size, :]),
        )
        s = np.einsum("...id,...jd->...ij", wide, kb) / math.sqrt(q.shape[-1])
        if causal:
            s[..., np.arange(n)[:, None] < start + np.arange(kb.shape[-2])] = -np.inf
        new = np.maximum(top, s.max(-1, keepdims=True))
        safe = np.where(np.isneginf(new), 0, new)
        old = total * np.exp(top - safe)
        e = np.exp(s - safe)
        total = old + e.sum(-1, keepdims=True)
        some = np.where(total == 0, 1, total)
        out = (old / some) * out + (e @ vb) / some
        top = new
    return out.astype(_dtype(q))
