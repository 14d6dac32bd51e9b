"""Topic 1, softmax: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("softmax")
def bench_softmax(timing):
    """Time softmax: five passes over memory, or one."""
    timing()


@pytest.mark.exercise("log_softmax")
def bench_log_softmax(timing):
    """Time log_softmax."""
    timing()


@pytest.mark.exercise("logsumexp")
def bench_logsumexp(timing):
    """Time logsumexp: it reads everything and writes next to nothing."""
    timing()


@pytest.mark.exercise("softmax_backward")
def bench_softmax_backward(timing):
    """Time softmax_backward."""
    timing()


@pytest.mark.exercise("softmax_jacobian")
def bench_softmax_jacobian(timing):
    """Time softmax_jacobian: n numbers in, n * n out."""
    timing()


@pytest.mark.exercise("online_logsumexp")
def bench_online_logsumexp(timing):
    """Time online_logsumexp, block by block, beside logsumexp of the whole."""
    timing()
