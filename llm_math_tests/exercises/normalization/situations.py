"""What this topic's inputs look like, easy and hard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.values import Value, cast
from llm_math_tests.checks.situations import Rng, Sample, refused
from llm_math_tests.exercise import Case, Inputs, Refusal

N = 5
Rows = Callable[[Rng, tuple[int, ...]], np.ndarray]
"""``rows(rng, shape)``: numbers of a shape."""


def ordinary_rows(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of ordinary size, whose mean is not 0."""
    return rng.normal(0.5, 2, shape)


def of_rows(
    rng: Rng, dtype: str, shape: tuple[int, ...], rows: Rows = ordinary_rows
) -> dict[str, Value]:
    """Rows, with a scale and a shift for each column."""
    return {
        "x": cast(rows(rng, shape), dtype),
        "weight": cast(rng.uniform(0.5, 1.5, shape[-1:]) * rng.choice([-1, 1], shape[-1:]), dtype),
        "bias": cast(rng.normal(0, 1, shape[-1:]), dtype),
    }


def make_sample(
    *arguments: str, gradient: bool = False, also: Callable[[], Inputs] | None = None
) -> Sample:
    """A maker of ordinary inputs with these arguments besides x; ``also`` makes more."""
    make = make_rows(*arguments, gradient=gradient, also=also)

    def sample(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
        return make(rng, dtype, (*batch, N))

    return sample


def make_rows(
    *arguments: str,
    gradient: bool = False,
    size: float = 1.0,
    also: Callable[[], Inputs] | None = None,
) -> Callable[..., Inputs]:
    """A maker of inputs of any shape and with any rows; the gradient has a given size."""

    def make(rng: Rng, dtype: str, shape: tuple[int, ...], rows: Rows = ordinary_rows) -> Inputs:
        found = of_rows(rng, dtype, shape, rows)
        inputs: Inputs = {}
        if gradient:
            inputs["grad_output"] = cast(rng.normal(0, size, shape), dtype)
        inputs["x"] = found["x"]
        extra = also() if also is not None else {}
        return inputs | {name: extra.get(name, found.get(name)) for name in arguments}

    return make


def _case(
    name: str, make: Callable[..., Inputs], dtype: str, shape: tuple[int, ...], rows: Rows,
    note: str, **given: Value,
) -> Case:  # fmt: skip
    return Case(name, lambda rng: {**make(rng, dtype, shape, rows), **given}, note)


def up_to(size: float) -> Rows:
    """Numbers of both signs up to a size."""
    return lambda rng, shape: rng.uniform(-size, size, shape)


def around(offset: float, spread: float = 1.0) -> Rows:
    """Numbers that are all near an offset."""
    return lambda rng, shape: rng.normal(offset, spread, shape)


def constant(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """In each row, one number again and again; its sum is exact."""
    level = rng.integers(-8, 9, (*shape[:-1], 1)) / 4
    return np.broadcast_to(level, shape).copy()


def shapes(make: Callable[..., Inputs]) -> tuple[Case, ...]:
    """One row and several axes of them, all of different sizes."""
    return (
        _case("one_row", make, "float64", (4,), ordinary_rows, "one row of 4"),
        _case("three_axes", make, "float64", (2, 4, 3), ordinary_rows, "shape (2, 4, 3)"),
    )


def offsets(make: Callable[..., Inputs]) -> tuple[Case, ...]:
    """Ordinary deviations around a mean that is much larger."""
    return (
        _case("float32_1e4", make, "float32", (3, 8), around(1e4), "numbers around 1e4"),
        _case("float32_minus_1e4", make, "float32", (3, 8), around(-1e4), "numbers around -1e4"),
        _case("float32_300", make, "float32", (3, 8), around(300.0, 0.5), "numbers around 300"),
        _case(
            "float64_1e4", make, "float64", (3, 8), around(1e4, 1e-4), "1e4, give or take 1e-4"
        ),
    )  # fmt: skip


def large(make: Callable[..., Inputs]) -> tuple[Case, ...]:
    """Numbers whose squares, or sums, are more than their dtype holds."""
    return (
        _case("float32", make, "float32", (3, 6), up_to(1e4), "numbers up to 1e4"),
        _case("float16", make, "float16", (3, 6), up_to(6e4), "numbers up to 6e4"),
        _case(
            "float16_one_sign", make, "float16", (3, 6),
            lambda rng, shape: rng.uniform(2e4, 6e4, shape), "numbers from 2e4 to 6e4",
        ),
    )  # fmt: skip


def tiny(make: Callable[..., Inputs]) -> tuple[Case, ...]:
    """Numbers whose squares vanish beside eps, or altogether."""
    return (
        _case("tiny_float32", make, "float32", (3, 6), up_to(1e-30), "numbers up to 1e-30"),
        _case("tiny_float64", make, "float64", (3, 6), up_to(1e-30), "numbers up to 1e-30"),
        _case("near_eps", make, "float32", (3, 6), up_to(3e-3), "numbers up to 3e-3"),
        _case("zeros", make, "float32", (2, 6), up_to(0.0), "rows of zeros"),
    )


def rows_of_one_number(make: Callable[..., Inputs]) -> tuple[Case, ...]:
    """No deviation at all: what is left is 0, not 0 / 0."""
    return (
        _case("constant", make, "float64", (4, 8), constant, "rows of equal numbers"),
        _case("constant_float32", make, "float32", (4, 8), constant, "rows of equal numbers"),
        _case("a_single_column", make, "float64", (3, 1), ordinary_rows, "rows of 1"),
    )


def long_rows(make: Callable[..., Inputs]) -> tuple[Case, ...]:
    """Many numbers to sum."""
    return (
        _case("float32_20000", make, "float32", (2, 20_000), ordinary_rows, "rows of 20000"),
        _case("float16_4000", make, "float16", (2, 4000), around(40.0, 8.0), "rows of 4000"),
    )


def many_rows(make: Callable[..., Inputs]) -> tuple[Case, ...]:
    """Many rows whose gradients add up."""
    return (
        _case("float32_5000", make, "float32", (5000, 4), ordinary_rows, "5000 rows"),
        _case("float16_3000", make, "float16", (3000, 4), ordinary_rows, "3000 rows"),
    )


WRONG_WIDTHS = ((N + 1,), (1,), (3, N))
"""Too wide, and two that would broadcast."""


def bad_eps(sample: Sample) -> Refusal:
    """A negative eps."""
    return refused(sample, "eps", -1.0)
