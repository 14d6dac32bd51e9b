"""Topic 2, attention: every query takes an average of the values, weighted by how keys match.

Write your answers in student/attention/, then: pytest -k attention
"""

import pytest


@pytest.mark.exercise("attention_scores")
def test_attention_scores(answer, promise):
    """Every query is compared with every key."""
    promise(answer)


@pytest.mark.exercise("causal_mask")
def test_causal_mask(answer, promise):
    """A token sees itself and those before it."""
    promise(answer)


@pytest.mark.exercise("scaled_dot_product_attention")
def test_scaled_dot_product_attention(answer, promise):
    """Scores become weights, and weights mix the values."""
    promise(answer)


@pytest.mark.exercise("scaled_dot_product_attention_backward")
def test_scaled_dot_product_attention_backward(answer, promise):
    """A gradient goes back to queries, keys and values."""
    promise(answer)


@pytest.mark.exercise("multi_head_attention")
def test_multi_head_attention(answer, promise):
    """Several heads attend side by side, each on its slice of the width."""
    promise(answer)


@pytest.mark.exercise("flash_attention")
def test_flash_attention(answer, promise):
    """The same result without the score matrix."""
    promise(answer)
