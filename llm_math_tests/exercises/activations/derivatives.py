"""Derivatives of activations as functions that an answer is handed."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import Given, Value, cast, dtype_name, plain
from llm_math_tests.checks.promises import FLOATS
from llm_math_tests.checks.truth import extended
from llm_math_tests.truths import activations as truth


def like(value: np.ndarray, x: Value) -> Value:
    """Numbers in the dtype of x, or the widest of the plain ones."""
    dtype = dtype_name(x)
    known = dtype in FLOATS or plain(x).dtype.kind == "f"
    return cast(value, dtype if known else "float64")


def of_sigmoid() -> Given:
    """The sigmoid's derivative, which autograd can go through."""

    def slope(x: Value) -> Value:
        return like(truth.logistic_slope(extended(x)), x)

    def moved(x: Value, by: Value) -> Value:
        z = extended(x)
        change = truth.logistic_slope(z) * (1 - 2 * truth.logistic(z))
        return like(extended(by) * change, x)

    return Given.differentiable(
        "derivative", slope, lambda gradient, x: moved(x, gradient), lambda x, v: moved(x, v)
    )


def of_relu() -> Given:
    """Relu's derivative: 0 or 1."""
    return Given("derivative", lambda x: like((extended(x) > 0) * 1.0, x))


def everywhere(value: float) -> Given:
    """A derivative that is the same at every number."""
    return Given("derivative", lambda x: like(np.full(plain(x).shape, value), x))
