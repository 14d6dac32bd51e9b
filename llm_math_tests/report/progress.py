"""How far a solution is, from what is on disk: started answers are run, stubs are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llm_math_tests import tracks
from llm_math_tests.exercises import TOPICS, exercise

if TYPE_CHECKING:
    from llm_math_tests.session import Session

_NAME = 40
_CELL = 13


def listing(session: Session) -> Iterator[str]:
    """A line an exercise: its state in each track, with points for what is started."""
    choice = session.choice
    yield f"{'exercise':<{_NAME}}" + "".join(f"{track:<{_CELL}}" for track in choice.tracks)
    for topic, members in TOPICS.items():
        shown = [name for name in members if name in choice.names]
        if shown:
            yield topic
        for name in shown:
            cells = [_state(session, name, track) for track in choice.tracks]
            row = "".join(f"{cell:<{_CELL}}" for cell in cells)
            yield f"  {name:<{_NAME - 2}}{row}".rstrip()


def next_line(session: Session) -> str:
    """The first exercise that is not done, track by track, with its file and line."""
    for track in _in_use(session):
        for name in session.choice.names:
            entry = exercise(name)
            if track in entry.tracks and _state(session, name, track) != "done":
                answer = session.answer(name, track)
                place = answer.where.shown + (f":{answer.line}" if answer.line else "")
                return f"next: {name} ({track})  {place}\n      llm-math show {name}"
    return "everything is done"


def _in_use(session: Session) -> list[str]:
    """The tracks that somebody has begun, or the first one."""
    begun = [
        track
        for track in session.choice.tracks
        if not tracks.unavailable(track)
        and any(_started(session, name, track) for name in session.choice.names)
    ]
    return begun or list(session.choice.tracks[:1])


def _started(session: Session, name: str, track: str) -> bool:
    if track not in exercise(name).tracks:
        return False
    return not session.answer(name, track).is_stub


def _state(session: Session, name: str, track: str) -> str:
    entry = exercise(name)
    if track not in entry.tracks:
        return ""
    if not _started(session, name, track):
        return "not started"
    if tracks.unavailable(track):
        return "not run"
    if not session.failures_of(name, track):
        return "done"
    records = [r for key, kept in session.outcomes.items() if key[:2] == (name, track)
               for r in kept]  # fmt: skip
    points = sum(record["points"] for record in records)
    return f"{points:g} of {entry.points_in(track):g}"
