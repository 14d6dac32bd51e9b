"""What could be simpler about some inputs, and the inputs with some of it made so.

A :class:`Part` is one thing that could be simpler, with its choices from the simplest (0)
to how it was (``most``). What the exercise may rely on stays as it was: masks, zeros, NaN
and infinities keep their places, probabilities sum to 1, orthonormal rows stay so, and a
token's identifier goes on naming the token's row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import numpy as np

from llm_math_tests.answers.values import Blocks, Given, Value, cast, dtype_name, is_array, plain
from llm_math_tests.diagnosis.smallest.rounding import (
    NoSuchInputs,
    exponent,
    is_float,
    is_round,
    orthonormal,
    ranked,
    rounded,
    summing,
    summing_to_one,
    times_power,
)
from llm_math_tests.exercise import Inputs

_ONE_BY_ONE = 6
"""Up to so many rows (or blocks) are left out one by one, more only from the end."""
_IGNORED = -100
"""The target that is left out, unless ``ignore_index`` says otherwise."""
_DIGITS = (0, 1, 2, 3)
"""How many digits a round number has; with 0, what is below 10 is a whole number."""

Chosen = tuple[int, ...]
"""A choice for each part."""


@dataclass(frozen=True)
class Part:
    """One thing that could be simpler."""

    kind: str
    """argument, axes, items, length, number, dtype, size or digits"""
    of: object
    """The argument, or the length, that it is about; None for all."""
    most: int
    """The choice that leaves it as it was."""
    second: int = 0
    """Next to the simplest choice: a start where the simplest does not fail."""
    options: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Array:
    """What is to stay true of an array."""

    argument: str
    shape: tuple[int, ...]
    ids_of: int
    """Its whole numbers name tokens among so many; 0 if they do not."""
    summing: int | None
    """The axis along which its numbers sum to 1, counted from the end."""
    orthonormal: bool
    ignored: int
    """The whole number that marks tokens to leave out."""


class Simpler:
    """All that could be simpler about some inputs."""

    def __init__(
        self,
        inputs: Inputs,
        optional: Sequence[str],
        standard: str,
        *,
        least: int = 1,
        rank: int = 1,
    ) -> None:
        """``optional`` arguments may be left out; ``standard`` is the everyday dtype.

        ``least`` numbers stay along an axis, and ``rank`` axes where there were so many.
        """
        self._standard = standard
        self._least = least
        ignored = inputs.get("ignore_index", _IGNORED)
        arrays = [(name, array) for name, value in inputs.items() for array in arrays_of(value)]
        self._arrays = [
            _Array(
                name,
                plain(array).shape,
                _vocabulary(array, arrays, inputs, ignored),
                summing(array),
                orthonormal(array),
                ignored,
            )
            for name, array in arrays
        ]
        lengths = sorted({n for array in self._arrays for n in array.shape if n > 1}, reverse=True)
        marks = any((plain(array) == ignored).any() for _, array in arrays if not is_float(array))
        self.parts: list[Part] = [
            Part("argument", name, 1)
            for name in optional
            if name in inputs and not (name == "ignore_index" and marks)
        ]
        for length, most in _droppable([array for _, array in arrays], rank).items():
            self.parts.append(Part("axes", length, most, most))
        for name, value in inputs.items():
            if isinstance(value, (list, Blocks)):
                self.parts += _fewer("items", name, len(items_of(value)))
        for length in lengths:
            if length > least:
                self.parts += _fewer("length", length, length, _divisor(length, lengths))
        for name, value in inputs.items():
            if type(value) is int and value > 1 and name not in ("axis", "ignore_index"):
                follows = (0,) if value in lengths else ()
                options = (*follows, *_beginning_with(least, _ladder(value)))
                self.parts.append(Part("number", name, len(options) - 1, 1, options))
        floats = [array for _, array in arrays if is_float(array)]
        if any(dtype_name(array) != standard for array in floats):
            self.parts.append(Part("dtype", None, 1, 1))
        for name in inputs:
            own = [i for i, (argument, array) in enumerate(arrays)
                   if argument == name and is_float(array)]  # fmt: skip
            power = max((exponent(arrays[i][1]) for i in own), default=0, key=abs)
            if power and all(self._may_be_scaled(i) for i in own):
                steps = (0, *_ladder(abs(power)))
                options = tuple(int(math.copysign(step, power)) for step in steps)
                self.parts.append(Part("size", name, len(options) - 1, len(options) - 1, options))
            if any(not is_round(arrays[i][1]) for i in own):
                self.parts.append(Part("digits", name, len(_DIGITS), 1))

    @property
    def as_it_was(self) -> Chosen:
        """The choices that change nothing."""
        return tuple(part.most for part in self.parts)

    @property
    def starts(self) -> tuple[Chosen, ...]:
        """The simplest choices and the next to them: most failures need no more."""
        return tuple(0 for _ in self.parts), tuple(part.second for part in self.parts)

    def made(self, inputs: Inputs, chosen: Chosen) -> Inputs:
        """The inputs, made simpler as chosen; :class:`NoSuchInputs` where that cannot be."""
        if chosen == self.as_it_was:
            return inputs
        choices = list(zip(self.parts, chosen, strict=True))
        left_out = {part.of for part, choice in choices if part.kind == "argument" and not choice}
        kept: dict[object, list[int]] = {}
        for part, choice in reversed(choices):  # the smaller lengths first
            if part.kind == "length":
                kept[part.of] = _kept(part, choice, choices, kept, self._least)
        items = {part.of: _kept(part, choice, choices, {}, 1) for part, choice in choices
                 if part.kind == "items"}  # fmt: skip
        numbers = {part.of: part.options[choice] for part, choice in choices
                   if part.kind == "number"}  # fmt: skip
        fresh = iter(
            [
                self._array(array, facts, choices, kept, numbers)
                for array, facts in zip(
                    (array for value in inputs.values() for array in arrays_of(value)),
                    self._arrays,
                    strict=True,
                )
            ]
        )
        made = {}
        for name, value in inputs.items():
            rebuilt = _rebuilt(value, fresh)
            if name in left_out:
                continue
            if name in items:
                rebuilt = _only(rebuilt, items[name])
            if name in numbers:
                rebuilt = numbers[name] or len(kept.get(value, range(value)))
            made[name] = rebuilt
        return made

    def _may_be_scaled(self, i: int) -> bool:
        return self._arrays[i].summing is None and not self._arrays[i].orthonormal

    def _array(
        self,
        array: Value,
        facts: _Array,
        choices: list[tuple[Part, int]],
        kept: dict[object, list[int]],
        numbers: dict[object, int],
    ) -> Value:
        """One array, made simpler."""
        about = (None, facts.argument)
        chosen = {part.kind: (part, choice) for part, choice in choices if part.of in about}
        values = _part_of(plain(array), facts.shape, choices, kept)
        if values.dtype.kind == "b":
            _expect_a_use(plain(array), values, facts.shape, choices, kept)
        if facts.ids_of:
            values = _renamed(values, facts.ids_of, facts.ignored, kept, numbers)
        if not is_float(array):
            is_token = plain(array) != facts.ignored
            if is_token.any() and not (values != facts.ignored).any():
                raise NoSuchInputs("no token is left")
            return np.ascontiguousarray(values).reshape(values.shape)
        exact = np.array(values, np.float64)
        if "size" in chosen:
            part, choice = chosen["size"]
            exact = times_power(exact, part.options[choice] - part.options[part.most])
        if "digits" in chosen and chosen["digits"][1] < len(_DIGITS) and not facts.orthonormal:
            digits = _DIGITS[chosen["digits"][1]]
            ranks = None if digits or facts.summing is not None else ranked(exact)
            exact = (
                rounded(exact, digits if facts.summing is None else max(digits, 1))
                if ranks is None
                else ranks
            )
        if facts.summing is not None:
            exact = summing_to_one(exact, facts.summing)
        dtype = dtype_name(array)
        if "dtype" in chosen and not chosen["dtype"][1]:
            dtype = self._standard
        with np.errstate(over="ignore", under="ignore"):
            made = cast(exact, dtype)
        if not np.array_equal(np.isfinite(plain(made)), np.isfinite(exact)):
            raise NoSuchInputs("out of the dtype's range")
        if facts.orthonormal and not orthonormal(made):
            raise NoSuchInputs("not orthonormal any more")
        return made


def size_of(inputs: Inputs) -> int:
    """How many numbers there are to follow."""
    return sum(plain(array).size for value in inputs.values() for array in arrays_of(value)) + sum(
        value is not None and not isinstance(value, Given) for value in inputs.values()
    )


def holds_only_plain_layouts(inputs: Inputs) -> bool:
    """Whether no array is strided, transposed or read-only: that would be lost here."""
    return all(
        plain(array).flags.c_contiguous and plain(array).flags.writeable
        for value in inputs.values()
        for array in arrays_of(value)
    )


def arrays_of(value: Value) -> Iterator[Value]:
    """All arrays in a value, those of an iterator's blocks as well."""
    if is_array(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from arrays_of(item)
    elif isinstance(value, (tuple, list, Blocks)):
        for item in items_of(value):
            yield from arrays_of(item)


def items_of(value: tuple[Value, ...] | list[Value] | Blocks) -> tuple[Value, ...]:
    """What a sequence or an iterator holds."""
    return value.arrays if isinstance(value, Blocks) else tuple(value)


def _rebuilt(value: Value, fresh: Iterator[Value]) -> Value:
    """The value with its arrays replaced, in the order of :func:`arrays_of`."""
    if is_array(value):
        return next(fresh)
    if isinstance(value, Blocks):
        return Blocks(tuple(_rebuilt(item, fresh) for item in value.arrays))
    if isinstance(value, (tuple, list)):
        return type(value)(_rebuilt(item, fresh) for item in value)
    if isinstance(value, dict):
        return {key: _rebuilt(item, fresh) for key, item in value.items()}
    return value


def _only(value: Value, kept: list[int]) -> Value:
    if isinstance(value, Blocks):
        return Blocks(tuple(value.arrays[i] for i in kept))
    return [value[i] for i in kept]


def _ladder(most: int) -> tuple[int, ...]:
    """1, 2, 3, 4, 6, 8, 12, ... up to ``most``."""
    steps = {1, most} | {2**i for i in range(1, 40)} | {3 * 2**i for i in range(40)}
    return tuple(sorted(step for step in steps if step <= most))


def _beginning_with(least: int, ladder: tuple[int, ...]) -> tuple[int, ...]:
    """The same steps, with the least one that is wanted first."""
    return tuple(sorted(ladder, key=lambda step: step != least)) if least in ladder else ladder


def _part_of(
    values: np.ndarray,
    shape: tuple[int, ...],
    choices: list[tuple[Part, int]],
    kept: dict[object, list[int]],
) -> np.ndarray:
    """The rows that stay, without the axes that do not."""
    for axis, length in enumerate(shape):
        if length in kept and values.shape[axis]:
            values = values.take(kept[length], axis=axis)
    for part, choice in choices:
        if part.kind == "axes" and shape[:1] == (part.of,):
            for _ in range(part.most - choice):
                if not len(values):
                    raise NoSuchInputs("nothing along the axis")
                values = values[0]
    return values


def _expect_a_use(
    mask: np.ndarray,
    left: np.ndarray,
    shape: tuple[int, ...],
    choices: list[tuple[Part, int]],
    kept: dict[object, list[int]],
) -> None:
    """Refuse a mask that hides all or nothing where the whole one did not."""
    if mask.any() != left.any() or mask.all() != left.all():
        raise NoSuchInputs("nothing is hidden, or nothing is left")
    if mask.ndim and left.ndim:
        had_one = np.broadcast_to(mask.any(axis=-1, keepdims=True), mask.shape)
        had_one = _part_of(had_one, shape, choices, kept)
        if (had_one.any(axis=-1) & ~left.any(axis=-1)).any():
            raise NoSuchInputs("nothing is left of a row")


def _divisor(length: int, lengths: Sequence[int]) -> int:
    """The largest other length that it is a multiple of, 0 if there is none."""
    return next((n for n in lengths if n < length and length % n == 0), 0)


def _fewer(kind: str, of: object, count: int, divisor: int = 0) -> list[Part]:
    """The parts that leave some of ``count`` things out.

    A length may have to stay a multiple of another: option ``-divisor`` says that it does.
    """
    if count < 2:
        return []
    if count <= _ONE_BY_ONE:
        return [Part(kind, of, 1, int(i < 2), (i,)) for i in range(count)]
    options = (*((-divisor,) if divisor else ()), *_ladder(count))
    return [Part(kind, of, len(options) - 1, 0 if divisor else 1, options)]


def _kept(
    part: Part,
    choice: int,
    choices: list[tuple[Part, int]],
    kept: dict[object, list[int]],
    least: int,
) -> list[int]:
    """Which of several things stay: at least the first, or the first few."""
    if len(part.options) > 1:
        count = part.options[choice]
        if count < 0:
            assert isinstance(part.of, int)
            shorter = kept.get(-count)
            count = part.of // -count * (-count if shorter is None else len(shorter))
        return list(range(max(count, least)))
    same = [(p, c) for p, c in choices if (p.kind, p.of) == (part.kind, part.of)]
    stay = [p.options[0] for p, c in same if c]
    others = [p.options[0] for p, c in same if not c]
    return sorted(stay + others[: max(least - len(stay), 0)])


def _droppable(arrays: list[Value], rank: int) -> dict[int, int]:
    """By length of the first axis: how many leading axes the arrays that begin so may lose.

    They are the axes that these arrays have in common, but one that holds the numbers.
    """
    most: dict[int, int] = {}
    for length in dict.fromkeys(plain(array).shape[:1] for array in arrays):
        alike = [array for array in arrays if length and plain(array).shape[:1] == length]
        if alike:
            shared = zip(*(plain(array).shape for array in alike), strict=False)
            common = len(list(takewhile(lambda lengths: len(set(lengths)) == 1, shared)))
            floats = [max(plain(array).ndim - rank, 0) for array in alike if is_float(array)]
            most[length[0]] = min(common, max(floats, default=common))
    return {length: count for length, count in most.items() if count}


def _vocabulary(array: Value, arrays: list[tuple[str, Value]], inputs: Inputs, ignored: int) -> int:
    """Among how many the whole numbers of an array choose, 0 if they do not."""
    values = plain(array)
    if values.dtype.kind not in "iu" or not values.size:
        return 0
    floats = [plain(other) for _, other in arrays if is_float(other)]
    beside = [f.shape[-1] for f in floats if f.ndim and f.shape[:-1] == values.shape]
    tables = [f.shape[0] for f in floats if f.ndim == 2]
    among = inputs.get("vocab_size") or (*beside, *tables, 0)[0]
    largest = values.max(initial=0, where=values != ignored)
    return int(among) if among and largest < among else 0


def _renamed(
    ids: np.ndarray,
    among: int,
    ignored: int,
    kept: dict[object, list[int]],
    numbers: dict[object, int],
) -> np.ndarray:
    """The identifiers in a smaller vocabulary; the rows that stay keep their tokens."""
    rows = kept.get(among)
    if rows is None:
        rows = list(range(numbers.get("vocab_size", among) or among))
    place = {row: i for i, row in enumerate(rows)}
    rename = partial(_place, place=place, among=len(rows))
    renamed = [i if i == ignored else rename(i) for i in map(int, ids.ravel())]
    if renamed.count(ignored) != int((ids == ignored).sum()):
        raise NoSuchInputs("a token would be left out")
    return np.array(renamed, ids.dtype).reshape(ids.shape)


def _place(token: int, place: dict[int, int], among: int) -> int:
    return token if token < 0 else place.get(token, token % among)
