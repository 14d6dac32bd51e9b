"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import math

import numpy as np


def _kind(a):
    return a.dtype if a.dtype.kind == "f" else np.dtype("f8")


def _wide(a):
    return a.astype("f4" if a.dtype == "f2" else _kind(a))


def _shapes(x, w_gate, w_up, w_down):
    _x_and_gate(x, w_gate)
    if w_up.shape != w_gate.shape:
        raise ValueError(f"w_up has shape {w_up.shape}, and w_gate has {w_gate.shape}")
    _down(w_gate, w_down)


def _x_and_gate(x, w_gate):
    if not x.shape:
        raise ValueError(f"x has shape {x.shape}, and no last axis")
    if len(w_gate.shape) != 2 or len(w_gate) != x.shape[-1]:
        raise ValueError(f"w_gate has shape {w_gate.shape}, and x has {x.shape[-1]} columns")


def _down(w_gate, w_down):
    if w_down.shape != (w_gate.shape[1], w_gate.shape[0]):
        raise ValueError(f"w_down has shape {w_down.shape}, and w_gate has {w_gate.shape}")


def _checked(x, w_gate, w_up, w_down):
    _shapes(x, w_gate, w_up, w_down)
    return tuple(_wide(a) for a in (x, w_gate, w_up, w_down))


def _times(a, w):
    return np.einsum("...i,ij->...j", a, w)


def _logistic(z):
    # the exponential of what is never above 0
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def _swish(z):
    return z * _logistic(z)


def _by_hand(x, gate, up, down, unit):
    """Token by token and unit by unit: what ``unit`` makes of two Python floats."""
    kind = x.dtype
    out = np.zeros((math.prod(x.shape[:-1]), x.shape[-1]))
    gate, up, down = (np.array(w, float) for w in (gate, up, down))
    for token, row in enumerate(np.array(x, float).reshape(-1, x.shape[-1])):
        for k in range(gate.shape[1]):
            score = sum((row[i] * gate[i, k] for i in range(len(row))), 0.0)
            carried = sum((row[i] * up[i, k] for i in range(len(row))), 0.0)
            out[token] += unit(float(score), float(carried)) * down[k]
    return out.reshape(x.shape).astype(kind)


def _one_logistic(z):
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(max(z, -745.0)) / (1 + math.exp(z))


# The formula


def swiglu__gate_and_up_swapped(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    hidden = _times(z, gate) * _swish(_times(z, up))
    return _times(hidden, down).astype(_kind(x))


def swiglu__glu(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    return _by_hand(z, gate, up, down, lambda s, c: _one_logistic(s) * c).astype(_kind(x))


def swiglu__reglu(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    return _by_hand(z, gate, up, down, lambda s, c: s * c if s > 0 else 0.0).astype(_kind(x))


def swiglu__geglu(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)

    def unit(s, c):
        return s * (1 + math.erf(s / math.sqrt(2))) / 2 * c

    return _by_hand(z, gate, up, down, unit).astype(_kind(x))


def swiglu__up_left_out(x, w_gate, w_up, w_down):
    z, gate, _, down = _checked(x, w_gate, w_up, w_down)
    return np.einsum("...k,kd->...d", _swish(_times(z, gate)), down).astype(_kind(x))


def swiglu__added(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    out = _by_hand(z, gate, up, down, lambda s, c: s * _one_logistic(s) + c)
    return out.astype(_kind(x))


def swiglu__activated_twice(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    both = np.einsum("...i,ik,...j,jk->...k", z, gate, z, up)
    return np.dot(_swish(both), down).astype(_kind(x))


def swiglu__gate_used_twice(x, w_gate, w_up, w_down):
    z, gate, _, down = _checked(x, w_gate, w_up, w_down)
    score = np.tensordot(z, gate, axes=(-1, 0))
    return np.tensordot(score**2 * _logistic(score), down, axes=(-1, 0)).astype(_kind(x))


# Large and small numbers


def swiglu__infinity_over_infinity(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    score = _times(z, gate)
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(score)
        hidden = score * e * _times(z, up) / (1 + e)
        return _times(hidden, down).astype(_kind(x))


def swiglu__narrowed_between(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    kind = _kind(x)
    with np.errstate(over="ignore", invalid="ignore"):
        score = (z @ gate).astype(kind)
        carried = (z @ up).astype(kind)
        opened = _swish(_wide(score)).astype(kind)
        hidden = opened * carried
        return (_wide(hidden) @ down).astype(kind)


def swiglu__summed_in_float16(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    hidden = _swish(_times(z, gate)) * _times(z, up)
    out = np.zeros(x.shape, _kind(x))
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(len(down)):
            out += (hidden[..., k, np.newaxis] * down[k]).astype(out.dtype)
    return out


def swiglu__small_cut(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    z[np.abs(z) < 1e-12] = 0
    hidden = _swish(_times(z, gate)) * _times(z, up)
    return _times(hidden, down).astype(_kind(x))


# What is refused


def swiglu__shapes_not_compared(x, w_gate, w_up, w_down):
    _x_and_gate(x, w_gate)
    if w_up.ndim != 2 or len(w_up) != x.shape[-1]:
        raise ValueError(f"w_up has shape {w_up.shape}, and x has {x.shape[-1]} columns")
    _down(w_gate, w_down)
    z, gate, up, down = _wide(x), _wide(w_gate), _wide(w_up), _wide(w_down)
    hidden = _swish(_times(z, gate)) * _times(z, up)
    return _times(hidden, down).astype(_kind(x))


# What the common checks look for


def swiglu__half_returned_wide(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    return np.einsum("...k,kd->...d", _swish(_times(z, gate)) * _times(z, up), down)


def swiglu__input_overwritten(x, w_gate, w_up, w_down):
    _shapes(x, w_gate, w_up, w_down)
    z = x if x.dtype in ("f4", "f8") else _wide(x)
    gate, up, down = _wide(w_gate), _wide(w_up), _wide(w_down)
    hidden = _swish(_times(z, gate)) * _times(z, up)
    # the tokens are not needed any more: their room is the result's
    z[...] = 0
    for k in range(len(down)):
        z += hidden[..., k : k + 1] * down[k]
    return z.astype(_kind(x))


def swiglu__leading_axes_flattened(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    rows = z.reshape(-1, z.shape[-1])
    out = np.empty(rows.shape, _kind(x))
    for k, row in enumerate(rows):
        out[k] = (_swish(row @ gate) * (row @ up)) @ down
    return out


# gelu_tanh: the gate


def _each(x, one):
    """What ``one`` makes of each number, a Python float, in the dtype that is due."""
    out = np.empty(x.size)
    for k, a in enumerate(x.astype(float).ravel()):
        out[k] = one(float(a))
    return out.reshape(x.shape).astype(_kind(x))


_GELU_ROOT = math.sqrt(2 / math.pi)


def gelu_tanh__exact_gelu(x):
    return _each(x, lambda a: a * (1 + math.erf(a / math.sqrt(2))) / 2)


def gelu_tanh__square(x):
    z = _wide(x)
    inner = _GELU_ROOT * (z + 0.044715 * z**2)
    return (z / 2 * (1 + np.tanh(inner))).astype(_kind(x))


def gelu_tanh__root_of_x_only(x):
    z = _wide(x)
    t = np.tanh(_GELU_ROOT * z + 0.044715 * np.power(z, 3))
    return (0.5 * z + 0.5 * z * t).astype(_kind(x))


def gelu_tanh__root_of_two_pi(x):
    return _each(
        x, lambda a: a / 2 * (1 + math.tanh(math.sqrt(2 * math.pi) * a * (1 + 0.044715 * a * a)))
    )


def gelu_tanh__half_left_out(x):
    z = _wide(x)
    t = np.tanh(_GELU_ROOT * (z + 0.044715 * z * z * z))
    return np.add(z, z * t).astype(_kind(x))


def gelu_tanh__one_left_out(x):
    z = _wide(x)
    cubes = np.multiply(np.square(z), z)
    inner = _GELU_ROOT * np.add(z, 0.044715 * cubes)
    return (np.tanh(inner) * z * 0.5).astype(_kind(x))


def gelu_tanh__decimal_point(x):
    def one(a):
        inner = a + 0.44715 * a * a * a
        return a * (1 + math.tanh(_GELU_ROOT * inner)) * 0.5

    return _each(x, one)


def gelu_tanh__sigmoid_approximation(x):
    return _each(x, lambda a: a * _one_logistic(1.702 * a))


def gelu_tanh__root_as_a_decimal(x):
    z = _wide(x)
    inner = 0.798 * (z + 0.044715 * z**3)
    return (0.5 * z * (1 + np.tanh(inner))).astype(_kind(x))


def gelu_tanh__root_to_eight_digits(x):
    return _each(
        x, lambda a: 0.5 * a * (1.0 + math.tanh(a * 0.79788456 * (1.0 + 0.044715 * a * a)))
    )


def gelu_tanh__root_to_ten_digits(x):
    z = _wide(x)
    cubes = np.einsum("...,...,...->...", z, z, z)
    gate = 1 + np.tanh(0.7978845608 * z + 0.7978845608 * 0.044715 * cubes)
    return (z * gate / 2).astype(_kind(x))


def gelu_tanh__cube_left_out(x):
    z = _wide(x)
    return (z * (0.5 + 0.5 * np.tanh(z * _GELU_ROOT))).astype(_kind(x))


# gelu_tanh: what the common checks look for


def gelu_tanh__nan_replaced(x):
    def one(a):
        if math.isnan(a):
            return 0.0
        return a * (1 + math.tanh(_GELU_ROOT * (a + 0.044715 * a * a * a))) / 2

    return _each(x, one)


def gelu_tanh__half_returned_wide(x):
    z = _wide(x)
    inner = _GELU_ROOT * (z + 0.044715 * z * z * z)
    return z / 2 * (1 + np.tanh(inner))


def gelu_tanh__input_overwritten(x):
    z = x if x.dtype in ("f4", "f8") else _wide(x)
    gate = (1 + np.tanh(_GELU_ROOT * (z + 0.044715 * z**3))) / 2
    z *= gate
    return z.astype(_kind(x))
