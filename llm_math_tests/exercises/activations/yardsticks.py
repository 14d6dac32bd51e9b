"""The libraries' own functions, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercises.benches import FUSED, ahead, library


def _of_the_output(name: str) -> Any:
    """Torch's backward kernels of tanh and sigmoid take what the forward returned."""
    return lambda kernel, g, x: kernel(g, getattr(x, name)())


def _gate(weight: Any, x: Any) -> Any:
    return x * weight(x)


def _through_erf(erf: Any, x: Any) -> Any:
    return 0.5 * x * (1 + erf(x * 0.5**0.5))


def _safe_silu(exp: Any, x: Any) -> Any:
    import numpy as np

    return x / (1 + exp(np.minimum(-x, 88)))


def _torch_swiglu(silu: Any, x: Any, w_gate: Any, w_up: Any, w_down: Any) -> Any:
    return (silu(x @ w_gate) * (x @ w_up)) @ w_down


def _max_with_0(maximum: Any, x: Any) -> Any:
    return maximum(x, 0)


def _as_the_tanh(gelu: Any, x: Any) -> Any:
    return gelu(x, approximate="tanh")


RELU = {
    "numpy": library("numpy.maximum", _max_with_0),
    "torch": library("torch.relu"),
    "cupy": library("cupy.maximum", _max_with_0),
}
RELU_BACKWARD = {
    "torch": ahead(
        library("torch.ops.aten.threshold_backward", lambda kernel, g, x: kernel(g, x, 0)), FUSED
    ),
}
TANH = {
    "numpy": ahead(library("numpy.tanh"), FUSED),
    "torch": ahead(library("torch.tanh"), FUSED),
    "cupy": library("cupy.tanh"),
}
TANH_BACKWARD = {
    "torch": ahead(library("torch.ops.aten.tanh_backward", _of_the_output("tanh")), FUSED),
}
SIGMOID = {
    "numpy": ahead(library("scipy.special.expit"), FUSED),
    "torch": ahead(library("torch.sigmoid"), FUSED),
    "cupy": library("cupyx.scipy.special.expit"),
}
SIGMOID_BACKWARD = {
    "torch": library("torch.ops.aten.sigmoid_backward", _of_the_output("sigmoid")),
}
GELU = {
    "numpy": library("scipy.special.ndtr", _gate),
    "torch": ahead(library("torch.nn.functional.gelu"), FUSED),
    "cupy": library("cupyx.scipy.special.ndtr", _gate),
}
GELU_COMPOSED = {
    "numpy": library("scipy.special.erf", _through_erf),
    "torch": library("torch.erf", _through_erf),
    "cupy": library("cupyx.scipy.special.erf", _through_erf),
}
GELU_BACKWARD = {
    "torch": ahead(library("torch.ops.aten.gelu_backward"), FUSED),
}
GELU_TANH = {
    "torch": ahead(library("torch.nn.functional.gelu", _as_the_tanh), FUSED),
}
SILU = {
    "numpy": library("scipy.special.expit", _gate),
    "torch": ahead(library("torch.nn.functional.silu"), FUSED),
    "cupy": library("cupyx.scipy.special.expit", _gate),
}
SILU_COMPOSED = {
    "numpy": library("numpy.exp", _safe_silu),
    "torch": library("torch.sigmoid", _gate),
}
SILU_BACKWARD = {
    "torch": ahead(library("torch.ops.aten.silu_backward"), FUSED),
}
SWIGLU = {
    "torch": library("torch.nn.functional.silu", _torch_swiglu),
}
