"""The words of the catalogue as frozen data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    from llm_math_tests.answers.answer import Answer

Level = Literal["core", "stable", "contract"]
LEVELS: tuple[Level, ...] = ("core", "stable", "contract")

Verdict = Literal["passed", "wrong", "error", "not_started", "not_run"]

TRACKS = ("numpy", "torch", "cupy")

Inputs = dict[str, Any]
"""An exercise's arguments by name, in the order of its signature, as neutral values."""


@dataclass(frozen=True)
class Case:
    """One situation that a check puts an answer in."""

    name: str
    make: Callable[[np.random.Generator], Inputs]
    note: str = ""
    """What is special about the inputs, for a message: ``scores around 1e4``."""
    tracks: tuple[str, ...] = TRACKS
    expects: Any = None
    """What the check expects of this case in particular (as ``answer.case.expects``)."""


@dataclass(frozen=True)
class Check:
    """One promise that every answer must keep."""

    name: str
    level: Level
    promise: str
    """The promise as a sentence: ``every row sums to 1``."""
    run: Callable[[Answer, Inputs], None]
    """Raises :class:`~llm_math_tests.checks.wrong.Wrong` if the answer breaks it."""
    cases: tuple[Case, ...]
    points: int = 1
    tracks: tuple[str, ...] = TRACKS
    truth: Callable[..., Any] | None = None
    """The truth that the check compares values with, where that is all it does."""
    broken_by: tuple[Mistake, ...] = ()
    """Mistakes that break this promise whatever the exercise: its entry need not repeat them."""
    needs: tuple[str, ...] = ()
    """Other exercises whose answers, by the same person, the promise relates this one to."""


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer: an edit of the reference, and what a good teacher would say."""

    name: str
    sentence: str
    """What the student did, continuing "you": ``divided by d, not by its root``."""
    instead_of: str = ""
    they_write: str = ""
    also: tuple[tuple[str, str], ...] = ()
    """Further edits that belong to the same mistake."""
    track: str = "numpy"
    """The reference that the edit is of."""
    edit: Callable[[str, str], str] | None = None
    """Instead of words to replace: makes the wrong text of the file's text and the
    function's name."""
    helper: str = ""
    """The private function of the reference whose words are replaced, if not its own."""


@dataclass(frozen=True)
class Refusal:
    """A bad argument, which must raise ``ValueError`` naming the argument and the value."""

    name: str
    make: Callable[[np.random.Generator], Inputs]
    argument: str
    value: str
    """Text that the message must contain, as the value is written."""
    looks_at_values: bool = False
    """Only asked for arrays on the CPU: looking at values would stop a GPU."""


@dataclass(frozen=True)
class Size:
    """One benchmark size."""

    name: str
    make: Callable[[np.random.Generator, str], Inputs]
    """Inputs of a dtype."""


@dataclass(frozen=True)
class Yardstick:
    """A library's own function, timed beside the answers; it imports its library when called."""

    label: str
    """The function's dotted name, as the report shows it."""
    call: Callable[..., Any]
    """Takes the exercise's arguments as the track's own arrays."""
    ahead: str = ""
    """Why it is more than half as fast again as our reference, where it is."""


@dataclass(frozen=True)
class Bench:
    """What a benchmark of an exercise runs, and the work it is."""

    sizes: tuple[Size, ...]
    moved_bytes: Callable[[Inputs], int]
    """Bytes that any answer must read and write."""
    operations: Callable[[Inputs], int]
    """Floating-point operations of the formula."""
    yardsticks: Mapping[str, Yardstick] = field(default_factory=dict)
    """The library's own function in each track that has one."""
    """Where a fused kernel does more than the library's array functions can, see
    ``compositions``."""
    compositions: Mapping[str, Yardstick] = field(default_factory=dict)
    """The best that can be put together from the library's own array functions, keeping the
    contract: what our reference is held to, with the fused function as a yardstick."""
    dtypes: tuple[str, ...] = ("float32",)


@dataclass(frozen=True)
class Exercise:
    """A function with a contract, in up to three tracks."""

    name: str
    topic: str
    signature: str
    """The contract's: ``softmax(logits, temperature=1.0, axis=-1)``."""
    checks: tuple[Check, ...]
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    bench: Bench | None = None
    no_bench: str = ""
    """Why there is nothing to time."""
    tracks: tuple[str, ...] = TRACKS
    makes_arrays: bool = False
    """A maker of arrays: takes an optional ``device=None`` in torch and cupy."""
    fewer: str = ""
    """Why the entry has fewer mistakes or unusual answers than the others."""
    scaled: tuple[str, ...] = ()
    """The arguments whose size the report's stability curve varies."""
    not_broken_by: tuple[str, ...] = ()
    """Names of mistakes that its checks bring and that cannot show in this exercise."""

    @property
    def points(self) -> int:
        """Points of all checks, in the track that has the most."""
        return max(self.points_in(track) for track in self.tracks)

    def points_in(self, track: str) -> int:
        """Points that a track's checks give."""
        return sum(check.points for check in self.checks_in(track))

    def checks_in(self, track: str) -> tuple[Check, ...]:
        """The checks that apply in a track."""
        return tuple(check for check in self.checks if track in check.tracks)

    @property
    def known_mistakes(self) -> tuple[Mistake, ...]:
        """The entry's own mistakes, and those that its checks bring with them."""
        known = {mistake.name: mistake for mistake in self.mistakes}
        for check in self.checks:
            for mistake in check.broken_by:
                if mistake.track in self.tracks and mistake.name not in self.not_broken_by:
                    known.setdefault(mistake.name, mistake)
        return tuple(known.values())

    def check(self, name: str) -> Check:
        """The check of that name."""
        return next(check for check in self.checks if check.name == name)

    def signature_in(self, track: str) -> str:
        """The signature in a track."""
        if self.makes_arrays and track != "numpy":
            return self.signature[:-1] + ", device=None)"
        return self.signature


@dataclass(frozen=True)
class Outcome:
    """What came of one case of one check; the record that everything else reports."""

    exercise: str
    topic: str
    track: str
    answer: str
    """Whose answer: ``student``, ``reference`` or the folder's name."""
    check: str
    level: Level
    case: str
    verdict: Verdict
    points: float
    max_points: float
    mistake: str = ""
    """The known mistake whose outputs the answer's equal; several, with commas between them,
    where these inputs cannot tell them apart."""
    you_did: str = ""
    """What is said of it."""
    pattern: str = ""
    """What the numbers show where no mistake is known: true of them, whatever the code."""
    leaned_on: str = ""
    """Earlier exercises that were answered by ours, as theirs are not started."""
    message: str = ""
    seconds: float = 0.0
    ended: str = "returned"
    proved_by: str = "cpu"

    def record(self) -> dict[str, Any]:
        """The outcome as plain data."""
        return dataclasses.asdict(self)
