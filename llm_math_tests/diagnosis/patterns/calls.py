"""What ours gives when it is asked otherwise: an argument left out, two swapped, another axis."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from llm_math_tests.answers.answer import Answer, parameters_of, request_for
from llm_math_tests.answers.door import Request
from llm_math_tests.answers.values import Value, is_array, plain
from llm_math_tests.diagnosis.evidence import ours, repeated
from llm_math_tests.diagnosis.patterns.pair import Pair, arguments_of, pairs_of

_MOST_TURNED = 5_000
"""Numbers in an array that is exchanged: (n, 3) may become (3, n), and a result (n, n)."""


def _gives(answer: Answer, pair: Pair, arguments: dict[str, Value]) -> bool:
    """Whether ours, asked with other arguments, gives what came."""
    if pair.request.cotangents is not None:
        return False
    other = request_for(answer.exercise, answer.track, arguments)
    asked: Request = replace(pair.request, args=other.args, kwargs=other.kwargs)
    reply = repeated(ours(answer), asked)
    if reply.ended != "returned":
        return False
    found = pairs_of(answer, [(pair.request, reply)])
    theirs = next((one for one in found if one.part == pair.part), None)
    return theirs is not None and pair.near(theirs.have)


def argument_left_out(answer: Answer, pairs: list[Pair]) -> str:
    """As if an argument had been left at its default."""
    defaults = {
        name: ast.literal_eval(text)
        for name, text in parameters_of(answer.exercise.signature_in(answer.track)).items()
        if text is not None
    }
    for name, default in defaults.items():
        given = [name in arguments_of(answer, pair.request) for pair in pairs]
        if not any(given):
            continue
        if all(
            _gives(answer, pair, {**arguments_of(answer, pair.request), name: default})
            if has
            else pair.is_right
            for pair, has in zip(pairs, given, strict=True)
        ):
            return f"the result is the one for {name}={default!r}: {name} was not used"
    return ""


def arguments_swapped(answer: Answer, pairs: list[Pair]) -> str:
    """As if two arguments of one shape had changed places."""
    names = list(parameters_of(answer.exercise.signature_in(answer.track)))
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if all(_swapped(answer, pair, first, second) for pair in pairs):
                return f"the result is the one with {first} and {second} in each other's place"
    return ""


def _swapped(answer: Answer, pair: Pair, first: str, second: str) -> bool:
    arguments = arguments_of(answer, pair.request)
    one, other = arguments.get(first), arguments.get(second)
    if not (is_array(one) and is_array(other)) or plain(one).shape != plain(other).shape:
        return False
    if np.array_equal(plain(one), plain(other)):
        return False
    return _gives(answer, pair, {**arguments, first: other, second: one})


def argument_off_by_one(answer: Answer, pairs: list[Pair]) -> str:
    """As if a whole number among the arguments were one more or less."""
    for name in parameters_of(answer.exercise.signature_in(answer.track)):
        for step in (1, -1):
            if name != "axis" and all(_off(answer, pair, name, step) for pair in pairs):
                return f"the result is the one for {name} {'+' if step > 0 else '-'} 1"
    return ""


def _off(answer: Answer, pair: Pair, name: str, step: int) -> bool:
    arguments = arguments_of(answer, pair.request)
    value = arguments.get(name)
    return type(value) is int and _gives(answer, pair, {**arguments, name: value + step})


def another_axis(answer: Answer, pairs: list[Pair]) -> str:
    """As if the work had been done along another axis."""
    if "axis" in parameters_of(answer.exercise.signature_in(answer.track)):
        found = [set(_axes_that_give(answer, pair)) for pair in pairs if not pair.is_right]
        common = set.intersection(*found) if found else set()
        if common:
            along = max(common, key=len)
            return f"the result is the one along {along}, not along the axis that is asked"
        return ""
    names = list(parameters_of(answer.exercise.signature_in(answer.track)))
    for name in names:
        if all(_gives_turned(answer, pair, (name,), False) for pair in pairs):
            return f"the result is the one for {name} with its last two axes exchanged"
    if len(pairs) > 1 and all(_gives_turned(answer, pair, tuple(names), True) for pair in pairs):
        return "the work was done along the last axis but one, not along the last"
    return ""


def _axes_that_give(answer: Answer, pair: Pair) -> Iterator[str]:
    arguments = arguments_of(answer, pair.request)
    first = next((plain(value) for value in arguments.values() if is_array(value)), None)
    if first is None:
        return
    asked = arguments.get("axis", -1)
    for axis in range(first.ndim):
        if axis - asked in (0, first.ndim) or first.shape[axis] < 2:
            continue
        if _gives(answer, pair, {**arguments, "axis": axis}):
            yield "the last axis" if axis == first.ndim - 1 else f"axis {axis}"
            if axis == 0:
                yield "the first axis"


def _gives_turned(answer: Answer, pair: Pair, names: tuple[str, ...], back: bool) -> bool:
    arguments = arguments_of(answer, pair.request)
    turned = {
        name: np.swapaxes(value, -1, -2)
        for name, value in arguments.items()
        if name in names and isinstance(value, np.ndarray) and value.ndim >= 2
        and value.shape[-1] > 1 and value.shape[-2] > 1 and value.size <= _MOST_TURNED
    }  # fmt: skip
    if not turned:
        return False
    if back:
        if pair.have.ndim < 2:
            return False
        pair = replace(pair, have=np.swapaxes(pair.have, -1, -2))
    return _gives(answer, pair, {**arguments, **turned})
