"""layer_norm: every row with mean 0 and variance 1, then a learned scale and shift."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_flows, result_dtype, values
from llm_math_tests.checks.situations import given, misshapen, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.normalization import yardsticks
from llm_math_tests.exercises.normalization.mistakes_in_layer_norm import MISTAKES
from llm_math_tests.exercises.normalization.situations import (
    WRONG_WIDTHS,
    bad_eps,
    large,
    long_rows,
    make_rows,
    make_sample,
    offsets,
    rows_of_one_number,
    shapes,
    tiny,
)
from llm_math_tests.truths import normalization as truth

ARGUMENTS = ("weight", "bias")
sample = make_sample(*ARGUMENTS)
rows = make_rows(*ARGUMENTS)


def _mean_0_variance_1(answer: Answer, inputs: Inputs) -> None:
    x = inputs["x"]
    n = x.shape[-1]
    plainly = {"x": x, "weight": np.ones(n, x.dtype), "bias": np.zeros(n, x.dtype), "eps": 0.0}
    got = expect_array(answer(plainly), answer.track)
    wanted = truth.layer_norm(**plainly)
    expect_shape(got, wanted.value.shape)
    y = extended(got)
    dtype = result_dtype(inputs, answer.track)
    off = wanted.allowance(dtype)
    for what, is_now, should, allowed in (
        ("mean", y.mean(axis=-1), 0, off.mean(axis=-1)),
        ("variance", (y**2).mean(axis=-1), 1, (2 * np.abs(wanted.value) * off).mean(axis=-1)),
    ):
        error = np.abs(is_now - should)
        if not (error <= 2 * allowed).all():
            worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
            raise Wrong(
                f"rows of {what} {should} with weight 1, bias 0 and eps 0",
                f"a {what} of {float(is_now.flat[worst]):.6g}",
                allowed=f"{float(2 * allowed.flat[worst]):.1e}",
            )


def _only_directions_matter(answer: Answer, inputs: Inputs) -> None:
    """With eps 0, neither a shift of a row nor its scale can be seen."""
    for moved in (inputs["x"] + 4.0, inputs["x"] * 4.0, inputs["x"] * 2.0**-20):
        changed = {**inputs, "x": moved, "eps": 0.0}
        still = truth.layer_norm(**{**inputs, "eps": 0.0})
        # The truth of the row as it was, with the room for rounding of the one as it is.
        scale = truth.layer_norm(**changed).scale
        wanted = type(still)(still.value, scale, terms=still.terms, relative_to=still.relative_to)
        expect_truth(answer, answer(changed), wanted, "float64")


def _rows_are_alone(answer: Answer, inputs: Inputs) -> None:
    """A row gives what it gives by itself, whatever else is in the batch."""
    crowded = {**inputs, "x": inputs["x"] * np.array([[1.0], [50.0], [-7.0]])}
    alone = {**inputs, "x": crowded["x"][:1]}
    for asked in (crowded, alone):
        expect_truth(answer, answer(asked), truth.layer_norm(**asked), "float64")


EXERCISE = Exercise(
    name="layer_norm",
    topic="normalization",
    signature="layer_norm(x, weight, bias, eps=1e-5)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "(x - mean) / sqrt(variance + eps), times weight, plus bias",
            truth.layer_norm,
            ordinary(
                sample, given(sample, "eps", 0.1), given(sample, "eps", 0.0), *shapes(rows)
            ),
            points=2,
        ),
        Check(
            "mean_is_0_and_variance_1",
            "core",
            "without weight, bias and eps, every row has mean 0 and variance 1",
            _mean_0_variance_1,
            ordinary(sample),
        ),
        Check(
            "shift_and_scale_cannot_be_seen",
            "core",
            "a row shifted or scaled gives the same result, with eps 0",
            _only_directions_matter,
            (Case("float64", lambda rng: sample(rng, "float64", (3,))),),
        ),
        Check(
            "each_row_is_alone",
            "core",
            "what else is in the batch changes nothing",
            _rows_are_alone,
            (Case("float64", lambda rng: sample(rng, "float64", (3,))),),
        ),
        gradient_flows(
            truth.layer_norm,
            (*ordinary(sample), given(sample, "eps", 0.1)),
            through=["x", *ARGUMENTS],
        ),
        values(
            "keeps_digits_far_from_zero",
            "stable",
            "deviations keep their digits where the mean is large",
            truth.layer_norm,
            offsets(rows),
        ),
        values(
            "survives_large_numbers",
            "stable",
            "large numbers do not overflow",
            truth.layer_norm,
            large(rows),
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny numbers stay finite, and near 0",
            truth.layer_norm,
            tiny(rows),
        ),
        values(
            "gives_bias_without_deviations",
            "stable",
            "a row of equal numbers, or of one, gives bias",
            truth.layer_norm,
            rows_of_one_number(rows),
        ),
        values(
            "handles_long_rows",
            "stable",
            "long rows are summed to their digits",
            truth.layer_norm,
            long_rows(rows),
        ),
        *contract(
            sample,
            truth.layer_norm,
            refusals=(
                *(misshapen(sample, "weight", shape) for shape in WRONG_WIDTHS),
                *(misshapen(sample, "bias", shape) for shape in WRONG_WIDTHS),
                bad_eps(sample),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Take the mean of each row first, and then look only at the numbers less their mean: "
        "the variance is the mean of their squares.",
        "Keep the axis (keepdims=True). eps goes inside the root. NumPy's var divides by n "
        "already; torch's divides by n - 1 unless told correction=0.",
        "For float16, convert to float32 before the first sum and back at the very end: the sum "
        "of a row may be above 65504.",
    ),
    mistakes=MISTAKES,
    bench=matrix_bench(
        lambda rng, dtype, n, m: rows(rng, dtype, (n, m)),
        2, 8, yardsticks.LAYER_NORM, compositions=yardsticks.LAYER_NORM_COMPOSED,
    ),
)  # fmt: skip
