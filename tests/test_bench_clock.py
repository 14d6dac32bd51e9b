"""A clock waits for the device. The device here is made up and its time is virtual."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from llm_math_tests.bench.clock import Clock, DeviceClock, HostClock, TorchCuda, clock_for

LAUNCH = 5_000  # nanoseconds that the host needs to queue work
SYNCHRONIZE = 20_000


class FakeDevice:
    """Runs work after the call that queued it has returned, like a GPU."""

    name = "fake"

    def __init__(self) -> None:
        self.host = 0
        self.streams = {"current": 0, "other": 0}

    def now(self) -> int:
        return self.host

    def launch(self, nanoseconds: int, stream: str = "current") -> None:
        self.host += LAUNCH
        self.streams[stream] = max(self.streams[stream], self.host) + nanoseconds

    def mark(self) -> int:
        return max(self.host, self.streams["current"])

    def seconds_between(self, first: int, last: int) -> float:
        return (last - first) / 1e9

    def wait(self) -> None:
        self.host = max(self.host, *self.streams.values()) + SYNCHRONIZE


class Impatient(DeviceClock):
    """What everybody writes first: it reads the clock when the call returns."""

    def time(self, calls):
        begin = self._now()
        for call in calls:
            call()
        return (self._now() - begin) / 1e9


class OnlyEvents(DeviceClock):
    """Believes the events of its own stream."""

    def time(self, calls):
        first = self._device.mark()
        for call in calls:
            call()
        last = self._device.mark()
        self._device.wait()
        return self._device.seconds_between(first, last)


def measured(kind: Callable[..., Clock], work: Callable[[FakeDevice], None]) -> float:
    device = FakeDevice()
    clock = HostClock(device.now) if kind is HostClock else kind(device, device.now)
    return clock.time([lambda: work(device)])


def on_the_stream(device: FakeDevice) -> None:
    device.launch(1_000_000)


def on_another_stream(device: FakeDevice) -> None:
    device.launch(1_000_000, "other")


def in_many_small_pieces(device: FakeDevice) -> None:
    for _ in range(100):
        device.launch(10_000)


def waits(kind: Callable[..., Clock], work: Callable[[FakeDevice], None]) -> bool:
    """Whether a clock gives the millisecond that every one of these works takes."""
    return measured(kind, work) == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize("work", [on_the_stream, on_another_stream, in_many_small_pieces])
def test_the_device_clock_waits(work):
    assert waits(DeviceClock, work)


@pytest.mark.parametrize(
    ("kind", "work"),
    [
        (HostClock, on_the_stream),
        (Impatient, on_the_stream),
        (Impatient, on_another_stream),
        (OnlyEvents, on_another_stream),
    ],
)
def test_a_clock_that_does_not_wait_is_caught(kind, work):
    assert not waits(kind, work)


def test_work_left_over_from_before_is_not_counted():
    device = FakeDevice()
    device.launch(50_000_000)
    device.launch(50_000_000, "other")
    seconds = DeviceClock(device, device.now).time([lambda: device.launch(1_000_000)])
    assert seconds == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize("lie", [0.0, -1.0, 99.0])
def test_events_that_lie_do_not_win(lie):
    device = FakeDevice()
    device.seconds_between = lambda first, last: lie
    seconds = DeviceClock(device, device.now).time([lambda: device.launch(1_000_000)])
    assert seconds == pytest.approx(1e-3, rel=0.1)


def test_a_batch_is_timed_as_a_whole():
    device = FakeDevice()
    calls = [lambda: device.launch(1_000_000)] * 4
    assert DeviceClock(device, device.now).time(calls) == pytest.approx(4e-3, rel=0.05)


def test_the_host_clock_counts_what_the_call_takes():
    host = SimpleNamespace(now=7)

    def work():
        host.now += 3_000

    assert HostClock(lambda: host.now).time([work, work]) == 6e-6


def test_the_clock_of_a_cpu_imports_nothing():
    assert isinstance(clock_for("torch", "cpu"), HostClock)


def test_cuda_counts_milliseconds():
    device = object.__new__(TorchCuda)
    first = SimpleNamespace(elapsed_time=lambda last: 2.5)
    assert device.seconds_between(first, None) == 0.0025
