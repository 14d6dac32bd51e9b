"""The size of the inputs at which an answer breaks, per dtype, beside the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Check
    from llm_math_tests.run import Engine


def breaking_point(engine: Engine, answer: Answer, check: Check) -> str:
    """The lines that show it for a check of the level "stable", or nothing."""
    return ""
