"""What may pass between the caller's device arrays and the NumPy arrays underneath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# The dtypes CuPy can hold, as NumPy's one-letter codes.
_DTYPES = frozenset("?bhilqBHILQefdFD")

IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


_watchers: list[Callable[[str], None]] = []


def leaving(how: str) -> None:
    """Say that values go to the host, where real CuPy would wait for the device."""
    for told in _watchers:
        told(how)


@contextmanager
def watched(told: Callable[[str], None]) -> Iterator[None]:
    """Hold this open to be told of every way to the host: ``.item()``, ``.get()``, ..."""
    _watchers.append(told)
    try:
        yield
    finally:
        _watchers.remove(told)


def unsupported(value: object) -> TypeError:
    """The error CuPy raises for an operand it cannot take."""
    return TypeError(f"Unsupported type {type(value)}")


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse strings, objects, long doubles and everything else a GPU cannot hold.

    Raises:
        ValueError: CuPy has no such dtype.
    """
    if dtype.char not in _DTYPES:
        raise ValueError(f"Unsupported dtype {dtype}")


def is_scalar(value: object) -> bool:
    """Whether CuPy's kernels take ``value`` as a number beside arrays."""
    return isinstance(value, bool | int | float | complex | np.number | np.bool_)
