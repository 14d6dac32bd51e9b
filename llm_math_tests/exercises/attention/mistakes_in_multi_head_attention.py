"""What students do wrong in multi_head_attention."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.attention.slips import of_every_mask, of_every_softmax

MISTAKES = (
    Mistake(
        "interleaved_heads",
        "gave head h every H-th column; heads are contiguous slices",
        ".reshape(*x.shape[:-1], num_heads, width).swapaxes(-2, -3)",
        ".reshape(*x.shape[:-1], width, num_heads).swapaxes(-1, -2).swapaxes(-2, -3)",
        also=(
            (
                "merged = heads.swapaxes(-2, -3).reshape(x.shape)",
                "merged = heads.swapaxes(-2, -3).swapaxes(-1, -2).reshape(x.shape)",
            ),
        ),
    ),
    Mistake(
        "reshaped_without_transposing",
        "reshaped to (..., H, n, d/H) without moving the axis, which mixes tokens into heads",
        ".reshape(*x.shape[:-1], num_heads, width).swapaxes(-2, -3)",
        ".reshape(*x.shape[:-2], num_heads, n, width)",
        also=(
            ("merged = heads.swapaxes(-2, -3).reshape(x.shape)", "merged = heads.reshape(x.shape)"),
        ),
    ),
    Mistake(
        "merged_without_transposing",
        "put the heads together without moving the head axis back",
        "merged = heads.swapaxes(-2, -3).reshape(x.shape)",
        "merged = heads.reshape(x.shape)",
    ),
    Mistake(
        "attended_over_heads",
        "left the head axis behind the tokens, so that heads attend to each other",
        ".reshape(*x.shape[:-1], num_heads, width).swapaxes(-2, -3)",
        ".reshape(*x.shape[:-1], num_heads, width)",
        also=(
            (
                "heads = scaled_dot_product_attention(q, k, v, mask)",
                "heads = scaled_dot_product_attention(q, k, v).swapaxes(-2, -3)",
            ),
        ),
    ),
    Mistake("output_weights_forgotten", "forgot w_o", "(merged @ _widened(w_o))", "merged"),
    Mistake(
        "divided_by_the_whole_width",
        "divided the scores by sqrt(d); each head's width is d / H",
        "heads = scaled_dot_product_attention(q, k, v, mask)",
        "heads = scaled_dot_product_attention(q / math.sqrt(num_heads), k, v, mask)",
    ),
    Mistake(
        "weights_transposed",
        "multiplied by the transposed weights; here it is x @ w",
        "(tokens @ _widened(w))",
        "(tokens @ _widened(w).T)",
    ),
    Mistake(
        "one_head_only",
        "attended once over the whole width, without heads",
        "width = d // num_heads",
        "num_heads, width = 1, d",
    ),
    Mistake(
        "queries_used_as_keys",
        "used the queries as keys too",
        "scaled_dot_product_attention(q, k, v, mask)",
        "scaled_dot_product_attention(q, q, v, mask)",
    ),
    Mistake(
        "heads_averaged",
        "averaged the heads instead of putting them side by side",
        "merged = heads.swapaxes(-2, -3).reshape(x.shape)",
        "merged = np.concatenate([heads.mean(axis=-3)] * num_heads, axis=-1)",
    ),
    Mistake(
        "mask_per_head",
        "lined the mask's batch axis up with the heads",
        "if mask is not None and mask.ndim > 2:",
        "if mask is not None and mask.ndim > 2 and mask.shape[0] not in (1, num_heads):",
    ),
    *of_every_softmax(),
    *of_every_mask(),
    Mistake(
        "mask_of_queries",
        "applied the mask to the queries, not to the keys",
        "mask = mask[..., None, :, :]",
        "mask = mask[..., None, :, :].swapaxes(-1, -2)",
    ),
    Mistake(
        "all_weights_transposed",
        "wrote every product as x @ w.T, as torch.nn.Linear holds its weights; here it is x @ w",
        "(tokens @ _widened(w))",
        "(tokens @ _widened(w).T)",
        also=(("(merged @ _widened(w_o))", "(merged @ _widened(w_o).T)"),),
    ),
    Mistake(
        "tiny_tokens_rounded_away",
        "added an epsilon to the tokens",
        "tokens = _widened(x)",
        "tokens = _widened(x) + x.dtype.type(1e-12)",
    ),
    Mistake(
        "singleton_axes_squeezed",
        "squeezed away axes of length 1, which may be a lone token or sequence",
        "merged = heads.swapaxes(-2, -3).reshape(x.shape)",
        "merged = heads.swapaxes(-2, -3).reshape(x.shape).squeeze()",
    ),
    Mistake(
        "half_precision_products",
        "projected in float16 and rounded the scores, where 65504 is the largest",
        "heads = scaled_dot_product_attention(q, k, v, mask)",
        "s = (q @ _transposed(k) / math.sqrt(width)).astype(dtype).astype(q.dtype)\n"
        "    if mask is not None:\n"
        "        s = np.where(mask, s, s.dtype.type(-np.inf))\n"
        "    e, total = _exponentials(s, None)\n"
        "    heads = e @ v / total",
    ),
    Mistake(
        "heads_not_checked",
        "let a number of heads through that does not divide the width",
        "if num_heads < 1 or d % num_heads:",
        "if num_heads < 1:\n"
        "        return np.zeros_like(x)\n"
        "    if d % num_heads:\n"
        "        w_q, w_k, w_v = (w[:, : d - d % num_heads] for w in (w_q, w_k, w_v))\n"
        "        x, d = x[..., : d - d % num_heads], d - d % num_heads\n"
        "        return x\n"
        "    if False:",
    ),
    Mistake(
        "mask_not_checked",
        "left the check of the mask to attention, which sees the axis of the heads in it",
        "_check_mask(mask, (*x.shape[:-1], n))",
        "",
    ),
    Mistake(
        "weights_copied",
        "made new tensors of the weights, cut off from the graph and on the CPU",
        "(tokens @ _widened(w))",
        "(tokens @ torch.tensor(w.tolist(), dtype=tokens.dtype))",
        track="torch",
    ),
)
