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


def _need_integers(logits, targets):
    if logits.ndim < 1:
        raise ValueError(f"logits of shape {logits.shape} has no classes")
    if not np.issubdtype(targets.dtype, np.integer):
        raise ValueError(f"targets of dtype {targets.dtype} are no classes")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets of shape {targets.shape} for logits of shape {logits.shape}")


def _need_classes(logits, targets, ignore_index):
    for target in targets.ravel().tolist():
        if target != ignore_index and not 0 <= target < logits.shape[-1]:
            raise ValueError(f"targets holds {target}: there are {logits.shape[-1]} classes")


def _need(logits, targets, ignore_index):
    _need_integers(logits, targets)
    _need_classes(logits, targets, ignore_index)


def _probs(z):
    with np.errstate(invalid="ignore"):
        powers = np.exp(z - np.expand_dims(np.max(z, axis=-1), -1))
        return powers / np.einsum("...v->...", powers)[..., None]


def _one_hot(targets, classes, dtype):
    """Rows of zeros for what is no class."""
    return (targets[..., None] == np.arange(classes)).astype(dtype)


def _tokens(logits, targets, ignore_index):
    """``(place, logits of the token, its target)`` of each token that is kept."""
    for place in np.ndindex(targets.shape):
        if targets[place] != ignore_index:
            yield place, logits[place], targets[place]


def _many(targets, ignore_index):
    return sum(1 for target in targets.ravel() if target != ignore_index)


def cross_entropy_backward__no_maximum_subtracted(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _room(logits)
    result = np.zeros(z.shape, z.dtype)
    many = _many(targets, ignore_index)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for place, row, target in _tokens(z, targets, ignore_index):
            p = np.exp(row) / sum(np.exp(score) for score in row)
            p[target] -= 1
            result[place] = p / many
    return result.astype(_real(logits).dtype)


def cross_entropy_backward__maximum_of_the_whole_array(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _room(logits)
    kept = targets != ignore_index
    with np.errstate(invalid="ignore", divide="ignore"):
        powers = np.exp(z - np.max(z, initial=-np.inf))
        p = powers / powers.sum(axis=-1)[..., None]
    difference = (p - _one_hot(targets, z.shape[-1], z.dtype)) / max(1, np.count_nonzero(kept))
    return np.where(kept[..., None], difference, 0).astype(_real(logits).dtype)


def cross_entropy_backward__range_not_checked(logits, targets, ignore_index=-100):
    _need_integers(logits, targets)
    z = _room(logits)
    result = np.zeros(z.shape, z.dtype)
    many = _many(targets, ignore_index)
    for place, row, target in _tokens(z, targets, ignore_index):
        p = _probs(row)
        p[target] -= 1
        result[place] = p / many
    return result.astype(_real(logits).dtype)


def cross_entropy_backward__targets_not_checked(logits, targets, ignore_index=-100):
    z = _room(logits)
    p = _probs(z).reshape(-1, z.shape[-1])
    labels = np.ravel(targets)
    many = np.sum(labels != ignore_index)
    result = np.zeros_like(p)
    for row, out, label in zip(p, result, labels, strict=False):
        if label != ignore_index:
            if not 0 <= label < len(row):
                raise ValueError(f"targets holds {label}: there are {len(row)} classes")
            out[:] = row
            out[int(label)] -= 1
            out /= many
    return result.reshape(z.shape).astype(_real(logits).dtype)


def cross_entropy_backward__int64_only(logits, targets, ignore_index=-100):
    if targets.dtype != np.int64:
        raise ValueError(f"targets must be int64, not targets of dtype {targets.dtype}")
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    kept = targets != ignore_index
    p = p - _one_hot(targets, p.shape[-1], p.dtype)
    p[np.logical_not(kept)] = 0
    return (p / max(np.sum(kept), 1)).astype(_real(logits).dtype)


def cross_entropy_backward__observed_minus_predicted(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    kept = targets != ignore_index
    push = (_one_hot(targets, p.shape[-1], p.dtype) - p) / max(np.sum(kept), 1)
    return np.where(kept[..., None], push, 0).astype(_real(logits).dtype)


def cross_entropy_backward__one_hot_forgotten(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _room(logits)
    result = np.zeros(z.shape, z.dtype)
    for place, row, _ in _tokens(z, targets, ignore_index):
        result[place] = _probs(row)
    return (result / max(1, _many(targets, ignore_index))).astype(_real(logits).dtype)


def cross_entropy_backward__target_set_to_minus_one(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    kept = targets != ignore_index
    here = _one_hot(targets, p.shape[-1], bool)
    grad = np.where(here, -1, p) / p.dtype.type(max(kept.sum(), 1))
    return np.where(kept[..., None], grad, 0).astype(_real(logits).dtype)


def cross_entropy_backward__only_two_axes(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    kept = targets != ignore_index
    for i in range(p.shape[0]):
        if kept[i]:
            p[i, targets[i]] -= 1
        else:
            p[i, :] = 0
    return (p / max(kept.sum(), 1)).astype(_real(logits).dtype)


def cross_entropy_backward__not_divided(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    difference = p - _one_hot(targets, p.shape[-1], p.dtype)
    difference[targets == ignore_index] = 0
    return difference.astype(_real(logits).dtype)


def cross_entropy_backward__divided_by_all_tokens(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _room(logits)
    result = np.zeros(z.shape, z.dtype)
    for place, row, target in _tokens(z, targets, ignore_index):
        p = _probs(row)
        p[target] -= 1
        result[place] = p / targets.size
    return result.astype(_real(logits).dtype)


def cross_entropy_backward__divided_by_the_elements(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    kept = targets != ignore_index
    difference = p - _one_hot(targets, p.shape[-1], p.dtype)
    difference[~kept] = 0
    return (difference / max(1, difference[kept].size)).astype(_real(logits).dtype)


def cross_entropy_backward__ignored_rows_not_zeroed(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    classes = np.where(targets == ignore_index, 0, targets)
    y = np.identity(p.shape[-1], p.dtype)[classes]
    return ((p - y) / max(1, np.sum(targets != ignore_index))).astype(_real(logits).dtype)


def cross_entropy_backward__one_hot_zeroed_only(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    many = max(1, _many(targets, ignore_index))
    for place, _, target in _tokens(p, targets, ignore_index):
        p[place][target] -= 1
    return (p / many).astype(_real(logits).dtype)


def cross_entropy_backward__multiplied_by_the_mask(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    mask = (targets != ignore_index).astype(p.dtype)
    difference = p - _one_hot(targets, p.shape[-1], p.dtype)
    masked = np.einsum("...v,...->...v", difference, mask)
    return (masked / max(1, mask.sum())).astype(_real(logits).dtype)


def cross_entropy_backward__divided_by_no_tokens(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(_room(logits))
    kept = targets != ignore_index
    difference = p - _one_hot(targets, p.shape[-1], p.dtype)
    difference[~kept] = 0
    with np.errstate(invalid="ignore"):
        return (difference / np.sum(kept)).astype(_real(logits).dtype)


def cross_entropy_backward__ignore_index_hard_coded(logits, targets, ignore_index=-100):
    _need(logits, targets, -100)
    z = _room(logits)
    result = np.zeros(z.shape, z.dtype)
    for place, row, target in _tokens(z, targets, -100):
        p = _probs(row)
        p[target] -= 1
        result[place] = p / _many(targets, -100)
    return result.astype(_real(logits).dtype)


def cross_entropy_backward__epsilon_in_the_logarithm(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _room(logits)
    result = np.zeros(z.shape, z.dtype)
    many = _many(targets, ignore_index)
    for place, row, target in _tokens(z, targets, ignore_index):
        p = _probs(row)
        upstream = np.zeros_like(p)
        upstream[target] = -1 / (p[target] + 1e-7) / many
        result[place] = p * (upstream - upstream @ p)
    return result.astype(_real(logits).dtype)


def cross_entropy_backward__normalized_over_the_batch(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _room(logits)
    kept = targets != ignore_index
    with np.errstate(invalid="ignore", divide="ignore"):
        powers = np.exp(z - np.max(z, initial=-np.inf))
        p = powers / np.sum(powers)
    p = p - _one_hot(targets, p.shape[-1], p.dtype)
    p[~kept] = 0
    return (p / max(1, kept.sum())).astype(_real(logits).dtype)


def cross_entropy_backward__half_precision_sum(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _real(logits)
    result = np.zeros(z.shape, z.dtype)
    many = _many(targets, ignore_index)
    with np.errstate(invalid="ignore"):
        for place, row, target in _tokens(z, targets, ignore_index):
            powers = np.exp(row - row.max())
            total = powers.dtype.type(0)
            for power in powers:
                total += power
            p = powers / total
            p[target] -= 1
            result[place] = p / many
    return result


def cross_entropy_backward__always_float64(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    p = _probs(logits.astype(float))
    grad = np.zeros(p.shape)
    for place, row, target in _tokens(p, targets, ignore_index):
        grad[place] = row - np.eye(len(row))[target]
    return grad / max(1, _many(targets, ignore_index))


def cross_entropy_backward__input_overwritten(logits, targets, ignore_index=-100):
    _need(logits, targets, ignore_index)
    z = _room(logits)
    kept = targets != ignore_index
    with np.errstate(invalid="ignore"):
        z -= z.max(axis=-1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    p = (p - _one_hot(targets, p.shape[-1], p.dtype)) / max(1, kept.sum())
    return np.where(kept[..., None], p, 0).astype(_real(logits).dtype)


def cross_entropy_backward__value_not_said(logits, targets, ignore_index=-100):
    kept = targets != ignore_index
    classes = logits.shape[-1]
    integers = targets.dtype.kind in "iu" and targets.shape == logits.shape[:-1]
    if not integers or (
        targets[kept].size and not 0 <= min(targets[kept]) <= max(targets[kept]) < classes
    ):
        raise ValueError("wrong labels")
    p = _probs(_room(logits)) - _one_hot(targets, classes, _room(logits).dtype)
    p[~kept] = 0
    return (p / max(1, kept.sum())).astype(_real(logits).dtype)
