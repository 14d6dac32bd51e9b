"""Over many calls: the kind of input for which an answer is right, or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Request
from llm_math_tests.answers.values import Value, arrays_in, plain
from llm_math_tests.diagnosis.evidence import (
    Asked,
    asked_aside,
    more,
    of_the_case,
    ordinary,
    ours,
    repeated,
    same,
)
from llm_math_tests.diagnosis.patterns.pair import arguments_of, arrays_of

_FEWEST = 3
"""Calls of each kind, right and wrong, before it is said."""
_SHARE = 0.2
"""And the share of all calls that each kind has to be."""
_SQUARED = 3
"""Ordinary calls that are also tried with square arguments."""
_LIKELY = 1 / 3
"""Of the kind of input that all wrong calls are of, at least this share is wrong."""

Such = Callable[[np.ndarray], bool]


@dataclass(frozen=True)
class _Judged:
    request: Request
    is_right: bool


def right_only_for(answer: Answer) -> str:
    """A kind of input that all wrong calls are of, or all right ones, with their numbers."""
    judged = _judged(answer)
    good = [one for one in judged if one.is_right]
    bad = [one for one in judged if not one.is_right]
    least = max(_FEWEST, _SHARE * len(judged))
    if len(good) < least or len(bad) < _FEWEST:
        return ""
    for name in arguments_of(answer, bad[0].request):
        if all(name in arguments_of(answer, one.request) for one in bad) and not any(
            name in arguments_of(answer, one.request) for one in good
        ):
            return f"wrong where {name} is given ({len(bad)} calls), right elsewhere ({len(good)})"
    for name, _ in arrays_of(answer, bad[0].request):
        for words, is_such in _KINDS:
            said = _told(answer, name, words, is_such, good, bad)
            if said:
                return said
    return ""


def _judged(answer: Answer) -> list[_Judged]:
    right = ours(answer)
    judged = []
    asked = [*of_the_case(answer), *ordinary(answer), *more(answer)]
    for request, reply in [*asked, *_made_square(answer, ordinary(answer))]:
        wanted = repeated(right, request)
        if wanted.ended != "returned" or request.cotangents is not None:
            continue
        is_right = same(reply, wanted, request)
        # To be right about nothing is no evidence.
        if not is_right or any(plain(array).size for array in arrays_in(wanted.value)):
            judged.append(_Judged(request, is_right))
    return judged


def _made_square(answer: Answer, asked: list[Asked]) -> Iterator[Asked]:
    """Ordinary calls with axes cut to one length: few cases are square by themselves."""
    for request, _ in asked[:_SQUARED]:
        shapes = {array.shape for _, array in arrays_of(answer, request) if array.ndim >= 2}
        for one, other in {shape[-2:] for shape in shapes}:
            long, short = max(one, other), min(one, other)
            if short >= 2 and long > short:
                cut = replace(request, args=tuple(_cut(v, long, short) for v in request.args))
                reply = asked_aside(answer, cut)
                if reply.ended in ("returned", "raised"):
                    yield cut, reply


def _cut(value: Value, long: int, short: int) -> Value:
    """The value with every axis of one length cut to another."""
    if not isinstance(value, np.ndarray):
        return value
    return value[tuple(slice(short if size == long else size) for size in value.shape)].copy()


def _told(
    answer: Answer, name: str, words: str, is_such: Such, good: list[_Judged], bad: list[_Judged]
) -> str:
    def such(one: _Judged) -> bool:
        array = dict(arrays_of(answer, one.request)).get(name)
        return array is not None and is_such(array)

    wrong = [one for one in bad if such(one)]
    fine = [one for one in good if such(one)]
    others = len(good) - len(fine)
    if len(wrong) == len(bad) and others >= _FEWEST:
        of = len(wrong) + len(fine)
        if len(wrong) >= of * _LIKELY:
            count = f"{len(wrong)} of {of} calls" if fine else f"all {of} calls"
            return f"wrong only where {name} {words} ({count}), right in the {others} others"
    if not wrong and len(fine) == len(good) and len(bad) >= _FEWEST:
        return f"right where {name} {words} ({len(fine)} calls), wrong in the {len(bad)} others"
    return ""


_NUMBERS = ("no", "one", "two", "three", "four")


def _axes(count: int) -> tuple[str, Such]:
    plural = "axis" if count == 1 else "axes"
    return f"has {_NUMBERS[count]} {plural}", lambda array: array.ndim == count


_KINDS: tuple[tuple[str, Such], ...] = (
    _axes(1),
    _axes(2),
    _axes(3),
    ("has more than two axes", lambda array: array.ndim > 2),
    (
        "is square",
        lambda array: array.ndim >= 2 and array.shape[-1] == array.shape[-2],
    ),
    ("is empty", lambda array: array.size == 0),
    ("is float16", lambda array: array.dtype == np.float16),
    ("is float32", lambda array: array.dtype == np.float32),
    ("is float64", lambda array: array.dtype == np.float64),
    ("holds integers", lambda array: array.dtype.kind in "iu"),
    ("is boolean", lambda array: array.dtype.kind == "b"),
    ("has nan in it", lambda array: array.dtype.kind == "f" and bool(np.isnan(array).any())),
    (
        "has inf or -inf in it",
        lambda array: array.dtype.kind == "f" and bool(np.isinf(array).any()),
    ),
    ("has an axis of length 1", lambda array: 1 in array.shape),
)
