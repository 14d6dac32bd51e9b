"""What this machine has, asked without importing a heavy library."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from functools import cache


def installed(package: str) -> bool:
    """Whether a package could be imported (it is not)."""
    return importlib.util.find_spec(package) is not None


@cache
def cuda_device_count() -> int:
    """How many CUDA devices the driver reports; 0 without a driver.

    Importing torch or CuPy to learn that there is no device would cost seconds,
    so the driver is asked itself.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value
