"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import numpy as np

_WIDEST = 0.0625


def _kind(x):
    return x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(float)


def _vector(x):
    if len(x.shape) != 1:
        raise ValueError(f"x has shape {x.shape}, which is no vector's")


def _fits(u, y):
    if u.shape != y.shape:
        raise ValueError(f"u has shape {u.shape}, and f(x) has {y.shape}")


def _checked(f, x, u):
    _vector(x)
    at, w = np.array(x, dtype=float), np.array(u, dtype=float)
    _fits(w, f(at))
    return at, w


def _central(f, at, j, h):
    there, back = at.copy(), at.copy()
    there[j] += h
    back[j] -= h
    return (f(there) - f(back)) / (2 * h)


def _romberg(difference, h=_WIDEST, levels=4, base=4):
    """The difference at h, h / 2, h / 4, h / 8, each refined with those before it."""
    last = []
    for level in range(levels):
        row = [difference(h / 2**level)]
        for k, coarse in enumerate(last):
            weight = base ** (k + 1)
            row.append((weight * row[k] - coarse) / (weight - 1))
        last = row
    return last[-1]


def _column(f, at, j):
    return _romberg(lambda h: _central(f, at, j, h))


def _matrix(f, at):
    """J, a column for each input."""
    return np.array([_column(f, at, j) for j in range(at.size)]).T


# The differences


def vjp__one_tiny_step(f, x, u):
    at, w = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):
        out[j] = np.dot(w, _central(f, at, j, 1e-6))
    return out.astype(_kind(x))


def vjp__one_wide_step(f, x, u):
    at, w = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):
        for i, slope in enumerate(_central(f, at, j, _WIDEST)):
            out[j] += w[i] * slope
    return out.astype(_kind(x))


def vjp__forward_difference(f, x, u):
    at, w = _checked(f, x, u)
    here = f(at)

    def ahead(j):
        def difference(h):
            there = at + h * (np.arange(at.size) == j)
            return (f(there) - here) / h

        return difference

    slopes = np.stack([_romberg(ahead(j)) for j in range(at.size)])
    return np.einsum("ji,i->j", slopes, w).astype(_kind(x))


def vjp__tiny_forward_step(f, x, u):
    at, w = _checked(f, x, u)
    eps = 1e-8
    before = f(at)
    out = []
    for j in range(len(at)):
        moved = at.copy()
        moved[j] += eps
        out.append(w @ (f(moved) - before) / eps)
    return np.array(out, dtype=_kind(x))


def vjp__divided_by_h(f, x, u):
    at, w = _checked(f, x, u)
    shifts = np.eye(at.size)

    def slope(j):
        return _romberg(lambda h: (f(at + h * shifts[j]) - f(at - h * shifts[j])) / h)

    return np.array([w @ slope(j) for j in range(at.size)]).astype(_kind(x))


def vjp__wrong_way_around(f, x, u):
    at, w = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):

        def difference(h, j=j):
            left, right = at.copy(), at.copy()
            left[j] = at[j] - h
            right[j] = at[j] + h
            return (f(left) - f(right)) / (right[j] - left[j])

        for i, slope in enumerate(_romberg(difference)):
            out[j] += w[i] * slope
    return out.astype(_kind(x))


def vjp__refined_as_if_linear(f, x, u):
    at, w = _checked(f, x, u)
    slopes = [_romberg(lambda h, j=j: _central(f, at, j, h), base=2) for j in range(at.size)]
    return np.einsum("i,ji->j", w, np.array(slopes)).astype(_kind(x))


def vjp__refined_away(f, x, u):
    at, w = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):
        estimates = [_central(f, at, j, _WIDEST / 2**k) for k in range(4)]
        power = 4
        while len(estimates) > 1:
            better = []
            for k in range(1, len(estimates)):
                change = estimates[k] - estimates[k - 1]
                better.append(estimates[k] - change / (power - 1))
            estimates = better
            power = power * 4
        out[j] = np.sum(w * estimates[0])
    return out.astype(_kind(x))


def vjp__step_relative_to_x(f, x, u):
    at, w = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):
        with np.errstate(invalid="ignore"):
            column = _romberg(lambda h, j=j: _central(f, at, j, h), h=_WIDEST * np.abs(at[j]))
            out[j] = (w * column).sum()
    return out.astype(_kind(x))


def vjp__float32_throughout(f, x, u):
    _vector(x)
    at, w = x.astype(_kind(x)), u.astype(_kind(u))
    _fits(u, f(at))
    out = np.zeros_like(at)
    for j in range(at.size):
        for i, slope in enumerate(_column(f, at, j)):
            out[j] += w[i] * slope
    return out


# The product


def vjp__multiplied_from_the_right(f, x, u):
    at, w = _checked(f, x, u)
    return np.matmul(_matrix(f, at), w).astype(_kind(x))


def vjp__u_ignored(f, x, u):
    at, _ = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):
        out[j] = sum(_column(f, at, j))
    return out.astype(_kind(x))


def vjp__mean_of_the_outputs(f, x, u):
    at, w = _checked(f, x, u)
    return np.mean(w[:, None] * _matrix(f, at), axis=0).astype(_kind(x))


def vjp__weights_normalized(f, x, u):
    at, w = _checked(f, x, u)
    total = w.sum()
    if total != 0:
        w = w / total
    return np.einsum("i,ij->j", w, _matrix(f, at)).astype(_kind(x))


def vjp__not_summed(f, x, u):
    at, w = _checked(f, x, u)
    return (w[:, None] * _matrix(f, at)).astype(_kind(x))


def vjp__weights_after_rounding(f, x, u):
    at, w = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):
        column = _column(f, at, j)
        for i in range(w.size):
            if abs(w[i]) > 1e-10:
                out[j] += w[i] * column[i]
    return out.astype(_kind(x))


def vjp__one_call_for_each_entry(f, x, u):
    at, w = _checked(f, x, u)
    out = np.zeros(at.size)
    for j in range(at.size):
        for i in range(w.size):
            out[j] += w[i] * _column(f, at, j)[i]
    return out.astype(_kind(x))


def vjp__divided_by_the_weights(f, x, u):
    at, w = _checked(f, x, u)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = w / np.sum(w)
    return (np.einsum("ij,i->j", _matrix(f, at), share) * np.sum(w)).astype(_kind(x))


# What comes in, what goes out


def vjp__shapes_not_compared(f, x, u):
    _vector(x)
    at, w = x.astype(float), u.astype(float).ravel()
    outputs = len(f(at))
    if w.size != outputs:
        raise ValueError(f"u has shape {u.shape}, and f(x) has {outputs} numbers")
    return (w @ _matrix(f, at)).astype(_kind(x))


def vjp__squeezed(f, x, u):
    at, w = _checked(f, x, u)
    return np.squeeze(w[np.newaxis] @ _matrix(f, at)).astype(_kind(x))


def vjp__moved_in_place(f, x, u):
    _vector(x)
    at, w = np.asarray(x, dtype=float), np.asarray(u, dtype=float)
    _fits(u, f(at))
    out = np.zeros(at.size)
    for j in range(at.size):
        old = at[j]

        def difference(h, j=j, old=old):
            at[j] = old + h
            there = f(at)
            at[j] = old - h
            back = f(at)
            at[j] = old
            return (there - back) / (2 * h)

        out[j] = np.dot(_romberg(difference), w)
    return out.astype(_kind(x))


# What the common checks look for


def vjp__always_float64(f, x, u):
    at, w = _checked(f, x, u)
    out = np.empty(at.size)
    for j in range(at.size):
        out[j] = np.dot(_column(f, at, j), w)
    return out


def vjp__another_exception(f, x, u):
    assert x.ndim == 1, f"x has shape {x.shape}"
    at, w = x.astype(float), u.astype(float)
    y = f(at)
    assert w.shape == y.shape, f"u has shape {u.shape}, f(x) has {y.shape}"
    return np.einsum("i,ij->j", w, _matrix(f, at)).astype(_kind(x))


def vjp__refusals_forgotten(f, x, u):
    at, w = x.astype(float), u.astype(float)
    return np.array([(w * _column(f, at, j)).sum() for j in range(len(at))]).astype(_kind(x))
