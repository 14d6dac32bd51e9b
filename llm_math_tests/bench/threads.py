"""One thread for each library while it is timed, and what was really in force.

Libraries differ in how many threads they take by default (NumPy's BLAS all, torch's
pool all or one), and that alone decides comparisons.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

VARIABLES = (
    "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE",
    "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "ATEN_CPU_CAPABILITY", "MALLOC_ARENA_MAX",
    "MALLOC_TRIM_THRESHOLD_", "CUPY_TF32", "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip
"""Environment variables that change what a timing means."""


def variables_set() -> dict[str, str]:
    """Those of the variables that are set."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


@contextmanager
def one_thread_each(*, torch_too: bool) -> Iterator[dict[str, str]]:
    """Hold every library to one thread; yields what is in force, in words."""
    said: dict[str, str] = {}
    undo: list[Callable[[], Any]] = []
    blas = _numpy_blas()
    if blas is None:
        said["numpy BLAS"] = "not changed (not a BLAS whose threads can be set from here)"
    else:
        get, put = blas
        before = int(get())
        put(1)
        undo.append(lambda: put(before))
        said["numpy BLAS"] = str(int(get()))
    if torch_too and "torch" in sys.modules:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        undo.append(lambda: torch.set_num_threads(threads))
        said["torch"] = str(torch.get_num_threads())
    try:
        yield said
    finally:
        for step in undo:
            step()


@cache
def _numpy_blas() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """The functions that read and set the threads of the OpenBLAS in NumPy's wheel.

    The library is loaded already, so opening its file gives the very one NumPy uses.
    """
    import numpy as np

    home = Path(np.__file__).parent
    for folder in (home.parent / "numpy.libs", home / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(file))
            except OSError:
                continue
            for prefix in ("scipy_openblas", "openblas"):
                for suffix in ("64_", ""):
                    get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                    put = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                    if get is not None and put is not None:
                        return get, put
    return None
