"""Known mistakes as a student writes them who has never seen our reference.

Each function is ``<exercise>__<mistake>``: that one mistake, the rest right.
"""

import numpy as np


def _real(a):
    return a if np.issubdtype(a.dtype, np.floating) else a.astype("float64")


def _room(a):
    """The same with room to sum in."""
    a = _real(a)
    return a.astype("float32") if a.dtype == np.float16 else a


def _need_table(x):
    if len(x.shape) != 2:
        raise ValueError(f"x of shape {x.shape} is no table")
    if len(x) < 2:
        raise ValueError(f"x of shape {x.shape} has too few rows to vary")


def _narrow(result, x):
    with np.errstate(over="ignore"):
        return result.astype(_real(x).dtype)


def _pair_by_pair(x, centred, divisor):
    """One covariance after the other."""
    columns = [centred[:, j] for j in range(centred.shape[1])]
    result = np.zeros((len(columns), len(columns)), centred.dtype)
    for i, one in enumerate(columns):
        for j, other in enumerate(columns):
            result[i, j] = sum(a * b for a, b in zip(one, other, strict=True)) / divisor
    return _narrow(result, x)


def covariance__divided_by_n(x):
    _need_table(x)
    data = _room(x)
    centred = data - np.einsum("nd->d", data) / len(data)
    return _pair_by_pair(x, centred, len(data))


def covariance__not_divided(x):
    _need_table(x)
    data = _room(x)
    centred = data - np.mean(data, 0)
    return _narrow(np.einsum("ni,nj->ij", centred, centred), x)


def covariance__divided_by_columns(x):
    _need_table(x)
    data = _room(x)
    centred = data - data.sum(axis=0) / data.shape[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return _narrow(np.dot(centred.T, centred) / (data.shape[1] - 1), x)


def covariance__not_centred(x):
    _need_table(x)
    data = _room(x)
    return _pair_by_pair(x, data, len(data) - 1)


def covariance__centred_each_row(x):
    _need_table(x)
    centred = np.array([row - row.sum() / len(row) for row in _room(x)])
    return _narrow(np.einsum("ni,nj->ij", centred, centred) / (len(centred) - 1), x)


def covariance__one_mean_for_all(x):
    _need_table(x)
    data = _room(x)
    centred = data - np.sum(data) / data.size
    return _narrow(np.tensordot(centred, centred, axes=(0, 0)) / (len(data) - 1), x)


def covariance__mean_square_less_squared_mean(x):
    _need_table(x)
    data = _room(x)
    n = data.shape[0]
    mean = data.mean(axis=0)
    mean_square = np.einsum("ni,nj->ij", data, data) / n
    return _narrow((mean_square - np.outer(mean, mean)) * n / (n - 1), x)


def covariance__rows_with_rows(x):
    _need_table(x)
    data = _room(x)
    centred = data - np.mean(data, axis=0)
    result = np.empty((len(data), len(data)), data.dtype)
    for i, row in enumerate(centred):
        for j, other in enumerate(centred):
            result[i, j] = np.dot(row, other)
    return _narrow(result / (len(data) - 1), x)


def covariance__variances_only(x):
    _need_table(x)
    data = _room(x)
    result = np.zeros((data.shape[1], data.shape[1]), data.dtype)
    for j in range(data.shape[1]):
        result[j, j] = np.var(data[:, j], ddof=1)
    return _narrow(result, x)


def covariance__one_triangle(x):
    _need_table(x)
    data = _room(x)
    result = np.zeros((data.shape[1], data.shape[1]), data.dtype)
    centred = data - data.mean(axis=0)
    for i in range(data.shape[1]):
        for j in range(i + 1):
            result[i, j] = centred[:, i] @ centred[:, j] / (len(data) - 1)
    return _narrow(result, x)


def covariance__correlation(x):
    _need_table(x)
    data = _room(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (data - data.mean(axis=0)) / data.std(axis=0, ddof=1)
    return _narrow(np.einsum("ni,nj->ij", z, z) / (len(data) - 1), x)


def covariance__small_numbers_cut(x):
    _need_table(x)
    data = _room(x)
    centred = data - data.mean(axis=0)
    result = np.einsum("ni,nj->ij", centred, centred) / (len(data) - 1)
    for j in range(len(result)):
        result[j, j] += 1e-8
    return _narrow(result, x)


def covariance__half_precision_running_sum(x):
    _need_table(x)
    centred = (_room(x) - _room(x).mean(axis=0)).astype(_real(x).dtype)
    total = np.zeros((x.shape[1], x.shape[1]), centred.dtype)
    with np.errstate(over="ignore"):
        for row in centred:
            total += np.outer(row, row)
    return (total / (len(x) - 1)).astype(centred.dtype)


def covariance__half_precision_sum(x):
    _need_table(x)
    data = _real(x)
    with np.errstate(over="ignore", invalid="ignore"):
        centred = data - data.mean(axis=0)
        return np.einsum("ni,nj->ij", centred, centred) / data.dtype.type(len(data) - 1)


def covariance__always_float64(x):
    _need_table(x)
    result = np.zeros((x.shape[1], x.shape[1]))
    mean = x.mean(axis=0, dtype=float)
    for row in x:
        result += np.outer(row - mean, row - mean)
    return result / (len(x) - 1)


def covariance__input_overwritten(x):
    _need_table(x)
    data = _room(x)
    for j in range(data.shape[1]):
        data[:, j] -= data[:, j].mean()
    return _narrow(np.einsum("ni,nj->ij", data, data) / (len(data) - 1), x)


def covariance__half_returned_wide(x):
    _need_table(x)
    data = _room(x)
    return np.atleast_2d(np.cov(data, rowvar=False, dtype=data.dtype))
