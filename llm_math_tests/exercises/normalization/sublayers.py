"""Sublayers that the blocks are handed, and what is promised of how they are called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Given, Value, cast, dtype_name, plain, spelled
from llm_math_tests.checks.promises import FLOATS, Sample, expect_truth, result_dtype
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs


def _weights(d: int) -> np.ndarray:
    """Fixed weights of a sublayer, the same in every room: ``(d, d)``, not symmetric."""
    if d > 1000:  # an answer may ask with anything
        raise ValueError(f"the sublayer takes at most 1000 columns, got {d}")
    i, j = np.indices((d, d))
    return ((3 * i + 5 * j) % 7 - 2.5) / 4


def _exactly(function: Callable[..., np.ndarray]) -> Callable[..., Value]:
    """A function computed in extended precision and rounded once, to the first one's dtype."""

    def rounded(*arrays: Value) -> Value:
        found = function(*(extended(array) for array in arrays))
        dtype = dtype_name(arrays[0])
        whole = plain(arrays[0]).dtype.kind in "bui"
        return cast(found, "float64" if whole else dtype)

    return rounded


def _forward(y: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = np.sin(y) @ _weights(y.shape[-1])
    return mixed


def _backward(y: np.ndarray, g: np.ndarray) -> np.ndarray:
    back: np.ndarray = np.cos(y) * (g @ _weights(y.shape[-1]).T)
    return back


def sublayer() -> Given:
    """``f(y) = sin(y) w``: it works on each row by itself, and mixes its columns."""
    return Given.differentiable(
        "sublayer", _exactly(_forward), _exactly(lambda g, y: _backward(y, g))
    )


def sublayer_vjp() -> Given:
    """The gradient of :func:`sublayer`, which can be differentiated once more."""

    def back(c: Value, y: Value, g: Value) -> tuple[Value, Value]:
        w = _weights(plain(y).shape[-1])
        towards_y = _exactly(lambda c, y, g: -np.sin(y) * (g @ w.T) * c)
        towards_g = _exactly(lambda c, y, g: (np.cos(y) * c) @ w)
        return towards_y(c, y, g), towards_g(c, y, g)

    return Given.differentiable("sublayer_vjp", _exactly(_backward), back)


def linear_vjp() -> Given:
    """The gradient of ``f(y) = y w``: it does not look at y."""
    return Given("sublayer_vjp", _exactly(lambda y, g: g @ _weights(y.shape[-1]).T))


def nothing(name: str) -> Given:
    """A sublayer, or its gradient, that gives 0."""
    return Given(name, lambda *arrays: cast(np.zeros(plain(arrays[0]).shape), _dtype(arrays)))


def _dtype(arrays: tuple[Value, ...]) -> str:
    name = dtype_name(arrays[0])
    return name if name in FLOATS else "float64"


def called_once(name: str, cases: tuple[Case, ...]) -> Check:
    """The given function is called exactly once."""

    def run(answer: Answer, inputs: Inputs) -> None:
        answer(inputs)
        calls = inputs[name].calls
        if calls != 1:
            raise Wrong(
                f"{name} to be called once",
                f"{calls} calls",
                note="it may be the most expensive part of a model: keep what it returned",
            )

    return Check(f"calls_{name}_once", "contract", f"{name} is called exactly once", run, cases)


def handed(
    name: str,
    promise: str,
    function: str,
    wanted: Callable[..., tuple[Truth, ...]],
    sample: Sample,
    more: tuple[Case, ...],
) -> Check:
    """What the given function is handed: the right numbers, in the dtype of x."""

    def run(answer: Answer, inputs: Inputs) -> None:
        given: Given = inputs[function]
        heard: list[tuple[Value, ...]] = []

        def listening(*arrays: Value) -> Value:
            heard.append(arrays)
            return given.function(*arrays)

        answer({**inputs, function: Given(given.name, listening)})
        if not heard:
            raise Wrong(f"{function} to be called", "no call of it")
        dtype = result_dtype(inputs, answer.track)
        truths = wanted(**inputs)
        if len(heard[0]) != len(truths):
            raise Wrong(
                f"{function} to be called with {len(truths)} arrays",
                f"a call with {len(heard[0])}",
            )
        for place, (got, truth) in enumerate(zip(heard[0], truths, strict=True), 1):
            what = f"argument {place} of {function}" if len(truths) > 1 else f"what {function} gets"
            expect_truth_of(answer, got, truth, dtype, what)

    def whole(rng: Rng) -> Inputs:
        inputs = sample(rng, "float64", (2,))
        return {
            key: np.round(value).astype("int64") if isinstance(value, np.ndarray) else value
            for key, value in inputs.items()
        }

    def case(dtype: str, tracks: tuple[str, ...] = ("numpy", "torch", "cupy")) -> Case:
        return Case(f"dtype_{dtype}", lambda rng: sample(rng, dtype, (2,)), tracks=tracks)

    cases = (
        case("float64"), case("float32"), case("float16"), case("bfloat16", ("torch",)),
        Case("integer", whole, "integers"), *more,
    )  # fmt: skip
    return Check(name, "contract", promise, run, cases)


def expect_truth_of(answer: Answer, got: Value, truth: Truth, dtype: str, what: str) -> None:
    """One array of the right dtype, close to the truth."""
    if not hasattr(got, "shape") or dtype_name(got) != dtype:
        raise Wrong(f"{what} in {dtype}, as x is", spelled(got))
    expect_truth(answer, (got,), (truth,), dtype, (what,))


def passes_untouched(
    function: str, past: str, promise: str, sample: Sample, more: tuple[Case, ...]
) -> Check:
    """Where the given function gives 0, an input comes out exactly as it went in."""

    def run(answer: Answer, inputs: Inputs) -> None:
        got = answer({**inputs, function: nothing(function)})
        wanted = extended(inputs[past])
        truth = Truth(wanted, np.zeros(wanted.shape), relative_to="nothing: it is exact")
        dtype = result_dtype(inputs, answer.track)
        expect_truth(answer, (got,), (truth,), dtype, ("the result",))

    cases = (
        Case("float64", lambda rng: sample(rng, "float64", (3,))),
        Case("float32", lambda rng: sample(rng, "float32", (3,))),
        *more,
    )
    return Check("residual_path_is_untouched", "core", promise, run, cases)
