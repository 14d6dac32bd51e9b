"""layer_norm_backward: a gradient pushed back to the input, the weight and the bias."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, values
from llm_math_tests.checks.situations import given, misshapen, ordinary
from llm_math_tests.exercise import Check, Exercise, Inputs
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.normalization import yardsticks
from llm_math_tests.exercises.normalization.gradients import (
    gradient_of_each_argument,
    large_gradients,
    nothing_points_along,
    results,
)
from llm_math_tests.exercises.normalization.mistakes_in_layer_norm_backward import MISTAKES
from llm_math_tests.exercises.normalization.situations import (
    WRONG_WIDTHS,
    N,
    bad_eps,
    large,
    long_rows,
    make_rows,
    make_sample,
    many_rows,
    offsets,
    rows_of_one_number,
    shapes,
    tiny,
)
from llm_math_tests.truths import normalization as truth

sample = make_sample("weight", gradient=True)
rows = make_rows("weight", gradient=True)
NAMES = ("dx", "dweight", "dbias")


def _back_to_a_shift_and_a_scale(answer: Answer, inputs: Inputs) -> None:
    """With eps 0, dx has no part along a constant and none along the deviations."""
    asked = {**inputs, "eps": 0.0}
    dx = results(answer, answer(asked), NAMES)[0]
    wanted = truth.layer_norm_backward(**asked)[0]
    x = inputs["x"]
    nothing_points_along(answer, dx, wanted, np.ones_like(x), "a shift of the row")
    deviations = x - x.mean(axis=-1, keepdims=True)
    nothing_points_along(answer, dx, wanted, deviations, "a scaling of the row")


EXERCISE = Exercise(
    name="layer_norm_backward",
    topic="normalization",
    signature="layer_norm_backward(grad_output, x, weight, eps=1e-5)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "dx, dweight and dbias of the formulas",
            truth.layer_norm_backward,
            ordinary(sample, given(sample, "eps", 0.1), *shapes(rows)),
            points=2,
            names=NAMES,
        ),
        gradient_of_each_argument(
            truth.layer_norm, ("x", "weight", "bias"), (*ordinary(sample), *shapes(rows))
        ),
        Check(
            "no_gradient_along_a_shift_or_a_scale",
            "core",
            "dx sums to 0, and so does dx times the deviations, with eps 0",
            _back_to_a_shift_and_a_scale,
            ordinary(sample),
        ),
        gradient_flows(
            truth.layer_norm_backward, ordinary(sample), through=["grad_output", "x", "weight"]
        ),
        values(
            "keeps_digits_far_from_zero",
            "stable",
            "deviations keep their digits where the mean is large",
            truth.layer_norm_backward,
            offsets(rows),
            names=NAMES,
        ),
        values(
            "survives_large_numbers",
            "stable",
            "large numbers and gradients do not overflow",
            truth.layer_norm_backward,
            (*large(rows), *large_gradients("weight")),
            names=NAMES,
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny numbers give finite gradients",
            truth.layer_norm_backward,
            tiny(rows),
            names=NAMES,
        ),
        values(
            "finite_without_deviations",
            "stable",
            "a row of equal numbers, or of one, has a gradient too",
            truth.layer_norm_backward,
            rows_of_one_number(rows),
            names=NAMES,
        ),
        values(
            "handles_many_rows_and_long_ones",
            "stable",
            "long rows, and many of them, are summed to their digits",
            truth.layer_norm_backward,
            (*long_rows(rows), *many_rows(rows)),
            names=NAMES,
        ),
        *contract(
            sample,
            truth.layer_norm_backward,
            refusals=(
                *(misshapen(sample, "grad_output", shape) for shape in ((3, N + 1), (N,), (1, N))),
                *(misshapen(sample, "weight", shape) for shape in WRONG_WIDTHS),
                bad_eps(sample),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Write z for the normalized row and h for g * weight. If mean and deviation were "
        "constants, dx would be h / s. Which two things flow back through them?",
        "Through the mean flows mean(h), through the deviation z * mean(h z): take both from h "
        "before dividing by s.",
        "The weight is used by every row, so its gradient is a sum over all rows, whatever the "
        "number of leading axes: reshape to (-1, n) and sum over the first.",
    ),
    mistakes=MISTAKES,
    bench=matrix_bench(
        lambda rng, dtype, n, m: rows(rng, dtype, (n, m)),
        3, 17, yardsticks.LAYER_NORM_BACKWARD,
        compositions=yardsticks.LAYER_NORM_BACKWARD_COMPOSED,
    ),
)  # fmt: skip
