"""Topic 8, activations: SciPy, mpmath, torch and its autograd.

Where a formula cancels in float64, mpmath computes it with 50 digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.outside import Outside


def _by_mpmath(formula: Callable[[Any, Any], Any]) -> Callable[..., np.ndarray]:
    """``formula(mpmath, x)`` of each number, times the gradient where there is one."""

    def compute(x: np.ndarray, grad_output: np.ndarray | None = None) -> np.ndarray:
        import mpmath

        with mpmath.workdps(50):
            found = [float(formula(mpmath, mpmath.mpf(float(v)))) for v in x.ravel()]
        slopes = np.array(found).reshape(x.shape)
        return slopes if grad_output is None else slopes * grad_output

    return compute


def _by_autograd(name: str, **options: Any) -> Callable[..., np.ndarray]:
    """The gradient of a function of torch.nn.functional."""

    def compute(grad_output: np.ndarray, x: np.ndarray) -> np.ndarray:
        import torch

        at = torch.tensor(x, requires_grad=True)
        function = getattr(torch.nn.functional, name, None) or getattr(torch, name)
        function(at, **options).backward(torch.tensor(grad_output))
        return at.grad.numpy()

    return compute


def _by_torch(name: str, **options: Any) -> Callable[..., np.ndarray]:
    def compute(x: np.ndarray) -> np.ndarray:
        import torch

        function = getattr(torch.nn.functional, name)
        return function(torch.tensor(x), **options).numpy()

    return compute


def _swiglu(x: np.ndarray, w_gate: np.ndarray, w_up: np.ndarray, w_down: np.ndarray) -> np.ndarray:
    import torch

    x, w_gate, w_up, w_down = map(torch.tensor, (x, w_gate, w_up, w_down))
    linear = torch.nn.functional.linear
    opened = torch.nn.functional.silu(linear(x, w_gate.mT)) * linear(x, w_up.mT)
    return linear(opened, w_down.mT).numpy()


def _through_depth(derivative: Any, x: np.ndarray, depth: int) -> np.ndarray:
    """The product as torch's autograd finds it: one multiplication in each layer."""
    import torch

    factor = torch.tensor(np.asarray(derivative.function(x), np.float64))
    start = torch.ones_like(factor, requires_grad=True)
    end = start
    for _ in range(depth):
        end = end * factor
    end.sum().backward()
    return start.grad.numpy()


def _dead_fraction(pre_activations: np.ndarray) -> Any:
    """The units whose relu has a zero gradient for every weight of a batch."""
    import torch

    x = torch.tensor(pre_activations, requires_grad=True)
    torch.relu(x).sum().backward()
    reached = x.grad.reshape(-1, x.shape[-1]).sum(dim=0)
    return (reached == 0).double().mean().numpy()


def _wide_range(name: str = "x") -> Callable[[np.random.Generator], dict[str, Any]]:
    return lambda rng: {name: np.linspace(-12, 12, 97)}


def _wide_gradients(rng: np.random.Generator) -> dict[str, Any]:
    return {"grad_output": rng.normal(0, 1, 97), "x": np.linspace(-12, 12, 97)}


ROWS: tuple[Outside, ...] = (
    Outside("relu", "torch.nn.functional.relu", _by_torch("relu"), more=(_wide_range(),)),
    Outside(
        "relu_backward",
        "torch.autograd of relu",
        _by_autograd("relu"),
        more=(_wide_gradients,),
    ),
    Outside("tanh", "mpmath.tanh", _by_mpmath(lambda mp, x: mp.tanh(x)), more=(_wide_range(),)),
    Outside(
        "tanh_backward",
        "mpmath.sech squared",
        _by_mpmath(lambda mp, x: mp.sech(x) ** 2),
        more=(_wide_gradients,),
    ),
    Outside(
        "sigmoid",
        "mpmath",
        _by_mpmath(lambda mp, x: 1 / (1 + mp.exp(-x))),
        more=(_wide_range(),),
    ),
    Outside(
        "sigmoid_backward",
        "torch.autograd of sigmoid",
        _by_autograd("sigmoid"),
        more=(_wide_gradients,),
    ),
    Outside("gelu", "mpmath.ncdf", _by_mpmath(lambda mp, x: x * mp.ncdf(x)), more=(_wide_range(),)),
    Outside(
        "gelu_backward",
        "mpmath.ncdf and mpmath.npdf",
        _by_mpmath(lambda mp, x: mp.ncdf(x) + x * mp.npdf(x)),
        more=(_wide_gradients,),
    ),
    Outside(
        "gelu_tanh",
        "torch.nn.functional.gelu",
        _by_torch("gelu", approximate="tanh"),
        more=(_wide_range(),),
    ),
    Outside("silu", "torch.nn.functional.silu", _by_torch("silu"), more=(_wide_range(),)),
    Outside(
        "silu_backward", "torch.autograd of silu", _by_autograd("silu"), more=(_wide_gradients,)
    ),
    Outside("swiglu", "torch.nn.functional", _swiglu),
    Outside("gradient_through_depth", "torch.autograd, layer by layer", _through_depth),
    Outside("dead_fraction", "torch.autograd of relu", _dead_fraction),
)
