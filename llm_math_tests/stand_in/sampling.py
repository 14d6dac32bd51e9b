"""``cupy.random`` by NumPy: the same distributions, not the same numbers as on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from llm_math_tests.stand_in.array import ndarray, to_device, to_host, unwrap


def _made(values: Any, dtype: Any, out: Any = None) -> ndarray:
    made = np.asarray(values)
    if dtype is not None:
        made = made.astype(dtype, copy=False)
    if out is None:
        return to_device(made)
    out[...] = to_device(made)
    result: ndarray = out
    return result


class Generator:
    """The new generator; CuPy's has no `normal`, `choice`, `permutation` or `shuffle`."""

    def __init__(self, seed: Any = None) -> None:
        self._host = np.random.default_rng(seed)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> ndarray:
        """Uniform in [0, 1)."""
        return _made(self._host.random(_size(size, out), np.dtype(dtype)), dtype, out)

    def standard_normal(
        self, size: Any = None, dtype: Any = np.float64, out: Any = None
    ) -> ndarray:
        """Mean 0, variance 1."""
        return _made(self._host.standard_normal(_size(size, out)), dtype, out)

    def standard_exponential(
        self, size: Any = None, dtype: Any = np.float64, method: Any = "inv", out: Any = None
    ) -> ndarray:
        """Rate 1."""
        return _made(self._host.standard_exponential(_size(size, out)), dtype, out)

    def uniform(
        self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = np.float64
    ) -> ndarray:
        """Uniform in [low, high)."""
        return _made(self._host.uniform(unwrap(low), unwrap(high), size), dtype)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> ndarray:
        """Mean `scale`."""
        return _made(self._host.exponential(unwrap(scale), size), None)

    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> ndarray:
        """Whole numbers in [low, high)."""
        return _made(self._host.integers(low, high, size, dtype, endpoint), dtype)


def _size(size: Any, out: Any) -> Any:
    return out.shape if size is None and out is not None else size


class RandomState:
    """The old generator."""

    def __init__(self, seed: Any = None, method: Any = None) -> None:
        self._host = np.random.RandomState(seed)

    def seed(self, seed: Any = None) -> None:
        """Start again."""
        self._host.seed(seed)

    def random_sample(self, size: Any = None, dtype: Any = float) -> ndarray:
        """Uniform in [0, 1)."""
        return _made(self._host.random_sample(size), dtype)

    def rand(self, *size: Any, **kwarg: Any) -> ndarray:
        """Uniform in [0, 1)."""
        return _made(self._host.random_sample(size), _only_dtype(kwarg))

    def randn(self, *size: Any, **kwarg: Any) -> ndarray:
        """Mean 0, variance 1."""
        return _made(self._host.standard_normal(size), _only_dtype(kwarg))

    def standard_normal(self, size: Any = None, dtype: Any = float) -> ndarray:
        """Mean 0, variance 1."""
        return _made(self._host.standard_normal(size), dtype)

    def normal(
        self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: Any = float
    ) -> ndarray:
        """Mean `loc`, standard deviation `scale`."""
        return _made(self._host.normal(unwrap(loc), unwrap(scale), size), dtype)

    def uniform(
        self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = float
    ) -> ndarray:
        """Uniform in [low, high)."""
        return _made(self._host.uniform(unwrap(low), unwrap(high), size), dtype)

    def randint(self, low: Any, high: Any = None, size: Any = None, dtype: Any = int) -> ndarray:
        """Whole numbers in [low, high)."""
        return _made(self._host.randint(low, high, size), dtype)

    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None) -> ndarray:
        """Elements of an array, or of `range(a)`."""
        return _made(self._host.choice(unwrap(a), size, replace, unwrap(p)), None)

    def permutation(self, a: Any) -> ndarray:
        """An array in another order, or `range(a)` in one."""
        return _made(self._host.permutation(unwrap(a)), None)

    def shuffle(self, a: Any) -> None:
        """Another order, in place."""
        self._host.shuffle(to_host(a))


def _only_dtype(kwarg: dict[str, Any]) -> Any:
    dtype = kwarg.pop("dtype", float)
    if kwarg:
        raise TypeError(f"got unexpected keyword arguments {sorted(kwarg)}")
    return dtype


def default_rng(seed: Any = None) -> Generator:
    """A generator."""
    return Generator(seed)


@cache
def _global() -> RandomState:
    # Made when first used: seeding it would slow every import.
    return RandomState()


def _by_global(method: str) -> Callable[..., Any]:
    def sample(*args: Any, **kwargs: Any) -> Any:
        return getattr(_global(), method)(*args, **kwargs)

    return sample


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "default_rng": default_rng,
    "seed": _by_global("seed"),
    "random": _by_global("random_sample"),
    "random_sample": _by_global("random_sample"),
    "rand": _by_global("rand"),
    "randn": _by_global("randn"),
    "standard_normal": _by_global("standard_normal"),
    "normal": _by_global("normal"),
    "uniform": _by_global("uniform"),
    "randint": _by_global("randint"),
    "choice": _by_global("choice"),
    "permutation": _by_global("permutation"),
    "shuffle": _by_global("shuffle"),
}

Generator.__module__ = RandomState.__module__ = "cupy.random"
