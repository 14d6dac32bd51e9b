"""How near the references come to the truth: `python -m tests.accuracy` prints a table.

One line for each exercise: whose implementation the truth is compared with, and the largest
error of our NumPy and torch references, over all float64 and float32 cases of the checks that
compare values. An error is counted in ulps, |got - truth| / (eps * scale), and the last column
says what the scale is. With topics or exercises named, it prints only those.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np

from llm_math_tests import course, tracks
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.answers.values import is_array
from llm_math_tests.checks import promises
from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.truth import Truth, eps, extended, largest
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.exercise import Exercise
from llm_math_tests.exercises import TOPICS, UnknownName, exercise, matching, names, topic_of
from tests.outside import Outside, cases

TRACKS = ("numpy", "torch")
DTYPES = ("float64", "float32")
_SMALLEST = {"float64": 2.0**-1022, "float32": 2.0**-126}

Errors = dict[tuple[str, str], float]
"""The largest error in ulps, by track and dtype."""


def note(text: str) -> None:
    """Say on stderr what the table leaves out."""
    print(text, file=sys.stderr)


def ulps(got: Any, truth: Truth, dtype: str) -> float:
    """The largest error of a result; infinite where NaN or inf stands in the wrong place."""
    have = extended(got)
    if have.shape != truth.value.shape:
        return math.inf
    if truth.exact:
        return 0.0 if (have == truth.value).all() else math.inf
    want = truth.value
    if truth.sign_free:
        with np.errstate(invalid="ignore", over="ignore"):
            want = want * np.where((have * want).sum(axis=-1, keepdims=True) < 0, -1, 1)
    scale = np.broadcast_to(np.abs(np.asarray(truth.scale, np.longdouble)), want.shape)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        error = np.abs(have - want)
        same = (have == want) | (np.isnan(have) & np.isnan(want))
        # What the dtype cannot hold may come as inf, and what it barely holds as 0.
        same |= (np.abs(want) > largest(dtype) * (1 - 2 * eps(dtype))) & (
            np.sign(have) == np.sign(want)
        )
        same |= error <= _SMALLEST[dtype]
        # Few steps of an iteration leave what no rounding explains: that is not measured here.
        same |= truth.allowance(dtype) > 1e-3 * scale + _SMALLEST[dtype]
        off = np.where(same, 0, error / (eps(dtype) * scale))
    return float(np.where(np.isnan(off), np.inf, off).max(initial=0))


def reference(entry: Exercise, track: str, room: InProcess) -> Answer:
    """Our own answer."""
    root = course.folder("reference")
    path = root / entry.topic / f"with_{track}.py"
    return Answer(entry, Where(entry.topic, track, path, root), room, "reference")


def measured(entry: Exercise, room: InProcess) -> tuple[Errors, list[str]]:
    """The largest errors of both references, and what they are relative to."""
    errors: Errors = {}
    scales: list[str] = []
    for track in TRACKS:
        if track not in entry.tracks or tracks.unavailable(track):
            continue
        answer = reference(entry, track, room)

        def record(got: Any, truth: Truth, dtype: str, *more: Any, answer: Answer = answer) -> None:
            expect_close(got, truth, dtype, *more)
            # Before the answer's own first call, a check may look at another one that it needs.
            if not answer.calls or dtype not in DTYPES:
                return
            key = (answer.track, dtype)
            got = got if is_array(got) else np.asarray(got)
            errors[key] = max(errors.get(key, 0.0), ulps(got, truth, dtype))
            said = "nothing: exact" if truth.exact else truth.relative_to
            if truth.value.size and said not in scales:
                scales.append(said)

        # The checks know how to call an answer and which part of a result to look at.
        with mock.patch.object(promises, "expect_close", record):
            for check, case, inputs in cases.value_cases(entry, track):
                others = {name: reference(exercise(name), track, room) for name in check.needs}
                answer.others = others
                answer.begin()
                answer.begin_case(case)
                try:
                    check.run(answer, inputs)
                except (AnswerEnded, NotRun, Wrong) as problem:
                    note(f"{entry.name} ({track}), {check.name}/{case.name}: {problem}")
    return errors, scales


def line(entry: Exercise, row: Outside, room: InProcess) -> str:
    """The exercise's line of the table."""
    errors, scales = measured(entry, room)
    shown = [
        "–" if (track, dtype) not in errors else f"{errors[track, dtype]:.2g}"  # noqa: RUF001
        for track in TRACKS
        for dtype in DTYPES
    ]
    texts = (f"`{entry.name}`", row.source, *shown, "; ".join(scales))
    return "| " + " | ".join(text.replace("|", r"\|") for text in texts) + " |"


def table(wanted: tuple[str, ...]) -> Iterator[str]:
    """The table's lines."""
    heads = [f"{track} {dtype}" for track in TRACKS for dtype in DTYPES]
    yield "| exercise | compared with | " + " | ".join(heads) + " | in ulps of |"
    yield "| --- | --- |" + " ---: |" * len(heads) + " --- |"
    found = {row.exercise: row for rows in cases.rows().values() for row in rows}
    room = InProcess()
    for name in wanted:
        if name not in found:
            note(f"{name}: no row in tests/outside/{topic_of(name)}.py")
            continue
        try:
            entry = exercise(name)
        except (ImportError, KeyError) as error:
            note(f"{name}: no entry ({error})")
            continue
        yield line(entry, found[name], room)
    room.close()


def chosen(words: list[str]) -> tuple[str, ...]:
    """The exercises of these topics, or of these names; all without any."""
    wanted = {name for word in words for name in TOPICS.get(word, ()) or matching([word])}
    return tuple(name for name in names() if not words or name in wanted)


if __name__ == "__main__":
    try:
        asked_for = chosen(sys.argv[1:])
    except UnknownName as unknown:
        sys.exit(str(unknown))
    for one in table(asked_for):
        print(one)
