"""Where CuPy does something else than the NumPy function of the same name.

Everything here speaks NumPy arrays. Three differences repeat: CuPy sums and multiplies half
precision in single precision, it wraps indices that are out of bounds, and it has arguments
that NumPy does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Host = npt.NDArray[Any]


def in_single(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let half-precision arrays be computed in float32 and rounded once, as a GPU does."""

    def computed(*args: Any, **kwargs: Any) -> Any:
        arrays = [arg for arg in _flat(args) if isinstance(arg, np.ndarray)]
        if not arrays or any(array.dtype != np.float16 for array in arrays):
            return function(*args, **kwargs)
        out = kwargs.pop("out", None)
        result = np.asarray(function(*_single(args), **kwargs)).astype(np.float16)
        if out is None:
            return result
        out[...] = result
        return out

    return computed


def _flat(args: Any) -> list[Any]:
    found: list[Any] = []
    for arg in args:
        found.extend(_flat(arg) if isinstance(arg, list | tuple) else [arg])
    return found


def _single(arg: Any) -> Any:
    if isinstance(arg, list | tuple):
        return type(arg)(_single(item) for item in arg)
    return arg.astype(np.float32) if isinstance(arg, np.ndarray) else arg


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """A sum or product whose half-precision form accumulates in float32."""

    def reduced(
        a: Host,
        axis: Any = None,
        dtype: Any = None,
        out: Host | None = None,
        keepdims: Any = False,
    ) -> Any:
        target = np.dtype(dtype) if dtype is not None else a.dtype
        if target != np.float16:
            return function(a, axis=axis, dtype=dtype, out=out, keepdims=bool(keepdims))
        result = function(a, axis=axis, dtype=np.float32, keepdims=bool(keepdims))
        rounded = np.asarray(result).astype(np.float16)
        if out is None:
            return rounded
        out[...] = rounded
        return out

    return reduced


def argmax(
    a: Host, axis: Any = None, dtype: Any = None, out: Host | None = None, keepdims: bool = False
) -> Any:
    """CuPy's has a dtype for the result."""
    return _typed(np.argmax(a, axis=axis, keepdims=keepdims), dtype, out)


def argmin(
    a: Host, axis: Any = None, dtype: Any = None, out: Host | None = None, keepdims: bool = False
) -> Any:
    """CuPy's has a dtype for the result."""
    return _typed(np.argmin(a, axis=axis, keepdims=keepdims), dtype, out)


def nanargmax(
    a: Host, axis: Any = None, dtype: Any = None, out: Host | None = None, keepdims: bool = False
) -> Any:
    """CuPy's has a dtype for the result."""
    return _typed(np.nanargmax(a, axis=axis, keepdims=keepdims), dtype, out)


def nanargmin(
    a: Host, axis: Any = None, dtype: Any = None, out: Host | None = None, keepdims: bool = False
) -> Any:
    """CuPy's has a dtype for the result."""
    return _typed(np.nanargmin(a, axis=axis, keepdims=keepdims), dtype, out)


def _typed(result: Any, dtype: Any, out: Host | None) -> Any:
    typed = np.asarray(result, dtype=dtype)
    if out is None:
        return typed
    out[...] = typed
    return out


def take(a: Host, indices: Any, axis: int | None = None, out: Host | None = None) -> Any:
    """Wraps around where an index is out of bounds."""
    return np.take(a, indices, axis=axis, out=out, mode="wrap")


def take_along_axis(a: Host, indices: Host, axis: int | None) -> Any:
    """Wraps around where an index is out of bounds."""
    return np.take_along_axis(a, _wrapped(a, indices, axis), axis=axis)


def put_along_axis(arr: Host, indices: Host, values: Any, axis: int | None) -> None:
    """Wraps around where an index is out of bounds."""
    np.put_along_axis(arr, _wrapped(arr, indices, axis), values, axis=axis)


def _wrapped(a: Host, indices: Host, axis: int | None) -> Host:
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    length = a.size if axis is None else a.shape[axis]
    wrapped: Host = indices % length if length else indices
    return wrapped


def put(a: Host, ind: Any, v: Any, mode: str = "wrap") -> None:
    """Wraps by default, where NumPy raises."""
    np.put(a, ind, v, mode=mode)  # type: ignore[arg-type]


def clip(a: Host, a_min: Any, a_max: Any, out: Host | None = None) -> Any:
    """At least one bound is needed."""
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    return np.clip(a, a_min, a_max, out=out)


def einsum(*operands: Any, **kwargs: Any) -> Any:
    """CuPy knows two keywords."""
    dtype = kwargs.pop("dtype", None)
    optimize = kwargs.pop("optimize", False)
    if kwargs:
        raise TypeError(f"Did not understand the following kwargs: {list(kwargs)}")
    if dtype is not None:
        operands = tuple(
            item.astype(dtype) if isinstance(item, np.ndarray) else item for item in operands
        )
    return np.einsum(*operands, optimize=optimize)


def matmul(*args: Any, **kwargs: Any) -> Any:
    """A generalized ufunc of CuPy's own; `order` has no effect on the values."""
    kwargs.pop("order", None)
    return np.matmul(*args, **kwargs)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Three arguments or one."""
    missing = (x is None, y is None)
    if all(missing):
        return np.nonzero(np.atleast_1d(condition))
    if any(missing):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    return np.where(condition, x, y)


def reshape(a: Host, newshape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """The shape has another name, and `copy` is understood by every NumPy we support."""
    result = np.reshape(a, newshape, order=order)  # type: ignore[call-overload]
    shares = np.shares_memory(result, a) if a.size else True
    if copy is False and not shares:
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    return result.copy() if copy and shares else result


def astype(x: Host, dtype: Any, /, *, copy: bool = True) -> Any:
    """The array-API spelling, which NumPy 1 lacks."""
    return x.astype(dtype, copy=copy)


def matrix_rank(M: Host, tol: Any = None) -> Any:  # noqa: N803
    """NumPy names the array otherwise."""
    return np.linalg.matrix_rank(M, tol)


def matrix_transpose(x: Host, /) -> Any:
    """The array-API spelling, which NumPy 1 lacks."""
    return np.swapaxes(x, -1, -2)


def sort(a: Host, axis: int | None = -1, kind: Any = None) -> Any:
    """Stable, whatever is asked."""
    _check_kind(kind)
    return np.sort(a, axis=axis, kind="stable")


def argsort(a: Host, axis: int | None = -1, kind: Any = None) -> Any:
    """Stable, whatever is asked."""
    _check_kind(kind)
    return np.argsort(a, axis=axis, kind="stable")


def sort_in_place(a: Host, axis: int = -1, kind: Any = None) -> None:
    """Stable, whatever is asked."""
    _check_kind(kind)
    a.sort(axis=axis, kind="stable")


def _check_kind(kind: Any) -> None:
    if kind not in (None, "stable"):
        raise ValueError(f"kind can only be None or 'stable', not {kind!r}")


def compress(a: Host, condition: Any, axis: int | None = None, out: Host | None = None) -> Any:
    """The method names the array first."""
    return np.compress(condition, a, axis=axis, out=out)


def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "wrap", order: str = "C") -> Any:
    """Wraps by default, where NumPy raises."""
    return np.ravel_multi_index(multi_index, dims, mode=mode, order=order)  # type: ignore[call-overload]


def pinv(a: Host, rcond: float = 1e-15) -> Any:
    """The cutoff has another default."""
    return np.linalg.pinv(a, rcond)


# CuPy's cuBLAS calls and these reductions accumulate half precision in single precision.
RULES: dict[str, Callable[..., Any]] = {
    "cupy.sum": reduction(np.sum),
    "cupy.prod": reduction(np.prod),
    "cupy.nansum": reduction(np.nansum),
    "cupy.nanprod": reduction(np.nanprod),
    "cupy.argmax": argmax,
    "cupy.argmin": argmin,
    "cupy.nanargmax": nanargmax,
    "cupy.nanargmin": nanargmin,
    "cupy.take": take,
    "cupy.take_along_axis": take_along_axis,
    "cupy.put_along_axis": put_along_axis,
    "cupy.put": put,
    "cupy.clip": clip,
    "cupy.einsum": in_single(einsum),
    "cupy.matmul": in_single(matmul),
    "cupy.dot": in_single(np.dot),
    "cupy.inner": in_single(np.inner),
    "cupy.vdot": in_single(np.vdot),
    "cupy.tensordot": in_single(np.tensordot),
    "cupy.sort": sort,
    "cupy.argsort": argsort,
    "cupy.where": where,
    "cupy.reshape": reshape,
    "cupy.astype": astype,
    "cupy.matrix_transpose": matrix_transpose,
    "cupy.linalg.matrix_transpose": matrix_transpose,
    "cupy.linalg.matmul": in_single(matmul),
    "cupy.linalg.matrix_rank": matrix_rank,
    "cupy.linalg.pinv": pinv,
    "cupy.ravel_multi_index": ravel_multi_index,
}

# The methods of an array; the others are NumPy's.
METHODS: dict[str, Callable[..., Any]] = {
    "sum": RULES["cupy.sum"],
    "prod": RULES["cupy.prod"],
    "argmax": argmax,
    "argmin": argmin,
    "argsort": argsort,
    "compress": compress,
    "dot": RULES["cupy.dot"],
    "ptp": np.ptp,
    "put": put,
    "sort": sort_in_place,
    "take": take,
}
