"""Topic 7, backpropagation: the chain rule in a training step, and how it fits in memory.

Write your answers in student/backprop/, then: pytest -k backprop
"""

import pytest


@pytest.mark.exercise("linear_backward")
def test_linear_backward(answer, promise):
    """A gradient goes back through x w + b."""
    promise(answer)


@pytest.mark.exercise("two_layer_forward")
def test_two_layer_forward(answer, promise):
    """Two layers forward, keeping what the way back needs."""
    promise(answer)


@pytest.mark.exercise("two_layer_backward")
def test_two_layer_backward(answer, promise):
    """Back through both layers, with what your own forward kept."""
    promise(answer)


@pytest.mark.exercise("accumulate_gradients")
def test_accumulate_gradients(answer, promise):
    """A large batch's gradient, from batches that fit."""
    promise(answer)


@pytest.mark.exercise("checkpointed_backward")
def test_checkpointed_backward(answer, promise):
    """Many layers in the memory of a few: recompute what was not kept."""
    promise(answer)


@pytest.mark.exercise("unscale_gradients")
def test_unscale_gradients(answer, promise):
    """Divide by the loss scale, and see whether anything overflowed."""
    promise(answer)


@pytest.mark.exercise("update_loss_scale")
def test_update_loss_scale(answer, promise):
    """Halve the loss scale at once, double it in time."""
    promise(answer)
