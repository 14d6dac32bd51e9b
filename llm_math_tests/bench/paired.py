"""The references beside the libraries, in pairs: ``python -m llm_math_tests.bench.paired``.

For maintainers. Each reference is timed against the library's own function (the yardstick)
and, where the entry names one, the best composition of the library's array functions. The
calls alternate, on one thread; the table shows the median of the pairs' ratios, reference
over library, with its 95 % interval: below 1 the reference is faster.
"""

from __future__ import annotations

import argparse
import sys
import warnings
import zlib
from collections.abc import Iterator

import numpy as np

from llm_math_tests import course, tracks
from llm_math_tests.answers.load import load
from llm_math_tests.bench.clock import clock_for
from llm_math_tests.bench.inputs import InputSets, OwnInputs
from llm_math_tests.bench.measure import LOAD_SECONDS
from llm_math_tests.bench.sampling import Contender, Effort, ratios
from llm_math_tests.bench.statistics import median, median_interval
from llm_math_tests.bench.threads import one_thread_each
from llm_math_tests.exercise import Bench, Exercise, Size, Yardstick
from llm_math_tests.exercises import exercises, matching
from llm_math_tests.run import Solution

_TRACKS = ("numpy", "torch")
SLOWER = 1.5
"""A reference that takes more than this times as long needs a reason."""


def lines(names: tuple[str, ...] | None, effort: Effort) -> Iterator[str]:
    """The table's lines, each as soon as it is measured."""
    yield "| exercise | size | track | beside | reference / it | 95 % | why |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for exercise in exercises(names):
        bench = exercise.bench
        if bench is None:
            continue
        for track in _TRACKS:
            if track not in exercise.tracks or tracks.unavailable(track):
                continue
            for size in bench.sizes:
                for kind, yardstick in _beside(bench, track):
                    yield _line(exercise, size, track, kind, yardstick, effort)


def _beside(bench: Bench, track: str) -> Iterator[tuple[str, Yardstick]]:
    for kind, found in (("composition", bench.compositions), ("library", bench.yardsticks)):
        if track in found:
            yield kind, found[track]


def _line(
    exercise: Exercise, size: Size, track: str, kind: str, yardstick: Yardstick, effort: Effort
) -> str:
    head = f"| {exercise.name} | {size.name} | {track} | {kind}: {yardstick.label} |"
    try:
        found = _ratios(exercise, size, track, yardstick, effort)
    except ModuleNotFoundError as error:
        return f"{head} not run: {error.name} is not installed | | |"
    low, high = median_interval(found)
    why = yardstick.ahead or "no reason is given" if median(found) > SLOWER else ""
    return f"{head} {median(found):.2f} | {low:.2f} to {high:.2f} | {why} |"


def _ratios(
    exercise: Exercise, size: Size, track: str, yardstick: Yardstick, effort: Effort
) -> list[float]:
    where = Solution("reference", course.folder("reference")).where(exercise.topic, track)
    own = tracks.track(track)
    reference = load(where, own, LOAD_SECONDS).function(exercise.name)
    if reference is None:
        raise LookupError(f"the {track} reference of {exercise.name} cannot be loaded")
    rng = np.random.default_rng(zlib.crc32(exercise.name.encode()))
    inputs = OwnInputs(exercise, InputSets(size, "float32", rng), own, "cpu")
    theirs, ours = (
        Contender(name, clock_for(track, "cpu"), lambda n, f=function: inputs.calls(f, n))  # type: ignore[misc]
        for name, function in ((yardstick.label, yardstick.call), ("reference", reference))
    )
    with one_thread_each(torch_too=track == "torch"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ratios(theirs, ours, effort)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m llm_math_tests.bench.paired",
        description="Time the references beside the libraries' own functions, in pairs.",
    )
    parser.add_argument("names", nargs="*", help="exercises, topics or patterns (default: all)")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each contender")
    options = parser.parse_args(arguments)
    effort = Effort(seconds=options.seconds, precision=0.0, fewest=9, fewest_when_slow=9)
    for line in lines(matching(options.names) if options.names else None, effort):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
