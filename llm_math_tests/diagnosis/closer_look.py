"""A closer look at one failure, for a person who reads it; the grader does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_math_tests.diagnosis.breaking_point import breaking_point
from llm_math_tests.diagnosis.smallest import smallest_case

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Case, Check
    from llm_math_tests.run import Engine


def closer_look(
    engine: Engine, answer: Answer, check: Check, case: Case, mistake: str = "", pattern: str = ""
) -> list[str]:
    """Blocks of lines below the message of a case that failed: each may be empty.

    ``mistake`` and ``pattern`` are what its record says of it.
    """
    looks = (
        breaking_point(engine, answer, check, case),
        smallest_case(engine, answer, check, case, mistake, pattern),
    )
    return [text for text in looks if text]
