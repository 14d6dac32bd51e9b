"""One failed case, explained as far as it can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.diagnosis.known import sentence, what_they_did
from llm_math_tests.diagnosis.patterns import pattern_of

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Case, Check, Inputs, Mistake


@dataclass(frozen=True)
class Diagnosis:
    """What is said of a failure, besides what was expected and what came."""

    mistake: str = ""
    """The names of the known mistakes that explain it, with commas."""
    you_did: str = ""
    pattern: str = ""


def named(found: tuple[Mistake, ...]) -> Diagnosis:
    """The diagnosis that it was these mistakes, or one of them."""
    return Diagnosis(",".join(mistake.name for mistake in found), sentence(found))


def diagnose(
    answer: Answer,
    check: Check,
    case: Case,
    remake: Callable[[], Inputs],
    failed: Wrong | None,
    seen: Mistake | None,
) -> Diagnosis:
    """Explain the case under way; what fails here says nothing, the outcome stands without.

    ``failed`` is what the check said, None where the answer raised; ``seen`` is the mistake
    that was seen to happen, if any.
    """
    if failed is None and seen is not None:
        return named((seen,))
    try:
        found = what_they_did(answer, check, case, remake, failed)
    except Exception:
        found = ()
    if not found and seen is not None:
        found = (seen,)
    if found:
        return named(found)
    try:
        return Diagnosis(pattern=pattern_of(answer))
    except Exception:
        return Diagnosis()
