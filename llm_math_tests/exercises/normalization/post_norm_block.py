"""post_norm_block: the original transformer's order, normalized after the sum."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Given, Value
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    expect_truth,
    gradient_flows,
    relation,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import misshapen, ordinary
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.exercise import Case, Check, Exercise, Inputs
from llm_math_tests.exercises.normalization.mistakes_in_post_norm_block import MISTAKES
from llm_math_tests.exercises.normalization.situations import (
    WRONG_WIDTHS,
    N,
    large,
    make_rows,
    make_sample,
    offsets,
    rows_of_one_number,
    shapes,
    tiny,
)
from llm_math_tests.exercises.normalization.sublayers import (
    called_once,
    handed,
    nothing,
    sublayer,
)
from llm_math_tests.truths import normalization as truth

ARGUMENTS = ("sublayer", "weight", "bias")


def _fresh() -> Inputs:
    return {"sublayer": sublayer()}


sample = make_sample(*ARGUMENTS, also=_fresh)
rows = make_rows(*ARGUMENTS, also=_fresh)


def _what_it_sees(x: Value, sublayer: Given, weight: Value, bias: Value) -> tuple[Truth, ...]:
    numbers = extended(x)
    return (Truth(numbers, np.zeros(numbers.shape), relative_to="nothing: it is x itself"),)


def _without_a_sublayer(answer: Answer, inputs: Inputs) -> None:
    """With a sublayer that gives 0, what is left is layer_norm."""
    got = answer({**inputs, "sublayer": nothing("sublayer")})
    wanted = truth.layer_norm(inputs["x"], inputs["weight"], inputs["bias"])
    expect_truth(answer, got, wanted, result_dtype(inputs, answer.track))


def _agrees_with_layer_norm(answer: Answer, inputs: Inputs, layer_norm: Answer) -> None:
    total = inputs["x"] + inputs["sublayer"].function(inputs["x"])
    wanted = layer_norm({"x": total, "weight": inputs["weight"], "bias": inputs["bias"]})
    scale = truth.post_norm_block(**inputs).scale
    expect_same(answer, answer(inputs), wanted, scale, "what the normalized sum is known to")


def _sum_beyond_half(rng: np.random.Generator) -> Inputs:
    """Numbers and a sublayer's result that fit in float16, and whose sum does not."""
    return {
        "x": rng.uniform(3.5e4, 6e4, (3, N)).astype("float16"),
        "sublayer": Given("sublayer", lambda x: x),
        "weight": rng.uniform(0.5, 1.5, N).astype("float16"),
        "bias": rng.normal(0, 1, N).astype("float16"),
    }


EXERCISE = Exercise(
    name="post_norm_block",
    topic="normalization",
    signature="post_norm_block(x, sublayer, weight, bias)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "layer_norm(x + sublayer(x))",
            truth.post_norm_block,
            ordinary(sample, *shapes(rows)),
            points=2,
        ),
        Check(
            "is_layer_norm_without_a_sublayer",
            "core",
            "with a sublayer that gives 0, it is layer_norm",
            _without_a_sublayer,
            ordinary(sample),
        ),
        relation(
            "is_layer_norm_of_the_sum",
            "it is your layer_norm of x + sublayer(x)",
            ("layer_norm",),
            _agrees_with_layer_norm,
            ordinary(sample),
        ),
        gradient_flows(truth.post_norm_block, ordinary(sample), through=["x", "weight", "bias"]),
        values(
            "keeps_digits_far_from_zero",
            "stable",
            "deviations keep their digits where the sum is large",
            truth.post_norm_block,
            offsets(rows),
        ),
        values(
            "survives_any_magnitude",
            "stable",
            "large and tiny numbers stay finite, also where the sum is above 65504",
            truth.post_norm_block,
            (
                *large(rows),
                *tiny(rows),
                Case("float16_sum", _sum_beyond_half, "a sum beyond float16"),
            ),
        ),
        values(
            "finite_without_deviations",
            "stable",
            "a row of one number gives bias",
            truth.post_norm_block,
            rows_of_one_number(rows),
        ),
        called_once("sublayer", ordinary(sample)),
        handed(
            "sublayer_gets_x",
            "the sublayer gets x as it is, in its shape and dtype",
            "sublayer",
            _what_it_sees,
            sample,
            large(rows),
        ),
        *contract(
            sample,
            truth.post_norm_block,
            refusals=(
                *(misshapen(sample, "weight", shape) for shape in WRONG_WIDTHS),
                *(misshapen(sample, "bias", shape) for shape in WRONG_WIDTHS),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Here nothing leaves the layer without being normalized. In which order do the "
        "sublayer, the sum and the normalization come?",
        "Call the sublayer with x, add x, normalize the sum. Your layer_norm may be called from "
        "here, if it stands in the same file.",
        "In float16 the sum may be above 65504 though its parts are not: add in float32, "
        "normalize, and convert back at the end.",
    ),
    mistakes=MISTAKES,
    no_bench="layer_norm is timed by itself; the rest of the time is the sublayer's",
)
