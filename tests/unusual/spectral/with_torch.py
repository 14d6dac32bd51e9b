"""Right answers that look different: every one must pass all checks."""

import math

import torch


def _floating(x):
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _wide(x):
    x = _floating(x)
    return x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x


def _rows(x):
    if x.dim() != 2 or x.size(0) < 2:
        raise ValueError(f"x of shape {tuple(x.shape)} is not a table of two rows or more")


def covariance__torch_cov(x):
    _rows(x)
    out = torch.cov(_wide(x).T)
    return out.reshape(x.size(1), x.size(1)).to(_floating(x).dtype)


def covariance__averages_as_a_product(x):
    _rows(x)
    w = _wide(x)
    c = w - w.mean(0, keepdim=True)
    return torch.einsum("ni,nj->ij", c / (len(w) - 1), c).to(_floating(x).dtype)


def pca__svd_always(x, k):
    _rows(x)
    if not 0 < k <= min(len(x) - 1, x.size(1)):
        raise ValueError(f"k={k} components do not exist in {tuple(x.shape)}")
    w = _wide(x)
    _, s, vh = torch.linalg.svd(w - w.mean(0), full_matrices=False)
    dtype = _floating(x).dtype
    return vh[:k].to(dtype), (s[:k] / math.sqrt(len(w) - 1)).square().to(dtype)


def pca__variances_of_the_projection(x, k):
    """The components as constants: the variances have the right gradient all the same."""
    _rows(x)
    if not 0 < k <= min(len(x) - 1, x.size(1)):
        raise ValueError(f"k={k} components do not exist in {tuple(x.shape)}")
    w = _wide(x)
    c = w - w.mean(0)
    components = torch.linalg.svd(c.detach(), full_matrices=False)[2][:k]
    variance = (c @ components.T).square().sum(0) / (len(w) - 1)
    return components.to(_floating(x).dtype), variance.to(_floating(x).dtype)


def pca_project__linear(x, components):
    if x.dim() < 2 or components.dim() < 2 or x.shape[-1] != components.shape[-1]:
        raise ValueError(f"x {tuple(x.shape)} does not fit components {tuple(components.shape)}")
    w = _wide(x)
    w = w - w.sum(-2, keepdim=True) / w.size(-2)
    return torch.matmul(w, _wide(components).transpose(-2, -1)).to(_floating(x).dtype)


def pca_reconstruct__einsum(z, components, mean):
    if z.dim() < 2 or components.dim() < 2 or z.shape[-1] != components.shape[-2]:
        raise ValueError(f"z {tuple(z.shape)} does not fit components {tuple(components.shape)}")
    d = components.size(-1)
    if tuple(mean.shape) not in ((d,), (*z.shape[:-2], d)):
        raise ValueError(f"mean of shape {tuple(mean.shape)} has not {d} numbers")
    out = torch.einsum("...nk,...kd->...nd", _wide(z), _wide(components))
    return (out + _wide(mean)[..., None, :]).to(_floating(z).dtype)


def explained_variance_ratio__singular_values(x):
    _rows(x)
    if x.device.type == "cpu" and torch.equal(x, x[:1].expand_as(x)):
        raise ValueError("x does not vary")
    w = _wide(x)
    s = torch.linalg.svdvals(w - w.mean(0))
    p = (s / s.detach().amax()).square()
    return (p / p.sum()).to(_floating(x).dtype)


def low_rank_approximation__projected(w, rank):
    if w.dim() < 2:
        raise ValueError(f"w of shape {tuple(w.shape)} is no matrix")
    if not 0 < rank <= min(w.shape[-2:]):
        raise ValueError(f"rank={rank} does not exist in {tuple(w.shape)}")
    u = torch.linalg.svd(_wide(w), full_matrices=False)[0][..., :rank]
    return (u @ (u.mT @ _wide(w))).to(_floating(w).dtype)


def power_iteration__constant_vector(a, start, steps=100):
    """Iterates without autograd: v^T a v of the last vector has the right gradient."""
    if a.dim() != 2 or a.size(0) != a.size(1):
        raise ValueError(f"a of shape {tuple(a.shape)} is not square")
    if start.shape != a.shape[:1]:
        raise ValueError(f"start of shape {tuple(start.shape)} does not fit")
    if steps < 1:
        raise ValueError(f"steps={steps} is not positive")
    if start.device.type == "cpu" and torch.count_nonzero(start) == 0:
        raise ValueError("start is zero")
    m = _wide(a)
    with torch.no_grad():
        scaled = m / m.abs().amax()
        v = _wide(start).to(m.dtype)
        v = v / v.abs().amax()
        for _ in range(steps):
            v = torch.mv(scaled, v)
            v = v / v.abs().amax()
        v = v / torch.linalg.vector_norm(v)
    return torch.dot(v, torch.mv(m, v)).to(_floating(a).dtype), v.to(_floating(a).dtype)


def effective_rank__xlogy(w):
    if w.dim() < 2:
        raise ValueError(f"w of shape {tuple(w.shape)} is no matrix")
    s = torch.linalg.svdvals(_wide(w))
    total = s.sum(-1, keepdim=True)
    p = s / torch.where(total == 0, torch.ones_like(total), total)
    out = torch.exp(-torch.special.xlogy(p, p).sum(-1))
    return torch.where(total[..., 0] == 0, total[..., 0], out).to(_floating(w).dtype)
