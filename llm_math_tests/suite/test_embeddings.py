"""Topic 5, embeddings: from token ids to rows of a table, and the gradient back to them.

Write your answers in student/embeddings/, then: pytest -k embedding
"""

import pytest


@pytest.mark.exercise("one_hot")
def test_one_hot(answer, promise):
    """A token id becomes a row of zeros with a single 1."""
    promise(answer)


@pytest.mark.exercise("embedding_lookup")
def test_embedding_lookup(answer, promise):
    """Token ids become rows of a table."""
    promise(answer)


@pytest.mark.exercise("embedding_backward")
def test_embedding_backward(answer, promise):
    """Each token's gradient goes back to its row, and repeated tokens add up."""
    promise(answer)


@pytest.mark.exercise("embedding_sgd_step")
def test_embedding_sgd_step(answer, promise):
    """The rows of the tokens in a batch take a step, the others keep every bit."""
    promise(answer)
