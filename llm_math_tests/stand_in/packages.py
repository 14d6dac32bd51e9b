"""The stand-in's modules, put together."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

from llm_math_tests.stand_in import array, cuda, functions, offered, sampling, ufuncs

_KINDS = ("functions", "ufuncs", "shared")


class OfferedModule(ModuleType):
    """A module whose names come from the table and are made when first asked for."""

    def __getattr__(self, name: str) -> Any:
        value = functions.get(self.__name__, name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        named = {name for kind in _KINDS for name in offered.names(self.__name__, kind)}
        return sorted(named | set(vars(self)))


class _Grid:
    """``mgrid`` and ``ogrid``: slices in, device arrays out."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def __getitem__(self, key: Any) -> Any:
        return array.wrap(self._host[key])


def make() -> dict[str, ModuleType]:
    """Every module by its full name, each also an attribute of its parent."""
    made = {
        name: OfferedModule(name, "The llm-math-tests stand-in: NumPy behind CuPy's names.")
        for name in (
            "cupy",
            "cupy.linalg",
            "cupy.fft",
            "cupy.random",
            "cupy.exceptions",
            "cupyx",
            "cupyx.scipy",
            "cupyx.scipy.special",
        )
    }
    modules: dict[str, ModuleType] = {**made, "cupy.cuda": cuda.module()}
    modules["cupy.cuda.runtime"] = modules["cupy.cuda"].runtime
    for name, module in modules.items():
        parent, _, last = name.rpartition(".")
        module.__path__ = []
        # `importlib.util.find_spec` raises for a loaded module without one.
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        if parent:
            setattr(modules[parent], last, module)

    cupy: Any = modules["cupy"]
    cupy.__version__ = offered.table()["made_from"].removeprefix("CuPy ")
    cupy.ndarray = array.ndarray
    cupy.ufunc = ufuncs.ufunc
    cupy.get_default_memory_pool = cuda.get_default_memory_pool
    cupy.mgrid, cupy.ogrid = _Grid(np.mgrid), _Grid(np.ogrid)
    for kernel in cuda.KERNELS:
        setattr(cupy, kernel.__name__, kernel)
    random: Any = modules["cupy.random"]
    random.Generator, random.RandomState = sampling.Generator, sampling.RandomState
    return modules
