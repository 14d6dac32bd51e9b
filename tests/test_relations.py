"""Relations between exercises: run on one person's own answers, or not run at all."""

from __future__ import annotations

import re

import pytest

from llm_math_tests import course
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.exercises import exercises
from llm_math_tests.run import Engine, Solution

RELATIONS = [
    pytest.param(entry, check, id=f"{entry.name}-{check.name}")
    for entry in exercises()
    for check in entry.checks
    if check.needs
]


def own_answers(tmp_path, entry, ending):
    """A solution with the reference's answer to one exercise, and ``ending`` below it."""
    file = tmp_path / "student" / entry.topic / "with_numpy.py"
    file.parent.mkdir(parents=True)
    # In a namespace of its own: it must go on calling the right functions of its file.
    file.write_text(
        f"_own = {{}}\nexec({_text(entry)!r}, _own)\n"
        "globals().update({n: f for n, f in _own.items() if callable(f) and n[0] != '_'})\n"
        f"{ending}\n",
        encoding="utf-8",
    )
    return Engine(Solution("student", tmp_path / "student"), InProcess())


@pytest.mark.parametrize(("entry", "check"), RELATIONS)
def test_without_the_others_it_says_so_and_is_not_run(tmp_path, entry, check):
    same_file = [n for n in check.needs if f"def {n}(" in _text(entry)]
    engine = own_answers(tmp_path, entry, "\n".join(f"del {name}" for name in same_file))
    outcomes = engine.run(check, engine.answer(entry, "numpy"))
    if check.points and "numpy" not in check.tracks:
        return  # NumPy has no autograd: tests/test_prerequisites.py asks in torch
    if check.points:  # never lost for want of another exercise: ours is used, and it says so
        assert {(outcome.verdict, outcome.leaned_on) for outcome in outcomes} == {
            ("passed", ", ".join(check.needs))
        }
        return
    assert {outcome.verdict for outcome in outcomes} == {"not_run"}
    for outcome in outcomes:
        words = " ".join(outcome.message.split())
        assert any(f"needs {name}, which is not started" in words for name in check.needs)


@pytest.mark.parametrize(("entry", "check"), RELATIONS)
def test_another_exercises_error_is_not_this_ones(tmp_path, entry, check):
    same_file = [n for n in check.needs if f"def {n}(" in _text(entry)]
    if not same_file:
        pytest.skip("the exercises it needs are in other files: the first test covers it")
    broken = "\n".join(
        f"_right_{n} = {n}\ndef {n}(*args, **kwargs):\n    raise RuntimeError('not yet right')"
        for n in same_file
    )
    others = [n for n in check.needs if n not in same_file]
    engine = own_answers(tmp_path, entry, broken)
    for name in others:
        _lay_reference(tmp_path, name)
    outcomes = engine.run(check, engine.answer(entry, "numpy"))
    for outcome in outcomes:
        assert outcome.verdict == "not_run", outcome.message
        assert "not yet right" in " ".join(outcome.message.split())


@pytest.mark.parametrize(("entry", "check"), RELATIONS)
def test_another_exercises_wrong_result_is_not_this_ones(tmp_path, entry, check):
    same_file = [n for n in check.needs if f"def {n}(" in _text(entry)]
    if not same_file:
        pytest.skip("the exercises it needs are in other files: the first test covers it")
    wrong = "\n".join(
        f"_right_{n} = {n}\ndef {n}(*args, **kwargs):\n    return np.zeros(7)" for n in same_file
    )
    engine = own_answers(tmp_path, entry, f"import numpy as np\n{wrong}")
    for name in check.needs:
        if name not in same_file:
            _lay_reference(tmp_path, name)
    for outcome in engine.run(check, engine.answer(entry, "numpy")):
        assert outcome.verdict == "not_run", outcome.message
        assert re.search(
            r"needs \w+, (whose check \w+ does not pass|which is wrong here|which ended)",
            " ".join(outcome.message.split()),
        )


def _text(entry):
    return (course.folder("reference") / entry.topic / "with_numpy.py").read_text(encoding="utf-8")


def _lay_reference(tmp_path, name):
    from llm_math_tests.exercises import topic_of

    topic = topic_of(name)
    file = tmp_path / "student" / topic / "with_numpy.py"
    if not file.exists():
        file.parent.mkdir(parents=True)
        text = (course.folder("reference") / topic / "with_numpy.py").read_text(encoding="utf-8")
        file.write_text(text, encoding="utf-8")


def test_a_relation_carries_no_points_unless_it_cannot_be_asked_otherwise():
    free = [check for entry in exercises() for check in entry.checks if check.needs]
    assert free
    for entry in exercises():
        scored = [check for check in entry.checks if check.needs and check.points]
        # Only a backward pass whose cache is the forward's own may hang on another exercise.
        assert not scored or entry.name == "two_layer_backward"
