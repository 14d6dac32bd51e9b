"""Topic 3, cross-entropy: how fast the answers are, beside the references and the libraries."""

import pytest


@pytest.mark.exercise("cross_entropy")
def bench_cross_entropy(timing):
    """A batch over a vocabulary: reads every logit, writes one number."""
    timing()


@pytest.mark.exercise("cross_entropy_backward")
def bench_cross_entropy_backward(timing):
    """The gradient of the loss: a softmax, and one subtraction a token."""
    timing()


@pytest.mark.exercise("label_smoothing_cross_entropy")
def bench_label_smoothing_cross_entropy(timing):
    """The loss against every class: one more sum over the vocabulary."""
    timing()


@pytest.mark.exercise("perplexity")
def bench_perplexity(timing):
    """The loss again, and one exponential."""
    timing()


@pytest.mark.exercise("mse_backward")
def bench_mse_backward(timing):
    """A softmax and its derivative: more passes than cross-entropy's gradient."""
    timing()
