"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import math

import numpy as np


def _kind(a):
    return a.dtype if np.issubdtype(a.dtype, np.floating) else np.dtype("float64")


def _wide(a):
    return a.astype(np.promote_types(_kind(a), "float32"))


def _for_each_column(name, a, x):
    if a.shape != x.shape[-1:]:
        raise ValueError(f"{name} has shape {a.shape}, and x has {x.shape[-1:]} columns")


def _not_negative(eps):
    if eps < 0:
        raise ValueError(f"eps={eps} is negative")


# rms_norm_backward


def _three(grad_output, x, weight, eps):
    if grad_output.shape != x.shape:
        raise ValueError(f"grad_output has shape {grad_output.shape}, and x has {x.shape}")
    _for_each_column("weight", weight, x)
    _not_negative(eps)
    return _wide(grad_output), _wide(x), _wide(weight)


def _row_mean(a):
    return a.sum(axis=-1, keepdims=True) / a.shape[-1]


def _rms(x, eps):
    return np.sqrt(_row_mean(x**2) + eps)


def _over_rows(terms):
    return terms.reshape(-1, terms.shape[-1]).sum(axis=0)


def _both(x, dx, dweight):
    return dx.astype(_kind(x)), dweight.astype(_kind(x))


def _row_by_row(grad_output, x, weight, eps, row):
    """One row after the other: ``row`` takes and gives lists of Python floats."""
    _three(grad_output, x, weight, eps)
    n = x.shape[-1]
    dx, dweight = np.zeros(x.shape), np.zeros(n)
    w = [float(a) for a in weight]
    for at in np.ndindex(x.shape[:-1]):
        g, z = grad_output[at].astype(float).tolist(), x[at].astype(float).tolist()
        dx[at], terms = row(g, z, w)
        dweight += terms
    return _both(x, dx, dweight)


def _one_root(xs, eps):
    return math.sqrt(sum(a * a for a in xs) / len(xs) + eps)


def rms_norm_backward__root_taken_for_constant(grad_output, x, weight, eps=1e-6):
    def row(gs, xs, ws):
        r = _one_root(xs, eps)
        along = [g * w / r for g, w in zip(gs, ws, strict=True)]
        return along, [g * a / r for g, a in zip(gs, xs, strict=True)]

    return _row_by_row(grad_output, x, weight, eps, row)


def rms_norm_backward__mean_taken_out(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    r = _rms(a, eps)
    z = a / r
    h = g * w
    dx = (h - _row_mean(h) - z * _row_mean(h * z)) / r
    return _both(x, dx, _over_rows(g * z))


def rms_norm_backward__centred_first(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    a = a - np.mean(a, axis=-1, keepdims=True)
    r = _rms(a, eps)
    z = a / r
    h = np.einsum("...i,i->...i", g, w)
    shared = np.einsum("...i,...i->...", h, z)[..., None] / x.shape[-1]
    return _both(x, (h - shared * z) / r, _over_rows(g * z))


def rms_norm_backward__added_what_is_taken_out(grad_output, x, weight, eps=1e-6):
    def row(gs, xs, ws):
        r = _one_root(xs, eps)
        zs = [a / r for a in xs]
        hs = [g * w for g, w in zip(gs, ws, strict=True)]
        shared = sum(h * z for h, z in zip(hs, zs, strict=True)) / len(xs)
        dx = [(h + z * shared) / r for h, z in zip(hs, zs, strict=True)]
        return dx, [g * z for g, z in zip(gs, zs, strict=True)]

    return _row_by_row(grad_output, x, weight, eps, row)


def rms_norm_backward__along_x_not_z(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    r = _rms(a, eps)
    z = a / r
    h = g * w
    dx = h / r - a * _row_mean(h * z) / r
    return _both(x, dx, _over_rows(g * z))


def rms_norm_backward__sum_instead_of_mean(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    r = _rms(a, eps)
    z = a / r
    overlap = np.einsum("...i,...i,i->...", g, z, w)
    dx = (g * w - overlap[..., np.newaxis] * z) / r
    return _both(x, dx, np.einsum("ri,ri->i", *(t.reshape(-1, t.shape[-1]) for t in (g, z))))


def rms_norm_backward__weight_left_out_of_dx(grad_output, x, weight, eps=1e-6):
    def row(gs, xs, _):
        r = _one_root(xs, eps)
        zs = [a / r for a in xs]
        shared = sum(g * z for g, z in zip(gs, zs, strict=True)) / len(xs)
        dx = [(g - z * shared) / r for g, z in zip(gs, zs, strict=True)]
        return dx, [g * z for g, z in zip(gs, zs, strict=True)]

    return _row_by_row(grad_output, x, weight, eps, row)


def rms_norm_backward__weight_at_the_end(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    r = _rms(a, eps)
    z = a / r
    dx = w * (g - z * _row_mean(g * z)) / r
    return _both(x, dx, _over_rows(z * g))


def rms_norm_backward__not_divided_by_the_root(grad_output, x, weight, eps=1e-6):
    def row(gs, xs, ws):
        n = len(xs)
        r = _one_root(xs, eps)
        shared = 0.0
        for i in range(n):
            shared += gs[i] * ws[i] * xs[i] / r / n
        dx = [gs[i] * ws[i] - xs[i] / r * shared for i in range(n)]
        return dx, [gs[i] * xs[i] / r for i in range(n)]

    return _row_by_row(grad_output, x, weight, eps, row)


def rms_norm_backward__divided_by_the_mean_square(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    mean_square = np.einsum("...i,...i->...", a, a)[..., None] / x.shape[-1] + eps
    z = a / mean_square**0.5
    h = w * g
    shared = np.einsum("...i,...i->...", h, z)[..., None] / x.shape[-1]
    return _both(x, (h - z * shared) / mean_square, _over_rows(g * z))


def rms_norm_backward__divided_by_the_norm(grad_output, x, weight, eps=1e-6):
    def row(gs, xs, ws):
        length = math.sqrt(sum(a**2 for a in xs) + eps)
        zs = [a / length for a in xs]
        hs = [g * w for g, w in zip(gs, ws, strict=True)]
        shared = sum(h * z for h, z in zip(hs, zs, strict=True)) / len(zs)
        dx = [(h - z * shared) / length for h, z in zip(hs, zs, strict=True)]
        return dx, [g * z for g, z in zip(gs, zs, strict=True)]

    return _row_by_row(grad_output, x, weight, eps, row)


def rms_norm_backward__eps_outside_the_root(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    inverse = 1 / (np.sqrt(np.mean(np.square(a), axis=-1, keepdims=True)) + eps)
    z = inverse * a
    h = g * w
    return _both(x, inverse * (h - z * np.mean(h * z, axis=-1, keepdims=True)), _over_rows(g * z))


def rms_norm_backward__eps_ignored(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    r = np.linalg.norm(a, axis=-1, keepdims=True) / math.sqrt(x.shape[-1])
    z = a / r
    h = g * w
    return _both(x, h / r - z * np.mean(h * z, axis=-1, keepdims=True) / r, _over_rows(g * z))


def rms_norm_backward__mean_over_the_whole_array(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    r = _rms(a, eps)
    z = a / r
    h = g * w
    return _both(x, (h - z * np.mean(h * z)) / r, _over_rows(g * z))


def _right_dx(g, a, w, eps):
    """dx, and z for the weight's gradient."""
    r = _rms(a, eps)
    z = a / r
    h = g * w
    return (h - z * _row_mean(h * z)) / r, z


def rms_norm_backward__weight_gradient_averaged(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    dx, z = _right_dx(g, a, w, eps)
    return _both(x, dx, (g * z).reshape(-1, x.shape[-1]).mean(axis=0))


def rms_norm_backward__weight_gradient_with_x(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    dx, _ = _right_dx(g, a, w, eps)
    return _both(x, dx, np.einsum("ri,ri->i", *(t.reshape(-1, x.shape[-1]) for t in (g, a))))


def rms_norm_backward__summed_over_one_axis(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    dx, z = _right_dx(g, a, w, eps)
    return _both(x, dx, np.sum(g * z, axis=0))


def rms_norm_backward__weight_gradient_not_summed(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    dx, _ = _right_dx(g, a, w, eps)
    dweight = np.zeros(x.shape)
    for at in np.ndindex(x.shape[:-1]):
        dweight[at] = g[at] * a[at] / _rms(a[at], eps)
    return _both(x, dx, dweight)


def rms_norm_backward__half_precision_sum(grad_output, x, weight, eps=1e-6):
    _three(grad_output, x, weight, eps)
    g, a, w = (b.astype(_kind(b)) for b in (grad_output, x, weight))
    r = np.sqrt(np.mean(a * a, axis=-1, keepdims=True) + eps)
    z = a / r
    h = g * w
    dx = (h - z * np.mean(h * z, axis=-1, keepdims=True)) / r
    return _both(x, dx, _over_rows(g * z))


def rms_norm_backward__shapes_not_compared(grad_output, x, weight, eps=1e-6):
    _for_each_column("weight", weight, x)
    _not_negative(eps)
    dx, z = _right_dx(_wide(grad_output), _wide(x), _wide(weight), eps)
    return _both(x, dx, _over_rows(_wide(grad_output) * z))


def rms_norm_backward__input_overwritten(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    if grad_output.dtype == g.dtype:
        g = grad_output
    r = _rms(a, eps)
    a /= r
    dweight = _over_rows(g * a)
    g *= w
    g -= a * _row_mean(g * a)
    return _both(x, g / r, dweight)


def rms_norm_backward__half_returned_wide(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    dx, z = _right_dx(g, a, w, eps)
    return dx, np.einsum("ri,ri->i", *(t.reshape(-1, x.shape[-1]) for t in (g, z)))


def rms_norm_backward__leading_axes_flattened(grad_output, x, weight, eps=1e-6):
    g, a, w = _three(grad_output, x, weight, eps)
    n = x.shape[-1]
    dx, z = _right_dx(g.reshape(-1, n), a.reshape(-1, n), w, eps)
    return _both(x, dx, (g.reshape(-1, n) * z).sum(axis=0))
