"""Right answers that look different: every one must pass all checks."""

import functools
import math

import numpy as np
import scipy.special


def _floating(x):
    return x if np.issubdtype(x.dtype, np.floating) else x.astype("float64")


def _wide(x):
    x = _floating(x)
    return x.astype("float32") if x.dtype == np.float16 else x


def _axis(axis, x):
    if axis not in range(-x.ndim, x.ndim):
        raise ValueError(f"no axis={axis} in shape {x.shape}")


def _temperature(temperature):
    if temperature <= 0:
        raise ValueError(f"temperature={temperature} is not positive")


def softmax__through_logsumexp(logits, temperature=1.0, axis=-1):
    _temperature(temperature)
    _axis(axis, logits)
    z = _wide(logits) / _wide(logits).dtype.type(temperature)
    top = z.max(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore"):
        z = z - top
    return np.exp(z - np.log(np.exp(z).sum(axis=axis, keepdims=True))).astype(
        _floating(logits).dtype
    )


def softmax__scipy(logits, temperature=1.0, axis=-1):
    _temperature(temperature)
    z = _wide(logits)
    z = z / np.asarray(temperature, z.dtype)
    if z.size == 0:
        return z
    return scipy.special.softmax(z, axis=axis).astype(_floating(logits).dtype)


def softmax__python_loop(logits, temperature=1.0, axis=-1):
    _temperature(temperature)
    _axis(axis, logits)

    def row(z):
        z = [float(x) / temperature for x in z]
        top = max(z)
        if top == -math.inf:
            return np.full(len(z), np.nan)
        e = [math.exp(x - top) for x in z]
        total = math.fsum(e)
        return np.array([x / total for x in e])

    if logits.size == 0:
        return _floating(logits).copy()
    return np.apply_along_axis(row, axis, _floating(logits)).astype(_floating(logits).dtype)


def softmax__axis_moved_and_einsum(logits, temperature=1.0, axis=-1):
    _temperature(temperature)
    z = np.moveaxis(_wide(logits), axis, -1)
    with np.errstate(invalid="ignore"):
        e = np.exp((z - z.max(-1)[..., None]) / z.dtype.type(temperature))
    p = np.einsum("...i,...->...i", e, 1 / np.einsum("...i->...", e))
    return np.moveaxis(p, -1, axis).astype(_floating(logits).dtype)


def log_softmax__scipy(logits, axis=-1):
    if logits.size == 0:
        return _floating(logits).copy()
    return scipy.special.log_softmax(_wide(logits), axis=axis).astype(_floating(logits).dtype)


def log_softmax__logaddexp(logits, axis=-1):
    z = _wide(logits)
    with np.errstate(invalid="ignore"):
        z = z - z.max(axis=axis, keepdims=True)
    rows = np.moveaxis(z, axis, 0)
    total = functools.reduce(np.logaddexp, rows)
    return np.moveaxis(rows - total, 0, axis).astype(_floating(logits).dtype)


def log_softmax__python_loop(logits, axis=-1):
    _axis(axis, logits)

    def row(z):
        top = max(map(float, z))
        if top == -math.inf:
            return np.full(len(z), np.nan)
        log_total = math.log(math.fsum(math.exp(float(x) - top) for x in z))
        return np.array([(float(x) - top) - log_total for x in z])

    if logits.size == 0:
        return _floating(logits).copy()
    return np.apply_along_axis(row, axis, logits).astype(_floating(logits).dtype)


def log_softmax__everything_in_float64(logits, axis=-1):
    _axis(axis, logits)
    z = np.asarray(logits, np.float64)
    with np.errstate(all="ignore"):
        z = z - np.amax(z, axis, keepdims=True)
        z = z - np.log(np.sum(np.exp(z), axis, keepdims=True))
        return z.astype(_floating(logits).dtype)


def logsumexp__scipy(x, axis=-1):
    _axis(axis, x)
    return np.asarray(scipy.special.logsumexp(_wide(x), axis=axis)).astype(_floating(x).dtype)


def logsumexp__logaddexp(x, axis=-1):
    rows = np.moveaxis(_wide(x), axis, 0)
    total = functools.reduce(np.logaddexp, rows)
    return total.astype(_floating(x).dtype)


def logsumexp__sorted_and_log1p(x, axis=-1):
    _axis(axis, x)
    z = np.sort(np.moveaxis(_wide(x), axis, -1), axis=-1)
    top, rest = z[..., -1], z[..., :-1]
    with np.errstate(invalid="ignore"):
        others = np.exp(rest - top[..., None]).sum(axis=-1)
    return np.where(np.isinf(top), top, top + np.log1p(others)).astype(_floating(x).dtype)


def logsumexp__python_loop(x, axis=-1):
    _axis(axis, x)

    def row(z):
        top = max(map(float, z))
        if math.isinf(top):
            return top
        return top + math.log(math.fsum(math.exp(float(v) - top) for v in z))

    if x.size == 0:
        return _floating(x).sum(axis=axis)
    return np.apply_along_axis(row, axis, x).astype(_floating(x).dtype)


def _same_shape(grad_output, probs):
    if np.shape(grad_output) != np.shape(probs):
        raise ValueError(f"grad_output is {np.shape(grad_output)}, probs is {np.shape(probs)}")


def softmax_backward__einsum(grad_output, probs, axis=-1):
    _same_shape(grad_output, probs)
    g = np.moveaxis(_wide(grad_output), axis, -1)
    p = np.moveaxis(_wide(probs), axis, -1)
    out = np.einsum("...i,...i->...i", p, g - np.einsum("...i,...i->...", p, g)[..., None])
    return np.moveaxis(out, -1, axis).astype(_floating(probs).dtype)


def softmax_backward__two_products(grad_output, probs, axis=-1):
    _same_shape(grad_output, probs)
    _axis(axis, probs)
    weighted = _wide(grad_output) * _wide(probs)
    out = weighted - _wide(probs) * weighted.sum(axis=axis, keepdims=True)
    return out.astype(_floating(probs).dtype)


def softmax_backward__python_loop(grad_output, probs, axis=-1):
    _same_shape(grad_output, probs)
    _axis(axis, probs)
    g = np.moveaxis(np.asarray(grad_output, np.float64), axis, -1)
    p = np.moveaxis(np.asarray(probs, np.float64), axis, -1)
    out = np.empty_like(p)
    for index in np.ndindex(p.shape[:-1]):
        mean = math.fsum(a * b for a, b in zip(g[index], p[index], strict=True))
        out[index] = [b * (a - mean) for a, b in zip(g[index], p[index], strict=True)]
    return np.moveaxis(out, -1, axis).astype(_floating(probs).dtype)


def softmax_backward__matmul(grad_output, probs, axis=-1):
    _same_shape(grad_output, probs)
    g = np.moveaxis(_wide(grad_output), axis, -1)
    p = np.moveaxis(_wide(probs), axis, -1)
    mean = (p[..., None, :] @ g[..., :, None])[..., 0]
    return np.moveaxis(p * (g - mean), -1, axis).astype(_floating(probs).dtype)


def _has_axis(probs):
    if probs.shape == ():
        raise ValueError(f"probs of shape {probs.shape} has no classes")


def softmax_jacobian__identity(probs):
    _has_axis(probs)
    p = _floating(probs)
    eye = np.identity(p.shape[-1], dtype=p.dtype)
    return p[..., :, None] * (eye - p[..., None, :])


def softmax_jacobian__einsum(probs):
    _has_axis(probs)
    p = _floating(probs)
    out = np.einsum("...i,...j->...ij", -p, p)
    diagonal = np.einsum("...ii->...i", out)
    diagonal += p
    return out


def softmax_jacobian__row_by_row(probs):
    _has_axis(probs)
    p = _floating(probs)
    out = np.empty((*p.shape, p.shape[-1]), p.dtype)
    for index in np.ndindex(p.shape[:-1]):
        out[index] = np.diag(p[index]) - np.outer(p[index], p[index])
    return out


def softmax_jacobian__where_on_the_diagonal(probs):
    _has_axis(probs)
    p = _floating(probs)
    row, column = np.expand_dims(p, -1), np.expand_dims(p, -2)
    same = np.eye(p.shape[-1], dtype=bool)
    return np.where(same, row * (1 - row), -row * column)


def _leading(kept, block):
    if kept is not None and kept.shape != block.shape[:-1]:
        raise ValueError(f"blocks disagree: {kept.shape} and then {block.shape}")


def online_logsumexp__logaddexp(blocks):
    total = None
    for block in blocks:
        _leading(total, block)
        dtype = _floating(block).dtype
        part = np.logaddexp.reduce(_wide(block), axis=-1)
        total = part if total is None else np.logaddexp(total, part)
    if total is None:
        raise ValueError("blocks: expected some, got 0")
    return np.asarray(total).astype(dtype)


def online_logsumexp__scipy_of_two(blocks):
    total = None
    for block in blocks:
        _leading(total, block)
        dtype = _floating(block).dtype
        part = scipy.special.logsumexp(_wide(block), axis=-1)
        both = [part] if total is None else [total, part]
        total = np.asarray(scipy.special.logsumexp(np.stack(both), axis=0))
    if total is None:
        raise ValueError("blocks: expected some, got 0")
    return total.astype(dtype)


def online_logsumexp__next_and_while(blocks):
    blocks = iter(blocks)
    block = next(blocks, None)
    if block is None:
        raise ValueError("blocks is empty: 0 arrays")
    dtype = _floating(block).dtype
    m = np.full(block.shape[:-1], -np.inf)
    s = np.zeros(block.shape[:-1])
    while block is not None:
        _leading(s, block)
        new = np.maximum(m, block.max(-1))
        shift = np.where(np.isneginf(new), 0, new)
        with np.errstate(invalid="ignore", over="ignore"):
            terms = np.exp(block.astype(np.float64) - shift[..., None])
            old = s * np.exp(m - shift)
        s = np.where(np.isposinf(new), np.inf, old + terms.sum(-1))
        m = new
        block = next(blocks, None)
    with np.errstate(divide="ignore"):
        out = np.where(np.isinf(m), m, np.log(s) + m)
    return out.astype(dtype)


def online_logsumexp__column_by_column(blocks):
    m = s = None
    for block in blocks:
        _leading(m, block)
        dtype = _floating(block).dtype
        for column in np.moveaxis(_wide(block), -1, 0):
            if m is None:
                m, s = column, np.where(np.isneginf(column), 0, 1).astype(column.dtype)
                continue
            new = np.maximum(m, column)
            safe = np.where(np.isinf(new), 0, new).astype(new.dtype)
            with np.errstate(over="ignore", invalid="ignore"):
                s = s * np.exp(m - safe) + np.exp(column - safe)
            m = new
    if m is None:
        raise ValueError("blocks: got 0")
    with np.errstate(divide="ignore"):
        return np.where(np.isinf(m), m, m + np.log(s)).astype(dtype)
