"""Clocks: how long calls take until their work is done, not until they return.

A call on a GPU returns when the work is queued. Every clock here waits for it, and
a clock that does not is what ``tests/test_bench_clock.py`` is there to catch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, Protocol

Call = Callable[[], object]


class Clock(Protocol):
    """Times calls on one kind of device."""

    describes: str
    """What is measured, in words for the report."""
    shortest: float
    """The shortest time in seconds that is worth reading: less is made longer by a batch."""

    def time(self, calls: Sequence[Call]) -> float:
        """Make the calls one after the other; seconds until all their work is done."""


class HostClock:
    """The processor's clock: for work that is done when the call returns."""

    describes = "host clock (perf_counter_ns) around the call"
    # A reading costs about 0.1 us: below one per cent of this.
    shortest = 20e-6

    def __init__(self, now: Callable[[], int] = perf_counter_ns) -> None:
        self._now = now

    def time(self, calls: Sequence[Call]) -> float:
        """Seconds from before the first call to after the last."""
        now = self._now
        begin = now()
        for call in calls:
            call()
        return (now() - begin) / 1e9


class Device(Protocol):
    """What a clock needs of an accelerator."""

    name: str
    """The device's name, as its maker prints it."""

    def mark(self) -> Any:
        """Put an event into the stream that calls run on."""

    def seconds_between(self, first: Any, last: Any) -> float:
        """Device time between two events that have happened."""

    def wait(self) -> None:
        """Wait until nothing is under way on the whole device."""


class DeviceClock:
    """A device's own events, checked against the host's clock.

    Events leave out the way to the device and back, but see their own stream only,
    and live in a process where an answer could change them. So the host's clock,
    read around a wait for the whole device, has the last word: when it is longer
    than events and a synchronization explain, its figure is taken.
    """

    describes = "device events in the current stream, checked against the host clock"
    # A synchronization costs tens of microseconds, and events resolve half of one.
    shortest = 500e-6
    slack = 200e-6
    """What two synchronizations and a launch may take on top of the events' time."""

    def __init__(self, device: Device, now: Callable[[], int] = perf_counter_ns) -> None:
        self._device = device
        self._now = now

    def time(self, calls: Sequence[Call]) -> float:
        """Seconds that the device worked for the calls."""
        device = self._device
        device.wait()
        begin = self._now()
        first = device.mark()
        for call in calls:
            call()
        last = device.mark()
        device.wait()
        whole = (self._now() - begin) / 1e9
        seen = device.seconds_between(first, last)
        return seen if seen <= whole <= 1.2 * seen + self.slack else whole


class TorchCuda:
    """PyTorch's events on the current CUDA stream."""

    def __init__(self) -> None:
        import torch

        self._cuda: Any = torch.cuda
        self.name: str = torch.cuda.get_device_name()

    def mark(self) -> Any:
        """Record an event on the current stream."""
        event = self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds_between(self, first: Any, last: Any) -> float:
        """CUDA counts milliseconds."""
        return float(first.elapsed_time(last)) / 1e3

    def wait(self) -> None:
        """Synchronize the device, not only a stream."""
        self._cuda.synchronize()


class CupyCuda:
    """CuPy's events on the current CUDA stream."""

    def __init__(self) -> None:
        import cupy

        self._cuda = cupy.cuda
        named = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"]
        self.name: str = named.decode() if isinstance(named, bytes) else str(named)

    def mark(self) -> Any:
        """Record an event on the current stream."""
        event = self._cuda.Event()
        event.record()
        return event

    def seconds_between(self, first: Any, last: Any) -> float:
        """CUDA counts milliseconds."""
        return float(self._cuda.get_elapsed_time(first, last)) / 1e3

    def wait(self) -> None:
        """Synchronize the device, not only a stream."""
        self._cuda.Device().synchronize()


def clock_for(track: str, device: str) -> Clock:
    """The clock for a track on a device; imports the track's library for a GPU only."""
    if device == "cpu":
        return HostClock()
    return DeviceClock(TorchCuda() if track == "torch" else CupyCuda())
