"""pre_norm_block_backward: two paths back to x, one of them without any obstacle."""

from __future__ import annotations

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Given, Value, cast, plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    gradient_flows,
    gradient_matches,
    relation,
    values,
)
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.exercise import Case, Exercise, Inputs
from llm_math_tests.exercises.normalization.mistakes_in_pre_norm_block_backward import MISTAKES
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
    linear_vjp,
    passes_untouched,
    sublayer,
    sublayer_vjp,
)
from llm_math_tests.truths import normalization as truth

ARGUMENTS = ("sublayer_vjp", "weight", "bias")


def _fresh() -> Inputs:
    return {"sublayer_vjp": sublayer_vjp()}


sample = make_sample(*ARGUMENTS, gradient=True, also=_fresh)
rows = make_rows(*ARGUMENTS, gradient=True, also=_fresh)


def _what_it_sees(
    grad_output: Value, x: Value, sublayer_vjp: Given, weight: Value, bias: Value
) -> tuple[Truth, ...]:
    g = extended(grad_output)
    return truth.layer_norm(x, weight, bias), Truth(g, abs(g))


def _forward_at(inputs: Inputs) -> tuple[Inputs, Value]:
    point = {name: inputs[name] for name in ("x", "weight", "bias")}
    return {**point, "sublayer": sublayer()}, inputs["grad_output"]


def _is_built_from_layer_norm_backward(
    answer: Answer, inputs: Inputs, layer_norm_backward: Answer
) -> None:
    asked = {**inputs, "sublayer_vjp": linear_vjp()}
    arrived = asked["sublayer_vjp"].function(inputs["x"], inputs["grad_output"])
    back = layer_norm_backward(
        {"grad_output": arrived, "x": inputs["x"], "weight": inputs["weight"]}
    )
    scale = truth.pre_norm_block_backward(**asked).scale
    wanted = inputs["grad_output"] + plain(back[0])
    expect_same(answer, answer(asked), wanted, scale, "what the two gradients are known to")


def _large(name: str, dtype: str, size: float) -> Case:
    make = make_rows(*ARGUMENTS, gradient=True, size=size, also=_fresh)
    return Case(name, lambda rng: make(rng, dtype, (3, 6)), f"gradients up to about {size:g}")


def _next_to_nothing(rng: Rng) -> Inputs:
    """A gradient that a deep network's sublayers have nearly lost."""
    inputs = sample(rng, "float32", (3,))
    return {**inputs, "grad_output": cast(rng.uniform(-1e-30, 1e-30, (3, N)), "float32")}


EXERCISE = Exercise(
    name="pre_norm_block_backward",
    topic="normalization",
    signature="pre_norm_block_backward(grad_output, x, sublayer_vjp, weight, bias)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "g, plus layer_norm's gradient of the sublayer's gradient of g",
            truth.pre_norm_block_backward,
            ordinary(sample, *shapes(rows)),
            points=2,
        ),
        gradient_matches(truth.pre_norm_block, _forward_at, ["x"], ordinary(sample)),
        passes_untouched(
            "sublayer_vjp",
            "grad_output",
            "where the sublayer's gradient is 0, the gradient comes out exactly as it came in",
            sample,
            (Case("tiny_gradients", _next_to_nothing, "gradients up to 1e-30"),),
        ),
        relation(
            "is_g_plus_layer_norm_backward",
            "it is g + (your layer_norm_backward of the sublayer's gradient)",
            ("layer_norm_backward",),
            _is_built_from_layer_norm_backward,
            ordinary(sample),
        ),
        gradient_flows(
            truth.pre_norm_block_backward,
            ordinary(sample),
            through=["grad_output", "x", "weight", "bias"],
        ),
        values(
            "keeps_digits_far_from_zero",
            "stable",
            "deviations keep their digits where the mean is large",
            truth.pre_norm_block_backward,
            offsets(rows),
        ),
        values(
            "survives_any_magnitude",
            "stable",
            "large and tiny numbers and gradients stay finite",
            truth.pre_norm_block_backward,
            (
                *large(rows),
                *tiny(rows)[2:],
                _large("gradients_float32", "float32", 1e3),
                _large("gradients_float16", "float16", 1e3),
                Case("gradients_next_to_nothing", _next_to_nothing, "gradients up to 1e-30"),
            ),
        ),
        values(
            "finite_without_deviations",
            "stable",
            "a row of equal numbers, or of one, has a gradient too",
            truth.pre_norm_block_backward,
            rows_of_one_number(rows),
        ),
        called_once("sublayer_vjp", ordinary(sample)),
        handed(
            "sublayer_vjp_gets_normed_and_g",
            "sublayer_vjp gets the normalized x, then g, in the shape and dtype of x",
            "sublayer_vjp",
            _what_it_sees,
            sample,
            large(rows),
        ),
        *contract(
            sample,
            truth.pre_norm_block_backward,
            refusals=(
                *(misshapen(sample, "grad_output", shape) for shape in ((3, N + 1), (N,), (1, N))),
                *(misshapen(sample, "weight", shape) for shape in WRONG_WIDTHS),
                *(misshapen(sample, "bias", shape) for shape in WRONG_WIDTHS),
            ),
        ),
    ),
    hints=(
        "Follow the forward function backwards: y = x + f(normed). g reaches x directly, and a "
        "second time through f and then through the normalization.",
        "sublayer_vjp(normed, g) gives the gradient at normed: layer_norm_backward takes it to "
        "x. Only its dx is needed here.",
        "Add the two. For float16, add in float32 and round once.",
    ),
    mistakes=MISTAKES,
    no_bench="layer_norm_backward is timed by itself; the rest of the time is the sublayer's",
)
