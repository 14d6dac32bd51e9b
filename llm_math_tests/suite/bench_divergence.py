"""Topic 4, divergence: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("entropy")
def bench_entropy(timing):
    """Time entropy: a logarithm of every number, and one sum a row."""
    timing()


@pytest.mark.exercise("kl_divergence")
def bench_kl_divergence(timing):
    """Time kl_divergence."""
    timing()


@pytest.mark.exercise("js_divergence")
def bench_js_divergence(timing):
    """Time js_divergence: two divergences for the price of one average more."""
    timing()


@pytest.mark.exercise("distillation_loss")
def bench_distillation_loss(timing):
    """Time distillation_loss: two log-softmaxes and what they weigh."""
    timing()


@pytest.mark.exercise("gaussian_kl")
def bench_gaussian_kl(timing):
    """Time gaussian_kl."""
    timing()


@pytest.mark.exercise("kl_penalized_reward")
def bench_kl_penalized_reward(timing):
    """Time kl_penalized_reward: it reads everything and writes next to nothing."""
    timing()
