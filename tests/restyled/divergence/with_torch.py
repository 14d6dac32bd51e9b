"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import torch


def _real(a):
    return a if a.dtype.is_floating_point else a.to(torch.get_default_dtype())


def _up(a):
    a = _real(a)
    return a.to(torch.float32) if a.dtype.itemsize == 2 else a


def _shapes(p, q):
    if p.shape != q.shape:
        raise ValueError(f"q has shape {tuple(q.shape)}, and p has {tuple(p.shape)}")


def _axis(p, axis):
    if axis < -p.dim() or axis > p.dim() - 1:
        raise ValueError(f"axis={axis} is out of range for {p.dim()} axes")


def _distribution(name, a, axis):
    a = a.detach()
    for low in a[a < 0].tolist():
        raise ValueError(f"{name} has a negative probability, {low}")
    slack = max(1e-3, 8 * a.shape[axis] * torch.finfo(_real(a).dtype).eps)
    for total in _up(a).sum(axis).flatten().tolist():
        if abs(total - 1) > slack:
            raise ValueError(f"{name} has a row that sums to {total}")


def _checked(p, q, axis):
    _shapes(p, q)
    _axis(p, axis)
    if not p.is_cuda and p.device.type == "cpu":
        _distribution("p", p, axis)
        _distribution("q", q, axis)
    return _up(p), _up(q)


def _kl(a, m, axis):
    # 1 / 1 where a is 0, chosen before the division, so that no NaN comes back
    none = a == 0
    ratio = a.masked_fill(none, 1) / m.masked_fill(none, 1)
    return torch.sum(a * ratio.log(), dim=axis)


def js_divergence__chosen_after_the_logarithm(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    m = (a + b) / 2
    js = 0
    for one in (a, b):
        terms = one * (one.log() - m.log())
        js = js + terms.masked_fill(one == 0, 0).sum(axis) / 2
    return js.to(_real(p).dtype)


def js_divergence__average_detached(p, q, axis=-1):
    a, b = _checked(p, q, axis)
    with torch.no_grad():
        m = torch.stack([a, b]).mean(dim=0)
    return ((_kl(a, m, axis) + _kl(b, m, axis)) / 2).to(_real(p).dtype)


def js_divergence__axis_not_checked(p, q, axis=-1):
    _shapes(p, q)
    if p.device.type == "cpu":
        _distribution("p", p, axis)
        _distribution("q", q, axis)
    a, b = _up(p), _up(q)
    m = (a + b) / 2
    return ((_kl(a, m, axis) + _kl(b, m, axis)) / 2).to(_real(p).dtype)


def js_divergence__checked_on_the_device(p, q, axis=-1):
    _shapes(p, q)
    _axis(p, axis)
    for name, a in (("p", p), ("q", q)):
        if bool((a < 0).any()):
            raise ValueError(f"{name} has a negative probability, {a.min().item()}")
        totals = _up(a.detach()).sum(axis)
        slack = max(1e-3, 8 * a.shape[axis] * torch.finfo(_real(a).dtype).eps)
        if (totals - 1).abs().gt(slack).any():
            worst = totals.flatten()[(totals - 1).abs().argmax()].item()
            raise ValueError(f"{name} has a row that sums to {worst}")
    a, b = _up(p), _up(q)
    m = (a + b) / 2
    return ((_kl(a, m, axis) + _kl(b, m, axis)) / 2).to(_real(p).dtype)


def _codes(mean, log_var):
    if mean.dim() == 0:
        raise ValueError(f"mean has shape {tuple(mean.shape)}: there is no axis to sum over")
    if log_var.shape != mean.shape:
        raise ValueError(f"log_var has shape {tuple(log_var.shape)}, not {tuple(mean.shape)}")
    return _up(mean), _up(log_var)


def gaussian_kl__mean_detached(mean, log_var):
    m, v = _codes(mean, log_var)
    with torch.no_grad():
        squares = torch.einsum("...i,...i->...", m, m)
    return (0.5 * (squares + (torch.expm1(v) - v).sum(-1))).to(_real(mean).dtype)


def gaussian_kl__exp_overwritten(mean, log_var):
    m, v = _codes(mean, log_var)
    each = torch.expm1(v)
    each -= v
    return ((each + m**2).sum(dim=-1) / 2).to(_real(mean).dtype)
