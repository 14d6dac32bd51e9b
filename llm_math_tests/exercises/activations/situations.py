"""What this topic's inputs look like, easy and hard."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import Value, cast
from llm_math_tests.checks.situations import Rng
from llm_math_tests.exercise import Case, Inputs, Refusal

ENDS = (-1e4, -800.0, -95.0, -30.0, -18.0, -9.0, 0.0, 9.0, 18.0, 30.0, 95.0, 800.0, 1e4)
"""Numbers at which one exponential or another over- or underflows."""


def numbers(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary pre-activations, on both sides of 0."""
    return {"x": cast(rng.normal(0, 2, (*batch, 5)), dtype)}


def upstream(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Pre-activations, and a gradient that arrives at what came of them."""
    return {
        "grad_output": cast(rng.normal(0, 1, (*batch, 5)), dtype),
        **numbers(rng, dtype, batch),
    }


def with_gradient(rng: Rng, x: Value, size: float = 1.0) -> Inputs:
    """Gradients of a given magnitude for chosen pre-activations."""
    return {"grad_output": cast(rng.choice([-size, size], x.shape), str(x.dtype)), "x": x}


def of(name: str, dtype: str, x: object, note: str = "") -> Case:
    """Chosen pre-activations."""
    return Case(name, lambda rng: {"x": cast(np.asarray(x), dtype)}, note)


def spread(name: str, size: float, dtype: str) -> Case:
    """Pre-activations of a given magnitude, both signs."""
    return Case(
        name, lambda rng: {"x": cast(rng.uniform(-size, size, (3, 6)), dtype)}, f"x up to {size:g}"
    )


LARGE = (
    spread("float32", 1e4, "float32"),
    spread("float64", 1e4, "float64"),
    spread("float16", 6e4, "float16"),
    spread("float32_up_to_30", 30.0, "float32"),
    of("float32_ends", "float32", ENDS, "x from -1e4 to 1e4"),
    of("float64_ends", "float64", ENDS, "x from -1e4 to 1e4"),
)

TINY = (
    spread("float32", 1e-30, "float32"),
    spread("float64", 1e-30, "float64"),
    spread("float32_around_1e_minus_4", 1e-4, "float32"),
    of("zero", "float64", [[0.0]], "a single 0"),
)

INFINITE = (of("float32", "float32", [-np.inf, 0, np.inf], "x of -inf, 0 and inf"),)

UNDEFINED = (
    of("float64", "float64", [1.0, np.nan, -2.0], "one number NaN"),
    of("float32", "float32", [[np.nan], [3.0]], "one number NaN"),
)


def _large_gradient(name: str, dtype: str, size: float, gradient: float) -> Case:
    def make(rng: Rng) -> Inputs:
        return with_gradient(rng, rng.uniform(-size, size, (3, 6)).astype(dtype), gradient)

    return Case(name, make, f"x up to {size:g}, gradients of {gradient:g}")


LARGE_BACKWARD = (
    _large_gradient("float32", "float32", 1e4, 1.0),
    _large_gradient("float64", "float64", 1e4, 1e4),
    _large_gradient("float16", "float16", 6e4, 1.0),
    _large_gradient("float32_up_to_30", "float32", 30.0, 1e4),
    Case(
        "float32_ends",
        lambda rng: with_gradient(rng, np.array(ENDS, np.float32)),
        "x from -1e4 to 1e4",
    ),
    Case(
        "float64_ends",
        lambda rng: with_gradient(rng, np.array(ENDS, np.float64)),
        "x from -1e4 to 1e4",
    ),
)

TINY_BACKWARD = (
    Case(
        "float32",
        lambda rng: with_gradient(rng, cast(rng.normal(0, 2, (3, 6)), "float32"), 1e-30),
        "gradients of 1e-30",
    ),
    Case(
        "tiny_x",
        lambda rng: with_gradient(rng, cast(rng.uniform(-1e-30, 1e-30, (3, 6)), "float32")),
        "x up to 1e-30",
    ),
    Case("zero", lambda rng: with_gradient(rng, np.zeros((1, 1))), "a single 0"),
)


def other_shape() -> Refusal:
    """A gradient that would broadcast to the shape of x."""

    def make(rng: Rng) -> Inputs:
        inputs = upstream(rng, "float64", (3,))
        return {**inputs, "grad_output": inputs["grad_output"][:1]}

    return Refusal("other_shape", make, "grad_output", "(1, 5)")


def rows(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
    """``n`` rows of ``m`` pre-activations, for a benchmark."""
    return {"x": cast(rng.standard_normal((n, m), "float32"), dtype)}


def backward_rows(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
    """The same with gradients."""
    return {
        "grad_output": cast(rng.standard_normal((n, m), "float32"), dtype),
        **rows(rng, dtype, n, m),
    }
