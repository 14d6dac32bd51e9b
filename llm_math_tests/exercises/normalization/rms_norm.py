"""rms_norm: every row divided by its root mean square."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    expect_truth,
    gradient_flows,
    relation,
    values,
)
from llm_math_tests.checks.situations import Rng, given, misshapen, ordinary
from llm_math_tests.checks.truth import Truth
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.normalization import yardsticks
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
from llm_math_tests.habits import SUMMED_IN_HALF
from llm_math_tests.truths import normalization as truth

sample = make_sample("weight")
rows = make_rows("weight")


def _size_cannot_be_seen(answer: Answer, inputs: Inputs) -> None:
    """With eps 0, a longer or shorter row gives the same result, and a turned one turns it."""
    asked = {**inputs, "eps": 0.0}
    still = truth.rms_norm(**asked)
    for factor in (4.0, 2.0**-20, -1.0):
        wanted = Truth(still.value * np.sign(factor), still.scale, terms=still.terms)
        got = answer({**asked, "x": inputs["x"] * factor})
        expect_truth(answer, got, wanted, "float64")


def _agrees_with_layer_norm(answer: Answer, inputs: Inputs, layer_norm: Answer) -> None:
    """A row of mean 0 has a root mean square that is its deviation."""
    n = inputs["x"].shape[-1]
    bias = np.zeros(n, inputs["x"].dtype)
    wanted = layer_norm({**inputs, "bias": bias, "eps": 1e-6})
    expect_same(
        answer, answer(inputs), wanted, np.abs(inputs["weight"]) * np.sqrt(n), "|weight| sqrt(n)"
    )


def _of_mean_0(dtype: str) -> Case:
    """Rows whose numbers cancel exactly."""

    def make(rng: Rng) -> Inputs:
        half = rng.normal(0, 2, (3, 3))
        x = rng.permuted(np.concatenate([half, -half], axis=-1), axis=-1)
        return {"x": cast(x, dtype), "weight": cast(rng.uniform(0.5, 1.5, 6), dtype)}

    return Case(dtype, make, "rows of mean 0")


_SQUARE = "mean_square = _mean_product(numbers, numbers)"
_DIVIDE = "out = numbers / np.sqrt(mean_square + eps)"
_QUIETLY = "with np.errstate(all='ignore'):\n        "

MISTAKES = (
    Mistake(
        "mean_subtracted",
        "subtracted the mean: that is layer_norm, rms_norm leaves it in",
        _SQUARE,
        "numbers = numbers - numbers.mean(axis=-1, keepdims=True)\n    " + _SQUARE,
    ),
    Mistake(
        "divided_by_the_deviation",
        "divided by the deviation from the mean, not by the root mean square",
        _SQUARE,
        "mean_square = numbers.var(axis=-1, keepdims=True)",
    ),
    Mistake(
        "divided_by_the_norm",
        "divided by the length of the row: took the sum of squares, not their mean",
        _SQUARE,
        "mean_square = (numbers * numbers).sum(axis=-1, keepdims=True)",
    ),
    Mistake(
        "divided_by_the_mean_square",
        "divided by the mean square, not by its root",
        "np.sqrt(mean_square + eps)",
        "(mean_square + eps)",
    ),
    Mistake(
        "eps_outside_the_root",
        "added eps to the root; it belongs inside",
        "np.sqrt(mean_square + eps)",
        "(np.sqrt(mean_square) + eps)",
    ),
    Mistake(
        "eps_ignored",
        "left eps out: a row of zeros becomes 0 / 0",
        _DIVIDE,
        _QUIETLY + "out = numbers / np.sqrt(mean_square)",
    ),
    Mistake(
        "eps_of_layer_norm",
        "took 1e-5 for eps, layer_norm's, whatever eps says",
        "mean_square + eps",
        "mean_square + 1e-5",
    ),
    Mistake(
        "over_the_whole_array",
        "took the mean square of the whole array, not of each row",
        _SQUARE,
        "mean_square = (numbers * numbers).mean() if x.size else numbers",
    ),
    Mistake(
        "over_the_batch",
        "took the mean square of each column, over the first axis",
        _SQUARE,
        "mean_square = (numbers * numbers).sum(axis=0, keepdims=True) / max(1, len(x))",
    ),
    Mistake(
        "mean_of_magnitudes",
        "divided by the mean of |x|, not by the root of the mean square",
        _SQUARE,
        "mean_square = np.abs(numbers).mean(axis=-1, keepdims=True) ** 2",
    ),
    Mistake(
        "root_before_the_mean",
        "took the mean before the square",
        _SQUARE,
        "mean_square = numbers.mean(axis=-1, keepdims=True) ** 2",
    ),
    Mistake("weight_forgotten", "left the weight out", "out *= weight", ""),
    Mistake(
        "one_plus_weight",
        "multiplied by 1 + weight, as Gemma holds it; here the weight is the scale itself",
        "out *= weight",
        "out *= _as_float(weight) + 1",
    ),
    SUMMED_IN_HALF,
    Mistake(
        "weight_not_checked",
        "let a weight of another shape broadcast",
        '_check_width("weight", weight, x)',
        "",
        also=(("out *= weight", "out = out * weight"),),
    ),
    Mistake(
        "root_detached",
        "took the root mean square for a constant: the gradient through it is lost",
        "torch.rsqrt(_mean_square(numbers) + eps)",
        "torch.rsqrt(_mean_square(numbers) + eps).detach()",
        track="torch",
    ),
)


EXERCISE = Exercise(
    name="rms_norm",
    topic="normalization",
    signature="rms_norm(x, weight, eps=1e-6)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "x / sqrt(mean(x^2) + eps), times weight",
            truth.rms_norm,
            ordinary(
                sample, given(sample, "eps", 0.1), given(sample, "eps", 0.0), *shapes(rows)
            ),
            points=2,
        ),
        Check(
            "size_cannot_be_seen",
            "core",
            "a row times a number gives the same result but for its sign, with eps 0",
            _size_cannot_be_seen,
            (Case("float64", lambda rng: sample(rng, "float64", (3,))),),
        ),
        relation(
            "agrees_with_layer_norm_where_the_mean_is_0",
            "of rows with mean 0 it is your layer_norm with bias 0 and the same eps",
            ("layer_norm",),
            _agrees_with_layer_norm,
            (_of_mean_0("float64"), _of_mean_0("float32")),
        ),
        gradient_flows(
            truth.rms_norm,
            (*ordinary(sample), given(sample, "eps", 0.1)),
            through=["x", "weight"],
        ),
        values(
            "survives_large_numbers",
            "stable",
            "large numbers do not overflow when squared",
            truth.rms_norm,
            (*large(rows), *offsets(rows)),
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny numbers keep their digits, and zeros stay 0",
            truth.rms_norm,
            tiny(rows),
        ),
        values(
            "handles_long_rows_and_single_numbers",
            "stable",
            "rows of any length are summed to their digits",
            truth.rms_norm,
            (*long_rows(rows), *rows_of_one_number(rows)),
        ),
        *contract(
            sample,
            truth.rms_norm,
            refusals=(
                *(misshapen(sample, "weight", shape) for shape in WRONG_WIDTHS),
                bad_eps(sample),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Nothing is subtracted here. Which one number does each row need, and is eps inside the "
        "root or outside?",
        "Square, mean over the last axis (keepdims=True), add eps, root. Divide the row by "
        "that, then multiply by the weight.",
        "In float16 the square of 300 is already infinite: convert to float32 first, and back "
        "at the end.",
    ),
    mistakes=MISTAKES,
    bench=matrix_bench(
        lambda rng, dtype, n, m: rows(rng, dtype, (n, m)), 2, 4, yardsticks.RMS_NORM,
    ),
)  # fmt: skip
