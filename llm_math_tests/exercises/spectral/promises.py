"""Promises of this topic's own: eigenvectors are checked by what makes them eigenvectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, spelled
from llm_math_tests.checks.compare import expect_array, expect_close, expect_shape
from llm_math_tests.checks.promises import TruthOf, expect_arrived, expect_gradient, result_dtype
from llm_math_tests.checks.truth import SUM_GROWTH, difference_vjp, eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs, Level
from llm_math_tests.truths import spectral as truth


def pair(answer: Answer, got: Value, kinds: str) -> tuple[Value, Value]:
    """The two arrays that a result must be made of."""
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Wrong(f"a tuple of 2 arrays, {kinds}", spelled(got))
    first, second = got
    return expect_array(first, answer.track), expect_array(second, answer.track)


def roundings(dtype: str, terms: int, steps: float = 8.0) -> float:
    """The relative error allowed of a sum of ``terms`` in a dtype: that of a truth."""
    wide = "float32" if dtype in ("float16", "bfloat16") else dtype
    return steps * eps(dtype) + SUM_GROWTH * math.sqrt(terms) * eps(wide)


def expect_orthonormal(vectors: np.ndarray, dtype: str) -> None:
    """Rows of length 1, at right angles."""
    k, d = vectors.shape
    products = vectors @ vectors.T
    off = np.abs(products - np.eye(k))
    allowed = roundings(dtype, d * k)
    if not (off <= allowed).all():
        i, j = np.unravel_index(int(np.argmax(np.where(np.isnan(off), np.inf, off))), off.shape)
        raise Wrong(
            f"orthonormal components: v_{i} . v_{j} = {int(i == j)}",
            f"v_{i} . v_{j} = {float(products[i, j]):.9g}",
            allowed=f"{allowed:.1e}",
        )


def expect_principal(answer: Answer, inputs: Inputs) -> None:
    """Components and variances with all that makes them so, whichever basis was taken."""
    x, k = inputs["x"], inputs["k"]
    components, variance = pair(answer, answer(inputs), "components and explained_variance")
    dtype = result_dtype(inputs, answer.track)
    expect_shape(components, (k, x.shape[1]), "components")
    expect_close(variance, truth.pca(x, k)[1], dtype, answer.track, "explained_variance")
    vectors = extended(components)
    expect_orthonormal(vectors, dtype)
    s = truth.spectrum(x)
    rows = truth.centred(x)
    n = len(rows)
    allowed = roundings(dtype, s.terms) * s.size
    for i, v in enumerate(vectors):
        turned = rows.T @ (rows @ v) / (n - 1)
        along = v @ turned
        if not abs(along - s.variance[i]) <= allowed:
            raise Wrong(
                f"component {i} along which the variance is {float(s.variance[i]):.9g}",
                f"a direction of variance {float(along):.9g}",
                allowed=f"{float(allowed):.1e}: n eps lambda_1",
            )
        rest = turned - along * v
        residual = np.sqrt(rest @ rest)
        if not residual <= allowed:
            raise Wrong(
                f"an eigenvector: |C v - lambda v| = 0 for component {i}",
                f"{float(residual):.2g}",
                allowed=f"{float(allowed):.1e}: n eps lambda_1",
            )


def principal(name: str, level: Level, promise: str, cases: Sequence[Case]) -> Check:
    """The components are orthonormal eigenvectors, and the variances their eigenvalues."""
    return Check(name, level, promise, expect_principal, tuple(cases))


def gradient_through(
    result: int, name: str, truth_of: TruthOf, cases: Sequence[Case], through: str, promise: str
) -> Check:
    """Autograd through one result of a pair gives its gradient (torch only)."""

    def run(answer: Answer, inputs: Inputs) -> None:
        wanted = truth_of(**inputs)
        dtype = result_dtype(inputs, answer.track)
        rng = np.random.default_rng(result)
        cotangents = [np.zeros(t.value.shape, dtype) for t in wanted]
        signs = rng.choice([-1, 1], wanted[result].value.shape)
        weights = rng.uniform(0.5, 1.5, wanted[result].value.shape)
        cotangents[result] = np.asarray(weights * signs, dtype)
        _, grads = answer.vjp(inputs, cotangents)
        expect_arrived(grads[through], through)
        expected = difference_vjp(
            lambda **given: truth_of(**given)[result], inputs, through, [cotangents[result]]
        )
        expect_gradient(
            answer, grads[through], expected, [cotangents[result]], dtype, f"{through} ({name})"
        )

    return Check(
        "gradient_flows", "core", promise, run, tuple(cases), 2, tracks=("torch",),
        broken_by=(habits.GRAPH_CUT,),
    )  # fmt: skip


def own(answer: Answer, inputs: Inputs) -> Value:
    """Another answer of the same person's, in a layout that can be handed on."""
    got = answer(inputs)
    if isinstance(got, (tuple, list)):
        return tuple(np.ascontiguousarray(one) for one in got)
    return np.ascontiguousarray(got)
