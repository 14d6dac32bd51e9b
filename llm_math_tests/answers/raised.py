"""What an exception from an answer becomes: a reply in words, with the answer's own line."""

from __future__ import annotations

import builtins
import linecache
import traceback
from types import TracebackType

from llm_math_tests.answers.door import Ended, Reply
from llm_math_tests.answers.time_limit import TimeLimitReached

_LONGEST = 300


def reply_of_exception(
    error: BaseException, source: str, took: float, limit: float, doing: str = ""
) -> Reply:
    """Say what was raised and where in the file ``source``."""
    line, text = innermost_line(error.__traceback__, source)
    ended: Ended = "raised"
    if isinstance(error, TimeLimitReached):
        ended = "timeout"
        problem = f"ran longer than the time limit of {limit:g} s"
        problem += ": is there a loop that does not end?" if not doing else f" while {doing}"
    elif isinstance(error, MemoryError):
        ended = "memory"
        problem = "ran out of memory"
    elif isinstance(error, SyntaxError) and error.filename == source:
        line, text = error.lineno, (error.text or "").strip()
        problem = f"{type(error).__name__}: {error.msg}"
    else:
        problem = "".join(traceback.format_exception_only(type(error), error)).strip()
    problem = problem if len(problem) <= _LONGEST else problem[: _LONGEST - 3] + "..."
    return Reply(
        ended,
        problem=problem,
        exception=_kind(error),
        line=line,
        text=text,
        seconds=took,
        traceback=error.__traceback__,
    )


def _kind(error: BaseException) -> str:
    """The nearest builtin exception's name: a subclass of ValueError counts as one."""
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            return str(kind.__name__)
    return type(error).__name__


def innermost_line(trace: TracebackType | None, source: str) -> tuple[int | None, str]:
    """The last line of ``source`` that the traceback passed through."""
    found: tuple[int | None, str] = (None, "")
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == source:
            found = (trace.tb_lineno, linecache.getline(source, trace.tb_lineno).strip())
        trace = trace.tb_next
    return found
