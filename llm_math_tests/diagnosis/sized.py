"""An exercise's ordinary inputs, brought to any size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from llm_math_tests.answers.values import (
    Blocks,
    Value,
    arrays_in,
    cast,
    dtype_name,
    is_array,
    plain,
)
from llm_math_tests.checks.promises import FLOATS, TruthOf
from llm_math_tests.exercise import Exercise, Inputs


def truth_of(exercise: Exercise) -> TruthOf:
    """The truth that an exercise's first check of values compares with."""
    return next(check.truth for check in exercise.checks if check.truth is not None)


def ordinary(exercise: Exercise, track: str, dtype: str, seed: int) -> Inputs | None:
    """Small ordinary inputs of a dtype; None if the exercise does not take it in the track."""
    for check in sorted(exercise.checks_in(track), key=lambda check: check.level != "contract"):
        if check.name in ("keeps_dtype", "half_precision") or check.truth is not None:
            for case in check.cases:
                if case.name == dtype and track in case.tracks and check.level != "stable":
                    return case.make(np.random.default_rng(seed))
    return None


def numbers_in(value: Value) -> np.ndarray:
    """All finite numbers of the floating arrays in a value, in one row, as float64."""
    found = [plain(array).astype("float64").ravel() for array in _floating(value)]
    numbers = np.concatenate(found) if found else np.zeros(0)
    return numbers[np.isfinite(numbers)]


def of_size(inputs: Inputs, arguments: Iterable[str], size: float) -> Inputs:
    """The inputs with each of the arguments brought to a largest magnitude."""
    return {**inputs, **{name: _sized(inputs[name], size, 0.0) for name in arguments}}


def moved(inputs: Inputs, distances: dict[str, float]) -> Inputs:
    """The inputs with some arguments brought to a largest magnitude of 1, then moved from 0."""
    return {**inputs, **{name: _sized(inputs[name], 1.0, to) for name, to in distances.items()}}


def _sized(value: Value, size: float, around: float) -> Value:
    largest = float(np.abs(numbers_in(value)).max(initial=0.0)) or 1.0
    return _each(value, lambda numbers: numbers / largest * size + around)


def _each(value: Value, change: Callable[[np.ndarray], np.ndarray]) -> Value:
    if is_array(value):
        if dtype_name(value) not in FLOATS:
            return value
        return cast(change(plain(value).astype("float64")), dtype_name(value))
    if isinstance(value, Blocks):
        return Blocks(tuple(_each(array, change) for array in value.arrays))
    if isinstance(value, (tuple, list)):
        return type(value)(_each(item, change) for item in value)
    return value


def _floating(value: Value) -> Iterator[Value]:
    for array in arrays_in(value.arrays if isinstance(value, Blocks) else value):
        if dtype_name(array) in FLOATS:
            yield array
