"""Right answers that look different: every one must pass all checks."""

import functools
import itertools
import math

import numpy as np


def _floating(x):
    return x if np.issubdtype(x.dtype, np.floating) else x.astype("float64")


def _wide(x):
    x = _floating(x)
    return x.astype("float32") if x.dtype == np.float16 else x


def _fits(grad_output, x, w):
    if w.ndim != 2 or x.shape[-1] != len(w):
        raise ValueError(f"w does not fit x: shape {w.shape}")
    if grad_output.shape != x.shape[:-1] + w.shape[1:]:
        raise ValueError(f"grad_output has shape {grad_output.shape}")


def linear_backward__einsum(grad_output, x, w):
    _fits(grad_output, x, w)
    g, a, b = _wide(grad_output), _wide(x), _wide(w)
    kind = _floating(grad_output).dtype
    dx = np.einsum("...o,io->...i", g, b)
    dw = np.einsum("bi,bo->io", a.reshape(-1, a.shape[-1]), g.reshape(-1, g.shape[-1]))
    db = np.einsum("bo->o", g.reshape(-1, g.shape[-1]))
    return dx.astype(kind), dw.astype(kind), db.astype(kind)


def linear_backward__tensordot(grad_output, x, w):
    _fits(grad_output, x, w)
    g, a, b = _wide(grad_output), _wide(x), _wide(w)
    kind = _floating(grad_output).dtype
    batch = list(range(g.ndim - 1))
    dx = np.tensordot(g, b, axes=(-1, 1))
    dw = np.tensordot(a, g, axes=(batch, batch))
    return [dx.astype(kind), dw.astype(kind), g.sum(axis=tuple(batch)).astype(kind)]


def linear_backward__bias_as_a_feature(grad_output, x, w):
    _fits(grad_output, x, w)
    g = _wide(grad_output).reshape(-1, w.shape[1])
    a = _wide(x).reshape(-1, x.shape[-1])
    a = np.concatenate([a, np.ones((len(a), 1), a.dtype)], axis=1)
    both = np.dot(a.T, g)
    kind = _floating(grad_output).dtype
    dx = np.dot(_wide(w), g.T).T.reshape(x.shape)
    return dx.astype(kind), both[:-1].astype(kind), both[-1].astype(kind)


def linear_backward__one_row_at_a_time(grad_output, x, w):
    _fits(grad_output, x, w)
    kind = _floating(grad_output).dtype
    g = _wide(grad_output).reshape(-1, w.shape[1]).astype("float64")
    a = _wide(x).reshape(-1, x.shape[-1]).astype("float64")
    dw, db = np.zeros(w.shape), np.zeros(w.shape[1])
    dx = np.zeros(a.shape)
    for i, (row, grad) in enumerate(zip(a, g, strict=True)):
        dw += np.outer(row, grad)
        db += grad
        dx[i] = w @ grad
    return dx.reshape(x.shape).astype(kind), dw.astype(kind), db.astype(kind)


def _two(x, w1, w2):
    for name, w, width in (("w1", w1, x.shape[-1]), ("w2", w2, w1.shape[-1])):
        if w.ndim != 2 or w.shape[0] != width:
            raise ValueError(f"{name}.shape={w.shape} but {width} rows are needed")


def two_layer_forward__keeps_the_mask(x, w1, w2):
    _two(x, w1, w2)
    before = _wide(x) @ _wide(w1)
    mask = before > 0
    y = np.where(mask, before, 0) @ _wide(w2)
    return y.astype(_floating(x).dtype), (mask, before, x, w2, w1)


def two_layer_forward__keeps_next_to_nothing(x, w1, w2):
    _two(x, w1, w2)
    y = np.einsum("...h,ho->...o", (_wide(x) @ _wide(w1)).clip(0), _wide(w2))
    return y.astype(_floating(x).dtype), (x, w1, w2)


def two_layer_forward__in_float64(x, w1, w2):
    _two(x, w1, w2)
    before = x.astype("float64") @ w1.astype("float64")
    hidden = (before + np.abs(before)) / 2
    y = (hidden @ w2.astype("float64")).astype(_floating(x).dtype)
    return y, (hidden.reshape(-1, hidden.shape[-1]), x, w1, w2)


def two_layer_backward__with_a_mask(grad_y, cache):
    x, hidden, w1, w2 = cache
    if grad_y.shape != x.shape[:-1] + (w2.shape[1],):
        raise ValueError(f"grad_y has shape {grad_y.shape}")
    kind = _floating(grad_y).dtype
    g = _wide(grad_y).reshape(-1, w2.shape[1])
    dw2 = np.einsum("bh,bo->ho", hidden, g)
    dh = np.where(hidden > 0, np.einsum("bo,ho->bh", g, w2), 0).astype(g.dtype)
    dw1 = np.einsum("bi,bh->ih", x.reshape(-1, x.shape[-1]), dh)
    dx = np.einsum("bh,ih->bi", dh, w1).reshape(x.shape)
    return [dx.astype(kind), dw1.astype(kind), dw2.astype(kind)]


def two_layer_backward__from_scratch(grad_y, cache):
    x, _, w1, w2 = cache
    expected = (*x.shape[:-1], w2.shape[-1])
    if tuple(grad_y.shape) != expected:
        raise ValueError(f"wanted {expected}, got grad_y of shape {grad_y.shape}")
    before = x.reshape(-1, x.shape[-1]) @ w1
    g = _wide(grad_y).reshape(-1, w2.shape[1])
    dh = np.dot(g, w2.T) * np.heaviside(before, 0).astype(before.dtype)
    parts = (dh @ w1.T).reshape(x.shape), x.reshape(-1, x.shape[-1]).T @ dh, before.clip(0).T @ g
    return tuple(part.astype(_floating(grad_y).dtype) for part in parts)


def two_layer_backward__signs(grad_y, cache):
    x, hidden, w1, w2 = (kept.astype("float64") for kept in cache)
    if grad_y.shape != x.shape[:-1] + w2.shape[1:]:
        raise ValueError(f"grad_y must fit y, not be of shape {grad_y.shape}")
    g = grad_y.astype("float64").reshape(-1, w2.shape[1])
    dh = np.sign(hidden) * (g @ w2.T)
    kind = _floating(grad_y).dtype
    dw1 = np.tensordot(x.reshape(-1, x.shape[-1]), dh, axes=(0, 0))
    return (dh @ w1.T).reshape(x.shape).astype(kind), dw1.astype(kind), (hidden.T @ g).astype(kind)


def accumulate_gradients__divided_at_the_end(grad_fn, batches):
    total, examples = 0, 0
    for batch in batches:
        if batch.shape[0]:
            gradient = grad_fn(batch)
            kind = gradient.dtype
            total = total + _wide(gradient) * len(batch)
            examples += len(batch)
    if not examples:
        raise ValueError("batches hold no example")
    return np.asarray(total / examples).astype(kind)


def accumulate_gradients__running_mean(grad_fn, batches):
    full = [batch for batch in batches if len(batch)]
    if not full:
        raise ValueError(f"no examples in batches={batches}")
    first = grad_fn(full[0])
    mean, seen = _wide(first).astype("float64"), len(full[0])
    for batch in full[1:]:
        seen += len(batch)
        mean += (grad_fn(batch) - mean) * (len(batch) / seen)
    return mean.astype(first.dtype)


def accumulate_gradients__backwards_by_a_fold(grad_fn, batches):
    examples = sum(map(len, batches))
    if examples < 1:
        raise ValueError("batches: at least one example is needed")
    kinds = []

    def add(total, batch):
        gradient = grad_fn(batch)
        kinds[:] = [gradient.dtype]
        return total + np.multiply(_wide(gradient), len(batch) / examples)

    total = functools.reduce(add, (batch for batch in batches[::-1] if len(batch)), 0.0)
    return np.asarray(total, dtype=kinds[0])


def checkpointed_backward__keeps_every_so_many(layers, x, grad_output):
    if not layers:
        return grad_output
    step = math.isqrt(len(layers) - 1) + 1
    kept = {}
    for i, (forward, _) in enumerate(layers):
        if i % step == 0:
            kept[i] = x
        x = forward(x)
    del x
    for start in sorted(kept, reverse=True):
        inputs = {start: kept.pop(start)}
        stop = min(start + step, len(layers))
        for i in range(start, stop - 1):
            inputs[i + 1] = layers[i][0](inputs[i])
        for i in range(stop - 1, start - 1, -1):
            grad_output = layers[i][1](grad_output, inputs.pop(i))
    return grad_output


def checkpointed_backward__by_recursion(layers, x, grad_output):
    step = max(1, math.floor(math.sqrt(len(layers))))

    def through(segment, at, gradient):
        if not segment:
            return gradient
        (forward, backward), *rest = segment
        if rest:
            gradient = through(rest, forward(at), gradient)
        return backward(gradient, at)

    def back(start, at, gradient):
        segment = layers[start : start + step]
        if start + step < len(layers):
            following = at
            for forward, _ in segment:
                following = forward(following)
            gradient = back(start + step, following, gradient)
        return through(segment, at, gradient)

    return back(0, x, grad_output) if layers else grad_output


def checkpointed_backward__unequal_segments(layers, x, grad_output):
    count = math.ceil(math.sqrt(len(layers)))
    bounds = [len(layers) * i // max(1, count) for i in range(count + 1)]
    kept = []
    for start, stop in itertools.pairwise(bounds):
        kept.append(x)
        for i in range(start, stop):
            x = layers[i][0](x)
    for start, stop in reversed(list(itertools.pairwise(bounds))):
        inputs = [kept.pop()]
        inputs.extend(0 for _ in range(stop - start - 1))
        for i in range(start, stop - 1):
            inputs[i - start + 1] = layers[i][0](inputs[i - start])
        while inputs:
            stop -= 1
            grad_output = layers[stop][1](grad_output, inputs.pop())
    return grad_output


def unscale_gradients__times_the_reciprocal(grads, scale):
    if scale <= 0 or math.isnan(scale):
        raise ValueError(f"scale={scale}")
    inverse = 1 / scale
    out = [np.float32(_wide(g) * inverse) if g.ndim else np.asarray(_wide(g) * inverse, "f4")
           for g in grads]  # fmt: skip
    return out, np.asarray(any(not np.all(np.isfinite(g)) for g in out))


def unscale_gradients__all_in_float64(grads, scale):
    if not scale > 0.0:
        raise ValueError(f"scale is {scale}")
    with np.errstate(over="ignore"):
        out = tuple(np.asarray(g.astype("float64") / scale).astype("float32") for g in grads)
    flat = np.concatenate([g.ravel() for g in out] or [np.zeros(0)])
    return out, np.any(np.isinf(flat) | np.isnan(flat))


def unscale_gradients__by_the_largest(grads, scale):
    if not scale > 0:
        raise ValueError(f"a scale={scale} cannot be undone")
    out = [np.divide(_wide(g), scale).astype("float32") for g in grads]
    largest = [np.abs(g).max(initial=0) for g in out]
    return out, bool(not np.isfinite(largest).all())


def update_loss_scale__by_factors(scale, found_inf, good_steps, growth_interval=2000):
    for name, value, bad in (
        ("scale", scale, not scale > 0),
        ("good_steps", good_steps, good_steps < 0),
        ("growth_interval", growth_interval, growth_interval <= 0),
    ):
        if bad:
            raise ValueError(f"{name}={value}")
    good = (good_steps + 1) * (1 - int(bool(found_inf)))
    grown = good == growth_interval
    return float(scale * 2.0 ** (grown - bool(found_inf))), int(good % growth_interval)


def update_loss_scale__one_return(scale, found_inf, good_steps, growth_interval=2000):
    if not (scale > 0 and good_steps >= 0 and growth_interval > 0):
        raise ValueError(
            f"scale={scale}, good_steps={good_steps} and growth_interval={growth_interval}"
        )
    overflow = bool(np.any(np.asarray(found_inf)))
    due = good_steps + 1 >= growth_interval
    return (0.5 * scale if overflow else 2.0 * scale if due else scale), (
        0 if overflow or due else good_steps + 1
    )


def update_loss_scale__list(scale, found_inf, good_steps, growth_interval=2000):
    if math.isnan(scale) or scale <= 0:
        raise ValueError(f"the scale {scale} is not above 0")
    if good_steps < 0 or growth_interval < 1:
        raise ValueError(f"good_steps {good_steps}, growth_interval {growth_interval}")
    steps = good_steps + 1
    if not found_inf:
        if steps < growth_interval:
            return [scale, steps]
        return [scale + scale, 0]
    return [math.ldexp(scale, -1), 0]
