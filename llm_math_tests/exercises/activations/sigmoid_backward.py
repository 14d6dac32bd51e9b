"""sigmoid_backward: at most a quarter of a gradient passes."""

from __future__ import annotations

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.promises import expect_same, relation
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Inputs, Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import backward, wrote
from llm_math_tests.exercises.activations.situations import upstream
from llm_math_tests.truths import activations as truth


def _is(answer: Answer, inputs: Inputs, sigmoid: Answer) -> None:
    s = extended(sigmoid({"x": inputs["x"]}))
    wanted = extended(inputs["grad_output"]) * s * (1 - s)
    scale = abs(extended(inputs["grad_output"]))
    expect_same(answer, answer(inputs), wanted, scale, "|g|")


comes_from_sigmoid = relation(
    "comes_from_sigmoid",
    "it is g s (1 - s) with your own sigmoid",
    ["sigmoid"],
    _is,
    ordinary(upstream),
)


EXERCISE = backward(
    "sigmoid_backward",
    "g s (1 - s) with s = sigmoid(x)",
    truth.sigmoid_backward,
    truth.sigmoid,
    more=(comes_from_sigmoid,),
    hints=(
        "The derivative of s is s (1 - s). x is what went into the sigmoid, not what came out "
        "of it.",
        "s (1 - s) is the same for x and -x: put e = e^-|x|, which never overflows, into it and "
        "simplify. Compare the shapes first; compute float16 in float32.",
    ),
    mistakes=(
        wrote("taken_for_the_output", "took x for what the sigmoid returned", "g * x * (1 - x)"),
        wrote(
            "gradient_left_out",
            "returned the derivative and left out the incoming gradient",
            "s * (1 - s)",
        ),
        wrote("squared", "multiplied by s twice, where one of the two is 1 - s", "g * s * s"),
        wrote("gate_left_out", "multiplied by 1 - s and left out s", "g * (1 - s)"),
        wrote("of_tanh", "used tanh's derivative, 1 - y^2", "g * (1 - s * s)"),
        wrote("sign", "subtracted 1 from s: the gradient points the other way", "g * s * (s - 1)"),
        wrote(
            "infinity_over_infinity",
            "divided exponentials that overflow: inf / inf is NaN",
            "g * np.exp(x) / (1 + np.exp(x)) ** 2",
        ),
        Mistake(
            "divided_once",
            "divided by 1 + e once: it stands there squared",
            "below *= below",
            "",
        ),
    ),
    operations=8,
    yardsticks=yardsticks.SIGMOID_BACKWARD,
)
