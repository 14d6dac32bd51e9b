"""Right answers that look different: every one must pass all checks."""

import torch


def _floating(x):
    return x if x.dtype.is_floating_point else x.to(torch.get_default_dtype())


def _wide(x):
    x = _floating(x)
    return x.to(torch.float32) if x.dtype in {torch.float16, torch.bfloat16} else x


def _distribution(axis, **arrays):
    first = next(iter(arrays.values()))
    for name, x in arrays.items():
        if x.shape != first.shape:
            raise ValueError(f"{name} has shape {tuple(x.shape)}, not {tuple(first.shape)}")
        if axis not in range(-x.ndim, x.ndim):
            raise ValueError(f"no axis={axis} in shape {tuple(x.shape)}")
        if x.is_cpu and x.numel():
            x = _floating(x).detach()
            least = x.min()
            if least < 0:
                raise ValueError(f"{name} has a negative entry: {least}")
            sums = x.to(torch.float64).sum(dim=axis).reshape(-1)
            worst = sums[(sums - 1).abs().argmax()]
            if (worst - 1).abs() > max(1e-3, 8 * x.shape[axis] * torch.finfo(x.dtype).eps):
                raise ValueError(f"{name} is not normalized: a row sums to {worst}")


def _log(x):
    """The logarithm, and 0 with gradient 0 where there is none."""
    there = x > 0
    return torch.log(torch.where(there, x, torch.ones_like(x)))


def entropy__chosen_before_the_logarithm(p, axis=-1):
    _distribution(axis, p=p)
    x = _wide(p)
    return -(x * _log(x)).sum(dim=axis).to(_floating(p).dtype)


def entropy__einsum(p, axis=-1):
    _distribution(axis, p=p)
    x = _wide(p).movedim(axis, -1)
    return -torch.einsum("...i,...i->...", x, _log(x)).to(_floating(p).dtype)


def kl_divergence__kl_div_of_a_safe_q(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    x, y = _wide(p), _wide(q)
    believed = torch.where(x > 0, y, torch.ones_like(y))
    terms = x * _log(x) - x * believed.log()
    return terms.sum(dim=axis).to(_floating(p).dtype)


def kl_divergence__cross_entropy_less_entropy(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    x, y = _wide(p), _wide(q)
    crossed = (x * y.masked_fill(x == 0, 1.0).log()).sum(dim=axis)
    return ((x * _log(x)).sum(dim=axis) - crossed).to(_floating(p).dtype)


def js_divergence__of_entropies(p, q, axis=-1):
    _distribution(axis, p=p, q=q)
    x, y = _wide(p), _wide(q)
    m = (x + y) / 2
    h = [-(one * _log(one)).sum(dim=axis) for one in (x, y, m)]
    return (h[2] - (h[0] + h[1]) / 2).to(_floating(p).dtype)


def distillation_loss__kl_div(student_logits, teacher_logits, temperature=2.0):
    if temperature <= 0:
        raise ValueError(f"temperature={temperature} is not positive")
    for name, z in (("student_logits", student_logits), ("teacher_logits", teacher_logits)):
        if z.ndim == 0 or z.shape != student_logits.shape:
            raise ValueError(f"{name} of shape {tuple(z.shape)}")
    s, t = _wide(student_logits), _wide(teacher_logits)
    s, t = (z - z.detach().max(dim=-1, keepdim=True).values for z in (s, t))
    log_q, log_p = ((z / temperature).log_softmax(-1) for z in (s, t))
    masked = t == -torch.inf
    log_q, log_p = (x.masked_fill(masked, 0) for x in (log_q, log_p))
    weight = log_p.exp().masked_fill(masked, 0)
    rows = (weight * (log_p - log_q)).sum(-1)
    return (rows.mean() * temperature**2).to(_floating(student_logits).dtype)


def gaussian_kl__squares_first(mean, log_var):
    if mean.ndim == 0:
        raise ValueError(f"mean of shape {tuple(mean.shape)}")
    if mean.shape != log_var.shape:
        raise ValueError(f"log_var of shape {tuple(log_var.shape)}")
    m, v = _wide(mean), _wide(log_var)
    total = torch.linalg.vecdot(m, m) + (torch.special.expm1(v) - v).sum(-1)
    return (total / 2).to(_floating(mean).dtype)


def kl_penalized_reward__addcmul(reward, policy_logprobs, reference_logprobs, beta):
    if beta < 0:
        raise ValueError(f"beta={beta}")
    if policy_logprobs.shape[:-1] != reward.shape or policy_logprobs.ndim != reward.ndim + 1:
        raise ValueError(f"policy_logprobs of shape {tuple(policy_logprobs.shape)}")
    if reference_logprobs.shape != policy_logprobs.shape:
        raise ValueError(f"reference_logprobs of shape {tuple(reference_logprobs.shape)}")
    gap = _wide(policy_logprobs) - _wide(reference_logprobs)
    return torch.sub(_wide(reward), gap.sum(-1), alpha=beta).to(_floating(reward).dtype)
