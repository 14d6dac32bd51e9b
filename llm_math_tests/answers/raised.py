"""What an exception from an answer becomes: a reply in words, with the answer's own line."""

from __future__ import annotations

import builtins
import linecache
import re
import sys
import traceback
from types import TracebackType

from llm_math_tests.answers.door import Ended, Reply
from llm_math_tests.answers.leaning import NotLent
from llm_math_tests.answers.time_limit import TimeLimit, TimeLimitReached

_LONGEST = 300
_SECONDS_FOR_A_MESSAGE = 0.5
_OUR_NAMES = re.compile(r"_answers_[0-9a-f]{8}\.(\w+\.)*")
"""The package that an answer's file is loaded as: no business of a student's."""


def reply_of_exception(
    error: BaseException, source: str, took: float, limit: float, doing: str = ""
) -> Reply:
    """Say what was raised and where in the file ``source``."""
    line, text = innermost_line(error.__traceback__, source)
    ended: Ended = "raised"
    if isinstance(error, TimeLimitReached):
        ended = "timeout"
        problem = f"ran longer than the time limit of {limit:g} s"
        problem += ": too slow, or a loop that does not end?" if not doing else f" while {doing}"
    elif isinstance(error, MemoryError):
        ended = "memory"
        problem = "ran out of memory"
    elif isinstance(error, SyntaxError) and error.filename == source:
        line, text = error.lineno, (error.text or "").strip()
        problem = f"{type(error).__name__}: {error.msg}"
    elif isinstance(error, UnicodeDecodeError) and doing:
        number = error.object[: error.start].count(b"\n") + 1
        problem = f"line {number} is not UTF-8 text: save the file as UTF-8"
    elif isinstance(error, NotLent):
        problem = f"NotImplementedError: {error}"
    else:
        problem = _in_its_own_words(error)
    problem = problem if len(problem) <= _LONGEST else problem[: _LONGEST - 3] + "..."
    return Reply(
        ended,
        problem=problem,
        exception=_kind(error, source),
        line=line,
        text=text,
        seconds=took,
        traceback=error.__traceback__,
    )


def _in_its_own_words(error: BaseException) -> str:
    """Type and message. The message is the answer's code too: it may raise, or never end."""
    limit = TimeLimit(_SECONDS_FOR_A_MESSAGE)
    try:
        with limit:
            text = "".join(traceback.format_exception_only(type(error), error)).strip()
            return _OUR_NAMES.sub("", text[: 10 * _LONGEST])
    except BaseException:
        limit.stop()
        return f"{_OUR_NAMES.sub('', type(error).__name__)}: (its message cannot be shown)"


def _kind(error: BaseException, source: str) -> str:
    """The nearest builtin exception's name: a subclass of ValueError counts as one.

    A ``NotImplementedError`` that a library raises (torch does, for a dtype it cannot
    multiply) is no stub's: it counts as the ``RuntimeError`` that it also is.
    """
    if isinstance(error, NotLent):
        return "NotImplementedError"
    if isinstance(error, NotImplementedError) and not _raised_in(error.__traceback__, source):
        return "RuntimeError"
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            return str(kind.__name__)
    return type(error).__name__


def _raised_in(trace: TracebackType | None, source: str) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_filename != source:
        return False
    # What a library raises from C has no frame of its own: its line is the one that calls.
    return "raise" in linecache.getline(source, trace.tb_lineno)


def calling_line(source: str) -> tuple[int | None, str]:
    """The line of ``source`` that is being carried out, seen from what it called."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != source:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return None, ""
    return frame.f_lineno, linecache.getline(source, frame.f_lineno).strip()


def innermost_line(trace: TracebackType | None, source: str) -> tuple[int | None, str]:
    """The last line of ``source`` that the traceback passed through."""
    found: tuple[int | None, str] = (None, "")
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == source:
            found = (trace.tb_lineno, linecache.getline(source, trace.tb_lineno).strip())
        trace = trace.tb_next
    return found
