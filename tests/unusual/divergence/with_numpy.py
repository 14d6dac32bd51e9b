"""Right answers that look different: every one must pass all checks."""

import math

import numpy as np
import scipy.special


def _floating(x):
    return x if np.issubdtype(x.dtype, np.floating) else x.astype("float64")


def _wide(x):
    x = _floating(x)
    return x.astype("float32") if x.dtype == np.float16 else x


def _axis(axis, x):
    if axis not in range(-x.ndim, x.ndim):
        raise ValueError(f"no axis={axis} in shape {x.shape}")


def _distribution(axis, **arrays):
    first = next(iter(arrays.values()))
    for name, x in arrays.items():
        if x.shape != first.shape:
            raise ValueError(f"{name} has shape {x.shape}, which is not {first.shape}")
        _axis(axis, x)
        x = _floating(x)
        limit = max(1e-3, 8 * x.shape[axis] * float(np.finfo(x.dtype).eps))
        if np.any(x < 0):
            raise ValueError(f"{name} has a negative entry: {x.min()}")
        for total in np.ravel(x.sum(axis=axis, dtype="float64")):
            if not abs(total - 1) <= limit:
                raise ValueError(f"{name} is not normalized: a row sums to {total}")


def entropy__scipy_entr(p, axis=-1):
    _distribution(axis, p=p)
    return scipy.special.entr(_wide(p)).sum(axis=axis).astype(_floating(p).dtype)


def entropy__python_loop(p, axis=-1):
    _distribution(axis, p=p)

    def row(x):
        return math.fsum(-v * math.log(v) for v in map(float, x) if v > 0)

    if p.size == 0:
        return _floating(p).sum(axis=axis)
    return np.apply_along_axis(row, axis, _floating(p)).astype(_floating(p).dtype)


def entropy__where_then_einsum(p, axis=-1):
    _distribution(axis, p=p)
    x = np.moveaxis(_wide(p), axis, -1)
    logs = np.log(np.where(x > 0, x, x.dtype.type(1)))
    return (-np.einsum("...i,...i->...", x, logs)).astype(_floating(p).dtype)


def entropy__in_bits_and_back(p, axis=-1):
    _distribution(axis, p=p)
    x = _wide(p)
    bits = np.log2(x, out=np.zeros(x.shape, x.dtype), where=x > 0)
    return (-(x * bits).sum(axis=axis) * x.dtype.type(math.log(2))).astype(_floating(p).dtype)


def kl_divergence__scipy_rel_entr(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    terms = scipy.special.rel_entr(_wide(p), _wide(q))
    return terms.sum(axis=axis).astype(_floating(p).dtype)


def kl_divergence__cross_entropy_less_entropy(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    x, y = _wide(p), _wide(q)
    crossed = -scipy.special.xlogy(x, y).sum(axis=axis)
    return (crossed - scipy.special.entr(x).sum(axis=axis)).astype(_floating(p).dtype)


def kl_divergence__cut_off_at_zero(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    x, y = _wide(p), _wide(q)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(x > 0, x * (np.log(x) - np.log(y)), 0)
    return np.maximum(terms.sum(axis=axis), 0).astype(_floating(p).dtype)


def kl_divergence__python_loop(p, q, axis=-1):
    _distribution(axis, p=p, q=q)

    def row(pair):
        total = []
        for x, y in zip(*np.split(pair.astype(float), 2), strict=True):
            if x > 0:
                total.append(x * math.log(x / y) if y > 0 else math.inf)
        return math.fsum(total)

    both = np.concatenate([_floating(p), _floating(q)], axis=axis)
    if p.size == 0:
        return _floating(p).sum(axis=axis)
    return np.apply_along_axis(row, axis, both).astype(_floating(p).dtype)


def js_divergence__of_entropies(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    x, y = _wide(p), _wide(q)
    apart = [scipy.special.entr(one).sum(axis=axis) for one in (x, y)]
    together = scipy.special.entr((x + y) / 2).sum(axis=axis)
    return (together - (apart[0] + apart[1]) / 2).astype(_floating(p).dtype)


def js_divergence__scipy_rel_entr(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    x, y = _wide(p), _wide(q)
    m = x / 2 + y / 2
    terms = scipy.special.rel_entr(x, m) + scipy.special.rel_entr(y, m)
    return (terms.sum(axis=axis) / 2).astype(_floating(p).dtype)


def js_divergence__stacked_and_clipped(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    both = np.stack([np.moveaxis(_wide(p), axis, -1), np.moveaxis(_wide(q), axis, -1)])
    m = both.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(both > 0, both * (np.log(both) - np.log(m)), 0)
    out = np.clip(terms.sum(axis=-1).mean(axis=0), 0, None)
    return out.astype(_floating(p).dtype)


def _two_models(student, teacher, temperature):
    if temperature <= 0:
        raise ValueError(f"temperature={temperature} is not positive")
    if student.ndim < 1:
        raise ValueError(f"student_logits of shape {student.shape} have no classes")
    if teacher.shape != student.shape:
        raise ValueError(f"teacher_logits {teacher.shape} beside student_logits {student.shape}")


def distillation_loss__scipy(student_logits, teacher_logits, temperature=2.0):
    _two_models(student_logits, teacher_logits, temperature)
    s, t = (_wide(z) for z in (student_logits, teacher_logits))
    dtype = _floating(student_logits).dtype
    if s.size == 0:
        return np.array(np.nan, dtype)
    s, t = (z / z.dtype.type(temperature) for z in (s, t))
    with np.errstate(invalid="ignore"):
        log_q, log_p = scipy.special.log_softmax(s, -1), scipy.special.log_softmax(t, -1)
        terms = np.where(log_p == -np.inf, 0, np.exp(log_p) * (log_p - log_q))
        rows = np.where(np.isnan(log_p).any(-1), np.nan, terms.sum(-1))
    return (temperature**2 * rows.mean(dtype="float64")).astype(dtype)


def distillation_loss__expectation_of_logits(student_logits, teacher_logits, temperature=2.0):
    _two_models(student_logits, teacher_logits, temperature)
    z = np.stack([_wide(student_logits), _wide(teacher_logits)]).astype("float64")
    z = z.reshape(2, -1, z.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        s, t = (z - z.max(-1, keepdims=True)) / temperature
        e = np.exp(t)
        weight = e / e.sum(-1, keepdims=True)
        inside = np.where(weight == 0, 0, weight * (t - s)).sum(-1)
        rows = inside + np.log(np.exp(s).sum(-1)) - np.log(e.sum(-1))
        loss = temperature**2 * rows.sum() / np.float64(len(rows))
    return np.asarray(loss, _floating(student_logits).dtype)


def distillation_loss__row_by_row(student_logits, teacher_logits, temperature=2.0):
    _two_models(student_logits, teacher_logits, temperature)
    losses = []
    classes = student_logits.shape[-1]
    for s, t in zip(
        _wide(student_logits).reshape(-1, classes),
        _wide(teacher_logits).reshape(-1, classes),
        strict=True,
    ):
        with np.errstate(invalid="ignore", divide="ignore"):
            log_q, log_p = (
                x - np.log(np.exp(x).sum())
                for x in ((z - z.max()) / z.dtype.type(temperature) for z in (s, t))
            )
            p = np.exp(log_p)
            there = p != 0
            losses.append((p[there] * (log_p[there] - log_q[there])).sum(dtype="float64"))
    mean = temperature**2 * sum(losses) / len(losses) if losses else math.nan
    return np.array(mean, _floating(student_logits).dtype)


def _gaussian(mean, log_var):
    if mean.shape == ():
        raise ValueError(f"mean is a single number: its shape is {mean.shape}")
    if mean.shape != log_var.shape:
        raise ValueError(f"shapes {mean.shape} and {log_var.shape} of mean and log_var")


def gaussian_kl__three_sums(mean, log_var):
    _gaussian(mean, log_var)
    m, v = _wide(mean), _wide(log_var)
    with np.errstate(over="ignore"):
        out = (np.square(m).sum(-1) + (np.expm1(v) - v).sum(-1)) / 2
        return out.astype(_floating(mean).dtype)


def gaussian_kl__einsum(mean, log_var):
    _gaussian(mean, log_var)
    m, v = _wide(mean), _wide(log_var)
    with np.errstate(over="ignore"):
        squares = np.einsum("...i,...i->...", m, m, optimize=False)
        rest = np.add.reduce(np.expm1(v) - v, axis=-1)
        return (0.5 * squares + 0.5 * rest).astype(_floating(mean).dtype)


def gaussian_kl__product_of_ones(mean, log_var):
    _gaussian(mean, log_var)
    m, v = _wide(mean).astype("float64"), _wide(log_var).astype("float64")
    with np.errstate(over="ignore"):
        each = np.expm1(v) - v + m**2
        return (each @ np.full(each.shape[-1], 0.5)).astype(_floating(mean).dtype)


def _answers(reward, policy_logprobs, reference_logprobs, beta):
    if beta < 0:
        raise ValueError(f"a negative beta={beta} would pay for drifting")
    if policy_logprobs.shape[:-1] != reward.shape or policy_logprobs.ndim != reward.ndim + 1:
        raise ValueError(f"policy_logprobs {policy_logprobs.shape} for reward {reward.shape}")
    if reference_logprobs.shape != policy_logprobs.shape:
        raise ValueError(f"reference_logprobs of shape {reference_logprobs.shape}")


def kl_penalized_reward__product_with_ones(reward, policy_logprobs, reference_logprobs, beta):
    _answers(reward, policy_logprobs, reference_logprobs, beta)
    ratio = np.subtract(_wide(policy_logprobs), _wide(reference_logprobs))
    weights = np.full(ratio.shape[-1], beta, ratio.dtype)
    return (_wide(reward) - ratio @ weights).astype(_floating(reward).dtype)


def kl_penalized_reward__token_by_token(reward, policy_logprobs, reference_logprobs, beta):
    _answers(reward, policy_logprobs, reference_logprobs, beta)
    out = _wide(reward).copy()
    policy, reference = _wide(policy_logprobs), _wide(reference_logprobs)
    drift = np.zeros_like(out)
    for t in range(policy.shape[-1]):
        drift += policy[..., t] - reference[..., t]
    out -= beta * drift
    return out.astype(_floating(reward).dtype)


def kl_penalized_reward__mean_times_length(reward, policy_logprobs, reference_logprobs, beta):
    _answers(reward, policy_logprobs, reference_logprobs, beta)
    gap = _wide(reference_logprobs) - _wide(policy_logprobs)
    bonus = gap.mean(axis=1) * gap.dtype.type(gap.shape[1])
    return np.add(_wide(reward), beta * bonus).astype(_floating(reward).dtype)
