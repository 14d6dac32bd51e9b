"""The door: what the engine asks of an answer, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from llm_math_tests.answers.leaning import Lends
from llm_math_tests.answers.values import Value

Ended = Literal["returned", "raised", "timeout", "memory", "signal", "refused", "fault of ours"]
"""How a call, or the loading of an answer, came to its end."""

Room = Literal["in process", "worker"]


@dataclass(frozen=True)
class Where:
    """The file that holds a topic's answers in one track."""

    topic: str
    track: str
    path: Path
    """The file itself; it need not exist (then the answer is not started)."""
    root: Path
    """The folder with the layout of ``student/`` that the file lies in."""
    text: str | None = None
    """The text to run instead of the file's (a mistake is an edited text)."""

    @property
    def shown(self) -> str:
        """The path as a message shows it: below the current folder where it can be."""
        try:
            return self.path.relative_to(Path.cwd()).as_posix()
        except ValueError:
            return self.path.as_posix()


@dataclass(frozen=True)
class Request:
    """One call of an answer's function, in neutral values."""

    function: str
    args: tuple[Value, ...]
    kwargs: dict[str, Value] = field(default_factory=dict)
    cotangents: tuple[Value, ...] | None = None
    """With these, the answer's own library differentiates: a vector-Jacobian product."""
    on_accelerator: bool = False
    """Run on the accelerator; without one, on the fake: shapes, dtypes and devices only."""
    measure_memory: bool = False
    """Measure peak memory: slower, so only where a check asks for it."""
    lent: Lends | None = None
    """Our functions for the earlier exercises that the answer's author has not started."""
    aside: bool = False
    """Asked for a diagnosis: an end of the process is not counted against the answer."""


@dataclass(frozen=True)
class Fact:
    """What an array that came back was, on the answer's own side."""

    type_name: str
    dtype: str
    device: str
    connected: bool = False
    """Whether autograd knows where it came from (torch)."""


@dataclass(frozen=True)
class Reply:
    """What came back through the door, with the facts that a check may need."""

    ended: Ended
    value: Value = None
    facts: tuple[Fact, ...] = ()
    """One for each array in ``value``, in order."""
    grads: tuple[Value, ...] = ()
    """For a request with cotangents: one for each floating array argument, None if unused."""
    changed: tuple[str, ...] = ()
    """The inputs whose bytes were different afterwards, by argument position or name."""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_bytes: int | None = None
    problem: str = ""
    """For everything but "returned": what happened, in one line."""
    exception: str = ""
    """The class name of what was raised."""
    line: int | None = None
    """The line in the answer's file where it happened."""
    text: str = ""
    """That line."""
    printed: str = ""
    proved_by: str = ""
    """On what it ran: cpu, stand-in, fake or device."""
    notes: tuple[str, ...] = ()
    leaned_on: tuple[str, ...] = ()
    """The exercises that are not started and of which it used ours."""
    traceback: Any = None
    """In process only: the traceback, for a debugger."""


@dataclass(frozen=True)
class Loaded:
    """The result of loading an answer's file: what is there, or why it cannot be used."""

    functions: dict[str, tuple[int, tuple[Parameter, ...] | None]]
    """Name to (line, parameters); parameters are None where they cannot be told."""
    failed: Reply | None = None


@dataclass(frozen=True)
class Parameter:
    """One parameter of an answer's function."""

    name: str
    kind: str
    default: str | None
    """``repr`` of the default, None without one."""


class AnswerRoom(Protocol):
    """A place where answers run. Both rooms keep this one interface."""

    name: Room

    def load(self, where: Where) -> Loaded:
        """Load the file (once) and say what it defines."""

    def call(self, where: Where, request: Request, seconds: float) -> Reply:
        """Make one call, within a time limit."""

    def close(self) -> None:
        """Let go of processes and memory."""
