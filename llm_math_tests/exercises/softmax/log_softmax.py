"""log_softmax: scores to log-probabilities."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
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
from llm_math_tests.checks.situations import ordinary, refused
from llm_math_tests.checks.truth import eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.softmax import yardsticks
from llm_math_tests.exercises.softmax.situations import (
    AXES,
    a_sum_beyond_float16,
    along,
    far_from_zero,
    large,
    long_rows,
    rows,
    scores,
    tiny,
    with_minus_infinity,
)
from llm_math_tests.exercises.softmax.slips import of_every_axis, of_every_softmax
from llm_math_tests.truths import softmax as truth


def _exponentials_sum_to_one(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    expect_shape(got, plain(inputs["logits"]).shape)
    log_p = extended(got)
    axis = inputs.get("axis", -1)
    total = np.exp(log_p).sum(axis=axis)
    # An absolute error in a logarithm is a relative one in its exponential.
    reach = 1 + np.abs(log_p).max(axis=axis)
    allowed = log_p.shape[axis] * eps(result_dtype(inputs, answer.track)) * reach
    off = np.abs(total - 1)
    if not (np.isfinite(off) & (off <= allowed)).all():
        worst = int(np.argmax(np.where(np.isnan(off), np.inf, off - allowed)))
        raise Wrong(
            "log-probabilities whose exponentials sum to 1",
            f"a sum of {float(total.flat[worst]):.9g}",
            allowed=f"n eps (1 + max |value|) = {float(allowed.flat[worst]):.1e}",
        )


def _unchanged_by_a_constant(answer: Answer, inputs: Inputs) -> None:
    expect_truth(answer, answer(inputs), truth.log_softmax(**inputs), "float64")
    moved = {**inputs, "logits": inputs["logits"] + 3.0}
    expect_truth(answer, answer(moved), truth.log_softmax(**moved), "float64")


def _exponential_is_softmax(answer: Answer, inputs: Inputs, softmax: Answer) -> None:
    log_p = extended(expect_array(answer(inputs), answer.track))
    with np.errstate(over="ignore"):
        p = np.exp(log_p).astype(result_dtype(inputs, answer.track))
    scale = truth.softmax(**inputs).scale
    expect_same(answer, p, softmax(inputs), scale, "each probability times 1 + max|z|")


exponentials_sum_to_one = Check(
    "exponentials_sum_to_one",
    "core",
    "the exponentials of the result sum to 1 along the axis",
    _exponentials_sum_to_one,
    ordinary(scores, along(0)),
)

unchanged_by_a_constant = Check(
    "unchanged_by_a_constant",
    "core",
    "adding a constant to every score changes nothing",
    _unchanged_by_a_constant,
    (Case("plus_3", lambda rng: scores(rng, "float64", (3,))),),
)


def _improbable(name: str, gaps: list[float], dtype: str) -> Case:
    return Case(
        name,
        lambda rng: {"logits": np.array([gaps, gaps[::-1]], dtype) + rng.integers(-3, 4)},
        f"scores up to {-min(gaps):g} below the best",
    )


EXERCISE = Exercise(
    name="log_softmax",
    topic="softmax",
    signature="log_softmax(logits, axis=-1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "z - log sum exp(z)",
            truth.log_softmax,
            ordinary(scores, *AXES),
            points=2,
        ),
        exponentials_sum_to_one,
        unchanged_by_a_constant,
        relation(
            "exponential_is_softmax",
            "its exponential is your softmax",
            ["softmax"],
            _exponential_is_softmax,
            ordinary(scores, along(0)),
        ),
        gradient_flows(truth.log_softmax, (*ordinary(scores), along(0)), through=["logits"]),
        values(
            "survives_large_scores",
            "stable",
            "large scores do not overflow",
            truth.log_softmax,
            large(),
        ),
        values(
            "keeps_improbable_scores",
            "stable",
            "where softmax underflows, its logarithm is still there",
            truth.log_softmax,
            (
                _improbable("float32", [0.0, -95.0, -200.0], "float32"),
                _improbable("float64", [0.0, -720.0, -5000.0], "float64"),
                _improbable("float16", [0.0, -12.0, -40.0], "float16"),
            ),
        ),
        values(
            "keeps_digits_far_from_zero",
            "stable",
            "scores far from 0 lose no digits",
            truth.log_softmax,
            far_from_zero(),
        ),
        values(
            "survives_tiny_differences",
            "stable",
            "tiny scores keep their digits",
            truth.log_softmax,
            tiny(),
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "a score of -inf gives -inf, a row of them NaN",
            truth.log_softmax,
            with_minus_infinity(),
        ),
        values(
            "handles_long_rows",
            "stable",
            "rows of any length work",
            truth.log_softmax,
            (*long_rows(), a_sum_beyond_float16("logits")),
        ),
        *contract(
            scores,
            truth.log_softmax,
            refusals=(refused(scores, "axis", 2), refused(scores, "axis", -3)),
        ),
    ),
    scaled=("logits",),
    hints=(
        "log(exp(a) / s) is a - log(s): which of the two still works when exp(a) underflows to 0?",
        "As in softmax, subtract the row's maximum first. What is left of log(softmax) once "
        "the logarithm has gone through the fraction?",
        "Keep the shifted scores: the result is them minus the log of the sum of their "
        "exponentials. Sum float16 in float32, and convert back at the end.",
    ),
    mistakes=(
        Mistake(
            "log_of_softmax",
            "took the logarithm of softmax, which is 0 where it underflows",
            "out -= np.log(np.exp(out).sum(axis=axis, keepdims=True))",
            "out = np.log(np.exp(out) / np.exp(out).sum(axis=axis, keepdims=True))",
        ),
        Mistake(
            "log_of_softmax_with_an_epsilon",
            "took log(softmax + 1e-12), which hides the underflow behind -27.6",
            "out -= np.log(np.exp(out).sum(axis=axis, keepdims=True))",
            "out = np.log(np.exp(out) / np.exp(out).sum(axis=axis, keepdims=True) + 1e-12)",
        ),
        *of_every_softmax(),
        Mistake(
            "maximum_added_back",
            "subtracted logsumexp(z) from z: both are as large as the scores, and so is "
            "their rounding",
            "out -= np.log(np.exp(out).sum(axis=axis, keepdims=True))",
            "top = scores.max(axis=axis, keepdims=True)\n"
            "    out = scores - (np.log(np.exp(out).sum(axis=axis, keepdims=True)) + top)",
        ),
        Mistake(
            "over_the_whole_array",
            "normalized over the whole array, not along the axis",
            "scores.max(axis=axis, keepdims=True)",
            "(scores.max() if scores.size else 0)",
            also=(("np.exp(out).sum(axis=axis, keepdims=True)", "np.exp(out).sum()"),),
        ),
        Mistake(
            "sum_over_the_whole_array",
            "divided by the sum of the whole array, not by the row's",
            "np.exp(out).sum(axis=axis, keepdims=True)",
            "np.exp(out).sum()",
        ),
        *of_every_axis("logits"),
        Mistake(
            "logarithm_to_base_2",
            "took the logarithm to base 2; logs here are natural",
            "np.log(np.exp(out)",
            "np.log2(np.exp(out)",
        ),
        Mistake(
            "sign_turned",
            "returned the negative log-probability",
            "return out.astype(_as_float(logits).dtype, copy=False)",
            "return -out.astype(_as_float(logits).dtype, copy=False)",
        ),
        habits.SUMMED_IN_HALF,
        habits.ADDED_UP_IN_HALF,
        Mistake(
            "result_changed_after_exp",
            "overwrote in place what autograd had saved for the gradient of exp",
            "out.sub_(out.exp().sum(dim=axis, keepdim=True).log_())",
            "p = out.exp()\n    out = out - p.sum(dim=axis, keepdim=True).log()\n    p.zero_()",
            track="torch",
        ),
    ),
    # NumPy itself refuses an axis: its AxisError is a ValueError that says axis and value.
    not_broken_by=("refusals_forgotten",),
    bench=matrix_bench(rows("logits"), 2, 5, yardsticks.LOG_SOFTMAX),
)
