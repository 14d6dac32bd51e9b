"""Topic 4, divergence: how much a distribution leaves open, and how far two are apart."""

from llm_math_tests.exercises.divergence import (
    distillation_loss,
    entropy,
    gaussian_kl,
    js_divergence,
    kl_divergence,
    kl_penalized_reward,
)

EXERCISES = (
    entropy.EXERCISE,
    kl_divergence.EXERCISE,
    js_divergence.EXERCISE,
    distillation_loss.EXERCISE,
    gaussian_kl.EXERCISE,
    kl_penalized_reward.EXERCISE,
)
