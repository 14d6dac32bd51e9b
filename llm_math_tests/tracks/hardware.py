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


def missing_for_gpu() -> list[str]:
    """What keeps the torch and cupy tracks from running on a GPU here, in words."""
    missing = []
    if not cuda_device_count():
        missing.append("the CUDA driver reports no device")
    for package, name in (("torch", "PyTorch"), ("cupy", "CuPy")):
        if not installed(package):
            missing.append(f"{name} is not installed")
    if not missing:
        import torch

        if not torch.cuda.is_available():
            missing.append(f"this PyTorch ({torch.__version__}) cannot use CUDA")
    return missing
