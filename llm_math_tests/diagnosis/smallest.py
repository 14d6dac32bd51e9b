"""The smallest case that still fails: one that can be followed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Case, Check
    from llm_math_tests.run import Engine


def smallest_case(engine: Engine, answer: Answer, check: Check, case: Case) -> str:
    """The lines that show it, or nothing."""
    return ""
