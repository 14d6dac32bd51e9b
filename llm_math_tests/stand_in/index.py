"""CuPy's indexing rules on top of NumPy's.

They differ in one way that matters: an integer *array* with an index out of bounds wraps
around in CuPy, because looking at the values would make the host wait for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_WRONG_KIND = (
    "only integers, slices (`:`), ellipsis (`...`),numpy.newaxis (`None`) and integer or "
    "boolean arrays are valid indices"
)


def prepare(key: object, shape: tuple[int, ...], host_of: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The NumPy index for a CuPy index.

    Args:
        key: What stood between the brackets.
        shape: Of the array that is indexed.
        host_of: Gives the NumPy array behind a stand-in array, and anything else unchanged.

    Returns:
        A tuple with an Ellipsis in it, so that NumPy gives back an array and never a scalar.
    """
    parts = [_part(part, host_of) for part in (key if isinstance(key, tuple) else (key,))]
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)
    used = sum(_axes(part) for part in parts)
    axis = 0
    for place, part in enumerate(parts):
        if part is Ellipsis:
            axis += len(shape) - used
            continue
        if _is_integers(part) and axis < len(shape) and shape[axis] > 0:
            # Narrow indices are widened before they wrap: 300 does not fit into uint8.
            parts[place] = part.astype(np.int64) % shape[axis]
        axis += _axes(part)
    return tuple(parts)


def _part(part: object, host_of: Callable[[Any], Any]) -> Any:
    part = host_of(part)
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if np.isscalar(part) and not isinstance(part, bool | np.bool_):
        return part
    # Lists and host arrays are copied to the device by CuPy, silently.
    array = np.asarray(_host_all(part, host_of))
    if array.size == 0 and isinstance(part, list | tuple):
        array = array.astype(np.int32)
    if array.dtype.kind not in "biufc":
        raise IndexError(_WRONG_KIND)
    if array.dtype.kind not in "biu":
        raise IndexError(
            "arrays used as indices must be of integer or boolean type. "
            f"(actual: {array.dtype.type})"
        )
    return array


def _host_all(part: Any, host_of: Callable[[Any], Any]) -> Any:
    if isinstance(part, list | tuple):
        return [_host_all(item, host_of) for item in part]
    return host_of(part)


def _axes(part: object) -> int:
    if part is None or part is Ellipsis:
        return 0
    if isinstance(part, np.ndarray) and part.dtype.kind == "b":
        return part.ndim
    return 1


def _is_integers(part: object) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind in "iu"


def is_advanced(parts: tuple[Any, ...]) -> bool:
    """Whether a prepared index holds an index array or a mask."""
    return any(isinstance(part, np.ndarray) for part in parts)
