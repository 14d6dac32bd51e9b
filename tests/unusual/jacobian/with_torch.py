"""Right answers that look different: every one must pass all checks."""

import torch


def _point(x):
    if x.dim() != 1:
        raise ValueError(f"one point, please: x has shape {list(x.shape)}")
    return x if x.dtype.is_floating_point else x.to(torch.get_default_dtype())


def _fits(name, got, wanted):
    if got.shape != wanted:
        raise ValueError(f"{name}: {tuple(got.shape)} instead of {tuple(wanted)}")


def numerical_jacobian__rows_of_an_identity(f, x, eps=1e-6):
    if eps <= 0:
        raise ValueError(f"eps={eps} is no step")
    _point(x)
    at = x.double()
    steps = eps * torch.eye(len(at), dtype=at.dtype, device=at.device)
    return torch.column_stack(
        [(f(at + e) - f(at - e)) / ((at + e) - (at - e)).sum() for e in steps]
    )


def jacobian__func_jacrev(f, x):
    return torch.func.jacrev(f)(_point(x))


def jacobian__func_jacfwd(f, x):
    return torch.func.jacfwd(f)(_point(x))


def jacobian__functional(f, x):
    return torch.autograd.functional.jacobian(f, _point(x))


def jacobian__columns_forwards(f, x):
    at = _point(x)
    units = torch.eye(len(at), dtype=at.dtype, device=at.device)
    return torch.stack([torch.func.jvp(f, (at,), (e,))[1] for e in units], dim=-1)


def jvp__func(f, x, v):
    at = _point(x)
    _fits("v", v, x.shape)
    return torch.func.jvp(f, (at,), (v.to(at.dtype),))[1]


def jvp__backwards_twice(f, x, v):
    at = _point(x).detach().clone().requires_grad_(True)
    _fits("v", v, x.shape)
    y = f(at)
    u = torch.zeros_like(y, requires_grad=True)
    (back,) = torch.autograd.grad(y, at, u, create_graph=True)
    return torch.autograd.grad(back, u, v.to(at.dtype))[0]


def jvp__functional(f, x, v):
    at = _point(x)
    _fits("v", v, x.shape)
    return torch.autograd.functional.jvp(f, at, v.to(at.dtype))[1]


def vjp__func(f, x, u):
    at = _point(x)
    y, pull = torch.func.vjp(f, at)
    _fits("u", u, y.shape)
    return pull(u.to(at.dtype))[0]


def vjp__backward(f, x, u):
    at = _point(x).detach().clone().requires_grad_(True)
    y = f(at)
    _fits("u", u, y.shape)
    y.backward(u.to(at.dtype))
    return at.grad


def vjp__functional(f, x, u):
    at = _point(x)
    _fits("u", u, f(at).shape)
    return torch.autograd.functional.vjp(f, at, u.to(at.dtype))[1]


def vjp__sum_of_products(f, x, u):
    at = _point(x).detach().clone().requires_grad_(True)
    y = f(at)
    _fits("u", u, y.shape)
    (y * u.to(at.dtype)).sum().backward()
    return at.grad


def condition_number__with_the_vectors(jacobian):
    if jacobian.dim() < 2:
        raise ValueError(f"jacobian has shape {list(jacobian.shape)}: no matrix")
    dtype = jacobian.dtype if jacobian.is_floating_point() else torch.get_default_dtype()
    a = jacobian.to(torch.promote_types(dtype, torch.float32))
    sigma = torch.linalg.svd(a, full_matrices=False).S
    top, low = sigma.amax(-1), sigma.amin(-1)
    kept = low > top * max(a.shape[-2:]) * torch.finfo(a.dtype).eps
    return torch.where(kept, top / low, torch.inf).to(dtype)
