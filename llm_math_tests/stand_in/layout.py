"""What CuPy says about where and how an array lies in memory."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from llm_math_tests.stand_in.cuda import Device

Host = npt.NDArray[Any]


class Flags:
    """What CuPy says about memory layout: three facts, and none about writing."""

    def __init__(self, host: Host) -> None:
        self.c_contiguous = host.flags.c_contiguous
        self.f_contiguous = host.flags.f_contiguous
        self.owndata = host.base is None

    @property
    def fnc(self) -> bool:
        """Fortran-contiguous and not C-contiguous."""
        return self.f_contiguous and not self.c_contiguous

    @property
    def forc(self) -> bool:
        """Contiguous either way."""
        return self.f_contiguous or self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        known = {
            "C_CONTIGUOUS": self.c_contiguous,
            "F_CONTIGUOUS": self.f_contiguous,
            "OWNDATA": self.owndata,
        }
        if name not in known:
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return known[name]

    def __repr__(self) -> str:
        return (
            f"  C_CONTIGUOUS : {self.c_contiguous}\n"
            f"  F_CONTIGUOUS : {self.f_contiguous}\n"
            f"  OWNDATA : {self.owndata}\n"
        )


class MemoryPointer:
    """Where an array starts. The number is a host address and only good for comparing."""

    def __init__(self, host: Host) -> None:
        self.ptr: int = host.ctypes.data
        self.device_id = 0

    @property
    def device(self) -> Device:
        """The one device there is."""
        return Device(self.device_id)
