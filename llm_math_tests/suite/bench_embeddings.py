"""Topic 5, embeddings: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("one_hot")
def bench_one_hot(timing):
    """Time one_hot: nearly all of it is writing zeros."""
    timing()


@pytest.mark.exercise("embedding_lookup")
def bench_embedding_lookup(timing):
    """Time embedding_lookup: rows copied from all over a table."""
    timing()


@pytest.mark.exercise("embedding_backward")
def bench_embedding_backward(timing):
    """Time embedding_backward: few rows of a large gradient are not 0."""
    timing()


@pytest.mark.exercise("embedding_sgd_step")
def bench_embedding_sgd_step(timing):
    """Time embedding_sgd_step: most of it is the copy of the table."""
    timing()
