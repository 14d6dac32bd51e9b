"""What this topic's inputs look like, easy and hard."""

from __future__ import annotations

import math

import numpy as np

from llm_math_tests.answers.values import Blocks, Value, cast, plain
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Bench, Case, Inputs, Size
from llm_math_tests.exercises.benches import MakeMatrix
from llm_math_tests.truths import softmax as truth


def scores(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary scores: five classes, a few units apart."""
    return {"logits": cast(rng.normal(0, 2, (*batch, 5)), dtype)}


def numbers(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """The same under the name that logsumexp gives them."""
    return {"x": scores(rng, dtype, batch)["logits"]}


def upstream(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Probabilities and a gradient that arrives at them."""
    p = truth.probabilities(extended(scores(rng, "float64", batch)["logits"]))
    return {"grad_output": cast(rng.normal(0, 1, (*batch, 5)), dtype), "probs": cast(p, dtype)}


def some_probs(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Probabilities alone."""
    return {"probs": upstream(rng, dtype, batch)["probs"]}


def in_blocks(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """A sequence in three blocks of unequal width."""
    widths = (3, 1, 4)
    return blocks_of(*(cast(rng.normal(0, 2, (*batch, w)), dtype) for w in widths))


def blocks_of(*arrays: Value) -> Inputs:
    """The one argument of an online computation."""
    return {"blocks": Blocks(arrays)}


def spread(name: str, size: float, dtype: str, like: str = "logits") -> Case:
    """Scores of a given magnitude, both signs."""

    def make(rng: Rng) -> Inputs:
        return {like: cast(rng.uniform(-size, size, (3, 6)), dtype)}

    return Case(name, make, f"scores up to {size:g}")


def large(like: str = "logits") -> tuple[Case, ...]:
    """Scores whose exponential overflows the dtype."""
    return (
        spread("float32", 1e4, "float32", like),
        spread("float64", 1e4, "float64", like),
        spread("float16", 6e4, "float16", like),
        Case(
            "all_far_below_zero",
            lambda rng: {like: cast(rng.uniform(-3, 3, (3, 6)) - 1e4, "float32")},
            "scores around -1e4",
        ),
    )


def tiny(like: str = "logits") -> tuple[Case, ...]:
    """Scores next to nothing, and scores that differ by next to nothing."""
    return (
        spread("float32", 1e-30, "float32", like),
        Case(
            "nearly_equal",
            lambda rng: {like: 50 + rng.uniform(-1e-12, 1e-12, (2, 6))},
            "scores that differ by 1e-12",
        ),
        Case("all_equal", lambda rng: {like: np.full((2, 7), rng.normal())}, "scores all equal"),
    )


def far_from_zero(like: str = "logits") -> tuple[Case, ...]:
    """Ordinary scores on top of a constant that is much larger than their differences."""

    def offset(name: str, by: float, dtype: str) -> Case:
        return Case(
            name,
            lambda rng: {like: cast(rng.normal(0, 2, (3, 6)) + by, dtype)},
            f"scores around {by:g}",
        )

    return (
        offset("float32_above", 1e4, "float32"),
        offset("float32_below", -1e4, "float32"),
        offset("float64_above", 1e4, "float64"),
        offset("float16_above", 1e4, "float16"),
    )


def with_minus_infinity(like: str = "logits") -> tuple[Case, ...]:
    """Masked scores, up to a row with nothing left."""

    def some(rng: Rng) -> Inputs:
        z = rng.normal(0, 2, (3, 6)).astype("float32")
        z[0, 2:] = z[1, 0] = -np.inf
        return {like: z}

    def row(rng: Rng) -> Inputs:
        z = rng.normal(0, 2, (3, 4))
        z[1] = -np.inf
        return {like: z}

    return (
        Case("some_masked", some, "some of them -inf"),
        Case("a_row_with_nothing_left", row, "one row all -inf"),
    )


def long_rows(like: str = "logits") -> tuple[Case, ...]:
    """Many terms to sum, or just one."""
    return (
        Case(
            "float32_20000",
            lambda rng: {like: cast(rng.normal(0, 1, (2, 20_000)), "float32")},
            "rows of 20000",
        ),
        Case(
            "float16_4000",
            lambda rng: {like: cast(rng.normal(0, 0.1, (2, 4000)), "float16")},
            "rows of 4000",
        ),
        Case("a_single_column", lambda rng: {like: rng.normal(0, 2, (3, 1))}, "rows of 1"),
    )


def a_sum_beyond_float16(like: str) -> Case:
    """More ones than float16 can count to: 65504 is its largest number."""
    return Case(
        "float16_70000",
        lambda rng: {like: cast(rng.uniform(-0.01, 0, (1, 70_000)), "float16")},
        "rows of 70000",
    )


def along(axis: int, like: str = "logits") -> Case:
    """A chosen axis of an array whose axes all have different sizes."""
    return Case(
        f"axis_{axis}".replace("-", "minus_"),
        lambda rng: {like: rng.normal(0, 2, (4, 3, 2)), "axis": axis},
        f"axis={axis}",
    )


AXES = (along(0), along(1), along(-2), along(-3))


def both_along(axis: int) -> Case:
    """The same for a gradient and the probabilities that it arrives at."""

    def make(rng: Rng) -> Inputs:
        z = rng.normal(0, 2, (4, 3, 2))
        p = truth.probabilities(extended(z), axis).astype("float64")
        return {"grad_output": rng.normal(0, 1, z.shape), "probs": p, "axis": axis}

    return Case(f"axis_{axis}".replace("-", "minus_"), make, f"axis={axis}")


def rows(like: str) -> MakeMatrix:
    """A maker of ``n`` rows of ``m`` scores."""
    return lambda rng, dtype, n, m: {like: cast(rng.standard_normal((n, m), "float32"), dtype)}


def backward_rows(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
    """``n`` rows of ``m`` probabilities and their gradients."""
    z = rng.standard_normal((n, m), "float32")
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return {
        "grad_output": cast(rng.standard_normal((n, m), "float32"), dtype),
        "probs": cast(p, dtype),
    }


def jacobian_bench() -> Bench:
    """Rows whose Jacobians fit in memory: n numbers in, n * n out."""

    def size(n: int, m: int) -> Size:
        return Size(f"{n} x {m}", lambda rng, dtype: _probs_of(backward_rows(rng, dtype, n, m)))

    def entries(inputs: Inputs) -> int:
        shape: tuple[int, ...] = plain(inputs["probs"]).shape
        return math.prod(shape) * shape[-1]

    return Bench(
        sizes=(size(64, 128), size(64, 512)),
        moved_bytes=lambda inputs: (
            plain(inputs["probs"]).nbytes + entries(inputs) * plain(inputs["probs"]).itemsize
        ),
        operations=lambda inputs: entries(inputs) + plain(inputs["probs"]).size,
    )


def block_bench() -> Bench:
    """Rows in blocks of 256 columns, to set beside logsumexp of the whole."""

    def size(n: int, m: int) -> Size:
        def make(rng: Rng, dtype: str) -> Inputs:
            whole = rng.standard_normal((n, m), "float32")
            return blocks_of(*(cast(whole[:, i : i + 256], dtype) for i in range(0, m, 256)))

        return Size(f"{n} x {m}", make)

    def arrays(inputs: Inputs) -> list[np.ndarray]:
        return [plain(block) for block in inputs["blocks"].arrays]

    return Bench(
        sizes=(size(64, 1024), size(1024, 4096)),
        moved_bytes=lambda inputs: sum(block.nbytes for block in arrays(inputs)),
        operations=lambda inputs: 4 * sum(block.size for block in arrays(inputs)),
    )


def _probs_of(inputs: Inputs) -> Inputs:
    return {"probs": inputs["probs"]}
