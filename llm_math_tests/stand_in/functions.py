"""CuPy's functions by name: the parameters from the table, the work by NumPy or a rule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from llm_math_tests.stand_in import creation, crossing, offered, special
from llm_math_tests.stand_in.array import ndarray, unwrap, wrap
from llm_math_tests.stand_in.rules import METHODS, RULES
from llm_math_tests.stand_in.ufuncs import ufunc

# NumPy has a function of the name, and it is left out all the same.
LEFT_OUT = {
    "files and text": "load loadtxt save savetxt savez savez_compressed fromfile frombuffer "
    "fromstring fromiter fromfunction genfromtxt fromregex array2string array_repr array_str "
    "format_float_positional format_float_scientific show_config who",
    "call the caller's function with host arrays": "apply_along_axis apply_over_axes piecewise "
    "mask_indices",
    "not the same in NumPy": "from_dlpack unique_all unique_counts unique_inverse unique_values "
    "require byte_bounds asarray_chkfinite",
    "polynomials": "poly polyadd polyfit polymul polysub polyval roots",
}
_LEFT_OUT = frozenset(" ".join(LEFT_OUT.values()).split())

# These answer about an array and do not make one.
_PLAIN_RESULT = frozenset({
    "base_repr", "binary_repr", "can_cast", "common_type", "iscomplexobj", "isfortran",
    "isrealobj", "isscalar", "may_share_memory", "min_scalar_type", "ndim", "result_type",
    "shape", "shares_memory", "size",
})  # fmt: skip

# Their first parameter is a shape, a number or a sequence of arrays.
_TAKES_SEQUENCE = frozenset({
    "broadcast_arrays", "column_stack", "concat", "concatenate", "diag_indices", "dstack",
    "eye", "hstack", "identity", "indices", "lexsort", "linspace", "logspace", "meshgrid",
    "select", "stack", "tri", "vstack",
})  # fmt: skip
_ARRAYS = frozenset({
    "a", "a1", "a2", "ar1", "ar2", "arr", "arr1", "arr2", "array", "ary", "b", "condition",
    "element", "f", "filt", "m", "prototype", "src", "test_elements", "v", "weights", "x", "x1",
    "x2", "y",
})  # fmt: skip


def host_of(place: str, name: str) -> Callable[..., Any] | None:
    """The NumPy-speaking function that does the work; None where there is none."""
    if f"{place}.{name}" in RULES:
        return RULES[f"{place}.{name}"]
    numpy_place: Any = {
        "cupy": np, "cupy.linalg": np.linalg, "cupy.fft": np.fft,
    }.get(place)  # fmt: skip
    if place in ("cupyx", "cupyx.scipy.special"):
        return special.host_of(place, name)
    found = getattr(numpy_place, name, None) if numpy_place and name not in _LEFT_OUT else None
    return found if callable(found) else None


def has_host(place: str, name: str) -> bool:
    """Whether the survey should offer the name."""
    own = creation.OWN.get(place, {})
    return name in own or host_of(place, name) is not None


@cache
def get(place: str, name: str) -> Any:
    """What ``cupy.<name>`` is in the stand-in.

    Raises:
        AttributeError: CuPy has no such name, or the stand-in does not offer it.
    """
    shared = offered.names(place, "shared")
    if name in shared:
        # The list was made with NumPy 2, where np.bool is np.bool_; before, there was none.
        path = "bool_" if shared[name] == "bool" else shared[name]
        return functools.reduce(getattr, path.split("."), np)
    if name in offered.names(place, "ufuncs"):
        nin, nout, *types = offered.names(place, "ufuncs")[name].split()
        return ufunc(name, _required(place, name), int(nin), int(nout), types)
    if name in offered.names(place, "functions"):
        parameters = offered.names(place, "functions")[name]
        own = creation.OWN.get(place, {}).get(name)
        if own is not None:
            return _signed(name, place, parameters, own)
        return _around(name, place, parameters, _required(place, name))
    raise AttributeError(f"module {place!r} has no attribute {name!r}")


def _required(place: str, name: str) -> Callable[..., Any]:
    found = host_of(place, name)
    if found is None:
        raise AttributeError(f"module {place!r} has no attribute {name!r} with this NumPy")
    return found


@cache
def method(name: str) -> Callable[..., Any]:
    """An array's method as a function of the array."""
    parameters = offered.names("cupy.ndarray", "methods")[name]
    host = METHODS.get(name) or getattr(np.ndarray, name)
    return _around(name, "cupy.ndarray", f"self, /, {parameters}".rstrip(", "), host)


def _signed(
    name: str, place: str, parameters: str, function: Callable[..., Any]
) -> Callable[..., Any]:
    signature = offered.signature(parameters)

    def signed(*args: Any, **kwargs: Any) -> Any:
        bound = _bind(name, signature, args, kwargs)
        return function(*bound.args, **bound.kwargs)

    return _named(signed, name, place, signature)


def _around(name: str, place: str, parameters: str, host: Callable[..., Any]) -> Callable[..., Any]:
    signature = offered.signature(parameters)

    def around(*args: Any, **kwargs: Any) -> Any:
        bound = _bind(name, signature, args, kwargs)
        if name not in _TAKES_SEQUENCE:
            _refuse_sequences(bound)
        positional, keywords = _arranged(bound)
        out = keywords.get("out")
        with np.errstate(all="ignore"):
            result = host(
                *unwrap(positional), **{key: unwrap(value) for key, value in keywords.items()}
            )
        if isinstance(out, ndarray):
            return out
        return result if name in _PLAIN_RESULT else wrap(result)

    return _named(around, name, place, signature)


def _bind(
    name: str, signature: inspect.Signature, args: Any, kwargs: Any
) -> inspect.BoundArguments:
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}() {error}") from None


def _arranged(bound: inspect.BoundArguments) -> tuple[list[Any], dict[str, Any]]:
    # What is required goes by position, since NumPy may name it otherwise; what is optional
    # goes by keyword, since NumPy may have it at another position, and only if it differs
    # from the default, since NumPy may spell that otherwise.
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(value)
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords.update(value)
        elif value is parameter.default:
            continue
        elif parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY:
            positional.append(value)
        else:
            keywords[name] = value
    return positional, keywords


def _refuse_sequences(bound: inspect.BoundArguments) -> None:
    for place, (name, value) in enumerate(bound.arguments.items()):
        if name not in _ARRAYS:
            continue
        number_to_reduce = place == 0 and name == "a" and "axis" in bound.signature.parameters
        if isinstance(value, list | tuple) or (number_to_reduce and crossing.is_scalar(value)):
            raise crossing.unsupported(value)


def _named(
    function: Callable[..., Any], name: str, place: str, signature: inspect.Signature
) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__module__ = place
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function
