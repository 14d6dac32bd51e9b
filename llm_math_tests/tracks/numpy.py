"""The numpy track: the neutral arrays are already the library's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

import numpy as np

from llm_math_tests.answers.door import Fact
from llm_math_tests.answers.values import ARRAY_DTYPES, Bfloat16, Given, Value
from llm_math_tests.tracks import ProvedBy, called_back
from llm_math_tests.tracks.host_memory import traced_peak


class NumpyTrack:
    """NumPy on the CPU."""

    name = "numpy"
    library = "NumPy"
    array_type = "numpy.ndarray"
    half_dtypes: tuple[str, ...] = ("float16",)
    differentiates = False

    def proved_by(self) -> ProvedBy:
        """Always the CPU."""
        return "cpu"

    def device(self) -> None:
        """NumPy has no accelerator."""

    def loading(self) -> AbstractContextManager[None]:
        """Nothing to put in place."""
        return nullcontext()

    def hand(self, array: Value) -> np.ndarray:
        """The array itself: the room has made it a fresh copy."""
        if isinstance(array, Bfloat16):
            raise TypeError("NumPy has no bfloat16: a check must not ask for it here")
        handed: np.ndarray = array
        return handed

    def to_device(self, array: Any) -> Any:
        """NumPy has no accelerator."""
        return array

    def given(
        self,
        given: Given,
        neutral: Callable[..., tuple[Value, ...]],
        own: Callable[[Value], Any],
    ) -> Callable[..., Any]:
        """A function of the trusted side, on arrays."""
        return called_back(given, neutral, own)

    def take(self, obj: Any) -> tuple[Value, Fact] | None:
        """Accept plain arrays and NumPy scalars; a subclass may answer for itself, so no."""
        if type(obj) is not np.ndarray and not (
            isinstance(obj, np.generic) and type(obj).__module__ == "numpy"
        ):
            return None
        if str(obj.dtype) not in ARRAY_DTYPES:
            return None
        return np.array(obj), Fact(f"numpy.{type(obj).__name__}", str(obj.dtype), "cpu")

    def watched(self, told: Callable[[str], None]) -> AbstractContextManager[None]:
        """There is no device to leave."""
        return nullcontext()

    def vjp(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any],
        cotangents: tuple[Value, ...],
    ) -> NoReturn:  # fmt: skip
        """NumPy does not differentiate."""
        raise TypeError("NumPy has no autograd: a check must not ask for it here")

    def peak_memory(self) -> AbstractContextManager[Callable[[], int]]:
        """NumPy's own allocations."""
        return traced_peak()


TRACK = NumpyTrack()
