"""Name what a student did: the known mistake whose outputs theirs equal, and no other's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llm_math_tests import mistakes
from llm_math_tests.answers.answer import parameters_of, request_for
from llm_math_tests.answers.door import Reply, Request
from llm_math_tests.answers.values import arrays_in, dtype_name
from llm_math_tests.checks.compare import agree
from llm_math_tests.checks.truth import eps
from llm_math_tests.diagnosis.evidence import SECONDS, can_be_repeated, repeated
from llm_math_tests.habits import EVIDENT

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Mistake

_FLOATS = ("float64", "float32", "float16", "bfloat16")
_MOST_CALLS = 6
"""Calls of a failed case that are compared: more would only cost time."""


def what_they_did(answer: Answer) -> Mistake | None:
    """The one mistake that explains every call of the failed case, None if not exactly one.

    It must explain the answer's ordinary results as well: many different mistakes end
    in the same NaN where numbers are extreme.
    """
    asked = [
        (request, reply)
        for _, request, reply in answer.calls[-_MOST_CALLS:]
        if can_be_repeated(request, reply)
    ]
    if not asked:
        return None
    exercise = answer.exercise
    right = mistakes.reference_answer(exercise)
    if all(_same(reply, repeated(right, request), request) for request, reply in asked):
        return None
    matching = [
        mistake
        for mistake in exercise.known_mistakes
        if mistake.track == "numpy"
        and all(
            _same(reply, repeated(mistakes.answer_with(exercise, mistake), request), request)
            for request, reply in asked
        )
    ]
    # What is evident anyway says less than a mistake of the exercise's own.
    matching = [m for m in matching if m.name not in EVIDENT] or matching
    if len(matching) != 1:
        return None
    suspect = mistakes.answer_with(exercise, matching[0])
    ordinary = _ordinary(answer)
    # Of these the values count: who also returns another dtype has made two mistakes.
    explained = all(
        _same(reply, repeated(suspect, request), request, values_only=True)
        for request, reply in ordinary
    )
    return matching[0] if explained else None


def _ordinary(answer: Answer) -> list[tuple[Request, Reply]]:
    """The answer's own results on the cases of its first check, asked once."""
    if answer.ordinary is None:
        check = answer.exercise.checks[0]
        cases = [case for case in check.cases if answer.track in case.tracks]
        answer.ordinary = []
        parameters = parameters_of(answer.exercise.signature_in(answer.track))
        required = {name for name, default in parameters.items() if default is None}
        for number, case in enumerate(cases[:_MOST_CALLS]):
            inputs = case.make(np.random.default_rng(number))
            if not required <= inputs.keys():
                continue  # a cache: only the same person's forward can make it
            request = request_for(answer.exercise, answer.track, inputs)
            reply = answer.room.call(answer.where, request, SECONDS)
            if can_be_repeated(request, reply):
                answer.ordinary.append((request, reply))
            if reply.ended == "timeout":
                break
    return answer.ordinary


def _same(first: Reply, second: Reply, request: Request, values_only: bool = False) -> bool:
    if first.ended != second.ended:
        return False
    if first.ended == "raised":
        return first.exception == second.exception
    arrays = arrays_in([request.args, request.kwargs, first.value, second.value])
    dtypes = [dtype_name(array) for array in arrays]
    coarsest = max((d for d in dtypes if d in _FLOATS), key=eps, default="float64")
    if values_only:
        return agree(first.value, second.value, coarsest)
    return (
        agree(first.value, second.value, coarsest)
        and _dtypes(first) == _dtypes(second)
        and bool(first.changed) == bool(second.changed)
    )


def _dtypes(reply: Reply) -> list[str]:
    return [dtype_name(array) for array in arrays_in(reply.value)]
