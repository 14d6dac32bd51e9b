"""pre_norm_block: a sublayer's change, added to what it started from."""

from __future__ import annotations

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Given, Value
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_same, gradient_flows, relation, values
from llm_math_tests.checks.situations import misshapen, ordinary
from llm_math_tests.checks.truth import Truth
from llm_math_tests.exercise import Exercise, Inputs
from llm_math_tests.exercises.normalization.mistakes_in_pre_norm_block import MISTAKES
from llm_math_tests.exercises.normalization.situations import (
    WRONG_WIDTHS,
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
    passes_untouched,
    sublayer,
)
from llm_math_tests.truths import normalization as truth

ARGUMENTS = ("sublayer", "weight", "bias")


def _fresh() -> Inputs:
    return {"sublayer": sublayer()}


sample = make_sample(*ARGUMENTS, also=_fresh)
rows = make_rows(*ARGUMENTS, also=_fresh)


def _what_it_sees(x: Value, sublayer: Given, weight: Value, bias: Value) -> tuple[Truth, ...]:
    return (truth.layer_norm(x, weight, bias),)


def _agrees_with_layer_norm(answer: Answer, inputs: Inputs, layer_norm: Answer) -> None:
    normed = layer_norm({name: inputs[name] for name in ("x", "weight", "bias")})
    wanted = inputs["x"] + inputs["sublayer"].function(normed)
    scale = truth.pre_norm_block(**inputs).scale
    expect_same(answer, answer(inputs), wanted, scale, "x and what the sublayer is known to")


EXERCISE = Exercise(
    name="pre_norm_block",
    topic="normalization",
    signature="pre_norm_block(x, sublayer, weight, bias)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "x + sublayer(layer_norm(x))",
            truth.pre_norm_block,
            ordinary(sample, *shapes(rows)),
            points=2,
        ),
        passes_untouched(
            "sublayer",
            "x",
            "with a sublayer that gives 0, x comes out exactly",
            sample,
            offsets(rows),
        ),
        relation(
            "is_x_plus_the_sublayer_of_layer_norm",
            "it is x + sublayer(your layer_norm of x)",
            ("layer_norm",),
            _agrees_with_layer_norm,
            ordinary(sample),
        ),
        gradient_flows(truth.pre_norm_block, ordinary(sample), through=["x", "weight", "bias"]),
        values(
            "keeps_digits_far_from_zero",
            "stable",
            "the sublayer's input keeps its digits where the residual path is large",
            truth.pre_norm_block,
            offsets(rows),
        ),
        values(
            "survives_any_magnitude",
            "stable",
            "large and tiny numbers stay finite",
            truth.pre_norm_block,
            (*large(rows)[:1], *tiny(rows)[2:], *large(rows)[2:]),
        ),
        values(
            "finite_without_deviations",
            "stable",
            "a row of equal numbers, or of one, is no 0 / 0",
            truth.pre_norm_block,
            rows_of_one_number(rows),
        ),
        called_once("sublayer", ordinary(sample)),
        handed(
            "sublayer_gets_the_normalized_numbers",
            "the sublayer gets the normalized x, in the shape and dtype of x",
            "sublayer",
            _what_it_sees,
            sample,
            large(rows),
        ),
        *contract(
            sample,
            truth.pre_norm_block,
            refusals=(
                *(misshapen(sample, "weight", shape) for shape in WRONG_WIDTHS),
                *(misshapen(sample, "bias", shape) for shape in WRONG_WIDTHS),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "The residual path takes x through the layer untouched. What does the sublayer get to "
        "see, and what is its result added to?",
        "Normalize, call the sublayer with the normalized numbers, and add x itself, not the "
        "normalized x. Your layer_norm may be called from here, if it stands in the same file.",
    ),
    mistakes=MISTAKES,
    no_bench="layer_norm is timed by itself; the rest of the time is the sublayer's",
)
