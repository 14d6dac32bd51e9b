"""Mistakes that several exercises of this topic share: in the differences themselves."""

from __future__ import annotations

from collections.abc import Callable

from llm_math_tests.exercise import Mistake


def in_file(*edits: tuple[str, str]) -> Callable[[str, str], str]:
    """An edit of the text outside the function too: its helpers, its constants."""

    def edit(text: str, name: str) -> str:
        for instead_of, they_write in edits:
            if text.count(instead_of) != 1:
                raise ValueError(f"{instead_of!r} stands {text.count(instead_of)} times, not once")
            text = text.replace(instead_of, they_write)
        return text

    return edit


_STEPS = "_STEPS = (2.0**-4, 2.0**-5, 2.0**-6, 2.0**-7)"
_DIFFERENCE = "(f(x + step) - f(x - step)) / (2 * h)"
_WIDER = "found = [fine + (fine - coarse) / (left - 1) for coarse, fine in pairwise(found)]"

DIFFERENCES = (
    Mistake(
        "one_tiny_step",
        "took one central difference with a tiny step: the rounding of f is divided by it",
        edit=in_file((_STEPS, "_STEPS = (1e-6,)")),
    ),
    Mistake(
        "one_wide_step",
        "took one central difference with a wide step, and refined nothing",
        edit=in_file((_STEPS, "_STEPS = (2.0**-4,)")),
    ),
    Mistake(
        "forward_difference",
        "moved one way only: the error then falls with h, not with its square",
        edit=in_file((_DIFFERENCE, "(f(x + step) - f(x)) / h")),
    ),
    Mistake(
        "tiny_forward_step",
        "moved one way, by 1e-8: half of the digits are gone",
        edit=in_file((_STEPS, "_STEPS = (1e-8,)"), (_DIFFERENCE, "(f(x + step) - f(x)) / h")),
    ),
    Mistake(
        "divided_by_h",
        "divided by h: the two points are 2 h apart",
        edit=in_file((_DIFFERENCE, "(f(x + step) - f(x - step)) / h")),
    ),
    Mistake(
        "wrong_way_around",
        "subtracted the wrong way around, and so lost the sign",
        edit=in_file((_DIFFERENCE, "(f(x - step) - f(x + step)) / (2 * h)")),
    ),
    Mistake(
        "refined_as_if_linear",
        "refined as if the error halved with the step: that of a central difference is quartered",
        edit=in_file(("left *= 4", "left *= 2")),
    ),
    Mistake(
        "refined_away",
        "took the refinement with the wrong sign, away from the finer estimate's side",
        edit=in_file((_WIDER, _WIDER.replace("(fine - coarse)", "(coarse - fine)"))),
    ),
    Mistake(
        "step_relative_to_x",
        "made the step as large as x: no step at all at 0, far too wide at 10000",
        edit=in_file(
            ("step = h * direction", "h = h * np.abs(x).max()\n        step = h * direction")
        ),
    ),
    Mistake(
        "step_relative_to_each_x",
        "made the step as large as x: no step at all at 0, far too wide at 10000",
        edit=in_file(
            ("step = h * direction", "h = h * abs(x @ direction)\n        step = h * direction")
        ),
    ),
)
