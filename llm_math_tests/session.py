"""One run of the course: what was chosen, what came of it, and how the run ends.

Knows nothing of pytest. Under xdist every worker has a session of its own; the
controller's is fed with the records that travel in the reports.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from llm_math_tests import __version__, course
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import AnswerRoom
from llm_math_tests.exercise import LEVELS, TRACKS, Check, Exercise, Outcome
from llm_math_tests.exercises import TOPICS
from llm_math_tests.exercises import exercise as find_exercise
from llm_math_tests.exercises import names as all_names
from llm_math_tests.run import DEFAULT_SECONDS, Engine, Solution

RESULTS_VERSION = 1


class UnusableChoice(ValueError):
    """An option's value that cannot be used; the message says what would do."""


@dataclass(frozen=True)
class Choice:
    """What the options chose."""

    solution: Solution
    names: tuple[str, ...] = ()
    tracks: tuple[str, ...] = TRACKS
    levels: tuple[str, ...] = LEVELS
    seed: int = 0
    seconds: float = DEFAULT_SECONDS
    isolate: bool = False

    def chosen(self, exercise: Exercise) -> list[tuple[str, Check]]:
        """The (track, check) pairs of an exercise, in order."""
        return [
            (track, check)
            for track in exercise.tracks
            if track in self.tracks
            for check in exercise.checks_in(track)
            if check.level in self.levels
        ]


def solution_of(text: str, start: Path, default_root: Path | None = None) -> Solution:
    """``student``, ``reference`` or a folder with the layout of ``student/``."""
    if text == "reference":
        return Solution("reference", course.folder("reference"))
    if text == "student":
        for root in (start, default_root or start):
            if (root / "student").is_dir():
                return Solution("student", root / "student")
        up = way_to_course(start)
        if up is not None:
            raise UnusableChoice(
                f"your course is further up: the folder that holds student/. Go there: 'cd {up}'"
            )
        raise UnusableChoice(
            f"there is no folder student/ in {start}: run 'llm-math init {start}' to lay one "
            f"out, or say --solution DIR"
        )
    root = (start / text).expanduser()
    if not root.is_dir():
        raise UnusableChoice(
            f"--solution {text}: there is no such folder; expected student, reference or a "
            f"folder that holds <topic>/with_<track>.py"
        )
    return Solution(root.name or str(root), root.resolve())


def way_to_course(start: Path) -> Path | None:
    """``../..`` where a folder above holds a course; else nothing."""
    for count, folder in enumerate(start.parents, 1):
        if any((folder / "student" / topic).is_dir() for topic in TOPICS):
            return Path(*[".."] * count)
    return None


@dataclass
class Session:
    """The outcomes of a run, and the engine that makes them."""

    choice: Choice
    outcomes: dict[tuple[str, str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """Records by (exercise, track, check), in the order in which they came."""

    @cached_property
    def room(self) -> AnswerRoom:
        """Where the answers run."""
        if self.choice.isolate:
            from llm_math_tests.answers.worker import Worker

            return Worker()
        from llm_math_tests.answers.in_process import InProcess

        return InProcess()

    @cached_property
    def engine(self) -> Engine:
        """The engine for the chosen solution."""
        return Engine(self.choice.solution, self.room, self.choice.seed, self.choice.seconds)

    def answer(self, name: str, track: str) -> Answer:
        """The chosen solution's answer."""
        return self.engine.answer(find_exercise(name), track)

    def run(self, name: str, track: str, check: str) -> list[Outcome]:
        """Run one check and keep what came of it."""
        exercise = find_exercise(name)
        outcomes = self.engine.run(exercise.check(check), self.answer(name, track))
        self.keep([outcome.record() for outcome in outcomes])
        return outcomes

    def keep(self, records: Iterable[dict[str, Any]]) -> None:
        """Remember records; those of a check that ran again take the old ones' place."""
        fresh: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for record in records:
            key = (record["exercise"], record["track"], record["check"])
            fresh.setdefault(key, []).append(record)
        self.outcomes.update(fresh)

    def records(self) -> list[dict[str, Any]]:
        """All records, in the catalogue's order whatever order they ran in."""
        return [
            record for key in sorted(self.outcomes, key=_place) for record in self.outcomes[key]
        ]

    def failures_of(self, name: str, track: str) -> list[dict[str, Any]]:
        """What keeps an answer from being right: run the checks that have not run yet."""
        exercise = find_exercise(name)
        for check in exercise.checks_in(track):
            if (name, track, check.name) not in self.outcomes:
                self.run(name, track, check.name)
        return [
            record
            for key, records in self.outcomes.items()
            if key[:2] == (name, track)
            for record in records
            if record["verdict"] not in ("passed", "not_run")
        ]

    def leaned_on(self, name: str, track: str) -> str:
        """The exercises that an answer used ours of so far, with commas between them."""
        used = [
            other
            for key, records in self.outcomes.items()
            if key[:2] == (name, track)
            for record in records
            for other in record.get("leaned_on", "").split(", ")
        ]
        return ", ".join(dict.fromkeys(filter(None, used)))

    @property
    def all_passed(self) -> bool:
        """Whether everything that ran passed; "not run" is the machine's, and allowed."""
        return all(record["verdict"] in ("passed", "not_run") for record in self.records())

    def close(self) -> None:
        """End worker processes."""
        if "room" in self.__dict__:
            self.room.close()


def _place(key: tuple[str, str, str]) -> tuple[int, int, int]:
    """Where a check stands in the catalogue."""
    name, track, check = key
    checks = [entry.name for entry in find_exercise(name).checks]
    return all_names().index(name), TRACKS.index(track), checks.index(check)


def write_results(path: Path, session: Session) -> None:
    """Write the outcomes as JSON, whole or not at all."""
    records = session.records()
    document = {
        "version": RESULTS_VERSION,
        "program": f"llm-math-tests {__version__}",
        "solution": session.choice.solution.label,
        "seed": session.choice.seed,
        "room": "worker" if session.choice.isolate else "in process",
        "points": round(sum(record["points"] for record in records), 6),
        "max_points": round(sum(record["max_points"] for record in records), 6),
        "outcomes": records,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
    os.replace(name, path)
