"""Topic 9, normalization: numbers kept to size, and the residual path beside them.

Write your answers in student/normalization/, then: pytest -k norm
"""

import pytest


@pytest.mark.exercise("layer_norm")
def test_layer_norm(answer, promise):
    """Every row gets mean 0 and variance 1, then a learned scale and shift."""
    promise(answer)


@pytest.mark.exercise("layer_norm_backward")
def test_layer_norm_backward(answer, promise):
    """A gradient goes back through layer_norm, to input, weight and bias."""
    promise(answer)


@pytest.mark.exercise("rms_norm")
def test_rms_norm(answer, promise):
    """Every row is divided by its root mean square."""
    promise(answer)


@pytest.mark.exercise("rms_norm_backward")
def test_rms_norm_backward(answer, promise):
    """A gradient goes back through rms_norm, to input and weight."""
    promise(answer)


@pytest.mark.exercise("pre_norm_block")
def test_pre_norm_block(answer, promise):
    """A sublayer adds to x what it makes of the normalized x."""
    promise(answer)


@pytest.mark.exercise("pre_norm_block_backward")
def test_pre_norm_block_backward(answer, promise):
    """A gradient goes back on two paths, one of them without any obstacle."""
    promise(answer)


@pytest.mark.exercise("post_norm_block")
def test_post_norm_block(answer, promise):
    """The original transformer's order: the sum is normalized."""
    promise(answer)


@pytest.mark.exercise("transformer_block")
def test_transformer_block(answer, promise):
    """One whole layer of a transformer."""
    promise(answer)
