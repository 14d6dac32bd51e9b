"""Topic 2, attention: every query takes an average of the values, weighted by their keys."""

from llm_math_tests.exercises.attention import (
    attention_scores,
    causal_mask,
    flash_attention,
    multi_head_attention,
    scaled_dot_product_attention,
    scaled_dot_product_attention_backward,
)

EXERCISES = (
    attention_scores.EXERCISE,
    causal_mask.EXERCISE,
    scaled_dot_product_attention.EXERCISE,
    scaled_dot_product_attention_backward.EXERCISE,
    multi_head_attention.EXERCISE,
    flash_attention.EXERCISE,
)
