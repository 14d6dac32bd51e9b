"""Cases that many exercises share: ordinary input, chosen axes, rows of a benchmark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.values import Value, cast
from llm_math_tests.exercise import Case, Inputs, Refusal

Rng = np.random.Generator
Sample = Callable[..., Inputs]
"""``sample(rng, dtype="float64", batch=())``: ordinary inputs with leading batch axes."""


def ordinary(sample: Sample, *more: Case) -> tuple[Case, ...]:
    """Ordinary input in both everyday dtypes, and further cases."""
    return (
        Case("float64", lambda rng: sample(rng, "float64", (3,))),
        Case("float32", lambda rng: sample(rng, "float32", (3,))),
        *more,
    )


def normal(
    name: str,
    shape: tuple[int, ...],
    *,
    mean: float = 0.0,
    spread: float = 2.0,
    dtype: str = "float64",
) -> Callable[[Rng], Inputs]:
    """A maker of one normally distributed array argument."""
    return lambda rng: {name: cast(rng.normal(mean, spread, shape), dtype)}


def changed(sample: Sample, **arguments: Value) -> Callable[[Rng], Inputs]:
    """A maker of ordinary inputs with some arguments given."""
    return lambda rng: {**sample(rng, "float64", (3,)), **arguments}


def given(sample: Sample, argument: str, value: Value) -> Case:
    """Ordinary inputs with one argument given: ``temperature=0.5``."""
    return Case(case_name(argument, value), changed(sample, **{argument: value}))


def refused(sample: Sample, argument: str, value: Value) -> Refusal:
    """Ordinary inputs with one bad scalar argument."""
    return Refusal(
        case_name(argument, value), changed(sample, **{argument: value}), argument, str(value)
    )


def misshapen(
    sample: Sample, argument: str, shape: tuple[int, ...], name: str = ""
) -> Refusal:  # fmt: skip
    """Ordinary inputs with one argument of a wrong shape, which the message must show."""
    return Refusal(
        name or f"{argument}_of_shape_{'_'.join(map(str, shape)) or 'nothing'}",
        lambda rng: {**sample(rng, "float64", (3,)), argument: rng.normal(0, 1, shape)},
        argument,
        str(shape),
    )


def case_name(argument: str, value: Value) -> str:
    """``axis_minus_2``: a name that ``-k`` can select."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{argument}_{text}".replace("-", "minus_")
