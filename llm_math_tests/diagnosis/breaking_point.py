"""The size of the inputs at which an answer breaks, per dtype, beside the reference's."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from llm_math_tests import mistakes, tracks
from llm_math_tests.answers.answer import parameters_of, request_for
from llm_math_tests.answers.values import is_array
from llm_math_tests.checks.promises import FLOATS, expect_truth, result_dtype
from llm_math_tests.checks.truth import eps, largest, smallest_normal
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.diagnosis.sized import moved, numbers_in, of_size, ordinary, truth_of
from llm_math_tests.wording import WIDTH

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer
    from llm_math_tests.exercise import Case, Check, Exercise, Inputs
    from llm_math_tests.run import Engine

SECONDS = 0.3
"""The most time for one picture: a failure is read at once, or not at all."""
MOST_CALLS = 60
"""The most calls of one answer in one dtype."""
_FAST = 15
"""As many calls must fit in that time, by the first, or an answer is not asked on and on."""
_DRAWS = 2
"""Draws whose largest number is positive, and as many where it is negative."""
_CLOSELY = 6
"""More steps than these on the way are tried with the first draw alone."""
_BACK = 4
"""Positions to go back by, where a draw is wrong before the others."""
_UNUSUAL = 3.0
"""A check varies an argument that is this many times as large, or small, as usual."""
_EARLIER = 2.0
"""By less than this factor, where an answer ends is its rounding and no other idea."""
_BAR = 30
_MARGIN = " " * 12


@dataclass(frozen=True)
class Varied:
    """What a case makes large, small, or far from zero."""

    way: Literal["up", "down", "away"]
    arguments: tuple[tuple[str, int], ...]
    """The names, and to which side of zero each is moved."""

    def at(self, usual: Inputs, size: float) -> Inputs:
        """Ordinary inputs of that size, or at that distance from zero."""
        if self.way == "away":
            return moved(usual, {name: side * size for name, side in self.arguments})
        return of_size(usual, [name for name, _ in self.arguments], size)

    def is_beyond(self, inputs: Inputs, position: int) -> bool:
        """Whether some argument is farther from ordinary than the size at a position."""
        size = self.size(position)
        numbers = [numbers_in(inputs[name]) for name, _ in self.arguments]
        if self.way == "up":
            return any(np.abs(each).max() > size for each in numbers)
        if self.way == "down":
            return any(np.abs(each).max() < size for each in numbers)
        return any(np.abs(each).min() > size * min(1.0, np.ptp(each)) for each in numbers)

    def last(self, dtype: str) -> int:
        """The position of the last size that says anything in a dtype."""
        if self.way == "up":
            return _position(largest(dtype))
        if self.way == "down":
            return -_position(smallest_normal(dtype)) - 1
        # Farther away, numbers that differ by less than 1 are the same number.
        return _position(1 / eps(dtype))

    def size(self, position: int) -> float:
        """The size at a position: 1 at 0, then every number of two digits."""
        return _two_digits(-position if self.way == "down" else position)


@dataclass(frozen=True)
class Ends:
    """Up to where an answer and the reference are right in one dtype."""

    dtype: str
    yours: int
    reference: int
    last: int


class _GivenUp(Exception):
    """The picture would take too long."""


def breaking_point(engine: Engine, answer: Answer, check: Check, case: Case) -> str:
    """The lines that show it for a case of a stable check that failed, or nothing."""
    if check.level != "stable" or check.needs or answer.timeouts:
        return ""
    try:
        if tracks.track(answer.track).proved_by() == "device":
            return ""  # every call would wait for the device
        inputs = case.make(engine.rng(answer.exercise, check, case))
        with _silence():
            return picture(answer, inputs)
    except Exception:
        return ""  # the failure stands without a picture of it


def picture(answer: Answer, inputs: Inputs) -> str:
    """The same for the inputs that an answer fails on."""
    varied = what_varies(answer, inputs)
    if varied is None:
        return ""
    dtype = result_dtype(inputs, answer.track)
    found = {each.dtype: each for each in ends(answer, varied, dtype)}
    # What fails nearer to ordinary sizes than where it breaks fails for another reason, and
    # where the reference is said to break before it, ordinary inputs of that size are others.
    if (
        dtype not in found
        or not varied.is_beyond(inputs, found[dtype].yours)
        or varied.is_beyond(inputs, found[dtype].reference)
    ):
        return ""
    names = {
        name: name if is_array(inputs[name]) else f"numbers in {name}"
        for name, _ in varied.arguments
    }
    return drawn(varied, [found[each] for each in FLOATS if each in found], dtype, names)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Let an answer that is asked many times neither print nor stop in a debugger each time."""
    hook, sys.breakpointhook = sys.breakpointhook, lambda *args, **kwargs: None
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        sys.breakpointhook = hook


def what_varies(answer: Answer, inputs: Inputs) -> Varied | None:
    """How a case's inputs differ in size from ordinary ones."""
    usual = ordinary(answer.exercise, answer.track, "float64", 0)
    if usual is None:
        return None
    unusual = []
    for name in usual:
        was, now = numbers_in(usual[name]), numbers_in(inputs.get(name))
        if not (was.any() and now.any()):
            continue
        ratio = float(np.abs(now).max() / np.abs(was).max())
        if ratio > _UNUSUAL or ratio < 1 / _UNUSUAL:
            unusual.append((abs(math.log(ratio)), name, _way(ratio, now), _side(now)))
    if not unusual:
        return None
    way = max(unusual)[2]
    return Varied(way, tuple((name, side) for _, name, its, side in unusual if its == way))


def _way(ratio: float, numbers: np.ndarray) -> Literal["up", "down", "away"]:
    if ratio < 1:
        return "down"
    sizes = np.abs(numbers)
    return "away" if numbers.size > 1 and sizes.min() > 0.8 * sizes.max() else "up"


def _side(numbers: np.ndarray) -> int:
    return -1 if numbers.mean() < 0 else 1


def ends(answer: Answer, varied: Varied, first: str) -> list[Ends]:
    """The dtypes in which an answer breaks earlier than the reference, and where both do.

    The ``first`` dtype must be one of them, or there is nothing to show.
    """
    found: list[Ends] = []
    until = time.perf_counter() + SECONDS
    for dtype in sorted(FLOATS, key=lambda each: each != first):
        if dtype != first and not found:
            break
        try:
            yours = _end(answer, varied, dtype, until, _DRAWS)
            if yours is None or yours == varied.last(dtype):
                continue
            reference = _reference_end(answer.exercise, answer.track, varied, dtype, until)
        except _GivenUp:
            continue
        if reference is None:
            continue
        sizes = varied.size(yours), varied.size(reference)
        if max(sizes) >= _EARLIER * min(sizes) and reference > yours:
            found.append(Ends(dtype, yours, reference, varied.last(dtype)))
    return found


_REFERENCE_ENDS: dict[tuple[str, str, Varied, str], int | None] = {}


def _reference_end(
    exercise: Exercise, track: str, varied: Varied, dtype: str, until: float
) -> int | None:
    key = (exercise.name, track, varied, dtype)
    if key not in _REFERENCE_ENDS:
        answer = mistakes.reference_answer(exercise, track)
        assert answer.problem is None  # loads the file, before the first call is timed
        # Two draws are enough of an answer that overflows, if anything, and loses no digits.
        _REFERENCE_ENDS[key] = _end(answer, varied, dtype, until, 1)
    return _REFERENCE_ENDS[key]


def _end(answer: Answer, varied: Varied, dtype: str, until: float, each: int) -> int | None:
    """The last position up to which an answer is right; None if it is not even at size 1."""
    draws = draws_of(answer, varied, dtype, each)
    if not draws:
        return None
    calls = 0

    def right(draw: Inputs, position: int) -> bool:
        nonlocal calls
        calls += 1
        started = time.perf_counter()
        if calls > MOST_CALLS or started > until:
            raise _GivenUp
        found = is_right(answer, varied.at(draw, varied.size(position)))
        if calls == 1 and time.perf_counter() - started > SECONDS / _FAST:
            raise _GivenUp
        return found

    end = varied.last(dtype)
    for number, draw in enumerate(draws):
        steps = _steps(end)
        if number and len(steps) > _CLOSELY:
            steps = [0, *steps[-2:0:-3][::-1], end]  # the first draw was followed more closely
        found = _last_right(functools.partial(right, draw), steps)
        if found is None:
            return None
        end = found
    # Where digits are lost bit by bit, a draw may be wrong here and right farther on.
    while not all(right(draw, end) for draw in draws):
        end -= _BACK
        if end < 0:
            return None
    return end


def _last_right(right: Callable[[int], bool], steps: list[int]) -> int | None:
    """The last right position before the first wrong step."""
    good = None
    for step in steps:
        if not right(step):
            return None if good is None else _between(right, good, step)
        good = step
    return good


def _between(right: Callable[[int], bool], good: int, bad: int) -> int:
    """The last right position, where one is right and another beyond it is wrong."""
    while bad - good > 1:
        middle = (good + bad) // 2
        if right(middle):
            good = middle
        else:
            bad = middle
    return good


def _steps(last: int) -> list[int]:
    """Every power of ten at first, then fewer and fewer of them, and the last position."""
    steps, decade = [], 0
    while 90 * decade < last:
        steps.append(90 * decade)
        decade = decade + 1 if decade < 6 else decade * 2
    return [*steps, last]


def draws_of(answer: Answer, varied: Varied, dtype: str, each: int = _DRAWS) -> list[Inputs]:
    """Ordinary inputs: of some the largest number is positive, of others negative."""
    parameters = parameters_of(answer.exercise.signature_in(answer.track))
    required = {name for name, default in parameters.items() if default is None}
    found: dict[bool, list[Inputs]] = {True: [], False: []}
    for seed in range(6 * each):
        inputs = ordinary(answer.exercise, answer.track, dtype, seed)
        if inputs is None or not required <= inputs.keys():
            return []
        numbers = numbers_in(inputs[varied.arguments[0][0]])
        if not numbers.size:
            return []
        alike = found[bool(numbers[np.abs(numbers).argmax()] > 0)]
        if len(alike) < each:
            alike.append(inputs)
    return found[True] + found[False]


def is_right(answer: Answer, inputs: Inputs) -> bool:
    """Whether the values come out within the truth's allowance, asked past the checks' record."""
    with np.errstate(all="ignore"):
        truth = truth_of(answer.exercise)(**inputs)
        request = request_for(answer.exercise, answer.track, inputs)
        reply = answer.ask_aside(request, SECONDS)
        if reply.ended not in ("returned", "raised"):
            raise _GivenUp
        if reply.ended == "raised":
            return False
        try:
            expect_truth(answer, reply.value, truth, result_dtype(inputs, answer.track))
        except Wrong:
            return False
    return True


def _two_digits(position: int) -> float:
    """1.0, 1.1, ..., 9.9, 10, 11, ...: below 1 at negative positions."""
    return float(f"{10 + position % 90}e{position // 90 - 1}")


def _position(number: float) -> int:
    """The position of the largest number of two digits that is not above."""
    position = 90 * math.floor(math.log10(number)) - 1
    while _two_digits(position + 1) <= number:
        position += 1
    return position


def shown(number: float) -> str:
    """A number of two digits as a person writes it: ``88``, ``65000``, ``3.4e38``."""
    if 10 <= number < 1e5:
        return str(round(number))
    mantissa, e, exponent = f"{number:.2g}".partition("e")
    return f"{mantissa}{e}{int(exponent)}" if e else mantissa


_FULL = {
    "up": "bars: powers of ten from 1 to the largest that the dtype holds",
    "down": "bars: powers of ten from 1 down to the smallest that the dtype holds",
    "away": "bars: powers of ten from 1 to where the dtype rounds the 1 away",
}


def drawn(varied: Varied, found: list[Ends], dtype: str, names: dict[str, str]) -> str:
    """A sentence on a dtype, then a pair of bars for each."""
    said = next(each for each in found if each.dtype == dtype)
    body = textwrap.wrap(
        _sentence(varied, said, names), WIDTH - len(_MARGIN), break_on_hyphens=False
    )
    lines = [f"  {'right':<9} {body[0]}", *(_MARGIN + more for more in body[1:])]
    lines.append(_MARGIN + _FULL[varied.way])
    for each in found:
        for whose, position, first in (
            ("yours", each.yours, each.dtype), ("reference", each.reference, ""),
        ):  # fmt: skip
            number = shown(varied.size(position))
            lines.append(f"{_MARGIN}{first:<8}  {whose:<9}  {_bar(position, each.last)}  {number}")
    return "\n".join(lines)


def _bar(position: int, last: int) -> str:
    filled = _BAR if position == last else min(_BAR - 1, max(1, round(_BAR * position / last)))
    return "#" * filled + "." * (_BAR - filled)


def _sentence(varied: Varied, said: Ends, names: dict[str, str]) -> str:
    yours, reference = (shown(varied.size(at)) for at in (said.yours, said.reference))
    if varied.way == "away":
        at = _listed(
            [f"{names[name]} around {'-' * (side < 0)}{yours}" for name, side in varied.arguments]
        )
        return f"for {at}, give or take 1, in {said.dtype}; the reference out to {reference}"
    to = "up to" if varied.way == "up" else "down to"
    what = _listed(list(names.values()))
    return f"for {what} {to} {yours} in {said.dtype}; the reference {to} {reference}"


def _listed(words: list[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)
