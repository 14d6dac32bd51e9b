"""Name what a student did: the known mistake whose outputs theirs equal, and no other's."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from llm_math_tests import mistakes
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import arrays_in
from llm_math_tests.checks.compare import agree
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import AnswerEnded, NotRun, Wrong
from llm_math_tests.diagnosis.evidence import (
    Asked,
    TooLong,
    kept_of,
    more,
    of_the_case,
    ordinary,
    ours,
    repeated,
    rights,
    roughly_same,
    same,
    spoken,
    within,
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
_FEW = 2
"""Telling results that may differ however few there are."""
_STRONG, _WEAK = 0.6, 0.9
"""The share of the telling results that a mistake must explain; more where all that is
known of the failed case is that numbers were lost."""


def what_they_did(
    answer: Answer, check: Check, case: Case, remake: Callable[[], Inputs], failed: Wrong | None
) -> tuple[Mistake, ...]:
    """The known mistakes that explain a failed case; several if nothing tells them apart.

    A mistake must explain every call of the case, and the answer's ordinary results as
    well: many different mistakes end in the same NaN where numbers are extreme.
    ``failed`` is None where the answer raised.
    """
    try:
        with within(_SECONDS, answer):
            return _explanations(answer, check, case, remake, failed)
    except TooLong:
        return ()


def _explanations(
    answer: Answer, check: Check, case: Case, remake: Callable[[], Inputs], failed: Wrong | None
) -> tuple[Mistake, ...]:
    asked = of_the_case(answer)
    if not asked:
        return ()
    exercise, track, right = answer.exercise, spoken(answer), ours(answer)
    values_are_right = _explains(right, asked)
    if values_are_right and failed is None:
        return ()  # ours raises as well: nothing is wrong with that
    if not values_are_right:
        # What explained another case of this answer alone, and much besides, need not be
        # set against all the others again.
        for mistake in kept_of(answer).named:
            if _explains(mistakes.answer_with(exercise, mistake), asked, failed is None):
                return (mistake,)
    known = exercise.known_mistakes
    if values_are_right:
        # What is wrong is no value: memory, calls, a warning. The check itself can tell,
        # and a mistake that any exercise can have shows in a check of its own.
        known = tuple(m for m in exercise.mistakes if m.track == track)
    elif failed is None:
        # What is seen to happen needs its own evidence, not just an exception of that class.
        known = tuple(m for m in known if m.name not in EVIDENT)
    elif track != "numpy" and (
        any(_only_gradients_differ(right, one) for one in asked)
        or _explains(mistakes.reference_answer(exercise), asked)
    ):
        # Of gradients, and of what the libraries do differently, another library says nothing.
        known = tuple(m for m in known if m.track == track)
    suspects = {m: mistakes.answer_with(exercise, m) for m in known if m.track in ("numpy", track)}
    if not (values_are_right and any(request.measure_memory for request, _ in asked)):
        # Of an exception the class is style: on which inputs it comes is asked below.
        raised = failed is None
        suspects = _kept(suspects, lambda wrong: _explains(wrong, asked, raised))
    suspects = _borne_out(answer, right, suspects, ordinary(answer) if suspects else [])
    if values_are_right and failed is not None:
        suspects = _kept(suspects, lambda wrong: _fails_alike(wrong, check, case, remake(), failed))
    if GRAPH_CUT in suspects:
        return (GRAPH_CUT,)  # however it was cut, nothing arrives
    # What is evident anyway says less than a mistake of the exercise's own.
    suspects = {m: wrong for m, wrong in suspects.items() if m.name not in EVIDENT} or suspects
    if suspects and not values_are_right:
        besides = [*ordinary(answer), *more(answer)]
        if failed is None:
            # An exception's class says little: both must raise on the same of many inputs.
            suspects = _borne_out(answer, right, suspects, besides, None, _raise_alike)
        share = _WEAK if _only_lost(right, asked) else _STRONG
        suspects = _borne_out(answer, right, suspects, besides, share)
    if len(suspects) > 1:
        suspects = _told_apart(answer, suspects)
    if len(suspects) == 1 and not values_are_right:
        kept_of(answer).named.extend(m for m in suspects if m.name not in EVIDENT)
    return tuple(suspects) if len(suspects) <= MOST_NAMED else ()


def sentence(found: tuple[Mistake, ...]) -> str:
    """What is said of the mistakes that explain a failure: of several, that it is several."""
    said = list(dict.fromkeys(mistake.sentence for mistake in found))
    if len(said) < 2:
        return "".join(said)
    return "one of these, which your results cannot tell apart: " + "; or ".join(said)


def _kept(
    suspects: dict[Mistake, Answer], explains: Callable[[Answer], bool]
) -> dict[Mistake, Answer]:
    return {mistake: wrong for mistake, wrong in suspects.items() if explains(wrong)}


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


def _borne_out(
    answer: Answer,
    right: Answer,
    suspects: dict[Mistake, Answer],
    asked: list[Asked],
    share: float | None = None,
    how: Callable[..., bool] | None = None,
) -> dict[Mistake, Answer]:
    """Those that explain the answer's other results, asked once for each."""
    known = kept_of(answer).borne_out
    for mistake, wrong in suspects.items():
        key = (mistake, share, how)
        if key not in known:
            explains = how or partial(_explains_most, answer=answer, right=right, share=share)
            known[key] = explains(wrong, asked=asked)
    return {m: wrong for m, wrong in suspects.items() if known[m, share, how]}


def _explains_most(
    suspect: Answer,
    asked: list[Asked],
    answer: Answer,
    right: Answer,
    share: float | None,
) -> bool:
    """Whether a suspect does what the answer did, but for a few corners.

    Of results besides the failed case the values count: who also returns another dtype has
    made two mistakes. With a ``share``, that much of the calls where either is wrong, which
    are the ones that tell something; else nearly all calls.
    """
    alike = []
    for (request, reply), wanted in zip(asked, rights(answer, right, asked), strict=True):
        theirs = repeated(suspect, request)
        if share is None:
            alike.append(same(reply, theirs, request, values_only=True))
        elif not (roughly_same(reply, wanted, request) and roughly_same(theirs, wanted, request)):
            alike.append(roughly_same(reply, theirs, request))
    others = len(alike) - sum(alike)
    if share is None:
        return others <= _CORNERS * len(alike)
    return others <= max(_FEW, (1 - share) * len(alike))


def _only_lost(right: Answer, asked: list[Asked]) -> bool:
    """Whether all that is wrong is NaN or infinite: many mistakes end so."""
    pairs = [(reply, repeated(right, request)) for request, reply in asked]
    return all(
        any(bool((~np.isfinite(extended(array))).any()) for array in arrays_in(reply.value))
        for reply, wanted in pairs
        if reply.ended == "returned" and not agree(reply.value, wanted.value, "float16")
    )


def _raise_alike(suspect: Answer, asked: list[Asked]) -> bool:
    return all(reply.ended == repeated(suspect, request).ended for request, reply in asked)


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


def _fails_alike(suspect: Answer, check: Check, case: Case, inputs: Inputs, failed: Wrong) -> bool:
    """Whether a check says the same of a mistake, measurements a little apart."""
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
        return _same_words(wrong.expected, failed.expected) and _same_words(wrong.got, failed.got)
    except (AnswerEnded, NotRun):
        return False
    return False


_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def _same_words(first: str, second: str) -> bool:
    """The same words, with numbers that are equal, or near if they measure something."""
    if _NUMBER.sub("#", first) != _NUMBER.sub("#", second):
        return False
    pairs = zip(_NUMBER.findall(first), _NUMBER.findall(second), strict=True)
    return all(one == other or _is_near(one, other) for one, other in pairs)


def _is_near(one: str, other: str) -> bool:
    small, large = sorted((float(one), float(other)))
    counts = (one + other).isdigit() and large < 1000
    return not counts and large - small <= _NEAR * large
