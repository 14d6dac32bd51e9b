"""Mistakes that are made wherever rows of probabilities are summed."""

from __future__ import annotations

from collections.abc import Callable

from llm_math_tests.exercise import Mistake


def in_helper(helper: str, *edits: tuple[str, str]) -> Callable[[str, str], str]:
    """An edit of a private function that stands beside the reference's."""

    def edit(text: str, name: str) -> str:
        start = text.index(f"def {helper}(")
        end = text.index("\n\n\n", start)
        body = text[start:end]
        for instead_of, they_write in edits:
            if body.count(instead_of) != 1:
                raise ValueError(f"{helper} must hold {instead_of!r} once")
            body = body.replace(instead_of, they_write)
        return text[:start] + body + text[end:]

    return edit


_LIMIT = "max(1e-3, 8 * probs.shape[axis] * np.finfo(probs.dtype).eps)"


def of_every_row(check: str) -> tuple[Mistake, ...]:
    """Slips of the axis, and of what is refused by the call ``check``."""
    total = "terms.sum(axis=axis)"
    return (
        Mistake(
            "axis_ignored",
            "always summed the last axis, whatever axis says",
            total,
            "terms.sum(axis=-1)",
        ),
        Mistake(
            "over_the_whole_array",
            "summed the whole array to one number, not along the axis",
            total,
            "terms.sum()",
        ),
        Mistake(
            "averaged_not_summed",
            "took the mean over the outcomes, not the sum",
            total,
            "terms.mean(axis=axis)",
        ),
        Mistake(
            "axis_kept",
            "kept the axis with size 1; it has to go",
            total,
            "terms.sum(axis=axis, keepdims=True)",
        ),
        Mistake(
            "half_precision_sum",
            "summed in float16, where adding to a large sum changes nothing",
            total,
            "np.cumsum(terms.astype(np.float16 if p.dtype == np.float16 else terms.dtype),\n"
            "        axis=axis, dtype=np.float16 if p.dtype == np.float16 else terms.dtype)"
            ".take(-1, axis=axis)",
        ),
        Mistake(
            "sums_checked_along_the_last_axis",
            "looked at sums along the last axis, whatever axis says",
            check,
            check.replace("axis", "-1"),
        ),
        Mistake(
            "exact_sums_demanded",
            "demanded sums within 1e-6 of 1, which rounding alone can miss",
            edit=in_helper("_check_probs", (_LIMIT, "1e-6")),
        ),
        Mistake(
            "one_limit_for_every_dtype",
            "allowed sums to be off by 1e-3 in every dtype; 8 n eps is more in 16 bits",
            edit=in_helper("_check_probs", (_LIMIT, "1e-3")),
        ),
        Mistake(
            "sums_not_checked",
            "took rows that do not sum to 1",
            edit=in_helper("_check_probs", ("if off.any():", "if False:")),
        ),
        Mistake(
            "negative_numbers_taken",
            "took negative numbers for probabilities",
            edit=in_helper("_check_probs", ("if least < 0:", "if False:")),
        ),
    )


AXIS_NOT_CHECKED = Mistake(
    "axis_not_checked",
    "let torch complain about the axis: that is an IndexError, not a ValueError",
    "_check_axis(axis, p)",
    "",
    track="torch",
)

CHECKED_ON_THE_DEVICE = Mistake(
    "checked_on_the_device",
    "looked at the values on every device: a GPU has to stop for that",
    'if p.device.type == "cpu":',
    "if True:",
    track="torch",
)
