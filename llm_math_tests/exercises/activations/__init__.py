"""Topic 8, activations: what bends a network, and what depth makes of the derivatives."""

from llm_math_tests.exercises.activations import (
    dead_fraction,
    gelu,
    gelu_backward,
    gelu_tanh,
    gradient_through_depth,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    swiglu,
    tanh,
    tanh_backward,
)

EXERCISES = (
    relu.EXERCISE,
    relu_backward.EXERCISE,
    tanh.EXERCISE,
    tanh_backward.EXERCISE,
    sigmoid.EXERCISE,
    sigmoid_backward.EXERCISE,
    gelu.EXERCISE,
    gelu_backward.EXERCISE,
    gelu_tanh.EXERCISE,
    silu.EXERCISE,
    silu_backward.EXERCISE,
    swiglu.EXERCISE,
    gradient_through_depth.EXERCISE,
    dead_fraction.EXERCISE,
)
