"""Topic 9, normalization: numbers kept to size, and the residual path beside them."""

from llm_math_tests.exercises.normalization import (
    layer_norm,
    layer_norm_backward,
    post_norm_block,
    pre_norm_block,
    pre_norm_block_backward,
    rms_norm,
    rms_norm_backward,
    transformer_block,
)

EXERCISES = (
    layer_norm.EXERCISE,
    layer_norm_backward.EXERCISE,
    rms_norm.EXERCISE,
    rms_norm_backward.EXERCISE,
    pre_norm_block.EXERCISE,
    pre_norm_block_backward.EXERCISE,
    post_norm_block.EXERCISE,
    transformer_block.EXERCISE,
)
