"""What two_layer_forward and two_layer_backward share: the cache between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, cast, spelled
from llm_math_tests.checks.contract import each_array, read_only, strided, transposed
from llm_math_tests.checks.promises import expect_truth, result_dtype
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.exercise import Case, Inputs
from llm_math_tests.truths import backprop as truth

FORWARD = "two_layer_forward"

_LAYOUTS: dict[str, Callable[[Value], Value]] = {
    "strided": strided,
    "transposed": transposed,
    "read_only": read_only,
}
"""A cache is laid out anew where the case lays out the inputs: it is an input, too."""


def y_of(value: Value) -> Value:
    """The y of ``(y, cache)``."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Wrong("a tuple (y, cache)", spelled(value))
    return value[0]


def with_own_cache(answer: Answer, inputs: Inputs) -> Inputs:
    """``grad_y``, and the cache that the same person's forward makes of the other inputs.

    Where that forward cannot be had, or is wrong, nothing can be said of the backward.
    """
    forward = answer.others[FORWARD]
    point = {name: inputs[name] for name in ("x", "w1", "w2")}
    try:
        value = forward(point)
        y = y_of(value)
        right = truth.two_layer_forward(**point)
        expect_truth(forward, y, right, result_dtype(point, answer.track))
    except AnswerEnded as end:
        raise NotRun(f"needs {FORWARD}, which ended: {end.reply.problem}") from None
    except Wrong as wrong:
        raise NotRun(f"needs {FORWARD}, which is wrong here: {wrong}") from None
    change = _LAYOUTS.get(answer.case.name)
    cache = value[1] if change is None else each_array(change, value[1])
    return {"grad_y": inputs["grad_y"], "cache": cache}


def at_zero(rng: Rng) -> Inputs:
    """Whole numbers, and every hidden number of one row exactly 0."""
    x = np.array([[1.0, 1, 2, 0], [2, 1, 0, 1], [0, 1, 1, 1]])
    w1 = np.array([[1.0, 2, -1, 0, 1], [-1, 0, -1, 2, 1], [0, -1, 1, -1, -1], [1, 1, 0, 2, -2]])
    w2 = rng.choice([-2.0, -1.0, 1.0, 2.0], (5, 3))
    return {"grad_y": rng.choice([-3.0, 1.0, 2.0], (3, 3)), "x": x, "w1": w1, "w2": w2}


def all_shut(rng: Rng) -> Inputs:
    """Every hidden number below 0."""
    return {
        "grad_y": rng.normal(0, 1, (3, 3)),
        "x": rng.uniform(0.5, 1, (3, 4)),
        "w1": -rng.uniform(0.5, 1, (4, 5)),
        "w2": rng.normal(0, 1, (5, 3)),
    }


def beyond_float16(rng: Rng) -> Inputs:
    """Hidden numbers around 2e5, three times what float16 holds; results that it holds."""
    return {
        "grad_y": cast(rng.choice([-1e-3, 1e-3], (3, 3)), "float16"),
        "x": cast(rng.uniform(200, 250, (3, 4)), "float16"),
        "w1": cast(rng.uniform(200, 250, (4, 5)) * [1, -1, 1, -1, 1], "float16"),
        "w2": cast(rng.uniform(0.005, 0.01, (5, 3)), "float16"),
    }


def cancelling(rng: Rng) -> Inputs:
    """Partial sums of 1.2e5 on the way to 6e4."""
    return {
        "grad_y": cast([[6e4, 6e4, -6e4]], "float16"),
        "x": cast([[0.5, 0.25]], "float16"),
        "w1": cast(rng.uniform(0.02, 0.1, (2, 4)), "float16"),
        "w2": cast(np.ones((4, 3)), "float16"),
    }


def long_rows(rows: int, dtype: str) -> Case:
    """Many rows, half of the units open, and no hidden number near 0."""

    def make(rng: Rng) -> Inputs:
        return {
            "grad_y": cast(rng.uniform(0, 0.01, (rows, 2)), dtype),
            "x": cast(rng.uniform(0.5, 1, (rows, 2)), dtype),
            "w1": cast(rng.uniform(0.5, 1, (2, 4)) * [1, -1, 1, -1], dtype),
            "w2": cast(rng.uniform(0.5, 1, (4, 2)), dtype),
        }

    return Case(f"{dtype}_{rows}", make, f"{rows} rows")


def wide_layer(width: int, dtype: str) -> Case:
    """A wide hidden layer: the sums are over its units."""

    def make(rng: Rng) -> Inputs:
        return {
            "grad_y": cast(rng.uniform(0, 0.01, (2, 2)), dtype),
            "x": cast(rng.uniform(0.5, 1, (2, 2)), dtype),
            "w1": cast(rng.uniform(0.5, 1, (2, width)), dtype),
            "w2": cast(rng.uniform(0, 0.01, (width, 2)), dtype),
        }

    return Case(f"{dtype}_{width}_units", make, f"{width} hidden units")


def forward_only(case: Case) -> Case:
    """The same situation without the gradient of y."""

    def make(rng: Rng) -> Inputs:
        return {name: value for name, value in case.make(rng).items() if name != "grad_y"}

    return Case(case.name, make, case.note, case.tracks)
