"""The smallest case that still fails: one that can be followed by hand."""

from __future__ import annotations

import io
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from llm_math_tests import habits, mistakes
from llm_math_tests.answers.answer import Clock, parameters_of
from llm_math_tests.answers.values import Value, plain
from llm_math_tests.checks.promises import DEFAULT_FLOAT
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.diagnosis.evidence import of_the_case, repeated, same
from llm_math_tests.diagnosis.form import of_another_form
from llm_math_tests.diagnosis.smallest.rounding import NoSuchInputs, is_float
from llm_math_tests.diagnosis.smallest.search import Budget, simplest
from llm_math_tests.diagnosis.smallest.shown import shown
from llm_math_tests.diagnosis.smallest.simpler import (
    Chosen,
    Simpler,
    arrays_of,
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

_PLAIN = 0.1
"""The share of the expected value (or of the inputs) from which on an error is plain to see."""
_SMALLER = 0.1
"""How much smaller, relative to the values, a smaller case may make an error."""
_FIRST = 2 / 3
"""The share of a budget for cases of two numbers along an axis; the rest is for one."""

_spent: WeakKeyDictionary[Answer, float] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Failure:
    """How an answer failed, and the inputs of the call that showed it."""

    error: Wrong | AnswerEnded
    inputs: Inputs
    cotangents: tuple[Value, ...] | None
    """What autograd was asked to weigh the results with."""

    @cached_property
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

    @cached_property
    def expects(self) -> frozenset[str]:
        """What kind of number should be at the wrong places."""
        if isinstance(self.error, AnswerEnded) or self.error.compared is None:
            return frozenset()
        compared = self.error.compared
        want = compared.want[np.broadcast_to(compared.bad, compared.want.shape)]
        kinds = (("finite", np.isfinite), ("nan", np.isnan), ("infinite", np.isinf))
        return frozenset(name for name, holds in kinds if holds(want.astype(np.longdouble)).any())

    @cached_property
    def sizes(self) -> tuple[float, float] | None:
        """The largest error, relative to the numbers compared and to the inputs."""
        if isinstance(self.error, AnswerEnded) or self.error.compared is None:
            return None
        compared = self.error.compared
        have, want = (a.astype(np.longdouble) for a in (compared.have, compared.want))
        at = compared.bad & np.isfinite(have) & np.isfinite(want)
        if not at.any():
            return None
        have, want = np.broadcast_to(have, at.shape)[at], np.broadcast_to(want, at.shape)[at]
        off = np.abs(have - want)
        among = np.maximum(np.abs(have), np.abs(want))
        relative = float((off / np.where(among > 0, among, 1)).max())
        largest = _largest(self.inputs)
        return relative, float(off.max() / largest) if largest else relative

    def is_shown_by(self, other: Failure) -> bool:
        """Whether the other is the same failure, and as plain to see."""
        if self.kind != other.kind or not other.expects <= self.expects:
            return False
        if self.sizes is None or other.sizes is None:
            return True
        pairs = zip(self.sizes, other.sizes, strict=True)
        return all(new >= _SMALLER * min(old, _PLAIN) for old, new in pairs)


def smallest_case(
    engine: Engine, answer: Answer, check: Check, case: Case, mistake: str = "", pattern: str = ""
) -> str:
    """The lines that show the smallest inputs on which a failed case still fails, or nothing.

    ``mistake`` names the known mistakes that explain the failure, with commas, and
    ``pattern`` is the sentence said of it, if any: the case shown must fit them.
    """
    left = _ALTOGETHER - _spent.get(answer, 0.0)
    if left < _LEAST:
        return ""
    started = time.perf_counter()
    try:
        budget = Budget(seconds=min(left, Budget.seconds))
        return searched(engine, answer, check, case, budget, mistake, pattern)
    except Exception:
        return ""  # the failure was told already: what would make it clearer must not add one
    finally:
        _spent[answer] = _spent.get(answer, 0.0) + time.perf_counter() - started


def searched(
    engine: Engine,
    answer: Answer,
    check: Check,
    case: Case,
    budget: Budget,
    mistake: str = "",
    pattern: str = "",
) -> str:
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
        return _smallest(engine, answer, check, case, budget, mistake, pattern)


def _smallest(
    engine: Engine,
    answer: Answer,
    check: Check,
    case: Case,
    budget: Budget,
    mistake: str,
    pattern: str,
) -> str:
    def inputs() -> Inputs:
        return case.make(engine.rng(answer.exercise, check, case))

    first = inputs()
    if size_of(first) > _MOST_NUMBERS:
        return ""
    failure = _failure(answer, check, case, first)
    if failure is None or not _soon_enough(answer):
        return ""
    named = _named(answer, mistake)
    right = mistakes.reference_answer(answer.exercise, answer.track)
    right.others = {
        name: mistakes.reference_answer(exercise_called(name), answer.track) for name in check.needs
    }

    def again(theirs: Inputs) -> Failure | None:
        """The same failure on other inputs, None if it is another one, or none."""
        found = _failure(answer, check, case, theirs)
        if found is None or not failure.is_shown_by(found):
            return None
        return found if named is None or _does_the_same(named, answer) else None

    parameters = parameters_of(answer.exercise.signature_in(answer.track))
    optional = [
        name
        for name, default in parameters.items()
        if default is not None and not re.search(rf"\b{name}\b", pattern)
    ]
    text = ""
    tries, seconds = budget.tries, budget.seconds
    for least, share in ((2, _FIRST), (1, 1.0)):
        # One number along an axis hides most of what a function does: two are better.
        simpler = Simpler(
            first,
            optional,
            DEFAULT_FLOAT[answer.track],
            least=least,
            # A row alone may take another way through the code: only a name tells that.
            rank=2 if named is None else 1,
        )
        asked = _Asked(simpler, inputs, again, lambda ours: _keeps_the_promise(
            right, check, case, ours))  # fmt: skip
        part = Budget(int(tries * share), seconds * share)
        best = simplest(simpler.starts, simpler.as_it_was, asked.fails, part)
        tries, seconds = tries - asked.tries, seconds - asked.seconds
        smaller = best != simpler.as_it_was
        if not smaller and not holds_only_plain_layouts(first):
            continue
        found = again(simpler.made(inputs(), best))
        if found is None:
            return ""  # it depends on chance: what is shown could not be seen again
        text = shown(
            answer.exercise,
            answer.track,
            found.inputs,
            found.error,
            weights=found.cotangents,
            smaller=smaller,
        )
        if text and smaller:
            break
    return text


@dataclass(eq=False)
class _Asked:
    """What was asked of an answer during a search, and what that cost."""

    simpler: Simpler
    inputs: Callable[[], Inputs]
    again: Callable[[Inputs], Failure | None]
    allowed: Callable[[Inputs], bool]
    """Whether an answer of ours passes on these inputs."""
    tries: int = 0
    seconds: float = 0.0

    def fails(self, chosen: Chosen) -> bool:
        started = time.perf_counter()
        self.tries += 1
        try:
            # Each gets its own: an iterator is used up, a function counts its calls.
            theirs, ours = (self.simpler.made(self.inputs(), chosen) for _ in range(2))
            return self.again(theirs) is not None and self.allowed(ours)
        except NoSuchInputs:
            return False
        finally:
            self.seconds += time.perf_counter() - started


def _named(answer: Answer, mistake: str) -> Answer | None:
    """The known mistake as an answer, if it is one and its results are the answer's."""
    known = {m.name: m for m in answer.exercise.known_mistakes if m.name not in habits.EVIDENT}
    if mistake not in known:
        return None
    named = mistakes.answer_with(answer.exercise, known[mistake])
    return named if _does_the_same(named, answer) else None


def _does_the_same(named: Answer, answer: Answer) -> bool:
    """Whether a mistake gives what the answer gave when it was asked last."""
    return all(
        same(reply, repeated(named, request), request, values_only=True)
        for request, reply in of_the_case(answer)
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
    kept = ("calls", "clock", "timeouts", "others", "aside")
    before = {name: getattr(answer, name) for name in kept}
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
            answer.aside = True
            yield
    finally:
        vars(answer).update(before)


def _finite(values: np.ndarray) -> np.ndarray:
    finite: np.ndarray = np.isfinite(values.astype(np.longdouble))
    return finite


def _largest(inputs: Inputs) -> float:
    """The largest magnitude of the numbers that come in, 0 if there are none."""
    arrays = [plain(a).astype(np.longdouble) for value in inputs.values() for a in arrays_of(value)
              if is_float(a)]  # fmt: skip
    return max((float(np.abs(a).max(initial=0, where=np.isfinite(a))) for a in arrays), default=0.0)


def _outline(text: str) -> str:
    """What a message says whatever the inputs: without lengths, positions and numbers."""
    text = re.sub(r"\[[\d, ]*\]", "()", text)
    return re.sub(r"(?<![\w.])-?\d[\w.+-]*", "#", text)
