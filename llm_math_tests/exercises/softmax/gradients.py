"""What arrives at softmax's backward, where arithmetic is hard."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import cast
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Case, Inputs
from llm_math_tests.exercises.softmax.situations import upstream
from llm_math_tests.truths import softmax as truth


def wide(rng: Rng, n: int, m: int, dtype: str) -> Inputs:
    """Ordinary gradients at ``n`` rows of ``m`` probabilities."""
    p = truth.probabilities(extended(rng.normal(0, 1, (n, m))))
    return {"grad_output": cast(rng.normal(0, 1, (n, m)), dtype), "probs": cast(p, dtype)}


def scaled(name: str, size: float, dtype: str, what: str) -> Case:
    """Gradients of a given magnitude, both signs."""

    def make(rng: Rng) -> Inputs:
        inputs = upstream(rng, "float64", (3,))
        return {
            "grad_output": cast(rng.uniform(-size, size, (3, 5)), dtype),
            "probs": cast(inputs["probs"], dtype),
        }

    return Case(name, make, what)


def opposite(rng: Rng) -> Inputs:
    """Gradients whose differences are more than float16 holds, and results that are not."""
    g = rng.permutation(np.array([6e4, -6e4, -6e4, -5e4, -4e4]))
    p = np.where(g > 0, 0.2, rng.uniform(0.1, 0.3, 5))
    return {"grad_output": cast(g[None], "float16"), "probs": cast((p / p.sum())[None], "float16")}


def certain_rows() -> tuple[Case, ...]:
    """Rows where one class has (nearly) all the probability, or some have none."""

    def one_hot(rng: Rng) -> Inputs:
        return {"grad_output": rng.normal(0, 2, (3, 4)), "probs": np.eye(4)[[0, 2, 3]]}

    def nearly(rng: Rng) -> Inputs:
        z = cast(rng.normal(0, 12, (4, 6)), "float32")
        p = cast(truth.probabilities(extended(z)), "float32")
        return {"grad_output": cast(rng.normal(0, 2, (4, 6)), "float32"), "probs": p}

    def masked(rng: Rng) -> Inputs:
        inputs = upstream(rng, "float64", (3,))
        inputs["probs"][:, 1:3] = 0
        inputs["probs"] /= inputs["probs"].sum(axis=-1, keepdims=True)
        return inputs

    return (
        Case("one_hot", one_hot, "all the probability on one class"),
        Case("nearly_one_hot", nearly, "nearly all the probability on one class"),
        Case("some_zero", masked, "some probabilities exactly 0"),
    )


def long_gradients() -> tuple[Case, ...]:
    """Many terms to sum, or just one."""

    def single(rng: Rng) -> Inputs:
        return {"grad_output": rng.normal(0, 2, (3, 1)), "probs": np.ones((3, 1))}

    def saturating(rng: Rng) -> Inputs:
        # Terms of the sum that are small beside it: float16 rounds them away.
        m = 2500
        return {
            "grad_output": cast(np.where(np.arange(m) < m // 2, 200.0, 100.0)[None], "float16"),
            "probs": cast(np.full((1, m), 1 / m), "float16"),
        }

    # No longer than this: an answer that builds the Jacobian must not take the machine down.
    return (
        Case("float32_2500", lambda rng: wide(rng, 2, 2500, "float32"), "rows of 2500"),
        Case("float16_2500", saturating, "a row of 2500"),
        Case("a_single_column", single, "rows of 1"),
    )


def other_shape(rng: Rng) -> Inputs:
    """A gradient for one row, which would broadcast to three."""
    inputs = upstream(rng, "float64", (3,))
    return {**inputs, "grad_output": inputs["grad_output"][:1]}
