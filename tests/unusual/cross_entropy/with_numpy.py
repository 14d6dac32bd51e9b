"""Right but unusual answers to the cross-entropy exercises: every check must let them pass."""

import math

import numpy as np
import scipy.special


def _checked(logits, targets, ignore_index=None):
    """Logits wide enough to sum, targets, which tokens are kept, and the result's dtype."""
    if not np.issubdtype(targets.dtype, np.integer):
        raise ValueError(f"targets: integers are wanted, not {targets.dtype}")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets: shape {targets.shape} does not fit logits {logits.shape}")
    kept = np.ones(targets.shape, bool) if ignore_index is None else targets != ignore_index
    for target in np.asarray(targets)[kept].ravel().tolist():
        if not 0 <= target < logits.shape[-1]:
            raise ValueError(f"targets: {target} is not a class")
    dtype = logits.dtype if logits.dtype.kind == "f" else np.dtype(np.float64)
    wide = np.float32 if dtype == np.float16 else dtype
    return logits.astype(wide), np.asarray(targets), np.asarray(kept), dtype


def _one_hot(targets, classes):
    return np.arange(classes) == targets[..., None]


def cross_entropy__scipy_logsumexp(logits, targets, ignore_index=-100):
    z, t, kept, dtype = _checked(logits, targets, ignore_index)
    z, t = z[kept], t[kept]
    with np.errstate(all="ignore"):
        losses = scipy.special.logsumexp(z, axis=-1) - z[np.arange(len(t)), t]
        return (losses.sum() / np.float64(len(t))).astype(dtype)


def cross_entropy__scipy_log_softmax(logits, targets, ignore_index=-100):
    z, t, kept, dtype = _checked(logits, targets, ignore_index)
    with np.errstate(all="ignore"):
        logs = scipy.special.log_softmax(z, axis=-1)[kept]
        return np.asarray(-logs[_one_hot(t[kept], z.shape[-1])].mean(), dtype)


def cross_entropy__python_loop(logits, targets, ignore_index=-100):
    z, t, kept, dtype = _checked(logits, targets, ignore_index)
    total, count = 0.0, 0
    for row, target, counts in zip(
        z.reshape(-1, z.shape[-1]).tolist() if z.size else [], t.flat, kept.flat, strict=True
    ):
        if counts:
            top = max(row)
            if math.isinf(top):
                total = math.nan
            else:
                rest = math.fsum(math.exp(value - top) for value in row)
                total += math.log(rest) - (row[target] - top)
            count += 1
    return dtype.type(total / count if count else math.nan)


def cross_entropy__distances_to_the_target(logits, targets, ignore_index=-100):
    # log(1 + sum over the others of exp(z_j - z_t)), kept from overflowing by logaddexp
    z, t, kept, dtype = _checked(logits, targets, ignore_index)
    z, t = z[kept], t[kept]
    with np.errstate(all="ignore"):
        distances = z - np.take_along_axis(z, t[:, None], -1)
        losses = np.logaddexp.reduce(distances, axis=-1)
        impossible = np.isneginf(np.take_along_axis(z, t[:, None], -1)[:, 0])
        losses = np.where(np.isneginf(z).all(-1), np.nan, np.where(impossible, np.inf, losses))
        return np.asarray(losses.sum() / np.float64(len(t))).astype(dtype)


def _narrow(logits):
    """Shifted logits and their exponentials in the dtype that came; only sums are wider."""
    z = logits if logits.dtype.kind == "f" else logits.astype(float)
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted, np.exp(shifted), np.float32 if z.dtype == np.float16 else z.dtype


def cross_entropy__only_sums_are_widened(logits, targets, ignore_index=-100):
    _, t, kept, dtype = _checked(logits, targets, ignore_index)
    with np.errstate(all="ignore"):
        shifted, e, wide = _narrow(logits)
        losses = np.log(e.sum(axis=-1, dtype=wide))
        losses = losses - np.take_along_axis(shifted, np.where(kept, t, 0)[..., None], -1)[..., 0]
        total = np.where(kept, losses, 0).sum(dtype=wide)
        return np.asarray(total / kept.sum()).astype(dtype)


def cross_entropy_backward__only_sums_are_widened(logits, targets, ignore_index=-100):
    _, t, kept, dtype = _checked(logits, targets, ignore_index)
    with np.errstate(all="ignore"):
        _, e, wide = _narrow(logits)
        p = (e / e.sum(axis=-1, dtype=wide, keepdims=True)).astype(dtype)
        grad = (p - _one_hot(t, p.shape[-1]).astype(dtype)) / dtype.type(max(1, kept.sum()))
    return np.where(kept[..., None], grad, dtype.type(0))


def perplexity__only_sums_are_widened(logits, targets):
    _, t, _, dtype = _checked(logits, targets)
    with np.errstate(all="ignore"):
        shifted, e, wide = _narrow(logits)
        losses = np.log(e.sum(axis=-1, dtype=wide))
        losses = losses - np.take_along_axis(shifted, t[..., None], -1)[..., 0]
        return np.exp(losses.sum(dtype=wide) / np.float64(t.size)).astype(dtype)


def mse_backward__only_sums_are_widened(logits, targets):
    _, t, _, dtype = _checked(logits, targets)
    with np.errstate(all="ignore"):
        _, e, wide = _narrow(logits)
        p = (e / e.sum(axis=-1, dtype=wide, keepdims=True)).astype(dtype)
        d = p - _one_hot(t, p.shape[-1]).astype(dtype)
        mean = (d * p).sum(axis=-1, dtype=wide, keepdims=True).astype(dtype)
        return (p * (d - mean) * (2 / max(1, p.size))).astype(dtype)


def cross_entropy_backward__scipy_softmax(logits, targets, ignore_index=-100):
    z, t, kept, dtype = _checked(logits, targets, ignore_index)
    grad = np.zeros_like(z)
    with np.errstate(all="ignore"):
        grad[kept] = scipy.special.softmax(z[kept], axis=-1) - _one_hot(t[kept], z.shape[-1])
    grad /= max(1, int(kept.sum()))
    return grad.astype(dtype)


def cross_entropy_backward__exponential_of_log_softmax(logits, targets, ignore_index=-100):
    z, t, kept, dtype = _checked(logits, targets, ignore_index)
    with np.errstate(all="ignore"):
        weights = np.where(kept, 1 / np.float64(max(1, kept.sum())), 0)[..., None]
        p = np.exp(z - scipy.special.logsumexp(z, axis=-1, keepdims=True))
        grad = np.where(kept[..., None], p - _one_hot(t, z.shape[-1]), 0) * weights
    return grad.astype(dtype)


def cross_entropy_backward__row_by_row(logits, targets, ignore_index=-100):
    z, t, kept, dtype = _checked(logits, targets, ignore_index)
    grad = np.zeros(z.shape, dtype)
    with np.errstate(all="ignore"):
        for place in np.ndindex(t.shape):
            if kept[place]:
                e = np.exp(z[place] - z[place].max())
                row = e / np.add.reduce(e)
                row[t[place]] -= 1
                grad[place] = row / kept.sum()
    return grad


def label_smoothing_cross_entropy__smoothed_one_hot(logits, targets, smoothing=0.1):
    if smoothing < 0 or smoothing > 1:
        raise ValueError(f"smoothing is {smoothing}, outside [0, 1]")
    z, t, _, dtype = _checked(logits, targets)
    q = np.full(z.shape, smoothing / z.shape[-1])
    q = np.where(_one_hot(t, z.shape[-1]), q + (1 - smoothing), q)
    with np.errstate(all="ignore"):
        logs = scipy.special.log_softmax(z, axis=-1) if z.size else z
        losses = -np.where(q == 0, 0, q * logs).sum(axis=-1)
        losses = np.where(np.isneginf(z).all(axis=-1), np.nan, losses)
        return np.asarray(losses.sum() / np.float64(losses.size)).astype(dtype)


def label_smoothing_cross_entropy__between_two_losses(logits, targets, smoothing=0.1):
    if not (smoothing >= 0 and smoothing <= 1):
        raise ValueError(f"bad smoothing {smoothing}")
    z, t, _, dtype = _checked(logits, targets)
    parts = []
    with np.errstate(all="ignore"):
        norm = scipy.special.logsumexp(z, axis=-1) if z.size else z.sum(-1)
        if smoothing != 1:
            parts.append((1 - smoothing) * (norm - np.take_along_axis(z, t[..., None], -1)[..., 0]))
        if smoothing != 0:
            parts.append(smoothing * (norm - z.sum(axis=-1, dtype=z.dtype) / z.shape[-1]))
        return np.asarray(sum(parts)).sum().astype(np.float64).__truediv__(t.size).astype(dtype)


def label_smoothing_cross_entropy__python_loop(logits, targets, smoothing=0.1):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing}")
    z, t, _, dtype = _checked(logits, targets)
    losses = []
    for place in np.ndindex(t.shape):
        row = z[place].astype(float)
        top = row.max()
        norm = top + math.log(np.exp(row - top).sum()) if np.isfinite(top) else math.nan
        loss = 0.0
        if smoothing < 1:
            loss += (1 - smoothing) * (norm - row[t[place]])
        if smoothing > 0:
            loss += smoothing / len(row) * math.fsum(norm - value for value in row)
        losses.append(loss)
    return dtype.type(sum(losses) / len(losses) if losses else math.nan)


def perplexity__scipy_log_softmax(logits, targets):
    z, t, _, dtype = _checked(logits, targets)
    with np.errstate(all="ignore"):
        logs = scipy.special.log_softmax(z, axis=-1) if z.size else z
        picked = logs[_one_hot(t, z.shape[-1])]
        return np.asarray(1 / np.exp(picked.sum() / np.float64(t.size))).astype(dtype)


def perplexity__power_of_two(logits, targets):
    z, t, _, dtype = _checked(logits, targets)
    with np.errstate(all="ignore"):
        bits = (z - z.max(axis=-1, keepdims=True)).astype(np.float64) / math.log(2)
        losses = np.log2(np.exp2(bits).sum(axis=-1)) - np.take_along_axis(
            bits, t[..., None], axis=-1
        ).squeeze(-1)
        return np.exp2(losses.sum() / np.float64(t.size)).astype(dtype)


def perplexity__running_mean(logits, targets):
    z, t, _, dtype = _checked(logits, targets)
    mean = 0.0 if t.size else math.nan
    with np.errstate(all="ignore"):
        for seen, place in enumerate(np.ndindex(t.shape), start=1):
            row = z[place].astype(float)
            top = row.max()
            loss = np.log(np.exp(row - top).sum()) + (top - row[t[place]])
            mean = mean * ((seen - 1) / seen) + loss / seen
        return np.exp(np.float64(mean)).astype(dtype)


def mse_backward__through_the_jacobian(logits, targets):
    # small vocabularies only: a jacobian of 4000 classes would be 16 million numbers
    z, t, _, dtype = _checked(logits, targets)
    if z.shape[-1] > 100:
        return mse_backward__scipy_softmax(logits, targets)
    with np.errstate(all="ignore"):
        p = scipy.special.softmax(z, axis=-1) if z.size else z
        jacobian = p[..., :, None] * (np.eye(z.shape[-1]) - p[..., None, :])
        d = p - _one_hot(t, z.shape[-1])
        grad = np.einsum("...ij,...i->...j", jacobian, 2 * d / max(1, z.size))
    return grad.astype(dtype)


def mse_backward__scipy_softmax(logits, targets):
    z, t, _, dtype = _checked(logits, targets)
    with np.errstate(all="ignore"):
        p = scipy.special.softmax(z, axis=-1) if z.size else z
        y = _one_hot(t, z.shape[-1])
        of_p = 2 * (p - y) / max(1, z.size)
        grad = p * of_p - p * np.sum(p * of_p, axis=-1, keepdims=True)
    return grad.astype(dtype)


def mse_backward__without_a_one_hot(logits, targets):
    z, t, _, dtype = _checked(logits, targets)
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        target = np.take_along_axis(p, t[..., None], axis=-1)
        grad = p * (p - (p * p).sum(axis=-1, keepdims=True) + target)
        np.put_along_axis(
            grad, t[..., None], np.take_along_axis(grad, t[..., None], axis=-1) - target, axis=-1
        )
        return (grad * (2 / max(1, z.size))).astype(dtype)
