"""What the outside is asked about: the cases of an exercise's checks that compare values."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from llm_math_tests.answers.values import is_array
from llm_math_tests.checks.promises import result_dtype
from llm_math_tests.exercise import Case, Check, Exercise, Inputs
from llm_math_tests.exercises import TOPICS
from tests.outside import Outside

TruthOf = Callable[..., Any]


def rows() -> dict[str, tuple[Outside, ...]]:
    """Each topic's rows; none of a topic whose module is not written."""
    found = {}
    for topic in TOPICS:
        name = f"tests.outside.{topic}"
        try:
            found[topic] = importlib.import_module(name).ROWS
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    return found


def value_cases(exercise: Exercise, track: str) -> Iterator[tuple[Check, Case, Inputs]]:
    """The float64 and float32 cases, fresh, of the checks that only compare with a truth."""
    for check in exercise.checks_in(track):
        if check.truth is None:
            continue
        for number, case in enumerate(check.cases):
            if track not in case.tracks:
                continue
            inputs = case.make(np.random.default_rng([number, len(check.name)]))
            if result_dtype(inputs, track) in ("float64", "float32"):
                yield check, case, inputs


def in_float64(value: Any) -> Any:
    """A copy whose floating arrays are float64, within tuples and iterators too."""
    if is_array(value):
        array = np.array(value, order="K")
        return array.astype(np.float64) if array.dtype.kind == "f" else array
    if isinstance(value, (tuple, list)):
        return type(value)(in_float64(item) for item in value)
    if isinstance(value, dict):
        return {key: in_float64(item) for key, item in value.items()}
    if hasattr(value, "arrays"):
        return type(value)(in_float64(value.arrays))
    return value


def truth_of(exercise: Exercise) -> TruthOf:
    """The truth that the exercise's own checks compare with."""
    return next(check.truth for check in exercise.checks if check.truth is not None)
