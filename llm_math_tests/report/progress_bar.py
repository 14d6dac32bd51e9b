"""A progress bar on anything that takes longer than two seconds.

One line of ASCII on standard error, only where that is a terminal, and gone when the
work is done: never in a pipe or a file. (pytest, our one dependency that counts its
progress, brings no bar for others to use.)
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TextIO, TypeVar

PATIENCE = 2.0
"""Seconds before the bar is shown."""
_REDRAWN = 0.25
_CELLS = 24
_WIDTH = 79

Item = TypeVar("Item")


def drawn(part: float, cells: int) -> str:
    """``[######------]``; full only where everything is done, empty where nothing is."""
    filled = int(part * cells + 0.5)
    if 0 < part < 1:
        filled = min(max(filled, 1), cells - 1)
    return f"[{'#' * filled}{'-' * (cells - filled)}]"


class ProgressBar:
    """``with ProgressBar("checking", total) as bar: ... bar.step(3, "softmax")``."""

    def __init__(self, title: str, total: float, stream: TextIO | None = None) -> None:
        self._title = title
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._done = 0.0
        self._doing = ""
        self._shown = 0
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ProgressBar:
        if _is_terminal(self._stream):
            # A thread: one long step must not keep the bar from being seen.
            self._thread = threading.Thread(target=self._draw_on, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._shown:
            self._write("\r" + " " * self._shown + "\r")

    def doing(self, what: str) -> None:
        """Say what is under way."""
        self._doing = what

    def step(self, amount: float = 1.0, doing: str = "") -> None:
        """So much more of the total is done; what is under way now."""
        self._done += amount
        self._doing = doing or self._doing

    def line(self, width: int, now: float) -> str:
        """The bar as it stands, at a time of the monotonic clock."""
        part = min(1.0, self._done / self._total) if self._total else 0.0
        text = f"{self._title} {drawn(part, _CELLS)} {int(100 * part):3d}%"
        spent = now - self._started
        if 0 < part < 1 and spent > 0:
            text += f"  about {_words(spent * (1 - part) / part)} left"
        if self._doing:
            text += f"  {self._doing}"
        return text[:width]

    def _draw_on(self) -> None:
        wait = PATIENCE
        while not self._ended.wait(wait):
            wait = _REDRAWN
            width = min(_WIDTH, shutil.get_terminal_size().columns - 1)
            text = self.line(width, time.monotonic())
            self._write("\r" + text.ljust(self._shown))
            self._shown = len(text)

    def _write(self, text: str) -> None:
        self._stream.write(text.encode("ascii", "replace").decode("ascii"))
        self._stream.flush()


def followed(title: str, items: Sequence[Item], stream: TextIO | None = None) -> Iterator[Item]:
    """The items one by one, with a bar for how many are done."""
    with ProgressBar(title, len(items), stream) as bar:
        for item in items:
            yield item
            bar.step()


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # closed
        return False


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
