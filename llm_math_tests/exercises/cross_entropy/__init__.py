"""Topic 3, cross-entropy: what a prediction costs, and which way to mend it."""

from llm_math_tests.exercises.cross_entropy import (
    cross_entropy,
    cross_entropy_backward,
    label_smoothing_cross_entropy,
    mse_backward,
    perplexity,
)

EXERCISES = (
    cross_entropy.EXERCISE,
    cross_entropy_backward.EXERCISE,
    label_smoothing_cross_entropy.EXERCISE,
    perplexity.EXERCISE,
    mse_backward.EXERCISE,
)
