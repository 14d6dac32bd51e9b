"""The maintainers' honesty check: is the catalogue what it says it is?

Stubs are not started, references pass, every known mistake is caught (and named
where it can be told apart), every right but unusual answer passes, every check
catches something, and the derived texts are current.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from llm_math_tests import course, derive, habits, mistakes, tracks
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import AnswerRoom, Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.exercise import Exercise, Mistake, Outcome
from llm_math_tests.exercises import exercises
from llm_math_tests.report.progress_bar import followed
from llm_math_tests.run import Engine, Solution, run_exercise

_ROOM = InProcess()
"""One for all: each would start a process of its own for the fake accelerator."""

UNUSUAL = course.CHECKOUT / "tests" / "unusual"
"""Right but unusual answers: ``<topic>/with_<track>.py``, functions ``exercise__how``."""


@dataclass(frozen=True)
class Tried:
    """What the checks made of one known mistake."""

    exercise: str
    mistake: str
    track: str
    alike: frozenset[str]
    """Its own name, and those of the mistakes of which the same is said."""
    caught_by: tuple[str, ...]
    """The checks that did not pass."""
    called: tuple[str, ...]
    """The names that the diagnosis gave, for each failed check that gave any."""
    patterns: tuple[str, ...]
    """What was said of the numbers where there was no name."""

    @property
    def caught(self) -> bool:
        """At least one check did not pass."""
        return bool(self.caught_by)

    @property
    def named(self) -> bool:
        """Named at least once, alone or among a few, and never as another mistake."""
        return bool(self.called) and not self.misnamed

    @property
    def alone(self) -> bool:
        """Named at least once without another beside it."""
        return self.named and any("," not in names for names in self.called)

    @property
    def misnamed(self) -> bool:
        """Taken for another mistake at least once."""
        true = {*self.alike, *habits.EVIDENT}
        return any(not true & set(names.split(",")) for names in self.called)


def try_mistake(exercise: Exercise, mistake: Mistake) -> Tried:
    """Run every check of the mistake's track on it."""
    return try_wrong(exercise, mistake, mistakes.answer_with(exercise, mistake))


def try_wrong(exercise: Exercise, mistake: Mistake, answer: Answer) -> Tried:
    """Run every check on an answer that makes a known mistake, in whatever style."""
    outcomes = _run(exercise, answer)
    failed = [o for o in outcomes if o.verdict in ("wrong", "error", "not_started")]
    return Tried(
        exercise.name,
        mistake.name,
        answer.track,
        frozenset(m.name for m in exercise.known_mistakes if m.sentence == mistake.sentence),
        tuple(dict.fromkeys(o.check for o in failed)),
        tuple(_called(mistake, o) for o in failed if o.mistake),
        tuple(dict.fromkeys(o.pattern for o in failed if o.pattern)),
    )


def _called(mistake: Mistake, outcome: Outcome) -> str:
    """The name that an outcome gave; a single forgotten refusal's is true of forgetting all."""
    refusing = outcome.check == "refuses_bad_arguments"
    all_forgotten = mistake.name == habits.REFUSALS_FORGOTTEN.name
    return mistake.name if refusing and all_forgotten else outcome.mistake


def _run(exercise: Exercise, answer: Answer) -> list[Outcome]:
    # Ours stand in for the other exercises that a relation needs.
    engine = Engine(Solution(answer.label, course.folder("reference")), answer.room)
    engine.adopt(answer)
    return run_exercise(engine, exercise, answer.track)


def unusual_answers(exercise: Exercise, root: Path = UNUSUAL) -> Iterator[tuple[str, str, Where]]:
    """``(how, track, place)`` of each right but unusual answer to an exercise."""
    for track in exercise.tracks:
        path = root / exercise.topic / f"with_{track}.py"
        if not path.is_file() or tracks.unavailable(track):
            continue
        text = path.read_text(encoding="utf-8")
        prefix = f"{exercise.name}__"
        for line in text.splitlines():
            if line.startswith(f"def {prefix}"):
                how = line.split("(")[0].removeprefix(f"def {prefix}")
                # The function takes the exercise's place under its own name.
                renamed = f"{text}\n\n{exercise.name} = {prefix}{how}\n"
                yield how, track, Where(exercise.topic, track, path, root, renamed)


def try_unusual(exercise: Exercise, where: Where, room: AnswerRoom | None = None) -> list[Outcome]:
    """The outcomes of a right but unusual answer; all must have passed."""
    return _run(exercise, Answer(exercise, where, room or _ROOM, "unusual"))


def report(chosen: tuple[str, ...], say: Callable[[str], None]) -> int:
    """Check everything and say what was found; 0 only if nothing is amiss."""
    amiss = 0
    for title, look in (
        ("derived texts are current", _derived),
        ("stubs are not started", lambda: _stubs(chosen)),
        ("references pass", lambda: _references(chosen)),
        ("mistakes are caught, and every check catches one", lambda: _mistakes(chosen)),
        ("right but unusual answers pass", lambda: _unusual(chosen)),
    ):
        count, wrong = look()
        say(f"{'ok  ' if not wrong else 'FAIL'} {title}: {count}")
        for line in wrong:
            say(f"     {line}")
        amiss += len(wrong)
    return 1 if amiss else 0


Findings = tuple[str, list[str]]
"""What was counted, in words, and a line for everything that is amiss."""


def _derived() -> Findings:
    if not (course.CHECKOUT / "reference").is_dir():
        return "not in a checkout, not checked", []
    return "compared whole", derive.check(course.CHECKOUT)


def _stubs(chosen: tuple[str, ...]) -> Findings:
    engine = Engine(Solution("stub", course.folder("student")), InProcess())
    count, wrong = 0, []
    for exercise in followed("stubs", list(exercises())):
        for track in exercise.tracks:
            if track in chosen and not tracks.unavailable(track):
                count += 1
                verdicts = {o.verdict for o in run_exercise(engine, exercise, track)}
                if verdicts != {"not_started"}:
                    wrong.append(f"{exercise.name} ({track}): {', '.join(sorted(verdicts))}")
    return f"{count} stubs", wrong


def _references(chosen: tuple[str, ...]) -> Findings:
    engine = Engine(Solution("reference", course.folder("reference")), InProcess())
    count, wrong = 0, []
    for exercise in followed("references", list(exercises())):
        for track in exercise.tracks:
            if track in chosen and not tracks.unavailable(track):
                count += 1
                wrong += [
                    f"{exercise.name} ({track}), {o.check}, {o.case}: {o.verdict}"
                    for o in run_exercise(engine, exercise, track)
                    if o.verdict not in ("passed", "not_run")
                ]
    return f"{count} answers", wrong


def _mistakes(chosen: tuple[str, ...]) -> Findings:
    known = [
        (exercise, mistake)
        for exercise in exercises()
        for mistake in exercise.known_mistakes
        if mistake.track in chosen and not tracks.unavailable(mistake.track)
    ]
    tried = [try_mistake(*one) for one in followed("mistakes", known)]
    caught = sum(one.caught for one in tried)
    named = sum(one.named for one in tried)
    wrong = [f"{one.exercise}: {one.mistake} ({one.track}) was not caught" for one in tried
             if not one.caught]  # fmt: skip
    wrong += [
        f"{one.exercise}: {one.mistake} was taken for {', '.join(sorted(set(one.called)))}"
        for one in tried
        if one.misnamed
    ]
    for exercise in exercises():
        biting = {check for one in tried if one.exercise == exercise.name
                  for check in one.caught_by}  # fmt: skip
        wrong += [
            f"{exercise.name}: the check {check.name} catches no mistake"
            for check in exercise.checks
            if check.name not in biting and all(track in chosen for track in check.tracks)
        ]
        if len(exercise.mistakes) < 6 and not exercise.fewer:
            wrong.append(f"{exercise.name}: fewer than six mistakes, and no reason given")
    return f"{caught} caught, {named} named, of {len(tried)}", wrong


def _unusual(chosen: tuple[str, ...]) -> Findings:
    if not UNUSUAL.is_dir():
        return "none here (they are in the repository's tests/)", []
    count, wrong = 0, []
    for exercise in followed("unusual answers", list(exercises())):
        for how, track, where in unusual_answers(exercise):
            if track in chosen:
                count += 1
                wrong += [
                    f"{exercise.name} {how} ({track}), {o.check}, {o.case}: {o.verdict}"
                    for o in try_unusual(exercise, where)
                    if o.verdict not in ("passed", "not_run")
                ]
    return f"{count} answers", wrong
