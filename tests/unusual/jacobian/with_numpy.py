"""Right answers that look different: every one must pass all checks."""

import math

import numpy as np
import scipy.linalg


def _floating(x):
    return x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype("float64")


def _vector(x):
    if len(x.shape) != 1:
        raise ValueError(f"one point, please: x has shape {x.shape}")
    return np.array(x, dtype="float64")


def _fits(name, got, wanted):
    if np.shape(got) != wanted:
        raise ValueError(f"{name}: {np.shape(got)} instead of {wanted}")


def _five_points(g, h=2.0**-10):
    """The derivative of g(t) at 0: four points, fourth order."""
    return (8 * (g(h) - g(-h)) - (g(2 * h) - g(-2 * h))) / (12 * h)


def _ridders(g, h=0.1, times=10):
    """Ridders' tableau: shrink the step, keep the entry that seems best."""
    table, best, error = [], None, math.inf
    for i in range(times):
        row = [(g(h) - g(-h)) / (2 * h)]
        factor = 1.0
        for j in range(i):
            factor *= 1.96
            row.append((factor * row[j] - table[-1][j]) / (factor - 1))
            seems = max(np.abs(row[-1] - row[j]).max(), np.abs(row[-1] - table[-1][j]).max())
            if seems <= error:
                best, error = row[-1], seems
        table.append(row)
        h /= 1.4
    return best


def _chebyshev(g, points=12, reach=0.125):
    """The slope at 0 of the polynomial through values at Chebyshev points."""
    t = np.cos(np.pi * (np.arange(points) + 0.5) / points)
    values = np.stack([g(reach * s) for s in t])
    weights = np.linalg.inv(np.polynomial.chebyshev.chebvander(t, points - 1))
    coefficients = np.polynomial.chebyshev.chebder(weights @ values)
    return np.polynomial.chebyshev.chebval(0.0, coefficients) / reach


def numerical_jacobian__all_points_first(f, x, eps=1e-6):
    if eps <= 0:
        raise ValueError(f"eps={eps} is no step")
    at = _vector(x)
    points = at + eps * np.concatenate([np.identity(at.size), -np.identity(at.size)])
    up, down = np.split(np.apply_along_axis(f, 1, points), 2)
    apart = np.diagonal(np.subtract(*np.split(points, 2)))
    return np.transpose((up - down) / apart[:, np.newaxis])


def numerical_jacobian__rows_of_an_identity(f, x, eps=1e-6):
    if eps <= 0:
        raise ValueError(f"eps={eps} is no step")
    at = _vector(x)
    pairs = [(at + e, at - e) for e in eps * np.identity(at.size)]
    return np.column_stack([(f(a) - f(b)) / (a - b).sum() for a, b in pairs])


def numerical_jacobian__filled_in_place(f, x, eps=1e-6):
    if not eps > 0:
        raise ValueError(f"eps={eps} is no step")
    at = _vector(x)
    found = np.zeros((f(at).size, at.size))
    for j, old in enumerate(at.tolist()):
        at[j] = above = old + eps
        found[:, j] = f(at)
        at[j] = below = old - eps
        found[:, j] -= f(at)
        found[:, j] /= above - below
        at[j] = old
    return found


def jacobian__five_points(f, x):
    at = _vector(x)
    columns = [_five_points(lambda t, e=e: f(at + t * e)) for e in np.identity(at.size)]
    return np.array(columns).T.astype(_floating(x))


def jacobian__ridders(f, x):
    at = _vector(x)
    columns = [_ridders(lambda t, e=e: f(at + t * e)) for e in np.identity(at.size)]
    return np.array(columns).T.astype(_floating(x))


def jacobian__chebyshev(f, x):
    at = _vector(x)
    columns = [_chebyshev(lambda t, e=e: f(at + t * e)) for e in np.identity(at.size)]
    return np.array(columns).T.astype(_floating(x))


def jvp__five_points(f, x, v):
    at = _vector(x)
    _fits("v", v, at.shape)
    size = float(np.abs(v.astype("float64")).max())
    if size == 0:
        return (0 * f(at)).astype(_floating(x))
    unit = v / size
    return (size * _five_points(lambda t: f(at + t * unit))).astype(_floating(x))


def jvp__chebyshev(f, x, v):
    at = _vector(x)
    _fits("v", v, at.shape)
    size = np.linalg.norm(v.astype("float64"))
    unit = v / (size or 1.0)
    return (_chebyshev(lambda t: f(at + t * unit)) * size).astype(_floating(x))


def jvp__ridders(f, x, v):
    at = _vector(x)
    _fits("v", v, at.shape)
    size = math.hypot(*v.astype("float64").tolist())
    unit = v.astype("float64") / max(size, 1e-200)
    return (_ridders(lambda t: f(at + t * unit), times=8) * size).astype(_floating(x))


def vjp__weights_first(f, x, u):
    at = _vector(x)
    _fits("u", u, f(at).shape)
    w = u.astype("float64")
    middle = f(at)
    found = [_five_points(lambda t, e=e: w @ (f(at + t * e) - middle)) for e in np.eye(at.size)]
    return np.array(found).astype(_floating(x))


def vjp__through_the_jacobian(f, x, u):
    at = _vector(x)
    _fits("u", u, f(at).shape)
    columns = [_ridders(lambda t, e=e: f(at + t * e)) for e in np.identity(at.size)]
    return np.einsum("i,ji->j", u.astype("float64"), np.array(columns)).astype(_floating(x))


def vjp__chebyshev(f, x, u):
    at = _vector(x)
    _fits("u", u, f(at).shape)
    columns = [_chebyshev(lambda t, e=e: f(at + t * e)) for e in np.identity(at.size)]
    return np.array([np.dot(u.astype("float64"), c) for c in columns]).astype(_floating(x))


def _matrices(jacobian):
    if jacobian.ndim < 2:
        raise ValueError(f"jacobian has shape {jacobian.shape}: no matrix")
    wide = np.promote_types(_floating(jacobian), "float32")
    return jacobian.astype(wide)


def _or_inf(jacobian, largest, smallest):
    eps = np.finfo(_matrices(jacobian).dtype).eps
    kept = smallest > max(jacobian.shape[-2:]) * eps * largest
    found = np.full(largest.shape, np.inf, _matrices(jacobian).dtype)
    np.divide(largest, smallest, out=found, where=kept)
    with np.errstate(over="ignore"):
        return found.astype(_floating(jacobian))


def condition_number__norms(jacobian):
    a = _matrices(jacobian)
    largest = np.linalg.norm(a, 2, axis=(-2, -1))
    return _or_inf(jacobian, largest, np.linalg.norm(a, -2, axis=(-2, -1)))


def condition_number__matrix_by_matrix(jacobian):
    a = _matrices(jacobian)
    sigma = [scipy.linalg.svdvals(one) for one in a.reshape(math.prod(a.shape[:-2]), *a.shape[-2:])]
    largest = np.array([s.max() for s in sigma], a.dtype).reshape(a.shape[:-2])
    smallest = np.array([s.min() for s in sigma], a.dtype).reshape(a.shape[:-2])
    return _or_inf(jacobian, largest, smallest)


def condition_number__numpy_cond(jacobian):
    a = _matrices(jacobian)
    with np.errstate(all="ignore"):
        found = np.atleast_1d(np.linalg.cond(a)) if a.size else np.zeros(a.shape[:-2])
        lost = ~(found * max(a.shape[-2:]) * np.finfo(a.dtype).eps < 1)
        found = np.where(lost, np.inf, found).reshape(a.shape[:-2])
        return found.astype(_floating(jacobian))


def condition_number__with_the_vectors(jacobian):
    a = _matrices(np.swapaxes(jacobian, -1, -2)) if jacobian.ndim > 1 else _matrices(jacobian)
    _, sigma, _ = np.linalg.svd(a, full_matrices=False)
    return _or_inf(jacobian, sigma.max(axis=-1), sigma.min(axis=-1))
