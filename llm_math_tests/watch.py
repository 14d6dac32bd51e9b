"""Check what a saved file touches, as soon as it is saved.

The process stays warm: NumPy and the catalogue are imported once, and each save
loads the student's file anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from llm_math_tests import tracks
from llm_math_tests.exercises import TOPICS, exercise
from llm_math_tests.report.failure import failure_text, worst_verdict
from llm_math_tests.run import Solution
from llm_math_tests.session import Choice, Session

_POLL_SECONDS = 0.1


def watch(solution: Solution, chosen: tuple[str, ...]) -> None:
    """Run until interrupted."""
    print(f"watching {solution.root}; save a file to check it, Ctrl-C to end", flush=True)
    seen = _stamps(solution, chosen)
    while True:
        time.sleep(_POLL_SECONDS)
        now = _stamps(solution, chosen)
        for path, stamp in now.items():
            if seen.get(path) != stamp:
                for line in verdict_lines(solution, path):
                    print(line, flush=True)
        seen = now


def _stamps(solution: Solution, chosen: tuple[str, ...]) -> dict[Path, tuple[int, int]]:
    found = {}
    for topic in TOPICS:
        for track in chosen:
            path = solution.root / topic / f"with_{track}.py"
            try:
                stat = path.stat()
            except OSError:
                continue
            found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def verdict_lines(solution: Solution, path: Path) -> Iterator[str]:
    """What the saved file's exercises come to: a line each, and the first failure whole."""
    track = path.stem.removeprefix("with_")
    topic = path.parent.name
    started = time.perf_counter()
    yield f"\n{path.name} of {topic}, {time.strftime('%H:%M:%S')}"
    missing = tracks.unavailable(track)
    if missing:
        yield f"  not run: {missing}"
        return
    session = Session(Choice(solution, tracks=(track,)))
    failure = None
    for name in TOPICS[topic]:
        entry = exercise(name)
        if track not in entry.tracks:
            continue
        session.failures_of(name, track)
        groups = [kept for key, kept in session.outcomes.items() if key[:2] == (name, track)]
        broken = [kept for kept in groups if worst_verdict(kept) in ("wrong", "error")]
        points = sum(record["points"] for kept in groups for record in kept)
        verdict = worst_verdict([record for kept in groups for record in kept])
        state = "passed" if verdict == "not_run" else verdict.replace("_", " ")
        yield f"  {name:<40} {state:<12} {points:g} of {entry.points_in(track)} points"
        if broken and failure is None:
            failure = failure_text(entry, broken[0])
    if failure:
        yield failure
    yield f"  {time.perf_counter() - started:.2f} s"
    session.close()
