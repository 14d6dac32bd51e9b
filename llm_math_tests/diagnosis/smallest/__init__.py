"""The smallest case that still fails: one that can be followed by hand."""

from __future__ import annotations

import io
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from llm_math_tests import habits, mistakes
from llm_math_tests.answers.answer import Clock, parameters_of
from llm_math_tests.answers.values import Value
from llm_math_tests.checks.promises import DEFAULT_FLOAT
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.diagnosis.form import of_another_form
from llm_math_tests.diagnosis.smallest.rounding import NoSuchInputs
from llm_math_tests.diagnosis.smallest.search import Budget, simplest
from llm_math_tests.diagnosis.smallest.shown import shown
from llm_math_tests.diagnosis.smallest.simpler import (
    Chosen,
    Simpler,
    holds_only_plain_layouts,
    size_of,
)
from llm_math_tests.exercise import Refusal
from llm_math_tests.exercises import exercise as exercise_called

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Case, Check, Inputs
    from llm_math_tests.run import Engine

_MOST_NUMBERS = 200_000
_SLOW = 0.02
"""Seconds that one call of an answer may take."""
_ALTOGETHER = 1.0
"""Seconds for all failures of an answer: 'repeat' says how to see one check alone."""
_LEAST = 0.1
"""Seconds below which a search would stop half-way."""
_HANGS = 0.3
"""Seconds after which an answer is taken to hang on simpler inputs."""

_spent: WeakKeyDictionary[Answer, float] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Failure:
    """How an answer failed, and the inputs of the call that showed it."""

    error: Wrong | AnswerEnded
    inputs: Inputs
    cotangents: tuple[Value, ...] | None
    """What autograd was asked to weigh the results with."""

    @property
    def kind(self) -> tuple[object, ...]:
        """What must stay the same for a failure to be the same one."""
        if isinstance(self.error, AnswerEnded):
            reply = self.error.reply
            return "ended", reply.ended, reply.exception, reply.line
        compared = self.error.compared
        if compared is None:
            return "words", _outline(self.error.expected), _outline(self.error.got)
        lost = compared.bad & ~_finite(compared.have) & _finite(compared.want)
        return "numbers", compared.what, bool(lost.any())


def smallest_case(engine: Engine, answer: Answer, check: Check, case: Case) -> str:
    """The lines that show the smallest inputs on which a failed case still fails, or nothing."""
    left = _ALTOGETHER - _spent.get(answer, 0.0)
    if left < _LEAST:
        return ""
    started = time.perf_counter()
    try:
        return searched(engine, answer, check, case, Budget(seconds=min(left, Budget.seconds)))
    except Exception:
        return ""  # the failure was told already: what would make it clearer must not add one
    finally:
        _spent[answer] = _spent.get(answer, 0.0) + time.perf_counter() - started


def searched(engine: Engine, answer: Answer, check: Check, case: Case, budget: Budget) -> str:
    """The same within a budget, without the guard."""
    if isinstance(case.expects, Refusal) or habits.MEMORY_ORDER in check.broken_by:
        return ""  # nothing to learn from fewer rows; a layout would be lost
    if not _soon_enough(answer):
        return ""
    others = {name: engine.answer(exercise_called(name), answer.track) for name in check.needs}
    with ExitStack() as undisturbed:
        for one in (answer, *others.values()):
            undisturbed.enter_context(_undisturbed(one))
        answer.others = others
        return _smallest(engine, answer, check, case, budget)


def _smallest(engine: Engine, answer: Answer, check: Check, case: Case, budget: Budget) -> str:
    def inputs() -> Inputs:
        return case.make(engine.rng(answer.exercise, check, case))

    first = inputs()
    if size_of(first) > _MOST_NUMBERS:
        return ""
    failure = _failure(answer, check, case, first)
    if failure is None or not _soon_enough(answer):
        return ""
    right = mistakes.reference_answer(answer.exercise, answer.track)
    right.others = {
        name: mistakes.reference_answer(exercise_called(name), answer.track) for name in check.needs
    }
    parameters = parameters_of(answer.exercise.signature_in(answer.track))
    optional = [name for name, default in parameters.items() if default is not None]
    simpler = Simpler(first, optional, DEFAULT_FLOAT[answer.track])

    def fails(chosen: Chosen) -> bool:
        try:
            # Each gets its own: an iterator is used up, a function counts its calls.
            theirs, ours = (simpler.made(inputs(), chosen) for _ in range(2))
        except NoSuchInputs:
            return False
        again = _failure(answer, check, case, theirs)
        if again is None or again.kind != failure.kind:
            return False
        return _keeps_the_promise(right, check, case, ours)

    best = simplest(simpler.starts, simpler.as_it_was, fails, budget)
    if best == simpler.as_it_was and not holds_only_plain_layouts(first):
        return ""
    again = _failure(answer, check, case, simpler.made(inputs(), best))
    if again is None or again.kind != failure.kind:
        return ""  # it depends on chance: what is shown could not be seen again
    return shown(
        answer.exercise,
        answer.track,
        again.inputs,
        again.error,
        weights=again.cotangents,
        smaller=best != simpler.as_it_was,
    )


def _soon_enough(answer: Answer) -> bool:
    """Whether what the answer was asked last can be asked a hundred times."""
    return all(
        reply.seconds <= _SLOW
        and reply.ended in ("returned", "raised")
        and not request.on_accelerator
        and not request.measure_memory
        for _, request, reply in answer.calls
    )


def _failure(answer: Answer, check: Check, case: Case, inputs: Inputs) -> Failure | None:
    """How the answer fails on these inputs, None if it does not."""
    for one in (answer, *answer.others.values()):
        one.clock = Clock(_HANGS, _HANGS)
        one.begin_case(case)
    try:
        check.run(answer, inputs)
    except (Wrong, AnswerEnded) as error:
        return _shown_by_the_last_call(answer, error) if answer.calls else None
    except NotRun:
        return None
    except Exception:
        # The check stumbled: over the result's form, or over inputs that are no use to it.
        misshapen = of_another_form(answer)
        return None if misshapen is None else _shown_by_the_last_call(answer, misshapen)
    return None


def _shown_by_the_last_call(answer: Answer, error: Wrong | AnswerEnded) -> Failure:
    inputs, request, _ = answer.calls[-1]
    return Failure(error, inputs, request.cotangents)


def _keeps_the_promise(right: Answer, check: Check, case: Case, inputs: Inputs) -> bool:
    for one in (right, *right.others.values()):
        one.begin()
        one.begin_case(case)
    try:
        check.run(right, inputs)
    except Exception:
        return False
    return True


@contextmanager
def _undisturbed(answer: Answer) -> Iterator[None]:
    """Leave the answer as it was, and say nothing of what it prints meanwhile."""
    before = {name: getattr(answer, name) for name in ("calls", "clock", "timeouts", "others")}
    before |= {name: vars(answer)[name] for name in ("case",) if name in vars(answer)}
    silence = io.StringIO()
    try:
        with (
            redirect_stdout(silence),
            redirect_stderr(silence),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        vars(answer).update(before)


def _finite(values: np.ndarray) -> np.ndarray:
    finite: np.ndarray = np.isfinite(values.astype(np.longdouble))
    return finite


def _outline(text: str) -> str:
    """What a message says whatever the inputs: without shapes, positions and numbers."""
    text = re.sub(r"\([\d, ]*\)|\[[\d, ]*\]", "()", text)
    return re.sub(r"(?<![\w.])-?\d[\w.+-]*", "#", text)
