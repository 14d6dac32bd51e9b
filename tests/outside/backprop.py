"""Backpropagation from outside: torch's autograd, its loss scaler, and one large batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.outside import Outside


def _linear_backward(grad_output: Any, x: Any, w: Any) -> Any:
    import torch

    a, b = (torch.from_numpy(np.array(one)).requires_grad_() for one in (x, w))
    c = torch.zeros(w.shape[1], dtype=torch.float64, requires_grad=True)
    y = torch.nn.functional.linear(a, b.T, c)
    grads = torch.autograd.grad(y, (a, b, c), torch.from_numpy(np.array(grad_output)))
    return tuple(grad.numpy() for grad in grads)


def _network(x: Any, w1: Any, w2: Any) -> Any:
    import torch

    leaves = [torch.from_numpy(np.array(one)).requires_grad_() for one in (x, w1, w2)]
    first = torch.nn.functional.linear(leaves[0], leaves[1].T)
    return torch.nn.functional.linear(torch.nn.functional.relu(first), leaves[2].T), leaves


def _two_layer_forward(x: Any, w1: Any, w2: Any) -> Any:
    return _network(x, w1, w2)[0].detach().numpy()


def _two_layer_backward(grad_y: Any, x: Any, w1: Any, w2: Any) -> Any:
    import torch

    y, leaves = _network(x, w1, w2)
    grads = torch.autograd.grad(y, leaves, torch.from_numpy(np.array(grad_y)))
    return tuple(grad.numpy() for grad in grads)


def _accumulate_gradients(grad_fn: Any, batches: Sequence[Any]) -> Any:
    """All examples in one batch: what accumulation stands for."""
    return np.asarray(grad_fn.function(np.concatenate(list(batches))))


def _checkpointed_backward(layers: Any, x: Any, grad_output: Any) -> Any:
    """torch's tape, with each layer's functions on it: it keeps every input."""
    import torch

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, at: Any, pair: Any) -> Any:
            ctx.pair = pair
            ctx.save_for_backward(at)
            return torch.from_numpy(np.array(pair[0].function(at.numpy())))

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (at,) = ctx.saved_tensors
            found = ctx.pair[1].function(gradient.numpy(), at.numpy())
            return torch.from_numpy(np.array(found)), None

    leaf = torch.from_numpy(np.array(x)).requires_grad_()
    out = leaf
    for pair in layers:
        out = Layer.apply(out, pair)
    (gradient,) = torch.autograd.grad(out, leaf, torch.from_numpy(np.array(grad_output)))
    return gradient.numpy()


def _unscale_gradients(grads: Sequence[Any], scale: float) -> Any:
    """What torch.amp.GradScaler runs, on copies."""
    import torch

    copies = [torch.from_numpy(np.array(grad)) for grad in grads]
    found = torch.zeros(1)
    inverse = torch.tensor([1 / scale])
    if copies:
        torch._amp_foreach_non_finite_check_and_unscale_(copies, found, inverse)
    return *(one.numpy() for one in copies), np.asarray(bool(found.item()))


def _update_loss_scale(
    scale: float, found_inf: Any, good_steps: int, growth_interval: int = 2000
) -> Any:
    """What torch.amp.GradScaler runs after each step."""
    import torch

    new, steps = torch.tensor([scale]), torch.tensor([good_steps], dtype=torch.int32)
    found = torch.tensor([float(bool(found_inf))])
    torch._amp_update_scale_(new, steps, found, 2.0, 0.5, growth_interval)
    return np.asarray(float(new)), np.asarray(int(steps))


ROWS: tuple[Outside, ...] = (
    Outside("linear_backward", "torch.autograd of F.linear", _linear_backward),
    Outside("two_layer_forward", "torch.nn.functional.linear and relu", _two_layer_forward),
    Outside("two_layer_backward", "torch.autograd of F.linear and F.relu", _two_layer_backward),
    Outside("accumulate_gradients", "one large batch", _accumulate_gradients),
    Outside("checkpointed_backward", "torch.autograd over all layers", _checkpointed_backward),
    Outside(
        "unscale_gradients",
        "torch._amp_foreach_non_finite_check_and_unscale_",
        _unscale_gradients,
        # It returns float64 for float64, and holds 1 / scale in float32.
        without=("finds_what_overflows_in_float32/float64", "divides_by_the_scale/scale_3"),
    ),
    Outside(
        "update_loss_scale",
        "torch._amp_update_scale_",
        _update_loss_scale,
        without=("handles_extreme_scales/no_power_of_two",),  # its scale is a float32
    ),
)
