"""A worker's pipes as the trusted side uses them: nothing here waits past its deadline.

The other end belongs to an answer, which may stop reading, write without end, or
leave a pipe open in a process of its own.
"""

from __future__ import annotations

import os
import queue
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

_SLICE = 0.1
"""Seconds between looks at whether the process is still there."""
_CHUNK = 1 << 16


class Late(Exception):
    """The deadline passed."""


class Channel(Protocol):
    """A stream of bytes in both directions, with a deadline for everything."""

    deadline: float
    """When reading and writing end, on the monotonic clock."""

    def read(self, count: int) -> bytes:
        """Some bytes, at most ``count``; none at the end of the stream."""

    def write(self, data: bytes) -> None:
        """Write all of it; OSError when nobody can read it any more."""

    def flush(self) -> None:
        """Nothing: every write goes out at once."""

    def waiting(self) -> bool:
        """Whether something can be read that nobody asked for."""

    def close(self) -> None:
        """Let go of the pipes, whoever holds their other ends."""


def channel(incoming: int, outgoing: int, alive: Callable[[], bool]) -> Channel:
    """A channel that owns the two descriptors."""
    if hasattr(select, "poll"):
        return PolledChannel(incoming, outgoing, alive)
    return ThreadedChannel(incoming, outgoing, alive)


class PolledChannel:
    """Waits in ``poll``: no thread can be left behind in a read."""

    def __init__(self, incoming: int, outgoing: int, alive: Callable[[], bool]) -> None:
        self.deadline = 0.0
        self._incoming, self._outgoing, self._alive = incoming, outgoing, alive
        self._closed = False
        os.set_blocking(incoming, False)
        os.set_blocking(outgoing, False)

    def read(self, count: int) -> bytes:
        """Some bytes, at most ``count``; none at the end of the stream."""
        while True:
            left = self._left()
            dead = not self._alive()
            if _ready(self._incoming, select.POLLIN, 0.0 if dead else min(left, _SLICE)):
                with suppress(BlockingIOError):
                    return os.read(self._incoming, min(count, _CHUNK * 16))
            elif dead:
                return b""

    def write(self, data: bytes) -> None:
        """Write all of it; OSError when nobody can read it any more."""
        view = memoryview(data)
        while view:
            left = self._left()
            if not self._alive():
                raise BrokenPipeError
            if _ready(self._outgoing, select.POLLOUT, min(left, _SLICE)):
                with suppress(BlockingIOError):
                    view = view[os.write(self._outgoing, view[: _CHUNK * 16]) :]

    def flush(self) -> None:
        """Nothing: every write goes out at once."""

    def waiting(self) -> bool:
        """Whether something can be read that nobody asked for."""
        return _ready(self._incoming, select.POLLIN, 0.0)

    def close(self) -> None:
        """Let go of the pipes, whoever holds their other ends."""
        if not self._closed:
            self._closed = True
            os.close(self._incoming)
            os.close(self._outgoing)

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Late
        return left


def _ready(descriptor: int, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(seconds * 1000))


class ThreadedChannel:
    """For systems whose pipes cannot be polled (Windows): each thread owns its pipe."""

    def __init__(self, incoming: int, outgoing: int, alive: Callable[[], bool]) -> None:
        self.deadline = 0.0
        self._alive = alive
        self._read: queue.Queue[bytes] = queue.Queue(64)
        self._unread = b""
        self._to_write: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._written: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()
        for target, own in ((self._reading, incoming), (self._writing, outgoing)):
            threading.Thread(target=target, args=(own,), daemon=True).start()

    def _reading(self, incoming: int) -> None:
        with suppress(OSError):
            while part := os.read(incoming, _CHUNK):
                self._read.put(part)
        self._read.put(b"")
        os.close(incoming)

    def _writing(self, outgoing: int) -> None:
        while (data := self._to_write.get()) is not None:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(outgoing, view[:_CHUNK]) :]
                self._written.put(None)
            except OSError as error:
                self._written.put(error)
        with suppress(OSError):
            os.close(outgoing)

    def read(self, count: int) -> bytes:
        """Some bytes, at most ``count``; none at the end of the stream."""
        while not self._unread:
            left = self._left()
            dead = not self._alive()
            try:
                self._unread = self._read.get(timeout=min(left, _SLICE))
            except queue.Empty:
                if dead:
                    return b""
                continue
            if not self._unread:
                return b""
        part, self._unread = self._unread[:count], self._unread[count:]
        return part

    def write(self, data: bytes) -> None:
        """Write all of it; OSError when nobody can read it any more."""
        self._to_write.put(bytes(data))
        while True:
            left = self._left()
            try:
                error = self._written.get(timeout=min(left, _SLICE))
            except queue.Empty:
                if not self._alive():
                    raise BrokenPipeError from None
                continue
            if error is not None:
                raise error
            return

    def flush(self) -> None:
        """Nothing: every write goes out at once."""

    def waiting(self) -> bool:
        """Whether something can be read that nobody asked for."""
        return bool(self._unread) or not self._read.empty()

    def close(self) -> None:
        """Let the threads end; one that is held in a read stays until the pipe closes."""
        self._to_write.put(None)
        with suppress(queue.Empty):
            while True:
                self._read.get_nowait()

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Late
        return left


class Said:
    """What a process printed, as far as the limit; read to the end all the same."""

    def __init__(self, incoming: int, limit: int) -> None:
        self._said = bytearray()
        self._limit = limit
        self._stopped = threading.Event()
        threading.Thread(target=self._reading, args=(incoming,), daemon=True).start()

    def _reading(self, incoming: int) -> None:
        polls = hasattr(select, "poll")
        with suppress(OSError):
            while not self._stopped.is_set():
                if polls and not _ready(incoming, select.POLLIN, _SLICE):
                    continue
                part = os.read(incoming, _CHUNK)
                if not part:
                    break
                # Read on past the limit, or a chatty answer would block on a full pipe.
                self._said.extend(part[: max(0, self._limit - len(self._said))])
        os.close(incoming)

    def clear(self) -> None:
        """Forget what was said so far."""
        self._said.clear()

    def text(self) -> str:
        """What was said since it was cleared."""
        return bytes(self._said).decode("utf-8", "replace")

    def stop(self) -> None:
        """Stop listening, also where a process of the answer's holds the pipe open."""
        self._stopped.set()
