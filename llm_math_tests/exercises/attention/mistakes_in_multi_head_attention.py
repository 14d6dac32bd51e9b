"""What students do wrong in multi_head_attention."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

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
            (
                "merged = heads.swapaxes(-2, -3).reshape(x.shape)",
                "merged = heads.reshape(x.shape)",
            ),
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
    Mistake(
        "output_weights_forgotten",
        "forgot w_o",
        "(merged @ _widened(w_o))",
        "merged",
    ),
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
    Mistake(
        "mask_ignored",
        "left the mask out",
        "scaled_dot_product_attention(q, k, v, mask)",
        "scaled_dot_product_attention(q, k, v)",
    ),
    Mistake(
        "mask_of_queries",
        "applied the mask to the queries, not to the keys",
        "mask = mask[..., None, :, :]",
        "mask = mask[..., None, :, :].swapaxes(-1, -2)",
    ),
    Mistake(
        "masked_with_a_large_negative_number",
        "masked with -1e9: where no key is left, all of them get equal weight",
        "heads = scaled_dot_product_attention(q, k, v, mask)",
        "if mask is not None:\n"
        "        mask = mask | ~mask.any(axis=-1, keepdims=True)\n"
        "    heads = scaled_dot_product_attention(q, k, v, mask)",
    ),
    Mistake(
        "no_maximum_subtracted",
        "exponentiated without subtracting the row's maximum",
        "heads = scaled_dot_product_attention(q, k, v, mask)",
        "e = np.exp(q @ _transposed(k) / math.sqrt(width))\n"
        "    if mask is not None:\n"
        "        e *= mask\n"
        "    heads = e @ v / np.maximum(e.sum(axis=-1, keepdims=True), 1e-300)",
    ),
    Mistake(
        "maximum_before_the_mask",
        "took the maximum before masking: keys far below a masked one underflow to 0",
        "heads = scaled_dot_product_attention(q, k, v, mask)",
        "s = q @ _transposed(k) / math.sqrt(width)\n"
        "    e = np.exp((s - s.max(axis=-1, keepdims=True)).astype(q.dtype))\n"
        "    if mask is not None:\n"
        "        e = e * mask\n"
        "    total = e.sum(axis=-1, keepdims=True)\n"
        "    heads = e @ v / np.where(total == 0, 1, total).astype(q.dtype)",
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
        "always_float64",
        "returned float64 whatever came in",
        "return (merged @ _widened(w_o)).astype(dtype, copy=False)",
        "return (merged @ _widened(w_o)).astype(np.float64)",
    ),
    Mistake(
        "input_overwritten",
        "wrote the output into the caller's x",
        "return (merged @ _widened(w_o)).astype(dtype, copy=False)",
        "if x.dtype.kind != 'f':\n"
        "        x = x.astype(dtype)\n"
        "    x[...] = merged @ _widened(w_o)\n"
        "    return x",
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
        "result_detached",
        "detached the result from autograd",
        "return (merged @ _widened(w_o)).to(dtype)",
        "return (merged @ _widened(w_o)).detach().to(dtype)",
        track="torch",
    ),
    Mistake(
        "weights_copied",
        "made new tensors of the weights, cut off from the graph and on the CPU",
        "(tokens @ _widened(w))",
        "(tokens @ torch.tensor(w.tolist(), dtype=tokens.dtype))",
        track="torch",
    ),
)
