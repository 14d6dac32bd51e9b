"""Topic 2, attention: how fast the answers are, beside the references and the libraries."""

import pytest


@pytest.mark.exercise("attention_scores")
def bench_attention_scores(timing):
    """Queries against keys: one matrix product a head."""
    timing()


@pytest.mark.exercise("causal_mask")
def bench_causal_mask(timing):
    """What may be looked at: n times n truth values, made and not read."""
    timing()


@pytest.mark.exercise("scaled_dot_product_attention")
def bench_scaled_dot_product_attention(timing):
    """Scores, softmax and a weighted sum: two products around an exponential."""
    timing()


@pytest.mark.exercise("scaled_dot_product_attention_backward")
def bench_scaled_dot_product_attention_backward(timing):
    """Three gradients, of queries, keys and values."""
    timing()


@pytest.mark.exercise("multi_head_attention")
def bench_multi_head_attention(timing):
    """Projections around the heads: mostly matrix products."""
    timing()


@pytest.mark.exercise("flash_attention")
def bench_flash_attention(timing):
    """Attention block by block, without its matrix of scores."""
    timing()
