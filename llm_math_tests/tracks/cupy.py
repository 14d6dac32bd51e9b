"""The cupy track: CuPy on a CUDA device, or the labelled NumPy-backed stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from llm_math_tests.answers.door import Fact
from llm_math_tests.answers.values import ARRAY_DTYPES, Bfloat16, Given, Value
from llm_math_tests.tracks import ProvedBy, called_back
from llm_math_tests.tracks.hardware import cuda_device_count, installed
from llm_math_tests.tracks.host_memory import traced_peak


class CupyTrack:
    """CuPy where it has a device, else the stand-in, which says so in every outcome."""

    name = "cupy"
    library = "CuPy"
    array_type = "cupy.ndarray"
    half_dtypes: tuple[str, ...] = ("float16",)
    differentiates = False

    @cached_property
    def _real(self) -> Any:
        if not (cuda_device_count() and installed("cupy")):
            return None
        import cupy

        return cupy

    def proved_by(self) -> ProvedBy:
        """The device, or the stand-in."""
        return "device" if self._real is not None else "stand-in"

    def device(self) -> str | None:
        """CUDA, where CuPy is installed and there is a device."""
        return "cuda" if self._real is not None else None

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Put the stand-in where ``import cupy`` finds it, unless the real one works."""
        if self._real is not None:
            yield
            return
        from llm_math_tests import stand_in

        with stand_in.installed():
            yield

    def hand(self, array: Value) -> Any:
        """Copy to the device; the stand-in shares the memory."""
        if isinstance(array, Bfloat16):
            raise TypeError("CuPy has no bfloat16: a check must not ask for it here")
        if self._real is not None:
            return self._real.asarray(array)
        from llm_math_tests import stand_in

        return stand_in.to_device(array)

    def to_device(self, array: Any) -> Any:
        """CuPy's arrays are there already."""
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
        """Accept exactly CuPy's array; a NumPy array has left the device."""
        if self._real is not None:
            if type(obj) is not self._real.ndarray or str(obj.dtype) not in ARRAY_DTYPES:
                return None
            return obj.get(), Fact("cupy.ndarray", str(obj.dtype), "cuda")
        from llm_math_tests import stand_in

        if type(obj) is not stand_in.ndarray or str(obj.dtype) not in ARRAY_DTYPES:
            return None
        host = np.array(stand_in.to_host(obj))
        return host, Fact("cupy.ndarray", str(host.dtype), "stand-in")

    def watched(self, told: Callable[[str], None]) -> AbstractContextManager[None]:
        """The stand-in sees every way to the host; a real device does not tell."""
        if self._real is not None:
            return nullcontext()
        from llm_math_tests.stand_in import crossing

        return crossing.watched(told)

    def vjp(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any],
        cotangents: tuple[Value, ...],
    ) -> NoReturn:  # fmt: skip
        """CuPy does not differentiate."""
        raise TypeError("CuPy has no autograd: a check must not ask for it here")

    def peak_memory(self) -> AbstractContextManager[Callable[[], int]]:
        """The memory pool's growth on a device; host memory under the stand-in."""
        return self._pool_peak() if self._real is not None else traced_peak()

    @contextmanager
    def _pool_peak(self) -> Iterator[Callable[[], int]]:
        # The pool keeps what was freed, so that its growth is the most that was held.
        pool = self._real.get_default_memory_pool()
        pool.free_all_blocks()
        before = pool.total_bytes()
        yield lambda: max(0, pool.total_bytes() - before)


TRACK = CupyTrack()
