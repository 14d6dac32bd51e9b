"""relu_backward: a gradient passes, or it stops."""

from __future__ import annotations

from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import backward, wrote
from llm_math_tests.truths import activations as truth

EXERCISE = backward(
    "relu_backward",
    "g where x is positive, else 0",
    truth.relu_backward,
    truth.relu,
    through=["grad_output"],
    hints=(
        "Where relu passed x on, its derivative is 1; where it cut off, 0.",
        "At exactly 0 it is 0: is your comparison strict?",
        "Compare the two shapes before anything can broadcast.",
    ),
    mistakes=(
        wrote(
            "passes_at_zero",
            "let the gradient pass at exactly 0: there it is 0",
            "np.where(x >= 0, g, 0)",
        ),
        wrote(
            "half_at_zero",
            "let half the gradient pass at exactly 0: there it is 0",
            "g * (1 + np.sign(x)) / 2",
        ),
        wrote(
            "sign",
            "turned the gradient around where x is negative: it is 0 there",
            "g * np.sign(x)",
        ),
        wrote("times_x", "multiplied by relu(x), not by its derivative", "g * np.maximum(x, 0)"),
        wrote(
            "gradient_left_out",
            "returned the derivative and left out the incoming gradient",
            "1.0 * (x > 0)",
        ),
        wrote(
            "looked_at_the_gradient",
            "looked at the sign of the gradient, not of x",
            "np.maximum(g, 0)",
        ),
        wrote(
            "leaky",
            "let a hundredth of the gradient through where x is negative",
            "np.where(x > 0, g, 0.01 * g)",
        ),
        wrote("other_side", "let the gradient pass where x is negative", "np.where(x < 0, g, 0)"),
    ),
    operations=1,
    yardsticks=yardsticks.RELU_BACKWARD,
)
