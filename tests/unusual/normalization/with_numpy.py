"""Right answers that look different: every one must pass all checks."""

import math
import statistics

import numpy as np
import scipy.special


def _floating(x):
    return x if np.issubdtype(x.dtype, np.floating) else x.astype("float64")


def _wide(x):
    x = _floating(x)
    return x.astype("float32") if x.dtype == np.float16 else x


def _same_width(x, **arrays):
    for name, array in arrays.items():
        if array.shape != (x.shape[-1],):
            raise ValueError(f"{name}: shape {array.shape} is not ({x.shape[-1]},)")


def _not_negative(eps):
    if eps < 0:
        raise ValueError(f"eps={eps} is negative")


def _alike(grad_output, x):
    if grad_output.shape != x.shape:
        raise ValueError(f"grad_output has shape {grad_output.shape}, x has {x.shape}")


def layer_norm__mean_and_var(x, weight, bias, eps=1e-5):
    _same_width(x, weight=weight, bias=bias)
    _not_negative(eps)
    wide = _wide(x)
    mean, var = wide.mean(-1, keepdims=True), wide.var(-1, keepdims=True)
    y = weight * ((wide - mean) / np.sqrt(var + eps)) + bias
    return y.astype(_floating(x).dtype)


def layer_norm__everything_in_float64(x, weight, bias, eps=1e-5):
    _same_width(x, weight=weight, bias=bias)
    _not_negative(eps)
    wide = np.asarray(x, "float64")
    wide = wide - (np.ones(x.shape[-1]) @ wide[..., None] / x.shape[-1])
    wide = wide * (np.einsum("...i,...i->...", wide, wide)[..., None] / x.shape[-1] + eps) ** -0.5
    return (wide * weight + bias).astype(_floating(x).dtype)


def layer_norm__python_loop(x, weight, bias, eps=1e-5):
    _same_width(x, weight=weight, bias=bias)
    _not_negative(eps)
    out = np.empty(x.shape, _floating(x).dtype)
    for place in np.ndindex(x.shape[:-1]):
        row = [float(number) for number in x[place]]
        mean = math.fsum(row) / len(row)
        deviation = math.sqrt(math.fsum((number - mean) ** 2 for number in row) / len(row) + eps)
        for i, number in enumerate(row):
            out[(*place, i)] = (number - mean) / deviation * float(weight[i]) + float(bias[i])
    return out


def layer_norm__by_welford(x, weight, bias, eps=1e-5):
    """One pass that keeps its digits: mean and sum of squares are updated together."""
    _same_width(x, weight=weight, bias=bias)
    _not_negative(eps)
    columns = np.moveaxis(_wide(x), -1, 0)
    mean = np.zeros(x.shape[:-1], columns.dtype)
    squares = np.zeros_like(mean)
    for count, column in enumerate(columns, 1):
        away = column - mean
        mean = mean + away / count
        squares = squares + away * (column - mean)
    scale = 1 / np.sqrt(squares / x.shape[-1] + eps)
    y = (columns - mean) * scale
    return (np.moveaxis(y, 0, -1) * weight + bias).astype(_floating(x).dtype)


def layer_norm__as_a_matrix(x, weight, bias, eps=1e-5):
    """Taking out the mean is a product with I - 1/n."""
    _same_width(x, weight=weight, bias=bias)
    _not_negative(eps)
    n = x.shape[-1]
    wide = _wide(x)
    if n > 500:
        return layer_norm__mean_and_var(x, weight, bias, eps)
    centred = wide @ (np.eye(n) - 1 / n).astype(wide.dtype)
    root = np.hypot(np.linalg.norm(centred, axis=-1, keepdims=True) / n**0.5, eps**0.5)
    return (centred / root * weight + bias).astype(_floating(x).dtype)


def layer_norm_backward__jacobian(grad_output, x, weight, eps=1e-5):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)
    dtype = _floating(x).dtype
    n = x.shape[-1]
    if n > 500:
        return layer_norm_backward__one_formula(grad_output, x, weight, eps)
    x, g, weight = _wide(x), _wide(grad_output), _wide(weight)
    centred = x - x.mean(-1, keepdims=True)
    s = np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    z = centred / s
    jacobian = (np.eye(n) - 1 / n - z[..., :, None] * z[..., None, :] / n) / s[..., None]
    dx = ((g * weight)[..., None, :] @ jacobian)[..., 0, :]
    axes = tuple(range(x.ndim - 1))
    return dx.astype(dtype), (g * z).sum(axes).astype(dtype), g.sum(axes).astype(dtype)


def layer_norm_backward__one_formula(grad_output, x, weight, eps=1e-5):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)
    dtype = _floating(x).dtype
    x, g = _wide(x), _wide(grad_output)
    n = x.shape[-1]
    s = np.sqrt(x.var(-1, keepdims=True) + eps)
    z = (x - x.mean(-1, keepdims=True)) / s
    h = g * weight
    dx = (n * h - h.sum(-1, keepdims=True) - z * (h * z).sum(-1, keepdims=True)) / (n * s)
    axes = tuple(range(x.ndim - 1))
    return [dx.astype(dtype), (g * z).sum(axes).astype(dtype), g.sum(axes).astype(dtype)]


def layer_norm_backward__everything_in_float64(grad_output, x, weight, eps=1e-5):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)
    dtype = _floating(x).dtype
    n = x.shape[-1]
    g, wide = grad_output.astype("float64"), x.astype("float64")
    c = wide - wide.mean(-1, keepdims=True)
    r = 1 / np.sqrt((c * c).mean(-1, keepdims=True) + eps)
    h = g * weight
    dx = r * (h - h.mean(-1, keepdims=True)) - r**3 * c * (h * c).mean(-1, keepdims=True)
    dweight, dbias = (a.reshape(-1, n).sum(0) for a in (g * c * r, g))
    return tuple(a.astype(dtype) for a in (dx, dweight, dbias))


def rms_norm__norm(x, weight, eps=1e-6):
    _same_width(x, weight=weight)
    _not_negative(eps)
    wide = _wide(x)
    length = np.linalg.norm(wide, axis=-1, keepdims=True) / x.shape[-1] ** 0.5
    return (wide / np.hypot(length, eps**0.5) * weight).astype(_floating(x).dtype)


def rms_norm__rounded_before_the_weight(x, weight, eps=1e-6):
    """As Llama does it: back to half, and then times the weight."""
    _same_width(x, weight=weight)
    _not_negative(eps)
    wide = _wide(x)
    y = wide * (1 / np.sqrt(np.square(wide).mean(-1, keepdims=True) + eps))
    return (y.astype(_floating(x).dtype) * weight).astype(_floating(x).dtype)


def rms_norm__python_loop(x, weight, eps=1e-6):
    _same_width(x, weight=weight)
    _not_negative(eps)
    out = np.zeros(x.shape, _floating(x).dtype)
    for place in np.ndindex(x.shape[:-1]):
        row = [float(number) for number in x[place]]
        root = math.sqrt(math.fsum(number**2 for number in row) / len(row) + eps)
        out[place] = [number / root * float(w) for number, w in zip(row, weight, strict=True)]
    return out


def rms_norm_backward__jacobian(grad_output, x, weight, eps=1e-6):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)
    dtype = _floating(x).dtype
    n = x.shape[-1]
    if n > 500:
        return rms_norm_backward__of_cubes(grad_output, x, weight, eps)
    x, g, weight = _wide(x), _wide(grad_output), _wide(weight)
    r = np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    z = x / r
    jacobian = (np.eye(n) - z[..., :, None] * z[..., None, :] / n) / r[..., None]
    dx = np.einsum("...i,...ij->...j", g * weight, jacobian)
    return dx.astype(dtype), (g * z).sum(tuple(range(x.ndim - 1))).astype(dtype)


def rms_norm_backward__of_cubes(grad_output, x, weight, eps=1e-6):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)
    dtype = _floating(x).dtype
    x, g = x.astype("float64"), grad_output.astype("float64")
    r = (np.square(x).mean(-1, keepdims=True) + eps) ** -0.5
    h = g * weight
    dx = h * r - x * (h * x).mean(-1, keepdims=True) * r**3
    dweight = (g * x * r).reshape(-1, x.shape[-1]).sum(0)
    return dx.astype(dtype), dweight.astype(dtype)


def rms_norm_backward__row_by_row(grad_output, x, weight, eps=1e-6):
    _alike(grad_output, x)
    _same_width(x, weight=weight)
    _not_negative(eps)
    dtype = _floating(x).dtype
    dx = np.zeros(x.shape, dtype)
    dweight = np.zeros(weight.shape, _wide(x).dtype)
    for place in np.ndindex(x.shape[:-1]):
        row, g = _wide(x)[place], _wide(grad_output)[place]
        r = np.sqrt(row @ row / len(row) + row.dtype.type(eps))
        z, h = row / r, g * weight
        dx[place] = (h - z * (h @ z) / len(row)) / r
        dweight += g * z
    return dx, dweight.astype(dtype)


def pre_norm_block__by_hand(x, sublayer, weight, bias):
    _same_width(x, weight=weight, bias=bias)
    wide = _wide(x)
    z = (wide - wide.mean(-1, keepdims=True)) / np.sqrt(wide.var(-1, keepdims=True) + 1e-5)
    normed = (z * weight + bias).astype(_floating(x).dtype)
    return (_wide(sublayer(normed)) + wide).astype(_floating(x).dtype)


def pre_norm_block__added_in_place(x, sublayer, weight, bias):
    out = _floating(x).copy()
    out += sublayer(layer_norm__mean_and_var(x, weight, bias))
    return out


def pre_norm_block__in_float64(x, sublayer, weight, bias):
    normed = layer_norm__everything_in_float64(x, weight, bias)
    return (x.astype("float64") + sublayer(normed)).astype(_floating(x).dtype)


def pre_norm_block_backward__jacobian(grad_output, x, sublayer_vjp, weight, bias):
    _alike(grad_output, x)
    normed = layer_norm__mean_and_var(x, weight, bias)
    g = grad_output.astype(normed.dtype)
    at_normed = _wide(sublayer_vjp(normed, g))
    dx = layer_norm_backward__jacobian(at_normed, _wide(x), weight)[0]
    return (dx + g).astype(normed.dtype)


def pre_norm_block_backward__in_place(grad_output, x, sublayer_vjp, weight, bias):
    _alike(grad_output, x)
    dtype = _floating(x).dtype
    out = grad_output.astype(dtype)
    normed = layer_norm__python_loop(x, weight, bias)
    inner = sublayer_vjp(normed, out.copy())
    out += layer_norm_backward__one_formula(inner.astype(dtype), x, weight)[0]
    return out


def pre_norm_block_backward__in_float64(grad_output, x, sublayer_vjp, weight, bias):
    _alike(grad_output, x)
    dtype = _floating(x).dtype
    normed = layer_norm__everything_in_float64(x, weight, bias)
    inner = sublayer_vjp(normed, grad_output.astype(dtype)).astype("float64")
    dx = layer_norm_backward__everything_in_float64(inner, x.astype("float64"), weight)[0]
    return (grad_output + dx).astype(dtype)


def post_norm_block__by_hand(x, sublayer, weight, bias):
    _same_width(x, weight=weight, bias=bias)
    total = np.add(_wide(x), _wide(sublayer(_floating(x))))
    total -= total.mean(-1, keepdims=True)
    total /= np.sqrt(np.square(total).mean(-1, keepdims=True) + 1e-5)
    return (total * weight + bias).astype(_floating(x).dtype)


def post_norm_block__in_float64(x, sublayer, weight, bias):
    _same_width(x, weight=weight, bias=bias)
    total = sublayer(_floating(x).copy()).astype("float64") + x
    return layer_norm__everything_in_float64(total, weight, bias).astype(_floating(x).dtype)


def post_norm_block__python_loop(x, sublayer, weight, bias):
    _same_width(x, weight=weight, bias=bias)
    total = _wide(x) + sublayer(_floating(x))
    return layer_norm__python_loop(total, weight, bias).astype(_floating(x).dtype)


_SHAPES = {
    "norm1_weight": "d", "norm1_bias": "d", "w_q": "dd", "w_k": "dd", "w_v": "dd", "w_o": "dd",
    "norm2_weight": "d", "norm2_bias": "d", "w1": "dh", "b1": "h", "w2": "hd", "b2": "d",
}  # fmt: skip


def _checked(x, params, num_heads, mask):
    d = x.shape[-1]
    for name, letters in _SHAPES.items():
        shape = tuple({"d": d, "h": 4 * d}[letter] for letter in letters)
        if name not in params:
            raise ValueError(f"{name} is not in params")
        if params[name].shape != shape:
            raise ValueError(f"{name} is {params[name].shape}, not {shape}")
    if num_heads <= 0 or d % num_heads != 0:
        raise ValueError(f"num_heads={num_heads} does not divide {d}")
    whole = (*x.shape[:-1], x.shape[-2])
    if mask is None:
        return np.ones(whole, bool)
    if mask.dtype != np.bool_:
        raise ValueError(f"mask is of dtype {mask.dtype}")
    try:
        return np.broadcast_to(mask, whole)
    except ValueError:
        raise ValueError(f"mask of shape {mask.shape} does not fit") from None


def _soft(scores, keep):
    scores = np.where(keep, scores, -np.inf)
    top = scores.max(-1, keepdims=True, initial=-np.finfo(scores.dtype).max)
    e = np.exp(scores - top)
    return e / np.maximum(e.sum(-1, keepdims=True), np.finfo(scores.dtype).tiny)


def transformer_block__a_loop_over_heads(x, params, num_heads, mask=None):
    keep = _checked(x, params, num_heads, mask)
    p = {name: _wide(value) for name, value in params.items()}
    wide = _wide(x)
    normed = layer_norm__mean_and_var(wide, p["norm1_weight"], p["norm1_bias"])
    for head in np.split(np.arange(x.shape[-1]), num_heads):
        q, k, v = (normed @ p[w][:, head] for w in ("w_q", "w_k", "w_v"))
        weights = _soft(
            np.einsum("...ic,...jc->...ij", q, k) / np.sqrt(q.dtype.type(len(head))), keep
        )
        wide = wide + weights @ v @ p["w_o"][head]
    normed = layer_norm__mean_and_var(wide, p["norm2_weight"], p["norm2_bias"])
    u = normed @ p["w1"] + p["b1"]
    hidden = u * scipy.special.ndtr(u)
    return (wide + hidden @ p["w2"] + p["b2"]).astype(_floating(x).dtype)


def transformer_block__everything_in_float64(x, params, num_heads, mask=None):
    keep = _checked(x, params, num_heads, mask)
    p = {name: np.asarray(value, "float64") for name, value in params.items()}
    *lead, n, d = x.shape
    h = x.astype("float64")
    z = layer_norm__everything_in_float64(h, p["norm1_weight"], p["norm1_bias"])
    stacked = z @ np.concatenate([p["w_q"], p["w_k"], p["w_v"]], axis=1)
    stacked = stacked.reshape(*lead, n, 3, num_heads, d // num_heads)
    q, k, v = np.moveaxis(stacked, -3, 0)
    scores = np.einsum("...ihc,...jhc->...hij", q, k) * (d / num_heads) ** -0.5
    heads = np.einsum("...hij,...jhc->...ihc", _soft(scores, keep[..., None, :, :]), v)
    h = h + heads.reshape(x.shape) @ p["w_o"]
    z = layer_norm__everything_in_float64(h, p["norm2_weight"], p["norm2_bias"])
    u = z @ p["w1"] + p["b1"]
    u = 0.5 * u * scipy.special.erfc(-u / math.sqrt(2))
    return (h + u @ p["w2"] + p["b2"]).astype(_floating(x).dtype)


def transformer_block__erf_of_the_standard_library(x, params, num_heads, mask=None):
    keep = _checked(x, params, num_heads, mask)
    p = {name: _wide(value) for name, value in params.items()}
    normal = np.vectorize(statistics.NormalDist().cdf, otypes=["float64"])

    def attention(z):
        shape = (*z.shape[:-1], num_heads, -1)
        q, k, v = (np.moveaxis((z @ p[w]).reshape(shape), -2, 0) for w in ("w_q", "w_k", "w_v"))
        scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
        return np.concatenate(list(_soft(scores, keep) @ v), axis=-1) @ p["w_o"]

    def feed_forward(z):
        u = z @ p["w1"] + p["b1"]
        return (u * normal(u)).astype(u.dtype) @ p["w2"] + p["b2"]

    if x.size == 0:
        return _floating(x).copy()
    h = pre_norm_block__added_in_place(_wide(x), attention, p["norm1_weight"], p["norm1_bias"])
    h = pre_norm_block__added_in_place(h, feed_forward, p["norm2_weight"], p["norm2_bias"])
    return h.astype(_floating(x).dtype)
