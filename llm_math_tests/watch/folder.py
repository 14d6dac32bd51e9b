"""What lies in the folder of answers, and that it changed.

A thread looks every few hundredths of a second: also while a check runs, so that a
check of what is out of date can be ended. Nothing of the folder is run here.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from llm_math_tests.answers.source import LARGEST

_LOOK_SECONDS = 0.04
_SETTLE_SECONDS = 0.01
"""An editor may empty a file before it writes it: a change is looked at twice."""
_MOST_LOOKS = 30
_GONE_SECONDS = 0.3
"""An editor may move the old file away before the new one is there."""
_COARSE_SECONDS = 2.5
"""Some file systems count a file's time in steps of two seconds: so long, it is read again."""

Stamp = tuple[int, int, int]
"""Time, size and number of a file."""

Files = dict[Path, bytes]
"""The contents of the folder's Python files; where one cannot be read, no bytes."""


@dataclass(frozen=True)
class Seen:
    """The folder after a save."""

    files: Files
    saved: tuple[Path, ...]
    """The files that were written, removed or made since the last look."""
    at: float
    """When that was noticed, on the performance counter's clock."""
    clock: str
    """The same as people read it."""


@dataclass
class Eyes:
    """Looks at a folder and remembers what changed until somebody asks."""

    root: Path
    _stamps: dict[Path, Stamp] = field(default_factory=dict)
    _files: Files = field(default_factory=dict)
    _saved: dict[Path, None] = field(default_factory=dict)
    _at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _changed: threading.Event = field(default_factory=threading.Event)
    _closed: threading.Event = field(default_factory=threading.Event)
    late: Callable[[], None] = lambda: None
    """Called where a change stays unasked-for: what runs is out of date."""
    patience: float = 0.5
    interrupted: bool = False
    """Whether the program is to end: nobody waits any more."""

    def open(self) -> Seen:
        """Read the folder and begin to look at it."""
        self._stamps = _stamps(self.root)
        self._files = {path: _content(path) for path in self._stamps}
        threading.Thread(target=self._look_on, name="llm-math watch", daemon=True).start()
        return Seen(dict(self._files), (), time.perf_counter(), time.strftime("%H:%M:%S"))

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    @property
    def changed(self) -> bool:
        """Whether something was saved that nobody has asked for yet."""
        return self._changed.is_set()

    def wait(self) -> Seen:
        """The folder after the next save.

        Raises:
            KeyboardInterrupt: Instead of waiting, where :attr:`interrupted` is set.
        """
        # In slices: on Windows, Ctrl-C does not interrupt a wait.
        while not self.interrupted and not self._changed.wait(0.25):
            pass
        if self.interrupted:
            raise KeyboardInterrupt
        with self._lock:
            self._changed.clear()
            seen = Seen(dict(self._files), tuple(self._saved), self._at, time.strftime("%H:%M:%S"))
            self._saved.clear()
        return seen

    def _look_on(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            now = _stamps(self.root)
            saved = self._differing(now)
            if saved:
                at = time.perf_counter()
                self._note(self._settled(now), at)
            elif self._changed.is_set() and time.perf_counter() - self._at > self.patience:
                self.late()

    def _differing(self, now: dict[Path, Stamp]) -> list[Path]:
        return [path for path in {**self._stamps, **now} if self._differs(path, now.get(path))]

    def _differs(self, path: Path, now: Stamp | None) -> bool:
        if now is None or now != self._stamps.get(path):
            return True
        fresh = abs(time.time() - now[0] / 1e9) < _COARSE_SECONDS
        return fresh and _content(path) != self._files[path]

    def _settled(self, now: dict[Path, Stamp]) -> dict[Path, Stamp]:
        """The stamps once they stay the same for a moment, and missing files are back."""
        end = time.perf_counter() + _GONE_SECONDS
        for _ in range(_MOST_LOOKS):
            time.sleep(_SETTLE_SECONDS)
            before, now = now, _stamps(self.root)
            missing = self._stamps.keys() - now.keys() or any(
                stamp[1] == 0 != self._stamps.get(path, (0, 0, 0))[1] for path, stamp in now.items()
            )
            if now == before and not (missing and time.perf_counter() < end):
                break
        return now

    def _note(self, now: dict[Path, Stamp], at: float) -> None:
        files = {path: self._files.get(path, b"") for path in now}
        saved = self._differing(now)
        for path in saved:
            if path in now:
                files[path] = _content(path)
        with self._lock:
            self._stamps, self._files = now, files
            self._saved.update(dict.fromkeys(saved))
            if saved:
                self._at = at
                self._changed.set()


def _stamps(root: Path) -> dict[Path, Stamp]:
    """The Python files of the folder and of the folders in it."""
    found: dict[Path, Stamp] = {}
    with suppress(OSError), os.scandir(root) as entries:
        inner = [root]
        inner += [Path(e.path) for e in entries if not e.name.startswith((".", "_")) and e.is_dir()]
        for folder in inner:
            with suppress(OSError), os.scandir(folder) as files:
                for entry in files:
                    if entry.name.endswith(".py"):
                        with suppress(OSError):
                            # Not the entry's own: Windows keeps an old time in it.
                            status = os.stat(entry.path)
                            stamp = status.st_mtime_ns, status.st_size, status.st_ino
                            found[Path(entry.path)] = stamp
    return found


def _content(path: Path) -> bytes:
    """The first bytes of a file; none where it is no regular file or cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError:
        return b""
