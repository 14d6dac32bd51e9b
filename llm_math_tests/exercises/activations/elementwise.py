"""What is promised of every activation, and of every activation's backward function.

An activation takes each number for itself: so all of them are asked the same things, and an
entry says only what is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.compare import expect_array, expect_close
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    TruthOf,
    expect_arrived,
    expect_same,
    expect_truth,
    gradient_flows,
    gradient_matches,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Yardstick
from llm_math_tests.exercises.activations.situations import (
    ENDS,
    INFINITE,
    LARGE,
    LARGE_BACKWARD,
    TINY,
    TINY_BACKWARD,
    UNDEFINED,
    backward_rows,
    numbers,
    of,
    other_shape,
    rows,
    upstream,
)
from llm_math_tests.exercises.benches import matrix_bench

NAN_REPLACED = Mistake(
    "nan_replaced",
    "replaced NaN by 0, which hides that something went wrong before",
    edit=habits.around("return every(np.nan_to_num, right(*args, **kwargs))"),
)

SMALL_CUT = Mistake(
    "small_cut",
    "treated tiny numbers as 0",
    edit=habits.around("""
        def cut(a):
            return np.where(abs(a) < 1e-10, 0, a).astype(a.dtype)
        return every(cut, right(*args, **kwargs))
    """),
)

Yardsticks = Mapping[str, Yardstick]

Mirror = tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]
"""What the value at x must be for the value at -x: in words, and from that value and x."""

GATED: Mirror = ("f(x) is f(-x) + x: the gates of x and -x share it", lambda other, x: other + x)
ODD: Mirror = ("f(-x) is -f(x)", lambda other, x: -other)
SHARED: Mirror = ("f(x) and f(-x) sum to 1", lambda other, x: 1 - other)


def forward(
    name: str,
    formula: str,
    truth: TruthOf,
    *,
    hints: tuple[str, ...],
    mistakes: tuple[Mistake, ...],
    slope: TruthOf | None,
    mirror: Mirror,
    operations: int,
    yardsticks: Yardsticks,
    compositions: Yardsticks | None = None,
    more: Sequence[Check] = (),
    tiny: TruthOf | None = None,
    infinite: bool = False,
    not_broken_by: tuple[str, ...] = (),
) -> Exercise:
    """An activation; ``slope`` is its backward function's truth, None where it has a kink.

    ``tiny`` is the truth for tiny numbers, None where tiny numbers are nothing special;
    ``infinite`` whether infinities are asked for as well.
    """
    checks = [
        values("matches_the_formula", "core", formula, truth, ordinary(numbers), points=2),
        mirrors(mirror),
        gradient_flows(truth, ordinary(numbers), ["x"]),
        values("survives_large_numbers", "stable", "large numbers do no harm", truth, LARGE),
    ]
    if slope is not None:
        checks.append(gradient_survives(truth, slope))
    if tiny is not None:
        promise = "tiny numbers keep their digits"
        small = values("keeps_tiny_numbers", "stable", promise, tiny, TINY)
        checks.append(replace(small, broken_by=(SMALL_CUT,)))
    if infinite:
        promise = "infinite numbers give the limit"
        checks.append(values("handles_infinity", "stable", promise, truth, INFINITE))
    undefined = values("keeps_nan", "stable", "NaN stays NaN", truth, UNDEFINED)
    checks.append(replace(undefined, broken_by=(NAN_REPLACED,)))
    return Exercise(
        name=name,
        topic="activations",
        signature=f"{name}(x)",
        checks=(*checks, *more, *contract(numbers, truth)),
        scaled=("x",),
        hints=hints,
        mistakes=mistakes,
        bench=matrix_bench(rows, 2, operations, yardsticks, compositions=compositions),
        not_broken_by=not_broken_by,
    )


def backward(
    name: str,
    formula: str,
    truth: TruthOf,
    forward_truth: TruthOf,
    *,
    hints: tuple[str, ...],
    mistakes: tuple[Mistake, ...],
    operations: int,
    yardsticks: Yardsticks,
    through: Sequence[str] = ("grad_output", "x"),
    more: Sequence[Check] = (),
) -> Exercise:
    """An activation's backward function, of the incoming gradient and the pre-activation."""
    small = values(
        "keeps_tiny_gradients", "stable", "tiny gradients are not lost", truth, TINY_BACKWARD
    )
    checks = (
        values("matches_the_formula", "core", formula, truth, ordinary(upstream), points=2),
        gradient_matches(forward_truth, _at, ["x"], ordinary(upstream)),
        gradient_flows(truth, ordinary(upstream), through),
        values(
            "survives_large_numbers", "stable", "far out the derivative is its limit, never NaN",
            truth, LARGE_BACKWARD,
        ),
        replace(small, broken_by=(SMALL_CUT,)),
        *more,
        *contract(upstream, truth, refusals=(other_shape(),)),
    )  # fmt: skip
    return Exercise(
        name=name,
        topic="activations",
        signature=f"{name}(grad_output, x)",
        checks=checks,
        scaled=("x",),
        hints=hints,
        mistakes=mistakes,
        bench=matrix_bench(backward_rows, 3, operations, yardsticks),
    )


def _at(inputs: Inputs) -> tuple[Inputs, Any]:
    return {"x": inputs["x"]}, inputs["grad_output"]


def mirrors(mirror: Mirror) -> Check:
    """The two sides of 0 belong together."""
    promise, wanted = mirror

    def run(answer: Answer, inputs: Inputs) -> None:
        x = inputs["x"]
        got, other = answer(inputs), answer({"x": -x})
        right = wanted(extended(expect_array(other, answer.track)), extended(x))
        expect_same(answer, got, right, 1 + np.abs(x), "1 + |x|")

    return Check("mirrors", "core", promise, run, ordinary(numbers))


def autograd_gives(
    name: str, promise: str, truth: TruthOf, slope: TruthOf, cases: tuple[Case, ...]
) -> Check:
    """Autograd's gradient where central differences are of no use (torch only)."""

    def run(answer: Answer, inputs: Inputs) -> None:
        dtype = result_dtype(inputs, answer.track)
        cotangent = np.linspace(0.5, 1.5, plain(inputs["x"]).size).astype(dtype)
        cotangent = cotangent.reshape(plain(inputs["x"]).shape)
        got, grads = answer.vjp(inputs, [cotangent])
        expect_truth(answer, got, truth(**inputs), dtype)
        expect_arrived(grads["x"], "x")
        wanted = slope(cotangent, **inputs)
        expect_close(grads["x"], wanted, dtype, answer.track, "the gradient with respect to x")

    return Check(
        name, "stable", promise, run, cases, tracks=("torch",), broken_by=(habits.GRAPH_CUT,)
    )


def gradient_survives(truth: TruthOf, slope: TruthOf) -> Check:
    """Right at 0, where ``abs`` has a kink, and far out, where exp overflows."""
    return autograd_gives(
        "gradient_survives",
        "autograd's gradient is right at 0 and far out as well",
        truth,
        slope,
        (
            of("zero", "float32", [0.0], "x exactly 0"),
            of("float32_ends", "float32", ENDS, "x from -1e4 to 1e4"),
            of("float64_ends", "float64", ENDS, "x from -1e4 to 1e4"),
        ),
    )


def wrote(name: str, sentence: str, expression: str) -> Mistake:
    """A mistake that is another formula, in the dtype that is due; bad arguments are refused.

    In it ``x`` (and ``g``, in a backward function) are floating arrays, float16 widened, and
    some have names already: ``s`` for sigmoid(x), ``below`` and ``density`` for Phi and phi,
    ``root`` for sqrt(2 / pi), ``wanted`` for the right result.
    """
    body = f"""
        wanted = right(*args, **kwargs)
        *g, x = [_widened(_as_float(a)) for a in args]
        g = g[0] if g else None
        root = math.sqrt(2 / math.pi)
        with np.errstate(all="ignore"):
            s = _sigmoid(x)
            below = np.where(x > 0, 1 - _upper_tail(x), _upper_tail(x))
            density = root / 2 * np.exp(-x * x / 2)
            return np.asarray({expression}).astype(wanted.dtype)
    """
    return Mistake(name, sentence, edit=habits.around(body))
