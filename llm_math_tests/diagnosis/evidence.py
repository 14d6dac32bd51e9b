"""What an answer was asked and gave, and what ours gives for the same."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from llm_math_tests import mistakes
from llm_math_tests.answers.answer import parameters_of, request_for
from llm_math_tests.answers.door import Reply, Request
from llm_math_tests.answers.values import Bfloat16, Blocks, Value, arrays_in, dtype_name, plain
from llm_math_tests.checks.compare import agree
from llm_math_tests.checks.truth import eps, extended

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Case, Mistake

_SECONDS = 5.0
_MOST_NUMBERS = 500_000
"""A larger input would keep a student waiting while every mistake is tried on it."""
_MOST_CALLS = 6
"""Calls of a case that are compared: more would only cost time."""
_FEW_NUMBERS = 4_000
_MOST_LATE = 2
_MOST_CASES = 30
_TWO_DIGITS = 0.01
_ROUNDINGS = 16
_FLOATS = ("float64", "float32", "float16", "bfloat16")


class TooLong(Exception):
    """A student waits: better nothing than something late."""


_until: ContextVar[float] = ContextVar("until", default=math.inf)


@contextmanager
def within(seconds: float, answer: Answer) -> Iterator[None]:
    """Hold what is asked inside to a time; :class:`TooLong` when it is over.

    An answer for which time ran out before is not tried with case after case.
    """
    kept = kept_of(answer)
    token = _until.set(min(_until.get(), time.monotonic() + seconds))
    try:
        if kept.late >= _MOST_LATE:
            raise TooLong
        yield
    except TooLong:
        kept.late += 1
        raise
    finally:
        _until.reset(token)


def _left() -> float:
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise TooLong
    return min(left, _SECONDS)


Asked = tuple[Request, Reply]
"""A call, and what the answer gave."""


@dataclass
class Evidence:
    """An answer's results besides those of the failed case, each asked for once."""

    ordinary: list[Asked] | None = None
    more: list[Asked] = field(default_factory=list)
    rest: Iterator[Case] | None = None
    """The cases that have not been asked yet."""
    right: dict[int, Reply] = field(default_factory=dict)
    """What ours gives for them, by the identity of the request."""
    borne_out: dict[tuple[object, ...], bool] = field(default_factory=dict)
    """Whether a mistake explains that much of them, in that way."""
    named: list[Mistake] = field(default_factory=list)
    """Those that explained a case alone."""
    late: int = 0
    """How often time ran out."""


_KEPT: WeakKeyDictionary[Answer, Evidence] = WeakKeyDictionary()


def kept_of(answer: Answer) -> Evidence:
    """What is known of an answer so far."""
    return _KEPT.setdefault(answer, Evidence())


def ours(answer: Answer) -> Answer:
    """Our own answer, which is asked the same: what is right in CuPy is so in NumPy."""
    return mistakes.reference_answer(answer.exercise, spoken(answer))


def spoken(answer: Answer) -> str:
    """The track whose references and mistakes are set against an answer."""
    return "torch" if answer.track == "torch" else "numpy"


def asked_aside(answer: Answer, request: Request) -> Reply:
    """What the answer gives for one call more, while there is time."""
    return answer.ask_aside(request, _left())


def of_the_case(answer: Answer) -> list[Asked]:
    """The calls of the case under way that ours can be asked as well."""
    return [
        (request, reply)
        for _, request, reply in answer.calls[-_MOST_CALLS:]
        if _can_be_repeated(answer, request, reply)
    ]


def ordinary(answer: Answer) -> list[Asked]:
    """The answer's own results on the cases of its first check."""
    kept = kept_of(answer)
    if kept.ordinary is None:
        check = answer.exercise.checks[0]
        cases = [case for case in check.cases if answer.track in case.tracks][:_MOST_CALLS]
        kept.ordinary = list(_asked(answer, iter(cases)))
    return kept.ordinary


def more(answer: Answer) -> Iterator[Asked]:
    """Its results on the small cases of the other checks, asked as they are needed."""
    kept = kept_of(answer)
    yield from kept.more
    if kept.rest is None:
        kept.rest = iter(
            [
                case
                for check in answer.exercise.checks_in(answer.track)[1:]
                if not check.needs and check.name != "refuses_bad_arguments"
                for case in check.cases
                if answer.track in case.tracks
            ][:_MOST_CASES]
        )
    for asked in _asked(answer, kept.rest, _FEW_NUMBERS):
        kept.more.append(asked)
        yield asked


def rights(answer: Answer, right: Answer, asked: list[Asked]) -> list[Reply]:
    """What ours gives for calls that are kept, asked once."""
    kept = kept_of(answer).right
    for request, _ in asked:
        if id(request) not in kept:
            kept[id(request)] = repeated(right, request)
    return [kept[id(request)] for request, _ in asked]


def _asked(answer: Answer, cases: Iterator[Case], most: int = _MOST_NUMBERS) -> Iterator[Asked]:
    parameters = parameters_of(answer.exercise.signature_in(answer.track))
    required = {name for name, default in parameters.items() if default is None}
    for case in cases:
        rng = np.random.default_rng(zlib.crc32(case.name.encode()))
        inputs = case.make(rng)
        if not required <= inputs.keys():
            continue  # a cache: only the same person's forward can make it
        request = request_for(answer.exercise, answer.track, inputs)
        if _size(request) > most:
            continue
        reply = asked_aside(answer, request)
        if _can_be_repeated(answer, request, reply):
            yield request, reply
        if reply.ended == "timeout":
            return


def _size(request: Request) -> int:
    return _numbers([request.args, request.kwargs])


def _numbers(value: Value) -> int:
    return sum(plain(array).size for array in arrays_in(value))


def _can_be_repeated(answer: Answer, request: Request, reply: Reply) -> bool:
    return (
        (answer.track == "torch" or not _only_torch(request))
        and not request.on_accelerator
        and reply.ended in ("returned", "raised")
        and _size(request) + _numbers(reply.value) <= _MOST_NUMBERS
    )


def _only_torch(request: Request) -> bool:
    """Whether no other library has the dtype, or can differentiate."""
    arrays = arrays_in([request.args, request.kwargs])
    return request.cotangents is not None or any(isinstance(array, Bfloat16) for array in arrays)


def repeated(answer: Answer, request: Request) -> Reply:
    """What an answer of ours gives for the same call."""
    if answer.track != "torch" and any(
        isinstance(array, Bfloat16) for array in arrays_in([request.args, request.kwargs])
    ):
        return Reply("refused", problem="has no bfloat16")
    fresh = replace(
        request,
        args=tuple(_fresh(value) for value in request.args),
        kwargs={name: _fresh(value) for name, value in request.kwargs.items()},
        measure_memory=False,
        # Only torch differentiates; of the others the values count.
        cotangents=request.cotangents if answer.track == "torch" else None,
    )
    reply = answer.room.call(answer.where, fresh, _left())
    if reply.ended == "timeout":
        raise TooLong
    return reply


def _fresh(value: Value) -> Value:
    """An iterator is used up after one answer: the next gets its own."""
    return Blocks(value.arrays) if isinstance(value, Blocks) else value


def same(first: Reply, second: Reply, request: Request, *, values_only: bool = False) -> bool:
    """Whether two answers did the same: values and, unless told otherwise, all that shows."""
    if first.ended != second.ended:
        return False
    if first.ended == "raised":
        return values_only or first.exception == second.exception
    if not agree(first.value, second.value, coarsest(request, first, second)):
        return False
    if values_only:
        return True
    return (
        _dtypes(first) == _dtypes(second)
        and bool(first.changed) == bool(second.changed)
        and _same_gradients(first, second, request)
    )


def roughly_same(first: Reply, second: Reply, request: Request) -> bool:
    """Whether two answers came to the same, to two digits: rounding apart, whatever it made."""
    if first.ended != second.ended or first.ended == "raised":
        return first.ended == second.ended
    pairs = list(zip(*map(list, map(arrays_in, (first.value, second.value))), strict=False))
    if not pairs or len(list(arrays_in(first.value))) != len(list(arrays_in(second.value))):
        return agree(first.value, second.value, "float32")
    noise = _ROUNDINGS * eps(coarsest(request, first, second)) * _largest_input(request)
    return all(_near(extended(one), extended(other), noise) for one, other in pairs)


def _largest_input(request: Request) -> float:
    """The size of what went in: what is left of it where it cancels is noise."""
    found = [np.abs(extended(array)) for array in arrays_in([request.args, request.kwargs])]
    return max((float(a[np.isfinite(a)].max(initial=0.0)) for a in found), default=0.0)


def _near(one: np.ndarray, other: np.ndarray, noise: float) -> bool:
    if one.shape != other.shape:
        return False
    finite = np.isfinite(one) & np.isfinite(other)
    if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return False
    sizes = np.abs(one[finite]) + np.abs(other[finite])
    limit = _TWO_DIGITS * (sizes + sizes.max(initial=0.0) / 100) + noise
    return bool((np.abs(one[finite] - other[finite]) <= limit).all())


def coarsest(request: Request, *replies: Reply) -> str:
    """The least precise floating dtype of a call's inputs and results."""
    blocks = [value.arrays for value in request.args if isinstance(value, Blocks)]
    values = [reply.value for reply in replies]
    dtypes = [
        dtype_name(array) for array in arrays_in([*request.args, request.kwargs, blocks, values])
    ]
    return max((d for d in dtypes if d in _FLOATS), key=eps, default="float64")


def _same_gradients(first: Reply, second: Reply, request: Request) -> bool:
    if len(first.grads) != len(second.grads):
        # Asked of one that cannot differentiate: its values are all there is to compare.
        return not first.grads or not second.grads
    dtype = coarsest(request, first, second)
    return all(
        (one is None) == (other is None) and (one is None or agree(one, other, dtype))
        for one, other in zip(first.grads, second.grads, strict=True)
    )


def _dtypes(reply: Reply) -> list[str]:
    return [dtype_name(array) for array in arrays_in(reply.value)]
