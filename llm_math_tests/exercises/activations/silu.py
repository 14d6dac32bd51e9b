"""silu: each number times its own sigmoid."""

from __future__ import annotations

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.promises import expect_same, relation
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Inputs, Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import GATED, forward, wrote
from llm_math_tests.exercises.activations.situations import numbers
from llm_math_tests.truths import activations as truth


def _is(answer: Answer, inputs: Inputs, sigmoid: Answer) -> None:
    s = extended(sigmoid({"x": inputs["x"]}))
    x = extended(inputs["x"])
    expect_same(answer, answer(inputs), x * s, x, "|x|")


is_x_times_sigmoid = relation(
    "is_x_times_sigmoid",
    "it is x times your own sigmoid of x",
    ["sigmoid"],
    _is,
    ordinary(numbers),
)


EXERCISE = forward(
    "silu",
    "x / (1 + e^-x)",
    truth.silu,
    slope=truth.silu_backward,
    mirror=GATED,
    tiny=truth.silu,
    more=(is_x_times_sigmoid,),
    compositions=yardsticks.SILU_COMPOSED,
    hints=(
        "It is x times its sigmoid. What does your sigmoid give far below 0, and what does x "
        "times that give?",
        "x e^x / (1 + e^x) is inf / inf for large x; x / (1 + e^-x) ends at x / inf = 0. "
        "Compute float16 in float32.",
    ),
    mistakes=(
        wrote("gate_alone", "returned the sigmoid and left out x", "s"),
        wrote("tanh_gate", "weighed with tanh, not with the sigmoid", "x * np.tanh(x)"),
        wrote(
            "sigmoid_of_1702", "put gelu's factor 1.702 into the sigmoid", "x * _sigmoid(1.702 * x)"
        ),
        wrote("sign_of_the_exponent", "exponentiated x where -x belongs", "x * (1 - s)"),
        wrote(
            "infinity_over_infinity",
            "divided exponentials that overflow: inf / inf is NaN",
            "x * np.exp(x) / (1 + np.exp(x))",
        ),
        wrote(
            "straight_lines",
            "joined straight lines, which is hard swish",
            "x * np.clip(x / 6 + 0.5, 0, 1)",
        ),
        wrote("gate_squared", "multiplied by the sigmoid twice", "x * s * s"),
        wrote("relu_returned", "cut off at 0, which is relu", "np.maximum(x, 0)"),
        wrote("added", "added the sigmoid to x, where it is multiplied", "x + s"),
        Mistake(
            "gate_held_constant",
            "detached the gate: autograd has to go through the sigmoid as well",
            "torch.sigmoid(z)",
            "torch.sigmoid(z).detach()",
            track="torch",
        ),
        Mistake(
            "zero_times_infinity",
            "let e^-x overflow: the result is right, but autograd multiplies 0 by infinity",
            "z * torch.sigmoid(z)",
            "z / (1 + torch.exp(-z))",
            track="torch",
        ),
    ),
    operations=5,
    yardsticks=yardsticks.SILU,
)
