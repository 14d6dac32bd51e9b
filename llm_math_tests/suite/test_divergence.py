"""Topic 4, divergence: how much a distribution leaves open, and how far two are apart.

Write your answers in student/divergence/, then: pytest -k divergence
"""

import pytest


@pytest.mark.exercise("entropy")
def test_entropy(answer, promise):
    """How much a distribution leaves open, in nats."""
    promise(answer)


@pytest.mark.exercise("kl_divergence")
def test_kl_divergence(answer, promise):
    """What it costs to believe q where p is true."""
    promise(answer)


@pytest.mark.exercise("js_divergence")
def test_js_divergence(answer, promise):
    """Two distributions compared symmetrically, without infinity."""
    promise(answer)


@pytest.mark.exercise("distillation_loss")
def test_distillation_loss(answer, promise):
    """A student learns the whole distribution of its teacher."""
    promise(answer)


@pytest.mark.exercise("gaussian_kl")
def test_gaussian_kl(answer, promise):
    """How far a Gaussian posterior has moved from the standard normal."""
    promise(answer)


@pytest.mark.exercise("kl_penalized_reward")
def test_kl_penalized_reward(answer, promise):
    """A reward, less what it cost to drift from the reference model."""
    promise(answer)
