"""silu_backward: the gate, and what x does to the gate."""

from __future__ import annotations

from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import backward, wrote
from llm_math_tests.truths import activations as truth

EXERCISE = backward(
    "silu_backward",
    "g s (1 + x (1 - s)) with s = sigmoid(x)",
    truth.silu_backward,
    truth.silu,
    hints=(
        "x s is a product: differentiate one factor at a time. The derivative of s is s (1 - s).",
        "Far below 0, s is 0 and x large: in which order do you multiply? Compare the shapes "
        "first; compute float16 in float32.",
    ),
    mistakes=(
        wrote("gate_alone", "left out the second half of the product rule", "g * s"),
        wrote(
            "second_half_alone",
            "left out the first half of the product rule, s itself",
            "g * x * s * (1 - s)",
        ),
        wrote(
            "x_left_out", "left x out of the product rule's second half", "g * (s + s * (1 - s))"
        ),
        wrote(
            "gradient_left_out",
            "returned the derivative and left out the incoming gradient",
            "s * (1 + x * (1 - s))",
        ),
        wrote("of_the_sigmoid", "used the sigmoid's derivative", "g * s * (1 - s)"),
        wrote("sign", "added s to 1 where it is subtracted", "g * s * (1 + x * (1 + s))"),
        wrote("of_relu", "used relu's derivative", "g * (x > 0)"),
        wrote(
            "infinity_over_infinity",
            "divided exponentials that overflow: inf / inf is NaN",
            "g * np.exp(x) / (1 + np.exp(x)) * (1 + x / (1 + np.exp(x)))",
        ),
    ),
    operations=9,
    yardsticks=yardsticks.SILU_BACKWARD,
)
