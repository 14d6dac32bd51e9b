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
