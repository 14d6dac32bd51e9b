"""scaled_dot_product_attention_backward: gradients of queries, keys and values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, cast, plain, spelled
from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_flows, gradient_matches, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import Truth
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs
from llm_math_tests.exercises.attention import yardsticks
from llm_math_tests.exercises.attention.mistakes_in_scaled_dot_product_attention_backward import (
    MISTAKES,
)
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
    nothing_left,
    padded,
    rows,
    tiny,
    upstream,
)
from llm_math_tests.truths import attention as truth

NAMES = ("dq", "dk", "dv")


def _arriving(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    return _with_gradient(attending(rng, dtype, batch), rng, dtype)


def _masked(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    return _with_gradient(padded(rng, dtype, batch), rng, dtype)


def _with_gradient(inputs: Inputs, rng: Rng, dtype: str) -> Inputs:
    shape = (*plain(inputs["q"]).shape[:-1], plain(inputs["v"]).shape[-1])
    return {"grad_output": cast(rng.normal(0, 1, shape), dtype), **inputs}


def _forward_of(inputs: Inputs) -> tuple[Inputs, Value]:
    at = dict(inputs)
    return at, at.pop("grad_output")


def _three(got: Value) -> tuple[Value, ...]:
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        raise Wrong("a tuple of 3 arrays, (dq, dk, dv)", spelled(got))
    return tuple(got)


def _key_gradients_sum_to_zero(answer: Answer, inputs: Inputs) -> None:
    """The same vector added to every key changes no weight, so the dk add up to 0."""
    _, dk, _ = _three(answer(inputs))
    wanted = truth.scaled_dot_product_attention_backward(**inputs)[1]
    scale = wanted.scale.sum(axis=-2)
    total = plain(dk).sum(axis=-2)
    expect_close(
        total, Truth(np.zeros(scale.shape), scale, terms=wanted.terms), "float64", answer.track,
        "the sum of dk over the keys",
    )  # fmt: skip


def _masked_keys_get_zeros(answer: Answer, inputs: Inputs) -> None:
    """Exactly: nothing that such a key or value does can be seen."""
    got = _three(answer(inputs))
    hidden = ~inputs["mask"][..., 0, :]
    for name, gradient in zip(NAMES[1:], got[1:], strict=True):
        found = plain(gradient)[hidden]
        if not (found == 0).all():
            raise Wrong(f"{name} of exactly 0 for masked keys", f"{found[found != 0][0]:.3g}")
    expect_truth(answer, got, truth.scaled_dot_product_attention_backward(**inputs), "float64")


_flows_again = replace(
    gradient_flows(
        truth.scaled_dot_product_attention_backward,
        (
            Case("float64", lambda rng: _arriving(rng, "float64", (2,))),
            Case("padding_mask", lambda rng: _masked(rng, "float64", (2,)), "a padding mask"),
        ),
        through=["grad_output", "q", "k", "v"],
        points=1,
    ),
    name="gradient_flows_again",
    level="contract",
    promise="the gradients themselves are connected to autograd",
)


EXERCISE = Exercise(
    name="scaled_dot_product_attention_backward",
    topic="attention",
    signature="scaled_dot_product_attention_backward(grad_output, q, k, v, mask=None)",
    checks=(
        values(
            "matches_the_formulas",
            "core",
            "dv = P^T g, dq and dk from dS = P * (dP - r)",
            truth.scaled_dot_product_attention_backward,
            ordinary(
                _arriving, Case("one_sequence", lambda rng: _arriving(rng)), *upstream((CUBE,))
            ),
            points=2,
            names=NAMES,
        ),
        gradient_matches(
            truth.scaled_dot_product_attention,
            _forward_of,
            ("q", "k", "v"),
            (
                Case("float64", lambda rng: _arriving(rng, "float64", (2,))),
                Case("padding_mask", lambda rng: _masked(rng, "float64", (2,)), "a padding mask"),
            ),
        ),
        values(
            "obeys_every_mask",
            "core",
            "the forward's mask of any shape that broadcasts",
            truth.scaled_dot_product_attention_backward,
            upstream(masks(M)),
            names=NAMES,
        ),
        Check(
            "masked_keys_get_zeros",
            "core",
            "a key that no query may see has gradient 0",
            _masked_keys_get_zeros,
            (Case("padding_mask", lambda rng: _masked(rng, "float64", (2,))),),
        ),
        Check(
            "key_gradients_sum_to_zero",
            "core",
            "the gradients of all keys add up to 0",
            _key_gradients_sum_to_zero,
            (Case("float64", lambda rng: _arriving(rng, "float64", (2,))),),
        ),
        values(
            "gives_zeros_where_no_key_is_left",
            "stable",
            "a query whose keys are all masked contributes zeros",
            truth.scaled_dot_product_attention_backward,
            upstream(nothing_left(M)),
            names=NAMES,
        ),
        values(
            "survives_large_scores",
            "stable",
            "large scores do not overflow",
            truth.scaled_dot_product_attention_backward,
            # float16 itself could not hold gradients of numbers as large as 6e4.
            upstream((*(case for case in large() if case.name != "float16"), HIGHEST_MASKED), 1e-3),
            names=NAMES,
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny and equal scores and tiny values keep their digits",
            truth.scaled_dot_product_attention_backward,
            upstream(tiny()),
            names=NAMES,
        ),
        values(
            "handles_many_keys_and_one",
            "stable",
            "any number of keys",
            truth.scaled_dot_product_attention_backward,
            upstream(long_rows()),
            names=NAMES,
        ),
        _flows_again,
        *contract(
            _masked,
            truth.scaled_dot_product_attention_backward,
            refusals=(
                misshapen(_arriving, "k", (3, 4, 17), "k_of_another_width"),
                misshapen(_arriving, "v", (3, 17, 2), "v_of_another_length"),
                misshapen(_arriving, "grad_output", (3, 3, 17), "gradient_of_another_width"),
                misshapen(_arriving, "grad_output", (3, 17, 2), "gradient_of_another_length"),
                misshapen(_arriving, "grad_output", (1, 3, 2), "gradient_of_one_sequence"),
                *bad_masks(_arriving, N, M),
            ),
        ),
    ),
    scaled=("q",),
    hints=(
        "Go backwards through out = P v: for a matrix product, each factor's gradient is the "
        "arriving one times the other factor, transposed so that the shapes fit.",
        "Softmax row by row turns dP into dS = P * (dP - r): r is one number for each query, the "
        "average of dP with the weights P.",
        "The scores were divided by sqrt(d), so dq and dk are too. dk collects over the queries: "
        "which matrix must be transposed for that?",
    ),
    mistakes=MISTAKES,
    bench=Bench(
        sizes=(
            rows(256, 64, ("grad_output", "q", "k", "v")),
            rows(1024, 64, ("grad_output", "q", "k", "v")),
        ),
        moved_bytes=lambda inputs: 7 * plain(inputs["q"]).nbytes,
        operations=lambda inputs: dims(inputs)[0] * dims(inputs)[1] * (10 * dims(inputs)[2] + 9),
        yardsticks=yardsticks.BACKWARD,
    ),
)
