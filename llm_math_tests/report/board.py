"""The board at the end of a run: progress by topic and track, and what is next."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

from llm_math_tests import tracks
from llm_math_tests.exercise import TRACKS
from llm_math_tests.exercises import TOPICS, exercise
from llm_math_tests.given_up import record_of
from llm_math_tests.report.used_ours import used_ours_lines
from llm_math_tests.wording import WIDTH, clean

if TYPE_CHECKING:
    from llm_math_tests.session import Session

_BAR = 6
_TRACK_WIDTH = 18
_TOPIC_WIDTH = 16


def board_lines(session: Session) -> list[str]:
    """The board of a run as lines of at most 80 columns."""
    records = session.records()
    if not records:
        return []
    shown = [t for t in TRACKS if any(record["track"] == t for record in records)]
    stand_in = any(record["proved_by"] == "stand-in" for record in records)
    heads = [f"{t} (stand-in)" if t == "cupy" and stand_in else t for t in shown]
    lines = ["", f"{'topic':<{_TOPIC_WIDTH}}" + "".join(f"{h:<{_TRACK_WIDTH}}" for h in heads)]
    for topic in TOPICS:
        cells = [_cell(records, topic, track) for track in shown]
        if any(cells):
            row = "".join(f"{cell:<{_TRACK_WIDTH}}" for cell in cells)
            lines.append(f"{topic:<{_TOPIC_WIDTH}}{row}".rstrip())
    lines += [
        _score(records),
        *_not_run(records),
        *used_ours_lines(records),
        *_given_up(session, records),
        *_next(session, records),
    ]
    return lines


def _cell(records: list[dict[str, Any]], topic: str, track: str) -> str:
    """``####-- 4/6``: the exercises of a topic whose checks all passed, of those that ran."""
    of_topic = [r for r in records if r["topic"] == topic and r["track"] == track]
    if not of_topic:
        return ""
    ran = list(dict.fromkeys(record["exercise"] for record in of_topic))
    if all(record["verdict"] == "not_run" for record in of_topic):
        return "not run"
    done = sum(_done(of_topic, name) for name in ran)
    filled = _BAR * done // len(ran)
    return f"{'#' * filled}{'-' * (_BAR - filled)} {done}/{len(ran)}"


def _done(records: list[dict[str, Any]], name: str) -> bool:
    verdicts = [record["verdict"] for record in records if record["exercise"] == name]
    return "passed" in verdicts and set(verdicts) <= {"passed", "not_run"}


def _score(records: list[dict[str, Any]]) -> str:
    counts = Counter(record["verdict"] for record in records)
    points = sum(record["points"] for record in records)
    possible = sum(record["max_points"] for record in records)
    words = ", ".join(
        f"{counts[verdict]} {verdict.replace('_', ' ')}"
        for verdict in ("passed", "wrong", "error", "not_started", "not_run")
        if counts[verdict]
    )
    return f"{points:g} of {possible:g} points; cases: {words}"


def _not_run(records: list[dict[str, Any]]) -> list[str]:
    reasons = Counter(
        " ".join(record["message"].split()).removeprefix("not run ")
        for record in records
        if record["verdict"] == "not_run"
    )
    return [f"not run: {count} x {reason}" for reason, count in reasons.items()]


def _given_up(session: Session, records: list[dict[str, Any]]) -> list[str]:
    """Counted apart, and no points taken: the exercises whose reference was opened before."""
    record = record_of(session.choice.solution.root)
    ran = dict.fromkeys((r["exercise"], r["track"]) for r in records)
    pairs = [f"{name} ({track})" for name, track in ran if (name, track) in record.pairs]
    text = f"given up (reference opened first): {', '.join(pairs)}"
    said = textwrap.wrap(text, WIDTH, subsequent_indent=" " * 10) if pairs else []
    return said + textwrap.wrap(clean(record.trouble), WIDTH, break_on_hyphens=False)


def _next(session: Session, records: list[dict[str, Any]]) -> list[str]:
    """The first exercise that is not done, with the place to go to."""
    for record in records:
        if record["verdict"] in ("passed", "not_run"):
            continue
        name, track = record["exercise"], record["track"]
        if tracks.unavailable(track):
            continue
        answer = session.engine.answer(exercise(name), track)
        place = answer.where.shown + (f":{answer.line}" if answer.line else "")
        lines = [f"next: {name} ({track})  {place}"]
        problem = answer.problem
        if problem is not None and problem.verdict == "not_started" and problem.line is None:
            lines += textwrap.wrap(clean(problem.message), WIDTH - 8, initial_indent=" " * 6,
                                   subsequent_indent=" " * 6)  # fmt: skip
        return lines
    return ["everything that ran passed"]
