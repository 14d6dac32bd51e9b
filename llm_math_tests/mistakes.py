"""Known mistakes as running answers: the reference's text with one edit."""

from __future__ import annotations

import ast
from functools import cache

from llm_math_tests import course
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.exercise import Exercise, Mistake

_ROOM = InProcess()
"""Ours are trusted: they run here, also when a submission runs elsewhere."""


class EditDoesNotFit(Exception):
    """A mistake's ``instead_of`` is not in its reference, or more than once."""


def _place(exercise: Exercise, track: str, text: str | None = None) -> Where:
    root = course.folder("reference")
    return Where(exercise.topic, track, root / exercise.topic / f"with_{track}.py", root, text)


@cache
def _reference_text(topic: str, track: str) -> str:
    path = course.folder("reference") / topic / f"with_{track}.py"
    return path.read_text(encoding="utf-8")


def reference_answer(exercise: Exercise, track: str = "numpy") -> Answer:
    """Our own answer, in this process."""
    return Answer(exercise, _place(exercise, track), _ROOM, "reference")


def text_with(exercise: Exercise, mistake: Mistake) -> str:
    """The reference file's text with the mistake in it."""
    return _text_with(exercise.topic, exercise.name, mistake)


@cache
def _text_with(topic: str, name: str, mistake: Mistake) -> str:
    text = _reference_text(topic, mistake.track)
    if mistake.edit is not None:
        return mistake.edit(text, name)
    start, end = _span(text, mistake.helper or name)
    function = text[start:end]
    for instead_of, they_write in ((mistake.instead_of, mistake.they_write), *mistake.also):
        if function.count(instead_of) != 1:
            raise EditDoesNotFit(
                f"{name}: mistake {mistake.name}: {instead_of!r} stands "
                f"{function.count(instead_of)} times in the reference ({mistake.track}), not once"
            )
        function = function.replace(instead_of, they_write)
    return text[:start] + function + text[end:]


def answer_with(exercise: Exercise, mistake: Mistake) -> Answer:
    """The wrong answer that the mistake gives."""
    return Answer(
        exercise,
        _place(exercise, mistake.track, text_with(exercise, mistake)),
        _ROOM,
        f"mistake {mistake.name}",
    )


@cache
def _span(text: str, function: str) -> tuple[int, int]:
    """Where a function's body begins (after its docstring) and ends, in characters."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            assert node.end_lineno is not None
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            return starts[body[0].lineno - 1], starts[node.end_lineno]
    raise EditDoesNotFit(f"the reference has no function {function}")
