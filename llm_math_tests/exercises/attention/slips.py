"""Mistakes that are made in several exercises of this topic."""

from __future__ import annotations

from functools import partial

from llm_math_tests.exercise import Mistake

_in_the_weights = partial(Mistake, helper="_exponentials")
"""Most of them are made between the scores and the weights."""

_HIDDEN = "np.copyto(scores, -np.inf, where=~mask)"

ALL_AXES_TURNED = Mistake(
    "all_axes_turned",
    "transposed with .T, which turns round the batch axes too",
    "x.swapaxes(-1, -2)",
    "x.T",
    helper="_transposed",
)

HALF_PRECISION_SUM = Mistake(
    "half_precision_sum",
    "summed the weights in float16, where adding to a large sum changes nothing",
    "weights, total = _exponentials(scores, mask)",
    "weights, total = _exponentials(scores, mask)\n"
    "    total = np.add.accumulate(weights.astype(_as_float(q).dtype), axis=-1)[..., -1:]\n"
    "    total = np.where(total == 0, 1, total).astype(weights.dtype)",
)


def of_every_scale() -> tuple[Mistake, ...]:
    """What goes wrong with the division by sqrt(d)."""
    scale = "scale = 1 / math.sqrt(q.shape[-1])"
    return (
        Mistake("divided_by_d", "divided by d, not by its root", scale, "scale = 1 / q.shape[-1]"),
        Mistake("not_divided", "left out the division by sqrt(d)", scale, "scale = 1.0"),
    )


def of_every_softmax() -> tuple[Mistake, ...]:
    """What goes wrong between the scores and the weights, mask or not."""
    return (
        _in_the_weights(
            "no_maximum_subtracted",
            "exponentiated without subtracting the row's maximum",
            "scores -= top",
            "scores -= 0",
        ),
        _in_the_weights(
            "softmax_over_queries",
            "took the softmax over the queries, not over the keys",
            "top = scores.max(axis=-1, keepdims=True)",
            "scores = np.exp(scores - scores.max(axis=-2, keepdims=True))\n"
            "    scores = np.log(scores / scores.sum(axis=-2, keepdims=True))\n"
            "    top = np.zeros_like(scores[..., :1])",
            also=(("total[total == 0] = 1", "total[...] = 1"),),
        ),
        _in_the_weights(
            "nan_where_no_key_is_left",
            "subtracted -inf from -inf where no key is left, which is NaN",
            "top[top == -np.inf] = 0",
            "pass",
        ),
        _in_the_weights(
            "epsilon_in_the_sum",
            "added an epsilon to the sum, so that the weights do not sum to 1",
            "total[total == 0] = 1",
            "total += 1e-6",
        ),
    )


def of_every_mask() -> tuple[Mistake, ...]:
    """What goes wrong with the mask."""
    return (
        _in_the_weights(
            "mask_upside_down", "hid what the mask keeps: True means keep", "~mask", "mask"
        ),
        _in_the_weights("mask_ignored", "left the mask out", "if mask is not None:", "if False:"),
        _in_the_weights(
            "masked_after_the_softmax",
            "zeroed the masked weights after the softmax, so that the rest no longer sum to 1",
            _HIDDEN,
            "pass",
            also=(
                ("return scores, total", "return scores if mask is None else scores * mask, total"),
            ),
        ),
        _in_the_weights(
            "masked_scores_set_to_zero",
            "set masked scores to 0, which still has weight: exp(0) is 1",
            "scores, -np.inf,",
            "scores, 0,",
        ),
        _in_the_weights(
            "masked_with_a_large_negative_number",
            "masked with -1e9: where no key is left, all of them get equal weight",
            "scores, -np.inf,",
            "scores, -1e9,",
        ),
        _in_the_weights(
            "maximum_before_the_mask",
            "took the maximum before masking: keys far below a masked one underflow to 0",
            "if mask is not None:",
            "top = scores.max(axis=-1, keepdims=True)\n    if mask is not None:",
            also=(("    top = scores.max(axis=-1, keepdims=True)\n    top[top", "    top[top"),),
        ),
        _in_the_weights(
            "mask_of_the_first_sequence",
            "used one sequence's mask for all of them",
            _HIDDEN,
            "np.copyto(scores, -np.inf, where=~mask[:1])",
        ),
    )
