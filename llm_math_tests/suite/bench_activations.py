"""Topic 8, activations: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("relu")
def bench_relu(timing):
    """Time relu: one pass over memory."""
    timing()


@pytest.mark.exercise("relu_backward")
def bench_relu_backward(timing):
    """Time relu_backward: two arrays in, one out."""
    timing()


@pytest.mark.exercise("tanh")
def bench_tanh(timing):
    """Time tanh: beside the library's own."""
    timing()


@pytest.mark.exercise("tanh_backward")
def bench_tanh_backward(timing):
    """Time tanh_backward."""
    timing()


@pytest.mark.exercise("sigmoid")
def bench_sigmoid(timing):
    """Time sigmoid: beside SciPy's expit."""
    timing()


@pytest.mark.exercise("sigmoid_backward")
def bench_sigmoid_backward(timing):
    """Time sigmoid_backward."""
    timing()


@pytest.mark.exercise("gelu")
def bench_gelu(timing):
    """Time gelu: a polynomial in NumPy, erf elsewhere."""
    timing()


@pytest.mark.exercise("gelu_backward")
def bench_gelu_backward(timing):
    """Time gelu_backward."""
    timing()


@pytest.mark.exercise("gelu_tanh")
def bench_gelu_tanh(timing):
    """Time gelu_tanh."""
    timing()


@pytest.mark.exercise("silu")
def bench_silu(timing):
    """Time silu: one exp for each number."""
    timing()


@pytest.mark.exercise("silu_backward")
def bench_silu_backward(timing):
    """Time silu_backward."""
    timing()


@pytest.mark.exercise("swiglu")
def bench_swiglu(timing):
    """Time swiglu: three matrix products."""
    timing()


@pytest.mark.exercise("gradient_through_depth")
def bench_gradient_through_depth(timing):
    """Time gradient_through_depth: fifty layers."""
    timing()


@pytest.mark.exercise("dead_fraction")
def bench_dead_fraction(timing):
    """Time dead_fraction: it reads everything and returns one number."""
    timing()
