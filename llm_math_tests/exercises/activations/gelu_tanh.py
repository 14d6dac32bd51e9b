"""gelu_tanh: gelu as GPT-2 computes it."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import GATED, forward, wrote
from llm_math_tests.truths import activations as truth

EXERCISE = forward(
    "gelu_tanh",
    "0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))",
    truth.gelu_tanh,
    slope=truth.gelu_tanh_backward,
    mirror=GATED,
    tiny=truth.gelu_tanh,
    hints=(
        "Build it from the inside: the cube, then the sum, the root, tanh and the gate.",
        "x + 0.044715 x^3 is x (1 + 0.044715 x x): two products where a power would be slow.",
    ),
    mistakes=(
        wrote("exact_gelu", "used erf, which is the exact gelu", "x * below"),
        wrote(
            "square",
            "squared where the cube belongs",
            "0.5 * x * (1 + np.tanh(root * (x + 0.044715 * x**2)))",
        ),
        wrote(
            "root_of_x_only",
            "multiplied only x by sqrt(2 / pi), not the cube",
            "0.5 * x * (1 + np.tanh(root * x + 0.044715 * x**3))",
        ),
        wrote(
            "root_of_two_pi",
            "used sqrt(2 pi) where sqrt(2 / pi) belongs",
            "0.5 * x * (1 + np.tanh(math.sqrt(2 * math.pi) * (x + 0.044715 * x**3)))",
        ),
        wrote(
            "half_left_out",
            "left out the factor 1/2",
            "x * (1 + np.tanh(root * (x + 0.044715 * x**3)))",
        ),
        wrote(
            "one_left_out",
            "left out the 1 that is added to tanh",
            "0.5 * x * np.tanh(root * (x + 0.044715 * x**3))",
        ),
        wrote(
            "decimal_point",
            "wrote 0.44715 for 0.044715",
            "0.5 * x * (1 + np.tanh(root * (x + 0.44715 * x**3)))",
        ),
        wrote(
            "sigmoid_approximation",
            "used the other approximation, x sigmoid(1.702 x)",
            "x * _sigmoid(1.702 * x)",
        ),
        wrote(
            "root_as_a_decimal",
            "rounded sqrt(2 / pi) to three digits",
            "0.5 * x * (1 + np.tanh(0.798 * (x + 0.044715 * x**3)))",
        ),
        wrote(
            "root_to_eight_digits",
            "wrote 0.79788456 for sqrt(2 / pi): float64 has twice as many digits",
            "0.5 * x * (1 + np.tanh(0.79788456 * (x + 0.044715 * x**3)))",
        ),
        wrote(
            "root_to_ten_digits",
            "wrote 0.7978845608 for sqrt(2 / pi): float64 has sixteen digits",
            "0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))",
        ),
        wrote("cube_left_out", "left out the cube", "0.5 * x * (1 + np.tanh(root * x))"),
        Mistake(
            "gate_held_constant",
            "detached the gate: autograd has to go through tanh as well",
            "inner.mul_(math.sqrt(2 / math.pi)).tanh_()",
            "inner.mul_(math.sqrt(2 / math.pi)).tanh_().detach()",
            track="torch",
        ),
    ),
    operations=12,
    yardsticks=yardsticks.GELU_TANH,
)
