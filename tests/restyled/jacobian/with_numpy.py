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


# jacobian: the differences


def _start(x):
    _vector(x)
    return np.array(x, dtype=float)


def _shifts(at, h):
    """A row for each input: the step along it."""
    return h * np.identity(at.size)


def _all_columns(f, at, h):
    """Plain central differences, J's columns one below the other."""
    return np.array([(f(at + s) - f(at - s)) / (2 * h) for s in _shifts(at, h)])


def _extrapolated(estimates, better):
    """Of ever finer estimates one: ``better(fine, coarse, power)`` of two neighbours."""
    power = 4
    while len(estimates) > 1:
        pairs = zip(estimates[1:], estimates[:-1], strict=True)
        estimates = [better(fine, coarse, power) for fine, coarse in pairs]
        power *= 4
    return estimates[0]


def _richardson(fine, coarse, power):
    return (power * fine - coarse) / (power - 1)


def _refined(estimate):
    """``estimate(h)`` at h, h / 2, h / 4 and h / 8, and what they tend to."""
    return _extrapolated([estimate(_WIDEST * 0.5**k) for k in range(4)], _richardson)


def jacobian__one_tiny_step(f, x):
    at = _start(x)
    return _all_columns(f, at, 1e-7).T.astype(_kind(x))


def jacobian__one_wide_step(f, x):
    at = _start(x)
    h = 0.1
    columns = []
    for j in range(len(at)):
        ahead, behind = at.copy(), at.copy()
        ahead[j] += h
        behind[j] -= h
        columns.append((f(ahead) - f(behind)) / (2 * h))
    return np.column_stack(columns).astype(_kind(x))


def jacobian__forward_difference(f, x):
    at = _start(x)
    y = f(at)

    def moved(h):
        return np.array([f(at + s) - y for s in _shifts(at, h)]).T / h

    return _refined(moved).astype(_kind(x))


def jacobian__tiny_forward_step(f, x):
    at = _start(x)
    y = f(at)
    out = np.empty((y.size, at.size))
    for j in range(at.size):
        there = at.copy()
        there[j] += 1e-8
        out[:, j] = (f(there) - y) / 1e-8
    return out.astype(_kind(x))


def jacobian__divided_by_h(f, x):
    at = _start(x)

    def difference(h):
        return np.stack([f(at + s) - f(at - s) for s in _shifts(at, h)], axis=-1) / h

    return _refined(difference).astype(_kind(x))


def jacobian__wrong_way_around(f, x):
    at = _start(x)

    def difference(h):
        behind = np.array([f(at - s) for s in _shifts(at, h)])
        ahead = np.array([f(at + s) for s in _shifts(at, h)])
        return np.einsum("ji->ij", behind - ahead) / (2 * h)

    return _refined(difference).astype(_kind(x))


def jacobian__refined_as_if_linear(f, x):
    at = _start(x)
    table = [_all_columns(f, at, _WIDEST / 2**k) for k in range(4)]
    for factor in (2, 4, 8):
        table = [(factor * table[k + 1] - table[k]) / (factor - 1) for k in range(len(table) - 1)]
    return table[0].T.astype(_kind(x))


def jacobian__refined_away(f, x):
    at = _start(x)
    out = []
    for j in range(at.size):
        estimates = [_central(f, at, j, _WIDEST / 2**k) for k in range(4)]
        out.append(_extrapolated(estimates, lambda b, a, power: b + (a - b) / (power - 1)))
    return np.array(out).T.astype(_kind(x))


def jacobian__step_relative_to_x(f, x):
    at = _start(x)
    size = np.linalg.norm(at)
    columns = [
        _romberg(lambda h, j=j: _central(f, at, j, h), h=size * _WIDEST) for j in range(at.size)
    ]
    return np.array(columns).T.astype(_kind(x))


def jacobian__step_relative_to_each_x(f, x):
    at = _start(x)
    rows = []
    for j in range(at.size):

        def estimate(h, j=j):
            s = np.where(np.arange(at.size) == j, h * at, 0)
            return (f(at + s) - f(at - s)) / (2 * s[j])

        rows.append(_refined(estimate))
    return np.einsum("ji->ij", np.array(rows)).astype(_kind(x))


def jacobian__float32_throughout(f, x):
    _vector(x)
    at = x.astype(_kind(x))

    def difference(h):
        columns = []
        for j in range(at.size):
            ahead, behind = at.copy(), at.copy()
            ahead[j] += h
            behind[j] -= h
            columns.append((f(ahead) - f(behind)) / (2 * h))
        return np.stack(columns, axis=1)

    return _refined(difference).astype(at.dtype)


# jacobian: what is differentiated


def jacobian__rows_and_columns_swapped(f, x):
    at = _start(x)
    out = []
    for j in range(at.size):
        out.append(_column(f, at, j))
    return np.array(out).astype(_kind(x))


def jacobian__sum_of_the_outputs(f, x):
    at = _start(x)
    total = np.zeros(at.size)
    for j in range(at.size):
        total[j] = _romberg(lambda h, j=j: _central(lambda z: sum(f(z)), at, j, h))
    return total.astype(_kind(x))


def jacobian__first_output_only(f, x):
    at = _start(x)
    row = np.zeros((1, at.size))
    for j in range(at.size):
        row[0, j] = _romberg(lambda h, j=j: _central(lambda z: f(z)[0], at, j, h))
    return row.astype(_kind(x))


def jacobian__squeezed(f, x):
    at = _start(x)
    return _refined(lambda h: _all_columns(f, at, h).T).squeeze().astype(_kind(x))


def jacobian__one_call_for_each_entry(f, x):
    at = _start(x)
    out = np.empty((len(f(at)), at.size))
    for i, j in np.ndindex(out.shape):
        out[i, j] = _romberg(lambda h, i=i, j=j: _central(lambda z: f(z)[i], at, j, h))
    return out.astype(_kind(x))


def jacobian__moved_in_place(f, x):
    _vector(x)
    at = x if x.dtype == float else x.astype(float)
    out = []
    for j in range(at.size):
        estimates = []
        for k in range(4):
            h = _WIDEST / 2**k
            at[j] += h
            ahead = f(at)
            at[j] -= 2 * h
            behind = f(at)
            at[j] += h
            estimates.append((ahead - behind) / (2 * h))
        out.append(_extrapolated(estimates, _richardson))
    return np.stack(out, axis=1).astype(_kind(x))


# jacobian: what the common checks look for


def jacobian__half_returned_wide(f, x):
    at = _start(x)
    wanted = np.promote_types(_kind(x), np.float32)
    return _refined(lambda h: _all_columns(f, at, h).T).astype(wanted)


def jacobian__refusals_forgotten(f, x):
    at = x.astype(float)
    columns = []
    for j in range(len(at)):
        columns.append(_column(f, at, j))
    return np.array(columns).T.astype(_kind(x))


def jacobian__value_not_said(f, x):
    if x.ndim != 1:
        raise ValueError("a vector is needed")
    return _matrix(f, x.astype(float)).astype(_kind(x))
