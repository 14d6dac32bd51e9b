"""Whose code is running."""

from __future__ import annotations

import functools
import os
import sys
from types import FrameType

import torch


@functools.cache
def same_path(a: str, b: str) -> bool:
    """Whether two paths are one."""
    return os.path.normcase(os.path.abspath(a)) == os.path.normcase(os.path.abspath(b))


def called_by_torch() -> bool:
    """Whether torch's own Python code asks (a distribution that checks its input)."""
    frame: FrameType | None = sys._getframe(1)
    # Skip this package, and the file of the modes' machinery.
    while frame is not None and frame.f_code.co_filename.startswith((_HERE + os.sep, _OVERRIDES)):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(_TORCH + os.sep)


_HERE = os.path.dirname(__file__)
_TORCH = os.path.dirname(torch.__file__)
_OVERRIDES = os.path.join(_TORCH, "overrides.py")
