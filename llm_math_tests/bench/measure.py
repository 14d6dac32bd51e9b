"""Measure a group of rows: correct first, then timed together."""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from llm_math_tests import course, tracks
from llm_math_tests.answers.load import load
from llm_math_tests.answers.raised import reply_of_exception
from llm_math_tests.answers.time_limit import TimeLimit, TimeLimitReached
from llm_math_tests.bench import accuracy
from llm_math_tests.bench.clock import clock_for
from llm_math_tests.bench.inputs import InputSets, OwnInputs, bytes_of
from llm_math_tests.bench.plan import LIBRARY, REFERENCE, Row, cannot_run
from llm_math_tests.bench.sampling import Contender, Effort, sample
from llm_math_tests.bench.threads import one_thread_each
from llm_math_tests.exercise import Exercise
from llm_math_tests.exercises import exercise as find_exercise
from llm_math_tests.run import Solution
from llm_math_tests.session import Session
from llm_math_tests.wording import used_ours

Status = Literal["timed", "wrong", "error", "not_started", "not_run"]

NOT_REACHED = "the run ended before this row"
INTERRUPTED = "interrupted while it was timed"
LOAD_SECONDS = 30.0


@dataclass
class Timing:
    """What came of a row."""

    row: Row
    status: Status = "not_run"
    reason: str = NOT_REACHED
    samples: tuple[float, ...] = ()
    """Seconds a call."""
    moved_bytes: int = 0
    operations: int = 0
    max_rel_error: float = math.nan
    raised: bool = False
    """Whether the benchmark's own call failed, which no check has reported."""
    stopped: str = ""
    """What ended the sampling: ``precise``, ``time`` or ``count``."""


class Unready(Exception):
    """A row that cannot be timed, with its status."""

    def __init__(self, status: Status, reason: str, raised: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.raised = raised

    def note(self, timing: Timing) -> None:
        """Put it down."""
        timing.status, timing.reason, timing.raised = self.status, self.reason, self.raised


@dataclass
class Laboratory:
    """Measures groups of rows and remembers under which conditions."""

    session: Session
    effort: Effort = field(default_factory=Effort)
    threads: dict[str, str] = field(default_factory=dict)
    """Threads each library was held to."""
    clocks: dict[str, str] = field(default_factory=dict)
    """How each device's time was taken."""
    device_names: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    """The library's function by ``exercise/track``."""

    def __post_init__(self) -> None:
        self._functions: dict[tuple[str, str, str], Callable[..., Any]] = {}

    def measure(self, timings: Iterable[Timing]) -> None:
        """Measure the rows of one group, filling in the timings.

        Ctrl-C leaves what was sampled so far in them.
        """
        timings = list(timings)
        exercise = find_exercise(timings[0].row.exercise)
        ready = []
        for timing in timings:
            try:
                function = self._function(exercise, timing.row)
            except Unready as unready:
                unready.note(timing)
            else:
                ready.append((timing, function))
        if not ready:
            return
        with one_thread_each(torch_too=any(t.row.track == "torch" for t, _ in ready)) as threads:
            self.threads.update(threads)
            # An answer's warning is not an error, and noting it would be timed with it.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._time(exercise, ready)

    def _time(self, exercise: Exercise, ready: list[tuple[Timing, Callable[..., Any]]]) -> None:
        bench = exercise.bench
        assert bench is not None
        row = ready[0][0].row
        size = next(size for size in bench.sizes if size.name == row.size)
        key = zlib.crc32("/".join(row.group).encode())
        rng = np.random.default_rng([self.session.choice.seed, key])
        sets = InputSets(size, row.dtype, rng)
        moved, operations = bench.moved_bytes(sets.first), bench.operations(sets.first)
        places: dict[tuple[str, str], OwnInputs] = {}
        running: list[tuple[Timing, Contender, OwnInputs, Callable[..., Any]]] = []
        for timing, function in ready:
            timing.moved_bytes, timing.operations = moved, operations
            timing.reason = INTERRUPTED
            try:
                where = (timing.row.track, timing.row.device)
                if where not in places:
                    places[where] = OwnInputs(exercise, sets, tracks.track(where[0]), where[1])
                contender = self._contender(timing.row, places[where], function)
            except Unready as unready:
                unready.note(timing)
            else:
                running.append((timing, contender, places[where], function))
        try:
            sample([contender for _, contender, _, _ in running], self.effort)
        finally:
            for timing, contender, _, _ in running:
                _conclude(timing, contender, self.effort)
        if bytes_of(sets.first) <= accuracy.LARGEST_INPUTS:
            for timing, _, own, function in running:
                if timing.status == "timed":
                    timing.max_rel_error = self._accuracy(exercise, timing.row, own, function)

    def _contender(self, row: Row, own: OwnInputs, function: Callable[..., Any]) -> Contender:
        """Call once, within the time limit and off the clock: it may not work on these inputs."""
        track = tracks.track(row.track)
        limit = self.session.choice.seconds
        try:
            with TimeLimit(limit):
                result = own.calls(function, 1)[0]()
        except KeyboardInterrupt:
            raise
        except ModuleNotFoundError as error:
            raise Unready("not_run", f"{error.name} is not installed") from None
        except (Exception, TimeLimitReached, SystemExit) as error:
            reply = reply_of_exception(error, "", 0.0, limit)
            raise Unready("error", " ".join(reply.problem.split()), True) from None
        taken = track.take(result)
        if taken is not None and row.device != "cpu" and taken[1].device != row.device:
            raise Unready("wrong", f"the result is on {taken[1].device}, not on {row.device}", True)
        clock = clock_for(row.track, row.device)
        self.clocks[row.device] = clock.describes
        return Contender(row.name, clock, lambda count: own.calls(function, count))

    def _accuracy(
        self, exercise: Exercise, row: Row, own: OwnInputs, function: Callable[..., Any]
    ) -> float:
        track = tracks.track(row.track)
        try:
            reference = self._answer(exercise, "numpy", _reference())
            result = own.calls(function, 1)[0]()
            args, kwargs = own.used_last(track)
            return accuracy.max_rel_error(result, track, lambda: reference(*args, **kwargs))
        except (Exception, SystemExit):
            # A figure beside the timing, never a reason to lose it.
            return math.nan

    def _function(self, exercise: Exercise, row: Row) -> Callable[..., Any]:
        """What the row times, if it may be timed."""
        reason = self.why_not(row)
        if reason is not None:
            raise Unready("not_run", reason)
        if row.device == "cuda" and row.device not in self.device_names:
            self.device_names[row.device] = _name_of_device(row.track)
        if row.implementation == LIBRARY:
            assert exercise.bench is not None
            yardstick = exercise.bench.yardsticks[row.track]
            self.libraries[f"{exercise.name}/{row.track}"] = yardstick.label
            return yardstick.call
        solution = self.session.choice.solution
        if row.implementation == solution.label:
            self._must_be_right(exercise, row.track)
            return self._answer(exercise, row.track, solution)
        return self._answer(exercise, row.track, _reference())

    def why_not(self, row: Row) -> str | None:
        """Why a row cannot run here, or None."""
        reason = cannot_run(row, self.session.choice.isolate)
        if reason is None and row.device == "cuda" and tracks.track(row.track).device() is None:
            return f"this {tracks.track(row.track).library} cannot use the CUDA device"
        return reason

    def right_functions(
        self, names: Sequence[str], track: str
    ) -> tuple[dict[str, Callable[..., Any]], str]:
        """The solution's own functions if all are right, else the reference's; and whose they are.

        Never some of each: what one person's forward kept, another's backward cannot read.
        And never the solution's where it is to stay behind ``--isolate``.
        """
        exercises = [find_exercise(name) for name in names]
        solution, label = self.session.choice.solution, self.session.choice.solution.label
        try:
            if self.session.choice.isolate:
                raise Unready("not_run", "answers behind --isolate are not timed")
            for exercise in exercises:
                self._must_be_right(exercise, track)
            return {one.name: self._answer(one, track, solution) for one in exercises}, label
        except Unready:
            whole = _reference()
            return {one.name: self._answer(one, track, whole) for one in exercises}, REFERENCE

    def _must_be_right(self, exercise: Exercise, track: str) -> None:
        failures = self.session.failures_of(exercise.name, track)
        for status in ("not_started", "error", "wrong"):
            checks = [f["check"] for f in failures if f["verdict"] == status]
            if not checks:
                continue
            if status == "not_started":
                raise Unready("not_started", "not started")
            names = list(dict.fromkeys(checks))
            if len(names) == 1:
                raise Unready(status, f"the check {names[0]} does not pass")
            raise Unready(status, f"{names[0]} and {len(names) - 1} more checks do not pass")
        leaned_on = self.session.leaned_on(exercise.name, track)
        if leaned_on:
            raise Unready("not_run", used_ours(leaned_on))

    def _answer(self, exercise: Exercise, track: str, solution: Solution) -> Callable[..., Any]:
        """An answer's own function, called without the door."""
        where = solution.where(exercise.topic, track)
        key = (str(where.path), track, exercise.name)
        if key not in self._functions:
            loaded = load(where, tracks.track(track), LOAD_SECONDS)
            function = loaded.function(exercise.name)
            if function is None:
                failed = loaded.failed
                problem = failed.problem if failed else f"there is no {exercise.name}"
                ended = failed.ended if failed else "refused"
                raise Unready("not_started" if ended == "refused" else "error", problem)
            self._functions[key] = function
        return self._functions[key]


def _conclude(timing: Timing, contender: Contender, effort: Effort) -> None:
    if contender.failed is not None:
        timing.status, timing.raised = "error", True
        timing.reason = f"{type(contender.failed).__name__}: {contender.failed}"
    elif len(contender.samples) >= effort.fewest_when_slow:
        timing.status, timing.reason = "timed", ""
        timing.samples = tuple(contender.samples)
        timing.stopped = contender.stopped or "interrupted"


def _reference() -> Solution:
    return Solution(REFERENCE, course.folder("reference"))


def _name_of_device(track: str) -> str:
    from llm_math_tests.bench.clock import CupyCuda, TorchCuda

    return TorchCuda().name if track == "torch" else CupyCuda().name
