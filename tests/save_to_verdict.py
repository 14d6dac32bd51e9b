"""How long it takes from saving a file to its verdict: ``python -m tests.save_to_verdict``.

Measured as a student would, with a clock in hand: ``llm-math watch`` runs in a terminal of
80 columns; a softmax that is right and one that is wrong are saved by turns, each when the
verdict on the last one is on the screen; the clock runs from the moment the file is in
place to the moment the new verdict has arrived at the terminal.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from llm_math_tests import course
from llm_math_tests.run import Solution
from llm_math_tests.student_folder import lay_out

SECONDS = 180.0
"""After these without a verdict, something is broken."""
PAUSE = 1.0
"""Seconds between a verdict and the next save: nobody types faster."""


class Terminal:
    """A program in a terminal of its own, and what it writes there."""

    def __init__(self, *command: str, folder: Path, rows: int = 24, columns: int = 80) -> None:
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="xterm", LINES=str(rows), COLUMNS=str(columns))
            os.execv(command[0], command)
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.text = ""

    def wait_for(self, *words: str, seconds: float = SECONDS) -> str:
        """Read until one screen holds all these words; returns it."""
        end = time.monotonic() + seconds
        while True:
            screen = self.text.rpartition("\x1b[2J")[2]
            if all(word in screen for word in words):
                return screen
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {words} within {seconds:g} s, but:\n{self.text[-3000:]}")
            if select.select([self._screen], [], [], left)[0]:
                self.text += os.read(self._screen, 65536).decode("utf-8", "replace")

    def forget(self) -> None:
        """What was written so far does not count for the next wait."""
        while select.select([self._screen], [], [], 0.0)[0]:
            os.read(self._screen, 65536)
        self.text = ""

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        os.write(self._screen, b"\x03")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if select.select([self._screen], [], [], 0.02)[0]:
                try:
                    self.text += os.read(self._screen, 65536).decode("utf-8", "replace")
                except OSError:  # the other end is closed
                    time.sleep(0.02)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                os.close(self._screen)
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise TimeoutError("Ctrl-C did not end it")

    def close(self) -> None:
        """End the program if it is still there."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._screen)


def save(path: Path, text: str) -> float:
    """Put a text in a file's place as an editor does; returns the moment."""
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
    return time.perf_counter()


def texts(track: str) -> dict[str, str]:
    """A softmax that is right and one that exponentiates what is too large, and the rest."""
    right = Path(course.folder("reference"), "softmax", f"with_{track}.py").read_text("utf-8")
    head, found, tail = right.partition("    _check_axis(axis, logits)\n")
    assert found, "the reference of softmax is another one now"
    largest = "    logits = logits.clip(max=50)\n" if track == "torch" else (
        "    logits = np.minimum(logits, logits.dtype.type(50))\n")  # fmt: skip
    return {"passed   ": right, "wrong   ": head + found + largest + tail}


def measure(track: str, times: int) -> list[float]:
    """Seconds from save to verdict, one for each save."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder)
        path = Solution("student", folder / "student").where("softmax", track).path
        words = texts(track)
        save(path, words["passed   "])
        terminal = Terminal(
            sys.executable, "-m", "llm_math_tests.cli", "watch", "--track", track, folder=folder
        )
        try:
            terminal.wait_for("next: ")
            found = []
            for number in range(times + 1):
                time.sleep(PAUSE)
                terminal.forget()
                verdict = list(words)[number % 2 - 1]
                saved = save(path, words[verdict])
                terminal.wait_for("softmax (", f"stable    {verdict}", " s; Ctrl-C ends")
                found.append(time.perf_counter() - saved)
            terminal.interrupt()
        finally:
            terminal.close()
    return found[1:]  # the first finds nothing warm


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--track", action="append", choices=("numpy", "torch"))
    options = parser.parse_args()
    print(f"from save to verdict, {options.times} saves, in seconds")
    print(f"{'':<8}{'median':>8}{'min':>8}{'max':>8}")
    for track in options.track or ("numpy", "torch"):
        found = measure(track, options.times)
        numbers = (statistics.median(found), min(found), max(found))
        print(f"{track:<8}" + "".join(f"{number:8.3f}" for number in numbers), flush=True)


if __name__ == "__main__":
    main()
