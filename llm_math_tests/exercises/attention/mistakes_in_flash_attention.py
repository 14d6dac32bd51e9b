"""What students do wrong in flash_attention."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.attention.slips import ALL_AXES_TURNED

MISTAKES = (
    Mistake(
        "mixture_not_rescaled",
        "rescaled the sum but not the mixture when the maximum grew",
        "row_out *= shrink",
        "pass",
    ),
    Mistake(
        "sum_not_rescaled",
        "rescaled the mixture but not the sum when the maximum grew",
        "row_total *= shrink",
        "pass",
    ),
    Mistake(
        "rescaled_the_wrong_way",
        "rescaled by exp(t' - t) instead of exp(t - t')",
        "shrink = np.exp(old_top - safe)",
        "shrink = np.exp(np.where(old_top == -np.inf, safe, old_top) * -1 + safe)",
    ),
    Mistake(
        "rescaled_the_wrong_way_from_minus_infinity",
        "rescaled by exp(t' - t) instead of exp(t - t')",
        "shrink = np.exp(old_top - safe)",
        "shrink = np.exp(safe - old_top)",
    ),
    Mistake(
        "block_maximum_only",
        "used each block's own maximum without remembering the largest so far",
        "new_top = np.maximum(old_top, scores.max(axis=-1, keepdims=True))",
        "new_top = scores.max(axis=-1, keepdims=True)",
        also=(("shrink = np.exp(old_top - safe)", "shrink = np.ones_like(safe)"),),
    ),
    Mistake(
        "softmax_in_each_block",
        "normalized each block by itself and averaged the blocks",
        "row_out += np.matmul(scores, values, out=mixed[..., rows, :])",
        "row_out /= shrink + (shrink == 0)\n"
        "        block_sum = scores.sum(axis=-1, keepdims=True)\n"
        "        block_sum[block_sum == 0] = 1\n"
        "        row_out += (scores / block_sum) @ values\n"
        "        row_total[...] = start // block_size + 1",
    ),
    Mistake(
        "last_short_block_dropped",
        "dropped the last block where block_size does not divide the number of keys",
        "for start in range(0, min(n, m) if causal else m, block_size):",
        "last = min(n, m) if causal else m\n"
        "    for start in range(0, last - last % block_size, block_size):",
    ),
    Mistake(
        "not_divided_by_the_root",
        "left out the division by sqrt(d)",
        "(1 / math.sqrt(q.shape[-1]))",
        "1",
    ),
    Mistake(
        "not_divided_at_the_end",
        "forgot to divide by the running sum at the end",
        "out /= total",
        "pass",
    ),
    Mistake(
        "diagonal_left_out",
        "hid the query's own key: causal means j <= i",
        "np.arange(start, stop) > np.arange(start, n)[:, None]",
        "np.arange(start, stop) >= np.arange(start, n)[:, None]",
    ),
    Mistake(
        "causal_from_the_bottom_right",
        "lined the last query up with the last key; causal counts from the top left",
        "np.arange(start, stop) > np.arange(start, n)[:, None]",
        "np.arange(start, stop) > np.arange(n)[:, None] + (m - n)",
        also=(
            ("range(0, min(n, m) if causal else m, block_size)", "range(0, m, block_size)"),
            ("rows = slice(start if causal else 0, n)", "rows = slice(0, n)"),
        ),
    ),
    Mistake(
        "causal_within_the_block",
        "counted the keys from 0 in every block",
        "np.arange(start, stop) > np.arange(start, n)[:, None]",
        "np.arange(stop - start) > np.arange(start, n)[:, None]",
    ),
    Mistake(
        "causal_ignored",
        "left causal out",
        "rows = slice(start if causal else 0, n)",
        "rows = slice(0, n)",
        also=(
            ("range(0, min(n, m) if causal else m, block_size)", "range(0, m, block_size)"),
            ("if causal:", "if False:"),
        ),
    ),
    Mistake(
        "maximum_starts_at_zero",
        "started the running maximum at 0: scores far below it underflow",
        "top = np.full((*q.shape[:-1], 1), -np.inf, queries.dtype)",
        "top = np.zeros((*q.shape[:-1], 1), queries.dtype)",
    ),
    Mistake(
        "no_maximum_subtracted",
        "exponentiated without subtracting the maximum",
        "safe = np.where(new_top == -np.inf, np.zeros_like(new_top), new_top)",
        "safe = np.zeros_like(new_top)",
        also=(("shrink = np.exp(old_top - safe)", "shrink = np.ones_like(safe)"),),
    ),
    Mistake(
        "nan_where_a_block_is_minus_infinity",
        "subtracted -inf from -inf where all scores so far are -inf, which is NaN",
        "safe = np.where(new_top == -np.inf, np.zeros_like(new_top), new_top)",
        "safe = new_top",
    ),
    Mistake(
        "epsilon_in_the_sum",
        "added an epsilon to the sum, so that the weights do not sum to 1",
        "total[total == 0] = 1",
        "total += 1e-6",
    ),
    Mistake(
        "half_precision_state",
        "kept the running sum and mixture in float16",
        "row_total += scores.sum(axis=-1, keepdims=True)",
        "row_total += scores.sum(axis=-1, keepdims=True)\n"
        "        row_total[...] = row_total.astype(_as_float(q).dtype)",
        also=(
            (
                "row_out += np.matmul(scores, values, out=mixed[..., rows, :])",
                "row_out += scores @ values\n"
                "        row_out[...] = row_out.astype(_as_float(q).dtype)",
            ),
        ),
    ),
    Mistake(
        "whole_score_matrix",
        "formed all n x m scores before cutting them into blocks",
        "for start in range(0, min(n, m) if causal else m, block_size):",
        "every = queries @ _transposed(_widened(k))\n"
        "    for start in range(0, min(n, m) if causal else m, block_size):",
        also=(
            (
                "np.matmul(queries[..., rows, :], keys, out=scores)",
                "scores[...] = every[..., rows, start:stop]",
            ),
        ),
    ),
    Mistake(
        "whole_causal_mask",
        "built the causal mask of all n x m pairs",
        "if causal:",
        "if causal:\n            whole = np.arange(m) <= np.arange(n)[:, None]",
        also=(
            (
                "ahead = np.arange(start, stop) > np.arange(start, n)[:, None]",
                "ahead = ~whole[rows, start:stop]",
            ),
        ),
    ),
    ALL_AXES_TURNED,
    Mistake(
        "block_size_not_checked",
        "let a block size below 1 through",
        "if block_size < 1:",
        "block_size = max(1, block_size)\n    if False:",
    ),
    Mistake(
        "bfloat16_state",
        "kept the running sum and mixture in bfloat16, where 256 + 1 is 256",
        "out = out * shrink + weights @ _widened(v[..., start:stop, :])",
        "out = out * shrink + weights @ _widened(v[..., start:stop, :])\n"
        "        if q.dtype == torch.bfloat16:\n"
        "            total, out = total.bfloat16().float(), out.bfloat16().float()",
        track="torch",
    ),
)
