"""The terminal: cleared before each verdict, or, where it is none, a line between them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from llm_math_tests.wording import WIDTH

_CLEAR = "\x1b[H\x1b[2J"
_BETWEEN = "-" * 60


class Screen:
    """Where verdicts are drawn."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._restore: int | None = None
        self.clears = self._can_clear()
        """Whether the whole screen can be drawn anew."""

    @property
    def rows(self) -> int:
        """How many lines can be seen at once; no end of them where nothing is cleared."""
        return shutil.get_terminal_size().lines if self.clears else sys.maxsize

    @property
    def columns(self) -> int:
        """How wide a line can be; no end of it where nothing is cleared."""
        return shutil.get_terminal_size().columns if self.clears else sys.maxsize

    def room(self, lines: Sequence[str]) -> int:
        """How many rows are left below these lines, where the cursor stands; below 0: too few."""
        columns = self.columns
        return self.rows - 1 - sum(max(1, -(-len(line) // columns)) for line in lines)

    def begin(self, lines: Sequence[str]) -> None:
        """Draw what there is to see before the first verdict."""
        self._write((_CLEAR if self.clears else "") + "\n".join(lines) + "\n")

    def show(self, lines: Sequence[str]) -> None:
        """Draw a verdict in place of what is there."""
        head = _CLEAR if self.clears else f"{_BETWEEN}\n"
        self._write(head + "\n".join(lines) + "\n")

    def add(self, lines: Sequence[str]) -> None:
        """Write on, below what is there."""
        self._write("\n".join(lines) + "\n")

    def close(self) -> None:
        """Leave the terminal as it was found."""
        if self._restore is not None:
            _set_console_mode(self._restore)

    def _write(self, text: str) -> None:
        # In one piece, so that nobody sees half a screen.
        self._stream.write(text)
        self._stream.flush()

    def _can_clear(self) -> bool:
        if not self._stream.isatty() or os.environ.get("TERM") == "dumb":
            return False
        if sys.platform != "win32":
            return True
        before = _console_mode()
        if before is None or not _set_console_mode(before | _VIRTUAL_TERMINAL):
            return False
        self._restore = before
        return True


_STANDARD_OUTPUT = -11
_VIRTUAL_TERMINAL = 0x0004


def _console_mode() -> int | None:
    """How a Windows console treats what is written to it."""
    import ctypes

    mode = ctypes.c_ulong()
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    handle = kernel.GetStdHandle(_STANDARD_OUTPUT)
    return mode.value if kernel.GetConsoleMode(handle, ctypes.byref(mode)) else None


def _set_console_mode(mode: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    return bool(kernel.SetConsoleMode(kernel.GetStdHandle(_STANDARD_OUTPUT), mode))


def cut(text: str, width: int = WIDTH) -> str:
    """A line of at most 80 columns."""
    return text if len(text) <= width else text[: width - 3] + "..."
