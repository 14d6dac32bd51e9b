"""What students do wrong in scaled_dot_product_attention."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

MISTAKES = (
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
        "widths_left_to_matmul",
        "left the check of the widths to matmul, whose message does not say which argument",
        "_check_same_width(q, k)",
        "",
    ),
    Mistake(
        "mask_shape_left_to_numpy",
        "checked the mask's dtype and left its shape to NumPy, whose message is about another",
        "_check_mask(mask, (*q.shape[:-1], k.shape[-2]))",
        "if mask is not None and mask.dtype != bool:\n"
        "        raise ValueError(f'mask must be boolean, got mask of dtype {mask.dtype}')",
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
)
