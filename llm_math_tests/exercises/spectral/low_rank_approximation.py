"""low_rank_approximation: the closest matrix of a given rank."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, result_dtype, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.spectral import yardsticks
from llm_math_tests.exercises.spectral.promises import roundings
from llm_math_tests.exercises.spectral.situations import bench, matrix_case, weights, whole_data
from llm_math_tests.truths import spectral as truth


def _sample(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    return {**weights(rng, dtype, batch), "rank": 2}


def _whole(rng: Rng, dtype: str) -> Inputs:
    return {"w": whole_data(rng, dtype)["x"], "rank": 2}


def _as_close_as_can_be(answer: Answer, inputs: Inputs) -> None:
    w, rank = extended(inputs["w"]), inputs["rank"]
    got = expect_array(answer(inputs), answer.track)
    expect_shape(got, w.shape)
    dtype = result_dtype(inputs, answer.track)
    near = extended(got)
    if not np.isfinite(near).all():
        # No singular values can be taken of it: that is the answer's fault and not the check's.
        raise Wrong("finite values", f"{near[~np.isfinite(near)][0]:g}")
    for index in np.ndindex(w.shape[:-2]):
        sigma = truth.singular(w[index])[1]
        allowed = roundings(dtype, sum(w.shape[-2:])) * sigma[0] * np.sqrt(min(w.shape[-2:]))
        tail = truth.singular(near[index])[1][rank:]
        if not (tail <= allowed).all():
            raise Wrong(
                f"a matrix of rank {rank}",
                f"a singular value number {rank + 1} of {float(tail[0]):.3g}",
                allowed=f"{float(allowed):.1e}",
            )
        best = np.sqrt((sigma[rank:] ** 2).sum())
        off = np.sqrt(((w[index] - near[index]) ** 2).sum())
        if not abs(off - best) <= allowed:
            raise Wrong(
                f"a distance of {float(best):.9g} in the Frobenius norm",
                f"{float(off):.9g}",
                allowed=f"{float(allowed):.1e}",
            )


def _closest(name: str, level: str, promise: str, cases: tuple[Case, ...]) -> Check:
    return Check(name, level, promise, _as_close_as_can_be, cases)  # type: ignore[arg-type]


def _rank(rank: int) -> Refusal:
    return Refusal(
        f"rank_{rank}".replace("-", "minus_"),
        lambda rng: {**_sample(rng), "rank": rank},
        "rank",
        str(rank),
    )


def _square(rng: Rng, dtype: str, m: int, n: int) -> Inputs:
    return {"w": rng.standard_normal((m, n), "float32").astype(dtype), "rank": 16}


_SVD = "u, sigma, vt = np.linalg.svd(_widened(_as_float(w)), full_matrices=False)"
_CUT = "out = (u[..., :rank] * sigma[..., None, :rank]) @ vt[..., :rank, :]"

EXERCISE = Exercise(
    name="low_rank_approximation",
    topic="spectral",
    signature="low_rank_approximation(w, rank)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the sum of the leading singular triples",
            truth.low_rank_approximation,
            ordinary(
                _sample,
                matrix_case("rank_1", "rank 1", (4.0, 2.0, 1.0), 3, 6, rank=1),
                matrix_case("full_rank", "the full rank", (4.0, 2.0, 1.0), 6, 3, rank=3),
                matrix_case("square", "a square matrix", (4.0, 2.0, 1.0, 0.5), 4, 4, rank=3),
            ),
            points=2,
        ),
        _closest(
            "is_as_close_as_can_be",
            "core",
            "the rank is kept, and the distance is the root of the discarded sigma^2",
            ordinary(_sample, matrix_case("tall", "a tall matrix", (5.0, 3.0, 2.0), 7, 3, rank=2)),
        ),
        gradient_flows(
            truth.low_rank_approximation,
            ordinary(lambda rng, dtype, batch: {**weights(rng, dtype), "rank": 2}),
            ["w"],
        ),
        _closest(
            "survives_equal_singular_values",
            "stable",
            "where sigma_r equals the next, any of the closest matrices is right",
            (
                matrix_case("cut_between", "sigma 4, 2, 2", (4.0, 2.0, 2.0), 5, 3, rank=2),
                matrix_case("all_equal", "an orthogonal matrix", (1.0,) * 4, 4, 4, rank=2),
                Case("zero", lambda rng: {"w": np.zeros((3, 4)), "rank": 2}, "the zero matrix"),
                Case("identity", lambda rng: {"w": np.eye(4), "rank": 1}, "the identity"),
            ),
        ),
        values(
            "keeps_small_singular_values",
            "stable",
            "singular values far below the first are kept to eps times the first",
            truth.low_rank_approximation,
            (
                matrix_case("float64", "sigma 1 to 1e-12", (1.0, 1e-6, 1e-10, 1e-12), 5, 4, rank=3),
                matrix_case(
                    "float32",
                    "sigma 1 to 1e-6",
                    (1.0, 1e-2, 1e-4, 1e-6),
                    5,
                    4,
                    dtype="float32",
                    rank=3,
                ),
                matrix_case("deficient", "rank 2, of which 3 are asked", (3.0, 1.0), 5, 4, rank=3),
            ),
        ),
        values(
            "survives_any_size",
            "stable",
            "large and tiny numbers keep their digits; one row or column works",
            truth.low_rank_approximation,
            (
                matrix_case(
                    "float32_1e4", "sigma 1e4", (1e4, 5e3, 1e3), 4, 3, dtype="float32", rank=2
                ),
                matrix_case(
                    "float32_1e_minus_30",
                    "sigma 1e-30",
                    (4e-30, 2e-30, 1e-30),
                    4,
                    3,
                    dtype="float32",
                    rank=2,
                ),
                matrix_case(
                    "float16_4e4", "sigma 6e4", (6e4, 3e4, 1e4), 4, 3, dtype="float16", rank=2
                ),
                matrix_case("one_row", "one row", (3.0,), 1, 4, rank=1),
                matrix_case("one_column", "one column", (3.0,), 4, 1, rank=1),
            ),
        ),
        *contract(
            _sample,
            truth.low_rank_approximation,
            refusals=(
                _rank(0),
                _rank(-1),
                _rank(5),
                misshapen(_sample, "w", (4,)),
                misshapen(_sample, "w", ()),
            ),
            integers=_whole,
        ),
    ),
    scaled=("w",),
    hints=(
        "The singular value decomposition writes w as a sum of matrices of rank 1, the largest "
        "first. Which of them do you keep?",
        "full_matrices=False gives just what is needed. Multiply the columns of U by the kept "
        "singular values, and then by the rows of V^T: no diagonal matrix has to be built.",
        "Index from the end ([..., :rank]), so that leading axes may stand in front.",
    ),
    mistakes=(
        Mistake(
            "one_too_many",
            "kept one singular value more than rank",
            _CUT,
            "rank += 1\n    " + _CUT,
        ),
        Mistake(
            "smallest_kept",
            "kept the smallest singular values; svd puts the largest first",
            _CUT,
            "out = (u[..., -rank:] * sigma[..., None, -rank:]) @ vt[..., -rank:, :]",
        ),
        Mistake(
            "remainder_returned",
            "returned what is left over, not the approximation",
            _CUT,
            "out = (u[..., rank:] * sigma[..., None, rank:]) @ vt[..., rank:, :]",
        ),
        Mistake(
            "sigma_left_out",
            "left out the singular values",
            _CUT,
            "out = u[..., :rank] @ vt[..., :rank, :]",
        ),
        Mistake(
            "v_not_transposed",
            "took columns of the third matrix: svd returns V^T already transposed",
            _CUT,
            "v = vt[..., :rank].swapaxes(-1, -2)\n"
            "    out = (u[..., :rank] * sigma[..., None, :rank]) @ v",
        ),
        Mistake(
            "sigma_on_the_rows",
            "multiplied the rows of U by the singular values, not its columns",
            _CUT,
            "out = (u[..., :rank] * sigma[..., :rank, None]) @ vt[..., :rank, :]",
        ),
        Mistake(
            "corner_kept",
            "kept the first rows and columns of w, not of its decomposition",
            _CUT,
            "out = np.zeros(w.shape, sigma.dtype)\n"
            "    out[..., :rank, :rank] = w[..., :rank, :rank]",
        ),
        Mistake(
            "nothing_cut",
            "multiplied everything together again: that is w itself",
            _CUT,
            "out = (u * sigma[..., None, :]) @ vt",
        ),
        Mistake(
            "centred_first",
            "subtracted the mean of the columns, as for PCA",
            _SVD,
            "low = _widened(_as_float(w))\n"
            "    low = low - low.mean(axis=-2, keepdims=True)\n"
            "    u, sigma, vt = np.linalg.svd(low, full_matrices=False)",
        ),
        Mistake(
            "through_the_gram_matrix",
            "took the eigenvectors of w^T w, which lose half the digits of small singular values",
            _SVD,
            "low = _widened(_as_float(w))\n"
            "    square, v = np.linalg.eigh(low.swapaxes(-1, -2) @ low)\n"
            "    vt = v[..., ::-1].swapaxes(-1, -2)\n"
            "    u, sigma = low @ v[..., ::-1], np.ones_like(square)",
        ),
        Mistake(
            "equal_values_kept_together",
            "kept every singular value as large as the one at the cut",
            _CUT,
            "if rank < sigma.shape[-1] and u.ndim == 2:\n"
            "        rank = int((sigma >= sigma[rank - 1] * (1 - 1e-6)).sum())\n"
            "    " + _CUT,
        ),
        Mistake(
            "small_values_cut",
            "treated singular values below 1e-8 as 0",
            _CUT,
            "sigma = np.where(sigma < 1e-8, 0 * sigma, sigma)\n    " + _CUT,
        ),
        Mistake(
            "relative_tolerance",
            "dropped singular values below 1e-5 of the first, as a rank estimate would",
            _CUT,
            "sigma = np.where(sigma < 1e-5 * sigma[..., :1], 0 * sigma, sigma)\n    " + _CUT,
        ),
        Mistake(
            "rank_clipped",
            "clipped a rank above the dimensions instead of refusing it",
            "if not 1 <= rank <= most:",
            "if rank < 1:",
        ),
        Mistake(
            "factors_detached",
            "detached U and V from autograd: they change with w as well",
            "(u[..., :rank] * sigma[..., None, :rank]) @ vt[..., :rank, :]",
            "(u.detach()[..., :rank] * sigma[..., None, :rank]) @ vt.detach()[..., :rank, :]",
            track="torch",
        ),
    ),
    bench=bench(
        _square,
        ((64, 64), (512, 256)),
        lambda m, n: 2 * m * n,
        lambda m, n: 14 * max(m, n) * min(m, n) ** 2 + 8 * min(m, n) ** 3 + 2 * m * n * 16,
        yardsticks.LOW_RANK_COMPOSED,
        yardsticks.LOW_RANK_COMPOSED,
    ),
)
