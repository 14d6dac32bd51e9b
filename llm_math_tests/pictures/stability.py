"""Stability curves: how far an answer is from the truth as its input grows, per dtype."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from llm_math_tests.answers.values import is_array, plain
from llm_math_tests.checks.promises import FLOATS
from llm_math_tests.checks.truth import eps, largest, smallest_normal
from llm_math_tests.diagnosis.sized import of_size, ordinary, truth_of
from llm_math_tests.exercise import Exercise, Inputs
from llm_math_tests.exercises import exercises
from llm_math_tests.pictures.picture import Asked, Lines, NotDrawn, Panel, Picture, Series

_SIZES = tuple(10.0**power for power in range(-6, 5))
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
    series = []
    for dtype in FLOATS:
        inputs = ordinary(exercise, ask.track, dtype, seed=0)
        if inputs is None:
            continue
        points = [
            (size, _error(exercise, ask, of_size(inputs, exercise.scaled, size), dtype))
            for size in _SIZES
        ]
        series.append(Series(dtype, tuple(x for x, _ in points), tuple(y for _, y in points)))
    title = f"Error of {exercise.name}"
    label = f"size of {_named(exercise)}"
    return [Lines(title, label, "relative error", tuple(series), log_x=True, log_y=True)]


def _error(exercise: Exercise, ask: Asked, inputs: Inputs, dtype: str) -> float:
    """The largest error that an answer makes."""
    truth = truth_of(exercise)(**inputs)
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
