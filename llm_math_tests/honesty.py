"""The maintainers' honesty check: is the catalogue what it says it is?

Stubs are not started, references pass, every known mistake is caught (and named
where it can be told apart), every right but unusual answer passes, every check
catches something, and the derived texts are current.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llm_math_tests import course, mistakes, tracks
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import AnswerRoom, Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.exercise import Exercise, Mistake, Outcome
from llm_math_tests.run import Engine, Solution, run_exercise

UNUSUAL = course.CHECKOUT / "tests" / "unusual"
"""Right but unusual answers: ``<topic>/with_<track>.py``, functions ``exercise__how``."""


@dataclass(frozen=True)
class Tried:
    """What the checks made of one known mistake."""

    exercise: str
    mistake: str
    track: str
    caught_by: tuple[str, ...]
    """The checks that did not pass."""
    called: tuple[str, ...]
    """The names that the diagnosis gave, one for each failed check that gave one."""

    @property
    def caught(self) -> bool:
        """At least one check did not pass."""
        return bool(self.caught_by)

    @property
    def named(self) -> bool:
        """Named at least once, and never as another mistake."""
        return bool(self.called) and set(self.called) == {self.mistake}

    @property
    def misnamed(self) -> bool:
        """Taken for another mistake at least once."""
        return any(name != self.mistake for name in self.called)


def try_mistake(exercise: Exercise, mistake: Mistake) -> Tried:
    """Run every check of the mistake's track on it."""
    outcomes = _run(exercise, mistakes.answer_with(exercise, mistake))
    failed = [o for o in outcomes if o.verdict in ("wrong", "error", "not_started")]
    return Tried(
        exercise.name,
        mistake.name,
        mistake.track,
        tuple(dict.fromkeys(o.check for o in failed)),
        tuple(o.mistake for o in failed if o.mistake),
    )


def _run(exercise: Exercise, answer: Answer) -> list[Outcome]:
    engine = Engine(Solution(answer.label, answer.where.root), answer.room)
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
    return _run(exercise, Answer(exercise, where, room or InProcess(), "unusual"))
