"""What students do wrong in scaled_dot_product_attention."""

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
    *of_every_scale(),
    *of_every_softmax(),
    *of_every_mask(),
    HALF_PRECISION_SUM,
    Mistake(
        "half_precision_scores",
        "rounded the scores to float16, where 65504 is the largest",
        "scores = (_widened(q) * scale) @ _transposed(_widened(k))",
        "scores = (_widened(q) * scale) @ _transposed(_widened(k))\n"
        "    scores = scores.astype(_as_float(q).dtype).astype(scores.dtype)",
    ),
    ALL_AXES_TURNED,
    Mistake(
        "mask_not_checked",
        "let a mask of numbers through: 1.0 and 0.0 are not True and False",
        "_check_mask(mask, (*q.shape[:-1], k.shape[-2]))",
        "mask = None if mask is None else mask != 0",
    ),
    Mistake(
        "mask_shape_left_to_numpy",
        "checked the mask's dtype and left its shape to NumPy, whose message is about another",
        "_check_mask(mask, (*q.shape[:-1], k.shape[-2]))",
        "if mask is not None and mask.dtype != bool:\n"
        "        raise ValueError(f'mask must be boolean, got mask of dtype {mask.dtype}')",
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
)
