"""gelu_backward: the gate, and what x does to the gate."""

from __future__ import annotations

from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import backward, wrote
from llm_math_tests.truths import activations as truth

EXERCISE = backward(
    "gelu_backward",
    "g (Phi(x) + x phi(x))",
    truth.gelu_backward,
    truth.gelu,
    hints=(
        "x Phi(x) is a product: differentiate one factor at a time. The derivative of Phi is "
        "the normal density phi.",
        "phi(x) = e^(-x^2 / 2) / sqrt(2 pi). Compare the shapes first; compute float16 in float32.",
    ),
    mistakes=(
        wrote("gate_alone", "left out the second half of the product rule, x phi(x)", "g * below"),
        wrote("x_left_out", "added phi(x) where x phi(x) belongs", "g * (below + density)"),
        wrote(
            "gradient_left_out",
            "returned the derivative and left out the incoming gradient",
            "below + x * density",
        ),
        wrote(
            "not_normalized",
            "left 1 / sqrt(2 pi) out of the density",
            "g * (below + x * np.exp(-x * x / 2))",
        ),
        wrote(
            "exponent_not_halved",
            "used e^(-x^2) where e^(-x^2 / 2) belongs",
            "g * (below + x * np.exp(-x * x) / math.sqrt(2 * math.pi))",
        ),
        wrote(
            "second_half_alone",
            "left out the first half of the product rule, Phi(x)",
            "g * x * density",
        ),
        wrote("of_silu", "used silu's derivative", "g * s * (1 + x * (1 - s))"),
        wrote("of_relu", "used relu's derivative", "g * (x > 0)"),
        wrote(
            "sum_of_the_halves", "subtracted x phi(x), which is added", "g * (below - x * density)"
        ),
    ),
    operations=45,
    yardsticks=yardsticks.GELU_BACKWARD,
)
