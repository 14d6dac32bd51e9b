"""Topic 1, softmax: from scores to probabilities, without overflowing on the way.

Write your answers in student/softmax/, then: pytest -k softmax
"""

import pytest


@pytest.mark.exercise("softmax")
def test_softmax(answer, promise):
    """Scores become probabilities."""
    promise(answer)


@pytest.mark.exercise("log_softmax")
def test_log_softmax(answer, promise):
    """Scores become log-probabilities, also where the probabilities underflow."""
    promise(answer)


@pytest.mark.exercise("logsumexp")
def test_logsumexp(answer, promise):
    """The log of a sum of exponentials: a smooth maximum."""
    promise(answer)


@pytest.mark.exercise("softmax_backward")
def test_softmax_backward(answer, promise):
    """A gradient goes back through softmax without the Jacobian."""
    promise(answer)


@pytest.mark.exercise("softmax_jacobian")
def test_softmax_jacobian(answer, promise):
    """All derivatives of softmax: diag(p) - p p^T."""
    promise(answer)


@pytest.mark.exercise("online_logsumexp")
def test_online_logsumexp(answer, promise):
    """The logsumexp of a sequence too long to hold, in one pass."""
    promise(answer)
