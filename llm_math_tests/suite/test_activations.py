"""Topic 8, activations: what bends a network, and what depth makes of the derivatives.

Write your answers in student/activations/, then: pytest -k activations
"""

import pytest


@pytest.mark.exercise("relu")
def test_relu(answer, promise):
    """What is negative becomes 0; the rest passes."""
    promise(answer)


@pytest.mark.exercise("relu_backward")
def test_relu_backward(answer, promise):
    """A gradient passes where relu did, and stops elsewhere."""
    promise(answer)


@pytest.mark.exercise("tanh")
def test_tanh(answer, promise):
    """Numbers are squashed evenly around 0, the tiny ones without losing digits."""
    promise(answer)


@pytest.mark.exercise("tanh_backward")
def test_tanh_backward(answer, promise):
    """A saturated unit lets nothing through."""
    promise(answer)


@pytest.mark.exercise("sigmoid")
def test_sigmoid(answer, promise):
    """A score becomes a probability, and nothing overflows."""
    promise(answer)


@pytest.mark.exercise("sigmoid_backward")
def test_sigmoid_backward(answer, promise):
    """At most a quarter of a gradient passes."""
    promise(answer)


@pytest.mark.exercise("gelu")
def test_gelu(answer, promise):
    """Each number times the normal probability below it."""
    promise(answer)


@pytest.mark.exercise("gelu_backward")
def test_gelu_backward(answer, promise):
    """The gate, and what x does to the gate."""
    promise(answer)


@pytest.mark.exercise("gelu_tanh")
def test_gelu_tanh(answer, promise):
    """Gelu as GPT-2 computes it."""
    promise(answer)


@pytest.mark.exercise("silu")
def test_silu(answer, promise):
    """Each number times its own sigmoid."""
    promise(answer)


@pytest.mark.exercise("silu_backward")
def test_silu_backward(answer, promise):
    """The gate, and what x does to the gate."""
    promise(answer)


@pytest.mark.exercise("swiglu")
def test_swiglu(answer, promise):
    """A feed-forward block with a gate."""
    promise(answer)


@pytest.mark.exercise("gradient_through_depth")
def test_gradient_through_depth(answer, promise):
    """Derivatives multiplied layer by layer: they vanish or explode."""
    promise(answer)


@pytest.mark.exercise("dead_fraction")
def test_dead_fraction(answer, promise):
    """The share of relu units that never fire."""
    promise(answer)
