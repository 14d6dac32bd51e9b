"""Known mistakes, written by people who had not seen our references: caught, and called so.

``python -m tests.restyled_figures`` counts them, in torch as well.
"""

from __future__ import annotations

import pytest

from llm_math_tests.exercises import exercises
from llm_math_tests.honesty import unusual_answers
from tests.restyled_figures import FOLDER, rewritten

SILENT = {
    ("log_softmax", "leading_axes_flattened"): "moved the axis before flattening: another shape",
    ("js_divergence", "leading_axes_flattened"): "moved the axis before flattening: another shape",
    ("covariance", "mean_square_less_squared_mean"): "what is left is noise, in any order another",
    ("embedding_backward", "one_hot_built"): "the values are right, the memory is another",
    ("vjp", "jacobian_by_autograd"): "the values are right, only the calls are counted",
}

REWRITTEN = [entry for entry in exercises() if any(True for _ in unusual_answers(entry, FOLDER))]


def test_there_are_rewritten_mistakes():
    assert len(REWRITTEN) >= 10


@pytest.mark.parametrize("entry", REWRITTEN, ids=lambda entry: entry.name)
def test_a_mistake_in_another_style_is_caught_and_never_taken_for_another(entry):
    unnamed = set()
    for tried in rewritten(entry, "numpy"):
        assert tried.caught, tried
        assert not tried.misnamed, tried
        if not tried.named:
            unnamed.add((tried.exercise, tried.mistake))
    assert unnamed <= SILENT.keys()
