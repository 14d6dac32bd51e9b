"""Promises that several exercises of this topic make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.promises import (
    TruthOf,
    gradient_flows,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.truth import eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs, Refusal
from llm_math_tests.exercises.cross_entropy.situations import SEQUENCES, tokens


def _rows_sum_to_zero(answer: Answer, inputs: Inputs) -> None:
    grad = extended(expect_array(answer(inputs), answer.track))
    expect_shape(grad, inputs["logits"].shape)
    total = np.abs(grad.sum(axis=-1))
    allowed = 4 * grad.shape[-1] * eps(result_dtype(inputs, answer.track))
    if not (total <= allowed).all():
        worst = float(np.max(np.where(np.isfinite(total), total, np.inf)))
        raise Wrong(
            "gradients that sum to 0 for each token",
            f"a sum of {worst:.9g}",
            allowed=f"4 n eps = {allowed:.1e}",
        )


rows_sum_to_zero = Check(
    "rows_sum_to_zero",
    "core",
    "a token's gradients sum to 0: a constant added to its logits changes nothing",
    _rows_sum_to_zero,
    ordinary(tokens, SEQUENCES),
)


def two_kept(inputs: Inputs) -> Inputs:
    """The same tokens, the first two of them with a class."""
    targets = inputs["targets"].copy()
    targets[:2] = 0
    return {**inputs, "targets": targets}


def some_tokens(inputs: Inputs) -> Inputs:
    """Two tokens in place of none."""
    logits = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.5]], inputs["logits"].dtype)
    return {**inputs, "logits": logits, "targets": np.array([1, 0])}


def first_two(inputs: Inputs) -> Inputs:
    """The first two of the tokens."""
    return {**inputs, "logits": inputs["logits"][:2], "targets": inputs["targets"][:2]}


def clean(inputs: Inputs) -> Inputs:
    """The same logits with numbers where NaN and inf stood."""
    return {**inputs, "logits": np.nan_to_num(inputs["logits"], posinf=3.0, neginf=-3.0)}


def gradient_flows_again(truth: TruthOf) -> Check:
    """A gradient is a tensor like any other: autograd goes through it too (torch only)."""
    return replace(
        gradient_flows(truth, ordinary(tokens), through=["logits"], points=1),
        name="gradient_flows_again",
        level="contract",
        promise="the gradient itself is connected to autograd",
    )


def takes_integers_of_any_width(truth: TruthOf) -> Check:
    """Targets may be integers of any width."""

    def narrow(dtype: str) -> Case:
        def make(rng: Rng) -> Inputs:
            inputs = tokens(rng, "float64", (4,))
            return {**inputs, "targets": inputs["targets"].astype(dtype)}

        return Case(dtype, make, f"{dtype} targets")

    return values(
        "takes_integers_of_any_width",
        "contract",
        "targets are integers of any width",
        truth,
        (narrow("int32"), narrow("int16")),
    )


def bad_targets(*also: int) -> tuple[Refusal, ...]:
    """Targets that are no class, no integers, or of another shape."""

    def holding(value: int) -> Refusal:
        def make(rng: Rng) -> Inputs:
            inputs = tokens(rng, "float64", (4,))
            inputs["targets"][2] = value
            return inputs

        name = f"target_{value}".replace("-", "minus_")
        return Refusal(name, make, "targets", str(value), looks_at_values=True)

    def floating(rng: Rng) -> Inputs:
        inputs = tokens(rng, "float64", (4,))
        return {**inputs, "targets": inputs["targets"].astype("float32")}

    def another_shape(rng: Rng) -> Inputs:
        return {**tokens(rng, "float64", (4,)), "targets": np.ones(7, "int64")}

    def one_axis_more(rng: Rng) -> Inputs:
        return {**tokens(rng, "float64", (4,)), "targets": np.ones((4, 9), "int64")}

    return (
        # Not -1: every message that names -100 would seem to name it.
        *(holding(value) for value in (-2, 17, *also)),
        Refusal("float_targets", floating, "targets", "float32"),
        Refusal("another_shape", another_shape, "targets", "(7,)"),
        Refusal("one_axis_more", one_axis_more, "targets", "(4, 9)"),
    )
