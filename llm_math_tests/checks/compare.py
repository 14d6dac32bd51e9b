"""Compare what an answer returned with the truth: fast when right, in words when wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_math_tests.answers.values import (
    Bfloat16,
    Odd,
    Value,
    dtype_name,
    is_array,
    plain,
    spelled,
)
from llm_math_tests.checks.truth import Extended, Truth, eps, extended, largest
from llm_math_tests.checks.wrong import Compared, Wrong

_FLOATS = ("float64", "float32", "float16", "bfloat16")
ARRAY_TYPES = {"numpy": "numpy.ndarray", "torch": "torch.Tensor", "cupy": "cupy.ndarray"}


def expect_array(got: Value, track: str, what: str = "the result") -> Value:
    """The answer's array; NumPy and Python scalars count as 0-d arrays in the numpy track."""
    if is_array(got):
        return got
    if track == "numpy" and type(got) in (bool, int, float):
        return np.asarray(got)
    kind = ARRAY_TYPES[track]
    note = ""
    if got is None:
        note = "is a return statement missing?"
    elif isinstance(got, (list, tuple)) and any(map(is_array, got)):
        note = f"{len(got)} values came back where one is expected"
    elif isinstance(got, (list, tuple)) and track == "numpy":
        note = "np.array(...) makes an array of a list"
    elif isinstance(got, Odd) and got.type_name == "numpy.ndarray" and track != "numpy":
        note = f"a NumPy array lives on the host: stay in {kind.split('.')[0]}"
    raise Wrong(f"{what} as one {kind}", spelled(got), note=note)


def expect_shape(got: Value, shape: tuple[int, ...], what: str = "the result") -> None:
    """The shape must be exactly the contract's."""
    have = plain(got).shape
    if have != shape:
        raise Wrong(f"{what} of shape {shape}", f"shape {have}")


def expect_close(
    got: Value, truth: Truth, dtype: str, track: str, what: str = "the result"
) -> None:
    """Every element within the truth's allowance for ``dtype``."""
    got = expect_array(got, track, what)
    expect_shape(got, truth.value.shape, what)
    if truth.exact:
        _expect_exact(got, truth, what)
        return
    if dtype_name(got) not in _FLOATS:
        raise Wrong(f"{what} as floating-point numbers", spelled(got))
    have = extended(got)
    want = truth.value
    if truth.sign_free:
        with np.errstate(invalid="ignore", over="ignore"):
            want = want * np.where((have * want).sum(axis=-1, keepdims=True) < 0, -1, 1)
    allowed = truth.allowance(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(have - want)
        close = (error <= allowed) & np.isfinite(error)
    # What the dtype cannot hold may come as inf or as the largest number.
    beyond = np.abs(want) > largest(dtype) * (1 - 2 * eps(dtype))
    close |= beyond & (np.sign(have) == np.sign(want)) & (np.abs(have) >= largest(dtype))
    close |= (have == want) | (np.isnan(have) & np.isnan(want))
    if close.all():
        return
    raise Wrong(
        _expected(have, want, close, what),
        _worst(have, want, error, allowed, close, dtype),
        allowed=truth.why(dtype),
        compared=Compared(have, want, ~close, what, dtype),
    )


def _expect_exact(got: Value, truth: Truth, what: str) -> None:
    have = plain(got)
    if truth.value.dtype.kind == "b" and have.dtype.kind != "b":
        raise Wrong(f"{what} of dtype bool", spelled(got))
    bad = have != truth.value
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise Wrong(
            f"{truth.value[first]}{_at(first)}",
            f"{have[first]}{_more(int(bad.sum()), bad.size)}",
            compared=Compared(have, truth.value, bad, what, dtype_name(got)),
        )


def _expected(have: np.ndarray, want: np.ndarray, close: np.ndarray, what: str) -> str:
    of = "" if what == "the result" else f" of {what}"
    unexpected = ~close & ~np.isfinite(have) & np.isfinite(want)
    if unexpected.any():
        position = _first(unexpected)
        return f"finite values: {_number(want[position])}{_at(position)}{of}"
    position = _worst_position(have, want, close)
    return f"{_number(want[position])}{_at(position)}{of}"


def _worst_position(have: np.ndarray, want: np.ndarray, close: np.ndarray) -> tuple[int, ...]:
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(close, -1.0, np.abs(have - want).astype(float))
    # NaN against a number is worse than any difference.
    error = np.where(~close & ~np.isfinite(error), np.inf, error)
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))


def _worst(
    have: np.ndarray,
    want: np.ndarray,
    error: np.ndarray,
    allowed: np.ndarray,
    close: np.ndarray,
    dtype: str,
) -> str:
    bad = ~close
    for name, found in (
        ("nan", bad & np.isnan(have)),
        ("inf", bad & np.isposinf(have)),
        ("-inf", bad & np.isneginf(have)),
    ):
        if found.any() and np.isfinite(want[found]).any():
            where = _at(_first(found & np.isfinite(want)))
            return f"{name}{where}{_more(int(found.sum()), found.size)}"
    position = _worst_position(have, want, close)
    off = float(error[position])
    text = f"{_number(have[position])}{_at(position)}"
    if np.isfinite(off):
        ulps = off / max(float(np.abs(want[position])) * eps(dtype), 1e-300)
        unit = f"{ulps:.2g} ulp" if ulps < 1e6 else f"{off:.2g}"
        text += f", off by {unit}; allowed there {float(allowed[position]):.2g}"
    return text + _more(int(bad.sum()), bad.size)


def _first(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _at(position: tuple[int, ...]) -> str:
    """Where a value stands; a 0-d array has but one place."""
    return f" at {list(position)}" if position else ""


def _more(count: int, size: int) -> str:
    return f" ({count} of {size} wrong)" if count > 1 else ""


def _number(value: np.floating) -> str:
    return f"{float(value):.9g}"


_A_LOOK = 256


def agree(first: Value, second: Value, dtype: str, size: Any = None) -> bool:
    """Whether two results are the same up to rounding: for telling mistakes apart.

    ``size`` is the largest magnitude of the whole, where these are a part of it.
    """
    if isinstance(first, (tuple, list)) and isinstance(second, (tuple, list)):
        return len(first) == len(second) and all(
            agree(a, b, dtype) for a, b in zip(first, second, strict=True)
        )
    if not (_numeric(first) and _numeric(second)):
        return type(first) is type(second) and not isinstance(first, (np.ndarray, Bfloat16))
    if plain(first).shape != plain(second).shape:
        return False
    if plain(first).size > 4 * _A_LOOK:
        # Most mistakes differ everywhere: a look at the first numbers saves the whole.
        looks = [plain(value).ravel()[:_A_LOOK] for value in (first, second)]
        if not agree(looks[0], looks[1], dtype, _size_of(second)):
            return False
    return bool(alike(extended(first), extended(second), dtype, size).all())


def alike(have: np.ndarray, want: np.ndarray, dtype: str, size: Any = None) -> np.ndarray:
    """Where two arrays of one shape are the same up to rounding; NaN is like NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(have) & np.isfinite(want)
        # In extended precision: a float64 would make inf of 1e400, and all would agree.
        if size is None:
            size = np.abs(want[finite]).max(initial=0.0)
        # Two ways of computing the same differ by many roundings, but by few of 16 bits:
        # there both are computed in float32 and rounded once.
        steps = 4 if dtype in ("float16", "bfloat16") else 256
        near = np.abs(have - want) <= steps * eps(dtype) * (np.abs(want) + size / 100)
    same: np.ndarray = (have == want) | (np.isnan(have) & np.isnan(want)) | (finite & near)
    return same


def _size_of(value: Value) -> np.longdouble:
    """The largest finite magnitude."""
    numbers = np.abs(extended(value))
    return Extended(np.max(numbers, initial=0, where=np.isfinite(numbers)))


def _numeric(value: Value) -> bool:
    return is_array(value) or type(value) in (bool, int, float)
