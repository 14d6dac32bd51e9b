"""effective_rank: how many dimensions a matrix really uses."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_flows, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.spectral.situations import (
    SINGULAR,
    bench,
    matrix,
    matrix_case,
    weights,
    whole_data,
)
from llm_math_tests.truths import spectral as truth


def _unchanged_by_scale(answer: Answer, inputs: Inputs) -> None:
    for factor in (1.0, -8.0, 2.0**-10):
        changed = {"w": inputs["w"] * factor}
        expect_truth(answer, answer(changed), truth.effective_rank(**changed), "float64")
    flipped = {"w": np.ascontiguousarray(inputs["w"].swapaxes(-1, -2))}
    expect_truth(answer, answer(flipped), truth.effective_rank(**inputs), "float64")


unchanged_by_scale = Check(
    "unchanged_by_scale",
    "core",
    "a factor, or the transpose, changes nothing",
    _unchanged_by_scale,
    (Case("float64", lambda rng: weights(rng, "float64", (2,))),),
)


def _whole(rng: Rng, dtype: str) -> Inputs:
    return {"w": whole_data(rng, dtype)["x"]}


def _a_zero_among_them(rng: Rng) -> Inputs:
    w = matrix(rng, SINGULAR, 4, 5, (3,))
    w[1] = 0
    return {"w": w}


def _made(rng: Rng, dtype: str, m: int, n: int) -> Inputs:
    return {"w": cast(rng.standard_normal((m, n), "float32"), dtype)}


_SVD = "sigma = np.linalg.svd(_widened(_as_float(w)), compute_uv=False)"
_P = "p = sigma / (total + (total == 0))"
_ENTROPY = "entropy = -(p * np.log(p + (p == 0))).sum(axis=-1)"
_OUT = "out = np.exp(entropy) * (total[..., 0] > 0)"

EXERCISE = Exercise(
    name="effective_rank",
    topic="spectral",
    signature="effective_rank(w)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "exp of the entropy of the singular values over their sum",
            truth.effective_rank,
            ordinary(
                weights,
                matrix_case("tall", "a tall matrix", (4.0, 2.0, 1.0), 6, 3),
                matrix_case("equal", "three equal singular values", (2.0, 2.0, 2.0), 4, 3),
                matrix_case("nearly_one", "one that dwarfs the rest", (1.0, 1e-3, 1e-3), 4, 3),
            ),
            points=2,
        ),
        unchanged_by_scale,
        gradient_flows(
            truth.effective_rank,
            ordinary(lambda rng, dtype, batch: weights(rng, dtype)),
            ["w"],
        ),
        values(
            "handles_missing_rank",
            "stable",
            "singular values of 0 add nothing, and the zero matrix has rank 0",
            truth.effective_rank,
            (
                Case("ones", lambda rng: {"w": np.ones((3, 4))}, "all ones"),
                Case(
                    "identity_and_zeros",
                    lambda rng: {"w": np.diag([1.0, 1.0, 0.0, 0.0])},
                    "two ones on the diagonal, and zeros",
                ),
                Case("zero", lambda rng: {"w": np.zeros((3, 4))}, "the zero matrix"),
                Case("a_zero_among_them", _a_zero_among_them, "a zero matrix among others"),
                matrix_case("rank_2_of_5", "rank 2", (3.0, 1.0), 5, 6),
            ),
        ),
        values(
            "survives_any_size",
            "stable",
            "large and tiny numbers have the same rank",
            truth.effective_rank,
            (
                matrix_case("float32_1e4", "sigma 1e4", (1e4, 5e3, 1e3), 4, 3, dtype="float32"),
                matrix_case(
                    "float32_1e_minus_30",
                    "sigma 1e-30",
                    (4e-30, 2e-30, 1e-30),
                    4,
                    3,
                    dtype="float32",
                ),
                matrix_case("float16_6e4", "sigma 6e4", (6e4, 5e4, 4e4), 4, 3, dtype="float16"),
                matrix_case(
                    "float16_1e_minus_3", "sigma 1e-3", (4e-3, 2e-3, 1e-3), 4, 3, dtype="float16"
                ),
            ),
        ),
        values(
            "keeps_small_singular_values",
            "stable",
            "small singular values count with all their digits; one row or column gives 1",
            truth.effective_rank,
            (
                matrix_case("float64", "sigma 1 to 1e-10", (1.0, 1e-4, 1e-8, 1e-10), 5, 4),
                matrix_case("many_small", "one of 1, 23 of 1e-6", (1.0, *(1e-6,) * 23), 24, 24),
                matrix_case(
                    "float32",
                    "one of 1, 23 of 1e-4",
                    (1.0, *(1e-4,) * 23),
                    24,
                    24,
                    dtype="float32",
                ),
                matrix_case("one_row", "one row", (3.0,), 1, 4),
                matrix_case("one_by_one", "a single number", (3.0,), 1, 1),
            ),
        ),
        *contract(
            weights,
            truth.effective_rank,
            refusals=(misshapen(weights, "w", (4,)), misshapen(weights, "w", ())),
            integers=_whole,
        ),
    ),
    scaled=("w",),
    hints=(
        "Make the singular values a probability distribution. Which number says over how many "
        "outcomes a distribution is spread?",
        "exp(entropy), in nats. Mind 0 log 0: a product with log of something that is not 0 "
        "gives the 0 that you want.",
        "svd can return the singular values alone, for a whole batch of matrices.",
    ),
    mistakes=(
        Mistake(
            "entropy_returned",
            "returned the entropy, not its exponential",
            _OUT,
            "out = entropy * (total[..., 0] > 0)",
        ),
        Mistake(
            "squares_taken",
            "took shares of the squares: that weighs variances, not singular values",
            _P,
            "p = sigma * sigma / ((sigma * sigma).sum(axis=-1, keepdims=True) + (total == 0))",
        ),
        Mistake(
            "not_normalized", "did not divide the singular values by their sum", _P, "p = sigma"
        ),
        Mistake(
            "over_the_largest",
            "divided by the largest singular value, not by their sum",
            _P,
            "p = sigma / (sigma[..., :1] + (total == 0))",
        ),
        Mistake(
            "divided_by_the_norm",
            "divided by the root of the sum of squares, so that the shares do not sum to 1",
            _P,
            "p = sigma / (np.sqrt((sigma * sigma).sum(axis=-1, keepdims=True)) + (total == 0))",
        ),
        Mistake(
            "bits_and_e",
            "took the logarithm to base 2 and the exponential to base e",
            _ENTROPY,
            "entropy = -(p * np.log2(p + (p == 0))).sum(axis=-1)",
        ),
        Mistake(
            "sign_forgotten",
            "forgot the minus: the result is one over the effective rank",
            _ENTROPY,
            "entropy = (p * np.log(p + (p == 0))).sum(axis=-1)",
        ),
        Mistake(
            "rank_counted",
            "counted the singular values above 0: that is the rank",
            _OUT,
            "out = (sigma > 1e-9 * sigma[..., :1]).sum(axis=-1).astype(sigma.dtype)",
        ),
        Mistake(
            "stable_rank",
            "computed the stable rank, the sum of squares over the largest",
            _OUT,
            "top = sigma[..., 0] ** 2 + (total[..., 0] == 0)\n"
            "    out = (sigma * sigma).sum(axis=-1) / top",
        ),
        Mistake(
            "participation_ratio",
            "computed the participation ratio, (sum sigma)^2 / sum sigma^2",
            _OUT,
            "out = 1 / ((p * p).sum(axis=-1) + (total[..., 0] == 0)) * (total[..., 0] > 0)",
        ),
        Mistake(
            "zero_times_log_zero",
            "multiplied 0 by log 0, which is NaN",
            _ENTROPY,
            "entropy = -(p * np.log(p)).sum(axis=-1)",
            also=(
                (
                    _SVD,
                    _SVD + "\n    sigma = np.where(sigma < 1e-12 * sigma[..., :1], "
                    "0 * sigma, sigma)",
                ),
            ),
        ),
        Mistake(
            "eps_in_the_logarithm",
            "took log(p + 1e-3), which changes every small share",
            _ENTROPY,
            "entropy = -(p * np.log(p + p.dtype.type(1e-3))).sum(axis=-1)",
        ),
        Mistake(
            "small_eps_in_the_logarithm",
            "took log(p + 1e-8): shares below that are counted wrongly",
            _ENTROPY,
            "entropy = -(p * np.log(p + p.dtype.type(1e-8))).sum(axis=-1)",
        ),
        Mistake(
            "zero_matrix_nan",
            "divided 0 by 0 for the zero matrix",
            _P,
            "p = sigma / total",
        ),
        Mistake(
            "zero_matrix_one",
            "gave the zero matrix rank 1: exp of an empty entropy",
            _OUT,
            "out = np.exp(entropy)",
        ),
        Mistake(
            "through_the_gram_matrix",
            "took roots of the eigenvalues of w^T w, which lose half the digits",
            _SVD,
            "low = _widened(_as_float(w))\n"
            "    square = np.linalg.eigvalsh(low.swapaxes(-1, -2) @ low)[..., ::-1]\n"
            "    sigma = np.sqrt(np.maximum(square, 0))[..., : min(low.shape[-2:])]",
        ),
        Mistake(
            "eigenvalues_taken",
            "took the magnitudes of eigenvalues, which are not the singular values",
            _SVD,
            "low = _widened(_as_float(w))\n    sigma = np.abs(np.linalg.eigvals(low))",
        ),
        Mistake(
            "summed_over_the_batch",
            "divided by the sum over all matrices, not by each one's own",
            "total = sigma.sum(axis=-1, keepdims=True)",
            "total = sigma.sum() + 0 * sigma[..., :1]",
        ),
        habits.SUMMED_IN_HALF,
        habits.ADDED_UP_IN_HALF,
        Mistake(
            "total_detached",
            "detached the sum from autograd: it depends on w as well",
            "total = sigma.sum(dim=-1, keepdim=True)",
            "total = sigma.sum(dim=-1, keepdim=True).detach()",
            track="torch",
        ),
    ),
    bench=bench(
        _made,
        ((64, 64), (512, 256)),
        lambda m, n: m * n,
        lambda m, n: 4 * max(m, n) * min(m, n) ** 2,
        {},
    ),
)
