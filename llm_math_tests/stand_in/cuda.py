"""``cupy.cuda`` and the memory pools: one device that is always done."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any, NoReturn


class Device:
    """Device 0."""

    def __init__(self, device: Any = 0) -> None:
        self.id = int(getattr(device, "id", device))
        if self.id != 0:
            raise ValueError(f"the stand-in has one device, 0, and not {self.id}")

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *raised: object) -> None:
        return None

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> None:
        """It is in use."""

    def synchronize(self) -> None:
        """It is done."""


class Event:
    """A moment on the host's clock."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self._seconds: float | None = None

    @property
    def done(self) -> bool:
        """Nothing is ever pending."""
        return True

    def record(self, stream: Any = None) -> None:
        """Remember now."""
        self._seconds = time.perf_counter()

    def synchronize(self) -> None:
        """It is done."""


class Stream:
    """A stream on which nothing ever waits."""

    null: Stream
    ptds: Stream

    def __init__(
        self,
        null: bool = False,
        non_blocking: bool = False,
        ptds: bool = False,
        priority: Any = None,
    ) -> None:
        self.is_non_blocking = non_blocking

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *raised: object) -> None:
        return None

    @property
    def done(self) -> bool:
        """Nothing is ever pending."""
        return True

    def use(self) -> Stream:
        """It is in use."""
        return self

    def synchronize(self) -> None:
        """It is done."""

    def record(self, event: Event | None = None) -> Event:
        """An event at this moment."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """It is done."""


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


class MemoryPool:
    """Holds nothing: the host's allocator does the work."""

    def used_bytes(self) -> int:
        """Nothing."""
        return 0

    def free_bytes(self) -> int:
        """Nothing."""
        return 0

    def total_bytes(self) -> int:
        """Nothing."""
        return 0

    def free_all_blocks(self, stream: Any = None) -> None:
        """There are none."""

    def n_free_blocks(self) -> int:
        """None."""
        return 0


_POOL = MemoryPool()


def get_default_memory_pool() -> MemoryPool:
    """The one pool."""
    return _POOL


def get_current_stream(device_id: int = -1) -> Stream:
    """The null stream."""
    return Stream.null


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds on the host's clock between two recorded events."""
    if start_event._seconds is None or end_event._seconds is None:
        raise RuntimeError("an event was not recorded")
    return 1000 * (end_event._seconds - start_event._seconds)


def get_device_id() -> int:
    """Device 0."""
    return 0


def is_available() -> bool:
    """There is no CUDA here."""
    return False


def device_count() -> int:
    """None: what asks for the number of devices asks whether there is a GPU."""
    return 0


class _Kernel:
    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"cupy.{type(self).__name__}: the stand-in cannot compile kernels; "
            "it needs a CUDA device and the real CuPy"
        )


class ElementwiseKernel(_Kernel):
    """Needs a compiler and a device."""


class ReductionKernel(_Kernel):
    """Needs a compiler and a device."""


class RawKernel(_Kernel):
    """Needs a compiler and a device."""


class RawModule(_Kernel):
    """Needs a compiler and a device."""


KERNELS = (ElementwiseKernel, ReductionKernel, RawKernel, RawModule)
for _class in (Device, Event, Stream, MemoryPool):
    _class.__module__ = "cupy.cuda"
for _kernel in KERNELS:
    _kernel.__module__ = "cupy"


def module() -> ModuleType:
    """The module ``cupy.cuda``."""
    made = ModuleType("cupy.cuda", "The stand-in's CUDA: one device that is always done.")
    runtime = ModuleType("cupy.cuda.runtime", "The stand-in's CUDA runtime.")
    runtime.getDeviceCount = device_count  # type: ignore[attr-defined]
    runtime.deviceSynchronize = lambda: None  # type: ignore[attr-defined]
    for item in (Device, Event, Stream, MemoryPool, get_current_stream, get_elapsed_time,
                 get_device_id, is_available):  # fmt: skip
        setattr(made, item.__name__, item)
    made.runtime = runtime  # type: ignore[attr-defined]
    return made
