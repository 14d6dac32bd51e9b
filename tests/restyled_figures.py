"""Known mistakes as students write them: ``python -m tests.restyled_figures [EXERCISE ...]``.

Ten exercises were chosen at random (``random.Random(4).sample(names(), 10)``), then five of the
others (``random.Random(5)``) that nothing was mended for: gelu_tanh, gaussian_kl, jacobian,
rms_norm_backward, post_norm_block. Others than who wrote the diagnosis rewrote their mistakes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.exercise import Exercise
from llm_math_tests.exercises import exercise, exercises
from llm_math_tests.honesty import Tried, try_wrong, unusual_answers

FOLDER = Path(__file__).parent / "restyled"


def rewritten(entry: Exercise, *tracks: str) -> Iterator[Tried]:
    """What the checks and the diagnosis make of each rewritten mistake of an exercise."""
    known = {mistake.name: mistake for mistake in entry.known_mistakes}
    room = InProcess()
    for name, track, where in unusual_answers(entry, FOLDER):
        if tracks and track not in tracks:
            continue
        yield try_wrong(entry, known[name], Answer(entry, where, room, "restyled"))
    room.close()


def main(chosen: list[str]) -> None:
    """Print a line for each that is not named, and the sums."""
    total = caught = named = misnamed = shown = 0
    for entry in [exercise(name) for name in chosen] or exercises():
        for tried in rewritten(entry):
            total += 1
            caught += tried.caught
            named += tried.named
            misnamed += tried.misnamed
            shown += not tried.named and bool(tried.patterns)
            if not tried.named:
                called = sorted(set(tried.called)) or list(tried.patterns[:1]) or "silence"
                print(f"{tried.exercise} {tried.mistake} ({tried.track}): {called}")
    print(f"{total} rewritten: {caught} caught, {named} named, {misnamed} by another name,")
    print(f"{shown} with a pattern instead of a name")


if __name__ == "__main__":
    main(sys.argv[1:])
