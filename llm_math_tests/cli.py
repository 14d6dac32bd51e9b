"""The command line: ``llm-math``, and its commands; without one it says where to begin."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llm_math_tests import __version__
from llm_math_tests.console import readable
from llm_math_tests.exercise import TRACKS
from llm_math_tests.exercises import UnknownName, matching, names, topic_of
from llm_math_tests.given_up import UnusableRecord
from llm_math_tests.session import Choice, Session, UnusableChoice, solution_of
from llm_math_tests.wording import wrapped

if TYPE_CHECKING:
    from llm_math_tests.exercise import Exercise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. A user's mistake is one line, not a traceback."""
    readable()
    options = _parser().parse_args(arguments)
    try:
        return int(_COMMANDS[options.command](options))
    except BrokenPipeError:
        # Whoever read this (head, a pager) has had enough; Python would say so once more.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return 141
    except (UnknownName, UnusableChoice, UnusableRecord, OSError) as error:
        print(wrapped(f"llm-math: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llm-math",
        description="Learn, check and time the mathematics of language models.",
        epilog="Without a command it says where you stand and what to do next. "
        "`pytest` checks your answers; `pytest --help` lists its options.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"llm-math-tests {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, text: str, *, exercise: bool = False) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if exercise:
            made.add_argument("exercise", help="its name, for example softmax")
        made.add_argument(
            "--track", action="append", choices=TRACKS, help="numpy, torch or cupy; repeatable"
        )
        made.add_argument(
            "--solution", default="student", metavar="WHOSE",
            help="student (the default), reference, or a folder laid out like student/",
        )  # fmt: skip
        return made

    command("list", "every exercise, and how far you are")
    command("next", "the next exercise, with its file and line")
    command("show", "what an exercise asks, and what is checked", exercise=True)
    hint = command("hint", "a hint; a number for a later one", exercise=True)
    hint.add_argument("step", nargs="?", type=int, default=1, help="1 is the first hint")
    solution = command("solution", "the reference, once your own answer passes", exercise=True)
    solution.add_argument("--give-up", action="store_true", help="show it before; remembered")
    command("reset", "put an exercise's stub back (a copy is kept)", exercise=True)
    command("watch", "check what a saved file touches, again and again")
    init = commands.add_parser("init", help="lay out a student's folder", allow_abbrev=False)
    init.add_argument("folder", type=Path, metavar="DIR")
    command("check", "for maintainers: is the catalogue what it says it is?")
    return parser


def _begin(options: argparse.Namespace) -> int:
    from llm_math_tests.first_steps import first_steps

    for line in first_steps(Path.cwd()):
        print(line, flush=True)
    return 0


def _chosen_tracks(options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(t for t in TRACKS if t in (options.track or TRACKS))


def _session(options: argparse.Namespace, chosen: tuple[str, ...] | None = None) -> Session:
    solution = solution_of(options.solution, Path.cwd())
    return Session(Choice(solution, chosen or names(), _chosen_tracks(options)))


def _one(name: str) -> Exercise:
    from llm_math_tests.exercises import exercise

    found = matching([name])
    if len(found) != 1:
        some = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        raise UnknownName(f"{name!r} stands for {some}: say which")
    return exercise(found[0])


def _list(options: argparse.Namespace) -> int:
    from llm_math_tests.report.progress import listing

    session = _session(options)
    for line in listing(session):
        print(line, flush=True)
    return 0


def _next(options: argparse.Namespace) -> int:
    from llm_math_tests.report.progress import next_line

    print(next_line(_session(options)))
    return 0


def _show(options: argparse.Namespace) -> int:
    from llm_math_tests.report.lesson import lesson

    exercise = _one(options.exercise)
    track = (options.track or ["numpy"])[0]
    print(lesson(exercise, track))
    return 0


def _hint(options: argparse.Namespace) -> int:
    import textwrap

    exercise = _one(options.exercise)
    count = len(exercise.hints)
    if not 1 <= options.step <= count:
        raise UnusableChoice(f"{exercise.name} has hints 1 to {count}, got {options.step}")
    print(f"{exercise.name}, hint {options.step} of {count}")
    print(textwrap.fill(exercise.hints[options.step - 1], 78, initial_indent="  ",
                        subsequent_indent="  "))  # fmt: skip
    if options.step < count:
        print(f"more: llm-math hint {exercise.name} {options.step + 1}")
    else:
        print(f"the last one; the lesson: llm-math show {exercise.name}")
    return 0


def _solution(options: argparse.Namespace) -> int:
    from llm_math_tests.given_up import give_up, given_up
    from llm_math_tests.report.solution import reference_text, why_closed

    if options.solution == "reference":
        raise UnusableChoice("the reference is open already: it is in the folder reference/")
    exercise = _one(options.exercise)
    solution = solution_of(options.solution, Path.cwd())
    missing = [t for t in options.track or () if t not in exercise.tracks]
    if missing:
        raise UnusableChoice(f"{exercise.name} is not in the {missing[0]} track")
    session = Session(Choice(solution, (exercise.name,), exercise.tracks))
    code = 0
    for track in options.track or exercise.tracks[:1]:
        if (exercise.name, track) not in given_up(solution.root):
            closed = why_closed(session, exercise, track)
            if closed and not options.give_up:
                print("\n".join(closed))
                code = 1
                continue
            if closed:
                # Before it is shown: what is not remembered is not opened.
                give_up(solution.root, exercise.name, track)
        print(reference_text(exercise, track))
    session.close()
    return code


def _reset(options: argparse.Namespace) -> int:
    from llm_math_tests.student_folder import reset

    if options.solution == "reference":
        raise UnusableChoice("the reference is not yours to reset")
    solution = solution_of(options.solution, Path.cwd())
    exercise = _one(options.exercise)
    for track in options.track or ["numpy"]:
        print(wrapped(reset(exercise.name, topic_of(exercise.name), track, solution.root)))
    return 0


def _watch(options: argparse.Namespace) -> int:
    from llm_math_tests.watch import watch

    asked_for = tuple(track for track in TRACKS if track in (options.track or ()))
    watch(solution_of(options.solution, Path.cwd()), asked_for)
    return 0


def _init(options: argparse.Namespace) -> int:
    from llm_math_tests.student_folder import lay_out

    for line in lay_out(options.folder):
        print(line)
    return 0


def _check(options: argparse.Namespace) -> int:
    from llm_math_tests.honesty import report

    return report(_chosen_tracks(options), print)


_COMMANDS = {
    None: _begin,
    "list": _list,
    "next": _next,
    "show": _show,
    "hint": _hint,
    "solution": _solution,
    "reset": _reset,
    "watch": _watch,
    "init": _init,
    "check": _check,
}

if __name__ == "__main__":
    raise SystemExit(main())
