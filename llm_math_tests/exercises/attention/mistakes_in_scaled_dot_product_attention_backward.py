"""What students do wrong in scaled_dot_product_attention_backward."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.exercises.attention.slips import (
    ALL_AXES_TURNED,
    HALF_PRECISION_SUM,
    of_every_mask,
    of_every_scale,
    of_every_softmax,
)

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
    *of_every_scale(),
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
    *of_every_softmax(),
    *of_every_mask(),
    Mistake(
        "small_gradients_rounded_away",
        "clipped small gradients to 0",
        "ds *= weights",
        "ds *= weights\n    ds[np.abs(ds) < 1e-12] = 0",
    ),
    HALF_PRECISION_SUM,
    ALL_AXES_TURNED,
    Mistake(
        "gradient_not_checked",
        "let a gradient of another shape through, where it may be broadcast",
        "if grad_output.shape != (*q.shape[:-1], v.shape[-1]):",
        "if False:",
    ),
)
