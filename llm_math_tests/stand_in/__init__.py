"""A ``cupy`` without a GPU: NumPy underneath, CuPy's names, signatures and refusals on top.

It lets the CuPy track run on a machine with no device, and it is strict so that what runs
here also runs there: a host array does not mix with a device array, nothing turns into a
NumPy array by itself, a reduction gives a 0-d array and an unknown name is an error. Where
real CuPy lets a host array slip through by accident, the stand-in refuses too.

A result from here shows that the code is right, never that it ran on a GPU.

What is offered is read from ``offered.json``, which ``survey.py`` makes from a real CuPy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from llm_math_tests.stand_in.array import ndarray, to_device, to_host

__all__ = ["installed", "modules", "ndarray", "to_device", "to_host"]

_made: dict[str, ModuleType] = {}


def modules() -> dict[str, ModuleType]:
    """The stand-in's modules by the name a student imports; made once."""
    if not _made:
        from llm_math_tests.stand_in.packages import make

        _made.update(make())
    return _made


@contextmanager
def installed() -> Iterator[ModuleType]:
    """Let ``import cupy`` find the stand-in, and put back afterwards what was there.

    Yields:
        The stand-in ``cupy``.
    """
    ours = modules()
    theirs = {name: sys.modules[name] for name in list(sys.modules) if _is_cupy(name)}
    for name in theirs:
        del sys.modules[name]
    sys.modules.update(ours)
    try:
        yield ours["cupy"]
    finally:
        for name in [name for name in sys.modules if _is_cupy(name)]:
            del sys.modules[name]
        sys.modules.update(theirs)


def _is_cupy(name: str) -> bool:
    return name.partition(".")[0] in ("cupy", "cupyx")
