"""Input arrays in memory that both sides see.

The trusted side writes an answer's inputs to a file that the answer maps, and reads
them again after the call: whether an input was changed is seen, not reported. Only
the answer's side maps the file: who maps one that another process cuts short dies.
Values are small, so one file per worker serves every call.
"""

from __future__ import annotations

import mmap
import os
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from llm_math_tests.answers.values import replica, same_bits, span

_ALIGN = 64
_START_BYTES = 1 << 20


class SharedInputs:
    """The trusted side: writes inputs, and tells which are different afterwards.

    OSError from any of it means that the folder is no longer what it was: the
    answer has had its hands on it.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="llm-math-inputs-", dir=parent))
        # Also at the interpreter's end, where nobody has closed what a run made.
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, True)
        self._used = 0
        self._laid: list[tuple[str, np.ndarray, int]] = []
        self._make(_START_BYTES)

    def _make(self, size: int) -> None:
        # A new file for a larger size: Windows does not resize one that is mapped, and
        # arrays of an earlier call may still refer to the old mapping.
        self._name = secrets.token_hex(8)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.folder / self._name, flags, 0o600)
        self._file = _File(descriptor)
        self._size = size
        self._file.resize(size)

    def begin(self, arrays: list[np.ndarray]) -> None:
        """Make room for a call's inputs; what lay there before is overwritten."""
        self._laid.clear()
        self._used = 0
        need = sum(span(array) + 2 * _ALIGN for array in arrays)
        if need > self._size:
            self._file.close()
            self._make(1 << (need - 1).bit_length())
        else:
            self._file.resize(self._size)

    def lay_out(self, array: np.ndarray, name: str) -> dict[str, Any]:
        """Copy an array in, with its strides, and describe where it is."""
        offset = -(-self._used // _ALIGN) * _ALIGN
        self._used = offset + span(array)
        held = bytearray(span(array))
        replica(array, held)
        self._file.write(held, offset)
        self._laid.append((name, array, offset))
        return {
            "@": "shared",
            "offset": offset,
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "strides": list(array.strides),
            "writeable": bool(array.flags.writeable),
            "file": self._name,
        }

    def changed(self) -> tuple[str, ...]:
        """The names of the inputs that do not hold their bytes any more."""
        names = [name for name, before, offset in self._laid if self._differs(before, offset)]
        return tuple(dict.fromkeys(names))

    def _differs(self, before: np.ndarray, offset: int) -> bool:
        try:
            held = self._file.read(span(before), offset)
        except OSError:
            return True
        if len(held) < span(before):
            return True
        there: np.ndarray = np.ndarray(before.shape, before.dtype, held, 0, before.strides)
        return not same_bits(before, there)

    def close(self) -> None:
        """Remove the files (Windows keeps those that are still mapped until they are not)."""
        self._file.close()
        self._remove()


class _File:
    """A file read and written by ordinary means, closed with its last user."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.close = weakref.finalize(self, os.close, descriptor)

    def resize(self, size: int) -> None:
        """Give the file its size again, where an answer has changed it."""
        if os.fstat(self._descriptor).st_size != size:
            os.ftruncate(self._descriptor, size)

    def write(self, data: bytearray, offset: int) -> None:
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def read(self, count: int, offset: int) -> bytearray:
        """The bytes there; fewer where the file ends before them."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        whole = bytearray()
        while len(whole) < count:
            part = os.read(self._descriptor, count - len(whole))
            if not part:
                break
            whole += part
        return whole


class MappedInputs:
    """The answer's side: finds the arrays that the trusted side laid out."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._mapped: tuple[str, mmap.mmap] | None = None

    def find(self, tree: dict[str, Any]) -> np.ndarray:
        """The array that a description names, on the shared memory itself."""
        if self._mapped is None or self._mapped[0] != tree["file"]:
            with (self._folder / str(tree["file"])).open("r+b") as file:
                self._mapped = tree["file"], mmap.mmap(file.fileno(), 0)
        array: np.ndarray = np.ndarray(
            tuple(tree["shape"]), tree["dtype"], self._mapped[1], tree["offset"],
            tuple(tree["strides"]),
        )  # fmt: skip
        array.flags.writeable = tree["writeable"]
        return array
