"""The stand-in's array: a NumPy array behind CuPy's methods and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from llm_math_tests.stand_in import crossing, index, rules
from llm_math_tests.stand_in.cuda import Device
from llm_math_tests.stand_in.layout import Flags, MemoryPointer

Host = npt.NDArray[Any]


def to_device(host: Host) -> ndarray:
    """A stand-in array over the memory of ``host``: no copy, the same strides.

    Raises:
        TypeError: ``host`` is not a NumPy array.
        ValueError: CuPy has no such dtype.
    """
    if not isinstance(host, np.ndarray):
        raise TypeError(f"to_device takes a numpy.ndarray, not {type(host)}")
    crossing.check_dtype(host.dtype)
    array = object.__new__(ndarray)
    # A subclass (memmap, matrix) would behave as itself; a view of it is a plain array.
    array._host = host if type(host) is np.ndarray else host.view(np.ndarray)
    return array


def to_host(array: ndarray) -> Host:
    """The NumPy array behind a stand-in array, not a copy."""
    return array._host


def unwrap(value: Any) -> Any:
    """NumPy arrays for stand-in arrays, also inside lists and tuples; host arrays are refused.

    Raises:
        TypeError: a NumPy array stands where CuPy wants one on the device.
    """
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise crossing.unsupported(value)
    if type(value) in (list, tuple):
        return type(value)(unwrap(item) for item in value)
    return value


def wrap(value: Any) -> Any:
    """Stand-in arrays for NumPy arrays and scalars, also inside lists and tuples."""
    if isinstance(value, np.ndarray):
        return to_device(value)
    if isinstance(value, np.generic | bool | int | float | complex):
        return to_device(np.asarray(value))
    if isinstance(value, list):
        return [wrap(item) for item in value]
    if isinstance(value, tuple):
        return tuple(wrap(item) for item in value)
    return value


def _host_of(value: Any) -> Any:
    return value._host if isinstance(value, ndarray) else value


def _defers(other: object) -> bool:
    # As in CuPy: an operand that says it knows better gets its reflected method.
    if isinstance(other, ndarray | np.ndarray) or crossing.is_scalar(other):
        return False
    if getattr(other, "__array_ufunc__", True) is None:
        return True
    priority = getattr(other, "__array_priority__", None)
    return priority is not None and priority > ndarray.__array_priority__


def _ufunc(name: str) -> Any:
    from llm_math_tests.stand_in import functions

    return functions.get("cupy", name)


def _operator(name: str) -> Callable[[ndarray, Any], Any]:
    def operate(self: ndarray, other: Any) -> Any:
        return NotImplemented if _defers(other) else _ufunc(name)(self, other)

    return operate


def _reflected(name: str) -> Callable[[ndarray, Any], Any]:
    def operate(self: ndarray, other: Any) -> Any:
        return NotImplemented if _defers(other) else _ufunc(name)(other, self)

    return operate


def _in_place(name: str) -> Callable[[ndarray, Any], Any]:
    def operate(self: ndarray, other: Any) -> Any:
        return _ufunc(name)(self, other, self)

    return operate


def _unary(name: str) -> Callable[[ndarray], Any]:
    def operate(self: ndarray) -> Any:
        return _ufunc(name)(self)

    return operate


def _compare(name: str, otherwise: bool | None = None) -> Callable[[ndarray, Any], Any]:
    def operate(self: ndarray, other: Any) -> Any:
        if _defers(other):
            return NotImplemented
        # None, Ellipsis and other plain objects are unequal to every element.
        plain: Any = type(other).__eq__ is object.__eq__  # type: ignore[comparison-overlap]
        if otherwise is not None and plain:
            return to_device(np.full(self.shape, otherwise))
        return _ufunc(name)(self, other)

    return operate


def _as_function(name: str) -> Callable[..., Any]:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        from llm_math_tests.stand_in import functions

        return functions.method(name)(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"As ``numpy.ndarray.{name}``, with CuPy's parameters."
    return method


class ndarray:  # noqa: N801
    """CuPy's array, kept in host memory.

    ``__array_priority__`` and the two protocols are CuPy's: ``numpy.exp(x)`` becomes
    ``cupy.exp(x)``, and ``numpy.asarray(x)`` is refused.
    """

    __slots__ = ("__weakref__", "_host")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]
    _host: Host

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: Any = None,
        strides: Any = None,
        order: Any = "C",
    ) -> None:
        if memptr is not None or strides is not None:
            raise NotImplementedError("the stand-in has no device memory to point to")
        self._host = np.empty(shape, dtype, order)
        crossing.check_dtype(self._host.dtype)

    # Layout

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._host.shape

    @shape.setter
    def shape(self, newshape: Any) -> None:
        self._host = self._host.view()
        self._host.shape = newshape

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        return self._host.strides

    @property
    def dtype(self) -> np.dtype[Any]:
        """The elements' type."""
        return self._host.dtype

    @property
    def ndim(self) -> int:
        """How many axes."""
        return self._host.ndim

    @property
    def size(self) -> int:
        """How many elements."""
        return self._host.size

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self._host.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._host.nbytes

    @property
    def flags(self) -> Flags:
        """Contiguity and ownership."""
        return Flags(self._host)

    @property
    def data(self) -> MemoryPointer:
        """Where the elements start."""
        return MemoryPointer(self._host)

    @property
    def device(self) -> Device:
        """Device 0, always."""
        return self.data.device

    @property
    def base(self) -> ndarray | None:
        """The array this one is a view of."""
        base = self._host.base
        return to_device(base) if isinstance(base, np.ndarray) else None

    @property
    def T(self) -> ndarray:  # noqa: N802
        """Axes reversed; the array itself below two axes."""
        return self if self.ndim < 2 else to_device(self._host.T)

    @property
    def mT(self) -> ndarray:  # noqa: N802
        """The last two axes swapped."""
        if self.ndim < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        return to_device(np.swapaxes(self._host, -1, -2))

    @property
    def real(self) -> ndarray:
        """The real part, a view."""
        return to_device(self._host.real)

    @real.setter
    def real(self, value: Any) -> None:
        self._host.real = unwrap(value)

    @property
    def imag(self) -> ndarray:
        """The imaginary part."""
        return to_device(self._host.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        self._host.imag = unwrap(value)

    # To the host: every one of these waits for the device in real CuPy

    def get(
        self, stream: Any = None, order: Any = "C", out: Any = None, blocking: bool = True
    ) -> Host:
        """A copy in host memory."""
        crossing.leaving(".get()")
        if out is None:
            return np.array(self._host, order=order, copy=True)
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if out.dtype != self.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
        if out.shape != self.shape:
            raise ValueError(
                f"Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}"
            )
        out[...] = self._host
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy a host array of the same shape and dtype into this one."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        self._host[...] = arr

    def item(self) -> Any:
        """The one element as a Python scalar."""
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        crossing.leaving(".item()")
        return self._host.item()

    def tolist(self) -> Any:
        """The elements as nested lists."""
        crossing.leaving(".tolist()")
        return self._host.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The elements' bytes."""
        crossing.leaving(".tobytes()")
        return self._host.tobytes(order)

    def __bool__(self) -> bool:
        crossing.leaving("bool()")
        return bool(self._host)

    def __int__(self) -> int:
        crossing.leaving("int()")
        return int(self._host)

    def __float__(self) -> float:
        crossing.leaving("float()")
        return float(self._host)

    def __complex__(self) -> complex:
        crossing.leaving("complex()")
        return complex(self._host)

    def __repr__(self) -> str:
        return repr(self._host)

    def __str__(self) -> str:
        return str(self._host)

    def __format__(self, format_spec: str) -> str:
        return format(self._host, format_spec)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TypeError(crossing.IMPLICIT)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        out = kwargs.get("out")
        if out is not None:
            if len(out) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            kwargs["out"] = out[0]
        try:
            ours = _ufunc(ufunc.__name__)
        except AttributeError:
            return NotImplemented
        for value in (*inputs, *(out or ())):
            if not isinstance(value, ndarray | np.ndarray) and not crossing.is_scalar(value):
                return NotImplemented
        return ours(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from llm_math_tests.stand_in import functions

        place = func.__module__.replace("numpy", "cupy", 1)
        try:
            ours = functions.get(place, func.__name__)
        except AttributeError:
            return NotImplemented
        if ours is func or any(kind not in (ndarray, np.ndarray) for kind in types):
            return NotImplemented
        return ours(*args, **kwargs)

    # Copies

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return to_device, (self.get(),)

    def copy(self, order: Any = "C") -> ndarray:
        """A copy."""
        return to_device(self._host.copy(order))

    def astype(
        self,
        dtype: Any,
        order: Any = "K",
        casting: Any = None,
        subok: Any = None,
        copy: bool = True,
    ) -> ndarray:
        """A copy of another type, or the array itself where ``copy=False`` allows it."""
        if casting is not None:
            raise TypeError("casting is not supported yet")
        if subok is not None:
            raise TypeError("subok is not supported yet")
        with np.errstate(all="ignore"):
            host = self._host.astype(dtype, order=order or "K", copy=copy)
        return self if host is self._host else to_device(host)

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:  # noqa: A002
        """The same memory, read as ``dtype``."""
        if type is not None:
            raise NotImplementedError("the stand-in has no subclasses")
        return to_device(self._host.view() if dtype is None else self._host.view(dtype))

    def fill(self, value: Any) -> None:
        """Write one value everywhere."""
        host = _host_of(value)
        if isinstance(host, np.ndarray):
            if host.shape != ():
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            host = host.item()
        self._host.fill(host)

    # Indexing

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[ndarray]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, slices: Any) -> ndarray:
        return to_device(self._host[index.prepare(slices, self.shape, _host_of)])

    def __setitem__(self, slices: Any, value: Any) -> None:
        parts = index.prepare(slices, self.shape, _host_of)
        with np.errstate(all="ignore"):
            if isinstance(value, ndarray):
                self._host[parts] = value._host
            elif index.is_advanced(parts):
                # CuPy copies a list or host array to the device here.
                self._host[parts] = np.asarray(value, dtype=self.dtype)
            else:
                to_device(self._host[parts]).fill(value)

    def _scatter(self, name: str, slices: Any, value: Any, dtypes: str) -> None:
        parts = index.prepare(slices, self.shape, _host_of)
        if index.is_advanced(parts) and self.dtype.char not in dtypes:
            listed = ", ".join(str(np.dtype(char)) for char in dtypes)
            raise TypeError(f"scatter_{name} only supports {listed} as data type")
        ufunc = {"add": np.add, "max": np.maximum, "min": np.minimum}[name]
        value = np.asarray(unwrap(value)).astype(self.dtype)
        with np.errstate(all="ignore"):
            ufunc.at(self._host, parts, value)

    def scatter_add(self, slices: Any, value: Any) -> None:
        """Add at the given places; a place given twice gets both."""
        self._scatter("add", slices, value, "iefdILQ")

    def scatter_max(self, slices: Any, value: Any) -> None:
        """Keep the larger at the given places."""
        self._scatter("max", slices, value, "ifdILQ")

    def scatter_min(self, slices: Any, value: Any) -> None:
        """Keep the smaller at the given places."""
        self._scatter("min", slices, value, "ifdILQ")

    # Shapes

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> ndarray:
        """The same elements in another shape."""
        wanted = shape[0] if len(shape) == 1 else shape
        return to_device(rules.reshape(self._host, wanted, order, copy=copy))

    def transpose(self, *axes: Any) -> ndarray:
        """Axes in another order."""
        return to_device(self._host.transpose(*axes))

    # Operators

    __add__, __radd__, __iadd__ = _operator("add"), _reflected("add"), _in_place("add")
    __sub__, __rsub__ = _operator("subtract"), _reflected("subtract")
    __isub__ = _in_place("subtract")
    __mul__, __rmul__ = _operator("multiply"), _reflected("multiply")
    __imul__ = _in_place("multiply")
    __truediv__, __rtruediv__ = _operator("true_divide"), _reflected("true_divide")
    __itruediv__ = _in_place("true_divide")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __ifloordiv__ = _in_place("floor_divide")
    __mod__, __rmod__, __imod__ = (
        _operator("remainder"), _reflected("remainder"), _in_place("remainder"),
    )  # fmt: skip
    __divmod__, __rdivmod__ = _operator("divmod"), _reflected("divmod")
    __pow__, __rpow__, __ipow__ = _operator("power"), _reflected("power"), _in_place("power")
    __lshift__, __rlshift__ = _operator("left_shift"), _reflected("left_shift")
    __ilshift__ = _in_place("left_shift")
    __rshift__, __rrshift__ = _operator("right_shift"), _reflected("right_shift")
    __irshift__ = _in_place("right_shift")
    __and__, __rand__ = _operator("bitwise_and"), _reflected("bitwise_and")
    __iand__ = _in_place("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or"), _reflected("bitwise_or")
    __ior__ = _in_place("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor"), _reflected("bitwise_xor")
    __ixor__ = _in_place("bitwise_xor")
    # CuPy has no in-place matmul: `a @= b` makes a new array, as Python does without one.
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __neg__, __pos__ = _unary("negative"), _unary("positive")
    __abs__, __invert__ = _unary("absolute"), _unary("invert")
    __lt__, __le__ = _compare("less"), _compare("less_equal")
    __gt__, __ge__ = _compare("greater"), _compare("greater_equal")
    __eq__ = _compare("equal", otherwise=False)
    __ne__ = _compare("not_equal", otherwise=True)

    # Methods that are NumPy's but for their parameters, which come from the table

    all, any = _as_function("all"), _as_function("any")
    argmax, argmin = _as_function("argmax"), _as_function("argmin")
    argpartition, argsort = _as_function("argpartition"), _as_function("argsort")
    clip, compress = _as_function("clip"), _as_function("compress")
    conj, conjugate = _as_function("conj"), _as_function("conjugate")
    cumprod, cumsum = _as_function("cumprod"), _as_function("cumsum")
    diagonal, dot = _as_function("diagonal"), _as_function("dot")
    flatten, ravel = _as_function("flatten"), _as_function("ravel")
    max, mean, min = _as_function("max"), _as_function("mean"), _as_function("min")
    nonzero, partition = _as_function("nonzero"), _as_function("partition")
    prod, ptp, put = _as_function("prod"), _as_function("ptp"), _as_function("put")
    repeat, round = _as_function("repeat"), _as_function("round")
    searchsorted, sort = _as_function("searchsorted"), _as_function("sort")
    squeeze, swapaxes = _as_function("squeeze"), _as_function("swapaxes")
    std, sum, take = _as_function("std"), _as_function("sum"), _as_function("take")
    trace, var = _as_function("trace"), _as_function("var")


ndarray.__module__ = "cupy"
