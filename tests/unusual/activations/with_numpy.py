"""Right answers that look different: every one must pass all checks."""

import math

import numpy as np
import scipy.special


def _floating(x):
    return x if np.issubdtype(x.dtype, np.floating) else x.astype("float64")


def _wide(x):
    x = _floating(x)
    return x.astype("float32") if x.dtype == np.float16 else x


def _same_shape(g, x):
    if np.shape(g) != np.shape(x):
        raise ValueError(f"grad_output has shape {g.shape}, x has {x.shape}")


def _one_by_one(function, x):
    """A Python loop over numbers, for any shape."""
    x = _floating(x)
    numbers = [function(float(number)) for number in x.ravel()]
    return np.array(numbers, np.float64).reshape(x.shape).astype(x.dtype)


def relu__where(x):
    return np.where(_floating(x) < 0, _floating(x).dtype.type(0), _floating(x))


def relu__masked_copy(x):
    out = np.array(_floating(x))
    out[out < 0] = 0
    return out


def relu__half_of_a_sum(x):
    x = _floating(x)
    with np.errstate(over="ignore", invalid="ignore"):
        halves = x / 2 + np.abs(x) / 2
    return np.where(np.isneginf(x), 0, halves).astype(x.dtype)


def relu__clip(x):
    return np.clip(_floating(x), 0, None)


def relu_backward__where(grad_output, x):
    _same_shape(grad_output, x)
    return np.where(x > 0, grad_output, 0).astype(_floating(x).dtype)


def relu_backward__heaviside(grad_output, x):
    _same_shape(grad_output, x)
    return _floating(grad_output) * np.heaviside(_floating(x), 0)


def relu_backward__masked_assignment(grad_output, x):
    _same_shape(grad_output, x)
    out = np.zeros(x.shape, _floating(x).dtype)
    out[x > 0] = grad_output[x > 0]
    return out


def tanh__library(x):
    return np.tanh(_floating(x))


def tanh__sign_and_size(x):
    z = np.expm1(-2 * np.abs(_wide(x)))
    return (np.sign(_wide(x)) * -z / (2 + z)).astype(_floating(x).dtype)


def tanh__python_loop(x):
    return _one_by_one(math.tanh, x)


def tanh__series_where_tiny(x):
    z = _wide(x)
    a = np.minimum(np.abs(z), 30)
    plain = (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))
    series = a * (1 - a**2 / 3 + 2 * a**4 / 15 - 17 * a**6 / 315 + 62 * a**8 / 2835)
    out = np.copysign(np.where(a < 0.02, series, plain), z)
    return out.astype(_floating(x).dtype)


def tanh_backward__through_the_output(grad_output, x):
    _same_shape(grad_output, x)
    y = np.tanh(_wide(x))
    return (_wide(grad_output) * (1 - y**2)).astype(_floating(x).dtype)


def tanh_backward__one_over_cosh(grad_output, x):
    _same_shape(grad_output, x)
    with np.errstate(over="ignore"):
        return (_wide(grad_output) / np.cosh(_wide(x)) ** 2).astype(_floating(x).dtype)


def tanh_backward__two_factors(grad_output, x):
    _same_shape(grad_output, x)
    y = np.tanh(np.asarray(x, np.float64))
    return (grad_output * ((1 - y) * (1 + y))).astype(_floating(x).dtype)


def sigmoid__scipy(x):
    return scipy.special.expit(_wide(x)).astype(_floating(x).dtype)


def sigmoid__through_tanh(x):
    return (0.5 * np.tanh(0.5 * _wide(x)) + 0.5).astype(_floating(x).dtype)


def sigmoid__two_masks(x):
    z = _wide(x)
    out = np.full_like(z, np.nan)
    up, down = z >= 0, z < 0
    out[up] = 1 / (1 + np.exp(-z[up]))
    out[down] = np.exp(z[down]) / (1 + np.exp(z[down]))
    return out.astype(_floating(x).dtype)


def sigmoid__overflow_silenced(x):
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-_wide(x)))).astype(_floating(x).dtype)


def sigmoid__logaddexp(x):
    return np.exp(-np.logaddexp(0, -_wide(x))).astype(_floating(x).dtype)


def sigmoid_backward__through_the_output(grad_output, x):
    _same_shape(grad_output, x)
    s = scipy.special.expit(_wide(x))
    return (_wide(grad_output) * s * (1 - s)).astype(_floating(x).dtype)


def sigmoid_backward__both_sides(grad_output, x):
    _same_shape(grad_output, x)
    product = scipy.special.expit(_wide(x)) * scipy.special.expit(-_wide(x))
    return (product * _wide(grad_output)).astype(_floating(x).dtype)


def sigmoid_backward__one_over_cosh(grad_output, x):
    _same_shape(grad_output, x)
    with np.errstate(over="ignore"):
        slope = 1 / (2 + 2 * np.cosh(_wide(x)))
    return (_wide(grad_output) * slope).astype(_floating(x).dtype)


def gelu__python_erf(x):
    return _one_by_one(lambda number: 0.5 * number * (1 + math.erf(number / math.sqrt(2))), x)


def gelu__vectorized_erfc(x):
    z = _wide(x)
    if z.size == 0:
        return _floating(x).copy()
    return (0.5 * z * np.vectorize(math.erfc)(-z / math.sqrt(2))).astype(_floating(x).dtype)


def gelu__scipy_ndtr(x):
    return (_wide(x) * scipy.special.ndtr(_wide(x))).astype(_floating(x).dtype)


def gelu__scipy_erf(x):
    z = _wide(x)
    root = z.dtype.type(math.sqrt(2))
    return (z * (1 + scipy.special.erf(z / root)) / 2).astype(_floating(x).dtype)


def gelu_backward__scipy(grad_output, x):
    _same_shape(grad_output, x)
    z = _wide(x)
    density = np.exp(-(z**2) / 2) / np.sqrt(z.dtype.type(2 * math.pi))
    return (_wide(grad_output) * (scipy.special.ndtr(z) + z * density)).astype(_floating(x).dtype)


def gelu_backward__python_loop(grad_output, x):
    _same_shape(grad_output, x)

    def slope(number):
        below = math.erfc(-number / math.sqrt(2)) / 2
        return below + number * math.exp(-number * number / 2) / math.sqrt(2 * math.pi)

    return (_wide(grad_output) * _one_by_one(slope, _wide(x))).astype(_floating(x).dtype)


def gelu_backward__in_two_products(grad_output, x):
    _same_shape(grad_output, x)
    g, z = np.asarray(grad_output, np.float64), np.asarray(x, np.float64)
    first = g * 0.5 * (1 + scipy.special.erf(z / math.sqrt(2)))
    second = g * z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return (first + second).astype(_floating(x).dtype)


def gelu_tanh__cube(x):
    z = _wide(x)
    inner = math.sqrt(2 / math.pi) * (z + 0.044715 * np.power(z, 3))
    return (0.5 * z * (1 + np.tanh(inner))).astype(_floating(x).dtype)


def gelu_tanh__through_the_sigmoid(x):
    z = _wide(x)
    inner = 2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)
    return (z * scipy.special.expit(inner)).astype(_floating(x).dtype)


def gelu_tanh__everything_in_float64(x):
    z = np.asarray(x, np.float64)
    gate = 1 + np.tanh(0.7978845608028654 * z * (1 + 0.044715 * z**2))
    return (z * gate / 2).astype(_floating(x).dtype)


def silu__scipy(x):
    return (_wide(x) * scipy.special.expit(_wide(x))).astype(_floating(x).dtype)


def silu__through_tanh(x):
    half = _wide(x) / 2
    return (half + half * np.tanh(half)).astype(_floating(x).dtype)


def silu__plain_with_overflow(x):
    return (_wide(x) / (1 + np.exp(-_wide(x)))).astype(_floating(x).dtype)


def silu_backward__value_and_gate(grad_output, x):
    _same_shape(grad_output, x)
    s = scipy.special.expit(_wide(x))
    y = _wide(x) * s
    return (_wide(grad_output) * (y + s * (1 - y))).astype(_floating(x).dtype)


def silu_backward__both_sides(grad_output, x):
    _same_shape(grad_output, x)
    z = _wide(x)
    up, down = scipy.special.expit(z), scipy.special.expit(-z)
    return (_wide(grad_output) * (up + z * up * down)).astype(_floating(x).dtype)


def silu_backward__python_loop(grad_output, x):
    _same_shape(grad_output, x)

    def slope(number):
        s = 0.5 + 0.5 * math.tanh(number / 2)
        return s * (1 + number * (1 - s))

    return (_wide(grad_output) * _one_by_one(slope, _wide(x))).astype(_floating(x).dtype)


def _fits(x, w_gate, w_up, w_down):
    if x.ndim < 1:
        raise ValueError(f"x is a single number, shape {x.shape}")
    if w_gate.ndim != 2 or len(w_gate) != x.shape[-1]:
        raise ValueError(f"w_gate has shape {w_gate.shape}, x has {x.shape}")
    if w_up.shape != w_gate.shape:
        raise ValueError(f"w_up has shape {w_up.shape}, w_gate {w_gate.shape}")
    if w_down.shape != w_gate.T.shape:
        raise ValueError(f"w_down has shape {w_down.shape}, w_gate {w_gate.shape}")


def swiglu__both_projections_at_once(x, w_gate, w_up, w_down):
    _fits(x, w_gate, w_up, w_down)
    both = _wide(x) @ np.concatenate([_wide(w_gate), _wide(w_up)], axis=1)
    gate, up = np.split(both, 2, axis=-1)
    out = gate * scipy.special.expit(gate) * up @ _wide(w_down)
    return out.astype(_floating(x).dtype)


def swiglu__einsum(x, w_gate, w_up, w_down):
    _fits(x, w_gate, w_up, w_down)
    gate = np.einsum("...d,df->...f", _wide(x), _wide(w_gate))
    up = np.einsum("...d,df->...f", _wide(x), _wide(w_up))
    half = gate / 2
    out = np.einsum("...f,fd->...d", (half + half * np.tanh(half)) * up, _wide(w_down))
    return out.astype(_floating(x).dtype)


def swiglu__unit_by_unit(x, w_gate, w_up, w_down):
    _fits(x, w_gate, w_up, w_down)
    out = np.zeros(x.shape, _wide(x).dtype)
    for gate, up, down in zip(w_gate.T, w_up.T, w_down, strict=True):
        score = (_wide(x) * _wide(gate)).sum(axis=-1)
        carried = (_wide(x) * _wide(up)).sum(axis=-1)
        opened = score * scipy.special.expit(score) * carried
        out = out + opened[..., None] * _wide(down)
    return out.astype(_floating(x).dtype)


def gradient_through_depth__power(derivative, x, depth):
    if not depth >= 0:
        raise ValueError(f"depth={depth} is below 0")
    x = _floating(x)
    if depth == 0:
        return np.ones(x.shape, x.dtype)
    with np.errstate(over="ignore"):
        return (_wide(derivative(x)) ** depth).astype(x.dtype)


def gradient_through_depth__asked_in_every_layer(derivative, x, depth):
    if not depth >= 0:
        raise ValueError(f"depth={depth} is below 0")
    x = _floating(x)
    left = np.ones_like(_wide(x))
    for _ in range(depth):
        with np.errstate(over="ignore"):
            left = left * _wide(derivative(x))
    with np.errstate(over="ignore"):
        return left.astype(x.dtype)


def gradient_through_depth__squaring(derivative, x, depth):
    if not depth >= 0:
        raise ValueError(f"depth={depth} is below 0")
    x = _floating(x)
    left = np.ones_like(_wide(x))
    power = _wide(derivative(x)) if depth else left
    with np.errstate(over="ignore"):
        while depth:
            if depth % 2:
                left = left * power
            power, depth = power * power, depth // 2
        return left.astype(x.dtype)


def gradient_through_depth__stacked_product(derivative, x, depth):
    if not depth >= 0:
        raise ValueError(f"depth={depth} is below 0")
    x = _floating(x)
    layers = [_wide(derivative(x))] * depth or [np.ones_like(_wide(x))]
    with np.errstate(over="ignore"):
        return np.prod(np.stack(layers), axis=0).astype(x.dtype)


def _some_units(x):
    if x.shape in ((), (0,)) or x.shape[-1] < 1:
        raise ValueError(f"pre_activations has no units: shape {x.shape}")


def dead_fraction__maximum_from_nothing(pre_activations):
    _some_units(pre_activations)
    x = _floating(pre_activations)
    top = x.max(axis=tuple(range(x.ndim - 1)), initial=-np.inf)
    return np.asarray((top <= 0).mean(), x.dtype)


def dead_fraction__python_loop(pre_activations):
    _some_units(pre_activations)
    n = pre_activations.shape[-1]
    dead = sum(not any(v > 0 for v in pre_activations[..., i].ravel()) for i in range(n))
    return np.array(dead / n).astype(_floating(pre_activations).dtype)


def dead_fraction__through_relu(pre_activations):
    _some_units(pre_activations)
    rows = pre_activations.reshape(-1, pre_activations.shape[-1])
    fired = np.count_nonzero(np.maximum(rows, 0), axis=0)
    return _floating(rows).dtype.type(np.count_nonzero(fired == 0) / len(fired))
