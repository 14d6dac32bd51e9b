"""``llm-math watch``: a verdict on what was saved, a moment after it was saved.

This process looks at the files, checks and draws; answers run in worker processes that
wait with NumPy or PyTorch imported (``answers.warm``). What is shown is derived from the
files as they are: whatever a save may have changed counts as unknown until it has run
again, and a save ends the check of what is out of date.
"""

from __future__ import annotations

import signal
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import Literal, TextIO

from llm_math_tests import tracks
from llm_math_tests.answers.warm import WarmWorker
from llm_math_tests.exercise import TRACKS
from llm_math_tests.exercises import TOPICS, exercise, names
from llm_math_tests.report import progress
from llm_math_tests.report.progress import Standing
from llm_math_tests.report.progress_bar import ProgressBar
from llm_math_tests.run import DEFAULT_SECONDS, Solution
from llm_math_tests.session import Choice, Session
from llm_math_tests.watch import verdict
from llm_math_tests.watch.folder import Eyes, Seen
from llm_math_tests.watch.screen import Screen, cut
from llm_math_tests.watch.shorter import printed_in_two, shorter, shortest
from llm_math_tests.watch.touched import Key, home_of, touched
from llm_math_tests.wording import WIDTH


def watch(
    solution: Solution,
    chosen: tuple[str, ...],
    *,
    seconds: float = DEFAULT_SECONDS,
    stream: TextIO | None = None,
) -> None:
    """Run until interrupted.

    Args:
        solution: Whose answers to watch.
        chosen: The tracks; with none, those that somebody has begun.
        seconds: The time limit of a check.
        stream: Where verdicts are drawn (standard output).
    """
    desk = Desk(solution, chosen, seconds, Screen(stream))
    # A closed window ends it as Ctrl-C does; and Ctrl-C does, also where whoever began it (a
    # script's background job) had it ignored: the screen says so.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        with suppress(AttributeError, ValueError):
            signal.signal(getattr(signal, name), desk.interrupt)
    try:
        desk.run()
    finally:
        desk.close()


@dataclass(frozen=True)
class Shown:
    """What the screen says of the exercise that was saved last."""

    key: Key
    clock: str
    levels: list[str]
    brief: list[str]
    """The levels in few words."""
    failure: list[str]
    """The first one, whole; or nothing."""
    printed: list[str]
    seconds: float
    passed: bool


class Desk:
    """What is known of the folder, and the one exercise that is looked at."""

    def __init__(
        self, solution: Solution, chosen: tuple[str, ...], seconds: float, screen: Screen
    ) -> None:
        self._choice = Choice(solution, names(), chosen or TRACKS, seconds=seconds)
        self._asked_for = chosen
        self._screen = screen
        self._eyes = Eyes(solution.root)
        self._room = WarmWorker()
        self._eyes.late = self._room.abandon
        self._session = self._new_session()
        self._standings: dict[Key, Standing] = {}
        """What has run on the files as they are now; all else is not known."""
        self._shown: Shown | None = None
        self._news: list[str] = []
        """What the last save did besides, and what became of the processes."""

    def run(self) -> None:
        """Look at everything once, then at each save."""
        seen = self._eyes.open()
        self._room.prepare(self._watched)
        self._screen.begin([self._title(), "", "checking what is there ..."])
        self._check_the_rest()
        self._settle()
        self._draw()
        while True:
            before = seen
            seen = self._eyes.wait()
            self._take(before, seen)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """End, as the handler of a signal.

        Python drops what is raised while it clears an object away: so it is remembered, and
        raised again by the next wait.
        """
        self._eyes.interrupted = True
        signal.default_int_handler(number, frame)

    def close(self) -> None:
        """End the processes and leave the terminal as it was."""
        self._eyes.close()
        self._room.close()
        self._screen.close()

    # A save

    def _take(self, before: Seen, seen: Seen) -> None:
        was = dict(self._standings)
        self._news = self._renew()
        self._session = self._new_session()
        root = self._choice.solution.root
        changed = touched(root, before.files, seen.files)
        for key in changed:
            self._standings.pop(key, None)
        self._room.prepare(self._watched)
        focus = self._focus(changed, seen, was)
        if focus is None:
            self._shown = None
        elif not self._look_at(focus, seen):
            return  # it was saved again: that is what to look at
        self._draw()
        self._look_closer()
        drawn = self._lines()
        self._check_the_rest()
        self._news += self._fallen(was, focus)
        self._settle()
        if not self._eyes.changed and self._lines() != drawn:
            self._draw(again=True)

    def _focus(self, changed: Iterable[Key], seen: Seen, was: dict[Key, Standing]) -> Key | None:
        """The exercise to look at first: the one worked on, or the first that is another now."""
        current = self._shown.key if self._shown else None
        homes = {home for path in seen.saved if (home := home_of(path, self._choice.solution.root))}
        watched = self._watched
        saved = [
            (name, track)
            for topic, track in homes
            if track in watched
            for name in TOPICS[topic]
            if track in exercise(name).tracks
        ]
        saved.sort(key=lambda key: names().index(key[0]))
        edited = [key for key in saved if key in set(changed)]
        begun = [key for key in edited if progress.started(self._session, *key)]
        goal = self._next(was)  # what was said to be next, and not what this save made of it
        for wanted in (current, goal):
            if wanted in begun:
                return wanted
        # What was begun before and is a stub or missing now is news as well.
        dropped = [key for key in edited if key in was and was[key].state != "not started"]
        for group in (begun, dropped):
            if group:
                return group[0]
        for wanted in (current, goal):
            if wanted in saved:
                return wanted
        return next(
            iter([k for k in saved if progress.started(self._session, *k)] or saved), current
        )

    def _look_at(self, key: Key, seen: Seen) -> bool:
        """Check one exercise and keep what the screen says of it; False if it is out of date."""
        self._standings.pop(key, None)
        with ProgressBar(
            f"saved {seen.clock}, checking", exercise(key[0]).points_in(key[1])
        ) as bar:
            if not self._check(key, bar, explain=True):
                return False
        session, found = self._session, self._standings[key]
        failure = verdict.failure(session, key) if found.state == "begun" else []
        if self._eyes.changed:
            return False
        levels, brief = verdict.levels(session, key)
        if found.state in ("not started", "not run"):
            brief = [tracks.unavailable(key[1]) or self._why_not_started(key)]
            levels = [f"  {brief[0]}"]
        printed = verdict.printed_lines(self._room.printed())
        seconds = time.perf_counter() - seen.at
        self._shown = Shown(
            key, seen.clock, levels, brief, failure, printed, seconds, found.state == "done"
        )
        return True

    def _look_closer(self) -> None:
        """Add to the failure what takes a moment longer to find, as far as the screen has room."""
        shown = self._shown
        if shown is None or not shown.failure or self._eyes.changed:
            return
        lines = self._lines()
        blocks: list[str] = []
        for block in verdict.closer_look(self._session, shown.key):
            longer = [*lines, *block.splitlines()]
            if self._screen.room(longer) >= 0:
                lines = longer
                blocks.append(block)
        if not blocks or self._eyes.changed:
            return
        failure = verdict.failure(self._session, shown.key, blocks)
        self._shown = replace(shown, failure=failure)
        if self._screen.clears:
            self._screen.show(self._lines())
        else:
            self._screen.add("\n".join(blocks).splitlines())

    def _why_not_started(self, key: Key) -> str:
        problem = self._session.answer(*key).problem
        return problem.message if problem is not None else "not started"

    def _check(self, key: Key, bar: ProgressBar, explain: bool = False) -> bool:
        """Run the checks of an exercise; False if a save came in between.

        What is known of its mistakes is asked for the failure that is shown, the first one.
        """
        name, track = key
        possible = exercise(name).points_in(track)
        if not progress.started(self._session, name, track):
            self._standings[key] = Standing("not started", 0.0, possible)
            return True
        if tracks.unavailable(track):
            self._standings[key] = Standing("not run", 0.0, possible)
            return True
        bar.doing(f"{name} ({track})")
        for check in exercise(name).checks_in(track):
            if self._eyes.changed:
                return False
            self._session.engine.diagnose = explain
            outcomes = self._session.run(name, track, check.name)
            bar.step(check.points)
            explain = explain and all(o.verdict in ("passed", "not_run") for o in outcomes)
            if any(outcome.ended in ("timeout", "signal") for outcome in outcomes):
                break  # it would take as long again, and says nothing more
        if self._eyes.changed:
            return False  # the last one may have been ended from here
        records = progress.records_of(self._session, name, track)
        self._standings[key] = progress.standing_of(records, possible)
        return True

    def _check_the_rest(self) -> None:
        """Run what is not known, until something is saved."""
        todo = [key for key in self._keys() if key not in self._standings]
        total = sum(exercise(n).points_in(t) for n, t in todo
                    if progress.started(self._session, n, t))  # fmt: skip
        with ProgressBar("checking", total) as bar:
            for key in todo:
                if not self._check(key, bar):
                    return

    def _fallen(self, was: dict[Key, Standing], focus: Key | None) -> list[str]:
        """Other exercises that are not right any more since this save."""
        fell = [
            f"{name} ({track})"
            for (name, track), standing in self._standings.items()
            if standing.state == "begun" and (name, track) != focus
            and (name, track) in was and was[name, track].state == "done"
        ]  # fmt: skip
        text = f"not right any more since this save: {', '.join(fell)}"
        return textwrap.wrap(text, WIDTH, max_lines=3, placeholder=" ...") if fell else []

    def _renew(self) -> list[str]:
        why = self._room.renew()
        return [cut(f"process restarted: {'; '.join(why)}")] if why else []

    def _settle(self) -> None:
        """Get the processes ready for the next save, as long as nothing waits."""
        if not self._eyes.changed:
            late = verdict.printed_lines(self._room.printed())
            if self._shown is not None and late and late != self._shown.printed:
                self._shown = replace(self._shown, printed=late)
            self._news += self._renew()

    # What is on the screen

    def _draw(self, again: bool = False) -> None:
        if self._screen.clears or not again:
            self._screen.show(self._lines())
        else:
            self._screen.add([*self._news, *self._bars(), *self._what_next()])

    def _lines(self) -> list[str]:
        for lines in self._ways():
            if self._screen.room(lines) >= 0:
                return lines
        lines = [cut(line, self._screen.columns) for line in lines]
        return lines[: max(1, self._screen.rows - 1)]  # what scrolls away is the rest, not the top

    def _ways(self) -> Iterator[list[str]]:
        """What there is to say, and then shorter and shorter."""
        shown = self._shown
        if shown is None:
            title = [self._title(), ""] if self._screen.clears else []
            yield [*title, *self._bars(), "", *self._what_next(), *self._news]
            return
        yield self._with(shown)
        shown = replace(shown, printed=printed_in_two(shown.printed))
        yield self._with(shown)
        shown = replace(shown, levels=[f"  {', '.join(shown.brief)}"])
        yield self._with(shown)
        # A failure is worth more than the room between the parts.
        yield self._with(shown, close=True)
        for failure in shorter(shown.failure):
            shown = replace(shown, failure=failure)
            yield self._with(shown, close=True)
        columns = self._screen.columns
        shown = replace(shown, failure=shortest(shown.failure, columns))
        yield [cut(line, columns) for line in self._with(shown, close=True)]
        shown = replace(shown, printed=[])
        yield [cut(line, columns) for line in self._with(shown, close=True)]

    def _with(self, shown: Shown, close: bool = False) -> list[str]:
        name, track = shown.key
        place = progress.place_of(self._session, name, track)
        title = cut(f"{name} ({track})  {place}  saved {shown.clock}")
        parts = [self._bars(), [title, *shown.levels]]
        if shown.passed:
            parts.append(["passed"])
        parts += [shown.failure, shown.printed]
        if not shown.failure:
            goal = self._what_next()
            parts.append([*goal[:1], *goal[-1:]] if close and len(goal) > 1 else goal)
        lines = [line for part in parts if part for line in ([*part] if close else [*part, ""])]
        return [*lines, *self._news, f"{shown.seconds:.2f} s; Ctrl-C ends"]

    def _title(self) -> str:
        return f"watching {self._choice.solution.root}; save a file to check it, Ctrl-C to end"

    def _bars(self) -> list[str]:
        lines = []
        for track in self._watched:
            members = progress.exercises_in(names(), track)
            found = [
                self._standings.get(
                    (name, track), Standing("begun", 0.0, exercise(name).points_in(track))
                )
                for name in members
            ]
            unknown = any((name, track) not in self._standings for name in members)
            lines.append(progress.whole_line(track, found) + (" ..." if unknown else ""))
        return lines

    def _what_next(self) -> list[str]:
        goal = self._next(self._standings)
        if goal == "unknown":
            return []
        if goal == "none":
            return ["everything is done"]
        name, track = goal
        place = progress.place_of(self._session, name, track)
        return [
            cut(f"next: {name} ({track})  {place}"),
            *verdict.first_paragraph(name, track),
            f"      llm-math show {name}" + ("" if track == "numpy" else f" --track {track}"),
        ]

    def _next(self, standings: Mapping[Key, Standing]) -> Key | Literal["none", "unknown"]:
        """The first exercise that is not done, as ``llm-math next`` has it.

        Not known while one before it is not: a next that is taken back a moment later is none.
        """
        order = self._watched
        if self._shown is not None and self._shown.key[1] in order:
            order = [self._shown.key[1], *(t for t in order if t != self._shown.key[1])]
        for track in order:
            for name in progress.exercises_in(names(), track):
                found = standings.get((name, track))
                if found is None:
                    return "unknown"
                if found.state != "done":
                    return name, track
        return "none"

    # What is chosen

    def _keys(self) -> list[Key]:
        return [(n, t) for t in self._watched for n in progress.exercises_in(names(), t)]

    def _new_session(self) -> Session:
        """A session on the files as they are now, and the tracks that they are in."""
        session = Session(self._choice)
        session.room = self._room
        self._watched = list(self._asked_for) or progress.in_use(session)
        return session
