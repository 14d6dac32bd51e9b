"""The right formula with digits lost on the way."""

from __future__ import annotations

import math

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast, plain
from llm_math_tests.diagnosis.patterns.pair import FEWEST, Pair

_FLOATS = ("float64", "float32", "float16", "bfloat16")
_DIGITS = {"float64": 16, "float32": 7, "float16": 3, "bfloat16": 2}
_COARSER_THAN = {"float64": ("float32", "float16"), "float32": ("float16",)}
_COARSER = ("float32", "float16")
_ANOTHER_FORMULA = 0.02
"""An error above this share is no rounding."""


def digits_lost(answer: Answer, pairs: list[Pair]) -> str:
    """Nearly right everywhere: how many digits, and through which dtype they went."""
    if any(pair.have.shape != pair.want.shape or pair.dtype not in _FLOATS for pair in pairs):
        return ""
    wrong = [pair for pair in pairs if not pair.is_right]
    worst = max((_error(pair) for pair in wrong), default=0.0)
    if not 0 < worst < _ANOTHER_FORMULA or any(_typical(p) > _ANOTHER_FORMULA for p in wrong):
        return ""
    for coarse in _COARSER:
        if all(coarse in _COARSER_THAN.get(p.dtype, ()) and _fits(p, coarse) for p in wrong):
            return f"every value is one that {coarse} holds: the result went through {coarse}"
    dtype = wrong[0].dtype
    digits = max(0, math.floor(-math.log10(worst)))
    if digits < 2 and dtype not in ("float16", "bfloat16"):
        return ""
    said = f"nearly right: to about {digits} of the {_DIGITS[dtype]} digits of {dtype}"
    if dtype in ("float16", "bfloat16"):
        return f"{said}; was it summed in {dtype}, not in float32?"
    return said


def _error(pair: Pair) -> float:
    """The largest error, as a share of the largest value; infinite if one is not finite."""
    with np.errstate(all="ignore"):
        difference = np.abs(pair.have - pair.want)
    same = (pair.have == pair.want) | (np.isnan(pair.have) & np.isnan(pair.want))
    size = np.abs(pair.want[np.isfinite(pair.want)]).max(initial=0.0)
    if not size:
        return 0.0 if same.all() else math.inf
    difference = np.where(np.isfinite(difference), difference, np.inf)
    return float(np.where(same, 0.0, difference).max(initial=0.0) / size)


def _typical(pair: Pair) -> float:
    """The middle one of the relative errors of the values that are wrong."""
    with np.errstate(all="ignore"):
        errors = np.abs(pair.have - pair.want) / np.abs(pair.want)
    return float(np.median(errors[pair.bad]))


def _fits(pair: Pair, dtype: str) -> bool:
    with np.errstate(over="ignore"):
        rounded = plain(cast(pair.have.astype(np.float64), dtype)).astype(np.longdouble)
    whole = np.array_equal(np.round(pair.have), pair.have)
    return pair.have.size >= FEWEST and not whole and np.array_equal(rounded, pair.have)
