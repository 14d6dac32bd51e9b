"""covariance: how the columns of a table vary together."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, result_dtype, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.spectral import yardsticks
from llm_math_tests.exercises.spectral.situations import bench, data, rows_case, whole_data
from llm_math_tests.truths import spectral as truth


def _is_symmetric(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    wanted = truth.covariance(**inputs)
    expect_shape(got, wanted.value.shape)
    c = extended(got)
    allowed = 2 * wanted.allowance(result_dtype(inputs, answer.track))
    # The variances too: a triangle alone has zeros where its mirror has not.
    off = np.abs(c - c.T)
    if not (off <= allowed).all() or not (np.diagonal(c) >= -np.diagonal(allowed)).all():
        i, j = np.unravel_index(int(np.argmax(off)), off.shape)
        raise Wrong(
            "a symmetric matrix with variances on its diagonal",
            f"{float(c[i, j]):.9g} at [{i}, {j}] and {float(c[j, i]):.9g} at [{j}, {i}]",
            allowed=f"{float(allowed[i, j]):.1e}",
        )


is_symmetric = Check(
    "is_symmetric",
    "core",
    "the matrix is symmetric, with variances on its diagonal",
    _is_symmetric,
    ordinary(data, rows_case("wide", "3 rows of 5", (4.0, 1.0), 3, 5)),
)


def _pair_of_rows(rng: Rng) -> Inputs:
    return {"x": rng.normal(0, 2, (2, 3))}


def _table(rng: Rng, dtype: str, n: int, d: int) -> Inputs:
    return {"x": rng.standard_normal((n, d), "float32").astype(dtype)}


_PRODUCT = "out = rows.T @ rows"
_DIVIDED = "out /= len(rows) - 1"
_CENTRED = "rows = rows - rows.mean(axis=0)"

EXERCISE = Exercise(
    name="covariance",
    topic="spectral",
    signature="covariance(x)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "(x - m)^T (x - m) / (n - 1)",
            truth.covariance,
            ordinary(
                data,
                Case("two_rows", _pair_of_rows, "two rows"),
                rows_case("wide", "3 rows of 5", (4.0, 1.0), 3, 5),
                Case("one_column", lambda rng: {"x": rng.normal(1, 2, (6, 1))}, "one column"),
            ),
            points=2,
        ),
        is_symmetric,
        gradient_flows(truth.covariance, ordinary(data), ["x"]),
        values(
            "survives_a_large_mean",
            "stable",
            "a mean much larger than the spread costs no digits",
            truth.covariance,
            (
                rows_case("float64_1e4", "around 1e4", (4.0, 1.0), 50, 3, mean=1e4),
                rows_case(
                    "float32_1e4", "around 1e4", (4.0, 1.0), 50, 3, mean=1e4, dtype="float32"
                ),
                rows_case("float64_1e8", "around 1e8", (4.0, 1.0), 9, 3, mean=1e8),
            ),
        ),
        values(
            "survives_any_size",
            "stable",
            "large, tiny and badly scaled columns keep their digits",
            truth.covariance,
            (
                Case(
                    "float32_1e4",
                    lambda rng: {"x": rng.uniform(-1e4, 1e4, (6, 3)).astype("float32")},
                    "numbers up to 1e4",
                ),
                Case(
                    "float32_1e_minus_15",
                    lambda rng: {"x": rng.uniform(-1e-15, 1e-15, (6, 3)).astype("float32")},
                    "numbers up to 1e-15",
                ),
                rows_case(
                    "badly_scaled",
                    "columns of size 1e-8 to 1e8",
                    (1.0, 0.5, 0.3),
                    8,
                    3,
                    columns=(1e-8, 1.0, 1e8),
                ),
            ),
        ),
        values(
            "handles_long_columns",
            "stable",
            "any number of rows is summed with care",
            truth.covariance,
            (
                Case(
                    "float32_500",
                    lambda rng: {"x": rng.normal(3, 1, (500, 2)).astype("float32")},
                    "500 rows",
                ),
                Case(
                    "float16_4000",
                    lambda rng: {"x": rng.normal(1, 10, (4000, 2)).astype("float16")},
                    "4000 rows, whose squares sum to 4e5",
                ),
            ),
        ),
        *contract(
            data,
            truth.covariance,
            refusals=(
                misshapen(data, "x", (1, 4)),
                misshapen(data, "x", (0, 4)),
                misshapen(data, "x", (4,)),
                misshapen(data, "x", (2, 3, 4)),
            ),
            batched=False,
            integers=whole_data,
        ),
    ),
    scaled=("x",),
    hints=(
        "Covariance is about differences from the mean: one mean for each column, taken over "
        "the rows.",
        "All pairs of columns at once are one matrix product. Which of the two has to be "
        "transposed so that the result is (d, d)?",
        "Divide by n - 1. Convert float16 to float32 before anything is summed, and back at the "
        "end.",
    ),
    mistakes=(
        Mistake("divided_by_n", "divided by n, not by n - 1", _DIVIDED, "out /= len(rows)"),
        Mistake("not_divided", "did not divide by n - 1", _DIVIDED, "pass"),
        Mistake(
            "divided_by_columns",
            "divided by the number of columns, not of rows, less one",
            _DIVIDED,
            "out /= rows.shape[1] - 1",
        ),
        Mistake(
            "not_centred", "did not subtract the mean of the rows", _CENTRED, "rows = rows + 0"
        ),
        Mistake(
            "centred_each_row",
            "subtracted from each row its own mean, not from each column",
            _CENTRED,
            "rows = rows - rows.mean(axis=1, keepdims=True)",
        ),
        Mistake(
            "one_mean_for_all",
            "subtracted one mean of all the numbers, not one for each column",
            _CENTRED,
            "rows = rows - rows.mean()",
        ),
        Mistake(
            "mean_square_less_squared_mean",
            "subtracted m m^T after multiplying: with a large mean the digits cancel",
            _PRODUCT,
            "low = _widened(_as_float(x))\n"
            "    m = low.mean(axis=0)\n"
            "    out = low.T @ low - len(low) * m[:, None] * m",
        ),
        Mistake(
            "rows_with_rows",
            "multiplied the other way round: the rows' products, shape (n, n)",
            _PRODUCT,
            "out = rows @ rows.T",
        ),
        Mistake(
            "variances_only",
            "kept the variances on the diagonal and lost the pairs",
            _PRODUCT,
            "out = np.diag((rows * rows).sum(axis=0))",
        ),
        Mistake(
            "one_triangle",
            "filled one triangle and did not mirror it",
            _PRODUCT,
            "out = np.triu(rows.T @ rows)",
        ),
        Mistake(
            "one_triangle_below",
            "filled one triangle and did not mirror it",
            _PRODUCT,
            "out = np.tril(rows.T @ rows)",
        ),
        Mistake(
            "correlation",
            "divided by the standard deviations as well: that is the correlation",
            _DIVIDED,
            "out /= len(rows) - 1\n"
            "    spread = np.sqrt(np.diagonal(out))\n"
            "    out = out / (spread[:, None] * spread)",
        ),
        Mistake(
            "small_numbers_cut",
            "added 1e-8 to the diagonal, which is more than a small variance",
            _DIVIDED,
            "out /= len(rows) - 1\n    out += 1e-8 * np.eye(len(out), dtype=out.dtype)",
        ),
        Mistake(
            habits.ADDED_UP_IN_HALF.name,
            habits.ADDED_UP_IN_HALF.sentence,
            _PRODUCT,
            "low = rows.astype(_as_float(x).dtype)\n"
            "    pairs = low[:, :, None] * low[:, None, :]\n"
            "    out = np.add.accumulate(pairs, axis=0)[-1].astype(rows.dtype)",
        ),
        habits.SUMMED_IN_HALF,
        Mistake(
            "rows_detached",
            "detached the rows from autograd",
            "rows = rows - rows.mean(dim=0)",
            "rows = (rows - rows.mean(dim=0)).detach()",
            track="torch",
        ),
    ),
    bench=bench(
        _table,
        ((4096, 64), (16384, 256)),
        lambda n, d: n * d + d * d,
        lambda n, d: 2 * n * d * (d + 1),
        yardsticks.COVARIANCE,
    ),
)
