"""Input arrays in memory that both sides see.

The trusted side lays an answer's inputs out in a mapped file and reads them
again after the call: whether an input was changed is seen, not reported. Values
are small, so one file per worker serves every call.
"""

from __future__ import annotations

import mmap
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
    """The trusted side: writes inputs, and tells which are different afterwards."""

    def __init__(self, parent: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="llm-math-inputs-", dir=parent))
        # Also at the interpreter's end, where nobody has closed what a run made.
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, True)
        self._number = 0
        self._used = 0
        self._laid: list[tuple[str, np.ndarray, int]] = []
        self._map(_START_BYTES)

    def _map(self, size: int) -> None:
        # A new file for a larger size: Windows does not resize one that is mapped, and
        # arrays of an earlier call may still refer to the old mapping.
        self._number += 1
        path = self.folder / str(self._number)
        with path.open("w+b") as file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)

    def begin(self, arrays: list[np.ndarray]) -> None:
        """Make room for a call's inputs; what lay there before is overwritten."""
        self._laid.clear()
        self._used = 0
        need = sum(span(array) + 2 * _ALIGN for array in arrays)
        if need > len(self._memory):
            self._map(1 << (need - 1).bit_length())

    def lay_out(self, array: np.ndarray, name: str) -> dict[str, Any]:
        """Copy an array in, with its strides, and describe where it is."""
        offset = -(-self._used // _ALIGN) * _ALIGN
        self._used = offset + span(array)
        replica(array, self._memory, offset)
        self._laid.append((name, array, offset))
        return {
            "@": "shared",
            "offset": offset,
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "strides": list(array.strides),
            "writeable": bool(array.flags.writeable),
            "file": self._number,
        }

    def changed(self) -> tuple[str, ...]:
        """The names of the inputs that do not hold their bytes any more."""
        names = [
            name
            for name, before, offset in self._laid
            if not same_bits(
                before,
                np.ndarray(before.shape, before.dtype, self._memory, offset, before.strides),
            )
        ]
        return tuple(dict.fromkeys(names))

    def close(self) -> None:
        """Remove the files (Windows keeps those that are still mapped until they are not)."""
        self._remove()


class MappedInputs:
    """The answer's side: finds the arrays that the trusted side laid out."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._mapped: tuple[int, mmap.mmap] | None = None

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
