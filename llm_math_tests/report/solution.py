"""What ``llm-math solution`` prints: the reference of one exercise, with what it uses."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable

from llm_math_tests import course, tracks
from llm_math_tests.exercise import Exercise
from llm_math_tests.first_steps import how_far
from llm_math_tests.session import Session
from llm_math_tests.wording import WIDTH, shown


def why_closed(session: Session, exercise: Exercise, track: str) -> list[str]:
    """What is missing before the reference may be read, in lines; nothing for a right answer."""
    missing = tracks.unavailable(track)
    if missing:
        lines = [f"{exercise.name} ({track}) cannot be checked here: {missing}"]
    elif session.failures_of(exercise.name, track):
        lines = [f"{exercise.name} ({track}): {how_far(session, exercise.name, track)}"]
    else:
        return []
    return [
        *(row for line in lines for row in textwrap.wrap(line, WIDTH, break_on_hyphens=False)),
        "The reference opens when your answer passes. To see it anyway: --give-up",
        f"A hint: llm-math hint {exercise.name}",
    ]


def reference_text(exercise: Exercise, track: str) -> str:
    """The function's source below its path, after the private helpers that it uses."""
    path = course.folder("reference") / exercise.topic / f"with_{track}.py"
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    body = ast.parse(text).body
    defined = {name: node for node in body for name in _names(node)}
    wanted = defined[exercise.name]
    used = _used_by(wanted, defined)
    helpers = [node for node in body if node is not wanted and node in used]
    others = [
        node.name
        for node in helpers
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    parts = [f"# {shown(path)}:{wanted.lineno}"]
    for node in helpers:
        if isinstance(node, ast.FunctionDef) and node.name in others:
            continue
        parts.append(_source(node, lines))
    parts.append(_source(wanted, lines))
    if others:
        # Their references are solutions of their own.
        parts.append(f"# It calls the exercise{'s' * (len(others) > 1)} {', '.join(others)}.")
    return "\n\n".join(parts)


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return []


def _used_by(node: ast.stmt, defined: dict[str, ast.stmt]) -> set[ast.stmt]:
    """The definitions of the file that a statement needs, and those that these need.

    Nothing is followed into another exercise: it brings its own.
    """
    found: set[ast.stmt] = set()
    ahead = [node]
    while ahead:
        for name in _mentioned(ahead.pop()):
            use = defined.get(name)
            if use is None or use in found or use is node:
                continue
            found.add(use)
            if not (isinstance(use, ast.FunctionDef) and not use.name.startswith("_")):
                ahead.append(use)
    return found


def _mentioned(node: ast.stmt) -> Iterable[str]:
    return (n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def _source(node: ast.stmt, lines: list[str]) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1  # a comment above says what it is
    return "\n".join(lines[first - 1 : node.end_lineno])
