"""Name what a student did: the known mistake whose outputs theirs equal, and no other's."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llm_math_tests import mistakes
from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.diagnosis.evidence import (
    Asked,
    more,
    of_the_case,
    ordinary,
    repeated,
    same,
)
from llm_math_tests.exercises import exercise as exercise_called
from llm_math_tests.habits import EVIDENT, GRAPH_CUT

if TYPE_CHECKING:
    from llm_math_tests.exercise import Case, Check, Inputs, Mistake

MOST_NAMED = 3
"""More mistakes than these that cannot be told apart would not help."""
_SECONDS = 3.0
_CORNERS = 0.2
"""The share of ordinary results that another style of the same mistake may change."""
_NEAR = 0.1
"""Two measurements (bytes) of the same thing differ by less than this share."""
_SAME_SIZE = 0.75
"""Two that grow with the same lengths differ by less than this share."""


def what_they_did(
    answer: Answer, check: Check, case: Case, remake: Callable[[], Inputs], failed: Wrong | None
) -> tuple[Mistake, ...]:
    """The known mistakes that explain a failed case; several if nothing tells them apart.

    A mistake must explain every call of the case, and the answer's ordinary results as
    well: many different mistakes end in the same NaN where numbers are extreme.
    ``failed`` is None where the answer raised.
    """
    try:
        return _explanations(answer, check, case, remake, failed)
    except _TooLong:
        return ()


def _explanations(
    answer: Answer, check: Check, case: Case, remake: Callable[[], Inputs], failed: Wrong | None
) -> tuple[Mistake, ...]:
    asked = of_the_case(answer)
    if not asked:
        return ()
    until = time.monotonic() + _SECONDS
    exercise, spoken = answer.exercise, _spoken(answer)
    right = mistakes.reference_answer(exercise, spoken)
    values_are_right = _explains(right, asked)
    if values_are_right and failed is None:
        return ()  # ours raises as well: nothing is wrong with that
    known = exercise.known_mistakes
    if values_are_right:
        # What is wrong is no value: memory, calls, a warning. The check itself can tell,
        # and a mistake that any exercise can have shows in a check of its own.
        known = tuple(m for m in exercise.mistakes if m.track == spoken)
    elif failed is None:
        # What is seen to happen needs its own evidence, not just an exception of that class.
        known = tuple(m for m in known if m.name not in EVIDENT)
    elif any(_only_gradients_differ(right, one) for one in asked):
        # A mistake of another library says nothing of gradients.
        known = tuple(m for m in known if m.track == spoken)
    suspects = {m: mistakes.answer_with(exercise, m) for m in known if m.track in ("numpy", spoken)}
    if not values_are_right:
        # Of an exception the class is style: on which inputs it comes is asked below.
        raised = failed is None
        suspects = _kept(suspects, until, lambda wrong: _explains(wrong, asked, raised))
    besides = ordinary(answer) if suspects else []
    suspects = _kept(suspects, until, lambda wrong: _explains_nearly_all(wrong, besides))
    if values_are_right and failed is not None:
        said = {m: _said_of(wrong, check, case, remake()) for m, wrong in _in_time(suspects, until)}
        # The same measurement is better evidence than one of the same size.
        for near in (_NEAR, _SAME_SIZE):
            alike = {m for m, wrong in said.items() if wrong and _alike(wrong, failed, near)}
            if alike:
                break
        suspects = {m: wrong for m, wrong in suspects.items() if m in alike}
    if failed is None:
        # An exception's class says little: both must raise on the same of many inputs.
        suspects = _kept(suspects, until, lambda wrong: _raise_alike(answer, wrong))
    if GRAPH_CUT in suspects:
        return (GRAPH_CUT,)  # however it was cut, nothing arrives
    # What is evident anyway says less than a mistake of the exercise's own.
    suspects = {m: wrong for m, wrong in suspects.items() if m.name not in EVIDENT} or suspects
    if len(suspects) > 1:
        suspects = _told_apart(answer, suspects)
    return tuple(suspects) if len(suspects) <= MOST_NAMED else ()


def sentence(found: tuple[Mistake, ...]) -> str:
    """What is said of the mistakes that explain a failure: of several, that it is several."""
    said = list(dict.fromkeys(mistake.sentence for mistake in found))
    if len(said) < 2:
        return "".join(said)
    return "one of these, which your results cannot tell apart: " + "; or ".join(said)


def _spoken(answer: Answer) -> str:
    """The track whose references are asked: what is wrong in CuPy is so in NumPy."""
    return "torch" if answer.track == "torch" else "numpy"


class _TooLong(Exception):
    """A student waits: better no name than a late one."""


def _in_time(suspects: dict[Mistake, Answer], until: float) -> Iterator[tuple[Mistake, Answer]]:
    for mistake, wrong in suspects.items():
        if time.monotonic() > until:
            raise _TooLong
        yield mistake, wrong


def _kept(
    suspects: dict[Mistake, Answer], until: float, explains: Callable[[Answer], bool]
) -> dict[Mistake, Answer]:
    return {m: wrong for m, wrong in _in_time(suspects, until) if explains(wrong)}


def _only_gradients_differ(right: Answer, asked: Asked) -> bool:
    request, reply = asked
    return bool(request.cotangents) and same(
        reply, repeated(right, request), request, values_only=True
    )


def _explains(suspect: Answer, asked: list[Asked], values_only: bool = False) -> bool:
    return all(
        same(reply, repeated(suspect, request), request, values_only=values_only)
        for request, reply in asked
    )


def _explains_nearly_all(suspect: Answer, asked: list[Asked]) -> bool:
    """Of ordinary results the values count, and a corner may come out otherwise.

    Who also returns another dtype has made two mistakes; and one mistake, written in
    another style, need not do the same to an axis of length 1.
    """
    agree = [
        same(reply, repeated(suspect, request), request, values_only=True)
        for request, reply in asked
    ]
    return len(agree) - sum(agree) <= len(agree) * _CORNERS


def _raise_alike(answer: Answer, suspect: Answer) -> bool:
    return all(reply.ended == repeated(suspect, request).ended for request, reply in more(answer))


def _told_apart(answer: Answer, suspects: dict[Mistake, Answer]) -> dict[Mistake, Answer]:
    """Ask more, until one is left; who has made a second mistake leaves several."""
    for request, reply in more(answer):
        left = {
            mistake: wrong
            for mistake, wrong in suspects.items()
            if same(reply, repeated(wrong, request), request)
        }
        suspects = left or suspects
        if len(suspects) == 1:
            break
    return suspects


def _said_of(suspect: Answer, check: Check, case: Case, inputs: Inputs) -> Wrong | None:
    """What a check says of a mistake."""
    suspect.begin()
    suspect.begin_case(case)
    suspect.others = {
        name: mistakes.reference_answer(exercise_called(name), suspect.track)
        for name in check.needs
    }
    for other in suspect.others.values():
        other.begin()
        other.begin_case(case)
    try:
        check.run(suspect, inputs)
    except Wrong as wrong:
        return wrong
    except (AnswerEnded, NotRun):
        return None
    return None


_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def _alike(one: Wrong, other: Wrong, near: float) -> bool:
    return _same_words(one.expected, other.expected, near) and _same_words(one.got, other.got, near)


def _same_words(first: str, second: str, near: float) -> bool:
    """The same words, with numbers that are equal, or near if they measure something."""
    if _NUMBER.sub("#", first) != _NUMBER.sub("#", second):
        return False
    pairs = zip(_NUMBER.findall(first), _NUMBER.findall(second), strict=True)
    return all(one == other or _is_near(one, other, near) for one, other in pairs)


def _is_near(one: str, other: str, near: float) -> bool:
    small, large = sorted((float(one), float(other)))
    counts = (one + other).isdigit() and large < 1000
    return not counts and large - small <= near * large
