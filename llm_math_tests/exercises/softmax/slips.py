"""Mistakes that are made in several exercises of this topic."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

MATRICES_ONLY = "wrote for matrices only: axis 1 and [:, None]"


def of_every_axis(array: str) -> tuple[Mistake, ...]:
    """What goes wrong with the axis of the argument ``array``."""
    check = f"_check_axis(axis, {array})"
    return (
        Mistake(
            "axis_ignored",
            "always used the last axis, whatever axis says",
            check,
            f"{check}\n    axis = -1",
        ),
        Mistake(
            "matrices_only",
            MATRICES_ONLY,
            check,
            f"{check}\n    axis = 1 if axis == -1 else axis",
        ),
        Mistake(
            "matrices_only_first_or_second",
            MATRICES_ONLY,
            check,
            f"{check}\n    axis = 0 if axis in (0, -2) else 1",
        ),
        Mistake(
            "matrices_only_always_second",
            MATRICES_ONLY,
            check,
            f"{check}\n    axis = 1",
        ),
        Mistake(
            "axis_wrapped_around",
            "wrapped the axis around with %, so that a wrong one quietly became another",
            check,
            f"axis = axis % {array}.ndim",
        ),
        Mistake(
            "axis_not_checked",
            "let torch complain about the axis: that is an IndexError, not a ValueError",
            check,
            "",
            track="torch",
        ),
    )


def of_every_softmax() -> tuple[Mistake, ...]:
    """What goes wrong around the exponential, logarithm or not."""
    result = "out.astype(_as_float(logits).dtype, copy=False)"
    return (
        Mistake(
            "no_maximum_subtracted",
            "exponentiated before subtracting the row maximum",
            "scores - scores.max(axis=axis, keepdims=True)",
            "scores.copy()",
        ),
        Mistake(
            "maximum_of_the_whole_array",
            "subtracted the maximum of the whole array: rows far below it underflow to 0",
            "scores.max(axis=axis, keepdims=True)",
            "scores.max() if scores.size else scores",
        ),
        Mistake(
            "nan_replaced",
            "called nan_to_num at the end, which hides what is masked and rows with nothing left",
            f"return {result}",
            f"return np.nan_to_num({result})",
        ),
    )
