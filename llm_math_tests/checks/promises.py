"""Promises that many exercises share: written once, for every exercise and track.

Each function makes one :class:`Check`. Topic modules add the promises that are
their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import (
    Value,
    arrays_in,
    dtype_name,
    is_array,
    plain,
    spelled,
)
from llm_math_tests.checks.compare import expect_array, expect_close
from llm_math_tests.checks.truth import Truth, difference_vjp, eps
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.exercise import TRACKS, Case, Check, Inputs, Level, Refusal

TruthOf = Callable[..., Any]
"""Takes an exercise's inputs, gives one :class:`Truth` or a tuple of them."""

Sample = Callable[..., Inputs]
"""``sample(rng, dtype="float64", batch=())``: ordinary inputs with leading batch axes."""

_FLOATS = ("float64", "float32", "float16", "bfloat16")
DEFAULT_FLOAT = {"numpy": "float64", "cupy": "float64", "torch": "float32"}
"""What integers become in a floating function."""


def result_dtype(inputs: Inputs, track: str) -> str:
    """The dtype that the contract asks of a floating result: that of the first array."""
    dtypes = [dtype_name(array) for array in arrays_in(_held(inputs))]
    floating = [dtype for dtype in dtypes if dtype in _FLOATS]
    return floating[0] if floating else DEFAULT_FLOAT[track]


def _held(inputs: Inputs) -> list[Value]:
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

    return Check(name, level, promise, run, tuple(cases), points)


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
            if grads[name] is None:
                raise Wrong(
                    f"a gradient with respect to {name}",
                    "none: autograd does not know where the result came from",
                    note="detach(), .item(), .numpy() or torch.tensor(...) cut the graph",
                )
            expect_gradient(answer, grads[name], expected, cotangents, dtype, name)

    return Check(
        "gradient_flows", "core", "autograd through the answer gives the gradient",
        run, tuple(cases), points, tracks=("torch",),
    )  # fmt: skip


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


def contract(
    sample: Sample,
    truth: TruthOf,
    *,
    refusals: Sequence[Refusal] = (),
    batched: bool = True,
    floating: bool = True,
    integers: bool = True,
    halves: bool = True,
    connected: bool = True,
    layout: bool = True,
) -> tuple[Check, ...]:
    """The common contract as checks, for an exercise with ordinary inputs ``sample``."""
    checks = []
    if floating:
        checks.append(keeps_dtype(sample, truth, integers=integers))
    if halves:
        checks.append(half_precision(sample, truth))
    if layout:
        checks.append(leaves_inputs_alone(sample))
        checks.append(reads_any_layout(sample, truth))
    if batched:
        checks.append(keeps_leading_axes(sample, truth))
    checks.append(stays_on_device(sample, truth, connected=connected))
    if refusals:
        checks.append(refuses_bad_arguments(refusals))
    return tuple(checks)


def _case(name: str, make: Callable[..., Inputs], *args: Any, **kwargs: Any) -> Case:
    note = kwargs.pop("note", "")
    tracks = kwargs.pop("tracks", TRACKS)
    return Case(name, lambda rng: make(rng, *args, **kwargs), note, tracks)


def keeps_dtype(sample: Sample, truth: TruthOf, *, integers: bool = True) -> Check:
    """Floating dtype in is dtype out; integers and booleans become the default float."""

    def run(answer: Answer, inputs: Inputs) -> None:
        reply = answer.ask(inputs)
        dtype = result_dtype(inputs, answer.track)
        expect_dtypes(answer, reply.value, dtype, _shown_dtype(inputs))
        expect_truth(answer, reply.value, truth(**inputs), dtype)

    def whole(rng: np.random.Generator, kind: str) -> Inputs:
        inputs = sample(rng)
        scaled = {
            name: np.round(plain(value) * 2).astype("int64")
            if is_array(value) and dtype_name(value) in _FLOATS
            else value
            for name, value in inputs.items()
        }
        if kind == "bool":
            return {
                name: value > 0 if is_array(value) and inputs[name] is not value else value
                for name, value in scaled.items()
            }
        return scaled

    cases = [
        _case("float64", sample, "float64", (2,)),
        _case("float32", sample, "float32", (2,)),
    ]
    if integers:
        cases += [_case("integer", whole, "int"), _case("boolean", whole, "bool")]
    promise = "floating input keeps its dtype"
    if integers:
        promise += "; integers become the default float"
    return Check("keeps_dtype", "contract", promise, run, tuple(cases))


def expect_dtypes(answer: Answer, got: Value, dtype: str, of: str) -> None:
    """Every array of the result has the dtype."""
    found = list(arrays_in(got))
    if not found and answer.track == "numpy" and type(got) in (bool, int, float):
        raise Wrong(
            f"a {dtype} scalar or 0-d array for {of} input",
            f"a Python {type(got).__name__}",
            note="NumPy's own reductions return NumPy scalars; float(...) drops their dtype",
        )
    if not found:
        expect_array(got, answer.track)
    for array in found:
        if dtype_name(array) != dtype:
            raise Wrong(f"{dtype} for {of} input", dtype_name(array))


def _shown_dtype(inputs: Inputs) -> str:
    return next((dtype_name(array) for array in arrays_in(_held(inputs))), "this")


def half_precision(sample: Sample, truth: TruthOf) -> Check:
    """float16 and bfloat16 come back as they are, with sums made in float32."""

    def run(answer: Answer, inputs: Inputs) -> None:
        reply = answer.ask(inputs)
        dtype = result_dtype(inputs, answer.track)
        expect_dtypes(answer, reply.value, dtype, dtype)
        expect_truth(answer, reply.value, truth(**inputs), dtype)

    cases = (
        _case("float16", sample, "float16", (2,)),
        _case("bfloat16", sample, "bfloat16", (2,), tracks=("torch",)),
    )
    return Check(
        "half_precision", "contract", "16-bit input gives 16-bit output, summed in float32",
        run, cases,
    )  # fmt: skip


def leaves_inputs_alone(sample: Sample) -> Check:
    """No input holds other bytes afterwards."""

    def run(answer: Answer, inputs: Inputs) -> None:
        reply = answer.ask(inputs)
        if reply.changed:
            raise Wrong(
                "the inputs to be left as they were",
                f"{' and '.join(reply.changed)} changed in place",
                note="an operation like `x -= ...` writes into the caller's array",
            )

    cases = (_case("float64", sample, "float64", (2,)), _case("float32", sample, "float32", (2,)))
    return Check("leaves_inputs_alone", "contract", "inputs are never changed", run, cases)


def strided(value: Value) -> Value:
    """The same numbers in an array that is not contiguous."""
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return value
    wide = np.zeros((*value.shape[:-1], 2 * value.shape[-1]), value.dtype)
    wide[..., ::2] = value
    return wide[..., ::2]


def transposed(value: Value) -> Value:
    """The same numbers with the axes' memory order reversed."""
    return np.asfortranarray(value) if isinstance(value, np.ndarray) else value


def read_only(value: Value) -> Value:
    """The same array, closed for writing."""
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value


def each_array(change: Callable[[Value], Value], value: Value) -> Value:
    """Apply a change of layout to every array in a value."""
    if is_array(value):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)(each_array(change, item) for item in value)
    if isinstance(value, dict):
        return {key: each_array(change, item) for key, item in value.items()}
    if hasattr(value, "arrays"):
        return type(value)(tuple(each_array(change, item) for item in value.arrays))
    return value


def reads_any_layout(sample: Sample, truth: TruthOf) -> Check:
    """Strided, transposed and (in NumPy) read-only inputs work."""

    def laid(change: Callable[[Value], Value]) -> Callable[[np.random.Generator], Inputs]:
        def make(rng: np.random.Generator) -> Inputs:
            inputs = sample(rng, "float64", (2,))
            return {name: each_array(change, value) for name, value in inputs.items()}

        return make

    def run(answer: Answer, inputs: Inputs) -> None:
        got = answer(inputs)
        expect_truth(answer, got, truth(**inputs), result_dtype(inputs, answer.track))

    cases = (
        Case("strided", laid(strided), "every second number of a wider array"),
        Case("transposed", laid(transposed), "in column-major order"),
        Case("read_only", laid(read_only), "read-only", tracks=("numpy",)),
    )
    return Check("reads_any_layout", "contract", "any memory layout can be read", run, cases)


def keeps_leading_axes(sample: Sample, truth: TruthOf) -> Check:
    """Any number of leading batch axes, none and size 0 included."""

    def run(answer: Answer, inputs: Inputs) -> None:
        got = answer(inputs)
        expect_truth(answer, got, truth(**inputs), result_dtype(inputs, answer.track))

    cases = (
        _case("none", sample, "float64", (), note="no batch axis"),
        _case("one", sample, "float64", (3,), note="one batch axis"),
        _case("several", sample, "float64", (2, 1, 3), note="three batch axes"),
        _case("empty", sample, "float64", (0,), note="an empty batch"),
    )
    return Check(
        "keeps_leading_axes", "contract", "any number of leading batch axes works", run, cases
    )


def stays_on_device(sample: Sample, truth: TruthOf, *, connected: bool = True) -> Check:
    """The result is where the inputs are, and nothing leaves the device on the way.

    Without an accelerator, torch answers run on a fake one, which has shapes,
    dtypes and devices but no numbers; CuPy answers run on the stand-in.
    """

    def run(answer: Answer, inputs: Inputs) -> None:
        cotangents: tuple[Value, ...] | None = None
        if connected and answer.track == "torch":
            wanted = truth(**inputs)
            outputs = wanted if isinstance(wanted, tuple) else (wanted,)
            dtype = result_dtype(inputs, answer.track)
            cotangents = tuple(np.ones(t.value.shape, dtype) for t in outputs)
        reply = answer.try_to_ask(inputs, on_accelerator=True, cotangents=cotangents)
        if reply.proved_by == "fake" and reply.ended == "raised":
            place = f" (line {reply.line}: {reply.text})" if reply.line else ""
            raise Wrong("every step on the device of the inputs", reply.problem + place)
        if reply.proved_by == "fake" and reply.ended == "refused":
            raise NotRun(reply.problem)
        if reply.ended != "returned":
            raise AnswerEnded(reply)
        if reply.proved_by == "fake":
            return
        for fact in reply.facts:
            if reply.proved_by == "device" and fact.device == "cpu":
                raise Wrong("the result on the device of the inputs", "a result on the CPU")
        expect_truth(answer, reply.value, truth(**inputs), result_dtype(inputs, answer.track))

    return Check(
        "stays_on_device", "contract", "the work stays on the device of the inputs",
        run, (_case("float32", sample, "float32", (2,)),), tracks=("torch", "cupy"),
    )  # fmt: skip


def takes_a_device(sample: Sample, truth: TruthOf) -> Check:
    """A maker of arrays makes them where ``device`` says (torch and cupy)."""

    def run(answer: Answer, inputs: Inputs) -> None:
        from llm_math_tests import tracks

        # Without an accelerator, the fake one takes the place of any device that torch is told.
        device = 0 if answer.track == "cupy" else tracks.track("torch").device() or "cpu"
        reply = answer.try_to_ask({**inputs, "device": device}, on_accelerator=True)
        if reply.proved_by == "fake" and reply.ended == "refused":
            raise NotRun(reply.problem)
        if reply.proved_by == "fake" and reply.ended == "raised":
            place = f" (line {reply.line}: {reply.text})" if reply.line else ""
            raise Wrong("the array on the device that device names", reply.problem + place)
        if reply.ended != "returned":
            raise AnswerEnded(reply)
        if reply.proved_by == "fake":
            return
        if any(fact.device == "cpu" for fact in reply.facts):
            raise Wrong("the array on the device that device names", "an array on the CPU")
        expect_truth(answer, reply.value, truth(**inputs), DEFAULT_FLOAT[answer.track])

    return Check(
        "takes_a_device", "contract", "the array is made on the device that is asked for",
        run, (_case("given", sample),), tracks=("torch", "cupy"),
    )  # fmt: skip


_SHAPE = re.compile(r"(?:torch\.Size\()?\[(\d+(?:, \d+)*|)\]\)?")
"""``torch.Size([3])`` and ``[3]``: a message may show a shape as torch prints it."""

_GUFUNC = re.compile(r"\([\w?,]*\)(?:,\([\w?,]*\))*->\([\w?,]*\)")
"""``(n?,k),(k,m?)->(n?,m?)``: letters of NumPy's own, in what matmul says of its shapes."""


def _in_our_words(text: str) -> str:
    """What a message says, with shapes as tuples and without NumPy's own letters."""

    def shown(match: re.Match[str]) -> str:
        sizes = match[1]
        return f"({sizes},)" if sizes and "," not in sizes else f"({sizes})"

    return _SHAPE.sub(shown, _GUFUNC.sub("", text))


def _says(text: str, word: str) -> bool:
    """Whether a name or a value stands in a text by itself: 3 is not said by 13 or 3.5."""
    alone = rf"(?<![\w-])(?<!\d\.){re.escape(word)}(?!\w|\.\d)"
    return not word or re.search(alone, text) is not None


def _how_to_say(refusal: Refusal, given: Value) -> str:
    """What the message must hold, and a format string that makes one."""
    name = refusal.argument
    must = f"the message must contain {name}" + (f" and {refusal.value}" if refusal.value else "")
    if not refusal.value or refusal.looks_at_values:
        return must
    got = f"{name}={{{name}}}"
    if is_array(given):
        kind = "shape" if refusal.value.startswith("(") else "dtype"
        got = f"{name} of {kind} {{{name}.{kind}}}"
    elif refusal.value.startswith("("):
        return must
    return f'{must}: for example f"{name} must be ..., got {got}"'


def refuses_bad_arguments(refusals: Sequence[Refusal]) -> Check:
    """``ValueError`` naming the argument and the value."""

    def run(answer: Answer, inputs: Inputs) -> None:
        refusal: Refusal = answer.case.expects
        reply = answer.try_to_ask(inputs)
        wanted = f"a ValueError that names {refusal.argument}"
        wanted += f" and {refusal.value}" if refusal.value else ""
        if reply.ended == "returned":
            raise Wrong(wanted, "a result, as if nothing were wrong")
        if reply.ended != "raised" or reply.exception == "NotImplementedError":
            raise AnswerEnded(reply)
        if reply.exception != "ValueError":
            raise Wrong(wanted, reply.problem)
        said = _in_our_words(reply.problem)
        if not _says(said, refusal.argument) or not _says(said, refusal.value):
            raise Wrong(wanted, reply.problem, note=_how_to_say(refusal, inputs[refusal.argument]))

    cases = tuple(
        Case(
            refusal.name,
            refusal.make,
            tracks=("numpy", "torch") if refusal.looks_at_values else TRACKS,
            expects=refusal,
        )
        for refusal in refusals
    )
    return Check("refuses_bad_arguments", "contract", "bad arguments raise ValueError", run, cases)
