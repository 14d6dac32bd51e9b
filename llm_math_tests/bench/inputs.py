"""What timed calls are given: the track's own arrays, changed before every call.

Several sets of inputs rotate, and rows of a set change places before it is used, so
that no call sees the same contents at the same address twice in a row: an answer
that remembers results gains nothing. Handing arrays over is never in the timed part.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from llm_math_tests.answers.answer import request_for
from llm_math_tests.answers.values import (
    Bfloat16,
    Blocks,
    Given,
    Value,
    arrays_in,
    is_array,
    plain,
)
from llm_math_tests.bench.clock import Call
from llm_math_tests.exercise import Exercise, Inputs, Size
from llm_math_tests.tracks import Track

MOST_SETS = 8
MOST_BYTES = 16 * 2**20
"""As many sets as this holds, but at least two."""


def bytes_of(inputs: Inputs) -> int:
    """Bytes of all arrays in the inputs."""
    return sum(plain(array).nbytes for array in arrays_of(inputs))


def arrays_of(inputs: Inputs) -> Iterator[Value]:
    """All arrays in the inputs, those behind an iterator included."""
    for value in inputs.values():
        yield from arrays_in(value.arrays if isinstance(value, Blocks) else value)


class InputSets:
    """Several sets of inputs of one size and dtype, in neutral values."""

    def __init__(self, size: Size, dtype: str, rng: np.random.Generator) -> None:
        first = _writeable(size.make(rng, dtype))
        count = max(2, min(MOST_SETS, MOST_BYTES // max(1, bytes_of(first))))
        self.sets: list[Inputs] = [first]
        for turn in range(1, count):
            # Making a large set takes longer than timing on it; a copy with its rows
            # in other places is as good.
            self.sets.append(_rolled(_writeable(first), turn))

    @property
    def first(self) -> Inputs:
        """One set."""
        return self.sets[0]


class OwnInputs:
    """The sets as one track's own arrays, on one device."""

    def __init__(self, exercise: Exercise, sets: InputSets, track: Track, device: str) -> None:
        self._arrays: list[list[Any]] = []
        self._calls: list[Callable[[], tuple[list[Any], dict[str, Any]]]] = []
        self._turn = 0
        for inputs in sets.sets:
            mine: list[Any] = []
            request = request_for(exercise, track.name, inputs)
            own = functools.partial(_own, track, device, mine)
            args = [own(value) for value in request.args]
            kwargs = {name: own(value) for name, value in request.kwargs.items()}
            if exercise.makes_arrays and device != "cpu" and "device" not in kwargs:
                kwargs["device"] = (lambda: device) if track.name == "torch" else (lambda: None)
            self._arrays.append(mine)
            self._calls.append(functools.partial(_arguments, args, kwargs))

    def __len__(self) -> int:
        return len(self._calls)

    def calls(self, function: Callable[..., Any], count: int) -> list[Call]:
        """So many calls, each on a set of its own that has just been changed."""
        made: list[Call] = []
        for _ in range(min(count, len(self))):
            self._turn += 1
            which = self._turn % len(self)
            for array in self._arrays[which]:
                _change(array, self._turn)
            args, kwargs = self._calls[which]()
            made.append(functools.partial(function, *args, **kwargs))
        return made

    def used_last(self, track: Track) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of the latest call as NumPy holds them, in float64."""
        args, kwargs = self._calls[self._turn % len(self)]()
        kwargs.pop("device", None)
        wide = functools.partial(_wide, track)
        return [wide(value) for value in args], {k: wide(v) for k, v in kwargs.items()}


def _own(track: Track, device: str, arrays: list[Any], value: Value) -> Callable[[], Any]:
    """A maker of the track's own value; the arrays are made once, iterators for every call."""
    if is_array(value):
        made = track.hand(value)
        if device != "cpu":
            made = track.to_device(made)
        arrays.append(made)
        return lambda: made
    if isinstance(value, Blocks):
        blocks = [_own(track, device, arrays, block)() for block in value.arrays]
        return lambda: iter(blocks)
    if isinstance(value, Given):

        def neutral(*args: Any) -> tuple[Value, ...]:
            return tuple(taken[0] if (taken := track.take(arg)) else arg for arg in args)

        called = track.given(value, neutral, lambda got: _own(track, device, [], got)())
        return lambda: called
    if isinstance(value, (tuple, list)):
        items = [_own(track, device, arrays, item) for item in value]
        kind = type(value)
        return lambda: kind(item() for item in items)
    if isinstance(value, dict):
        fields = {key: _own(track, device, arrays, item) for key, item in value.items()}
        return lambda: {key: item() for key, item in fields.items()}
    return lambda: value


def _arguments(
    args: list[Callable[[], Any]], kwargs: dict[str, Callable[[], Any]]
) -> tuple[list[Any], dict[str, Any]]:
    return [make() for make in args], {name: make() for name, make in kwargs.items()}


def _change(array: Any, turn: int) -> None:
    """Swap two rows in place: other contents, the same distribution and dtype.

    Written so that NumPy, torch and CuPy all understand it.
    """
    for axis, length in enumerate(array.shape):
        if length >= 2:
            i, j = turn % length, (7 * turn + 1) % length
            if i == j:
                j = (i + 1) % length
            ahead = (slice(None),) * axis
            array[(*ahead, [i, j])] = array[(*ahead, [j, i])]
            return


def _writeable(value: Any) -> Any:
    """A copy whose arrays are contiguous and can be written."""
    return _mapped(lambda array: np.array(array, order="C"), value)


def _rolled(value: Any, turn: int) -> Any:
    return _mapped(lambda array: np.roll(array, turn, 0) if array.ndim else array, value)


def _wide(track: Track, value: Any) -> Any:
    """A track's own value as a float64 NumPy array, or what holds such arrays."""
    taken = track.take(value)
    if taken is not None:
        array = plain(taken[0])
        return array.astype(np.float64) if array.dtype.kind == "f" else array
    wide = functools.partial(_wide, track)
    if isinstance(value, (tuple, list)):
        return type(value)(wide(item) for item in value)
    if isinstance(value, dict):
        return {key: wide(item) for key, item in value.items()}
    return map(wide, value) if isinstance(value, Iterator) else value


def _mapped(function: Callable[[np.ndarray], np.ndarray], value: Any) -> Any:
    if isinstance(value, Bfloat16):
        return Bfloat16(function(value.values))
    if isinstance(value, np.ndarray):
        return function(value)
    if isinstance(value, Blocks):
        return Blocks(tuple(_mapped(function, block) for block in value.arrays))
    if isinstance(value, (tuple, list)):
        return type(value)(_mapped(function, item) for item in value)
    if isinstance(value, dict):
        return {key: _mapped(function, item) for key, item in value.items()}
    return value
