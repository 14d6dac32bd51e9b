"""The common contract as checks: what every exercise promises besides its formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Reply
from llm_math_tests.answers.values import Value, arrays_in, dtype_name, is_array, plain
from llm_math_tests.checks.compare import expect_array
from llm_math_tests.checks.promises import (
    DEFAULT_FLOAT,
    FLOATS,
    Sample,
    TruthOf,
    expect_truth,
    held,
    result_dtype,
)
from llm_math_tests.checks.refusals import refuses_bad_arguments
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.exercise import TRACKS, Case, Check, Inputs, Refusal

Whole = Callable[[np.random.Generator, str], Inputs]
"""``whole(rng, dtype)``: inputs of dtype int64 or bool that the exercise can take."""


def contract(
    sample: Sample,
    truth: TruthOf,
    *,
    refusals: Sequence[Refusal] = (),
    batched: bool = True,
    floating: bool = True,
    integers: bool | Whole = True,
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
        checks.append(leaves_inputs_alone(sample, truth))
        checks.append(reads_any_layout(sample, truth, batched=batched))
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


def keeps_dtype(sample: Sample, truth: TruthOf, *, integers: bool | Whole = True) -> Check:
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
            if is_array(value) and dtype_name(value) in FLOATS
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
        make = whole if integers is True else integers
        cases += [_case("integer", make, "int64"), _case("boolean", make, "bool")]
    promise = "floating input keeps its dtype"
    if integers:
        promise += "; integers become the default float"
    broken_by = (habits.ALWAYS_FLOAT64,)
    return Check(
        "keeps_dtype", "contract", promise, run, tuple(cases), broken_by=broken_by
    )  # fmt: skip


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
    return next((dtype_name(array) for array in arrays_in(held(inputs))), "this")


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
        run, cases, broken_by=(habits.HALF_RETURNED_WIDE,),
    )  # fmt: skip


def leaves_inputs_alone(sample: Sample, truth: TruthOf) -> Check:
    """No input holds other bytes afterwards."""

    def run(answer: Answer, inputs: Inputs) -> None:
        reply = answer.ask(inputs)
        if reply.changed:
            raise Wrong(
                "the inputs to be left as they were",
                f"{' and '.join(reply.changed)} changed in place",
                note="an operation like `x -= ...` writes into the caller's array",
            )
        # Else an answer that does nothing would keep the promise.
        expect_truth(answer, reply.value, truth(**inputs), result_dtype(inputs, answer.track))

    cases = (_case("float64", sample, "float64", (2,)), _case("float32", sample, "float32", (2,)))
    return Check(
        "leaves_inputs_alone", "contract", "inputs are never changed",
        run, cases, broken_by=(habits.INPUT_OVERWRITTEN,),
    )  # fmt: skip


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


def reads_any_layout(sample: Sample, truth: TruthOf, *, batched: bool = True) -> Check:
    """Strided, transposed and (in NumPy) read-only inputs work."""
    # Two batch axes in another order cannot be viewed as one; a single one always can.
    axes = (3, 2) if batched else (2,)

    def laid(
        change: Callable[[Value], Value], batch: tuple[int, ...] = (2,)
    ) -> Callable[[np.random.Generator], Inputs]:
        def make(rng: np.random.Generator) -> Inputs:
            inputs = sample(rng, "float64", batch)
            return {name: each_array(change, value) for name, value in inputs.items()}

        return make

    def run(answer: Answer, inputs: Inputs) -> None:
        got = answer(inputs)
        expect_truth(answer, got, truth(**inputs), result_dtype(inputs, answer.track))

    cases = (
        Case("strided", laid(strided), "every second number of a wider array"),
        Case("transposed", laid(transposed, axes), "in column-major order"),
        Case("read_only", laid(read_only), "read-only", tracks=("numpy",)),
    )
    return Check(
        "reads_any_layout", "contract", "any memory layout can be read",
        run, cases, broken_by=(habits.MEMORY_ORDER, habits.VIEWED),
    )  # fmt: skip


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
        "keeps_leading_axes", "contract", "any number of leading batch axes works",
        run, cases, broken_by=(habits.LEADING_AXES_FLATTENED,),
    )  # fmt: skip


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
        _expect_on_device(reply, "every step on the device of the inputs")
        if reply.proved_by == "fake":
            # It shows no numbers: an answer that does nothing would never leave it.
            fresh = {name: each_array(lambda array: array, v) for name, v in inputs.items()}
            expect_truth(answer, answer(fresh), truth(**inputs), result_dtype(inputs, "torch"))
            return
        for fact in reply.facts:
            if reply.proved_by == "device" and fact.device == "cpu":
                raise Wrong("the result on the device of the inputs", "a result on the CPU")
        expect_truth(answer, reply.value, truth(**inputs), result_dtype(inputs, answer.track))

    return Check(
        "stays_on_device", "contract", "the work stays on the device of the inputs",
        run, (_case("float32", sample, "float32", (2,)),), tracks=("torch", "cupy"),
        broken_by=(habits.LEFT_THE_DEVICE, habits.ASKED_ON_THE_HOST, habits.MADE_ON_THE_CPU),
    )  # fmt: skip


def _expect_on_device(reply: Reply, expected: str) -> None:
    """The call came back, and what plays the accelerator, if it did, saw nothing amiss."""
    if reply.proved_by == "fake" and reply.ended == "refused":
        raise NotRun(reply.problem)
    # A broken rule of the device has no exception's name: real exceptions are the answer's.
    if reply.ended == "raised" and not reply.exception:
        did = habits.shown_by(reply.problem)
        raise Wrong(expected, reply.problem, line=reply.line, text=reply.text, did=did)
    if reply.ended != "returned":
        raise AnswerEnded(reply)


def takes_a_device(sample: Sample, truth: TruthOf) -> Check:
    """A maker of arrays makes them where ``device`` says (torch and cupy)."""

    def run(answer: Answer, inputs: Inputs) -> None:
        from llm_math_tests import tracks

        # Without an accelerator, the fake one takes the place of any device that torch is told.
        device = 0 if answer.track == "cupy" else tracks.track("torch").device() or "cpu"
        reply = answer.try_to_ask({**inputs, "device": device}, on_accelerator=True)
        _expect_on_device(reply, "the array on the device that device names")
        if reply.proved_by == "fake":
            return
        if any(fact.device == "cpu" for fact in reply.facts):
            raise Wrong("the array on the device that device names", "an array on the CPU")
        expect_truth(answer, reply.value, truth(**inputs), DEFAULT_FLOAT[answer.track])

    return Check(
        "takes_a_device", "contract", "the array is made on the device that is asked for",
        run, (_case("given", sample),), tracks=("torch", "cupy"),
        broken_by=(habits.DEVICE_IGNORED,),
    )  # fmt: skip
