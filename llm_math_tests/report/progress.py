"""How far a solution is, from what is on disk: started answers are run, stubs are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llm_math_tests import tracks
from llm_math_tests.exercises import TOPICS, exercise
from llm_math_tests.given_up import given_up
from llm_math_tests.report.progress_bar import ProgressBar, drawn
from llm_math_tests.report.used_ours import used_ours_lines
from llm_math_tests.wording import point_text

if TYPE_CHECKING:
    from llm_math_tests.session import Session

_NAME = 40
_CELL = 13
_TOPIC_BAR = 5
_WHOLE_BAR = 24

State = Literal["done", "begun", "not started", "not run"]


@dataclass(frozen=True)
class Standing:
    """How far one exercise is in one track."""

    state: State
    points: float
    possible: float

    def __str__(self) -> str:
        return f"{self.points:g} of {self.possible:g}" if self.state == "begun" else self.state


def started(session: Session, name: str, track: str) -> bool:
    """Whether there is something to run."""
    return track in exercise(name).tracks and not session.answer(name, track).is_stub


def standing(session: Session, name: str, track: str) -> Standing:
    """Run what has not run yet of an exercise that is started, and say how far it is."""
    possible = exercise(name).points_in(track)
    if not started(session, name, track):
        return Standing("not started", 0.0, possible)
    if tracks.unavailable(track):
        return Standing("not run", 0.0, possible)
    session.failures_of(name, track)
    return standing_of(records_of(session, name, track), possible)


def records_of(session: Session, name: str, track: str) -> list[dict[str, Any]]:
    """What has run of an exercise."""
    return [r for key, kept in session.outcomes.items() if key[:2] == (name, track) for r in kept]


def standing_of(records: list[dict[str, Any]], possible: float) -> Standing:
    """How far an exercise is by the records of its checks."""
    points = round(sum(record["points"] for record in records), 6)
    right = all(record["verdict"] in ("passed", "not_run") for record in records)
    return Standing("done" if records and right else "begun", points, possible)


def in_use(session: Session) -> list[str]:
    """The tracks that somebody has begun, or the first one."""
    begun = [
        track
        for track in session.choice.tracks
        if not tracks.unavailable(track)
        and any(started(session, name, track) for name in session.choice.names)
    ]
    return begun or list(session.choice.tracks[:1])


def exercises_in(names: Sequence[str], track: str) -> list[str]:
    """Those that a track has."""
    return [name for name in names if track in exercise(name).tracks]


def whole_line(track: str, standings: Sequence[Standing]) -> str:
    """``numpy  [######------]  23 of 533 points   3 of 69 exercises``."""
    points = sum(one.points for one in standings)
    possible = sum(one.possible for one in standings)
    done = sum(one.state == "done" for one in standings)
    bar = drawn(points / possible if possible else 0.0, _WHOLE_BAR)
    count = f"{done} of {len(standings)} exercise{'' if len(standings) == 1 else 's'}"
    return f"{track:<6} {bar}  {point_text(points, possible)}   {count}"


def listing(session: Session) -> Iterator[str]:
    """A line an exercise: its state in each track; bars, by points, for topics and the whole."""
    choice = session.choice
    found = _standings(session)
    opened = given_up(choice.solution.root) & found.keys()
    yield (f"{'exercise':<{_NAME}}" + "".join(f"{t:<{_CELL}}" for t in choice.tracks)).rstrip()
    for topic, members in TOPICS.items():
        shown = [name for name in members if name in choice.names]
        if not shown:
            continue
        bars = [[found[n, track] for n in shown if (n, track) in found] for track in choice.tracks]
        yield (f"{topic:<{_NAME}}" + "".join(f"{_bar(b):<{_CELL}}" for b in bars)).rstrip()
        for name in shown:
            cells = [
                f"{found.get((name, track), '')}{'*' * ((name, track) in opened)}"
                for track in choice.tracks
            ]
            row = "".join(f"{cell:<{_CELL}}" for cell in cells)
            yield f"  {name:<{_NAME - 2}}{row}".rstrip()
    yield ""
    for track in choice.tracks:
        yield whole_line(track, [found[n, track] for n in exercises_in(choice.names, track)])
    if opened:
        yield f"* given up: {len(opened)}, where the reference was opened first"
    yield from used_ours_lines(session.records())


def _standings(session: Session) -> dict[tuple[str, str], Standing]:
    choice = session.choice
    keys = [(n, track) for track in choice.tracks for n in exercises_in(choice.names, track)]
    begun = [(n, t) for n, t in keys if started(session, n, t) and not tracks.unavailable(t)]
    total = sum(exercise(name).points_in(track) for name, track in begun)
    session.engine.diagnose = False  # nobody is told of mistakes here
    with ProgressBar("checking", total) as bar:
        for name, track in begun:
            bar.doing(f"{name} ({track})")
            session.failures_of(name, track)
            bar.step(exercise(name).points_in(track))
    return {key: standing(session, *key) for key in keys}


def _bar(standings: Sequence[Standing]) -> str:
    """``[##---]  37%`` by points; whole only where everything is done."""
    possible = sum(one.possible for one in standings)
    if not possible:
        return ""
    part = sum(one.points for one in standings) / possible
    return f"{drawn(part, _TOPIC_BAR)} {int(100 * part):3d}%"


def next_line(session: Session) -> str:
    """The first exercise that is not done, track by track, with its file, line and points."""
    keys = [(n, t) for t in in_use(session) for n in exercises_in(session.choice.names, t)]
    begun = [(n, t) for n, t in keys if started(session, n, t)]
    session.engine.diagnose = False
    with ProgressBar("checking", sum(exercise(n).points_in(t) for n, t in begun)) as bar:
        for name, track in keys:
            bar.doing(f"{name} ({track})")
            found = standing(session, name, track)
            if found.state != "done":
                break
            bar.step(found.possible)
        else:
            return "everything is done"
    points = point_text(found.points, found.possible)
    return (
        f"next: {name} ({track})  {place_of(session, name, track)}\n"
        f"      {points}\n"
        f"      llm-math show {name}"
    )


def place_of(session: Session, name: str, track: str) -> str:
    """``student/softmax/with_numpy.py:14``."""
    answer = session.answer(name, track)
    return answer.where.shown + (f":{answer.line}" if answer.line else "")
