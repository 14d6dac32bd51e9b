"""Right answers that look different: every one must pass all checks."""

import math

import torch
from torch.nn import functional


def _floating(x):
    return x if torch.is_floating_point(x) else x.to(torch.get_default_dtype())


def _wide(x):
    x = _floating(x)
    return x.to(torch.float32) if x.dtype.itemsize == 2 else x


def _same_shape(g, x):
    if g.shape != x.shape:
        raise ValueError(f"grad_output has shape {tuple(g.shape)}, x has {tuple(x.shape)}")


def _like(out, x):
    return out.to(_floating(x).dtype)


def relu__library(x):
    return functional.relu(_floating(x))


def relu__masked_fill(x):
    return _floating(x).masked_fill(x <= 0, 0)


def relu_backward__masked_fill(grad_output, x):
    _same_shape(grad_output, x)
    return _like(_floating(grad_output).masked_fill(x <= 0, 0), x)


def relu_backward__times_the_condition(grad_output, x):
    _same_shape(grad_output, x)
    return _floating(grad_output) * (x > 0)


def tanh__library(x):
    return torch.tanh(_floating(x))


def tanh__series_near_zero(x):
    z = _wide(x)
    tiny = z.abs() < 0.01
    far = 2 * torch.sigmoid(2 * z) - 1
    near = z * (1 - z.square() / 3 + 2 * z.pow(4) / 15)
    return _like(torch.where(tiny, near, far), x)


def tanh_backward__through_the_output(grad_output, x):
    _same_shape(grad_output, x)
    return _like(_wide(grad_output) * (1 - torch.tanh(_wide(x)) ** 2), x)


def tanh_backward__one_over_cosh(grad_output, x):
    _same_shape(grad_output, x)
    return _like(_wide(grad_output) * torch.cosh(_wide(x).clamp(-40, 40)).pow(-2), x)


def sigmoid__library(x):
    return torch.sigmoid(_floating(x))


def sigmoid__logsigmoid(x):
    return _like(functional.logsigmoid(_wide(x)).exp(), x)


def sigmoid__softmax_of_two(x):
    z = _wide(x)
    pair = torch.stack([z.clamp(-1e30, 1e30), torch.zeros_like(z)])
    return _like(torch.softmax(pair, dim=0)[0], x)


def sigmoid_backward__through_the_output(grad_output, x):
    _same_shape(grad_output, x)
    s = torch.sigmoid(_wide(x))
    return _like(_wide(grad_output) * s * (1 - s), x)


def gelu__library(x):
    return functional.gelu(_floating(x))


def gelu__erfc(x):
    z = _wide(x)
    return _like(0.5 * z * torch.erfc(-z / math.sqrt(2)), x)


def gelu__normal_distribution(x):
    z = _wide(x)
    return _like(z * torch.special.ndtr(z), x)


def gelu_backward__normal_distribution(grad_output, x):
    _same_shape(grad_output, x)
    z = _wide(x)
    slope = torch.special.ndtr(z) + z * torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return _like(slope * _wide(grad_output), x)


def gelu_tanh__library(x):
    return functional.gelu(_floating(x), approximate="tanh")


def gelu_tanh__through_the_sigmoid(x):
    z = _wide(x)
    return _like(z * torch.sigmoid(1.5957691216057308 * (z + 0.044715 * z**3)), x)


def silu__library(x):
    return functional.silu(_floating(x))


def silu__logsigmoid(x):
    return _like(_wide(x) * functional.logsigmoid(_wide(x)).exp(), x)


def silu_backward__in_one_sum(grad_output, x):
    _same_shape(grad_output, x)
    s = torch.sigmoid(_wide(x))
    return _like(_wide(grad_output) * torch.addcmul(s, s * _wide(x), 1 - s), x)


def swiglu__linear_layers(x, w_gate, w_up, w_down):
    if x.dim() == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}")
    if w_gate.dim() != 2 or w_gate.shape[0] != x.shape[-1]:
        raise ValueError(f"w_gate has shape {tuple(w_gate.shape)}")
    if w_up.shape != w_gate.shape:
        raise ValueError(f"w_up has shape {tuple(w_up.shape)}")
    if w_down.shape != w_gate.mT.shape:
        raise ValueError(f"w_down has shape {tuple(w_down.shape)}")
    gate, up = (functional.linear(_wide(x), _wide(w).mT) for w in (w_gate, w_up))
    return _like(functional.linear(functional.silu(gate) * up, _wide(w_down).mT), x)


def gradient_through_depth__stacked_product(derivative, x, depth):
    if depth < 0:
        raise ValueError(f"depth={depth} is below 0")
    x = _floating(x)
    if depth == 0:
        return torch.ones_like(x)
    return torch.stack([_wide(derivative(x))] * depth).prod(dim=0).to(x.dtype)


def gradient_through_depth__layer_by_layer(derivative, x, depth):
    if depth < 0:
        raise ValueError(f"depth={depth} is below 0")
    x = _floating(x)
    left = torch.ones_like(_wide(x))
    for _ in range(depth):
        left = left * _wide(derivative(x))
    return left.to(x.dtype)


def dead_fraction__counted(pre_activations):
    if pre_activations.dim() == 0 or pre_activations.size(-1) == 0:
        raise ValueError(f"pre_activations has shape {tuple(pre_activations.shape)}")
    rows = _floating(pre_activations).reshape(-1, pre_activations.size(-1))
    fired = (rows > 0).sum(dim=0)
    return ((fired == 0).sum().double() / len(fired)).to(rows.dtype)
