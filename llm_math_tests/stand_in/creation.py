"""Functions where data crosses between host and device, or that make arrays from numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llm_math_tests.stand_in import crossing, sampling
from llm_math_tests.stand_in.array import ndarray, to_device, to_host, unwrap, wrap


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool | None = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """A device array from anything: a host array is always copied, as a transfer copies."""
    if subok:
        raise NotImplementedError
    if isinstance(obj, ndarray):
        host = to_host(obj)
        wanted = host.dtype if dtype is None else np.dtype(dtype)
        if not copy and wanted == host.dtype and order in (None, "K", "A") and ndmin <= host.ndim:
            return obj
        if copy is False and wanted != host.dtype:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        with np.errstate(all="ignore"):
            made = host.astype(wanted, order=order or "K")
        return to_device(np.array(made, ndmin=ndmin, order=order or "K"))
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    if _holds_device_arrays(obj):
        return to_device(np.array(_all_device(obj), dtype=dtype, ndmin=ndmin))
    made = np.array(obj, dtype=dtype, order=order or "K", ndmin=ndmin)
    crossing.check_dtype(made.dtype)
    # As CuPy sends a host array: in C order, or in Fortran order if it was.
    contiguous = "F" if made.flags.f_contiguous and not made.flags.c_contiguous else "C"
    return to_device(np.array(made, order=contiguous, copy=True))  # type: ignore[call-overload]


def _holds_device_arrays(obj: Any) -> bool:
    if isinstance(obj, list | tuple):
        return any(_holds_device_arrays(item) for item in obj)
    return isinstance(obj, ndarray)


def _all_device(obj: Any) -> Any:
    # A list that mixes device arrays with numbers goes through NumPy in CuPy, and fails there.
    if isinstance(obj, list | tuple):
        return [_all_device(item) for item in obj]
    if not isinstance(obj, ndarray):
        raise TypeError(crossing.IMPLICIT)
    return to_host(obj)


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False
) -> ndarray:
    """The array itself if it is one of the device's."""
    return array(a, dtype, copy, order)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """C order, at least one axis."""
    on_device = asarray(a, dtype)
    host = to_host(on_device)
    if host.ndim and host.flags.c_contiguous:
        return on_device
    return to_device(np.ascontiguousarray(host))


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    """Fortran order, at least one axis."""
    on_device = asarray(a, dtype)
    host = to_host(on_device)
    if host.ndim and host.flags.f_contiguous:
        return on_device
    return to_device(np.asfortranarray(np.atleast_1d(host)))


def asnumpy(
    a: Any, stream: Any = None, order: Any = "C", out: Any = None, *, blocking: bool = True
) -> Any:
    """A copy in host memory."""
    if isinstance(a, ndarray):
        return a.get(stream=stream, order=order, out=out)
    made = np.asarray(a, order=order)
    if out is None:
        return made
    out[...] = made
    return out


def copy(a: Any, order: str = "K") -> ndarray:
    """A copy of a device array."""
    return _device(a).copy(order=order)


def get_array_module(*args: Any) -> Any:
    """`cupy` if one of the arguments lives there, else `numpy`."""
    from llm_math_tests.stand_in import modules

    return modules()["cupy"] if any(isinstance(arg, ndarray) for arg in args) else np


def is_available() -> bool:
    """There is no CUDA here."""
    return False


def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C") -> ndarray:
    """One value everywhere."""
    made: ndarray = wrap(np.full(shape, unwrap(fill_value), dtype, order))
    return made


def empty(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    """Uninitialized."""
    return ndarray(shape, dtype, order=order)


def zeros(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    """Zeros."""
    return to_device(np.zeros(shape, dtype, order))


def ones(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    """Ones."""
    return to_device(np.ones(shape, dtype, order))


def _like(make: Callable[..., Any]) -> Callable[..., ndarray]:
    def made(
        a: Any, dtype: Any = None, order: Any = "K", subok: Any = None, shape: Any = None
    ) -> ndarray:
        if subok is not None:
            raise TypeError("subok is not supported yet")
        return to_device(make(to_host(_device(a)), dtype=dtype, order=order, shape=shape))

    return made


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = None,
    shape: Any = None,
) -> ndarray:
    """One value everywhere, in the shape and type of another array."""
    made = _like(np.empty_like)(a, dtype, order, subok, shape)
    made.fill(fill_value)
    return made


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    """Steps between two numbers; CuPy needs numbers from the host here."""
    for number in (start, stop, step):
        if isinstance(number, ndarray | np.ndarray):
            raise crossing.unsupported(number)
    first, last = (0, start) if stop is None else (start, stop)
    return to_device(np.arange(first, last, step, dtype=dtype))


def size(a: Any, axis: int | None = None) -> int:
    """How many elements."""
    shape = _device(a).shape
    return shape[axis] if axis is not None else int(np.prod(shape))


def scatter_add(a: Any, slices: Any, value: Any) -> None:
    """Add at places of an array; a place given twice gets both."""
    _device(a).scatter_add(slices, value)


def scatter_max(a: Any, slices: Any, value: Any) -> None:
    """Keep the larger at places of an array."""
    _device(a).scatter_max(slices, value)


def scatter_min(a: Any, slices: Any, value: Any) -> None:
    """Keep the smaller at places of an array."""
    _device(a).scatter_min(slices, value)


def fuse(*args: Any, **kwargs: Any) -> Any:
    """The function itself: nothing is fused, the result is the same.

    Like CuPy's, the decorated function takes positional arguments only.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*values: Any) -> Any:
            for value in values:
                if not isinstance(value, ndarray) and not crossing.is_scalar(value):
                    raise TypeError(f"{type(value)} is not supported by cupy.fuse")
            return function(*values)

        fused.__name__ = kwargs.get("kernel_name") or function.__name__
        fused.__doc__ = function.__doc__
        return fused

    unknown = set(kwargs) - {"kernel_name"}
    if unknown:
        raise TypeError(f"fuse() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    return decorate(args[0]) if args and callable(args[0]) else decorate


def _device(value: Any) -> ndarray:
    if not isinstance(value, ndarray):
        raise crossing.unsupported(value)
    return value


# CuPy's functions that take care of what crosses themselves.
OWN: dict[str, dict[str, Callable[..., Any]]] = {
    "cupy": {
        "array": array,
        "asarray": asarray,
        "asanyarray": asarray,
        "ascontiguousarray": ascontiguousarray,
        "asfortranarray": asfortranarray,
        "asnumpy": asnumpy,
        "copy": copy,
        "get_array_module": get_array_module,
        "is_available": is_available,
        "full": full,
        "empty": empty,
        "zeros": zeros,
        "ones": ones,
        "empty_like": _like(np.empty_like),
        "zeros_like": _like(np.zeros_like),
        "ones_like": _like(np.ones_like),
        "full_like": full_like,
        "arange": arange,
        "size": size,
        "fuse": fuse,
    },
    "cupyx": {
        "scatter_add": scatter_add,
        "scatter_max": scatter_max,
        "scatter_min": scatter_min,
    },
    "cupy.random": sampling.FUNCTIONS,
}
