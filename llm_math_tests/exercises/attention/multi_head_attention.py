"""multi_head_attention: several softmaxes side by side, each on its own slice of the width."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast, plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    expect_truth,
    gradient_flows,
    relation,
    values,
)
from llm_math_tests.checks.situations import Rng, changed, misshapen, ordinary
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Refusal, Size
from llm_math_tests.exercises.attention import yardsticks
from llm_math_tests.exercises.attention.mistakes_in_multi_head_attention import MISTAKES
from llm_math_tests.exercises.attention.situations import (
    N,
    bad_masks,
    masks,
    nothing_left,
    projected,
    projected_and_padded,
)
from llm_math_tests.truths import attention as truth

WEIGHTS = ("w_q", "w_k", "w_v", "w_o")


def _tokens(
    n: int, d: int, heads: int, dtype: str = "float64", size: float = 1.0, *, exact: bool = False
) -> Case:
    """Two sequences of n tokens of width d; ``exact``: large whole numbers, and small ones."""

    def make(rng: Rng) -> Inputs:
        x = rng.normal(0, size, (2, n, d))
        weights = {name: rng.normal(0, d**-0.5, (d, d)) for name in WEIGHTS}
        if exact:
            x = rng.integers(-8, 9, (2, n, d)) * np.reshape([size / 8, 1.0], (2, 1, 1))
            weights |= {
                name: rng.integers(-1, 2, (d, d)).astype(np.float64) for name in WEIGHTS[:2]
            }
        cast_weights = {name: cast(w, dtype) for name, w in weights.items()}
        return {"x": cast(x, dtype), **cast_weights, "num_heads": heads}

    name = f"{dtype}_{n}_tokens_{heads}_heads_of_width_{d // heads}"
    name += f"_up_to_{size:g}".replace("-", "minus_") if exact else ""
    return Case(name, make, f"{heads} heads of width {d // heads}, numbers up to {size:g}")


def _hidden_tokens_are_largest(rng: Rng) -> Inputs:
    """Tokens that everybody would look at, were they not padding."""
    inputs = projected_and_padded(rng, "float64", (2,))
    kept = inputs["mask"].swapaxes(-1, -2)
    x = np.where(kept, rng.uniform(0.5, 1.5, (2, N, 4)), 2e3)
    return {**inputs, "x": x, "w_q": np.eye(4), "w_k": np.eye(4)}


def _one_head(answer: Answer, inputs: Inputs) -> None:
    """With one head and weights of 1, this is plain attention of x with itself."""
    x = inputs["x"]
    one = dict.fromkeys(WEIGHTS, np.eye(x.shape[-1]))
    got = answer({"x": x, **one, "num_heads": 1})
    expect_truth(answer, got, truth.scaled_dot_product_attention(x, x, x), "float64")


def _keeps_heads_apart(answer: Answer, inputs: Inputs) -> None:
    """Without w_o's mixing, values that one head does not get leave its columns at 0."""
    x, heads = inputs["x"], inputs["num_heads"]
    width = x.shape[-1] // heads
    for head in range(heads):
        w_v = inputs["w_v"].copy()
        w_v[:, head * width : (head + 1) * width] = 0
        only = {**inputs, "w_v": w_v, "w_o": np.eye(x.shape[-1])}
        expect_truth(answer, answer(only), truth.multi_head_attention(**only), "float64")


def _heads_are_attention(answer: Answer, inputs: Inputs, attention: Answer) -> None:
    x, heads = inputs["x"], inputs["num_heads"]
    width = x.shape[-1] // heads
    slices = [slice(head * width, (head + 1) * width) for head in range(heads)]
    parts = []
    for columns in slices:
        one = attention({name: x @ inputs[f"w_{name}"][:, columns] for name in "qkv"})
        parts.append(expect_array(one, answer.track))
        expect_shape(one, (*x.shape[:-1], width))
    wanted = extended(np.concatenate(parts, axis=-1)) @ extended(inputs["w_o"])
    true = truth.multi_head_attention(**inputs)
    expect_same(answer, answer(inputs), wanted, true.scale, true.relative_to, terms=true.terms)


def _order_does_not_matter(answer: Answer, inputs: Inputs) -> None:
    """Without a mask, attention does not know the order of its tokens."""
    order = [2, 0, 1]
    wanted = truth.multi_head_attention(**inputs)
    turned = Truth(
        wanted.value[..., order, :], wanted.scale[..., order, :], terms=wanted.terms,
        relative_to=wanted.relative_to,
    )  # fmt: skip
    got = answer({**inputs, "x": inputs["x"][..., order, :].copy()})
    expect_truth(answer, got, turned, "float64")


def _ignores_masked_tokens(answer: Answer, inputs: Inputs) -> None:
    """What stands in the padding changes nothing for the other tokens."""
    kept = inputs["mask"][..., 0, :]
    padded = {**inputs, "x": np.where(kept[..., None], inputs["x"], 30.0)}
    wanted = truth.multi_head_attention(**inputs)
    at_padding = truth.multi_head_attention(**padded)
    expect_truth(answer, answer(inputs), wanted, "float64")
    # The padding's own rows are theirs: they are asked with what stands there now.
    value = np.where(kept[..., None], wanted.value, at_padding.value)
    scale = np.where(kept[..., None], wanted.scale, at_padding.scale)
    mixed = Truth(value, scale, terms=wanted.terms, relative_to=wanted.relative_to)
    expect_truth(answer, answer(padded), mixed, "float64")


EXERCISE = Exercise(
    name="multi_head_attention",
    topic="attention",
    signature="multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "attention in each head's slice, side by side, times w_o",
            truth.multi_head_attention,
            ordinary(
                projected,
                _tokens(5, 6, 1),
                _tokens(5, 6, 2),
                _tokens(5, 6, 3),
                _tokens(5, 6, 6),
                _tokens(4, 4, 4),
            ),
            points=2,
        ),
        Check(
            "one_head_is_plain_attention",
            "core",
            "one head with weights of 1 is scaled dot-product attention",
            _one_head,
            (Case("float64", lambda rng: projected(rng, "float64", (2,))),),
        ),
        Check(
            "keeps_heads_apart",
            "core",
            "each head owns a contiguous slice of the width",
            _keeps_heads_apart,
            (_tokens(3, 6, 2), _tokens(3, 6, 3)),
        ),
        relation(
            "heads_are_attention",
            "each head is your attention, in its slice of the width",
            ["scaled_dot_product_attention"],
            _heads_are_attention,
            (_tokens(5, 6, 2), _tokens(5, 6, 3)),
        ),
        Check(
            "order_of_tokens_does_not_matter",
            "core",
            "without a mask, tokens in another order give the same rows in that order",
            _order_does_not_matter,
            (Case("float64", lambda rng: projected(rng, "float64", (2,))),),
        ),
        values(
            "obeys_every_mask",
            "core",
            "a mask of any shape that broadcasts is the same for every head",
            truth.multi_head_attention,
            masks(N, projected),
            points=2,
        ),
        Check(
            "ignores_masked_tokens",
            "core",
            "what stands in the padding changes nothing elsewhere",
            _ignores_masked_tokens,
            (Case("padding_mask", lambda rng: projected_and_padded(rng, "float64", (2,))),),
        ),
        gradient_flows(
            truth.multi_head_attention,
            (
                Case("float64", lambda rng: projected(rng, "float64", (2,))),
                Case("float32", lambda rng: projected(rng, "float32", (2,))),
                Case("padding_mask", lambda rng: projected_and_padded(rng, "float64", (2,))),
            ),
            through=["x", *WEIGHTS],
        ),
        values(
            "gives_zeros_where_no_key_is_left",
            "stable",
            "a token whose keys are all masked gives zeros",
            truth.multi_head_attention,
            nothing_left(N, projected),
        ),
        values(
            "survives_large_scores",
            "stable",
            "large scores do not overflow",
            truth.multi_head_attention,
            (
                _tokens(4, 8, 2, "float32", 1e4, exact=True),
                _tokens(4, 8, 2, "float32", 32.0, exact=True),
                _tokens(4, 8, 2, "float16", 512.0, exact=True),
                Case("highest_scores_masked", _hidden_tokens_are_largest, "masked scores far up"),
            ),
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny tokens keep their digits",
            truth.multi_head_attention,
            (_tokens(4, 4, 2, "float32", 1e-30),),
        ),
        values(
            "handles_many_tokens_and_one",
            "stable",
            "any number of tokens",
            truth.multi_head_attention,
            (_tokens(1, 4, 2), _tokens(60, 4, 2, "float32"), _tokens(40, 4, 2, "float16", 0.5)),
        ),
        *contract(
            projected_and_padded,
            truth.multi_head_attention,
            refusals=(
                *(misshapen(projected, w, (4, 17), f"{w}_of_another_shape") for w in WEIGHTS),
                misshapen(projected, "w_q", (17, 17), "w_q_too_large"),
                Refusal("num_heads_3", changed(projected, num_heads=3), "num_heads", "3"),
                Refusal("num_heads_0", changed(projected, num_heads=0), "num_heads", "0"),
                Refusal("num_heads_minus_2", changed(projected, num_heads=-2), "num_heads", "-2"),
                *bad_masks(projected, N, N),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Project first: x @ w_q, x @ w_k, x @ w_v are (..., n, d). The last axis is H slices of "
        "d / H columns, one after the other: which reshape cuts it so?",
        "Bring the head axis in front of the tokens, (..., H, n, d / H): then one call of "
        "attention serves all heads. A reshape alone cannot move an axis past another.",
        "A mask (batch, 1, n) lines up with (batch, H, n, n) from the right: where must it get an "
        "axis of length 1? Undo the two steps before you multiply by w_o.",
    ),
    mistakes=MISTAKES,
    bench=Bench(
        sizes=(
            Size("2 x 128 x 256, 8 heads", lambda rng, dtype: _bench(rng, dtype, 2, 128, 256)),
            Size("2 x 512 x 512, 8 heads", lambda rng, dtype: _bench(rng, dtype, 2, 512, 512)),
        ),
        moved_bytes=lambda inputs: 2 * plain(inputs["x"]).nbytes + 4 * plain(inputs["w_q"]).nbytes,
        operations=lambda inputs: _operations(inputs),
        yardsticks=yardsticks.MULTI_HEAD,
        compositions=yardsticks.MULTI_HEAD_COMPOSED,
    ),
)


def _bench(rng: Rng, dtype: str, batch: int, n: int, d: int) -> Inputs:
    x = {"x": cast(rng.standard_normal((batch, n, d), "float32"), dtype)}
    scale = np.float32(d**-0.5)
    weights = {
        name: cast(rng.standard_normal((d, d), "float32") * scale, dtype) for name in WEIGHTS
    }
    return {**x, **weights, "num_heads": 8}


def _operations(inputs: Inputs) -> int:
    """Four projections, and scores, softmax and mixture of every head."""
    batch, n, d = plain(inputs["x"]).shape
    return int(batch * n * (8 * d * d + n * (4 * d + 5 * inputs["num_heads"])))
