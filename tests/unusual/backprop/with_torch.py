"""Right answers that look different: every one must pass all checks."""

import math

import torch


def _floating(x):
    return x if x.dtype.is_floating_point else x.to(torch.get_default_dtype())


def _wide(x):
    x = _floating(x)
    return x.to(torch.float32) if x.dtype.itemsize == 2 else x


def _fits(grad_output, x, w):
    if w.dim() != 2 or x.shape[-1] != w.shape[0]:
        raise ValueError(f"w does not fit x: shape {tuple(w.shape)}")
    if grad_output.shape != (*x.shape[:-1], w.shape[1]):
        raise ValueError(f"grad_output has shape {tuple(grad_output.shape)}")


def linear_backward__einsum(grad_output, x, w):
    _fits(grad_output, x, w)
    g, a = _wide(grad_output).flatten(0, -2) if x.dim() > 1 else _wide(grad_output)[None], _wide(x)
    a = a.flatten(0, -2) if x.dim() > 1 else a[None]
    kind = _floating(grad_output).dtype
    dx = torch.einsum("bo,io->bi", g, _wide(w)).reshape(x.shape)
    return dx.to(kind), torch.einsum("bi,bo->io", a, g).to(kind), g.sum(0).to(kind)


def linear_backward__autograd(grad_output, x, w):
    _fits(grad_output, x, w)
    kind = _floating(grad_output).dtype
    with torch.enable_grad():
        a, b = _wide(x), _wide(w)
        a = a if a.requires_grad else a.detach().requires_grad_()
        b = b if b.requires_grad else b.detach().requires_grad_()
        c = a.new_zeros(w.shape[1]).requires_grad_()
        y = a @ b + c
        found = torch.autograd.grad(y, (a, b, c), _wide(grad_output), create_graph=True)
    tracked = grad_output.requires_grad or x.requires_grad or w.requires_grad
    return tuple((g if tracked else g.detach()).to(kind) for g in found)


def two_layer_forward__functional(x, w1, w2):
    for name, w, width in (("w1", w1, x.shape[-1]), ("w2", w2, w1.shape[-1])):
        if w.dim() != 2 or w.shape[0] != width:
            raise ValueError(f"{name} of shape {tuple(w.shape)} has not {width} rows")
    hidden = torch.nn.functional.relu(torch.nn.functional.linear(_wide(x), _wide(w1).t()))
    y = torch.nn.functional.linear(hidden, _wide(w2).mT)
    return y.type(_floating(x).dtype), (hidden.detach() > 0, x, w1, w2)


def two_layer_forward__where(x, w1, w2):
    for name, w, width in (("w1", w1, x.shape[-1]), ("w2", w2, w1.shape[-1])):
        if w.dim() != 2 or w.shape[0] != width:
            raise ValueError(f"{name} of shape {tuple(w.shape)} has not {width} rows")
    before = torch.matmul(_wide(x), _wide(w1))
    hidden = torch.where(before > 0, before, torch.zeros_like(before))
    return torch.matmul(hidden, _wide(w2)).to(_floating(x).dtype), (before, w1, w2, x)


def two_layer_backward__where(grad_y, cache):
    x, hidden, w1, w2 = cache
    if grad_y.shape != (*x.shape[:-1], w2.shape[1]):
        raise ValueError(f"grad_y cannot have shape {tuple(grad_y.shape)}")
    g = _wide(grad_y).reshape(-1, w2.shape[1])
    dh = torch.where(hidden > 0, torch.mm(g, w2.t()), torch.zeros_like(hidden))
    dw1 = torch.einsum("bi,bh->ih", x.reshape(-1, x.shape[-1]), dh)
    kind = _floating(grad_y).dtype
    return torch.mm(dh, w1.t()).view(x.shape).to(kind), dw1.to(kind), hidden.t().mm(g).to(kind)


def accumulate_gradients__running_mean(grad_fn, batches):
    mean, seen = None, 0
    for batch in batches:
        if not batch.shape[0]:
            continue
        seen += batch.shape[0]
        gradient = grad_fn(batch)
        if mean is None:
            mean = _wide(gradient).clone()
        else:
            mean.lerp_(_wide(gradient), batch.shape[0] / seen)
        kind = gradient.dtype
    if mean is None:
        raise ValueError("batches are without examples")
    return mean.to(kind)


def checkpointed_backward__keeps_every_so_many(layers, x, grad_output):
    step = max(1, math.isqrt(len(layers)))
    kept = []
    for i, (forward, _) in enumerate(layers):
        if i % step == 0:
            kept.append(x)
        x = forward(x)
    x = None
    while kept:
        start = step * (len(kept) - 1)
        inputs = [kept.pop()]
        for forward, _ in layers[start : start + step][:-1]:
            inputs.append(forward(inputs[-1]))
        for _, backward in layers[start : start + step][::-1]:
            grad_output = backward(grad_output, inputs.pop())
    return grad_output


def unscale_gradients__stacked(grads, scale):
    if not scale > 0:
        raise ValueError(f"scale={scale}")
    out = [torch.div(_wide(g), scale).to(torch.float32) for g in grads]
    if not out:
        return out, torch.tensor(False)
    return out, torch.stack([torch.isnan(g - g).any() for g in out]).any()


def update_loss_scale__float(scale, found_inf, good_steps, growth_interval=2000):
    if not (scale > 0 and good_steps >= 0 and growth_interval > 0):
        raise ValueError(
            f"scale={scale}, good_steps={good_steps} and growth_interval={growth_interval}"
        )
    if torch.as_tensor(found_inf).item():
        return scale * 0.5, 0
    return (scale * 2, 0) if good_steps + 1 == growth_interval else (scale, good_steps + 1)
