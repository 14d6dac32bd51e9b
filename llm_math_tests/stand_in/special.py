"""``cupyx`` and ``cupyx.scipy.special``: by SciPy, and what the course needs without it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def rsqrt(x: Any) -> Any:
    """One over the square root."""
    return 1 / np.sqrt(x)


def softmax(x: Any, axis: Any = None) -> Any:
    """Shifted by the largest score."""
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """Shifted by the largest score."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """Shifted by the largest value where that is finite."""
    if b is not None or return_sign:
        raise NotImplementedError("the stand-in's logsumexp has neither `b` nor `return_sign`")
    largest = np.max(a, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, np.zeros_like(largest))
    total = np.sum(np.exp(a - shift), axis=axis, keepdims=True)
    result = np.log(total) + shift
    return result if keepdims else np.squeeze(result, axis=axis)


def _expit(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _xlogy(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0, x * np.log(y)).astype(np.result_type(x, y))


def _entr(x: Any) -> Any:
    return np.where(x < 0, -np.inf, -_xlogy(x, x)).astype(x.dtype)


def _rel_entr(x: Any, y: Any) -> Any:
    value = np.where((x > 0) & (y > 0), x * np.log(x / y), np.where((x == 0) & (y >= 0), 0, np.inf))
    return value.astype(np.result_type(x, y))


_WITHOUT_SCIPY: dict[str, Callable[..., Any]] = {
    "entr": _entr,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    "expit": _expit,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "exp2": np.exp2,
    "rel_entr": _rel_entr,
    "xlogy": _xlogy,
}

# Offered beside the plain ufuncs; the rest of the module's Python functions is left out.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
}

# SciPy has no function of the name, takes other arguments, or gives several arrays.
_LEFT_OUT = frozenset({
    "btdtr", "btdtri", "ellipj", "i0", "lambertw", "lpmv", "multigammaln", "polygamma",
    "radian", "round", "shichi", "sici", "sinc", "sph_harm", "sph_harm_y", "spherical_yn",
})  # fmt: skip


def host_of(place: str, name: str) -> Callable[..., Any] | None:
    """The function on NumPy arrays behind a name, or None where it is not offered."""
    if place == "cupyx":
        return rsqrt if name == "rsqrt" else None
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name in _LEFT_OUT or name.startswith("_"):
        return None
    try:
        import scipy.special as scipy_special
    except ImportError:
        return _WITHOUT_SCIPY.get(name) or _needs_scipy(name)
    # Only ufuncs take CuPy's arguments; wrapped so that half precision goes our way.
    found: Any = getattr(scipy_special, name, None)
    return _plain(found) if isinstance(found, np.ufunc) else None


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        return function(*values)

    return call


def _needs_scipy(name: str) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        raise NotImplementedError(
            f"cupyx.scipy.special.{name} runs on the host by SciPy, which is not installed"
        )

    return call
