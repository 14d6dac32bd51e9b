"""What the backward functions of layer_norm and rms_norm promise alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, spelled
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.promises import TruthOf, gradient_matches, result_dtype
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs
from llm_math_tests.exercises.normalization.situations import make_rows


def results(answer: Answer, got: Value, names: Sequence[str]) -> list[Value]:
    """The gradients of an answer, one for each name."""
    if not isinstance(got, (tuple, list)) or len(got) != len(names):
        raise Wrong(f"a tuple of {len(names)} gradients, {', '.join(names)}", spelled(got))
    return [expect_array(one, answer.track, name) for one, name in zip(got, names, strict=True)]


def gradient_of_each_argument(
    forward: TruthOf, arguments: Sequence[str], cases: Sequence[Case]
) -> Check:
    """The gradients agree with central differences of the forward function's truth."""

    def at(inputs: Inputs) -> tuple[Inputs, Value]:
        point = {name: value for name, value in inputs.items() if name != "grad_output"}
        if "bias" in arguments:
            point["bias"] = np.zeros_like(inputs["weight"])
        return point, inputs["grad_output"]

    return gradient_matches(forward, at, arguments, cases)


def nothing_points_along(
    answer: Answer, dx: Value, wanted: Truth, direction: np.ndarray, what: str
) -> None:
    """No row of dx has a part along its row of a direction that changes nothing."""
    expect_shape(dx, wanted.value.shape, "dx")
    dtype = result_dtype(answer.calls[-1][0], answer.track)
    along = (extended(dx) * extended(direction)).sum(axis=-1)
    room = wanted.allowance(dtype) + 4 * np.finfo(dtype).eps * np.abs(wanted.value)
    allowed = (room * np.abs(extended(direction))).sum(axis=-1)
    if not (np.abs(along) <= allowed).all():
        worst = int(np.argmax(np.where(np.isnan(along), np.inf, np.abs(along) - allowed)))
        raise Wrong(
            f"no gradient along {what}: it changes nothing",
            f"{float(along.flat[worst]):.3g} along it",
            allowed=f"{float(allowed.flat[worst]):.1e}: {wanted.why(dtype)}, summed",
            note="mean and deviation depend on every number of the row",
        )


def large_gradients(*arguments: str) -> tuple[Case, ...]:
    """Large gradients, and some that cancel."""

    def case(name: str, dtype: str, size: float, offset: float = 0.0) -> Case:
        make = make_rows(*arguments, gradient=True)

        def inputs(rng: np.random.Generator) -> Inputs:
            found = make(rng, dtype, (3, 6))
            g = rng.uniform(-size, size, (3, 6)) + offset
            return {**found, "grad_output": g.astype(dtype)}

        return Case(name, inputs, f"gradients up to {size + offset:g}")

    return (
        case("gradients_float32", "float32", 1e4),
        case("gradients_float16", "float16", 2e4),
        case("gradients_with_an_offset", "float32", 1.0, 1e4),
        case("tiny_gradients", "float32", 1e-30),
    )
