"""attention_scores: every query against every key."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_flows, values
from llm_math_tests.checks.situations import Rng, changed, misshapen, ordinary
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.attention import yardsticks
from llm_math_tests.exercises.attention.situations import (
    CUBE,
    D,
    M,
    Make,
    N,
    dims,
    lattice,
    queries_and_keys,
    rows,
)
from llm_math_tests.exercises.attention.slips import ALL_AXES_TURNED, of_every_scale
from llm_math_tests.truths import attention as truth


def _of(inputs: Inputs) -> Inputs:
    return {"q": inputs["q"], "k": inputs["k"]}


def _shaped(n: int, m: int, d: int, dtype: str = "float64", spread: float = 1.0) -> Make:
    return lambda rng: {
        "q": cast(rng.normal(0, spread, (n, d)), dtype),
        "k": cast(rng.normal(0, spread, (m, d)), dtype),
    }


def _divides_by_the_root(answer: Answer, inputs: Inputs) -> None:
    """Vectors of ones: the dot product is d, so the score is sqrt(d)."""
    root = np.sqrt(extended(inputs["q"]).shape[-1])
    shape = (len(inputs["q"]), len(inputs["k"]))
    value = np.full(shape, root)
    expect_truth(answer, answer(inputs), Truth(value, value, relative_to="sqrt(d)"), "float64")


def _ones(d: int) -> Case:
    return Case(f"width_{d}", lambda rng: {"q": np.ones((2, d)), "k": np.ones((3, d))}, "all 1")


def _swapped(answer: Answer, inputs: Inputs) -> None:
    """Scores of keys against queries are the same numbers, transposed."""
    first = answer({"q": inputs["k"], "k": inputs["q"]})
    wanted = truth.attention_scores(**inputs)
    turned = Truth(wanted.value.T, wanted.scale.T, terms=wanted.terms, relative_to="sum |q_c k_c|")
    expect_truth(answer, first, turned, "float64")


def _large(rng: Rng) -> Inputs:
    return {"q": lattice(rng, (N, 4), 1e4, "float32"), "k": lattice(rng, (M, 4), 1e4, "float32")}


def _mixed(rng: Rng) -> Inputs:
    return {
        "q": cast(rng.uniform(-1e-30, 1e-30, (N, D)), "float32"),
        "k": cast(rng.uniform(-1e4, 1e4, (M, D)), "float32"),
    }


def _cancelling(rng: Rng) -> Inputs:
    """Products of 1e8 of both signs whose sum is small."""
    q, k = rng.normal(0, 1, (N, D)), rng.normal(0, 1, (M, D))
    q[:, 0], q[:, 1] = 4096, 4096
    k[:, 0], k[:, 1] = 4096, -4096
    return {"q": cast(q, "float32"), "k": cast(k, "float32")}


def _beyond_half(rng: Rng) -> Inputs:
    """Some dot products above 65504, all scores below it."""
    return {
        "q": cast(rng.uniform(30, 36, (2, 256)), "float16"),
        "k": cast(rng.uniform(30, 36, (3, 256)) * [[1], [1], [0.1]], "float16"),
    }


EXERCISE = Exercise(
    name="attention_scores",
    topic="attention",
    signature="attention_scores(q, k)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "q k^T divided by sqrt(d)",
            truth.attention_scores,
            ordinary(
                queries_and_keys,
                Case("as_many_keys_as_queries", _shaped(4, 4, 3), "n = m"),
                Case("one_query", _shaped(1, 5, 3), "one query"),
                Case(CUBE.name, lambda rng: _of(CUBE.make(rng)), CUBE.note),
            ),
            points=2,
        ),
        Check(
            "divides_by_the_root_of_d",
            "core",
            "vectors of ones score sqrt(d)",
            _divides_by_the_root,
            (_ones(4), _ones(7), _ones(64)),
        ),
        Check(
            "queries_are_rows_and_keys_columns",
            "core",
            "swapping queries and keys transposes the scores",
            _swapped,
            (Case("float64", _shaped(3, 5, 4)),),
        ),
        gradient_flows(
            truth.attention_scores,
            tuple(
                Case(dtype, lambda rng, dtype=dtype: queries_and_keys(rng, dtype, (2,)))  # type: ignore[misc]
                for dtype in ("float64", "float32")
            ),
            through=["q", "k"],
        ),
        values(
            "survives_any_size",
            "stable",
            "large, tiny and cancelling products keep their digits",
            truth.attention_scores,
            (
                Case("float32_large", _large, "numbers up to 1e4"),
                Case("float32_tiny_queries", _mixed, "queries up to 1e-30, keys up to 1e4"),
                Case("float32_cancelling", _cancelling, "large products that cancel"),
                Case("float16_dot_product_too_large", _beyond_half, "dot products above 65504"),
            ),
        ),
        values(
            "handles_any_width",
            "stable",
            "a width of 1 and of thousands",
            truth.attention_scores,
            (
                Case("width_1", _shaped(3, 4, 1), "d = 1"),
                Case("float32_width_20000", _shaped(2, 2, 20_000, "float32"), "d = 20000"),
                Case("float16_width_4000", _shaped(2, 2, 4000, "float16", 0.2), "d = 4000"),
            ),
        ),
        *contract(
            queries_and_keys,
            truth.attention_scores,
            refusals=(
                misshapen(queries_and_keys, "k", (3, 4, 17), "k_of_another_width"),
                misshapen(queries_and_keys, "k", (3, 4, 1), "k_of_width_1"),
                Refusal(
                    "q_of_another_width",
                    changed(queries_and_keys, q=np.ones((3, N, 17))),
                    "k",  # which of the two is odd nobody knows: the message names k
                    str((3, M, D)),
                ),
            ),
        ),
    ),
    scaled=("q",),
    hints=(
        "Entry [i, j] is the dot product of row i of q with row j of k. Which matrix product puts "
        "all of them into one array?",
        "k must be transposed, but only its last two axes: with batch axes, k.T turns round the "
        "batch too.",
        "Divide by the root of the last axis of q, taken from its shape. For float16, convert "
        "before the product and convert back at the very end.",
    ),
    mistakes=(
        *of_every_scale(),
        Mistake(
            "multiplied_by_the_root",
            "multiplied by sqrt(d) instead of dividing",
            "scale = 1 / math.sqrt(q.shape[-1])",
            "scale = math.sqrt(q.shape[-1])",
        ),
        Mistake(
            "root_of_the_number_of_keys",
            "divided by the root of the number of keys, not of their width",
            "scale = 1 / math.sqrt(q.shape[-1])",
            "scale = 1 / math.sqrt(k.shape[-2])",
        ),
        Mistake(
            "keys_against_queries",
            "put keys in the rows and queries in the columns",
            "scores = (_widened(q) * scale) @ _transposed(_widened(k))",
            "scores = _widened(k) @ _transposed(_widened(q) * scale)",
        ),
        ALL_AXES_TURNED,
        Mistake(
            "cosine_similarity",
            "divided by the lengths of the vectors, which makes it cosine similarity",
            "scores = (_widened(q) * scale) @ _transposed(_widened(k))",
            "q_hat = _widened(q) / np.linalg.norm(_widened(q), axis=-1, keepdims=True)\n"
            "    k_hat = _widened(k) / np.linalg.norm(_widened(k), axis=-1, keepdims=True)\n"
            "    scores = q_hat @ _transposed(k_hat)",
        ),
        Mistake(
            "half_precision_product",
            "multiplied in float16, where a dot product above 65504 is inf",
            "scores = (_widened(q) * scale) @ _transposed(_widened(k))",
            "scores = (_as_float(q) @ _transposed(_as_float(k))) * scale",
        ),
        Mistake(
            "float32_throughout",
            "converted everything to float32, which costs float64 its digits",
            "scores = (_widened(q) * scale) @ _transposed(_widened(k))",
            "scores = (q.astype(np.float32) * scale) @ _transposed(k.astype(np.float32))",
        ),
        Mistake(
            "width_not_checked",
            "let keys of another width through, where one of width 1 is broadcast",
            "_check_same_width(q, k)",
            "if k.shape[-1] != q.shape[-1]:\n"
            "        return _widened(q)[..., :1] * _transposed(_widened(k)[..., :1])",
        ),
    ),
    bench=Bench(
        sizes=(rows(256, 64, ("q", "k")), rows(1024, 64, ("q", "k"))),
        moved_bytes=lambda inputs: _moved(inputs),
        operations=lambda inputs: 2 * dims(inputs)[0] * dims(inputs)[1] * dims(inputs)[2],
        yardsticks=yardsticks.SCORES,
    ),
)


def _moved(inputs: Inputs) -> int:
    """Both inputs read once, the scores written once."""
    queries, keys, _, itemsize = dims(inputs)
    read: int = inputs["q"].nbytes + inputs["k"].nbytes
    return read + queries * keys * itemsize
