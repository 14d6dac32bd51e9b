"""Promises that several exercises of this topic make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.promises import TruthOf, expect_truth, result_dtype
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs, Level
from llm_math_tests.truths.jacobian import Derivative

F_IS_TIMED = (
    "nearly all of the time is f's: the answer adds a few vector operations to each call of it"
)
"""Why there is nothing to time in an exercise that is handed a function."""


def differentiates(
    name: str,
    level: Level,
    promise: str,
    truth: TruthOf,
    cases: Sequence[Case],
    *,
    points: int = 1,
) -> Check:
    """The derivative is right: by autograd to rounding, by differences to 1e-7."""

    def run(answer: Answer, inputs: Inputs) -> None:
        wanted: Derivative = truth(**inputs)
        if answer.track == "torch":
            wanted = replace(wanted, besides=0.0)
        got = answer(inputs)
        expect_truth(answer, got, wanted, result_dtype(inputs, answer.track))

    return Check(name, level, promise, run, tuple(cases), points, truth=truth)


def asks_little(
    truth: TruthOf,
    limits: Callable[[str, int, int], tuple[int, str]],
    promise: str,
    cases: Sequence[Case],
    note: str,
) -> Check:
    """Ask f and its derivatives at most as often as the docstring says.

    ``limits(track, n, m)`` gives the number and the formula it comes from.
    """

    def run(answer: Answer, inputs: Inputs) -> None:
        f, n = inputs["f"], len(inputs["x"])
        m = len(f.function.value(inputs["x"]))
        got = answer(inputs)
        asked = f.all_calls
        expect_truth(answer, got, truth(**inputs), "float64")
        most, formula = limits(answer.track, n, m)
        if asked > most:
            who = "f and its derivatives" if answer.track == "torch" else "f"
            raise Wrong(
                f"at most {most} calls of {who}" + (f" ({formula})" if formula else ""),
                f"{asked} calls, for {n} inputs and {m} outputs",
                note=note,
            )

    return Check("asks_little_of_f", "contract", promise, run, tuple(cases))


def differences_or(
    autograd: Callable[[int, int], tuple[int, str]],
) -> Callable[..., tuple[int, str]]:
    """24 n + 2 calls where there is no autograd, and where there is what it needs."""

    def limits(track: str, n: int, m: int) -> tuple[int, str]:
        return autograd(n, m) if track == "torch" else (24 * n + 2, "24 n + 2")

    return limits
