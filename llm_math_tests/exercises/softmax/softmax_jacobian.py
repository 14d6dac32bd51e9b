"""softmax_jacobian: all derivatives of softmax."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_gradient,
    expect_same,
    gradient_flows,
    relation,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.truth import Truth, difference_vjp, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.softmax.situations import jacobian_bench, some_probs, upstream
from llm_math_tests.truths import softmax as truth


def _square(answer: Answer, inputs: Inputs) -> tuple[np.ndarray, Truth]:
    """The answer's Jacobians in extended precision, of the right shape, and the truth."""
    got = expect_array(answer(inputs), answer.track)
    wanted = truth.softmax_jacobian(**inputs)
    expect_shape(got, wanted.value.shape)
    return extended(got), wanted


def _rows_sum_to_zero(answer: Answer, inputs: Inputs) -> None:
    jacobian, wanted = _square(answer, inputs)
    dtype = result_dtype(inputs, answer.track)
    total = jacobian.sum(axis=-1)
    # What is left of the sum is there because the probabilities' own sum was rounded.
    allowed = wanted.allowance(dtype).sum(axis=-1) + np.abs(wanted.value.sum(axis=-1))
    if not (np.abs(total) <= allowed).all():
        worst = int(np.argmax(np.where(np.isnan(total), np.inf, np.abs(total))))
        raise Wrong(
            "rows that sum to 0",
            f"a sum of {float(total.flat[worst]):.3g}",
            allowed=f"{float(allowed.flat[worst]):.1e}: {wanted.why(dtype)}, summed",
        )


def _is_symmetric(answer: Answer, inputs: Inputs) -> None:
    jacobian, wanted = _square(answer, inputs)
    turned = np.swapaxes(jacobian, -1, -2)
    allowed = 2 * wanted.allowance(result_dtype(inputs, answer.track))
    off = np.abs(jacobian - turned)
    if not (off <= allowed).all():
        worst = np.unravel_index(int(np.argmax(np.where(np.isnan(off), np.inf, off))), off.shape)
        place = [int(i) for i in worst]
        mirrored = [*place[:-2], place[-1], place[-2]]
        raise Wrong(
            f"the same number at {place} and {mirrored}",
            f"{float(jacobian[worst]):.6g} and {float(turned[worst]):.6g}",
        )


def _agrees_with_differences(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    p = extended(inputs["probs"])
    point = {"logits": np.log(p)}
    n = p.shape[-1]
    expected = np.zeros((*p.shape, n), np.longdouble)
    for i in range(n):
        picked = np.broadcast_to(np.eye(n)[i], p.shape)
        expected[..., i, :] = difference_vjp(truth.softmax, point, "logits", [picked])
    expect_shape(got, expected.shape)
    dtype = result_dtype(inputs, answer.track)
    expect_gradient(answer, got, expected, [np.ones(1)], dtype, "the scores")


def _product_is_softmax_backward(answer: Answer, inputs: Inputs, backward: Answer) -> None:
    jacobian, _ = _square(answer, {"probs": inputs["probs"]})
    product = (jacobian @ extended(inputs["grad_output"])[..., None])[..., 0]
    scale = truth.softmax_backward(**inputs).scale
    got = product.astype(result_dtype(inputs, answer.track))
    expect_same(answer, got, backward(inputs), scale, "p times (|g| + the mean |g| of the row)")


rows_sum_to_zero = Check(
    "rows_sum_to_zero",
    "core",
    "every row of the Jacobian sums to 0",
    _rows_sum_to_zero,
    ordinary(some_probs),
)

is_symmetric = Check(
    "is_symmetric", "core", "the Jacobian equals its transpose", _is_symmetric, ordinary(some_probs)
)

gradient_matches = Check(
    "gradient_matches",
    "core",
    "every derivative agrees with central differences of softmax",
    _agrees_with_differences,
    ordinary(some_probs),
    points=2,
)


def _certain() -> tuple[Case, ...]:
    def zeros(rng: Rng) -> Inputs:
        p = some_probs(rng, "float64", (3,))["probs"]
        p[:, 1:3] = 0
        return {"probs": p / p.sum(axis=-1, keepdims=True)}

    return (
        Case("one_hot", lambda rng: {"probs": np.eye(4)[[0, 2]]}, "all on one class"),
        Case("some_zero", zeros, "some probabilities exactly 0"),
        Case("one_class", lambda rng: {"probs": np.ones((3, 1))}, "a single class"),
    )


def _small() -> tuple[Case, ...]:
    def tiny(rng: Rng) -> Inputs:
        p = np.array([1.0, 1e-6, 1e-12, 1e-18, 1e-30]) * rng.uniform(0.5, 1, 5)
        p[0] = 1.0
        return {"probs": cast(p, "float32")}

    def half(rng: Rng) -> Inputs:
        p = np.array([0.98, 0.01, 0.005, 0.004, 0.001])
        return {"probs": cast(rng.permutation(p)[None], "float16")}

    return (
        Case("float32", tiny, "probabilities down to 1e-30"),
        Case("float16", half, "probabilities down to 1e-3"),
    )


_OUTER = "jacobian = p[..., :, None] * -p[..., None, :]"
_DIAGONAL = "jacobian[..., diagonal, diagonal] += p"

_ROWS_MIXED = "multiplied probabilities of different rows: the batch axis is not kept apart"
_LIFTED = "lifted small probabilities to an epsilon"

EXERCISE = Exercise(
    name="softmax_jacobian",
    topic="softmax",
    signature="softmax_jacobian(probs)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "diag(p) - p p^T",
            truth.softmax_jacobian,
            ordinary(some_probs, Case("one_row", lambda rng: some_probs(rng), "a single row")),
            points=2,
        ),
        gradient_matches,
        rows_sum_to_zero,
        is_symmetric,
        relation(
            "product_is_softmax_backward",
            "its product with a vector is your softmax_backward",
            ["softmax_backward"],
            _product_is_softmax_backward,
            ordinary(upstream),
        ),
        gradient_flows(truth.softmax_jacobian, ordinary(some_probs), through=["probs"]),
        values(
            "handles_certain_rows",
            "stable",
            "nothing moves where one class has all the probability",
            truth.softmax_jacobian,
            _certain(),
        ),
        values(
            "keeps_tiny_derivatives",
            "stable",
            "small probabilities have small derivatives, not none",
            truth.softmax_jacobian,
            _small(),
        ),
        *contract(
            some_probs,
            truth.softmax_jacobian,
            refusals=(Refusal("no_axis", lambda rng: {"probs": np.asarray(0.5)}, "probs", "()"),),
        ),
    ),
    hints=(
        "Derive dp_i/dz_j twice: once for i = j, once for i != j. What do the two have in common?",
        "-p_i p_j is there in both: an outer product, made by giving p a new axis in two "
        "places (p[..., :, None] and p[..., None, :]). Then only the diagonal is missing.",
        "For a stack of rows np.diag and np.outer do not do: index the diagonal, or multiply "
        "by an identity matrix and broadcast.",
    ),
    mistakes=(
        Mistake(
            "diagonal_only",
            "left out the off-diagonal terms, as if each probability depended on its own "
            "score alone",
            _DIAGONAL,
            "jacobian[..., diagonal, diagonal] += p\n"
            "    jacobian = jacobian * np.eye(p.shape[-1], dtype=p.dtype)",
        ),
        Mistake("diagonal_left_out", "left out diag(p)", _DIAGONAL, ""),
        Mistake(
            "diagonal_added_everywhere",
            "added p to every entry of its row, not to the diagonal only",
            _DIAGONAL,
            "jacobian += p[..., :, None]",
        ),
        Mistake(
            "one_instead_of_p",
            "put 1 on the diagonal instead of p",
            _DIAGONAL,
            "jacobian[..., diagonal, diagonal] += 1",
        ),
        Mistake(
            "sign_turned",
            "turned the sign: the diagonal is p (1 - p), which is not negative",
            "return jacobian",
            "return -jacobian",
        ),
        Mistake(
            "sign_of_the_outer_product",
            "added p p^T instead of subtracting it",
            _OUTER,
            "jacobian = p[..., :, None] * p[..., None, :]",
        ),
        Mistake(
            "one_row_only",
            "used np.outer and np.diag, which know one row only",
            _OUTER,
            "return np.diag(p) - np.outer(p, p)",
        ),
        Mistake(
            "rows_mixed",
            _ROWS_MIXED,
            _OUTER,
            "flat = p.reshape(-1, p.shape[-1])\n"
            "    return p[..., None] * np.eye(p.shape[-1], dtype=p.dtype) - flat.T @ flat",
        ),
        Mistake(
            "rows_mixed_in_one_large_matrix",
            _ROWS_MIXED,
            _OUTER,
            "return np.diagflat(p) - np.outer(p, p)",
        ),
        Mistake(
            "rows_mixed_and_summed",
            _ROWS_MIXED,
            _OUTER,
            "flat = p.reshape(-1, p.shape[-1])\n"
            "    if len(flat) > 1:\n"
            "        return np.diag(flat.sum(axis=0)) - flat.T @ flat\n"
            f"    {_OUTER}",
        ),
        Mistake(
            "softmax_once_more",
            "took softmax once more: the argument already holds probabilities",
            "p = _as_float(probs)",
            "p = np.exp(_as_float(probs))\n    p = p / p.sum(axis=-1, keepdims=True)",
        ),
        Mistake(
            "small_probabilities_cut",
            _LIFTED,
            "p = _as_float(probs)",
            "p = _as_float(probs)\n"
            "    p = np.maximum(p, 1e-7 if p.itemsize > 2 else 1e-2).astype(p.dtype)",
        ),
        Mistake(
            "small_probabilities_cut_at_1e_8",
            _LIFTED,
            "p = _as_float(probs)",
            "p = np.maximum(_as_float(probs), 1e-8)",
        ),
        Mistake(
            "small_probabilities_cut_at_1e_12",
            _LIFTED,
            "p = _as_float(probs)",
            "p = np.maximum(_as_float(probs), 1e-12)",
        ),
        Mistake(
            "two_axes_only",
            "wrote for one batch axis only: p[:, :, None] * p[:, None, :]",
            _OUTER,
            "jacobian = p[:, :, None] * -p[:, None, :]",
        ),
        Mistake(
            "identity_on_the_cpu",
            "made the identity matrix without device=p.device: it is on the CPU",
            "jacobian.diagonal(dim1=-2, dim2=-1).add_(p)",
            "jacobian = jacobian + p.unsqueeze(-1) * torch.eye(p.shape[-1], dtype=p.dtype)",
            track="torch",
        ),
    ),
    bench=jacobian_bench(),
)
