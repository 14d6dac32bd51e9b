"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import torch


def _start(x):
    if x.dim() != 1:
        raise ValueError(f"x has shape {tuple(x.shape)}, which is no vector's")
    kind = x.dtype if x.dtype.is_floating_point else torch.get_default_dtype()
    return x.detach().to(kind).clone().requires_grad_(True)


def _fits(u, y):
    if tuple(u.shape) != tuple(y.shape):
        raise ValueError(f"u has shape {tuple(u.shape)}, and f(x) has {tuple(y.shape)}")


def vjp__jacobian_by_autograd(f, x, u):
    at = _start(x)
    with torch.enable_grad():
        y = f(at)
    _fits(u, y)
    rows = []
    for i in range(y.numel()):
        (row,) = torch.autograd.grad(y[i], at, retain_graph=True)
        rows.append(row)
    return torch.einsum("i,ij->j", u.detach().to(y.dtype), torch.stack(rows))


def vjp__sum_backwards(f, x, u):
    at = _start(x)
    with torch.enable_grad():
        y = f(at)
        _fits(u, y)
        y.sum().backward()
    return at.grad


def vjp__weights_on_the_cpu(f, x, u):
    at = _start(x)
    with torch.enable_grad():
        y = f(at)
        _fits(u, y)
        weights = u.detach().to("cpu", y.dtype).to(y.device)
        loss = torch.dot(weights, y)
        loss.backward()
    return at.grad


# jacobian


def jacobian__graph_freed(f, x):
    at = _start(x)
    with torch.enable_grad():
        y = f(at)
    rows = []
    for out in y.unbind():
        rows += torch.autograd.grad(out, at)
    return torch.stack(rows)


def jacobian__differences_in_torch(f, x):
    at = _start(x).detach()
    wide = at.double()
    h = 1e-5
    columns = []
    for step in h * torch.eye(wide.numel(), dtype=wide.dtype, device=wide.device):
        columns.append((f(wide + step) - f(wide - step)) / (2 * h))
    return torch.stack(columns, dim=1).detach().to(at.dtype)


def jacobian__made_on_the_cpu(f, x):
    at = _start(x)
    with torch.enable_grad():
        y = f(at)
    matrix = torch.zeros(y.numel(), at.numel(), dtype=at.dtype)
    for i in range(y.numel()):
        matrix[i] = torch.autograd.grad(y[i], at, retain_graph=True)[0]
    return matrix
