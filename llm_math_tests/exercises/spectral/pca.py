"""pca: the directions along which data varies most."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_same, relation, result_dtype, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Refusal
from llm_math_tests.exercises.spectral import yardsticks
from llm_math_tests.exercises.spectral.mistakes_in_pca import MISTAKES
from llm_math_tests.exercises.spectral.promises import (
    expect_orthonormal,
    gradient_through,
    own,
    pair,
    principal,
)
from llm_math_tests.exercises.spectral.situations import (
    bench,
    data_and_k,
    rows_case,
    whole_data_and_k,
)
from llm_math_tests.truths import spectral as truth


def _orthonormal(answer: Answer, inputs: Inputs) -> None:
    components, _ = pair(answer, answer(inputs), "components and explained_variance")
    vectors = extended(components)
    expect_orthonormal(vectors, result_dtype(inputs, answer.track))


def _varies_as_it_says(answer: Answer, inputs: Inputs, project: Answer) -> None:
    components, variance = pair(answer, own(answer, inputs), "components and explained_variance")
    z = extended(own(project, {"x": inputs["x"], "components": components}))
    products = z.T @ z / (len(z) - 1)
    scale = float(np.abs(extended(variance)).max())
    wanted = np.diagonal(products).astype("float64")
    expect_same(
        answer, variance, wanted, 4 * scale, "the largest variance, four times", terms=z.size
    )


def _asked(k: int) -> Refusal:
    """K outside what seven rows of four numbers, or three of four, have."""
    n = 3 if k == 3 else 7

    def make(rng: Rng) -> Inputs:
        return {"x": rng.normal(0, 1, (n, 4)), "k": k}

    return Refusal(f"k_{k}_of_{n}_rows".replace("-", "minus_"), make, "k", str(k))


def _blob(rng: Rng, dtype: str, n: int, d: int) -> Inputs:
    spread = np.geomspace(1, 0.01, d).astype("float32")
    x = rng.standard_normal((n, d), "float32") * spread
    return {"x": x.astype(dtype), "k": min(16, n - 1, d)}


def _operations(n: int, d: int) -> int:
    small, large = sorted((n, d))
    return 2 * large * small * small + 9 * small**3


components_are_orthonormal = Check(
    "components_are_orthonormal",
    "core",
    "the components have length 1 and stand at right angles",
    _orthonormal,
    ordinary(
        data_and_k,
        rows_case("wide", "4 rows of 6", (9.0, 4.0, 1.0), 4, 6, k=3),
        rows_case("small_variances", "variances 1 to 1e-12", (1.0, 1e-6, 1e-12), 9, 3, k=3),
        rows_case("wide_small", "variances 1 to 1e-12", (1.0, 1e-6, 1e-12), 4, 6, k=3),
    ),
)

EXERCISE = Exercise(
    name="pca",
    topic="spectral",
    signature="pca(x, k)",
    checks=(
        values(
            "matches_the_definition",
            "core",
            "the leading eigenvectors of the covariance, up to sign, and their eigenvalues",
            truth.pca,
            ordinary(
                data_and_k,
                rows_case("k_1", "7 rows of 4", (9.0, 4.0, 1.0, 0.25), 7, 4, mean=1.0, k=1),
                rows_case("k_4", "7 rows of 4", (9.0, 4.0, 1.0, 0.25), 7, 4, mean=1.0, k=4),
                rows_case("wide", "4 rows of 6", (9.0, 4.0, 1.0), 4, 6, mean=1.0, k=3),
            ),
            points=2,
            names=("components", "explained_variance"),
        ),
        components_are_orthonormal,
        gradient_through(
            1,
            "explained_variance",
            truth.pca,
            ordinary(data_and_k),
            "x",
            "autograd through explained_variance gives its gradient",
        ),
        principal(
            "survives_equal_variances",
            "stable",
            "where variances coincide, any orthonormal basis is right",
            (
                rows_case("the_first_two", "two equal variances", (4.0, 4.0, 1.0), 9, 3, k=2),
                rows_case("cut_between", "k between two equals", (9.0, 4.0, 4.0), 9, 3, k=2),
                rows_case("all", "all variances equal", (2.0,) * 4, 9, 4, k=3),
                rows_case("all_wide", "all variances equal", (2.0,) * 4, 5, 7, k=3),
            ),
        ),
        principal(
            "handles_few_rows_and_columns",
            "stable",
            "few rows have n - 1 directions, and one column has one",
            (
                rows_case("two_rows", "two rows", (4.0,), 2, 5, mean=1.0, k=1),
                rows_case("one_column", "one column", (4.0,), 6, 1, mean=1.0, k=1),
                rows_case("two_by_one", "two rows of one", (4.0,), 2, 1, mean=1.0, k=1),
                rows_case("n_minus_1", "k = n - 1", (4.0, 2.0, 1.0), 4, 8, mean=1.0, k=3),
                rows_case("square", "4 rows of 4, k = 3", (4.0, 2.0, 1.0), 4, 4, mean=1.0, k=3),
                rows_case(
                    "float32_wide",
                    "5 rows of 40",
                    (4.0, 2.0, 1.0, 0.5),
                    5,
                    40,
                    dtype="float32",
                    k=4,
                ),
            ),
        ),
        principal(
            "survives_a_large_mean",
            "stable",
            "a mean much larger than the spread costs no digits",
            (
                rows_case("float64_1e4", "around 1e4", (4.0, 1.0), 50, 3, mean=1e4, k=2),
                rows_case(
                    "float32_1e4", "around 1e4", (4.0, 1.0), 50, 3, mean=1e4, dtype="float32", k=2
                ),
                rows_case("wide_1e4", "around 1e4", (4.0, 1.0), 3, 6, mean=1e4, k=2),
            ),
        ),
        principal(
            "survives_badly_scaled_columns",
            "stable",
            "columns of very different size, and missing directions, are no obstacle",
            (
                rows_case(
                    "float64",
                    "columns of size 1e-6 to 1e6",
                    (1.0, 0.5, 0.3),
                    8,
                    3,
                    columns=(1e-6, 1.0, 1e6),
                    k=3,
                ),
                rows_case(
                    "float32",
                    "columns of size 1e-4 to 1e4",
                    (1.0, 0.5, 0.3),
                    8,
                    3,
                    columns=(1e-4, 1.0, 1e4),
                    dtype="float32",
                    k=3,
                ),
                rows_case("rank_1", "data on a line", (4.0,), 8, 4, mean=1.0, k=3),
                rows_case("rank_2_wide", "data in a plane", (4.0, 1.0), 5, 7, mean=1.0, k=4),
                Case("constant", lambda rng: {"x": np.ones((5, 3)), "k": 2}, "all rows the same"),
            ),
        ),
        principal(
            "survives_any_size",
            "stable",
            "the directions of tiny and of large numbers are found",
            (
                rows_case(
                    "float32_1e_minus_30",
                    "numbers around 1e-30",
                    (4.0, 1.0, 0.25),
                    8,
                    3,
                    columns=(1e-30,),
                    dtype="float32",
                    k=2,
                ),
                rows_case(
                    "float32_1e_minus_30_wide",
                    "numbers around 1e-30",
                    (4.0, 1.0, 0.25),
                    4,
                    6,
                    columns=(1e-30,),
                    dtype="float32",
                    k=2,
                ),
                rows_case(
                    "float32_1e4",
                    "numbers around 1e4",
                    (4.0, 1.0, 0.25),
                    8,
                    3,
                    columns=(1e4,),
                    dtype="float32",
                    k=2,
                ),
                rows_case(
                    "float16_1e4",
                    "numbers around 1e4",
                    (4.0, 1.0, 0.25),
                    8,
                    3,
                    columns=(1e4,),
                    dtype="float16",
                    k=2,
                ),
            ),
        ),
        relation(
            "variances_are_those_of_the_projection",
            "the projected data varies as explained_variance says",
            ("pca_project",),
            _varies_as_it_says,
            ordinary(data_and_k),
        ),
        *contract(
            data_and_k,
            truth.pca,
            refusals=(
                _asked(0),
                _asked(-1),
                _asked(5),
                _asked(3),
                misshapen(data_and_k, "x", (1, 4)),
                misshapen(data_and_k, "x", (4,)),
                misshapen(data_and_k, "x", (2, 3, 4)),
            ),
            batched=False,
            integers=whole_data_and_k,
        ),
    ),
    hints=(
        "Subtract the mean of each column first. Which symmetric matrix tells how much the data "
        "varies along a direction v?",
        "eigh takes the covariance apart, svd the centred data; the one gives eigenvalues in "
        "ascending order, the other singular values in descending order. What has to be done "
        "to each of them?",
        "One component is one row of the result. Divide by n - 1, and bring the data to size 1 "
        "before squaring: the squares of 1e-30 are 0 in float32.",
    ),
    mistakes=(*MISTAKES, habits.SUMMED_IN_HALF),
    bench=bench(
        _blob,
        ((4096, 64), (256, 1024)),
        lambda n, d: n * d + min(16, n - 1, d) * (d + 1),
        _operations,
        yardsticks.PCA,
        yardsticks.PCA_COMPOSED,
    ),
)
