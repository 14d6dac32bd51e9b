"""tanh_backward: what a saturated unit lets through."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import backward, wrote
from llm_math_tests.truths import activations as truth

EXERCISE = backward(
    "tanh_backward",
    "g (1 - tanh(x)^2)",
    truth.tanh_backward,
    truth.tanh,
    hints=(
        "The derivative of tanh is 1 - tanh^2. x is what went into tanh, not what came out of it.",
        "1 - tanh^2 is the same for x and -x: put e = e^-2|x|, which never overflows, into it "
        "and simplify. Compare the shapes first; compute float16 in float32.",
    ),
    mistakes=(
        wrote("not_squared", "subtracted tanh(x) from 1, not its square", "g * (1 - np.tanh(x))"),
        wrote("taken_for_the_output", "took x for what tanh returned", "g * (1 - x * x)"),
        wrote(
            "gradient_left_out",
            "returned the derivative and left out the incoming gradient",
            "1 - np.tanh(x) ** 2",
        ),
        wrote(
            "added_to_one", "added the square to 1: it is subtracted", "g * (1 + np.tanh(x) ** 2)"
        ),
        wrote("times_tanh", "multiplied by tanh(x), not by its derivative", "g * np.tanh(x)"),
        wrote("of_the_sigmoid", "used the sigmoid's derivative, s (1 - s)", "g * s * (1 - s)"),
        wrote(
            "infinity_over_infinity",
            "divided exponentials that overflow: inf / inf is NaN",
            "4 * g * np.exp(2 * x) / (1 + np.exp(2 * x)) ** 2",
        ),
        Mistake(
            "half_the_exponent",
            "used e^-|x| where e^(-2|x|) belongs",
            "_decay(_widened(x), 2)",
            "_decay(_widened(x), 1)",
        ),
    ),
    operations=8,
    yardsticks=yardsticks.TANH_BACKWARD,
)
