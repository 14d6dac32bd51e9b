"""Rows of probabilities, easy and hard; one row or a pair of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.values import Value, cast
from llm_math_tests.checks.situations import Rng, case_name, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Case, Inputs, Refusal
from llm_math_tests.truths.softmax import probabilities

Make = Callable[[Rng], Inputs]


def spread_out(rng: Rng, shape: tuple[int, ...], axis: int = -1, spread: float = 1.0) -> np.ndarray:
    """Probabilities of one size, give or take, that sum to 1 along an axis."""
    return probabilities(extended(rng.normal(0, spread, shape)), axis).astype("float64")


def chances(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary probabilities of five outcomes."""
    return {"p": cast(spread_out(rng, (*batch, 5)), dtype)}


def pair(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Two ordinary distributions over five outcomes."""
    return {name: cast(spread_out(rng, (*batch, 5)), dtype) for name in ("p", "q")}


def sure(rng: Rng, dtype: str) -> Inputs:
    """One-hot rows of integers or booleans."""
    return {"p": np.eye(5)[rng.permutation(5)[:3]].astype(dtype)}


def sure_pair(rng: Rng, dtype: str) -> Inputs:
    """One-hot rows, of which two agree and one does not."""
    classes = rng.permutation(5)[:4]
    p, q = classes[[0, 1, 2]], classes[[0, 1, 3]]
    return {"p": np.eye(5)[p].astype(dtype), "q": np.eye(5)[q].astype(dtype)}


def along(axis: int, names: tuple[str, ...]) -> Case:
    """A chosen axis of arrays whose axes all have different sizes."""

    def make(rng: Rng) -> Inputs:
        arrays: Inputs = {name: spread_out(rng, (4, 3, 2), axis) for name in names}
        return {**arrays, "axis": axis}

    return Case(case_name("axis", axis), make, f"axis={axis}")


def axes(*names: str) -> tuple[Case, ...]:
    """Every axis of three."""
    return tuple(along(axis, names) for axis in (0, 1, -2, -3))


def rows(*names: str) -> Callable[[Rng, str, int, int], Inputs]:
    """A maker of ``n`` rows of ``m`` probabilities, for timing."""

    def make(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
        inputs: Inputs = {}
        for name in names:
            e = np.exp(rng.standard_normal((n, m), "float32"))
            e /= e.sum(axis=-1, keepdims=True)
            inputs[name] = cast(e, dtype)
        return inputs

    return make


def fixed(name: str, note: str, dtype: str = "float64", **arrays: object) -> Case:
    """The same numbers every time."""
    return Case(
        name, lambda rng: {key: cast(np.array(value), dtype) for key, value in arrays.items()}, note
    )


def long_rows(*names: str) -> tuple[Case, ...]:
    """Many outcomes, or just one."""

    def long(m: int, dtype: str, spread: float) -> Make:
        return lambda rng: {
            name: cast(spread_out(rng, (2, m), spread=spread), dtype) for name in names
        }

    return (
        Case("float32_20000", long(20_000, "float32", 1.0), "rows of 20000"),
        Case("float16_4000", long(4000, "float16", 0.3), "rows of 4000"),
        Case(
            "a_single_outcome", lambda rng: {name: np.ones((3, 1)) for name in names}, "rows of 1"
        ),
    )


def many_outcomes() -> tuple[Case, ...]:
    """A pair whose terms are all of one sign, and small beside what they add up to."""

    def beside(p: np.ndarray, q: np.ndarray) -> Make:
        return lambda rng: pair_of(p[None] * 2.0**-15, q[None] * 2.0**-16, "float16")

    first = np.arange(2**16) < 2**15
    note = "a row of 65536"
    return (Case("float16_65536", beside(first, np.ones(2**16)), note),)


def rounded(*names: str) -> tuple[Case, ...]:
    """Rows whose sums are off by no more than rounding of some kind leaves."""

    def off(by: float, dtype: str, m: int = 6) -> Make:
        def make(rng: Rng) -> Inputs:
            arrays = {}
            for name, sign in zip(names, (1, -0.5), strict=False):
                p = spread_out(rng, (3, m))
                arrays[name] = cast(p * (1 + sign * by), dtype)
            return arrays

        return make

    return (
        Case("float64", off(8e-4, "float64"), "sums that are off 1 by 8e-4"),
        Case("float32", off(8e-4, "float32"), "sums that are off 1 by 8e-4"),
        Case("float16", off(4e-3, "float16", 40), "sums that are off 1 by 4e-3"),
        Case(
            "bfloat16", off(3e-2, "bfloat16", 40), "sums that are off 1 by 0.03", tracks=("torch",)
        ),
    )


def bad_rows(sample: Callable[..., Inputs], *names: str) -> tuple[Refusal, ...]:
    """Rows that are no probabilities, and an axis that there is not."""

    def with_row(name: str, row: list[float]) -> Make:
        def make(rng: Rng) -> Inputs:
            inputs = sample(rng, "float64", (3,))
            inputs[name][1] = row
            return inputs

        return make

    def refusal(what: str, name: str, row: list[float], value: str) -> Refusal:
        return Refusal(f"{name}_{what}", with_row(name, row), name, value, looks_at_values=True)

    # Numbers that binary fractions hold, so that every sum of them is the same.
    negative = [-0.25, 0.5, 0.25, 0.25, 0.25]
    scores = [2.0, 0.5, 0.0, 0.0, 0.25]
    nearly = [0.5, 0.25, 0.125, 0.0625, 0.0546875]
    return (
        *(refusal("is_negative", name, negative, "-0.25") for name in names),
        *(refusal("does_not_sum_to_1", name, scores, "2.75") for name in names),
        *(refusal("sums_to_less", name, nearly, "0.9921875") for name in names[:1]),
        refused(sample, "axis", 2),
        refused(sample, "axis", -3),
    )


def other_shape(sample: Callable[..., Inputs], name: str, shape: tuple[int, ...]) -> Refusal:
    """The second array of another shape, which would broadcast."""

    def make(rng: Rng) -> Inputs:
        inputs = sample(rng, "float64", (3,))
        some: Value = inputs[name]
        return {**inputs, name: some[:1] if len(shape) == 2 else some[0]}

    return Refusal(f"{name}_of_another_shape", make, name, str(shape))


def pair_of(p: object, q: object, dtype: str = "float64") -> Inputs:
    """A pair of given rows."""
    return {"p": cast(np.array(p), dtype), "q": cast(np.array(q), dtype)}


def tiny_pairs() -> tuple[Case, ...]:
    """Probabilities of 1e-30 on either side."""
    return (
        fixed(
            "float32", "probabilities down to 1e-30", "float32",
            p=[[0.75, 0.25, 1e-30], [0.75, 0.25, 1e-30], [1.0, 1e-30, 1e-25]],
            q=[[0.5, 1e-30, 0.5], [0.5, 0.5, 1e-10], [1e-30, 1.0, 1e-30]],
        ),
        fixed(
            "float64", "probabilities down to 1e-200",
            p=[[0.75, 0.25, 1e-200], [1.0, 1e-200, 1e-150]],
            q=[[0.5, 1e-200, 0.5], [1e-200, 1.0, 1e-200]],
        ),
        fixed(
            "float16", "probabilities down to 1e-4", "float16",
            p=[[0.75, 0.25, 1e-4], [1e-4, 1e-4, 1.0]], q=[[0.5, 1e-4, 0.5], [1.0, 1e-4, 1e-4]],
        ),
    )  # fmt: skip


def nearly_equal_pairs() -> tuple[Case, ...]:
    """Two distributions that differ by next to nothing, or by nothing."""

    def nearby(by: float, dtype: str) -> Make:
        def make(rng: Rng) -> Inputs:
            p = spread_out(rng, (3, 6))
            q = p * (1 + rng.uniform(-by, by, p.shape))
            return pair_of(p, q / q.sum(axis=-1, keepdims=True), dtype)

        return make

    def equal(rng: Rng) -> Inputs:
        p = cast(spread_out(rng, (3, 6)), "float32")
        return {"p": p, "q": p.copy()}

    return (
        Case(
            "float64_nearby",
            nearby(1e-7, "float64"),
            "probabilities that differ by 1e-7 of themselves",
        ),
        Case(
            "float32_nearby",
            nearby(1e-3, "float32"),
            "probabilities that differ by 1e-3 of themselves",
        ),
        Case("equal", equal, "two equal distributions"),
    )


def zeros_in_p() -> tuple[Case, ...]:
    """Outcomes that p does not have."""
    return (
        fixed(
            "zeros_in_p", "probabilities of exactly 0",
            p=[[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]], q=[[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]],
        ),
        fixed(
            "zeros_in_both", "probabilities of exactly 0, in both at once", "float32",
            p=[[0.25, 0.0, 0.75], [0.0, 1.0, 0.0]], q=[[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]],
        ),
    )  # fmt: skip
