"""Take samples of several contenders, interleaved, until each is known well enough.

Interleaved, so that whatever drifts (clock frequency, other load) drifts for all of
them alike; forwards and backwards in turn, so that none always follows the same one.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from llm_math_tests.bench.clock import Call, Clock
from llm_math_tests.bench.statistics import relative_error


@dataclass(frozen=True)
class Effort:
    """How much is spent on a contender."""

    seconds: float = 0.4
    """Time for the samples of one contender; the fewest samples come first."""
    precision: float = 0.015
    """Enough when the median is known to this relative error, at 95 %."""
    fewest: int = 5
    fewest_when_slow: int = 3
    """For calls of which the time holds fewer than ``fewest``."""
    most: int = 200
    """More would only make files large."""


@dataclass
class Contender:
    """What is timed: a maker of fresh calls, and the clock of its device."""

    name: str
    clock: Clock
    calls: Callable[[int], list[Call]]
    """Makes up to so many calls, each on inputs that were just changed."""
    samples: list[float] = field(default_factory=list)
    """Seconds a call."""
    batch: int = 1
    spent: float = 0.0
    stopped: str = ""
    """Why sampling ended: ``precise``, ``time``, ``count``; empty while it goes on."""
    failed: Exception | None = None

    def take(self) -> float:
        """One sample: seconds a call, over a batch."""
        calls = self.calls(self.batch)
        seconds = self.clock.time(calls)
        self.spent += seconds
        return seconds / len(calls)


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection, and no tracer (coverage, a debugger), while timing."""
    gc.collect()
    collecting = gc.isenabled()
    tracer, profiler = sys.gettrace(), sys.getprofile()
    gc.disable()
    sys.settrace(None)
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
        sys.setprofile(profiler)
        if collecting:
            gc.enable()


def sample(
    contenders: Sequence[Contender],
    effort: Effort,
    wall: Callable[[], float] = perf_counter,
) -> None:
    """Fill the contenders' samples.

    What was sampled stays when this is interrupted; a contender that raises leaves
    the others alone.
    """
    with undisturbed():
        for contender in contenders:
            _guarded(contender, lambda c=contender: _warm_up(c, effort))  # type: ignore[misc]
        forwards = True
        # What fresh inputs cost is not in the samples, but it is time that passes.
        last = wall() + 3 * effort.seconds * len(contenders)
        while active := [c for c in contenders if not c.stopped and c.failed is None]:
            for contender in active if forwards else reversed(active):
                _guarded(contender, lambda c=contender: _one_more(c, effort, wall() > last))  # type: ignore[misc]
            forwards = not forwards


def ratios(first: Contender, second: Contender, effort: Effort) -> list[float]:
    """How many times as long the second takes as the first, from alternating pairs.

    Taken side by side, so that what disturbs the machine disturbs both.
    """
    pair = (first, second)
    sample(pair, effort)
    for contender in pair:
        if contender.failed is not None:
            raise contender.failed
    return [two / one for one, two in zip(first.samples, second.samples, strict=False)]


def _guarded(contender: Contender, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as error:
        contender.failed = error


def _warm_up(contender: Contender, effort: Effort) -> None:
    """Call until calls stop getting faster, and choose the batch from what they take."""
    best = contender.take()
    while contender.spent < effort.seconds / 4:
        latest = contender.take()
        settled = latest > 0.95 * best
        best = min(best, latest)
        if settled:
            break
    if best < contender.clock.shortest:
        contender.batch = max(1, round(contender.clock.shortest / max(best, 1e-9)))
    contender.spent = 0.0


def _one_more(contender: Contender, effort: Effort, late: bool) -> None:
    contender.samples.append(contender.take())
    taken = len(contender.samples)
    slow = contender.samples[0] * effort.fewest > effort.seconds
    if taken < (min(effort.fewest, effort.fewest_when_slow) if slow else effort.fewest):
        return
    if taken >= effort.most:
        contender.stopped = "count"
    elif contender.spent >= effort.seconds or late:
        contender.stopped = "time"
    # Checked now and then only: sorting at every sample would be most of the work.
    elif taken % 8 == 0 and relative_error(contender.samples) <= effort.precision:
        contender.stopped = "precise"
