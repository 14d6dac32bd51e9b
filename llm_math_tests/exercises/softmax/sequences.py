"""Sequences in blocks, where arithmetic is hard."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import cast
from llm_math_tests.checks.situations import Rng
from llm_math_tests.exercise import Case, Inputs
from llm_math_tests.exercises.softmax.situations import blocks_of, in_blocks


def steps(name: str, by: float, dtype: str, note: str) -> Case:
    """Blocks that each lie ``by`` above the last."""

    def make(rng: Rng) -> Inputs:
        return blocks_of(*(cast(rng.normal(by * i, 2, (2, 3)), dtype) for i in range(4)))

    return Case(name, make, note)


def spread_blocks(name: str, size: float, dtype: str) -> Case:
    """Four blocks of numbers of a given magnitude, both signs."""

    def make(rng: Rng) -> Inputs:
        return blocks_of(*(cast(rng.uniform(-size, size, (2, 3)), dtype) for _ in range(4)))

    return Case(name, make, f"numbers up to {size:g}")


def far(rng: Rng) -> Inputs:
    """Two rows far from 0, on either side."""
    middle = np.array([[-1e4], [1e4]])
    return blocks_of(*(middle + rng.normal(0, 2, (2, 3)) for _ in range(3)))


def one_rises(rng: Rng) -> Inputs:
    """A row that rises by 1000 a block, and one that rises by 3."""
    levels = ((-3000, 0), (-2000, 3), (-1000, 6), (0, 9))
    return blocks_of(
        *(rng.normal(0, 2, (2, 3)) + np.array(level, float)[:, None] for level in levels)
    )


def infinities() -> tuple[Case, ...]:
    """Blocks with nothing in them, and blocks with everything."""
    nothing = np.full((2, 3), -np.inf)

    def first(rng: Rng) -> Inputs:
        return blocks_of(nothing, nothing, rng.normal(0, 2, (2, 4)))

    def between(rng: Rng) -> Inputs:
        return blocks_of(rng.normal(0, 2, (2, 4)), nothing, rng.normal(0, 2, (2, 1)))

    def plus(rng: Rng) -> Inputs:
        inputs = in_blocks(rng, "float64", (3,))
        inputs["blocks"].arrays[0][0, 1] = inputs["blocks"].arrays[2][1, 0] = np.inf
        return inputs

    return (
        Case("minus_infinity_first", first, "two blocks of -inf first"),
        Case("minus_infinity_between", between, "a block of -inf in the middle"),
        Case("all_minus_infinity", lambda rng: blocks_of(nothing, nothing), "all -inf"),
        Case("plus_infinity", plus, "+inf in the first block and in the last"),
    )


def many(rng: Rng) -> Inputs:
    """More blocks than anybody would concatenate."""
    return blocks_of(*(cast(rng.normal(0, 1, (2, 16)), "float32") for _ in range(100)))


def beyond_float16(rng: Rng) -> Inputs:
    """More terms near 1 than float16 can count to, which is 65504."""
    return blocks_of(*(cast(rng.uniform(-0.01, 0, (1, 7000)), "float16") for _ in range(10)))


def beyond_bfloat16(rng: Rng) -> Inputs:
    """More blocks than bfloat16 can count: 256 and 1 are 256 again."""
    return blocks_of(*(cast(rng.uniform(-0.01, 0, (1, 1)), "bfloat16") for _ in range(1000)))


def long_then_short(rng: Rng) -> Inputs:
    """Blocks of very unequal width."""
    return blocks_of(rng.normal(0, 2, (3, 40)), rng.normal(0, 2, (3, 1)))
