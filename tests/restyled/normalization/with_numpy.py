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


# post_norm_block


def _block(x, sublayer, weight, bias):
    """x and what the sublayer gives, both wide, and the scale and shift."""
    _for_each_column("weight", weight, x)
    _for_each_column("bias", bias, x)
    change = sublayer(x.astype(_kind(x)))
    return _wide(x), _wide(change), _wide(weight), _wide(bias)


def _normed(t, scale, shift, eps=1e-5):
    centred = t - np.mean(t, axis=-1, keepdims=True)
    deviation = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + eps)
    return centred / deviation * scale + shift


def _normed_by_hand(t, scale, shift, eps=1e-5):
    out = np.empty_like(t)
    for at in np.ndindex(t.shape[:-1]):
        row = [float(a) for a in t[at]]
        middle = math.fsum(row) / len(row)
        spread = math.fsum((a - middle) ** 2 for a in row) / len(row)
        out[at] = [(a - middle) / math.sqrt(spread + eps) for a in row]
    return np.einsum("...i,i->...i", out, scale) + shift


def post_norm_block__residual_forgotten(x, sublayer, weight, bias):
    _, change, w, b = _block(x, sublayer, weight, bias)
    return _normed_by_hand(change, w, b).astype(_kind(x))


def post_norm_block__normalized_before(x, sublayer, weight, bias):
    _for_each_column("weight", weight, x)
    _for_each_column("bias", bias, x)
    z = _wide(x)
    before = _normed_by_hand(z, _wide(weight), _wide(bias))
    change = sublayer(before.astype(_kind(x)))
    return (z + change).astype(_kind(x))


def post_norm_block__normalized_twice(x, sublayer, weight, bias):
    _for_each_column("weight", weight, x)
    _for_each_column("bias", bias, x)
    z, w, b = (_wide(a) for a in (x, weight, bias))
    total = z + sublayer(_normed(z, w, b).astype(_kind(x)))
    return _normed(total, w, b).astype(_kind(x))


def post_norm_block__only_the_change_normalized(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    return np.add(_normed_by_hand(change, w, b), z).astype(_kind(x))


def post_norm_block__not_normalized(x, sublayer, weight, bias):
    z, change, _, _ = _block(x, sublayer, weight, bias)
    return (change + z).astype(_kind(x))


def post_norm_block__residual_added_again(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    out = _normed(z + change, w, b)
    out += z
    return out.astype(_kind(x))


def post_norm_block__weight_and_bias_left_out(x, sublayer, weight, bias):
    z, change, _, _ = _block(x, sublayer, weight, bias)
    total = z + change
    centred = total - np.einsum("...i->...", total)[..., None] / x.shape[-1]
    spread = np.einsum("...i,...i->...", centred, centred) / x.shape[-1]
    return (centred / np.sqrt(spread + 1e-5)[..., None]).astype(_kind(x))


def post_norm_block__root_mean_square(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    total = z + change
    return (total / _rms(total, 1e-6) * w + b).astype(_kind(x))


def post_norm_block__change_subtracted(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    return _normed_by_hand(z - change, w, b).astype(_kind(x))


def post_norm_block__sublayer_called_twice(x, sublayer, weight, bias):
    given = x.astype(_kind(x))
    if sublayer(given).shape != x.shape:
        raise ValueError(f"sublayer does not keep the shape {x.shape}")
    z, change, w, b = _block(x, sublayer, weight, bias)
    return _normed(z + change, w, b).astype(_kind(x))


def post_norm_block__applied_twice(x, sublayer, weight, bias):
    def two_layers(t):
        for _ in range(2):
            t = sublayer(t)
        return t

    z, change, w, b = _block(x, two_layers, weight, bias)
    return _normed_by_hand(z + change, w, b).astype(_kind(x))


def post_norm_block__sublayer_in_float32(x, sublayer, weight, bias):
    _for_each_column("weight", weight, x)
    _for_each_column("bias", bias, x)
    total = _wide(x) + sublayer(x.astype(np.float32))
    return _normed(total, _wide(weight), _wide(bias)).astype(_kind(x))


def post_norm_block__added_in_half(x, sublayer, weight, bias):
    _for_each_column("weight", weight, x)
    _for_each_column("bias", bias, x)
    given = x.astype(_kind(x))
    total = _wide(np.add(given, sublayer(given)))
    return _normed(total, _wide(weight), _wide(bias)).astype(_kind(x))


def post_norm_block__one_pass_variance(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    total = z + change
    n = x.shape[-1]
    first = np.einsum("...i->...", total)[..., None] / n
    second = np.einsum("...i,...i->...", total, total)[..., None] / n
    return ((total - first) / np.sqrt(second - first**2 + 1e-5) * w + b).astype(_kind(x))


def post_norm_block__eps_ignored(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    total = z + change
    spread = np.std(total, axis=-1, keepdims=True)
    return ((total - total.mean(axis=-1, keepdims=True)) / spread * w + b).astype(_kind(x))


def post_norm_block__eps_of_rms_norm(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    return _normed_by_hand(z + change, w, b, eps=1e-6).astype(_kind(x))


def post_norm_block__always_float64(x, sublayer, weight, bias):
    z, change, w, b = _block(x, sublayer, weight, bias)
    return _normed(z.astype(float) + change, w, b)


def post_norm_block__memory_order(x, sublayer, weight, bias):
    z, change, w, b = _block(x.ravel(order="K").reshape(x.shape), sublayer, weight, bias)
    return _normed(z + change, w, b).astype(_kind(x))


def post_norm_block__refusals_forgotten(x, sublayer, weight, bias):
    total = _wide(x) + sublayer(x.astype(_kind(x)))
    return _normed(total, _wide(weight), _wide(bias)).astype(_kind(x))
