"""tanh: numbers squashed evenly around 0."""

from __future__ import annotations

from llm_math_tests import habits
from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import ODD, forward, wrote
from llm_math_tests.truths import activations as truth

EXERCISE = forward(
    "tanh",
    "(e^x - e^-x) / (e^x + e^-x)",
    truth.tanh,
    slope=truth.tanh_backward,
    mirror=ODD,
    tiny=truth.tanh_relative,
    infinite=True,
    hints=(
        "e^x and e^-x overflow for large x. Divide both sides of the fraction by one of them: "
        "what is left?",
        "With t = e^2x - 1 it is t / (t + 2), and expm1 gives t with all its digits. Only "
        "large x still overflow: from which x on is tanh(x) equal to 1?",
    ),
    mistakes=(
        wrote(
            "infinity_over_infinity",
            "divided differences of e^x and e^-x: inf / inf far out, no digits left next to 0",
            "(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))",
        ),
        Mistake(
            "only_large_x",
            "left large x to overflow: inf / inf is NaN",
            "np.minimum(_widened(x), 20)",
            "_widened(x) + 0",
        ),
        wrote(
            "subtracted_from_one",
            "subtracted from 1, where tiny x lose their digits: expm1 keeps them",
            "1 - 2 / (np.exp(2 * x) + 1)",
        ),
        Mistake(
            "one_not_subtracted",
            "used e^2x where e^2x - 1 belongs",
            "np.expm1(out)",
            "np.exp(out)",
        ),
        wrote("sigmoid_returned", "returned the sigmoid, which runs from 0 to 1", "s"),
        wrote(
            "half_the_argument",
            "used e^x where e^2x belongs: that is tanh(x / 2)",
            "np.tanh(x / 2)",
        ),
        wrote("straight_lines", "cut x off at -1 and 1, which is hard tanh", "np.clip(x, -1, 1)"),
        wrote("sign_lost", "lost the sign of negative x", "np.tanh(np.abs(x))"),
        Mistake(
            "abs_at_zero",
            "went through torch.abs, whose gradient at exactly 0 is 0",
            edit=habits.around("return args[0].sign() * right(args[0].abs())", "torch"),
            track="torch",
        ),
    ),
    operations=8,
    yardsticks=yardsticks.TANH,
)
