"""The neutral values that cross the door between engine and answer.

A value is a Python scalar, ``None``, a NumPy array, a :class:`Bfloat16`, a tuple,
list or dict of values, or one of the two live things that stay on the trusted
side and are reached through the door: :class:`Blocks` and :class:`Given`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Value = Any
"""Anything that :func:`is_neutral` accepts (recursive types help nobody here)."""

ARRAY_DTYPES = (
    "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool",
    "uint16", "uint32", "uint64",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Bfloat16:
    """A bfloat16 array: NumPy has no such dtype, so its values are held as float32.

    Every value is exactly a bfloat16 (8 bits of precision); make one with
    :meth:`of`, which rounds to nearest, ties to even.
    """

    values: np.ndarray

    @classmethod
    def of(cls, array: Any) -> Bfloat16:
        """Round an array to bfloat16."""
        single = np.ascontiguousarray(np.asarray(array, np.float32))
        bits = single.view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        rounded = np.where(np.isnan(single), np.uint32(0x7FC00000), rounded.astype(np.uint32))
        return cls(rounded.astype(np.uint32).view(np.float32).reshape(np.shape(array)))

    @classmethod
    def from_bits(cls, bits: np.ndarray) -> Bfloat16:
        """Read the 16-bit patterns of a bfloat16 array."""
        wide = np.asarray(bits, order="C").view(np.uint16).astype(np.uint32) << 16
        return cls(wide.view(np.float32))

    def to_bits(self) -> np.ndarray:
        """The 16-bit patterns, as uint16."""
        bits = np.asarray(self.values, order="C").view(np.uint32)
        return np.asarray(bits >> 16, np.uint16)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.values.shape


@dataclass(eq=False)
class Blocks:
    """An iterator of arrays, pulled through the door one block at a time."""

    arrays: tuple[Value, ...]
    pulled: int = 0
    asked_after_end: int = 0

    def pull(self) -> Value | None:
        """The next block, or None at the end (and from then on)."""
        if self.pulled >= len(self.arrays):
            self.asked_after_end += 1
            return None
        self.pulled += 1
        return self.arrays[self.pulled - 1]


MOST_GIVEN = 1 << 22
"""The numbers of an array that a function of the trusted side takes."""
_MOST_BROADCAST = 1 << 16


def _expect_to_fit(args: tuple[Value, ...]) -> None:
    """Refuse arguments that cost the trusted side far more than they cost who hands them over."""
    shapes = [plain(arg).shape for arg in args if is_array(arg)]
    most = max((math.prod(shape) for shape in shapes), default=0)
    if most > MOST_GIVEN:
        raise ValueError(f"an array of {most} numbers is more than the function takes")
    try:
        together = math.prod(np.broadcast_shapes(*shapes))
    except ValueError:
        return  # the function's own affair: a matrix and a vector need not broadcast
    if together > max(most, _MOST_BROADCAST):
        raise ValueError(f"shapes {' and '.join(map(str, shapes))} do not belong together")


@dataclass(eq=False)
class Given:
    """A function that an answer is handed: it runs on the trusted side.

    ``function`` takes and returns neutral values; ``calls`` counts how often the
    answer called it. With ``vjp(gradient, *arguments)`` (a gradient for each
    argument) and ``jvp(*arguments, *tangents)`` the library's autograd can go
    through it, and its calls are counted as well.
    """

    name: str
    function: Callable[..., Value]
    vjp: Given | None = None
    jvp: Given | None = None
    calls: int = 0
    number: int | None = None
    """Its place among the live things of a request, on a worker's side."""

    def __call__(self, *args: Value) -> Value:
        """Call the function on neutral values, counting."""
        self.calls += 1
        _expect_to_fit(args)
        return self.function(*args)

    @classmethod
    def differentiable(
        cls,
        name: str,
        function: Callable[..., Value],
        vjp: Callable[..., Value],
        jvp: Callable[..., Value] | None = None,
    ) -> Given:
        """A function that autograd can go through."""
        return cls(
            name,
            function,
            Given(f"the gradient of {name}", vjp),
            None if jvp is None else Given(f"the directional derivative of {name}", jvp),
        )

    @property
    def all_calls(self) -> int:
        """How often the function or one of its derivatives was called."""
        return sum(given.calls for given in (self, self.vjp, self.jvp) if given is not None)


@dataclass(frozen=True)
class Odd:
    """Something an answer returned that is no value: its type, and how it looks."""

    type_name: str
    looks: str


def dtype_name(value: Value) -> str:
    """The dtype of an array value as a word (``"bfloat16"`` included)."""
    return "bfloat16" if isinstance(value, Bfloat16) else str(np.asarray(value).dtype)


def plain(value: Value) -> np.ndarray:
    """The numbers of an array value as a NumPy array (bfloat16 as float32)."""
    return value.values if isinstance(value, Bfloat16) else np.asarray(value)


def cast(array: Any, dtype: str) -> Value:
    """An array value of the named dtype (rounded where it must be)."""
    return Bfloat16.of(array) if dtype == "bfloat16" else np.asarray(array).astype(dtype)


def is_array(value: Value) -> bool:
    """Whether the value is an array."""
    return isinstance(value, (np.ndarray, Bfloat16))


def replica(array: np.ndarray, buffer: Any = None, offset: int = 0) -> np.ndarray:
    """A copy with the same strides and writeability, in fresh memory or in ``buffer``.

    ``ndarray.copy`` would make a strided input contiguous, and then nothing would
    test that an answer can read one.
    """
    if any(stride < 0 for stride in array.strides):
        raise ValueError("replica: negative strides cannot be laid out")
    held: np.ndarray = np.ndarray(
        array.shape,
        array.dtype,
        bytearray(span(array)) if buffer is None else buffer,
        offset,
        array.strides,
    )
    # Broadcast axes (stride 0) share memory: writing them through the view is harmless.
    held[...] = array
    held.flags.writeable = array.flags.writeable
    return held


def span(array: np.ndarray) -> int:
    """How many bytes a strided array reaches over (at least one)."""
    if array.size == 0:
        return 1
    reach: int = sum((n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True))
    return reach + array.itemsize


def same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two arrays are the same, without a copy of either (NaN equals NaN)."""
    if first.dtype != second.dtype:
        return False
    bits = f"u{first.itemsize}"
    return np.array_equal(first.view(bits), second.view(bits))


def arrays_in(value: Value) -> Iterator[Value]:
    """All arrays in a value, in order (not those behind blocks and functions)."""
    if is_array(value):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from arrays_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from arrays_in(item)


def spelled(value: Value) -> str:
    """A value in a few words, as a message shows it: ``float32 (2, 3)``."""
    if is_array(value):
        shape = plain(value).shape
        return f"{dtype_name(value)} {shape if shape else 'scalar'}"
    if isinstance(value, Blocks):
        return f"an iterator of {len(value.arrays)} blocks"
    if isinstance(value, Given):
        return f"the function {value.name}"
    if isinstance(value, Odd):
        return value.looks
    if isinstance(value, dict):
        return f"a dict of {len(value)}"
    if isinstance(value, (tuple, list)):
        kind = type(value).__name__
        if any(isinstance(item, (tuple, list)) for item in value):
            return f"a {kind} of {len(value)}"
        words = ", ".join(spelled(item) for item in value[:4])
        more = ", ..." if len(value) > 4 else ""
        return f"a {kind} of {len(value)} ({words}{more})"
    return repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
