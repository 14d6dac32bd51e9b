"""Topic 7, backpropagation: the chain rule in a training step, and how it fits in memory."""

from llm_math_tests.exercises.backprop import (
    accumulate_gradients,
    checkpointed_backward,
    linear_backward,
    two_layer_backward,
    two_layer_forward,
    unscale_gradients,
    update_loss_scale,
)

EXERCISES = (
    linear_backward.EXERCISE,
    two_layer_forward.EXERCISE,
    two_layer_backward.EXERCISE,
    accumulate_gradients.EXERCISE,
    checkpointed_backward.EXERCISE,
    unscale_gradients.EXERCISE,
    update_loss_scale.EXERCISE,
)
