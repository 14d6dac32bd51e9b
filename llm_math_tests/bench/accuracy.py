"""How far a result on the benchmark's own inputs is from the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from llm_math_tests.answers.values import plain
from llm_math_tests.tracks import Track

LARGEST_INPUTS = 8 * 2**20
"""Bytes of inputs above which accuracy is not computed (the figure is NaN there)."""


def max_rel_error(got: Any, track: Track, truth: Callable[[], Any]) -> float:
    """The largest error of a result, relative to the largest magnitude of the truth.

    Relative to the whole array and not to each number, because a gradient may pass
    through zero. Of several arrays the worst counts. Infinite where one of the two
    has a NaN or infinity that the other has not; NaN where they cannot be compared.
    """
    mine, right = list(_numbers(got, track)), list(_numbers(truth(), None))
    if not mine or [a.shape for a in mine] != [a.shape for a in right]:
        return math.nan
    return max(_error(a, b) for a, b in zip(mine, right, strict=True))


def _numbers(value: Any, track: Track | None) -> Any:
    taken = track.take(value) if track is not None else None
    if taken is not None:
        yield plain(taken[0]).astype(np.float64)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _numbers(item, track)
    elif isinstance(value, (np.ndarray, np.generic, float, int)):
        yield np.asarray(value, np.float64)


def _error(got: np.ndarray, right: np.ndarray) -> float:
    if not got.size:
        return 0.0
    same = (got == right) | (np.isnan(got) & np.isnan(right))
    finite = np.isfinite(got) & np.isfinite(right)
    if not (same | finite).all():
        return math.inf
    with np.errstate(invalid="ignore"):
        worst = float(np.where(same, 0.0, np.abs(got - right)).max())
    scale = float(np.abs(right, where=finite, out=np.zeros_like(right)).max())
    return worst / scale if scale else (0.0 if worst == 0 else math.inf)
