"""The stand-in's ufunc: CuPy's arguments and methods around a NumPy (or SciPy) function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llm_math_tests.stand_in import crossing, index
from llm_math_tests.stand_in.array import _host_of, ndarray, to_device

# Only these have an atomic form on the device.
_AT = frozenset(
    ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")
)


class ufunc:  # noqa: N801
    """An elementwise function on arrays and scalars, with `out`, `dtype` and `casting`.

    CuPy's ufuncs know neither `where` nor `subok` nor `order`.
    """

    def __init__(
        self, name: str, host: Callable[..., Any], nin: int, nout: int, types: list[str]
    ) -> None:
        self.name = self.__name__ = f"cupy_{name}"
        self.nin, self.nout, self.nargs = nin, nout, nin + nout
        self.types = types
        self._own_name = name
        self._host = host

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply to arrays and scalars."""
        out = kwargs.pop("out", None)
        dtype = kwargs.pop("dtype", None)
        casting = kwargs.pop("casting", "same_kind")
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} "
                f"or {self.nargs} (with outputs), but given {len(args)}."
            )
        if len(args) == self.nargs and self.nout:
            if out is not None:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            out = args[self.nin :]
        outs = () if out is None else out if isinstance(out, tuple) else (out,)
        for array in outs:
            if not isinstance(array, ndarray):
                raise TypeError(f"return arrays must be of ArrayType, not {type(array)}")
        inputs = [_operand(arg) for arg in args[: self.nin]]
        with np.errstate(all="ignore"):
            if isinstance(self._host, np.ufunc):
                results = self._by_numpy(inputs, outs, dtype, casting)
            else:
                results = self._by_loop(inputs, outs, dtype, casting)
        wrapped = tuple(outs) or tuple(to_device(np.asarray(result)) for result in results)
        return wrapped[0] if self.nout == 1 else wrapped

    def _by_numpy(self, inputs: list[Any], outs: Any, dtype: Any, casting: str) -> tuple[Any, ...]:
        kwargs: dict[str, Any] = {"casting": casting}
        if outs:
            kwargs["out"] = tuple(array._host for array in outs)
        if dtype is not None:
            kwargs["dtype"] = dtype
        results = self._host(*inputs, **kwargs)
        return results if isinstance(results, tuple) else (results,)

    def _by_loop(self, inputs: list[Any], outs: Any, dtype: Any, casting: str) -> tuple[Any, ...]:
        loop = self._loop(inputs, dtype)
        takes, gives = loop.split("->")
        # SciPy and NumPy have no half-precision loops for these.
        typed = [
            np.asarray(value).astype("f" if char == "e" else char)
            for value, char in zip(inputs, takes, strict=True)
        ]
        results = self._host(*typed)
        results = results if isinstance(results, tuple) else (results,)
        cast = tuple(np.asarray(r).astype(char) for r, char in zip(results, gives, strict=True))
        for array, result in zip(outs, cast, strict=False):
            np.copyto(array._host, result, casting=casting)  # type: ignore[arg-type]
        return cast

    def _loop(self, inputs: list[Any], dtype: Any) -> str:
        wanted = np.dtype(dtype).char if dtype is not None else None
        weak = [type(value) in (bool, int, float, complex) for value in inputs]
        # A Python number has no dtype of its own beside an array.
        strong = [v for v, w in zip(inputs, weak, strict=True) if not w] or inputs
        common = np.result_type(*[np.asarray(value) for value in strong])
        if any(w and isinstance(v, float) for v, w in zip(inputs, weak, strict=True)) and (
            common.kind in "biu"
        ):
            common = np.dtype(np.float64)
        for loop in self.types:
            takes, gives = loop.split("->")
            if wanted is not None:
                if gives[0] == wanted:
                    return loop
            elif all(np.can_cast(common, char) for char in takes):
                return loop
        raise TypeError(f"Wrong type ({common}) of arguments for {self.name}")

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Only sums and products can be reduced so."""
        method = {"add": "sum", "multiply": "prod"}.get(self._own_name)
        if method is None:
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return getattr(array, method)(axis, dtype, out, keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        """Only sums and products can be accumulated."""
        method = {"add": "cumsum", "multiply": "cumprod"}.get(self._own_name)
        if method is None:
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return getattr(array, method)(axis, dtype, out)

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:  # noqa: N803
        """Every element of one with every element of the other."""
        first, second = _operand(A), _operand(B)
        reshaped = np.reshape(first, np.shape(first) + (1,) * np.ndim(second))
        return self(to_device(reshaped), B, **kwargs)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """Apply in place at the given places; a place given twice gets both."""
        if self._own_name not in _AT or not isinstance(self._host, np.ufunc):
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        parts = index.prepare(indices, a.shape, _host_of)
        with np.errstate(all="ignore"):
            self._host.at(_operand(a), parts, np.asarray(_operand(b)).astype(a.dtype))


ufunc.__module__ = "cupy"


def _operand(value: Any) -> Any:
    if isinstance(value, ndarray):
        return value._host
    if not crossing.is_scalar(value):
        raise crossing.unsupported(value)
    return value
