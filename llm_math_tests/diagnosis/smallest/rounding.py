"""The numbers of an array, rounder and smaller, and what must stay true of them."""

from __future__ import annotations

import math

import numpy as np

from llm_math_tests.answers.values import Value, cast, dtype_name, plain

_MOST_ROUNDED = 20_000
"""Numbers are rounded one by one."""
_MOST_RANKED = 12
"""More numbers would become large if all were to differ."""
_FLOATS = ("float64", "float32", "float16", "bfloat16")


class NoSuchInputs(Exception):
    """These choices do not go together."""


def is_float(array: Value) -> bool:
    """Whether it is numbers that can be rounded."""
    return dtype_name(array) in _FLOATS


def exponent(array: Value) -> int:
    """The power of ten of the largest number, 0 if there is none."""
    values = np.abs(plain(array).astype(np.float64))
    largest = float(values.max(initial=0, where=np.isfinite(values)))
    return math.floor(math.log10(largest)) if largest else 0


def times_power(values: np.ndarray, power: int) -> np.ndarray:
    """The values times a power of ten."""
    scaled = np.where(np.isfinite(values), values * 10.0**power, values)
    if ((scaled == 0) != (values == 0)).any():
        raise NoSuchInputs("too small")
    return scaled


def rounded(values: np.ndarray, digits: int) -> np.ndarray:
    """Round to digits of the largest number; what is no zero stays none."""
    decimals = max(digits, 1) - 1 - exponent(values)
    if not digits and exponent(values) > -3:
        decimals = min(decimals, 0)
    if abs(decimals) > 300:
        raise NoSuchInputs("out of range")
    step = float(f"1e{-decimals}")

    def one(x: float) -> float:
        if not math.isfinite(x) or x == 0:
            return x
        return round(x, decimals) or math.copysign(step, x)

    return np.array([one(float(x)) for x in values.ravel()], np.float64).reshape(values.shape)


def ranked(values: np.ndarray) -> np.ndarray | None:
    """Few numbers as 1, 2, 3, ... and -1, -2, ... in the same order, equal where they were.

    Rounding would make many of them equal, and equal numbers hide what a function does.
    """
    used = np.isfinite(values) & (values != 0)
    if not 1 < int(used.sum()) <= _MOST_RANKED:
        return None
    power = exponent(values)
    step = float(f"1e{power if power <= -3 else max(power, 0)}")
    new = values.copy()
    for sign in (1, -1):
        of_sign = used & (np.sign(values) == sign)
        _, rank = np.unique(np.abs(values[of_sign]), return_inverse=True)
        new[of_sign] = sign * step * (rank.ravel() + 1)
    return new


def is_round(array: Value) -> bool:
    """Whether there is nothing to round (or too much)."""
    values = plain(array)
    if values.size > _MOST_ROUNDED:
        return True
    exact = values.astype(np.float64)
    try:
        return np.array_equal(cast(rounded(exact, 0), str(values.dtype)), values, equal_nan=True)
    except NoSuchInputs:
        return True


def summing(array: Value) -> int | None:
    """The axis, from the end, along which an array's numbers are probabilities."""
    values = plain(array)
    if not is_float(array) or not values.size:
        return None
    exact = values.astype(np.float64)
    near = 1e-2 if dtype_name(array) in ("float16", "bfloat16") else 1e-5
    if not np.isfinite(exact).all() or (exact < 0).any():
        return None
    for axis in range(-1, -values.ndim - 1, -1):
        if values.shape[axis] > 1 and np.allclose(exact.sum(axis=axis), 1, rtol=0, atol=near):
            return axis
    return None


def summing_to_one(values: np.ndarray, axis: int) -> np.ndarray:
    """Probabilities again: the largest of a row takes what is missing."""
    if -axis > values.ndim:
        raise NoSuchInputs("no such axis any more")
    rows = np.moveaxis(values.copy(), axis, -1)
    if not (rows.sum(axis=-1) > 0).all():
        raise NoSuchInputs("a row of zeros")
    for index in np.ndindex(rows.shape[:-1]):
        row = rows[index]
        largest = int(np.argmax(row))
        others = math.fsum(float(x) for i, x in enumerate(row) if i != largest)
        if others >= 1:
            raise NoSuchInputs("more than 1")
        row[largest] = round(1 - others, 12)
    return np.moveaxis(rows, -1, axis)


def orthonormal(array: Value) -> bool:
    """Whether the rows of its matrices are of length 1 and at right angles."""
    values = plain(array)
    if not is_float(array) or values.ndim < 2 or not values.size or values.size > 10_000:
        return False
    exact = values.astype(np.float64)
    if not np.isfinite(exact).all() or values.shape[-2] > values.shape[-1]:
        return False
    products = exact @ np.swapaxes(exact, -1, -2)
    return bool(np.allclose(products, np.eye(values.shape[-2]), atol=1e-2))
