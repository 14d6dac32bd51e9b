"""explained_variance_ratio: which share of the variance each component explains."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    gradient_flows,
    relation,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.spectral import yardsticks
from llm_math_tests.exercises.spectral.promises import own, pair, roundings
from llm_math_tests.exercises.spectral.situations import bench, data, rows_case, whole_data
from llm_math_tests.truths import spectral as truth


def _shares(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    n, d = inputs["x"].shape
    expect_shape(got, (min(n, d),))
    share = extended(got)
    allowed = roundings(result_dtype(inputs, answer.track), n * d)
    total = share.sum()
    if not abs(total - 1) <= allowed:
        raise Wrong("shares that sum to 1", f"a sum of {float(total):.9g}", f"{allowed:.1e}")
    if not (np.diff(share) <= allowed).all() or not (share >= -allowed).all():
        raise Wrong(
            "shares in descending order, none below 0",
            ", ".join(f"{float(one):.4g}" for one in share),
            f"{allowed:.1e}",
        )


def _agrees_with_pca(answer: Answer, inputs: Inputs, pca: Answer, covariance: Answer) -> None:
    x = inputs["x"]
    _, variance = pair(pca, own(pca, {"x": x, "k": min(len(x) - 1, x.shape[1])}), "two arrays")
    total = np.trace(extended(own(covariance, {"x": x})))
    got = answer(inputs)
    first = np.asarray(got)[: len(variance)]
    wanted = (extended(variance) / total).astype("float64")
    expect_same(answer, first, wanted, 2.0, "two shares of everything", terms=x.size)


def _constant(rng: Rng) -> Inputs:
    # 0.1 three times has a mean that rounds: what is left after centring is not 0.
    return {"x": np.full((3, 2), 0.1) * np.array([1.0, 7.0])}


def _table(rng: Rng, dtype: str, n: int, d: int) -> Inputs:
    return {"x": rng.standard_normal((n, d), "float32").astype(dtype)}


def _operations(n: int, d: int) -> int:
    small, large = sorted((n, d))
    return large * small * small + small**3


are_shares_of_one = Check(
    "are_shares_of_one",
    "core",
    "the shares descend, none is negative, and together they are 1",
    _shares,
    ordinary(data, rows_case("wide", "3 rows of 5", (4.0, 1.0), 3, 5)),
)

_EIGENVALUES = "share = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0)"
_TOTAL = "share /= share.sum()"
_CENTRED = "rows, _ = _centred(x)"

EXERCISE = Exercise(
    name="explained_variance_ratio",
    topic="spectral",
    signature="explained_variance_ratio(x)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "each eigenvalue of the covariance over their sum",
            truth.explained_variance_ratio,
            ordinary(
                data,
                rows_case("wide", "4 rows of 6", (9.0, 4.0, 1.0), 4, 6, mean=1.0),
                rows_case("square", "4 rows of 4", (9.0, 4.0, 1.0), 4, 4, mean=1.0),
            ),
            points=2,
        ),
        are_shares_of_one,
        gradient_flows(truth.explained_variance_ratio, ordinary(data), ["x"]),
        relation(
            "agrees_with_pca",
            "the shares are the variances that pca explains, over the trace of the covariance",
            ("pca", "covariance"),
            _agrees_with_pca,
            ordinary(data),
        ),
        values(
            "survives_any_size",
            "stable",
            "shares do not depend on the size of the numbers",
            truth.explained_variance_ratio,
            (
                rows_case(
                    "float32_1e_minus_30",
                    "numbers around 1e-30",
                    (4.0, 1.0, 0.25),
                    8,
                    3,
                    columns=(1e-30,),
                    dtype="float32",
                ),
                rows_case(
                    "float32_1e4",
                    "numbers around 1e4",
                    (4.0, 1.0, 0.25),
                    8,
                    3,
                    columns=(1e4,),
                    dtype="float32",
                ),
                rows_case(
                    "float16_1e4",
                    "numbers around 1e4",
                    (4.0, 1.0, 0.25),
                    8,
                    3,
                    columns=(1e4,),
                    dtype="float16",
                ),
                rows_case(
                    "badly_scaled",
                    "columns of size 1e-6 to 1e6",
                    (1.0, 0.5, 0.3),
                    8,
                    3,
                    columns=(1e-6, 1.0, 1e6),
                ),
            ),
        ),
        values(
            "survives_a_large_mean",
            "stable",
            "a mean much larger than the spread costs no digits",
            truth.explained_variance_ratio,
            (
                rows_case("float64_1e6", "around 1e6", (4.0, 1.0), 50, 2, mean=1e6),
                rows_case(
                    "float32_1e4", "around 1e4", (4.0, 1.0), 50, 2, mean=1e4, dtype="float32"
                ),
            ),
        ),
        values(
            "handles_missing_directions",
            "stable",
            "equal variances, lines and single columns have their shares",
            truth.explained_variance_ratio,
            (
                rows_case("all_equal", "all variances equal", (2.0,) * 3, 7, 3),
                rows_case("a_line", "data on a line", (4.0,), 7, 3, mean=1.0),
                rows_case("two_rows", "two rows", (4.0,), 2, 3, mean=1.0),
                rows_case("one_column", "one column", (4.0,), 5, 1, mean=1.0),
            ),
        ),
        *contract(
            data,
            truth.explained_variance_ratio,
            refusals=(
                Refusal("constant", _constant, "x", "", looks_at_values=True),
                misshapen(data, "x", (1, 4)),
                misshapen(data, "x", (4,)),
                misshapen(data, "x", (2, 3, 4)),
            ),
            batched=False,
            integers=whole_data,
        ),
    ),
    scaled=("x",),
    hints=(
        "The eigenvalues of the covariance are the variances along the components. What do you "
        "divide them by, and does the factor 1 / (n - 1) matter?",
        "eigvalsh gives them in ascending order. With fewer rows than columns, "
        "(x - m) (x - m)^T has the same ones, and is smaller.",
        "Divide the centred data by its largest number first: the squares of 1e-30 are 0 in "
        "float32, and 0 / 0 is NaN.",
    ),
    mistakes=(
        Mistake("not_normalized", "did not divide by the sum of the variances", _TOTAL, "pass"),
        Mistake(
            "over_the_largest",
            "divided by the largest variance, not by their sum",
            _TOTAL,
            "share /= share.max()",
        ),
        Mistake(
            "singular_values_not_squared",
            "took shares of the singular values, not of their squares",
            _EIGENVALUES,
            "share = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0))",
        ),
        Mistake(
            "ascending",
            "left the eigenvalues in the ascending order of eigvalsh",
            _EIGENVALUES,
            "share = np.maximum(np.linalg.eigvalsh(gram), 0)",
        ),
        Mistake(
            "in_the_order_of_the_columns",
            "took the columns' own variances, not those along the components",
            _EIGENVALUES,
            "share = np.sort((rows * rows).sum(axis=0))[::-1][: min(x.shape)].copy()",
        ),
        Mistake(
            "cumulative",
            "summed the shares up: that is the cumulative ratio",
            _TOTAL,
            "share = np.cumsum(share / share.sum())",
        ),
        Mistake(
            "not_centred",
            "did not subtract the mean: it then counts as variance",
            _CENTRED,
            "rows = _widened(_as_float(x))\n    rows = rows / np.abs(rows).max()",
        ),
        Mistake(
            "mean_subtracted_late",
            "subtracted m m^T after multiplying: with a large mean the digits cancel",
            "gram = rows @ rows.T if rows.shape[0] < rows.shape[1] else rows.T @ rows",
            "low = _widened(_as_float(x)) / np.abs(_widened(_as_float(x))).max()\n"
            "    m = low.mean(axis=0)\n"
            "    gram = low.T @ low - len(low) * m[:, None] * m\n"
            "    if len(low) < len(gram):\n"
            "        gram = rows @ rows.T",
        ),
        Mistake(
            "squared_before_scaling",
            "squared numbers of size 1e-30 in float32, where the squares are 0",
            _CENTRED,
            "rows = _widened(_as_float(x))\n    rows = rows - rows.mean(axis=0)",
        ),
        Mistake(
            "eps_in_the_denominator",
            "added 1e-8 to the sum, which is more than a small variance",
            _TOTAL,
            "_, top = _centred(x)\n    share = share * top * top\n"
            "    share = share / (share.sum() + 1e-8)",
        ),
        Mistake(
            "as_many_as_columns",
            "returned a share for each column, also where there are fewer rows",
            "gram = rows @ rows.T if rows.shape[0] < rows.shape[1] else rows.T @ rows",
            "gram = rows.T @ rows",
        ),
        Mistake(
            "only_those_above_zero",
            "dropped the shares that are 0 up to rounding",
            _TOTAL,
            "share = share[share > 1e-9] / share.sum()",
        ),
        Mistake(
            "constant_data_shared_out",
            "took data that does not vary, but for rounding, like any other",
            "if (x == x[0]).all():",
            "if False:",
        ),
        habits.SUMMED_IN_HALF,
        Mistake(
            "eigenvalues_detached",
            "detached the sum from autograd: it depends on x as well",
            "share / share.sum()",
            "share / share.sum().detach()",
            track="torch",
        ),
    ),
    bench=bench(
        _table,
        ((4096, 64), (128, 2048)),
        lambda n, d: n * d + min(n, d),
        _operations,
        yardsticks.EXPLAINED_VARIANCE_RATIO,
    ),
)
