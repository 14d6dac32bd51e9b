"""transformer_block: attention and a feed-forward network, each beside a residual path."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, cast, plain
from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_arrived,
    expect_same,
    expect_truth,
    relation,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.truth import Extended, Truth, eps, extended
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Size
from llm_math_tests.exercises.attention.situations import N, bad_masks, masks, nothing_left
from llm_math_tests.exercises.normalization import yardsticks
from llm_math_tests.exercises.normalization.blocks import (
    HEADS,
    bad_params,
    masked,
    parameters,
    tokens,
    unmasked,
    whole,
    without,
)
from llm_math_tests.exercises.normalization.mistakes_in_transformer_block import MISTAKES
from llm_math_tests.truths import normalization as truth
from llm_math_tests.truths.activations import below


def _passes_untouched(answer: Answer, inputs: Inputs) -> None:
    """With w_o, w2 and b2 all 0, both sublayers give 0, and x comes out exactly."""
    x = extended(inputs["x"])
    exact = Truth(x, np.zeros(x.shape), relative_to="nothing: it is exact")
    expect_truth(answer, answer(inputs), exact, result_dtype(inputs, answer.track))


def _later_tokens_change_nothing(answer: Answer, inputs: Inputs) -> None:
    """Under a causal mask, a text's beginning does not know how it goes on."""
    causal = {**inputs, "mask": np.tril(np.ones((N, N), bool))}
    longer = {**causal, "x": inputs["x"].copy()}
    longer["x"][..., -1, :] += 3.0
    wanted = truth.transformer_block(**causal)
    for asked in (causal, longer):
        got = extended(answer(asked))[..., :-1, :]
        early = Truth(
            wanted.value[..., :-1, :], wanted.scale[..., :-1, :], terms=wanted.terms,
            relative_to=wanted.relative_to,
        )  # fmt: skip
        expect_close(got.astype("float64"), early, "float64", answer.track, "the earlier tokens")


def _gradient_reaches_everything(answer: Answer, inputs: Inputs) -> None:
    """Autograd's gradient of x and of each parameter, along a random direction of each."""
    wanted = truth.transformer_block(**inputs)
    dtype = result_dtype(inputs, answer.track)
    rng = np.random.default_rng(1)
    cotangent = rng.choice([-1.0, 1.0], wanted.value.shape).astype(dtype)
    got, grads = answer.vjp(inputs, [cotangent])
    expect_truth(answer, got, wanted, dtype)
    for name in ("x", *inputs["params"]):
        expect_arrived(grads[name], name)
        there = inputs["x"] if name == "x" else inputs["params"][name]
        directions = [extended(rng.normal(0, 1, there.shape)) for _ in range(4)]
        slopes = [_slope(inputs, name, direction, cotangent) for direction in directions]
        along = Truth(
            np.asarray(slopes[0]), np.asarray(4 * np.abs(slopes).max() + 1),
            steps=64 + 1e-7 / eps(dtype),
            relative_to="the gradient along a direction, plus 1e-7 for differences",
        )  # fmt: skip
        have = (extended(grads[name]) * directions[0]).sum()
        what = f"the gradient with respect to {name}, along a random direction"
        expect_close(np.asarray(have, "float64"), along, dtype, answer.track, what)


def _slope(
    inputs: Inputs, name: str, direction: np.ndarray, cotangent: np.ndarray
) -> np.longdouble:
    """The truth's derivative along a direction, by central differences."""
    step = Extended(1e-6)
    up, down = (
        (truth.transformer_block(**_moved(inputs, name, sign * step * direction)).value
         * cotangent).sum()
        for sign in (1, -1)
    )  # fmt: skip
    slope: np.longdouble = (up - down) / (2 * step)
    return slope


def _moved(inputs: Inputs, name: str, by: np.ndarray) -> Inputs:
    if name == "x":
        return {**inputs, "x": extended(inputs["x"]) + by}
    params = inputs["params"]
    return {**inputs, "params": {**params, name: extended(params[name]) + by}}


def _is_made_of_your_own(
    answer: Answer, inputs: Inputs, layer_norm: Answer, multi_head_attention: Answer
) -> None:
    p = inputs["params"]

    def normed(x: Value, which: str) -> np.ndarray:
        return plain(
            layer_norm({"x": x, "weight": p[f"{which}_weight"], "bias": p[f"{which}_bias"]})
        )

    others: Inputs = {name: inputs[name] for name in ("num_heads", "mask") if name in inputs}
    heads: Inputs = {name: p[name] for name in HEADS}
    mixed = inputs["x"] + plain(
        multi_head_attention({"x": normed(inputs["x"], "norm1"), **heads, **others})
    )
    before = extended(normed(mixed, "norm2") @ p["w1"] + p["b1"])
    hidden = before * below(before)
    wanted = extended(mixed) + hidden @ extended(p["w2"]) + extended(p["b2"])
    scale = truth.transformer_block(**inputs).scale
    expect_same(
        answer, answer(inputs), wanted, scale, "what the parts are known to", terms=32
    )  # fmt: skip


def _extreme(rng: Rng) -> Inputs:
    """Scores and pre-activations of hundreds: only the largest scores have any weight."""
    inputs = unmasked(rng, "float32", (2,))
    params = {name: plain(value) for name, value in inputs["params"].items()}
    for name in ("w_q", "w_k", "w1"):
        params[name] = params[name] * np.float32(30)
    return {**inputs, "params": params}


def _bench(rng: Rng, dtype: str, batch: int, n: int, d: int) -> Inputs:
    x = cast(rng.standard_normal((batch, n, d), "float32"), dtype)
    return {"x": x, "params": parameters(rng, dtype, d), "num_heads": 8}


def _operations(inputs: Inputs) -> int:
    """Products with the weights, scores and mixtures, and some fifty a hidden number."""
    batch, n, d = plain(inputs["x"]).shape
    return int(batch * n * (24 * d * d + n * (4 * d + 5 * inputs["num_heads"]) + 220 * d))


EXERCISE = Exercise(
    name="transformer_block",
    topic="normalization",
    signature="transformer_block(x, params, num_heads, mask=None)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "x, plus attention of its norm, plus the feed-forward network of that sum's norm",
            truth.transformer_block,
            ordinary(unmasked, tokens(4, 6, 1), tokens(4, 6, 3), tokens(4, 6, 6), tokens(4, 4, 2)),
            points=3,
        ),
        values(
            "each_half_alone",
            "core",
            "without attention it is the feed-forward half, and the other way round",
            truth.transformer_block,
            (
                Case("feed_forward_only", without("w_o"), "w_o all 0"),
                Case("attention_only", without("w2", "b2"), "w2 and b2 all 0"),
            ),
        ),
        Check(
            "residual_path_is_untouched",
            "core",
            "with w_o, w2 and b2 all 0, x comes out exactly",
            _passes_untouched,
            (Case("float64", without("w_o", "w2", "b2"), "w_o, w2 and b2 all 0"),),
        ),
        values(
            "obeys_every_mask",
            "core",
            "a mask of any shape that broadcasts is the same for every head",
            truth.transformer_block,
            masks(N, unmasked),
        ),
        Check(
            "later_tokens_change_nothing",
            "core",
            "under a causal mask, a token's result depends on no later token",
            _later_tokens_change_nothing,
            (Case("float64", lambda rng: unmasked(rng, "float64", (2,))),),
        ),
        relation(
            "is_made_of_your_own_parts",
            "it is put together from your layer_norm and your multi_head_attention",
            ("layer_norm", "multi_head_attention"),
            _is_made_of_your_own,
            ordinary(unmasked, Case("masked", lambda rng: masked(rng, "float64", (2,)))),
        ),
        Check(
            "gradient_flows",
            "core",
            "autograd through the answer gives the gradient of x and of every parameter",
            _gradient_reaches_everything,
            (
                Case("float64", lambda rng: masked(rng, "float64", (2,))),
                Case("float32", lambda rng: unmasked(rng, "float32", (2,))),
            ),
            2,
            tracks=("torch",),
            broken_by=(habits.GRAPH_CUT,),
        ),
        values(
            "gives_zeros_where_no_key_is_left",
            "stable",
            "a token whose keys are all masked gets nothing from attention, never NaN",
            truth.transformer_block,
            nothing_left(N, unmasked),
        ),
        values(
            "survives_any_magnitude",
            "stable",
            "large, tiny and far-off tokens, and large scores, keep their digits",
            truth.transformer_block,
            (
                tokens(3, 4, 2, "float32", name="up_to_1e4", mean=0, spread=5e3),
                tokens(3, 4, 2, "float32", name="around_1e4", mean=1e4),
                tokens(3, 4, 2, "float64", name="float64_around_1e4", mean=1e4, spread=1e-3),
                tokens(3, 4, 2, "float32", name="up_to_1e_minus_30", mean=0, spread=1e-30),
                tokens(3, 8, 2, "float16", name="float16_around_3e4", mean=3e4, spread=5e3),
                Case("large_scores", _extreme, "scores of hundreds"),
            ),
        ),
        values(
            "handles_many_tokens_and_one",
            "stable",
            "any number of tokens",
            truth.transformer_block,
            (tokens(1, 4, 2), tokens(60, 4, 2, "float32"), tokens(40, 4, 2, "float16")),
        ),
        *contract(
            masked,
            truth.transformer_block,
            integers=whole,
            refusals=(*bad_params(), *bad_masks(unmasked, N, N)),
        ),
    ),
    scaled=("x",),
    hints=(
        "It is pre_norm_block twice: first with attention as the sublayer, then with the "
        "feed-forward network. What the second one normalizes is the sum that the first one made.",
        "Write attention as in multi_head_attention: project, cut into heads, softmax over the "
        "keys, put together, times w_o. A query whose keys are all masked gets zeros.",
        "GELU is u (1 + erf(u / sqrt(2))) / 2. Where the library has no erf, a rational "
        "approximation on two pieces does it; math.erf takes one number at a time.",
    ),
    mistakes=MISTAKES,
    bench=Bench(
        sizes=(
            Size("2 x 64 x 128, 8 heads", lambda rng, dtype: _bench(rng, dtype, 2, 64, 128)),
            Size("2 x 256 x 512, 8 heads", lambda rng, dtype: _bench(rng, dtype, 2, 256, 512)),
        ),
        moved_bytes=lambda inputs: (
            2 * plain(inputs["x"]).nbytes
            + sum(plain(value).nbytes for value in inputs["params"].values())
        ),
        operations=_operations,
        yardsticks=yardsticks.TRANSFORMER_BLOCK,
    ),
)
