"""What ``llm-math show`` prints: the lesson, and what is checked."""

from __future__ import annotations

import ast
import inspect
import textwrap

from llm_math_tests import course
from llm_math_tests.exercise import LEVELS, Exercise
from llm_math_tests.wording import WIDTH, point_text


def lesson(exercise: Exercise, track: str) -> str:
    """The reference's docstring, and every promise with its points, by level."""
    lines = [exercise.signature_in(track), "", docstring(exercise, track), "", "What is checked"]
    for level in LEVELS:
        for check in exercise.checks_in(track):
            if check.level == level:
                points = point_text(check.points, check.points).split(" of ")[1]
                text = f"{level:<9} {check.name}: {check.promise} ({points})"
                lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent=" " * 14)
    path = f"student/{exercise.topic}/with_{track}.py"
    lines += ["", f"Write it in {path}, then:",
              f"  pytest --exercise {exercise.name} --track {track}"]  # fmt: skip
    return "\n".join(lines)


def docstring(exercise: Exercise, track: str) -> str:
    """The docstring of the reference, read and not run."""
    path = course.folder("reference") / exercise.topic / f"with_{track}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == exercise.name:
            return inspect.cleandoc(ast.get_docstring(node) or "")
    return ""
