"""Input arrays in memory that both sides see.

The trusted side lays an answer's inputs out in a mapped file and reads them
again after the call: whether an input was changed is seen, not reported. Values
are small, so one file per worker serves every call.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from llm_math_tests.answers.values import replica, same_bits, span

_ALIGN = 64
_START_BYTES = 1 << 20


class SharedInputs:
    """The trusted side: writes inputs, and tells which are different afterwards."""

    def __init__(self, folder: Path | None = None) -> None:
        handle, name = tempfile.mkstemp(prefix="llm-math-inputs-", dir=folder)
        self.path = Path(name)
        os.ftruncate(handle, _START_BYTES)
        self._file = os.fdopen(handle, "r+b")
        self._memory = mmap.mmap(self._file.fileno(), _START_BYTES)
        self._used = 0
        self._laid: list[tuple[str, np.ndarray, int]] = []

    def begin(self, arrays: list[np.ndarray]) -> None:
        """Make room for a call's inputs; what lay there before is overwritten."""
        self._laid.clear()
        self._used = 0
        need = sum(span(array) + 2 * _ALIGN for array in arrays)
        if need > len(self._memory):
            size = 1 << (need - 1).bit_length()
            os.ftruncate(self._file.fileno(), size)
            # The old mapping may still be referenced by arrays: it is let go, not closed.
            self._memory = mmap.mmap(self._file.fileno(), size)

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
            "size": len(self._memory),
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
        """Remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class MappedInputs:
    """The answer's side: finds the arrays that the trusted side laid out."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._memory: mmap.mmap | None = None

    def find(self, tree: dict[str, Any]) -> np.ndarray:
        """The array that a description names, on the shared memory itself."""
        if self._memory is None or len(self._memory) < tree["size"]:
            with Path(self._path).open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), tree["size"])
        array: np.ndarray = np.ndarray(
            tuple(tree["shape"]), tree["dtype"], self._memory, tree["offset"],
            tuple(tree["strides"]),
        )  # fmt: skip
        array.flags.writeable = tree["writeable"]
        return array
