"""logsumexp: the logarithm of a sum of exponentials."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    expect_truth,
    gradient_flows,
    relation,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import Rng, ordinary, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.softmax import yardsticks
from llm_math_tests.exercises.softmax.situations import (
    a_sum_beyond_float16,
    along,
    large,
    long_rows,
    numbers,
    rows,
    tiny,
)
from llm_math_tests.exercises.softmax.slips import of_every_axis
from llm_math_tests.truths import softmax as truth

AXES = tuple(along(axis, "x") for axis in (0, 1, -2, -3))


def _between_the_bounds(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    x = extended(inputs["x"])
    axis = inputs.get("axis", -1)
    top = x.max(axis=axis)
    expect_shape(got, top.shape)
    wanted = truth.logsumexp(**inputs)
    slack = wanted.allowance(result_dtype(inputs, answer.track))
    highest = top + np.log(extended(x.shape[axis]))
    value = extended(got)
    for what, off in (
        ("at least the largest number", top - value),
        ("at most the largest number + log n", value - highest),
    ):
        if not (off <= slack).all():
            worst = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
            raise Wrong(
                f"{what}: {float((top if 'least' in what else highest).flat[worst]):.9g}",
                f"{float(value.flat[worst]):.9g}",
                allowed=wanted.why(result_dtype(inputs, answer.track)),
            )


def _moves_with_a_constant(answer: Answer, inputs: Inputs) -> None:
    expect_truth(answer, answer(inputs), truth.logsumexp(**inputs), "float64")
    moved = {**inputs, "x": inputs["x"] + 64.0}
    expect_truth(answer, answer(moved), truth.logsumexp(**moved), "float64")


def _taken_away_is_log_softmax(answer: Answer, inputs: Inputs, log_softmax: Answer) -> None:
    got = extended(expect_array(answer(inputs), answer.track))
    x, axis = extended(inputs["x"]), inputs.get("axis", -1)
    expect_shape(got, x.max(axis=axis).shape)
    left = x - np.expand_dims(got, axis)
    dtype = result_dtype(inputs, answer.track)
    log_p = log_softmax({"logits": inputs["x"], "axis": axis})
    expect_same(answer, left.astype(dtype), log_p, 1 + np.abs(x) + np.abs(left), "1 + |x|")


is_a_smooth_maximum = Check(
    "is_a_smooth_maximum",
    "core",
    "between the largest number and log n above it",
    _between_the_bounds,
    ordinary(numbers, along(0, "x")),
)

moves_with_a_constant = Check(
    "moves_with_a_constant",
    "core",
    "adding a constant to every number adds it to the result",
    _moves_with_a_constant,
    (Case("plus_64", lambda rng: numbers(rng, "float64", (3,))),),
)


def _infinities() -> tuple[Case, ...]:
    def some(rng: Rng) -> Inputs:
        x = rng.normal(0, 2, (3, 6)).astype("float32")
        x[0, 2:] = x[1, 0] = -np.inf
        return {"x": x}

    def nothing(rng: Rng) -> Inputs:
        x = rng.normal(0, 2, (3, 4))
        x[1] = -np.inf
        return {"x": x}

    def plus(rng: Rng) -> Inputs:
        x = rng.normal(0, 2, (4, 4))
        x[0, 1] = x[1, :2] = x[2, 0] = np.inf
        x[2, 1] = -np.inf
        return {"x": x}

    return (
        Case("some_minus_infinity", some, "some of them -inf"),
        Case("a_row_of_minus_infinity", nothing, "one row all -inf"),
        Case("plus_infinity", plus, "some rows with +inf"),
    )


_SUM = "out = np.log(terms.sum(axis=axis)) + top.squeeze(axis=axis)"
_TOP = "top = _finite(numbers.max(axis=axis, keepdims=True))"
_RETURN = "return out.astype(_as_float(x).dtype, copy=False)"

EXERCISE = Exercise(
    name="logsumexp",
    topic="softmax",
    signature="logsumexp(x, axis=-1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "log of the sum of exp(x)",
            truth.logsumexp,
            ordinary(numbers, *AXES),
            points=2,
        ),
        is_a_smooth_maximum,
        moves_with_a_constant,
        relation(
            "taken_away_is_log_softmax",
            "x minus it is your log_softmax",
            ["log_softmax"],
            _taken_away_is_log_softmax,
            ordinary(numbers, along(0, "x")),
        ),
        gradient_flows(truth.logsumexp, (*ordinary(numbers), along(0, "x")), through=["x"]),
        values(
            "survives_large_numbers",
            "stable",
            "large numbers do not overflow",
            truth.logsumexp,
            large("x"),
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny numbers keep their digits",
            truth.logsumexp,
            tiny("x"),
        ),
        values(
            "handles_infinities",
            "stable",
            "all -inf gives -inf, any +inf gives +inf",
            truth.logsumexp,
            _infinities(),
        ),
        values(
            "handles_long_rows",
            "stable",
            "rows of any length work",
            truth.logsumexp,
            (*long_rows("x"), a_sum_beyond_float16("x")),
        ),
        *contract(
            numbers,
            truth.logsumexp,
            refusals=(refused(numbers, "axis", 2), refused(numbers, "axis", -3)),
        ),
    ),
    scaled=("x",),
    hints=(
        "exp(1000) overflows and exp(-1000) underflows. Which number can you take out of the "
        "sum, as a factor exp(m), so that neither happens?",
        "With m the largest number, log(exp(m) * s) is m + log(s). Mind the shapes: the axis "
        "is kept for the subtraction and dropped in the result.",
        "When m itself is infinite, inf - inf is NaN: subtract 0 there instead, and the rest "
        "of the formula gives -inf or +inf by itself.",
    ),
    mistakes=(
        Mistake(
            "no_maximum_subtracted",
            "exponentiated before subtracting the maximum",
            _TOP,
            "top = np.zeros_like(numbers.max(axis=axis, keepdims=True))",
        ),
        Mistake(
            "maximum_not_added_back",
            "left out the maximum that was taken from the exponents",
            _SUM,
            "out = np.log(terms.sum(axis=axis))",
        ),
        Mistake(
            "infinite_maximum_subtracted",
            "subtracted an infinite maximum: inf - inf is NaN",
            _TOP,
            "top = numbers.max(axis=axis, keepdims=True)",
        ),
        Mistake(
            "epsilon_in_the_logarithm",
            "added an epsilon inside the logarithm, so that nothing is not -inf any more",
            "np.log(terms.sum(axis=axis))",
            "np.log(terms.sum(axis=axis) + 1e-12)",
        ),
        Mistake(
            "mean_instead_of_sum",
            "took the mean of the exponentials, not their sum: off by log n",
            "terms.sum(axis=axis)",
            "terms.mean(axis=axis)",
        ),
        Mistake(
            "only_the_maximum", "returned the maximum alone", _SUM, "out = top.squeeze(axis=axis)"
        ),
        Mistake(
            "maximum_of_the_whole_array",
            "subtracted the maximum of the whole array: rows far below it underflow to log 0",
            _TOP,
            "top = np.zeros_like(numbers.max(axis=axis, keepdims=True))\n"
            "    if numbers.size:\n"
            "        top += _finite(numbers.max())",
        ),
        *of_every_axis("x"),
        Mistake(
            "axis_kept",
            "kept the summed axis in the result, with size 1",
            _SUM,
            "out = np.log(terms.sum(axis=axis, keepdims=True)) + top",
        ),
        Mistake(
            "logarithm_to_base_2",
            "took the logarithm to base 2; logs here are natural",
            "np.log(terms",
            "np.log2(terms",
        ),
        habits.SUMMED_IN_HALF,
        habits.ADDED_UP_IN_HALF,
    ),
    # NumPy itself refuses an axis: its AxisError is a ValueError that says axis and value.
    not_broken_by=("refusals_forgotten",),
    bench=matrix_bench(rows("x"), 1, 4, yardsticks.LOGSUMEXP),
)
