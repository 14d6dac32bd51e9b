"""A time limit on a call in this process.

A worker process is killed from outside and needs none of this. Here the
student's loop runs in our own thread, so an exception is thrown into it: by
SIGALRM where nobody else uses it (it also ends ``time.sleep``), else by the
interpreter's asynchronous exceptions, which need Python code to be running.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class TimeLimitReached(BaseException):
    """The call took longer than it may. No ``Exception``: answers must not swallow it."""


_REPEAT = 0.2
"""Seconds between throws: a loop with a bare ``except:`` swallows the first ones."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeLimitReached` in the calling thread after ``seconds``."""
    if _alarm_is_free():
        with _by_alarm(seconds):
            yield
    else:
        with _by_async_exception(seconds):
            yield


def _alarm_is_free() -> bool:
    return (
        hasattr(signal, "SIGALRM")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )


@contextmanager
def _by_alarm(seconds: float) -> Iterator[None]:
    def rung(number: int, frame: FrameType | None) -> None:
        raise TimeLimitReached

    signal.signal(signal.SIGALRM, rung)
    signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT)
    try:
        yield
    finally:
        # Ignored first: a ring between the two lines below must not escape.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


@contextmanager
def _by_async_exception(seconds: float) -> Iterator[None]:
    thread = ctypes.c_ulong(threading.get_ident())
    lock = threading.Lock()
    done = threading.Event()
    throw: Callable[..., int] = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thrown = False

    def guard() -> None:
        nonlocal thrown
        wait = seconds
        while not done.wait(wait):
            with lock:
                if not done.is_set():
                    throw(thread, ctypes.py_object(TimeLimitReached))
                    thrown = True
            wait = _REPEAT

    threading.Thread(target=guard, name="llm-math time limit", daemon=True).start()
    try:
        yield
    finally:
        with lock:
            done.set()
        if thrown:
            # One more may be on its way: let it arrive here, not in the caller.
            throw(thread, None)
            with suppress(TimeLimitReached):
                time.sleep(0)
