"""Name what a student did: the known mistake whose outputs theirs equal, and no other's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from llm_math_tests import mistakes
from llm_math_tests.answers.answer import parameters_of, request_for
from llm_math_tests.answers.door import Reply, Request
from llm_math_tests.answers.values import (
    Bfloat16,
    Blocks,
    Value,
    arrays_in,
    dtype_name,
    is_array,
    plain,
    spelled,
)
from llm_math_tests.checks.compare import agree
from llm_math_tests.checks.truth import eps
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.habits import EVIDENT

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Mistake

_FLOATS = ("float64", "float32", "float16", "bfloat16")
_SECONDS = 5.0
_MOST_NUMBERS = 60_000
"""A larger input would keep a student waiting while every mistake is tried on it."""
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
        if _can_be_repeated(request, reply)
    ]
    if not asked:
        return None
    exercise = answer.exercise
    right = mistakes.reference_answer(exercise)
    if all(_same(reply, _repeat(right, request), request) for request, reply in asked):
        return None
    matching = [
        mistake
        for mistake in exercise.known_mistakes
        if mistake.track == "numpy"
        and all(
            _same(reply, _repeat(mistakes.answer_with(exercise, mistake), request), request)
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
        _same(reply, _repeat(suspect, request), request, values_only=True)
        for request, reply in ordinary
    )
    return matching[0] if explained else None


def of_another_form(answer: Answer) -> Wrong | None:
    """The first result of the case that has not even the form of a right one, if any."""
    right = mistakes.reference_answer(answer.exercise)
    for _, request, reply in answer.calls:
        if reply.ended == "returned" and _can_be_repeated(request, reply):
            wanted = _repeat(right, request)
            if wanted.ended == "returned" and _form(wanted.value) != _form(reply.value):
                return Wrong(spelled(wanted.value), spelled(reply.value))
    return None


def _form(value: Value) -> object:
    if is_array(value):
        return plain(value).shape
    if isinstance(value, (tuple, list)):
        return [_form(item) for item in value]
    if isinstance(value, dict):
        return {key: _form(item) for key, item in value.items()}
    return () if type(value) in (bool, int, float) else type(value)


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
            reply = answer.room.call(answer.where, request, _SECONDS)
            if _can_be_repeated(request, reply):
                answer.ordinary.append((request, reply))
            if reply.ended == "timeout":
                break
    return answer.ordinary


def _can_be_repeated(request: Request, reply: Reply) -> bool:
    arrays = list(arrays_in([request.args, request.kwargs]))
    return (
        request.cotangents is None
        and not request.on_accelerator
        and reply.ended in ("returned", "raised")
        and not any(isinstance(array, Bfloat16) for array in arrays)
        and sum(plain(array).size for array in arrays) <= _MOST_NUMBERS
    )


def _repeat(answer: Answer, request: Request) -> Reply:
    fresh = replace(
        request,
        args=tuple(_fresh(value) for value in request.args),
        kwargs={name: _fresh(value) for name, value in request.kwargs.items()},
        measure_memory=False,
    )
    return answer.room.call(answer.where, fresh, _SECONDS)


def _fresh(value: Value) -> Value:
    """An iterator is used up after one answer: the next gets its own."""
    return Blocks(value.arrays) if isinstance(value, Blocks) else value


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
