"""Check a function that was defined in a notebook's cell, without a file."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from llm_math_tests import tracks
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Reply, Request, Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.answers.load import LoadedModule
from llm_math_tests.checks.wrong import NotRun
from llm_math_tests.console import spelled
from llm_math_tests.exercise import Exercise
from llm_math_tests.exercises import exercise, names, unknown
from llm_math_tests.report.failure import failure_of, worst_verdict
from llm_math_tests.run import Solution
from llm_math_tests.session import Choice, Session
from llm_math_tests.wording import point_text


def check(function: Callable[..., Any], track: str = "numpy") -> None:
    """Check one function of the course that was defined in this process, in a cell for example.

    Prints what pytest would say of it in a file, and its points. Other exercises that it calls
    for in a check are looked for in ``student/``.

    Args:
        function: Your function; its name says which exercise it is.
        track: numpy, torch or cupy.

    Raises:
        ValueError: There is no exercise of that name, or not in that track; the message says
            what there is.

    Example:
        >>> import llm_math_tests
        >>> def softmax(logits, temperature=1.0, axis=-1):
        ...     raise NotImplementedError
        >>> llm_math_tests.check(softmax)
        softmax (numpy): not started
    """
    name = getattr(function, "__name__", None) or repr(function)
    if name not in names():
        raise ValueError(unknown(name))
    entry = exercise(name)
    if track not in entry.tracks:
        raise ValueError(f"track must be one of {', '.join(entry.tracks)}, got track={track!r}")
    missing = tracks.unavailable(track)
    if missing:
        _say(f"{name} ({track}) is not run: {missing}")
        return
    room = _Cell()
    where = room.define(function, entry, track)
    session = Session(Choice(Solution("student", where.root), (name,), (track,)))
    session.room = room
    answer = Answer(entry, where, room, "student", session.choice.seconds)
    session.engine.adopt(answer)
    try:
        for text in _failures(session, answer):
            _say(f"{text}\n")
        points = sum(record["points"] for record in session.records())
        possible = point_text(round(points, 6), entry.points_in(track))
        begun = answer.problem is None or answer.problem.verdict != "not_started"
        _say(f"{name} ({track}): {possible if begun else 'not started'}")
    finally:
        session.close()


def _say(text: str) -> None:
    """Print what the stream can show, which stays as its owner set it up."""
    print(spelled(text, getattr(sys.stdout, "encoding", None) or "utf-8"))


def _failures(session: Session, answer: Answer) -> Iterator[str]:
    """What pytest would say of each check that fails; of a useless answer, only once."""
    for one in answer.exercise.checks_in(answer.track):
        outcomes = session.run(answer.exercise.name, answer.track, one.name)
        records = [outcome.record() for outcome in outcomes]
        if worst_verdict(records) in ("wrong", "error"):
            yield _without_repeat(failure_of(session, records))
        if answer.problem is not None:
            return


def _without_repeat(text: str) -> str:
    """Leave out pytest's command: it would run the file."""
    return re.sub(r"\n  repeat .*(?:\n {12}.*)*", "", text)


class _InCell(Where):
    """A cell is no file that could be opened."""

    @property
    def shown(self) -> str:
        return "your cell"


class _Cell(InProcess):
    """This process, with one function in it that no file holds."""

    def define(self, function: Callable[..., Any], entry: Exercise, track: str) -> Where:
        """Take the function as the answer to its exercise."""
        module = types.ModuleType(f"_cell_{entry.name}")
        setattr(module, entry.name, function)
        code = getattr(inspect.unwrap(function), "__code__", None)
        try:
            source = textwrap.dedent(inspect.getsource(function))
        except (OSError, TypeError):
            source = ""  # typed at a prompt, or not written in Python
        # With the line numbers of the cell, which a traceback has.
        text = "\n" * (code.co_firstlineno - 1) + source if code is not None else source
        file = Path(code.co_filename if code is not None else "cell")
        self._where = _InCell(entry.topic, track, file, Path.cwd() / "student", text)
        self._modules[self._where] = LoadedModule(module, None)
        return self._where

    def call(self, where: Where, request: Request, seconds: float) -> Reply:
        """Make one call; the accelerator that is not there needs a process, and so a file."""
        fake = request.on_accelerator and where.track == "torch"
        if fake and where == self._where and tracks.track("torch").device() is None:
            raise NotRun("it takes a file: pytest runs it")
        return super().call(where, request, seconds)
