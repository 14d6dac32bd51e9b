"""The one engine under pytest, the command line and the grader."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llm_math_tests import habits, tracks
from llm_math_tests.answers.answer import Answer, Problem, call_in_words
from llm_math_tests.answers.door import AnswerRoom, Reply, Where
from llm_math_tests.checks.gpu_words import on_a_gpu
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Outcome, Verdict
from llm_math_tests.exercises import exercise as exercise_called
from llm_math_tests.exercises import names
from llm_math_tests.wording import labelled, used_ours

if TYPE_CHECKING:
    from llm_math_tests.diagnosis.diagnose import Diagnosis

DEFAULT_SECONDS = 10.0


@dataclass(frozen=True)
class Solution:
    """Whose answers are run: a folder with the layout of ``student/``, and its name."""

    label: str
    root: Path

    def where(self, topic: str, track: str, text: str | None = None) -> Where:
        """The file of a topic in a track."""
        return Where(topic, track, self.root / topic / f"with_{track}.py", self.root, text)


@dataclass
class Engine:
    """Runs checks on the answers of one solution, in one room."""

    solution: Solution
    room: AnswerRoom
    seed: int = 0
    seconds: float = DEFAULT_SECONDS
    diagnose: bool = True
    _answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    _amiss: dict[tuple[str, str], str] = field(default_factory=dict)
    """By answer that a relation needed: the check it does not pass by itself, if any."""
    _lent: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """Ours, where a check needs an earlier exercise that is not started."""

    def answer(self, exercise: Exercise, track: str) -> Answer:
        """The solution's answer to an exercise in a track."""
        key = (exercise.name, track)
        if key not in self._answers:
            where = self.solution.where(exercise.topic, track)
            self._answers[key] = Answer(
                exercise, where, self.room, self.solution.label, self.seconds
            )
        return self._answers[key]

    def adopt(self, answer: Answer) -> None:
        """Run this answer in place of the file's."""
        self._answers[answer.exercise.name, answer.track] = answer

    def run(self, check: Check, answer: Answer) -> list[Outcome]:
        """Run every case of a check; the outcomes carry the check's points among them."""
        cases = [case for case in check.cases if answer.track in case.tracks]
        missing = tracks.unavailable(answer.track)
        problem = None if missing else answer.problem
        if missing or problem:
            return [self._without_a_call(check, case, answer, problem, missing, len(cases))
                    for case in cases]  # fmt: skip
        answer.begin()
        needed = self._others(check, answer)
        if isinstance(needed, str):
            return [self._not_run(check, case, answer, len(cases), needed) for case in cases]
        answer.others = needed
        outcomes = [self._run_case(check, case, answer, len(cases)) for case in cases]
        if all(outcome.verdict == "passed" for outcome in outcomes):
            return outcomes
        # A promise is kept or not: a check's points are all or nothing.
        return [_without_points(outcome) for outcome in outcomes]

    def _others(self, check: Check, answer: Answer) -> dict[str, Answer] | str:
        """The answers that a check needs besides, or why they cannot be had."""
        others = {}
        for name in check.needs:
            other = self.answer(exercise_called(name), answer.track)
            problem = other.problem
            if problem is not None and problem.verdict == "not_started":
                lent = self._lend(check, name, answer)
                other, problem = (lent, None) if lent is not None else (other, problem)
            if problem is not None:
                what = "is not started" if problem.verdict == "not_started" else problem.message
                return f"needs {name}, which {what}"
            other.begin()
            other.begin_case(check.cases[0])
            others[name] = other
        return others

    def _lend(self, check: Check, name: str, answer: Answer) -> Answer | None:
        """Ours, where points hang on an earlier exercise that is not started."""
        order = names()
        if not check.points or order.index(name) > order.index(answer.exercise.name):
            return None
        from llm_math_tests.mistakes import reference_answer

        return self._lent.setdefault(
            (name, answer.track), reference_answer(exercise_called(name), answer.track)
        )

    def _leaned_on(self, answer: Answer) -> str:
        """The exercises that the current case used ours of, with commas between them."""
        used = [name for _, _, reply in answer.calls for name in reply.leaned_on]
        lent = [n for n, o in answer.others.items() if self._lent.get((n, o.track)) is o]
        return ", ".join(dict.fromkeys([*lent, *used]))

    def _culprit(self, answer: Answer) -> str:
        """Where the current check needs other answers: the one that is wrong by itself."""
        for name, other in answer.others.items():
            key = (name, other.track)
            if key not in self._amiss:
                self._amiss[key] = self._first_failure(other)
            if self._amiss[key]:
                return f"needs {name}, whose check {self._amiss[key]} does not pass"
        return ""

    def _first_failure(self, answer: Answer) -> str:
        """The first check of values that an answer does not pass, or nothing."""
        for check in answer.exercise.checks_in(answer.track):
            if check.truth is None or check.needs:
                continue
            if any(outcome.verdict != "passed" for outcome in self.run(check, answer)):
                return check.name
        return ""

    def rng(self, exercise: Exercise, check: Check, case: Case) -> np.random.Generator:
        """The generator of a case: the same for every answer, whatever else runs."""
        text = f"{exercise.name}/{check.name}/{case.name}"
        return np.random.default_rng([self.seed, zlib.crc32(text.encode())])

    def _run_case(self, check: Check, case: Case, answer: Answer, among: int) -> Outcome:
        inputs = case.make(self.rng(answer.exercise, check, case))
        answer.begin_case(case)
        started = time.perf_counter()
        verdict: Verdict = "passed"
        ended = "returned"
        lines: list[tuple[str, str]] = []
        found: Diagnosis | None = None
        try:
            _look(check, answer, inputs)
        except Wrong as wrong:
            culprit = self._culprit(answer)
            if culprit:
                verdict, lines = "not_run", [("not run", culprit)]
            else:
                verdict = "wrong"
                found = self._diagnosis(answer, check, case, wrong, wrong.did)
                lines = [
                    ("expected", wrong.expected),
                    ("got", wrong.got),
                    ("allowed", wrong.allowed),
                    ("note", wrong.note),
                    ("you did", found.you_did if found else ""),
                    ("pattern", found.pattern if found else ""),
                    ("where", self._place(answer, wrong.line or answer.line, wrong.text)),
                ]
        except AnswerEnded as end:
            reply = end.reply
            blamed = _whose(reply, answer)
            if blamed:
                verdict = "not_run"
                lines = [("not run", f"needs {blamed}, which ended: {reply.problem}")]
            else:
                ended = reply.ended
                verdict = "error"
                if reply.exception == "NotImplementedError" and reply.ended == "raised":
                    verdict = "not_started"
                seen = habits.shown_by(reply.problem) if answer.track == "torch" else None
                if seen is not None or (verdict == "error" and ended == "raised"):
                    found = self._diagnosis(answer, check, case, None, seen)
                lines = [
                    ("expected", check.promise),
                    ("ended" if ended != "raised" else "raised", reply.problem),
                    ("note", on_a_gpu(answer.track, reply)),
                    ("you did", found.you_did if found else ""),
                    ("pattern", found.pattern if found else ""),
                    ("where", self._place(answer, reply.line or answer.line, reply.text)),
                ]
        except NotRun as skipped:
            verdict, lines = "not_run", [("not run", skipped.reason)]
        except Exception as fault:
            # Ours, and never a student's: it is said as such and counts as an error.
            verdict, ended = "error", "fault of ours"
            lines = [("fault", f"{type(fault).__name__}: {fault}")]
            lines += [("note", "a fault of llm-math-tests, not of the answer: please report it")]
        last = answer.calls[-1] if answer.calls else None
        leaned_on = self._leaned_on(answer)
        if lines and verdict != "not_run":
            called = call_in_words(answer.exercise, answer.track, last[0] if last else inputs)
            note = f", {case.note}" if case.note else ""
            lines.insert(0, ("called", called + note))
            lines += [("note", used_ours(leaned_on))] if leaned_on else []
            lines.append(("repeat", self._repeat(answer, check)))
        proved_by = next((r.proved_by for _, _, r in answer.calls[::-1] if r.proved_by), "")
        return self._outcome(
            check, case, answer, verdict, among,
            found=found, message=labelled(lines), ended=ended,
            seconds=time.perf_counter() - started,
            proved_by=proved_by, leaned_on=leaned_on,
        )  # fmt: skip

    def _diagnosis(
        self, answer: Answer, check: Check, case: Case, failed: Wrong | None, seen: Mistake | None
    ) -> Diagnosis:
        # Imported when something has failed: who passes need not wait for it.
        from llm_math_tests.diagnosis.diagnose import diagnose, named

        if not self.diagnose:
            return named((seen,) if seen else ())

        def remake() -> Inputs:
            return case.make(self.rng(answer.exercise, check, case))

        return diagnose(answer, check, case, remake, failed, seen)

    def _without_a_call(
        self,
        check: Check,
        case: Case,
        answer: Answer,
        problem: Problem | None,
        missing: str | None,
        among: int,
    ) -> Outcome:
        if problem is None:
            return self._not_run(check, case, answer, among, missing or "")
        place = self._place(answer, problem.line, problem.text)
        label = "not yet" if problem.verdict == "not_started" else "problem"
        return self._outcome(
            check, case, answer, problem.verdict, among,
            message=labelled([(label, problem.message), ("where", place)]), ended=problem.ended,
        )  # fmt: skip

    def _not_run(
        self, check: Check, case: Case, answer: Answer, among: int, why: str
    ) -> Outcome:  # fmt: skip
        return self._outcome(
            check, case, answer, "not_run", among,
            message=labelled([("not run", why)]), ended="refused",
        )  # fmt: skip

    def _outcome(
        self,
        check: Check,
        case: Case,
        answer: Answer,
        verdict: Verdict,
        among: int,
        *,
        message: str = "",
        found: Diagnosis | None = None,
        ended: str = "returned",
        seconds: float = 0.0,
        proved_by: str = "",
        leaned_on: str = "",
    ) -> Outcome:
        share = check.points / among
        return Outcome(
            exercise=answer.exercise.name,
            topic=answer.exercise.topic,
            track=answer.track,
            answer=self.solution.label,
            check=check.name,
            level=check.level,
            case=case.name,
            verdict=verdict,
            points=share if verdict == "passed" else 0.0,
            max_points=share,
            mistake=found.mistake if found else "",
            you_did=found.you_did if found else "",
            pattern=found.pattern if found else "",
            leaned_on=leaned_on,
            message=message,
            seconds=seconds,
            ended=ended,
            # Where nothing was called, the library was not imported and cannot be asked.
            proved_by=proved_by or ("stand-in" if answer.track == "cupy" else "cpu"),
        )

    def _place(self, answer: Answer, line: int | None, text: str = "") -> str:
        place = answer.where.shown if line is None else f"{answer.where.shown}:{line}"
        return f"{place}  {text}" if text else place

    def _repeat(self, answer: Answer, check: Check) -> str:
        return (
            f"pytest --exercise {answer.exercise.name} --track {answer.track} "
            f"-k {check.name} --seed {self.seed}"
        )


def _look(check: Check, answer: Answer, inputs: Inputs) -> None:
    """Run a check; where it stumbles over a result of another form, that is what is wrong."""
    try:
        check.run(answer, inputs)
    except (Wrong, AnswerEnded, NotRun):
        raise
    except Exception:
        from llm_math_tests.diagnosis.form import of_another_form

        misshapen = of_another_form(answer)
        if misshapen is None:
            raise
        raise misshapen from None


def _whose(reply: Reply, answer: Answer) -> str:
    """The exercise whose call it was that ended so, where it was not the answer's own."""
    for name, other in answer.others.items():
        if any(made is reply for _, _, made in other.calls):
            return name
    return ""


def _without_points(outcome: Outcome) -> Outcome:
    return replace(outcome, points=0.0)


def run_exercise(
    engine: Engine,
    exercise: Exercise,
    track: str,
    levels: tuple[str, ...] = (),
    each: Callable[[list[Outcome]], None] = lambda outcomes: None,
) -> list[Outcome]:
    """All checks of an exercise in a track (of some levels), in order."""
    answer = engine.answer(exercise, track)
    gathered = []
    for check in exercise.checks_in(track):
        if levels and check.level not in levels:
            continue
        outcomes = engine.run(check, answer)
        each(outcomes)
        gathered += outcomes
    return gathered
