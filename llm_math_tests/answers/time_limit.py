"""A time limit on a call in this process.

A worker process is killed from outside and needs none of this. Here the
student's loop runs in our own thread, so an exception is thrown into it: by
SIGALRM where nobody else uses it (it also ends ``time.sleep``), else by the
interpreter's asynchronous exceptions, which need Python code to be running.

An exception that arrives late would strike our own code, so both kinds look
where the thread is before they throw, and :meth:`TimeLimit.stop` may be called
twice: by the ``with`` statement, and by whoever catches the exception.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from types import FrameType, TracebackType


class TimeLimitReached(BaseException):
    """The call took longer than it may. No ``Exception``: answers must not swallow it."""


_REPEAT = 0.2
"""Seconds between throws: a loop with a bare ``except:`` swallows the first ones."""


class TimeLimit:
    """``with TimeLimit(10): ...`` raises :class:`TimeLimitReached` inside after 10 s."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._active = False
        self._alarm = _alarm_is_free()
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thrown = False

    def __enter__(self) -> None:
        self._active = True
        if self._alarm:
            signal.signal(signal.SIGALRM, self._rung)
            signal.setitimer(signal.ITIMER_REAL, self._seconds)
        else:
            threading.Thread(target=self._guard, name="llm-math time limit", daemon=True).start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Throw no more; what is already on its way ends here."""
        while True:
            try:
                self._stop()
            except TimeLimitReached:
                continue
            return

    def _stop(self) -> None:
        if not self._active:
            return
        if self._alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        else:
            with self._lock:
                self._done.set()
            if self._thrown:
                # One may be waiting to be delivered: take it back.
                _throw(self._thread, None)
        self._active = False

    def _rung(self, number: int, frame: FrameType | None) -> None:
        """SIGALRM: one shot, armed again only while there is something to interrupt."""
        if not self._active:
            return
        signal.setitimer(signal.ITIMER_REAL, _REPEAT)
        if not _is_ours(frame):
            raise TimeLimitReached

    def _guard(self) -> None:
        """The other way: a thread that throws into the calling one."""
        wait = self._seconds
        while not self._done.wait(wait):
            wait = _REPEAT
            with self._lock:
                frame = sys._current_frames().get(self._thread)
                if not self._done.is_set() and not _is_ours(frame):
                    self._thrown = True
                    _throw(self._thread, TimeLimitReached)


def _throw(thread: int, kind: type[BaseException] | None) -> None:
    what = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


def _is_ours(frame: FrameType | None) -> bool:
    """Whether the thread is in this file, putting the limit up or taking it down."""
    return frame is None or frame.f_code.co_filename == __file__


def _alarm_is_free() -> bool:
    return (
        hasattr(signal, "SIGALRM")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
