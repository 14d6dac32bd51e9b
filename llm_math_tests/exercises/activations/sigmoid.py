"""sigmoid: a score becomes a probability."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.promises import expect_truth, result_dtype
from llm_math_tests.checks.truth import eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Check, Inputs, Mistake
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.exercises.activations.elementwise import SHARED, forward, wrote
from llm_math_tests.exercises.activations.situations import ENDS, of
from llm_math_tests.truths import activations as truth


def _rises(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    expect_shape(got, inputs["x"].shape)
    y = extended(got)
    if not ((y >= 0) & (y <= 1)).all():
        outside = y[~((y >= 0) & (y <= 1))][0]
        raise Wrong("numbers between 0 and 1", f"{float(outside):.9g}")
    steps = np.diff(y)
    allowed = eps(result_dtype(inputs, answer.track))
    if not (steps >= -allowed).all():
        at = int(np.argmin(steps))
        raise Wrong(
            f"a curve that rises from x = {inputs['x'][at]:g} to {inputs['x'][at + 1]:g}",
            f"{float(y[at]):.9g}, then {float(y[at + 1]):.9g}",
            allowed=f"one rounding, {allowed:.1e}",
        )


def _warns_of_nothing(answer: Answer, inputs: Inputs) -> None:
    reply = answer.ask(inputs)
    heard = [said for said in reply.warnings if said.startswith("RuntimeWarning")]
    if heard:
        raise Wrong(
            "no warning",
            heard[0],
            note="exp(-|x|) never overflows; exp(x) and exp(-x) do",
        )
    expect_truth(answer, reply.value, truth.sigmoid(**inputs), result_dtype(inputs, answer.track))


rises = Check(
    "rises",
    "stable",
    "between 0 and 1, and never falling",
    _rises,
    (
        of("float32", "float32", np.arange(-200, 200.5, 0.5), "x from -200 to 200 in steps of 0.5"),
        of("float64", "float64", np.arange(-1e4, 1e4, 12.5), "x from -1e4 to 1e4 in steps of 12.5"),
    ),
)

warns_of_nothing = Check(
    "warns_of_nothing",
    "contract",
    "nothing overflows on the way: no RuntimeWarning",
    _warns_of_nothing,
    (
        of("float32", "float32", ENDS, "x from -1e4 to 1e4"),
        of("float64", "float64", ENDS, "x from -1e4 to 1e4"),
        of("float16", "float16", [-6e4, -12.0, 12.0, 6e4], "x up to 6e4"),
    ),
    tracks=("numpy",),
)


EXERCISE = forward(
    "sigmoid",
    "1 / (1 + e^-x)",
    truth.sigmoid,
    slope=truth.sigmoid_backward,
    mirror=SHARED,
    tiny=truth.sigmoid,
    not_broken_by=("small_cut",),  # its sigmoid is 0.5 all the same
    infinite=True,
    more=(rises, warns_of_nothing),
    hints=(
        "e^-x overflows for very negative x, e^x for very positive ones. Which of the two is "
        "safe where?",
        "Exponentiate -|x|, which never overflows. Which fraction in that number is the sigmoid "
        "of a positive x, and which that of a negative one?",
    ),
    mistakes=(
        wrote(
            "infinity_over_infinity",
            "divided e^x by 1 + e^x, also where e^x overflows: inf / inf is NaN",
            "np.exp(x) / (1 + np.exp(x))",
        ),
        Mistake(
            "overflow_on_the_way",
            "let e^-x overflow: the result is right, but NumPy warns about it, and so it should",
            edit=habits.around(
                "return (1 / (1 + np.exp(-_as_float(args[0])))).astype(right(args[0]).dtype)"
            ),
        ),
        wrote(
            "straight_lines",
            "joined three straight lines, which is hard sigmoid",
            "np.clip(x / 6 + 0.5, 0, 1)",
        ),
        wrote(
            "straight_lines_steeper",
            "joined three straight lines, which is hard sigmoid",
            "np.clip(0.2 * x + 0.5, 0, 1)",
        ),
        wrote("tanh_returned", "returned tanh, which runs from -1 to 1", "np.tanh(x)"),
        wrote("sign_of_the_exponent", "exponentiated x where -x belongs: the curve falls", "1 - s"),
        wrote(
            "power_of_two", "raised 2 to the numbers; the sigmoid raises e", "1 / (1 + np.exp2(-x))"
        ),
        wrote(
            "clipped",
            "clipped x to 10 first: what lies beyond is not distinguished any more",
            "1 / (1 + np.exp(-np.clip(x, -10, 10)))",
        ),
        Mistake(
            "one_side_only",
            "used e / (1 + e) where x is positive as well",
            "np.exp(out, out=out)",
            "out = _decay(z, 1)",
        ),
        Mistake(
            "abs_at_zero",
            "went through torch.abs, whose gradient at exactly 0 is 0",
            "z.clamp(-far, far).neg_().exp().add(1).reciprocal()",
            "torch.where(z < 0, (-z.abs()).exp(), 1.0) / (1 + (-z.abs()).exp())",
            track="torch",
        ),
        Mistake(
            "zero_times_infinity",
            "let e^-x overflow: the result is right, but autograd multiplies 0 by infinity",
            "z.clamp(-far, far).neg_().exp().add(1).reciprocal()",
            "1 / (1 + torch.exp(-z))",
            track="torch",
        ),
    ),
    operations=8,
    yardsticks=yardsticks.SIGMOID,
)
