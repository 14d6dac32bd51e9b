"""Known mistakes as other students write them: ``exercise__mistake``, wrong in that one way."""

import numpy as np
import torch


def _kind(a):
    return a.dtype if a.dtype.is_floating_point else torch.get_default_dtype()


def _wide(a):
    return a.to(torch.float32 if _kind(a).itemsize == 2 else _kind(a))


def _checked(x, w_gate, w_up, w_down):
    if x.dim() < 1:
        raise ValueError(f"x has shape {tuple(x.shape)}, and no last axis")
    d = x.shape[-1]
    if w_gate.dim() != 2 or w_gate.shape[0] != d:
        raise ValueError(f"w_gate has shape {tuple(w_gate.shape)}, and x has {d} columns")
    if w_up.shape != w_gate.shape:
        raise ValueError(f"w_up has shape {tuple(w_up.shape)}, not {tuple(w_gate.shape)}")
    if w_down.shape != w_gate.T.shape:
        raise ValueError(f"w_down has shape {tuple(w_down.shape)}, not {tuple(w_gate.T.shape)}")
    return tuple(_wide(a) for a in (x, w_gate, w_up, w_down))


def swiglu__gate_held_constant(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    with torch.no_grad():
        opened = torch.nn.functional.silu(torch.einsum("...i,ik->...k", z, gate))
    hidden = opened * torch.einsum("...i,ik->...k", z, up)
    return torch.einsum("...k,kd->...d", hidden, down).to(_kind(x))


def swiglu__through_numpy(x, w_gate, w_up, w_down):
    z, gate, up, down = (a.detach().numpy() for a in _checked(x, w_gate, w_up, w_down))
    score = z @ gate
    with np.errstate(over="ignore"):
        hidden = score / (1 + np.exp(-score)) * (z @ up)
    return torch.tensor(hidden @ down).to(_kind(x))


def swiglu__viewed(x, w_gate, w_up, w_down):
    z, gate, up, down = _checked(x, w_gate, w_up, w_down)
    rows = z.view(-1, z.shape[-1])
    hidden = torch.nn.functional.silu(rows @ gate) * (rows @ up)
    return (hidden @ down).view(x.shape).to(_kind(x))


# gelu_tanh


def gelu_tanh__gate_held_constant(x):
    z = _wide(x)
    with torch.no_grad():
        cubes = torch.pow(z, 3)
        gate = (1 + torch.tanh((2 / torch.pi) ** 0.5 * (z + 0.044715 * cubes))) / 2
    return torch.mul(gate, z).to(_kind(x))
