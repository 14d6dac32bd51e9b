"""Topic 9, normalization: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("layer_norm")
def bench_layer_norm(timing):
    """Time layer_norm: two numbers a row, and then the row again."""
    timing()


@pytest.mark.exercise("layer_norm_backward")
def bench_layer_norm_backward(timing):
    """Time layer_norm_backward: sums along rows, and sums along columns."""
    timing()


@pytest.mark.exercise("rms_norm")
def bench_rms_norm(timing):
    """Time rms_norm, to set beside layer_norm: one pass less."""
    timing()


@pytest.mark.exercise("rms_norm_backward")
def bench_rms_norm_backward(timing):
    """Time rms_norm_backward."""
    timing()


@pytest.mark.exercise("transformer_block")
def bench_transformer_block(timing):
    """Time transformer_block: nearly all of it is matrix products."""
    timing()
