"""The three libraries an exercise is done in, each imported only when used.

A track turns NumPy arrays into its own and back, knows its devices and asks its
own autograd. Nothing here knows of exercises or checks: an answer's process
needs this package and not the rest.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Literal, Protocol

from llm_math_tests.answers.door import Fact
from llm_math_tests.answers.values import Given, Value

ProvedBy = Literal["cpu", "stand-in", "fake", "device"]
"""On what an outcome was obtained; a stand-in or a fake never counts as a GPU result."""


class Track(Protocol):
    """What the rest of the package asks of a library."""

    name: str
    library: str
    """The library's name as people write it."""
    array_type: str
    """The array's type as a message names it: ``numpy.ndarray``."""
    half_dtypes: tuple[str, ...]
    """The 16-bit floating dtypes the library has."""
    differentiates: bool
    """Whether the library has autograd."""

    def proved_by(self) -> ProvedBy:
        """What an ordinary call in this track runs on, on this machine."""

    def device(self) -> str | None:
        """The accelerator this track can use here, None without one."""

    def loading(self) -> AbstractContextManager[None]:
        """Hold this open while an answer's file or function runs (stand-ins are placed)."""

    def hand(self, array: Value) -> Any:
        """Make the library's array from a neutral one, sharing memory where it can."""

    def to_device(self, array: Any) -> Any:
        """Move a library array to the accelerator, where there is one."""

    def given(
        self,
        given: Given,
        neutral: Callable[..., tuple[Value, ...]],
        own: Callable[[Value], Any],
    ) -> Callable[..., Any]:
        """A function of the trusted side as the answer calls it, on the track's own arrays."""

    def take(self, obj: Any) -> tuple[Value, Fact] | None:
        """The neutral value and facts of a library array; None if ``obj`` is none."""

    def watched(self, told: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold this open to be told of values that leave the device, as far as it can be seen."""

    def vjp(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any],
        cotangents: tuple[Value, ...],
    ) -> tuple[Any, tuple[Any, ...]]:  # fmt: skip
        """The result, and the gradients with respect to every floating array argument."""

    def peak_memory(self) -> AbstractContextManager[Callable[[], int]]:
        """Measure the most memory alive at once inside, beyond what was there before."""


@cache
def track(name: str) -> Track:
    """The track of that name; importing its library is the price of the first call."""
    module = importlib.import_module(f"llm_math_tests.tracks.{name}")
    made: Track = module.TRACK
    return made


def called_back(
    given: Given, neutral: Callable[..., tuple[Value, ...]], own: Callable[[Value], Any]
) -> Callable[..., Any]:
    """A function of the trusted side, for a library that has no autograd."""
    return lambda *args: own(given(*neutral(*args)))


def unavailable(name: str) -> str | None:
    """Why the track cannot be used here, in words, or None; imports nothing heavy."""
    if name == "torch" and importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed (pip install 'llm-math-tests[torch]')"
    return None
