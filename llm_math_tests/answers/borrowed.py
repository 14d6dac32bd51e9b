"""The worker's side of lending: ours stays where it is, its arguments and results cross.

Functions do not cross. Where ours calls one that the answer handed it, the call comes back
here, and its result goes along with the next request. In torch each such stretch is a
function of its own for autograd, whose derivatives are asked for over there as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from llm_math_tests.answers.perform import Table
from llm_math_tests.answers.values import Odd, Value
from llm_math_tests.answers.wire import MAX_NODES
from llm_math_tests.tracks import Track

LEAF, FUNCTION, HANDED, DEVICE = "our leaf", "our function", "handed to it", "our device"
"""What stands in a value for: an array that is differentiated, a function, a function of the
trusted side, and a device, which ours does without."""
MOST_CALLS = 1000
_DEVICE = re.compile(r"(cpu|cuda|fake)(:\d+)?")

Ask = Callable[[tuple[Value, ...]], Value]
"""Sends ``(order, outputs, arguments, results, leaves)`` to the trusted side."""


class Borrowed:
    """One of ours, as an answer in a worker calls it."""

    def __init__(self, name: str, track: Track, table: Table, ask: Ask) -> None:
        self._name = name
        self._track = track
        self._table = table
        self._ask = ask

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call ours, and for it the answer's functions."""
        call = _Call(self._name, self._track, self._table)
        given = call.apart((args, {k: DeviceName(v) if k == "device" and v is not None else v
                                   for k, v in kwargs.items()}))  # fmt: skip
        results: list[Value] = []
        while True:
            called, value = self._step(call, given, tuple(results))
            if called is None:
                return value
            if len(results) == MOST_CALLS:
                raise RuntimeError(f"our {self._name} calls a function too often")
            results.append(call.apart(call.functions[called](*value)))

    def _step(self, call: _Call, given: Value, results: tuple[Value, ...]) -> tuple[Any, Any]:
        """Run ours up to its end (None and its result), or to a function's call."""
        if not self._track.differentiates:
            called, value, _ = self._ask((0, 0, given, results, ()))
            return called, self._table.own(value)
        from llm_math_tests.tracks.given_in_torch import lent_in_torch

        return lent_in_torch(self._ask, self._table, given, results, call)


class DeviceName:
    """An argument that says where the result is to be."""

    def __init__(self, device: Any) -> None:
        self.device = device


class _Call:
    """What was found in the arguments of one call."""

    def __init__(self, name: str, track: Track, table: Table) -> None:
        self._name = name
        self._track = track
        self._table = table
        self._parts = 0
        self.leaves: list[Any] = []
        """The arrays that autograd may follow."""
        self.others: list[Any] = []
        """The other arrays."""
        self.functions: list[Callable[..., Any]] = []
        self.device: Any = None

    def apart(self, obj: Any) -> Value:
        """A neutral value with marks for what does not cross."""
        self._parts += 1
        if self._parts > MAX_NODES:
            raise ValueError(f"more parts than our {self._name} takes")
        if type(obj) in (tuple, list):
            return type(obj)(self.apart(item) for item in obj)
        if type(obj) is dict:
            return {str(key): self.apart(item) for key, item in obj.items()}
        if self._is_device(obj):
            self.device = obj.device if isinstance(obj, DeviceName) else obj
            return Odd(DEVICE, "")
        if self._track.differentiates and getattr(obj, "requires_grad", None) is not None:
            if obj.is_floating_point():
                self.leaves.append(obj)
                return Odd(LEAF, str(len(self.leaves) - 1))
            self.others.append(obj)
            if obj.device.type == "fake":
                obj = obj.host
        if isinstance(obj, Iterator):
            return [self.apart(item) for item in obj]
        value = self._table.take(obj, [])
        if not isinstance(value, Odd):
            return value
        if not callable(obj):
            raise TypeError(f"our {self._name} cannot be given {value.looks}")
        number = getattr(obj, "number", None)
        if type(number) is int:
            return Odd(HANDED, str(number))
        self.functions.append(obj)
        return Odd(FUNCTION, str(len(self.functions) - 1))

    def _is_device(self, obj: Any) -> bool:
        if isinstance(obj, DeviceName) or type(obj).__name__ == "device":
            return True
        return self._track.differentiates and type(obj) is str and bool(_DEVICE.fullmatch(obj))
