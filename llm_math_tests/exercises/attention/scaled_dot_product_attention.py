"""scaled_dot_product_attention: the values, mixed by how queries and keys match."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.promises import contract, expect_truth, gradient_flows, values
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.truth import Truth
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.attention import yardsticks
from llm_math_tests.exercises.attention.situations import (
    CUBE,
    M,
    N,
    attending,
    bad_masks,
    dims,
    large,
    long_rows,
    masks,
    minus_infinity,
    misshapen,
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


def _hidden_scores_are_highest(rng: Rng) -> Inputs:
    """Keys that would win by far, were they not masked."""
    inputs = padded(rng, "float32", (2,))
    hidden = ~inputs["mask"].swapaxes(-1, -2)
    q = np.abs(inputs["q"]) + 1
    return {**inputs, "q": q, "k": np.where(hidden, np.float32(2e3), -np.abs(inputs["k"]))}


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
            (
                *large(),
                Case("highest_scores_masked", _hidden_scores_are_highest, "masked scores far up"),
            ),
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
                misshapen(attending, "k_of_another_width", "k", (3, 4, 17)),
                misshapen(attending, "v_of_another_length", "v", (3, 17, 2)),
                *bad_masks(attending, N, M),
            ),
        ),
    ),
    hints=(
        "Three steps: scores (n, m), weights (n, m), output (n, e). Which axis of the scores must "
        "sum to 1, so that every query has its own average?",
        "Put -inf where the mask is False before the softmax: exp(-inf) is 0, so those keys drop "
        "out of the sum as well.",
        "If a whole row is -inf, its maximum is -inf too, and -inf - (-inf) is NaN. Which number "
        "could you subtract instead, and what must the sum of 0 become before you divide?",
    ),
    mistakes=(
        Mistake(
            "divided_by_d",
            "divided the scores by d, not by its root",
            "scale = 1 / math.sqrt(q.shape[-1])",
            "scale = 1 / q.shape[-1]",
        ),
        Mistake(
            "not_divided",
            "left out the division by sqrt(d)",
            "scale = 1 / math.sqrt(q.shape[-1])",
            "scale = 1.0",
        ),
        Mistake(
            "softmax_over_queries",
            "took the softmax over the queries, not over the keys",
            "top = scores.max(axis=-1, keepdims=True)",
            "scores = np.exp(scores - scores.max(axis=-2, keepdims=True))\n"
            "    scores = np.log(scores / scores.sum(axis=-2, keepdims=True))\n"
            "    top = np.zeros_like(scores[..., :1])",
            also=(("total[total == 0] = 1", "total[...] = 1"),),
        ),
        Mistake(
            "mask_upside_down",
            "hid what the mask keeps: True means keep",
            "where=~mask",
            "where=mask",
        ),
        Mistake(
            "mask_ignored",
            "left the mask out",
            "if mask is not None:",
            "if False:",
        ),
        Mistake(
            "masked_after_the_softmax",
            "zeroed the masked weights after the softmax, so that the rest no longer sum to 1",
            "np.copyto(scores, -np.inf, where=~mask)",
            "keep = mask",
            also=(
                (
                    "out = scores @ _widened(v)",
                    "out = (scores if mask is None else scores * keep) @ _widened(v)",
                ),
            ),
        ),
        Mistake(
            "masked_scores_set_to_zero",
            "set masked scores to 0, which still has weight: exp(0) is 1",
            "np.copyto(scores, -np.inf, where=~mask)",
            "np.copyto(scores, 0, where=~mask)",
        ),
        Mistake(
            "masked_with_a_large_negative_number",
            "masked with -1e9: where no key is left, all of them get equal weight",
            "np.copyto(scores, -np.inf, where=~mask)",
            "np.copyto(scores, -1e9, where=~mask)",
        ),
        Mistake(
            "nan_where_no_key_is_left",
            "subtracted -inf from -inf where no key is left, which is NaN",
            "top[top == -np.inf] = 0",
            "pass",
        ),
        Mistake(
            "maximum_before_the_mask",
            "took the maximum before masking: keys far below a masked one underflow to 0",
            "if mask is not None:",
            "top = scores.max(axis=-1, keepdims=True)\n    if mask is not None:",
            also=(("    top = scores.max(axis=-1, keepdims=True)\n    top[top", "    top[top"),),
        ),
        Mistake(
            "no_maximum_subtracted",
            "exponentiated without subtracting the row's maximum",
            "scores -= top",
            "scores -= 0",
        ),
        Mistake(
            "epsilon_in_the_sum",
            "added an epsilon to the sum, so that the weights do not sum to 1",
            "total[total == 0] = 1",
            "total += 1e-6",
        ),
        Mistake(
            "mask_of_the_first_sequence",
            "used one sequence's mask for all of them",
            "np.copyto(scores, -np.inf, where=~mask)",
            "np.copyto(scores, -np.inf, where=~mask[:1])",
        ),
        Mistake(
            "half_precision_sum",
            "summed the weights in float16, where adding to a large sum changes nothing",
            "total = scores.sum(axis=-1, keepdims=True)",
            "total = scores.astype(_as_float(q).dtype)\n"
            "    total = np.add.accumulate(total, axis=-1)[..., -1:].astype(scores.dtype)",
        ),
        Mistake(
            "half_precision_scores",
            "rounded the scores to float16, where 65504 is the largest",
            "scores = (_widened(q) * scale) @ _transposed(_widened(k))",
            "scores = (_widened(q) * scale) @ _transposed(_widened(k))\n"
            "    scores = scores.astype(_as_float(q).dtype).astype(scores.dtype)",
        ),
        Mistake(
            "always_float64",
            "returned float64 whatever came in",
            "return out.astype(_as_float(q).dtype, copy=False)",
            "return out.astype(np.float64)",
        ),
        Mistake(
            "input_overwritten",
            "scaled the caller's q in place",
            "scores = (_widened(q) * scale) @ _transposed(_widened(k))",
            "q = _as_float(q)\n"
            "    q *= q.dtype.type(scale)\n"
            "    scores = _widened(q) @ _transposed(_widened(k))",
        ),
        Mistake(
            "all_axes_turned",
            "transposed k with .T, which turns round the batch axes too",
            "_transposed(_widened(k))",
            "_widened(k).T",
        ),
        Mistake(
            "mask_not_checked",
            "let a mask of numbers through: 1.0 and 0.0 are not True and False",
            "_check_mask(mask, (*q.shape[:-1], k.shape[-2]))",
            "mask = None if mask is None else mask != 0",
        ),
        Mistake(
            "result_detached",
            "detached the result from autograd",
            "return out.to(_as_float(q).dtype)",
            "return out.detach().to(_as_float(q).dtype)",
            track="torch",
        ),
        Mistake(
            "nan_replaced_afterwards",
            "added -inf and replaced NaN after the softmax: the value is right, its gradient NaN",
            "weights, total = _exponentials(scores, mask)",
            "if mask is not None:\n"
            "        scores = scores + torch.zeros_like(scores).masked_fill(~mask, -math.inf)\n"
            "    top = scores.amax(dim=-1, keepdim=True)\n"
            "    weights = torch.exp(scores - top)\n"
            "    weights = torch.nan_to_num(weights / weights.sum(dim=-1, keepdim=True))\n"
            "    total = 1",
            track="torch",
        ),
        Mistake(
            "mask_on_the_cpu",
            "made a tensor for the masked scores on the CPU",
            "weights, total = _exponentials(scores, mask)",
            "if mask is not None:\n"
            "        scores = scores + torch.where(mask.cpu(), 0.0, -math.inf)\n"
            "    weights, total = _exponentials(scores, None)",
            track="torch",
        ),
    ),
    bench=Bench(
        sizes=(rows(256, 64, ("q", "k", "v")), rows(1024, 64, ("q", "k", "v"))),
        moved_bytes=lambda inputs: sum(plain(inputs[x]).nbytes for x in "qqkv"),
        operations=lambda inputs: dims(inputs)[0] * dims(inputs)[1] * (4 * dims(inputs)[2] + 5),
        yardsticks=yardsticks.ATTENTION,
    ),
)
