"""Promises that many exercises share: written once, for every exercise and track.

Each function makes one :class:`Check`. Topic modules add the promises that are
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import (
    Value,
    arrays_in,
    dtype_name,
    is_array,
    plain,
    spelled,
)
from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.truth import Truth, difference_vjp, eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs, Level

TruthOf = Callable[..., Any]
"""Takes an exercise's inputs, gives one :class:`Truth` or a tuple of them."""

Sample = Callable[..., Inputs]
"""``sample(rng, dtype="float64", batch=())``: ordinary inputs with leading batch axes."""

FLOATS = ("float64", "float32", "float16", "bfloat16")
"""The floating dtypes that an array can have."""

DEFAULT_FLOAT = {"numpy": "float64", "cupy": "float64", "torch": "float32"}
"""What integers become in a floating function."""


def result_dtype(inputs: Inputs, track: str) -> str:
    """The dtype that the contract asks of a floating result: that of the first array."""
    dtypes = [dtype_name(array) for array in arrays_in(held(inputs))]
    floating = [dtype for dtype in dtypes if dtype in FLOATS]
    return floating[0] if floating else DEFAULT_FLOAT[track]


def held(inputs: Inputs) -> list[Value]:
    """The inputs' values, with what an iterator holds."""
    return [getattr(value, "arrays", value) for value in inputs.values()]


def expect_truth(
    answer: Answer, got: Value, truth: Any, dtype: str, names: Sequence[str] = ()
) -> None:
    """One result, or a tuple of them, close to the truth."""
    if not isinstance(truth, tuple):
        expect_close(got, truth, dtype, answer.track)
        return
    if not isinstance(got, (tuple, list)) or len(got) != len(truth):
        raise Wrong(f"a tuple of {len(truth)} arrays", spelled(got))
    for i, (one, true) in enumerate(zip(got, truth, strict=True)):
        expect_close(one, true, dtype, answer.track, names[i] if names else f"result {i}")


def values(
    name: str,
    level: Level,
    promise: str,
    truth: TruthOf,
    cases: Sequence[Case],
    *,
    points: int = 1,
    names: Sequence[str] = (),
) -> Check:
    """The answer's values are the formula's, within the derived tolerance."""

    def run(answer: Answer, inputs: Inputs) -> None:
        got = answer(inputs)
        expect_truth(answer, got, truth(**inputs), result_dtype(inputs, answer.track), names)

    return Check(name, level, promise, run, tuple(cases), points, truth=truth)


def gradient_flows(
    truth: TruthOf, cases: Sequence[Case], through: Sequence[str], *, points: int = 2
) -> Check:
    """Autograd through the answer gives the formula's gradient (torch only).

    Random cotangents: the sum of a softmax has gradient zero, so ``.sum()`` sees nothing.
    """

    def run(answer: Answer, inputs: Inputs) -> None:
        wanted = truth(**inputs)
        outputs = wanted if isinstance(wanted, tuple) else (wanted,)
        dtype = result_dtype(inputs, answer.track)
        rng = np.random.default_rng(len(outputs))
        cotangents = [
            rng.uniform(0.5, 1.5, t.value.shape).astype(dtype) * rng.choice([-1, 1], t.value.shape)
            for t in outputs
        ]
        cotangents = [np.asarray(c, dtype) for c in cotangents]
        got, grads = answer.vjp(inputs, cotangents)
        expect_truth(answer, got, wanted, dtype)
        for name in through:
            expected = difference_vjp(truth, inputs, name, cotangents)
            expect_arrived(grads[name], name)
            expect_gradient(answer, grads[name], expected, cotangents, dtype, name)

    return Check(
        "gradient_flows", "core", "autograd through the answer gives the gradient",
        run, tuple(cases), points, tracks=("torch",), broken_by=(habits.GRAPH_CUT,),
    )  # fmt: skip


def expect_arrived(gradient: Value, name: str) -> None:
    """Autograd found its way to the argument."""
    if gradient is None:
        raise Wrong(
            f"a gradient with respect to {name}",
            "none: autograd does not know where the result came from",
            did=habits.GRAPH_CUT,
        )


def expect_gradient(
    answer: Answer,
    got: Value,
    expected: np.ndarray,
    cotangents: Sequence[Value],
    dtype: str,
    name: str,
) -> None:
    """A gradient close to central differences of the truth."""
    biggest = max((float(np.abs(plain(c)).max(initial=0)) for c in cotangents), default=0.0)
    scale = float(np.abs(expected).max(initial=0)) + biggest
    # Differences in extended precision are good to about 1e-10 (1e-8 where that is float64).
    steps = 64 + 1e-7 / eps(dtype)
    truth = Truth(
        expected, np.full(expected.shape, scale), steps=steps,
        relative_to="the largest gradient, plus 1e-7 for central differences",
    )  # fmt: skip
    expect_close(got, truth, dtype, answer.track, f"the gradient with respect to {name}")


def gradient_matches(
    forward: TruthOf,
    at: Callable[[Inputs], tuple[Inputs, Value]],
    results: Sequence[str],
    cases: Sequence[Case],
    *,
    points: int = 2,
) -> Check:
    """A backward function agrees with central differences of its forward's truth.

    ``at(inputs)`` gives the forward's inputs and the weights of its output for a
    call of the backward; ``results`` names the forward's argument that each
    result is the gradient of.
    """

    def run(answer: Answer, inputs: Inputs) -> None:
        point, cotangent = at(inputs)
        got = answer(inputs)
        if len(results) == 1:
            got = (got,)
        elif not isinstance(got, (tuple, list)) or len(got) != len(results):
            raise Wrong(f"a tuple of {len(results)} gradients", spelled(got))
        dtype = result_dtype(inputs, answer.track)
        for name, one in zip(results, got, strict=True):
            expected = difference_vjp(forward, point, name, [cotangent])
            expect_gradient(answer, one, expected, [cotangent], dtype, name)

    return Check(
        "gradient_matches", "core", "the gradient agrees with central differences",
        run, tuple(cases), points,
    )  # fmt: skip


def beside_the_usual(
    name: str,
    level: Level,
    promise: str,
    truth: TruthOf,
    usual: Callable[[Inputs], Inputs],
    cases: Sequence[Case],
) -> Check:
    """Values where something is strange, after the same call without it.

    NaN alone says little; with the usual call beside it, a mistake has a face.
    """

    def run(answer: Answer, inputs: Inputs) -> None:
        for asked in (usual(inputs), inputs):
            got = answer(asked)
            expect_truth(answer, got, truth(**asked), result_dtype(asked, answer.track))

    return Check(name, level, promise, run, tuple(cases))


_MOST_RELATED = 4000
"""Numbers in a result that a relation takes: its own inputs are small."""


def relation(
    name: str,
    promise: str,
    needs: Sequence[str],
    holds: Callable[..., None],
    cases: Sequence[Case],
) -> Check:
    """What ties the answers to several exercises together, checked on one person's own.

    ``holds(answer, inputs, *others)`` raises :class:`Wrong`; ``others`` are the answers
    to ``needs``. Where one of them is not started, ends in an error or is wrong by
    itself, the engine does not run the relation. It carries no points: one exercise's
    grade must not hang on another's.
    """

    def run(answer: Answer, inputs: Inputs) -> None:
        others = [answer.others[other] for other in needs]
        for one in (answer, *others):
            one.most_numbers = _MOST_RELATED
        try:
            holds(answer, inputs, *others)
        except Wrong as wrong:
            tied = " and ".join((answer.exercise.name, *needs))
            wrong.note = wrong.note or f"{tied} do not agree: one of them, at least, is wrong"
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as misfit:
            raise Wrong(promise, f"results that do not fit together: {misfit}") from None
        finally:
            for one in (answer, *others):
                one.most_numbers = None

    return Check(name, "core", promise, run, tuple(cases), points=0, needs=tuple(needs))


def expect_same(
    answer: Answer, got: Value, wanted: Value, scale: Any, what: str, *, terms: int = 1
) -> None:
    """Two sides of a relation, equal up to the rounding of both."""
    right = extended(wanted)
    dtype = dtype_name(got) if is_array(got) else "float64"
    truth = Truth(right, np.broadcast_to(np.asarray(scale), right.shape), 32.0, terms, what)
    expect_close(got, truth, dtype, answer.track)
