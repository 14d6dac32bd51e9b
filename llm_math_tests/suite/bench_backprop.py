"""Topic 7, backpropagation: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("linear_backward")
def bench_linear_backward(timing):
    """Time linear_backward: two matrix products and a sum."""
    timing()


@pytest.mark.exercise("two_layer_forward")
def bench_two_layer_forward(timing):
    """Time two_layer_forward."""
    timing()


@pytest.mark.exercise("unscale_gradients")
def bench_unscale_gradients(timing):
    """Time unscale_gradients: one division and one look at every number."""
    timing()
