"""softmax: scores to probabilities."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_flows, result_dtype, values
from llm_math_tests.checks.situations import given, ordinary, refused
from llm_math_tests.checks.truth import eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.softmax import yardsticks
from llm_math_tests.exercises.softmax.situations import (
    AXES,
    along,
    large,
    long_rows,
    rows,
    scores,
    tiny,
    with_minus_infinity,
)
from llm_math_tests.exercises.softmax.slips import of_every_axis, of_every_softmax
from llm_math_tests.truths import softmax as truth


def _rows_sum_to_one(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    expect_shape(got, plain(inputs["logits"]).shape)
    p = extended(got)
    axis = inputs.get("axis", -1)
    total = p.sum(axis=axis)
    allowed = p.shape[axis] * eps(result_dtype(inputs, answer.track))
    if not (np.abs(total - 1) <= allowed).all():
        worst = float(
            total.flat[np.argmax(np.where(np.isfinite(total), np.abs(total - 1), np.inf))]
        )
        raise Wrong(
            "probabilities that sum to 1", f"a sum of {worst:.9g}", allowed=f"n eps = {allowed:.1e}"
        )


def _unchanged_by_a_constant(answer: Answer, inputs: Inputs) -> None:
    first = answer(inputs)
    shifted = answer({**inputs, "logits": inputs["logits"] + 64.0})
    expect_truth(answer, first, truth.softmax(**inputs), "float64")
    moved = truth.softmax(**{**inputs, "logits": inputs["logits"] + 64.0})
    expect_truth(answer, shifted, moved, "float64")


rows_sum_to_one = Check(
    "rows_sum_to_one",
    "core",
    "probabilities sum to 1 along the axis",
    _rows_sum_to_one,
    ordinary(scores, along(0), given(scores, "temperature", 0.1)),
)

unchanged_by_a_constant = Check(
    "unchanged_by_a_constant",
    "core",
    "adding a constant to every score changes nothing",
    _unchanged_by_a_constant,
    (Case("plus_64", lambda rng: scores(rng, "float64", (3,))),),
)


EXERCISE = Exercise(
    name="softmax",
    topic="softmax",
    signature="softmax(logits, temperature=1.0, axis=-1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "exp(z/T) divided by its sum",
            truth.softmax,
            ordinary(
                scores, given(scores, "temperature", 0.5), given(scores, "temperature", 3.0), *AXES
            ),
            points=2,
        ),
        rows_sum_to_one,
        unchanged_by_a_constant,
        gradient_flows(
            truth.softmax,
            (*ordinary(scores), given(scores, "temperature", 0.5), along(0)),
            through=["logits"],
        ),
        values(
            "survives_large_scores",
            "stable",
            "large scores do not overflow",
            truth.softmax,
            (*large(), given(scores, "temperature", 1e-4), given(scores, "temperature", 1e4)),
        ),
        values(
            "survives_tiny_differences",
            "stable",
            "tiny scores keep their digits",
            truth.softmax,
            tiny(),
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "a score of -inf has probability 0, a row of them NaN",
            truth.softmax,
            with_minus_infinity(),
        ),
        values(
            "handles_long_rows", "stable", "rows of any length sum to 1", truth.softmax, long_rows()
        ),
        *contract(
            scores,
            truth.softmax,
            refusals=(
                refused(scores, "temperature", 0.0),
                refused(scores, "temperature", -1.0),
                refused(scores, "axis", 2),
                refused(scores, "axis", -3),
            ),
        ),
    ),
    scaled=("logits",),
    hints=(
        "exp(89) is more than float32 can hold. What can you subtract from every score "
        "of a row without changing any ratio?",
        "Subtract the row's maximum: the largest exponent is then 0. Keep the axis "
        "(keepdims=True), so that the row's maximum and sum line up with the row.",
        "Divide the scores by the temperature first; for float16, convert to float32 before "
        "summing and back at the end.",
    ),
    mistakes=(
        *of_every_softmax(),
        Mistake(
            "over_the_whole_array",
            "took the softmax of the whole array, not along the axis",
            "out /= out.sum(axis=axis, keepdims=True)",
            "out /= out.sum()",
            also=(
                ("scores.max(axis=axis, keepdims=True)", "(scores.max() if scores.size else 0)"),
            ),
        ),
        Mistake(
            "sum_over_the_whole_array",
            "divided by the sum of the whole array, not by the row's",
            "out /= out.sum(axis=axis, keepdims=True)",
            "out /= out.sum()",
        ),
        *of_every_axis("logits"),
        Mistake(
            "temperature_multiplied",
            "multiplied by the temperature instead of dividing",
            "scores / scores.dtype.type(temperature)",
            "scores * scores.dtype.type(temperature)",
        ),
        Mistake(
            "temperature_ignored", "left the temperature out", "if temperature != 1.0:", "if False:"
        ),
        Mistake(
            "temperature_after_normalizing",
            "divided the probabilities by the temperature; it divides the scores",
            "out /= out.sum(axis=axis, keepdims=True)",
            "out /= out.sum(axis=axis, keepdims=True) * out.dtype.type(temperature)",
            also=(("if temperature != 1.0:", "if False:"),),
        ),
        Mistake(
            "mean_subtracted",
            "subtracted the mean of the scores: only the maximum keeps exp from overflowing",
            "scores.max(axis=axis, keepdims=True)",
            "scores.mean(axis=axis, keepdims=True)",
        ),
        Mistake(
            "power_of_two",
            "raised 2 to the scores; softmax raises e",
            "np.exp(out, out=out)",
            "np.exp2(out, out=out)",
        ),
        Mistake(
            "logarithm_returned",
            "returned the logarithm of the probabilities, which is log_softmax",
            "out /= out.sum(axis=axis, keepdims=True)",
            "out = np.log(out / out.sum(axis=axis, keepdims=True))",
        ),
        Mistake(
            "along_the_first_axis",
            "summed over the first axis where none was named: the default is the last",
            "out = scores - scores.max(axis=axis, keepdims=True)",
            "axis = 0 if axis == -1 else axis\n"
            "        out = scores - scores.max(axis=axis, keepdims=True)",
        ),
        Mistake(
            "epsilon_in_the_sum",
            "added an epsilon to the sum, so that the probabilities do not sum to 1",
            "out /= out.sum(axis=axis, keepdims=True)",
            "out /= out.sum(axis=axis, keepdims=True) + 1e-6",
        ),
        Mistake(
            "half_precision_sum",
            "summed in float16, where adding to a large sum changes nothing",
            "scores = _widened(_as_float(logits))",
            "scores = _as_float(logits)",
            also=(
                (
                    "out /= out.sum(axis=axis, keepdims=True)",
                    "sums = np.add.accumulate(out, axis=axis, dtype=out.dtype)\n"
                    "    out /= sums.take([-1], axis=axis)",
                ),
            ),
        ),
        Mistake(
            "always_float32",
            "returned float32 whatever came in",
            "return out.astype(_as_float(logits).dtype, copy=False)",
            "return out.astype(np.float32)",
        ),
        Mistake(
            "exp_overwritten",
            "wrote over the exponentials in place, which autograd needs for their gradient",
            "out = out * scale if out.requires_grad else out.mul_(scale)",
            "out.mul_(scale)",
            track="torch",
        ),
    ),
    bench=matrix_bench(
        rows("logits"), 2, 5, yardsticks.SOFTMAX, compositions=yardsticks.SOFTMAX_COMPOSED
    ),
)
