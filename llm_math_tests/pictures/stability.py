"""Stability curves: how far an answer is from the truth as its input grows, per dtype."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from llm_math_tests import tracks
from llm_math_tests.answers.values import Value, cast, dtype_name, is_array, plain
from llm_math_tests.checks.truth import eps, largest, smallest_normal
from llm_math_tests.exercise import Check, Exercise, Inputs
from llm_math_tests.exercises import exercises
from llm_math_tests.pictures.picture import Asked, Lines, NotDrawn, Panel, Picture, Series

_SCALES = tuple(10.0**power for power in range(-6, 5))
_DTYPES = ("float64", "float32", "float16", "bfloat16")
_LARGEST = {"float16": 6e4, "bfloat16": 1e38, "float32": 1e38, "float64": 1e300}
_BROKEN = 1e2
"""An error that is not finite is drawn here, above all that a broken answer can reach."""


def pictures() -> Iterator[Picture]:
    """A curve for every exercise that names what to scale."""
    for exercise in exercises():
        if exercise.scaled:
            yield Picture(
                f"stability_{exercise.name}",
                f"Stability of {exercise.name}",
                "",
                (exercise.name,),
                partial(_curve, exercise),
                group="stability",
            )


def _named(exercise: Exercise) -> str:
    return " and ".join(exercise.scaled)


def _curve(exercise: Exercise, ask: Asked) -> Sequence[Panel]:
    check = next(check for check in exercise.checks if check.truth is not None)
    series = []
    for dtype in _DTYPES:
        if dtype in ("float16", "bfloat16") and dtype not in tracks.track(ask.track).half_dtypes:
            continue
        points = [
            (scale, _error(exercise, check, ask, scale, dtype))
            for scale in _SCALES
            if scale <= _LARGEST[dtype] / 8
        ]
        series.append(Series(dtype, tuple(x for x, _ in points), tuple(y for _, y in points)))
    title = f"Error of {exercise.name}"
    label = f"size of {_named(exercise)}"
    return [Lines(title, label, "relative error", tuple(series), log_x=True, log_y=True)]


def _error(exercise: Exercise, check: Check, ask: Asked, scale: float, dtype: str) -> float:
    """The largest error at ordinary inputs times a scale."""
    rng = np.random.default_rng(zlib.crc32(exercise.name.encode()))
    inputs = _scaled(exercise, check.cases[0].make(rng), scale, dtype)
    assert check.truth is not None
    truth = check.truth(**inputs)
    if isinstance(truth, tuple):
        truth = truth[0]
    got = ask.value(exercise.name, **inputs)
    if isinstance(got, (tuple, list)) and got:
        got = got[0]
    if not is_array(got) or plain(got).shape != truth.value.shape:
        raise NotDrawn(f"{exercise.name} did not return an array of shape {truth.value.shape}")
    with np.errstate(all="ignore"):
        # What is below the smallest normal number may be flushed to zero.
        error = np.abs(plain(got).astype(np.longdouble) - truth.value) - smallest_normal(dtype)
        relative = np.maximum(error, 0) / np.maximum(np.abs(truth.scale), smallest_normal(dtype))
        can_be_held = np.abs(truth.value) <= largest(dtype)
        wrong = can_be_held & ~np.isfinite(plain(got))
    if wrong.any():
        return _BROKEN
    if not can_be_held.any():
        return float("nan")
    most = float(np.max(np.where(can_be_held, relative, 0), initial=0.0))
    # A logarithmic axis has no zero: an exact result is drawn at half a rounding.
    return max(most, eps(dtype) / 2)


def _scaled(exercise: Exercise, inputs: Inputs, scale: float, dtype: str) -> Inputs:
    def fit(name: str, value: Value) -> Value:
        if not is_array(value) or not dtype_name(value).startswith(("float", "bfloat")):
            return value
        return cast(plain(value) * (scale if name in exercise.scaled else 1.0), dtype)

    return {name: fit(name, value) for name, value in inputs.items()}
