"""Known mistakes, written by people who had not seen our references: caught, and called so.

``python -m tests.restyled_figures`` counts them, in torch as well.
"""

from __future__ import annotations

import pytest

from llm_math_tests.exercises import exercises
from llm_math_tests.honesty import unusual_answers
from tests.restyled_figures import FOLDER, rewritten

NAMED = 0.75
"""The share that has to be named: style is free, and some mistakes leave it no trace."""

REWRITTEN = [entry for entry in exercises() if any(True for _ in unusual_answers(entry, FOLDER))]


def test_there_are_rewritten_mistakes():
    assert len(REWRITTEN) >= 10


@pytest.mark.parametrize("entry", REWRITTEN, ids=lambda entry: entry.name)
def test_a_mistake_in_another_style_is_caught_and_never_taken_for_another(entry):
    found = list(rewritten(entry, "numpy"))
    for tried in found:
        assert tried.caught, tried
        assert not tried.misnamed, tried
    assert sum(tried.named for tried in found) >= NAMED * len(found)
