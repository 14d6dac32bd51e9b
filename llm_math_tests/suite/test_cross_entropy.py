"""Topic 3, cross-entropy: what a prediction costs, and which way to mend it."""

import pytest


@pytest.mark.exercise("cross_entropy")
def test_cross_entropy(answer, promise):
    """Predictions are charged for their surprise."""
    promise(answer)


@pytest.mark.exercise("cross_entropy_backward")
def test_cross_entropy_backward(answer, promise):
    """Predicted minus observed, over the kept tokens."""
    promise(answer)


@pytest.mark.exercise("label_smoothing_cross_entropy")
def test_label_smoothing_cross_entropy(answer, promise):
    """The target is not quite sure of itself."""
    promise(answer)


@pytest.mark.exercise("perplexity")
def test_perplexity(answer, promise):
    """How many classes the model hesitates between."""
    promise(answer)


@pytest.mark.exercise("mse_backward")
def test_mse_backward(answer, promise):
    """The gradient that goes quiet where it is most wrong."""
    promise(answer)
