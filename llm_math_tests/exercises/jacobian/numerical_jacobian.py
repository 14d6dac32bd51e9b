"""numerical_jacobian: every derivative by moving each input a little, both ways."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast, dtype_name
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth
from llm_math_tests.checks.situations import Rng, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import TRACKS, Case, Check, Exercise, Inputs, Level
from llm_math_tests.exercises.jacobian.mistakes_in_numerical_jacobian import MISTAKES
from llm_math_tests.exercises.jacobian.promises import F_IS_TIMED, asks_little
from llm_math_tests.exercises.jacobian.situations import (
    around_zero,
    at,
    bent,
    everyday,
    far,
    forty,
    layer,
    near_zero,
    no_aim,
    not_a_vector,
    sampled,
    single,
)
from llm_math_tests.truths import jacobian as truth

SAMPLE = sampled(no_aim)


def _with_eps(eps: float) -> Case:
    """A step that is wide enough to be seen in the result."""
    return Case(f"eps_{eps:g}", lambda rng: {**SAMPLE(rng), "eps": eps}, f"eps={eps:g}")


def _in_float64(
    name: str, level: Level, promise: str, cases: tuple[Case, ...], points: int = 1
) -> Check:
    """Values in float64, whatever the dtype of x."""

    def run(answer: Answer, inputs: Inputs) -> None:
        got = expect_array(answer(inputs), answer.track)
        expect_truth(answer, got, truth.numerical_jacobian(**inputs), "float64")
        if dtype_name(got) != "float64":
            raise Wrong(f"float64 for {dtype_name(inputs['x'])} input", dtype_name(got))

    return Check(name, level, promise, run, cases, points, truth=truth.numerical_jacobian)


def _error_falls_with_the_square(answer: Answer, inputs: Inputs) -> None:
    right = truth.jacobian(**inputs).value
    errors = []
    for eps in (1e-2, 1e-3):
        got = expect_array(answer({**inputs, "eps": eps}), answer.track)
        expect_shape(got, right.shape)
        errors.append(float(np.abs(extended(got) - right).max()))
    if not 50 * errors[1] <= errors[0] <= 200 * errors[1]:
        raise Wrong(
            "an error that falls about a hundredfold from eps 1e-2 to 1e-3",
            f"{errors[0]:.2g} with eps 1e-2, {errors[1]:.2g} with eps 1e-3",
            allowed="50 to 200 times",
            note="the error of a one-sided difference falls tenfold; without eps, not at all",
        )


def _of_dtype(dtype: str) -> Case:
    def make(rng: Rng) -> Inputs:
        x = rng.normal(0, 2, 4)
        point = x > 0 if dtype == "bool" else cast(np.round(4 * x) / 4, dtype)
        return {"f": truth.given(layer(rng)), "x": point}

    tracks = ("torch",) if dtype == "bfloat16" else TRACKS
    return Case(dtype, make, f"x {dtype}", tracks)


EXERCISE = Exercise(
    name="numerical_jacobian",
    topic="jacobian",
    signature="numerical_jacobian(f, x, eps=1e-6)",
    checks=(
        _in_float64(
            "matches_central_differences",
            "core",
            "column j is what f changes by when x_j moves both ways, divided by the distance",
            (*everyday(no_aim), _with_eps(1e-2), _with_eps(1e-4)),
            points=2,
        ),
        Check(
            "error_falls_with_the_square_of_eps",
            "core",
            "a tenth of eps leaves a hundredth of the error",
            _error_falls_with_the_square,
            (
                Case("a_layer", at(no_aim, layer, around_zero(4))),
                Case(
                    "more_outputs",
                    at(no_aim, lambda rng: layer(rng, 5, 2), around_zero(2)),
                ),
            ),
        ),
        _in_float64(
            "survives_points_near_zero",
            "stable",
            "the step is absolute: it does not shrink with x",
            near_zero(no_aim),
        ),
        _in_float64(
            "survives_points_far_from_zero",
            "stable",
            "far from 0, the distance that was really moved counts",
            far(no_aim),
        ),
        _in_float64(
            "survives_steep_functions",
            "stable",
            "large higher derivatives change nothing but their own share",
            bent(no_aim),
        ),
        _in_float64(
            "handles_single_numbers",
            "stable",
            "one input or one output still gives a matrix",
            single(no_aim),
        ),
        _in_float64(
            "works_in_float64",
            "contract",
            "f is called and the result returned in float64, whatever the dtype of x",
            tuple(map(_of_dtype, ("float32", "float16", "bfloat16", "int64", "bool"))),
        ),
        *contract(
            SAMPLE,
            truth.numerical_jacobian,
            floating=False,
            halves=False,
            batched=False,
            connected=False,
            refusals=(
                refused(SAMPLE, "eps", 0.0),
                refused(SAMPLE, "eps", -1e-6),
                not_a_vector(no_aim),
            ),
        ),
        asks_little(
            truth.numerical_jacobian,
            lambda track, n, m: (2 * n + 1, "2 n + 1"),
            "f is called twice for each input, and once more at most",
            (forty(no_aim),),
            "one call gives all outputs: a whole column of differences at once",
        ),
    ),
    hints=(
        "Move one coordinate of a copy of x by eps, call f, and see how all outputs change: "
        "that is a column.",
        "Move it the other way too and take the difference of the two, divided by how far "
        "apart the points are: errors of the second derivative cancel.",
        "Convert x to float64 before anything is added to it; x + eps is rounded, so measure "
        "the distance between the points instead of trusting 2 eps.",
    ),
    mistakes=MISTAKES,
    # A vector that is not contiguous has no other order to be read in, and view takes it too.
    not_broken_by=("memory_order", "viewed"),
    no_bench=F_IS_TIMED,
)
