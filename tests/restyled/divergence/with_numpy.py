"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import math

import numpy as np


def _real(a):
    return a if a.dtype.kind == "f" else a.astype("f8")


def _up(a):
    a = _real(a)
    return a.astype("f4") if a.dtype == "f2" else a


def _shapes(p, q):
    if p.shape != q.shape:
        raise ValueError(f"q has shape {q.shape}, and p has {p.shape}")


def _axis(p, axis):
    if axis < -p.ndim or axis > p.ndim - 1:
        raise ValueError(f"axis={axis} is out of range for {p.ndim} axes")


def _not_negative(name, a):
    below = a[a < 0]
    if below.size:
        raise ValueError(f"{name} has a negative probability, {below[0]}")


def _slack(a, axis):
    return max(1e-3, 8 * a.shape[axis] * float(np.finfo(_real(a).dtype).eps))


def _sums(name, a, axis, slack):
    for s in np.ravel(_up(a).sum(axis=axis)):
        if abs(s - 1) > slack:
            raise ValueError(f"{name} has a row that sums to {s}")


def _distribution(name, a, axis):
    _not_negative(name, a)
    _sums(name, a, axis, _slack(a, axis))


def _checked(p, q, axis):
    _shapes(p, q)
    _axis(p, axis)
    _distribution("p", p, axis)
    _distribution("q", q, axis)
    return _up(p), _up(q)


def _log_ratio(a, b):
    """log(a / b), and 0 where a is 0: there it is multiplied by 0."""
    some = a > 0
    return np.log(np.divide(a, b, out=np.ones_like(a), where=some))


def _kl(a, b, axis):
    return np.sum(a * _log_ratio(a, b), axis=axis)


def _row_by_row(p, q, axis, row):
    """What ``row`` makes of each pair of rows, lists of Python floats."""
    kind = _real(p).dtype
    p, q = np.moveaxis(_real(p), axis, -1), np.moveaxis(_real(q), axis, -1)
    out = np.zeros(p.shape[:-1], kind)
    for at in np.ndindex(out.shape):
        out[at] = row(p[at].tolist(), q[at].tolist())
    return out


# The axis and the sum


def js_divergence__axis_ignored(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    both = np.einsum("...k,...k->...", a, _log_ratio(a, m))
    both = both + np.einsum("...k,...k->...", b, _log_ratio(b, m))
    return (both / 2).astype(_real(p).dtype)


def js_divergence__over_the_whole_array(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    left = np.vdot(a, _log_ratio(a, m))
    right = np.vdot(b, _log_ratio(b, m))
    return np.asarray((left + right) / 2, dtype=_real(p).dtype)


def js_divergence__averaged_not_summed(p, q, axis=-1):
    _checked(p, q, axis)

    def row(ps, qs):
        total = 0.0
        for x, y in zip(ps, qs, strict=True):
            m = (x + y) / 2
            if x > 0:
                total += x * math.log(x / m) / 2
            if y > 0:
                total += y * math.log(y / m) / 2
        return total / len(ps)

    return _row_by_row(p, q, axis, row)


def js_divergence__axis_kept(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    js = 0.5 * _kl(a, m, axis) + 0.5 * _kl(b, m, axis)
    return np.expand_dims(js, axis).astype(_real(p).dtype)


def js_divergence__half_precision_sum(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    terms = (a * _log_ratio(a, m) + b * _log_ratio(b, m)) / 2
    terms = np.moveaxis(terms, axis, 0)
    total = np.zeros(terms.shape[1:], _real(p).dtype)
    for term in terms:
        total = (total + term).astype(total.dtype)
    return total


# What is refused


def js_divergence__sums_checked_along_the_last_axis(p, q, axis=-1):
    _shapes(p, q)
    _axis(p, axis)
    _distribution("p", p, -1)
    _distribution("q", q, -1)
    a, b = _up(p), _up(q)
    m = (a + b) / 2
    return ((_kl(a, m, axis) + _kl(b, m, axis)) / 2).astype(_real(p).dtype)


def js_divergence__exact_sums_demanded(p, q, axis=-1):
    _shapes(p, q)
    _axis(p, axis)
    for name, a in {"p": p, "q": q}.items():
        _not_negative(name, a)
        s = _up(a).sum(axis)
        if not np.allclose(s, 1.0, rtol=0.0, atol=1e-6):
            worst = np.ravel(s)[np.argmax(np.abs(np.ravel(s) - 1))]
            raise ValueError(f"{name} does not sum to 1 but to {worst}")

    def row(ps, qs):
        halves = 0.0
        for one in (ps, qs):
            for x, y, z in zip(one, ps, qs, strict=True):
                if x:
                    halves += 0.5 * x * (math.log(2 * x) - math.log(y + z))
        return halves

    return _row_by_row(p, q, axis, row)


def js_divergence__one_limit_for_every_dtype(p, q, axis=-1):
    _shapes(p, q)
    _axis(p, axis)
    for name, a in (("p", p), ("q", q)):
        _not_negative(name, a)
        _sums(name, a, axis, 1e-3)
    a, b = _up(p), _up(q)
    m = 0.5 * a + 0.5 * b
    both = a * _log_ratio(a, m) + b * _log_ratio(b, m)
    return (both.sum(axis) / 2).astype(_real(p).dtype)


def js_divergence__sums_not_checked(p, q, axis=-1):
    _shapes(p, q)
    _axis(p, axis)
    _not_negative("p", p)
    _not_negative("q", q)

    def row(ps, qs):
        total = 0.0
        for x, y in zip(ps, qs, strict=True):
            for one in (x, y):
                if one != 0:
                    total += one * math.log(one / ((x + y) / 2))
        return total / 2

    return _row_by_row(p, q, axis, row)


def js_divergence__negative_numbers_taken(p, q, axis=-1):
    _shapes(p, q)
    _axis(p, axis)
    _sums("p", p, axis, _slack(p, axis))
    _sums("q", q, axis, _slack(q, axis))
    a, b = _up(p), _up(q)
    m = (a + b) / 2
    return ((_kl(a, m, axis) + _kl(b, m, axis)) / 2).astype(_real(p).dtype)


def js_divergence__shapes_not_compared(p, q, axis=-1):
    _axis(p, axis)
    _distribution("p", p, axis)
    _distribution("q", q, axis)
    a, b = np.broadcast_arrays(_up(p), _up(q))
    m = (a + b) / 2
    return ((_kl(a, m, axis) + _kl(b, m, axis)) / 2).astype(_real(p).dtype)


# The formula


def js_divergence__both_divergences_without_the_average(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    with np.errstate(divide="ignore"):
        there, back = _kl(a, b, axis), _kl(b, a, axis)
    return ((there + back) / 2).astype(_real(p).dtype)


def js_divergence__only_one_side(p, q, axis=-1):
    _checked(p, q, axis)

    def row(ps, qs):
        return sum(x * math.log(2 * x / (x + y)) for x, y in zip(ps, qs, strict=True) if x > 0)

    return _row_by_row(p, q, axis, row)


def js_divergence__not_halved(p, q, axis=-1):
    pair = np.stack(_checked(p, q, axis))
    ratio = _log_ratio(pair, np.broadcast_to(pair.mean(0), pair.shape))
    return np.moveaxis(pair * ratio, axis % p.ndim + 1, 0).sum((0, 1)).astype(_real(p).dtype)


def js_divergence__square_root_taken(p, q, axis=-1):
    _checked(p, q, axis)

    def row(ps, qs):
        total = 0.0
        for x, y in zip(ps, qs, strict=True):
            total += x * math.log(2 * x / (x + y)) if x > 0 else 0.0
            total += y * math.log(2 * y / (x + y)) if y > 0 else 0.0
        return math.sqrt(max(total, 0.0) / 2)

    return _row_by_row(p, q, axis, row)


def js_divergence__sum_for_the_average(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    both = np.einsum("i...->...", np.moveaxis(a * _log_ratio(a, a + b), axis, 0))
    both += np.einsum("i...->...", np.moveaxis(b * _log_ratio(b, a + b), axis, 0))
    return (both / 2).astype(_real(p).dtype)


def js_divergence__turned_round(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    with np.errstate(divide="ignore"):
        return ((_kl(m, a, axis) + _kl(m, b, axis)) / 2).astype(_real(p).dtype)


def js_divergence__geometric_mean(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = np.sqrt(a) * np.sqrt(b)
    with np.errstate(divide="ignore"):
        return (_kl(a, m, axis) / 2 + _kl(b, m, axis) / 2).astype(_real(p).dtype)


def js_divergence__in_bits(p, q, axis=-1):
    _checked(p, q, axis)

    def row(ps, qs):
        bits = 0.0
        for x, y in zip(ps, qs, strict=True):
            if x > 0:
                bits += 0.5 * x * math.log2(x / (0.5 * x + 0.5 * y))
            if y > 0:
                bits += 0.5 * y * math.log2(y / (0.5 * x + 0.5 * y))
        return bits

    return _row_by_row(p, q, axis, row)


# Zeros and small numbers


def js_divergence__small_number_in_the_logarithm(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    eps = 1e-12
    log_m = np.log((a + b) / 2 + eps)
    left = (a * (np.log(a + eps) - log_m)).sum(axis)
    right = (b * (np.log(b + eps) - log_m)).sum(axis)
    return ((left + right) / 2).astype(_real(p).dtype)


def js_divergence__clipped_at_1e_7(p, q, axis=-1):
    _checked(p, q, axis)

    def row(ps, qs):
        ps = [min(max(x, 1e-7), 1.0) for x in ps]
        qs = [min(max(y, 1e-7), 1.0) for y in qs]
        total = 0.0
        for x, y in zip(ps, qs, strict=True):
            m = (x + y) / 2
            total += x * math.log(x / m) + y * math.log(y / m)
        return total / 2

    return _row_by_row(p, q, axis, row)


def js_divergence__zero_over_zero(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    total = 0
    for one in (a, b):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = one / m
            ratio = np.where(ratio == 0, 1, ratio).astype(m.dtype)
            total = total + np.einsum("...i->...", np.moveaxis(one * np.log(ratio), axis, -1))
    return (total / 2).astype(_real(p).dtype)


def js_divergence__zero_times_infinity(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_m = np.log((a + b) / 2)
        left = a * (np.log(a) - log_m)
        right = b * (np.log(b) - log_m)
    return ((left + right).sum(axis) / 2).astype(_real(p).dtype)


def js_divergence__log_2_taken_for_granted(p, q, axis=-1):
    _checked(p, q, axis)

    def row(ps, qs):
        total = 2 * math.log(2)
        for x, y in zip(ps, qs, strict=True):
            if x > 0:
                total += x * math.log(x / (x + y))
            if y > 0:
                total += y * math.log(y / (x + y))
        return total / 2

    return _row_by_row(p, q, axis, row)


def js_divergence__normalized_again(p, q, axis=-1):
    _checked(p, q, axis)

    def row(ps, qs):
        ps = [x / sum_p for sum_p in [math.fsum(ps)] for x in ps]
        qs = [y / sum_q for sum_q in [math.fsum(qs)] for y in qs]
        terms = [x * math.log(2 * x / (x + y)) for x, y in zip(ps, qs, strict=True) if x > 0]
        terms += [y * math.log(2 * y / (x + y)) for x, y in zip(ps, qs, strict=True) if y > 0]
        return math.fsum(terms) / 2

    return _row_by_row(p, q, axis, row)


# What the common checks look for


def js_divergence__half_returned_wide(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    return np.einsum(
        "i...->...", np.moveaxis(a * _log_ratio(a, m) + b * _log_ratio(b, m), axis, 0)
    ) * a.dtype.type(0.5)


def js_divergence__leading_axes_flattened(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    n = p.shape[axis]
    a = np.moveaxis(a, axis, -1).reshape(-1, n)
    b = np.moveaxis(b, axis, -1).reshape(-1, n)
    m = (a + b) / 2
    js = [
        (x @ _log_ratio(x, z) + y @ _log_ratio(y, z)) / 2 for x, y, z in zip(a, b, m, strict=True)
    ]
    return np.array(js, _real(p).dtype)


def js_divergence__refusals_forgotten(p, q, axis=-1):
    a, b = _up(p), _up(q)
    m = (a + b) / 2
    total = (a * _log_ratio(a, m) + b * _log_ratio(b, m)).sum(axis)
    return (total / 2).astype(_real(p).dtype)


# gaussian_kl: what is summed


def _two_shapes(mean, log_var):
    _some_axis(mean)
    if log_var.shape != mean.shape:
        raise ValueError(f"log_var has shape {log_var.shape}, and mean has {mean.shape}")


def _some_axis(mean):
    if mean.ndim == 0:
        raise ValueError(f"mean has shape {mean.shape}: there is no axis to sum over")


def _codes(mean, log_var):
    _two_shapes(mean, log_var)
    return _up(mean), _up(log_var)


def _code_by_code(mean, log_var, cost):
    """Sum what each coordinate costs, in Python floats."""
    _two_shapes(mean, log_var)
    out = np.zeros(mean.shape[:-1])
    for at in np.ndindex(out.shape):
        out[at] = sum(cost(float(m), float(v)) for m, v in zip(mean[at], log_var[at], strict=True))
    with np.errstate(over="ignore"):
        return out.astype(_real(mean).dtype)


def gaussian_kl__half_precision_sum(mean, log_var):
    _two_shapes(mean, log_var)
    m, v = _real(mean), _real(log_var)
    each = np.expm1(v) - v + m**2
    return (each.sum(axis=-1) / 2).astype(m.dtype)


def gaussian_kl__half_precision_running_sum(mean, log_var):
    m, v = _codes(mean, log_var)
    total = np.zeros(mean.shape[:-1], _real(mean).dtype)
    for i in range(mean.shape[-1]):
        total += (m[..., i] * m[..., i] + np.expm1(v[..., i]) - v[..., i]).astype(total.dtype)
    return (total / 2).astype(total.dtype)


def gaussian_kl__exp_minus_1(mean, log_var):
    m, v = _codes(mean, log_var)
    variance = np.exp(v)
    kl = 0.5 * np.sum(variance + np.square(m) - 1.0 - v, axis=-1)
    return kl.astype(_real(mean).dtype)


def gaussian_kl__standard_deviation_for_variance(mean, log_var):
    m, log_sigma = _codes(mean, log_var)
    kl = ((m**2 + np.expm1(2 * log_sigma)) / 2 - log_sigma).sum(-1)
    return kl.astype(_real(mean).dtype)


def gaussian_kl__halved_log_var(mean, log_var):
    return _code_by_code(mean, log_var, lambda m, v: (m * m + math.expm1(v / 2) - v) / 2)


def gaussian_kl__variance_expected(mean, log_var):
    m, variance = _codes(mean, log_var)
    kl = np.sum(m * m + variance - np.log(variance) - 1, axis=-1) / 2
    return kl.astype(_real(mean).dtype)


def gaussian_kl__not_halved(mean, log_var):
    return _code_by_code(mean, log_var, lambda m, v: m * m + math.expm1(v) - v)


def gaussian_kl__mean_not_squared(mean, log_var):
    return _code_by_code(mean, log_var, lambda m, v: (abs(m) + math.expm1(v) - v) / 2)


def gaussian_kl__mean_left_out(mean, log_var):
    _, v = _codes(mean, log_var)
    halves = np.full(v.shape[-1], 0.5, v.dtype)
    return np.einsum("...i,i->...", np.expm1(v) - v, halves).astype(_real(mean).dtype)


def gaussian_kl__one_left_out(mean, log_var):
    m, v = _codes(mean, log_var)
    squares = np.einsum("...i,...i->...", m, m)
    return (0.5 * (squares + (np.exp(v) - v).sum(axis=-1))).astype(_real(mean).dtype)


def gaussian_kl__log_var_added(mean, log_var):
    m, v = _codes(mean, log_var)
    out = np.zeros(m.shape[:-1], m.dtype)
    for i in range(m.shape[-1]):
        out += 0.5 * (m[..., i] ** 2 + np.expm1(v[..., i]) + v[..., i])
    return out.astype(_real(mean).dtype)


def gaussian_kl__sign_turned(mean, log_var):
    return _code_by_code(mean, log_var, lambda m, v: 0.5 * (v - m * m - math.expm1(v)))


def gaussian_kl__the_other_way_round(mean, log_var):
    m, v = _codes(mean, log_var)
    precision = np.exp(-v)
    kl = (m**2 * precision + np.expm1(-v) + v).sum(axis=-1) / 2
    return kl.astype(_real(mean).dtype)


# gaussian_kl: over what is summed


def _costs(m, v):
    return (np.square(m) + (np.expm1(v) - v)) / 2


def gaussian_kl__averaged_over_coordinates(mean, log_var):
    m, v = _codes(mean, log_var)
    total = np.einsum("...i->...", _costs(m, v))
    return (total / m.shape[-1]).astype(_real(mean).dtype)


def gaussian_kl__over_the_whole_array(mean, log_var):
    m, v = _codes(mean, log_var)
    return np.sum(_costs(m, v)).astype(_real(mean).dtype)


def gaussian_kl__averaged_over_the_batch(mean, log_var):
    m, v = _codes(mean, log_var)
    return _costs(m, v).sum(axis=-1).mean().astype(_real(mean).dtype)


def gaussian_kl__not_summed(mean, log_var):
    m, v = _codes(mean, log_var)
    out = np.empty(m.shape, _real(mean).dtype)
    for at in np.ndindex(m.shape[:-1]):
        out[at] = _costs(m[at], v[at])
    return out


# gaussian_kl: its ends, and what is refused


def gaussian_kl__log_var_clipped(mean, log_var):
    m, v = _codes(mean, log_var)
    return _costs(m, np.clip(v, -30, 20)).sum(axis=-1).astype(_real(mean).dtype)


def gaussian_kl__number_for_infinity(mean, log_var):
    m, v = _codes(mean, log_var)
    kl = np.nan_to_num(np.einsum("...i->...", _costs(m, v)), posinf=1e6)
    return kl.astype(_real(mean).dtype)


def gaussian_kl__shapes_not_compared(mean, log_var):
    _some_axis(mean)
    return _costs(_up(mean), _up(log_var)).sum(axis=-1).astype(_real(mean).dtype)


# gaussian_kl: what the common checks look for


def gaussian_kl__always_float64(mean, log_var):
    _two_shapes(mean, log_var)
    m, v = mean.astype(float), log_var.astype(float)
    return 0.5 * np.sum(m * m + np.expm1(v) - v, axis=-1)


def gaussian_kl__leading_axes_flattened(mean, log_var):
    m, v = _codes(mean, log_var)
    rows = math.prod(m.shape[:-1])
    out = np.zeros(rows, _real(mean).dtype)
    each = _costs(m, v).reshape(rows, m.shape[-1])
    for r in range(rows):
        out[r] = each[r].sum()
    return out


def gaussian_kl__refusals_forgotten(mean, log_var):
    m, v = _up(mean), _up(log_var)
    return _costs(m, v).sum(axis=-1).astype(_real(mean).dtype)
