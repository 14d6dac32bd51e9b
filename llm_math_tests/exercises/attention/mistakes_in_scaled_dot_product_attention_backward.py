"""What students do wrong in scaled_dot_product_attention_backward."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

MISTAKES = (
    Mistake(
        "row_average_left_out",
        "left out the average r: softmax's gradient is P * (dP - r), not P * dP",
        "ds -= r",
        "pass",
    ),
    Mistake(
        "sum_instead_of_average",
        "subtracted the plain sum of dP, not the one weighted by P",
        "ds -= r",
        "ds -= ds.sum(axis=-1, keepdims=True)",
    ),
    Mistake(
        "average_over_queries",
        "averaged over the queries; r is one number for each query, over its keys",
        '"...nm,...nm->...n", weights, ds)[..., None] / total',
        '"...nm,...nm->...m", weights / total, ds)[..., None, :]',
    ),
    Mistake(
        "softmax_left_out",
        "sent the gradient straight through the softmax",
        "ds *= weights",
        "ds *= total",
        also=(("ds -= r", "pass"),),
    ),
    Mistake(
        "query_gradient_not_divided",
        "left out the division by sqrt(d) in dq",
        "dq *= scale",
        "pass",
    ),
    Mistake(
        "key_gradient_not_divided",
        "left out the division by sqrt(d) in dk",
        "dk = _transposed(ds) @ queries",
        "dk = _transposed(ds) @ _widened(q)",
    ),
    Mistake(
        "scores_not_divided",
        "left out the division by sqrt(d) everywhere",
        "scale = 1 / math.sqrt(q.shape[-1])",
        "scale = 1.0",
    ),
    Mistake(
        "queries_and_keys_swapped",
        "returned (dk, dq, dv): the order is that of the arguments",
        "for x in (dq, dk, dv)",
        "for x in (dk, dq, dv)",
    ),
    Mistake(
        "value_gradient_through_the_scores",
        "used dS in place of the weights for dv",
        "ds *= weights",
        "ds *= weights\n    dv = _transposed(ds) @ _widened(grad_output)",
    ),
    Mistake(
        "mask_ignored",
        "left the mask out of the backward pass",
        "_exponentials(queries @ _transposed(keys), mask)",
        "_exponentials(queries @ _transposed(keys), None)",
    ),
    Mistake(
        "mask_upside_down",
        "hid what the mask keeps: True means keep",
        "_exponentials(queries @ _transposed(keys), mask)",
        "_exponentials(queries @ _transposed(keys), None if mask is None else ~mask)",
    ),
    Mistake(
        "masked_with_a_large_negative_number",
        "masked with -1e9: where no key is left, all of them get equal weight",
        "weights, total = _exponentials(queries @ _transposed(keys), mask)",
        "scores = queries @ _transposed(keys)\n"
        "    if mask is not None:\n"
        "        np.copyto(scores, -1e9, where=~mask)\n"
        "    weights, total = _exponentials(scores, None)",
    ),
    Mistake(
        "no_maximum_subtracted",
        "exponentiated without subtracting the row's maximum",
        "weights, total = _exponentials(queries @ _transposed(keys), mask)",
        "scores = queries @ _transposed(keys)\n"
        "    if mask is not None:\n"
        "        np.copyto(scores, -np.inf, where=~mask)\n"
        "    weights = np.exp(scores)\n"
        "    total = weights.sum(axis=-1, keepdims=True)\n"
        "    total[total == 0] = 1",
    ),
    Mistake(
        "maximum_before_the_mask",
        "took the maximum before masking: keys far below a masked one underflow to 0",
        "weights, total = _exponentials(queries @ _transposed(keys), mask)",
        "scores = queries @ _transposed(keys)\n"
        "    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))\n"
        "    if mask is not None:\n"
        "        weights = weights * mask\n"
        "    total = weights.sum(axis=-1, keepdims=True)\n"
        "    total[total == 0] = 1",
    ),
    Mistake(
        "epsilon_in_the_weights",
        "added an epsilon to the sum, so that the weights do not sum to 1",
        "weights, total = _exponentials(queries @ _transposed(keys), mask)",
        "weights, total = _exponentials(queries @ _transposed(keys), mask)\n    total += 1e-6",
    ),
    Mistake(
        "small_gradients_rounded_away",
        "clipped small gradients to 0",
        "ds *= weights",
        "ds *= weights\n    ds[np.abs(ds) < 1e-12] = 0",
    ),
    Mistake(
        "half_precision_sum",
        "summed the weights in float16, where adding to a large sum changes nothing",
        "weights, total = _exponentials(queries @ _transposed(keys), mask)",
        "weights, total = _exponentials(queries @ _transposed(keys), mask)\n"
        "    total = np.add.accumulate(weights.astype(dtype), axis=-1)[..., -1:]\n"
        "    total = np.where(total == 0, 1, total).astype(weights.dtype)",
    ),
    Mistake(
        "always_float64",
        "returned float64 whatever came in",
        "tuple(x.astype(dtype, copy=False)",
        "tuple(x.astype(np.float64)",
    ),
    Mistake(
        "input_overwritten",
        "scaled the caller's q in place",
        "queries = _widened(q) * scale",
        "queries = _widened(q)\n    queries *= queries.dtype.type(scale)",
    ),
    Mistake(
        "all_axes_turned",
        "transposed v with .T, which turns round the batch axes too",
        "ds = g @ _transposed(values)",
        "ds = g @ values.T",
    ),
    Mistake(
        "gradient_not_checked",
        "let a gradient of another shape through, where it may be broadcast",
        "if grad_output.shape != (*q.shape[:-1], v.shape[-1]):",
        "if False:",
    ),
    Mistake(
        "shapes_left_to_numpy",
        "left the checks of shapes to NumPy, whose messages do not say which argument it is",
        "_check_same_width(q, k)",
        "",
        also=(
            ("_check_same_length(k, v)", ""),
            ("_check_mask(mask, (*q.shape[:-1], k.shape[-2]))", ""),
        ),
    ),
    Mistake(
        "graph_cut",
        "detached the results from autograd",
        "return tuple(x.to(dtype) for x in (dq, dk, dv))",
        "return tuple(x.detach().to(dtype) for x in (dq, dk, dv))",
        track="torch",
    ),
    Mistake(
        "result_detached",
        "made new tensors of the results, off the device",
        "return tuple(x.to(dtype) for x in (dq, dk, dv))",
        "return tuple(torch.tensor(x.tolist(), dtype=dtype) for x in (dq, dk, dv))",
        track="torch",
    ),
)
