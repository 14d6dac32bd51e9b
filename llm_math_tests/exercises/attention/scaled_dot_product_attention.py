"""scaled_dot_product_attention: the values, mixed by how queries and keys match."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_flows, values
from llm_math_tests.checks.situations import misshapen, ordinary
from llm_math_tests.checks.truth import Truth
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs
from llm_math_tests.exercises.attention import yardsticks
from llm_math_tests.exercises.attention.mistakes_in_scaled_dot_product_attention import MISTAKES
from llm_math_tests.exercises.attention.situations import (
    CUBE,
    HIGHEST_MASKED,
    M,
    N,
    attending,
    bad_masks,
    dims,
    large,
    long_rows,
    masks,
    minus_infinity,
    nothing_left,
    padded,
    rows,
    tiny,
)
from llm_math_tests.truths import attention as truth


def _weights_sum_to_one(answer: Answer, inputs: Inputs) -> None:
    """The average of equal values is that value."""
    constant = np.full_like(inputs["v"], 3.0)
    value = np.full((*inputs["q"].shape[:-1], constant.shape[-1]), 3.0)
    got = answer({**inputs, "v": constant})
    expect_truth(answer, got, Truth(value, value, terms=M), "float64")


def _ignores_masked_keys(answer: Answer, inputs: Inputs) -> None:
    """Whatever stands in the padding, the result is the same."""
    wanted = truth.scaled_dot_product_attention(**inputs)
    hidden = ~inputs["mask"].swapaxes(-1, -2)
    padding = {name: np.where(hidden, 900.0, inputs[name]) for name in ("k", "v")}
    expect_truth(answer, answer(inputs), wanted, "float64")
    expect_truth(answer, answer({**inputs, **padding}), wanted, "float64")


_flows = gradient_flows(
    truth.scaled_dot_product_attention,
    (
        Case("float64", lambda rng: attending(rng, "float64", (2,))),
        Case("float32", lambda rng: attending(rng, "float32", (2,))),
        Case("padding_mask", lambda rng: padded(rng, "float64", (2,)), "a padding mask"),
    ),
    through=["q", "k", "v"],
)

_gradients_stay_finite = replace(
    gradient_flows(
        truth.scaled_dot_product_attention, nothing_left(M), through=["q", "k", "v"], points=1
    ),
    name="gives_no_gradient_where_no_key_is_left",
    level="stable",
    promise="autograd gives zeros, and no NaN, for a query with no key left",
)


EXERCISE = Exercise(
    name="scaled_dot_product_attention",
    topic="attention",
    signature="scaled_dot_product_attention(q, k, v, mask=None)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "softmax(q k^T / sqrt(d)) v",
            truth.scaled_dot_product_attention,
            ordinary(attending, Case("one_sequence", lambda rng: attending(rng)), CUBE),
            points=2,
        ),
        values(
            "obeys_every_mask",
            "core",
            "a mask of any shape that broadcasts keeps what is True",
            truth.scaled_dot_product_attention,
            masks(M),
            points=2,
        ),
        Check(
            "ignores_masked_keys",
            "core",
            "what stands in a masked key or value changes nothing",
            _ignores_masked_keys,
            (Case("padding_mask", lambda rng: padded(rng, "float64", (2,))),),
        ),
        Check(
            "weights_sum_to_one",
            "core",
            "the mixture of equal values is that value",
            _weights_sum_to_one,
            (
                Case("no_mask", lambda rng: attending(rng, "float64", (2,))),
                Case("padding_mask", lambda rng: padded(rng, "float64", (2,))),
            ),
        ),
        _flows,
        values(
            "gives_zeros_where_no_key_is_left",
            "stable",
            "a query whose keys are all masked gives zeros",
            truth.scaled_dot_product_attention,
            nothing_left(M),
        ),
        _gradients_stay_finite,
        values(
            "handles_minus_infinity",
            "stable",
            "a score of -inf has weight 0, a query with no other gives zeros",
            truth.scaled_dot_product_attention,
            minus_infinity(),
        ),
        values(
            "survives_large_scores",
            "stable",
            "large scores do not overflow",
            truth.scaled_dot_product_attention,
            (*large(), HIGHEST_MASKED),
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny and equal scores and tiny values keep their digits",
            truth.scaled_dot_product_attention,
            tiny(),
        ),
        values(
            "handles_many_keys_and_one",
            "stable",
            "any number of keys is averaged",
            truth.scaled_dot_product_attention,
            long_rows(),
        ),
        *contract(
            padded,
            truth.scaled_dot_product_attention,
            refusals=(
                misshapen(attending, "k", (3, 4, 17), "k_of_another_width"),
                misshapen(attending, "v", (3, 17, 2), "v_of_another_length"),
                *bad_masks(attending, N, M),
            ),
        ),
    ),
    scaled=("q",),
    hints=(
        "Three steps: scores (n, m), weights (n, m), output (n, e). Which axis of the scores must "
        "sum to 1, so that every query has its own average?",
        "Put -inf where the mask is False before the softmax: exp(-inf) is 0, so those keys drop "
        "out of the sum as well.",
        "If a whole row is -inf, its maximum is -inf too, and -inf - (-inf) is NaN. Which number "
        "could you subtract instead, and what must the sum of 0 become before you divide?",
    ),
    mistakes=MISTAKES,
    bench=Bench(
        sizes=(rows(256, 64, ("q", "k", "v")), rows(1024, 64, ("q", "k", "v"))),
        moved_bytes=lambda inputs: sum(plain(inputs[x]).nbytes for x in "qqkv"),
        operations=lambda inputs: dims(inputs)[0] * dims(inputs)[1] * (4 * dims(inputs)[2] + 5),
        yardsticks=yardsticks.ATTENTION,
        compositions=yardsticks.ATTENTION_COMPOSED,
    ),
)
