"""How a check says that a promise was broken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llm_math_tests.answers.door import Reply
from llm_math_tests.exercise import Mistake


@dataclass(frozen=True, eq=False)
class Compared:
    """Two arrays of one shape that a check compared, for a closer look."""

    have: np.ndarray
    want: np.ndarray
    bad: np.ndarray
    """Where they differ by more than is allowed."""
    what: str
    dtype: str


@dataclass
class Wrong(Exception):
    """A broken promise: what was expected and what came, in words of the exercise."""

    expected: str
    got: str
    allowed: str = ""
    """The tolerance and where it comes from, for a difference in values."""
    note: str = ""
    """What to make of it, where the check itself knows."""
    line: int | None = None
    """The line of the answer's file that broke it, where that is known."""
    text: str = ""
    did: Mistake | None = None
    """What the answer did, where the check itself has the evidence."""
    compared: Compared | None = None
    """The numbers, where it is numbers that differ."""

    def __str__(self) -> str:
        return f"expected {self.expected}, got {self.got}"


@dataclass
class AnswerEnded(Exception):
    """The answer did not return: the reply says how it ended."""

    reply: Reply

    def __str__(self) -> str:
        return self.reply.problem


@dataclass
class NotRun(Exception):
    """A check cannot be made on this machine; never a student's fault, never a pass."""

    reason: str

    def __str__(self) -> str:
        return self.reason
