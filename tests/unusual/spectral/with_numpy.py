"""Right answers that look different: every one must pass all checks."""

import math

import numpy as np
import scipy.linalg


def _floating(x):
    return x if np.issubdtype(x.dtype, np.floating) else x.astype("float64")


def _wide(x):
    x = _floating(x)
    return x.astype("float32") if x.dtype == np.float16 else x


def _rows(x):
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"x of shape {x.shape} is not a table of two rows or more")


def covariance__numpy_cov(x):
    _rows(x)
    return np.atleast_2d(np.cov(_wide(x), rowvar=False)).astype(_floating(x).dtype)


def covariance__loop_over_pairs(x):
    _rows(x)
    w = _wide(x)
    n, d = w.shape
    means = [w[:, j].mean() for j in range(d)]
    out = np.zeros((d, d), w.dtype)
    for i in range(d):
        for j in range(d):
            out[i, j] = np.dot(w[:, i] - means[i], w[:, j] - means[j]) / (n - 1)
    return out.astype(_floating(x).dtype)


def covariance__einsum(x):
    _rows(x)
    w = _wide(x)
    c = w - np.einsum("ij->j", w) / len(w)
    return (np.einsum("ni,nj->ij", c, c) / (len(w) - 1)).astype(_floating(x).dtype)


def covariance__in_float64(x):
    _rows(x)
    w = x.astype("float64")
    w = (w - w.mean(axis=0)) / math.sqrt(len(w) - 1)
    return (w.T @ w).astype(_floating(x).dtype)


def covariance__welford(x):
    _rows(x)
    w = _wide(x)
    mean, out = w[0] * 0, np.zeros((w.shape[1],) * 2, w.dtype)
    for i, row in enumerate(w):
        before = row - mean
        mean = mean + before / w.dtype.type(i + 1)
        out += np.outer(before, row - mean)
    return (out / w.dtype.type(len(w) - 1)).astype(_floating(x).dtype)


def _check_k(x, k):
    _rows(x)
    if k < 1 or k > min(len(x) - 1, x.shape[1]):
        raise ValueError(f"k={k} components do not exist in {x.shape}")


def pca__svd_always(x, k):
    _check_k(x, k)
    w = _wide(x)
    _, s, vt = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)
    variance = (s / w.dtype.type(math.sqrt(len(w) - 1))) ** 2
    return vt[:k].astype(_floating(x).dtype), variance[:k].astype(_floating(x).dtype)


def pca__eigh_in_float64(x, k):
    _check_k(x, k)
    w = x.astype("float64")
    w = w - w.mean(axis=0)
    values, vectors = scipy.linalg.eigh(w.T @ w / (len(w) - 1))
    order = np.argsort(-values)[:k]
    dtype = _floating(x).dtype
    return vectors[:, order].T.astype(dtype), values[order].astype(dtype)


def pca__other_signs(x, k):
    """Each component points to the side where its largest number is positive."""
    components, variance = pca__svd_always(x, k)
    largest = np.abs(components).argmax(axis=1)
    signs = np.where(components[np.arange(k), largest] < 0, -1, 1)
    return components * signs[:, None].astype(components.dtype), variance


def pca__svd_of_the_transpose(x, k):
    _check_k(x, k)
    w = _wide(x)
    u, s, _ = np.linalg.svd((w - w.mean(axis=0)).T, full_matrices=False)
    variance = s[:k] * (s[:k] / (len(w) - 1))
    return u.T[:k].astype(_floating(x).dtype), variance.astype(_floating(x).dtype)


def pca_project__one_component_at_a_time(x, components):
    if x.ndim < 2 or components.ndim < 2 or x.shape[-1] != components.shape[-1]:
        raise ValueError(f"x {x.shape} and components {components.shape} do not fit")
    c = _wide(x) - _wide(x).mean(axis=-2, keepdims=True)
    v = _wide(components)
    columns = [(c * v[..., i, None, :]).sum(axis=-1) for i in range(v.shape[-2])]
    return np.stack(columns, axis=-1).astype(_floating(x).dtype)


def pca_project__einsum(x, components):
    if x.ndim < 2 or components.ndim < 2 or x.shape[-1] != components.shape[-1]:
        raise ValueError(f"x {x.shape} and components {components.shape} do not fit")
    c = _wide(x) - np.expand_dims(np.mean(_wide(x), axis=-2), -2)
    return np.einsum("...nd,...kd->...nk", c, _wide(components)).astype(_floating(x).dtype)


def pca_project__mean_subtracted_after(x, components):
    if x.ndim < 2 or components.ndim < 2 or x.shape[-1] != components.shape[-1]:
        raise ValueError(f"x {x.shape} and components {components.shape} do not fit")
    v = np.swapaxes(_wide(components), -1, -2)
    w = _wide(x)
    return (w @ v - w.mean(axis=-2, keepdims=True) @ v).astype(_floating(x).dtype)


def _fits(z, components, mean):
    if z.ndim < 2 or components.ndim < 2 or z.shape[-1] != components.shape[-2]:
        raise ValueError(f"z {z.shape} and components {components.shape} do not fit")
    d = components.shape[-1]
    if mean.shape != (d,) and mean.shape != (*z.shape[:-2], d):
        raise ValueError(f"mean of shape {mean.shape} has not {d} numbers")


def pca_reconstruct__sum_of_outer_products(z, components, mean):
    _fits(z, components, mean)
    out = np.expand_dims(_wide(mean), -2)
    for i in range(z.shape[-1]):
        out = out + _wide(z)[..., :, i, None] * _wide(components)[..., i, None, :]
    return out.astype(_floating(z).dtype)


def pca_reconstruct__einsum(z, components, mean):
    _fits(z, components, mean)
    out = np.einsum("...nk,...kd->...nd", _wide(z), _wide(components))
    return (out + _wide(mean)[..., None, :]).astype(_floating(z).dtype)


def pca_reconstruct__mean_as_a_component(z, components, mean):
    """The mean is one more component, of which every row has 1."""
    _fits(z, components, mean)
    w, v, m = _wide(z), _wide(components), _wide(mean)[..., None, :]
    one = np.ones((*w.shape[:-1], 1), w.dtype)
    v = np.concatenate([v, np.broadcast_to(m, (*v.shape[:-2], *m.shape[-2:]))], axis=-2)
    return (np.concatenate([w, one], axis=-1) @ v).astype(_floating(z).dtype)


def _varied(x):
    _rows(x)
    if (np.ptp(x.astype("float64"), axis=0) == 0).all():
        raise ValueError("x does not vary: its variance is 0")


def explained_variance_ratio__singular_values(x):
    _varied(x)
    w = _wide(x)
    s = np.linalg.svd(w - w.mean(axis=0), compute_uv=False)
    s = s / s[0]
    return (s * s / (s * s).sum()).astype(_floating(x).dtype)


def explained_variance_ratio__covariance_in_float64(x):
    _varied(x)
    c = np.atleast_2d(np.cov(x.astype("float64"), rowvar=False))
    values = np.sort(np.linalg.eigvalsh(c))[::-1][: min(x.shape)]
    return (values / np.trace(c)).astype(_floating(x).dtype)


def explained_variance_ratio__normalized_by_the_norm(x):
    _varied(x)
    w = _wide(x)
    w = w - w.mean(axis=0)
    w = w / np.linalg.norm(w / np.abs(w).max()) / np.abs(w).max()
    return (np.linalg.svd(w.T, compute_uv=False) ** 2).astype(_floating(x).dtype)


def _check_rank(w, rank):
    if w.ndim < 2:
        raise ValueError(f"w of shape {w.shape} is no matrix")
    if rank < 1 or rank > min(w.shape[-2:]):
        raise ValueError(f"rank={rank} does not exist in {w.shape}")


def low_rank_approximation__sum_of_triples(w, rank):
    _check_rank(w, rank)
    u, s, vt = np.linalg.svd(_wide(w))
    out = 0 * _wide(w)
    for i in range(rank):
        out = out + s[..., i, None, None] * u[..., :, i, None] * vt[..., i, None, :]
    return out.astype(_floating(w).dtype)


def low_rank_approximation__projected(w, rank):
    """Project the rows on the leading right singular vectors."""
    _check_rank(w, rank)
    v = np.linalg.svd(_wide(w), full_matrices=False)[2][..., :rank, :]
    return (_wide(w) @ np.swapaxes(v, -1, -2) @ v).astype(_floating(w).dtype)


def low_rank_approximation__rest_subtracted(w, rank):
    _check_rank(w, rank)
    u, s, vt = np.linalg.svd(_wide(w), full_matrices=False)
    rest = u[..., rank:] @ (s[..., rank:, None] * vt[..., rank:, :])
    return (_wide(w) - rest).astype(_floating(w).dtype)


def low_rank_approximation__scipy_one_by_one(w, rank):
    _check_rank(w, rank)
    out = np.zeros(w.shape)
    for index in np.ndindex(w.shape[:-2]):
        u, s, vt = scipy.linalg.svd(w[index].astype("float64"), full_matrices=False)
        s[rank:] = 0
        out[index] = u @ np.diag(s) @ vt
    return out.astype(_floating(w).dtype)


def _check_power(a, start, steps):
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"a of shape {a.shape} is not square")
    if start.shape != (len(a),):
        raise ValueError(f"start of shape {start.shape} does not fit")
    if steps <= 0:
        raise ValueError(f"steps={steps} is not positive")
    if not np.count_nonzero(start):
        raise ValueError("start is zero")


def power_iteration__python_floats(a, start, steps=100):
    _check_power(a, start, steps)
    rows = [[float(x) for x in row] for row in a]
    v = [float(x) for x in start]

    def times(v):
        return [math.fsum(x * y for x, y in zip(row, v, strict=True)) for row in rows]

    for _ in range(steps):
        v = times(v)
        size = math.hypot(*v)
        v = [x / size for x in v]
    value = math.fsum(x * y for x, y in zip(v, times(v), strict=True))
    dtype = _floating(a).dtype
    return np.asarray(value).astype(dtype), np.array(v).astype(dtype)


def power_iteration__library_eigenvalues(a, start, steps=100):
    """All eigenvalues at once: more than was asked, and right."""
    _check_power(a, start, steps)
    values, vectors = np.linalg.eigh(_wide(a).astype("float64"))
    i = np.argmax(np.abs(values))
    dtype = _floating(a).dtype
    return values[i].astype(dtype), vectors[:, i].astype(dtype)


def power_iteration__quotient_from_the_last_product(a, start, steps=100):
    """The last product serves the eigenvalue; an early end where nothing moves any more."""
    _check_power(a, start, steps)
    m = _wide(a).astype("float64")
    m, top = m / np.abs(m).max(), np.abs(m).max()
    v = start.astype("float64")
    v = -v / np.linalg.norm(v)
    for _ in range(steps):
        before, v = v, m @ v
        value = before @ v
        v = v / np.linalg.norm(v) * (1 if value > 0 else -1)
        if np.abs(v - before).max() < 1e-17:
            break
    dtype = _floating(a).dtype
    return np.asarray(value * top).astype(dtype), v.astype(dtype)


def power_iteration__powers_of_the_matrix(a, start, steps=100):
    _check_power(a, start, steps)
    m = _wide(a)
    m = m / np.abs(m).max()
    v = _wide(start).astype(m.dtype) / np.abs(_wide(start)).max()
    for bit in bin(steps)[:1:-1]:
        if bit == "1":
            v = m @ v
            v = v / np.abs(v).max()
        m = m @ m
        m = m / np.abs(m).max()
    v = v / np.linalg.norm(v)
    dtype = _floating(a).dtype
    return (v @ (_wide(a) @ v)).astype(dtype), v.astype(dtype)


def _matrices(w):
    if w.ndim < 2:
        raise ValueError(f"w of shape {w.shape} is no matrix")


def effective_rank__product_of_powers(w):
    _matrices(w)
    s = np.linalg.svd(_wide(w), compute_uv=False)
    with np.errstate(invalid="ignore"):
        p = s / s.sum(-1, keepdims=True)
        out = np.prod(p**-p, axis=-1)
    return np.where(s[..., 0] == 0, s[..., 0], out).astype(_floating(w).dtype)


def effective_rank__scipy_entropy(w):
    import scipy.stats

    _matrices(w)
    s = np.linalg.svd(w.astype("float64"), compute_uv=False)
    out = np.zeros(s.shape[:-1])
    for index in np.ndindex(out.shape):
        out[index] = np.exp(scipy.stats.entropy(s[index])) if s[index].any() else 0
    return out.astype(_floating(w).dtype)[()]


def effective_rank__logarithm_of_the_sum(w):
    """log total - (sum s log s) / total, with the largest singular value as the unit."""
    _matrices(w)
    s = np.linalg.svd(_wide(w), compute_uv=False)
    top = s[..., :1]
    s = s / np.where(top == 0, np.ones_like(top), top)
    total = s.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(s > 0, s * np.log(s), 0 * s).sum(axis=-1)
        out = np.exp(np.log(total) - each / total)
    return np.where(total > 0, out, 0 * total).astype(_floating(w).dtype)
