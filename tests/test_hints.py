"""Hints go in steps, fit the screen and never give a line of the reference away."""

from __future__ import annotations

import ast
import re
import textwrap
from functools import cache

import pytest

from llm_math_tests import course
from llm_math_tests.cli import main
from llm_math_tests.exercises import exercise, names

_TELLING = (ast.BinOp, ast.Call, ast.Compare, ast.Subscript, ast.UnaryOp, ast.BoolOp)
_ENOUGH = 2
"""Operations of an expression that is a step of the solution and not a word of the language."""


def code(text: str) -> str:
    """Text as code is compared: without spaces, modules, keepdims and the names of variables."""
    text = re.sub(r"\b(?:np|cp|torch|math|numpy)\.", "", text)
    text = re.sub(r",?\s*\b(?:keepdims?|axis|dim|out|dtype)=[-\w.]+", "", text)
    # A variable's name is the student's own; what is called or looked up is not.
    text = re.sub(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\()", "v", text)
    return re.sub(r"\s+", "", text)


@cache
def steps_of(topic: str, name: str, track: str) -> dict[str, str]:
    """The expressions of a reference and its helpers, by the form they are compared in.

    Not those that the lesson shows itself, as its formula.
    """
    path = course.folder("reference") / topic / f"with_{track}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    (function,) = [f for f in functions if f.name == name]
    lesson = code(ast.get_docstring(function) or "")
    found = {}
    for owner in [function, *(f for f in functions if f.name.startswith("_"))]:
        for node in ast.walk(owner):
            if isinstance(node, ast.AugAssign):
                node = ast.BinOp(node.target, node.op, node.value)
            if isinstance(node, _TELLING) and _operations(node) >= _ENOUGH:
                text = ast.unparse(node)
                if code(text) not in lesson:
                    found[code(text)] = text
    return found


def _operations(node: ast.AST) -> int:
    return sum(isinstance(part, _TELLING) for part in ast.walk(node))


def given_away(name: str, hint: str) -> list[str]:
    """The steps of any reference that stand in the hint."""
    told = code(hint)
    return [
        text
        for track in exercise(name).tracks
        for form, text in steps_of(exercise(name).topic, name, track).items()
        if form in told
    ]


@pytest.mark.parametrize("name", names())
def test_hints_are_steps(name):
    hints = exercise(name).hints
    assert len(hints) >= 2
    assert len(set(hints)) == len(hints)
    for hint in hints:
        assert hint.isascii()
        assert hint == " ".join(hint.split())
        assert 30 <= len(hint) <= 240, f"a hint is a thought or two, got {len(hint)} characters"


@pytest.mark.parametrize("name", names())
def test_no_hint_is_a_line_of_the_reference(name):
    for hint in exercise(name).hints:
        assert given_away(name, hint) == []


@pytest.mark.parametrize("name", names())
def test_the_first_hint_is_the_idea_and_not_code(name):
    first = exercise(name).hints[0]
    assert not re.search(r"\b(?:np|torch|cp)\.|\w=\w|\[\.\.\.|:\]", first)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("softmax", "Try scores - scores.max(axis=axis, keepdims=True) before the exponential."),
        ("softmax_jacobian", "Write m = probs[..., :, None] * -probs[..., None, :] first."),
        ("one_hot", "Set out[np.arange(t.size), t] = 1."),
        ("rms_norm", "Then x / torch.sqrt(mean_square + eps)."),
    ],
)
def test_a_line_of_the_reference_is_seen_whatever_its_variables_are_called(name, hint):
    assert given_away(name, hint)


def test_there_is_something_to_compare_in_every_exercise():
    for name in names():
        for track in exercise(name).tracks:
            assert steps_of(exercise(name).topic, name, track), (name, track)


def test_they_are_walked_one_at_a_time(capsys):
    said = []
    for step in ([], ["2"], ["3"]):
        assert main(["hint", "softmax", *step]) == 0
        said.append(capsys.readouterr().out)
    for number, (text, hint) in enumerate(zip(said, exercise("softmax").hints, strict=True), 1):
        assert f"hint {number} of 3" in text
        assert " ".join(textwrap.dedent(text).split()).count(hint) == 1
    assert "more: llm-math hint softmax 2" in said[0]
    assert "the last one" in said[2]


@pytest.mark.parametrize("name", names())
def test_they_fit_the_screen(name, capsys):
    for step in range(1, len(exercise(name).hints) + 1):
        main(["hint", name, str(step)])
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
