"""What ``llm-math`` says without a command: where you stand, and the one next thing to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from llm_math_tests import tracks
from llm_math_tests.exercise import TRACKS
from llm_math_tests.exercises import exercise, names
from llm_math_tests.report.failure import worst_verdict
from llm_math_tests.report.lesson import docstring
from llm_math_tests.report.progress import exercises_in, in_use, standing, started
from llm_math_tests.report.progress_bar import ProgressBar
from llm_math_tests.session import Choice, Session, solution_of, way_to_course
from llm_math_tests.wording import WIDTH, clean, point_text

_HELP = "All commands: llm-math --help"


def first_steps(start: Path) -> Iterator[str]:
    """Lines for whoever stands in this folder: fewer than 24, of at most 80 columns.

    Answers are run as far as the first that is not done; stubs are not.
    """
    if not (start / "student").is_dir():
        yield from _no_course(start)
        return
    session = Session(Choice(solution_of("student", start), names()))
    try:
        yield from _in_a_course(session)
    finally:
        session.close()


def _in_a_course(session: Session) -> Iterator[str]:
    begun = [(n, t) for t in TRACKS for n in exercises_in(names(), t) if started(session, n, t)]
    able = [(name, track) for name, track in begun if not tracks.unavailable(track)]
    if not begun:
        yield from _nothing_started(session)
    elif not able:
        yield from textwrap.wrap(f"{_count(begun)}, but {tracks.unavailable(begun[0][1])}.", WIDTH)
        yield ""
        yield _HELP
    else:
        yield _count(begun)
        yield ""
        yield from _under_way(session)


def _count(begun: list[tuple[str, str]]) -> str:
    """``Started: 3 of 69 exercises in numpy, 1 of 69 in torch``."""
    counts = {track: sum(t == track for _, t in begun) for _, track in begun}
    parts = [f"{n} of {len(exercises_in(names(), t))} in {t}" for t, n in counts.items()]
    return f"Started: {', '.join(parts)}"


def _no_course(start: Path) -> Iterator[str]:
    up = way_to_course(start)
    if up is not None:
        yield "Your course is further up: the folder that holds student/. Go there:"
        yield ""
        yield f"  cd {up}"
        yield "  llm-math"
    else:
        yield from textwrap.wrap(
            f"Learn the mathematics of language models by writing it: {len(names())} functions, "
            "each with its lesson, checked by pytest. There is no folder student/ here yet. Lay "
            "a course out:", WIDTH,
        )  # fmt: skip
        yield ""
        yield "  llm-math init softmax-course"
        yield "  cd softmax-course"
        yield "  llm-math"
    yield ""
    yield _HELP


def _nothing_started(session: Session) -> Iterator[str]:
    name, track = names()[0], TRACKS[0]
    yield "Nothing is started yet. The first exercise:"
    yield ""
    yield from _how_to(session, name, track)
    yield ""
    yield "`llm-math watch` in a second terminal checks a file whenever you save it."
    yield "PyTorch or CuPy instead of NumPy: --track torch, --track cupy."
    yield _HELP


def _how_to(session: Session, name: str, track: str) -> Iterator[str]:
    """Which file and line to open, what to write there, and which command to run."""
    answer = session.answer(name, track)
    command = f"pytest --exercise {name} --track {track}"
    what = docstring(exercise(name), track).split("\n")[0]
    yield from textwrap.wrap(f"{name}: {what}", WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""
    place = clean(answer.where.shown)
    if answer.where.path.exists():
        yield f"1. Open {place}" + (f", line {answer.line}" if answer.line else "")
    else:
        yield f"1. Run llm-math init . and open {place}"
    yield "2. Its docstring is the lesson. Write the body: it takes the place of"
    yield "   raise NotImplementedError. Save."
    if any(check.level == "core" for check in exercise(name).checks_in(track)):
        yield "3. Ask for the ordinary numbers first, then for the hard ones as well:"
        yield f"   {command} --level core"
        yield f"   {command}"
    else:
        yield f"3. {command}"
    yield f"4. Stuck? llm-math hint {name}"


def _under_way(session: Session) -> Iterator[str]:
    found = _first_open(session)
    if found is None:
        yield from _all_done(session)
        return
    name, track = found
    if started(session, name, track):
        yield from _to_mend(session, name, track)
    else:
        yield "Next:"
        yield ""
        yield from _how_to(session, name, track)
    yield ""
    yield "How far you are: llm-math list"
    yield _HELP


def _first_open(session: Session) -> tuple[str, str] | None:
    """The first exercise that is not done, in the order of ``llm-math next``."""
    keys = [(n, t) for t in in_use(session) for n in exercises_in(names(), t)]
    total = sum(exercise(n).points_in(t) for n, t in keys if started(session, n, t))
    with ProgressBar("checking", total) as bar:
        for name, track in keys:
            bar.doing(f"{name} ({track})")
            found = standing(session, name, track)
            if found.state != "done":
                return name, track
            bar.step(found.possible)
    return None


def _to_mend(session: Session, name: str, track: str) -> Iterator[str]:
    answer = session.answer(name, track)
    place = clean(answer.where.shown) + (f", line {answer.line}" if answer.line else "")
    yield from textwrap.wrap(
        f"Next: {name} ({track}) has {how_far(session, name, track)}.", WIDTH,
        break_on_hyphens=False,
    )  # fmt: skip
    yield ""
    yield f"1. Read    pytest --exercise {name} --track {track} -x"
    yield f"2. Mend    {place}"
    yield f"3. Stuck?  llm-math hint {name}"


def how_far(session: Session, name: str, track: str) -> str:
    """How far an answer that was run is: ``7 of 12 points; first failure: rows_sum_to_one``."""
    kept = {check: records for (n, t, check), records in session.outcomes.items()
            if (n, t) == (name, track)}  # fmt: skip
    entry = exercise(name)
    earned = sum(record["points"] for records in kept.values() for record in records)
    text = point_text(round(earned, 6), entry.points_in(track))
    worst = {check: worst_verdict(records) for check, records in kept.items()}
    failed = [c.name for c in entry.checks_in(track) if worst.get(c.name) in ("wrong", "error")]
    if failed:
        return f"{text}; first failure: {failed[0]}"
    return f"{text}; not started" if "not_started" in worst.values() else text


def _all_done(session: Session) -> Iterator[str]:
    begun = in_use(session)
    track = begun[-1]
    other = next((t for t in TRACKS if t not in begun and not tracks.unavailable(t)), None)
    what_then = [
        (f"pytest --benchmark --track {track}", "how fast yours are"),
        (f"llm-math solution {names()[0]} --track {track}", "how we wrote it"),
    ]
    if other is not None:
        what_then.insert(0, (f"pytest --exercise {names()[0]} --track {other}", "the next track"))
    yield f"All of them pass in {' and '.join(begun)}. What then:"
    yield ""
    for command, text in what_then:
        yield f"  {command:<42}  {text}"
    yield ""
    yield _HELP
