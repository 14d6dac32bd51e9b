"""checkpointed_backward: the gradient through many layers, in the memory of a few."""

from __future__ import annotations

from collections import Counter

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, cast, plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_matches, result_dtype, values
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.wrong import NotRun, Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.backprop.situations import (
    bent,
    depth,
    layered,
    most_alive,
    pairs,
    recorded,
    some_layers,
    widened_by,
)
from llm_math_tests.truths import backprop as truth

NUMBERS = 2**17
"""So many has an array whose memory is measured: half a megabyte."""
SLACK = 5
"""Arrays beyond the layers' inputs: the gradient coming in and going out, a layer's output, and
copies that the functions' side makes of what it is handed."""


def _forward_at(inputs: Inputs) -> tuple[Inputs, Value]:
    return {"layers": inputs["layers"], "x": inputs["x"]}, inputs["grad_output"]


def _changing_shape(rng: Rng) -> Inputs:
    """Seven layers, two of which make the array wider."""
    kinds = [bent(0.1), widened_by(2), bent(0.5), bent(0.9), widened_by(1), bent(1.3), bent(1.7)]
    return {
        "layers": pairs(kinds),
        "x": rng.normal(0, 1, (2, 3)),
        "grad_output": rng.normal(0, 1, (2, 6)),
    }


def _sized(size: float, dtype: str, part: str) -> Case:
    """An input, or a gradient, of a given magnitude."""

    def make(rng: Rng) -> Inputs:
        inputs = layered(6)(rng)
        return {
            name: value if name == "layers" else cast(value * (size if name == part else 1), dtype)
            for name, value in inputs.items()
        }

    return Case(f"{dtype}_{part}_{size:g}".replace("-", "minus_"), make, f"{part} around {size:g}")


def _sees_the_right_inputs(answer: Answer, inputs: Inputs) -> None:
    layers, calls = recorded(inputs["layers"])
    got = answer({**inputs, "layers": layers})
    wanted = truth.layer_inputs(inputs["layers"], inputs["x"])
    gradient = inputs["grad_output"]
    incoming: list[Value] = [None] * len(wanted)
    for i in range(len(wanted) - 1, -1, -1):
        incoming[i] = gradient
        gradient = inputs["layers"][i][1].function(gradient, wanted[i])
    for kind, number, args in list(calls):
        right = (wanted[number],) if kind == "forward" else (incoming[number], wanted[number])
        names = ("x",) if kind == "forward" else ("grad", "layer_input")
        if len(args) != len(right):
            raise Wrong(f"{kind}({', '.join(names)}) of layer {number}", f"{len(args)} arguments")
        for name, given, want in zip(names, args, right, strict=True):
            _expect_equal(kind, number, name, given, want)
    right_result = truth.checkpointed_backward(**inputs)
    expect_truth(answer, got, right_result, result_dtype(inputs, answer.track))


def _expect_equal(kind: str, number: int, name: str, got: Value, want: Value) -> None:
    have = plain(got)
    what = f"the {kind} of layer {number} to be given {'its' if name != 'grad' else 'the'} "
    what += {"x": "input", "layer_input": "input", "grad": "gradient of its output"}[name]
    if have.shape != plain(want).shape:
        raise Wrong(f"{what}, of shape {plain(want).shape}", f"an array of shape {have.shape}")
    if not np.array_equal(have, plain(want), equal_nan=True):
        raise Wrong(what, "other numbers", note="layers are counted from 0, the first to run")


def _calls(answer: Answer, inputs: Inputs) -> None:
    layers, calls = recorded(inputs["layers"])
    answer({**inputs, "layers": layers})
    made = Counter((kind, number) for kind, number, _ in list(calls))
    for number in range(len(layers)):
        forwards, backwards = made["forward", number], made["backward", number]
        if forwards > 2:
            raise Wrong(
                f"the forward of layer {number} to be called at most twice",
                f"{forwards} calls",
                note="one more forward pass is what checkpointing costs, not more",
            )
        if backwards != 1:
            raise Wrong(f"the backward of layer {number} to be called once", f"{backwards} calls")
    order = [number for kind, number, _ in list(calls) if kind == "backward"]
    if order != sorted(order, reverse=True):
        raise Wrong(
            "the backwards in the order from the last layer to the first",
            f"the order {', '.join(map(str, order))}",
        )


def _keeps_few_inputs(answer: Answer, inputs: Inputs) -> None:
    layers, one = inputs["layers"], plain(inputs["x"]).nbytes
    # A library's own start-up is not the answer's scratch.
    answer({**inputs, "layers": layers[:2]})
    for given in (given for pair in layers for given in pair):
        given.calls = 0
    reply = answer.ask(inputs, measure_memory=True)
    if reply.peak_bytes is None:
        raise NotRun("peak memory cannot be measured here")
    dtype = result_dtype(inputs, answer.track)
    expect_truth(answer, reply.value, truth.checkpointed_backward(**inputs), dtype)
    most = most_alive(len(layers))
    if reply.peak_bytes > (most + SLACK) * one:
        raise Wrong(
            f"at most 2 ceil(sqrt({len(layers)})) + 2 = {most} layer inputs at a time, "
            f"{most * one / 1e6:.1f} MB",
            f"{reply.peak_bytes / 1e6:.1f} MB, {reply.peak_bytes / one:.3g} arrays",
            allowed=f"{SLACK} arrays on top: gradients, and copies on their way to the layers",
            note="keep about sqrt(L) inputs, recompute the others one segment at a time, and "
            "let go of a segment's inputs when it is done",
        )
    # Memory can be bought with calls, and calls with memory: both are kept at once.
    often = max(forward.calls for forward, _ in layers)
    if often > 2:
        raise Wrong(
            "each forward to be called at most twice, here too",
            f"{often} calls of one",
            note="one more forward pass is what checkpointing costs, not more",
        )


def _deep(count: int) -> Case:
    """Cheap layers on arrays of half a megabyte."""

    def halved(i: int) -> tuple[object, object]:
        factor = np.float32(1 + (-1) ** i / 64)
        return lambda x: x * factor, lambda g, x: g * factor

    def make(rng: Rng) -> Inputs:
        return {
            "layers": pairs([halved(i) for i in range(count)]),  # type: ignore[misc]
            "x": rng.standard_normal(NUMBERS, "float32"),
            "grad_output": rng.standard_normal(NUMBERS, "float32"),
        }

    return Case(f"{count}_layers", make, f"{count} layers, arrays of 0.5 MB")


_LENGTH = "length = max(1, math.ceil(math.sqrt(len(layers))))"
_BACK = "grad_output = backward(grad_output, inputs.pop())"

EXERCISE = Exercise(
    name="checkpointed_backward",
    topic="backprop",
    signature="checkpointed_backward(layers, x, grad_output)",
    checks=(
        values(
            "matches_plain_backpropagation",
            "core",
            "the gradient that keeping every input would give",
            truth.checkpointed_backward,
            (
                Case("float64", layered(5)),
                Case("float32", layered(5, dtype="float32")),
                *(depth(count) for count in (1, 2, 3, 4, 10, 16, 17, 64)),
            ),
            points=2,
        ),
        gradient_matches(
            truth.through_layers,
            _forward_at,
            ["x"],
            (Case("float64", layered(5)), Case("float32", layered(5, dtype="float32"))),
        ),
        Check(
            "gives_every_layer_its_own_input",
            "core",
            "each function is called with the numbers that belong to its layer",
            _sees_the_right_inputs,
            (
                depth(5),
                depth(9),
                depth(17),
                Case("changing_shape", _changing_shape, "layers that change the shape"),
            ),
            points=2,
        ),
        values(
            "handles_few_layers",
            "stable",
            "none and one are numbers of layers, too",
            truth.checkpointed_backward,
            (depth(0), depth(1), depth(2)),
        ),
        values(
            "survives_extreme_numbers",
            "stable",
            "large and tiny numbers come through as the layers give them",
            truth.checkpointed_backward,
            (
                _sized(1e4, "float32", "grad_output"),
                _sized(1e-30, "float32", "grad_output"),
                _sized(1e-30, "float32", "x"),
                _sized(1e3, "float16", "grad_output"),
            ),
        ),
        Check(
            "calls_no_function_too_often",
            "contract",
            "each forward runs at most twice, each backward once, the last layer's first",
            _calls,
            tuple(depth(count) for count in (1, 2, 4, 5, 10, 16, 17, 64)),
        ),
        Check(
            "keeps_few_inputs_at_a_time",
            "contract",
            "the memory grows with the root of the number of layers",
            _keeps_few_inputs,
            (_deep(50),),
            points=2,
        ),
        *contract(
            some_layers,
            truth.checkpointed_backward,
            integers=False,
            connected=False,
        ),
    ),
    hints=(
        "First write it without saving memory: keep every layer's input on the way forward, "
        "then call the backwards from the last to the first.",
        "Cut the layers into segments of ceil(sqrt(L)) and keep only the input of each "
        "segment's first layer. On the way back, a segment's other inputs come from running "
        "its forwards once more from there.",
        "Let go of what is done with (pop from the lists), and do not run a segment's last "
        "forward again: its output is the next segment's input, and nobody needs it any more.",
    ),
    mistakes=(
        Mistake(
            "everything_kept",
            "kept every layer's input: the memory grows with the number of layers",
            _LENGTH,
            "length = max(1, len(layers))",
        ),
        Mistake(
            "every_input_a_checkpoint",
            "made every layer a segment of its own, so that every input is a checkpoint",
            _LENGTH,
            "length = 1",
        ),
        Mistake(
            "segments_kept",
            "kept the recomputed inputs of segments that were done with",
            "for segment in reversed(segments):",
            "done = []\n    for segment in reversed(segments):",
            also=(
                (
                    _BACK,
                    "done.append(inputs.pop())\n"
                    "            grad_output = backward(grad_output, done[-1])",
                ),
            ),
        ),
        Mistake(
            "recomputed_from_the_start",
            "ran the whole network again for every layer: each forward up to L times",
            "inputs = [kept.pop()]",
            "inputs = [kept.pop()]\n"
            "        again = kept[0] if kept else inputs[0]\n"
            "        for forward, _ in layers[: len(kept) * length]:\n"
            "            again = forward(again)",
        ),
        Mistake(
            "forwards_run_three_times",
            "recomputed a segment's inputs for each of its layers anew",
            _BACK,
            "given = inputs.pop()\n"
            "            if inputs:\n"
            "                at = inputs[0]\n"
            "                for forward, _ in segment[: len(inputs)]:\n"
            "                    at = forward(at)\n"
            "                given = at\n"
            "            grad_output = backward(grad_output, given)",
        ),
        Mistake(
            "output_for_input",
            "gave each backward its layer's output, not its input",
            "for _, backward in reversed(segment):\n        ",
            "for forward, backward in reversed(segment):\n            "
            "inputs[-1] = forward(inputs[-1])\n        ",
        ),
        Mistake(
            "checkpoint_for_every_layer",
            "gave every layer of a segment the segment's checkpoint",
            "inputs.append(forward(inputs[-1]))",
            "inputs.append(inputs[-1])",
        ),
        Mistake(
            "inputs_in_forward_order",
            "took a segment's inputs in the order forwards, while the layers went backwards",
            "inputs.pop())",
            "inputs.pop(0))",
        ),
        Mistake(
            "layers_in_forward_order",
            "called the backwards from the first layer of a segment to its last",
            "in reversed(segment)",
            "in list(segment)",
            also=(("inputs.pop())", "inputs.pop(0))"),),
        ),
        Mistake(
            "segments_in_forward_order",
            "went through the segments from the first to the last",
            "in reversed(segments)",
            "in list(segments)",
            also=(("kept.pop()", "kept.pop(0)"),),
        ),
        Mistake(
            "remainder_dropped",
            "left out the layers of a last segment that is shorter than the others",
            "in range(0, len(layers), length)",
            "in range(0, len(layers) - length + 1, length)",
        ),
        Mistake(
            "first_layer_skipped",
            "stopped at the second layer: the first layer's backward gives the input's gradient",
            "for _, backward in reversed(segment):",
            "for _, backward in reversed(segment[1:] if not kept else segment):",
        ),
        Mistake(
            "no_layers_forgotten",
            "did not think of a network without layers: its gradient is grad_output",
            _LENGTH,
            "length = math.ceil(math.sqrt(len(layers)))",
        ),
        Mistake(
            "gradient_clipped",
            "cut the gradient at 1000 between the layers",
            _BACK,
            "grad_output = backward(grad_output, inputs.pop()).clip(-1000, 1000)",
        ),
        Mistake(
            "zeros_added",
            "added the gradients into zeros made on the CPU: nothing else needs to be made",
            "return grad_output",
            "return torch.zeros(x.shape, dtype=x.dtype) + grad_output",
            track="torch",
        ),
    ),
    no_bench="the time is that of the layers' functions; how often they are called is checked",
)
