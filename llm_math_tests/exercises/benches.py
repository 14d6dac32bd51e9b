"""What many exercises' benchmarks share: sizes of matrices, and libraries' own functions."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Value, plain
from llm_math_tests.exercise import Bench, Inputs, Size, Yardstick

MakeMatrix = Callable[[np.random.Generator, str, int, int], Inputs]
"""``make(rng, dtype, n, m)``: inputs whose first array is ``(n, m)``."""


FUSED = "one compiled pass over memory, where array functions take several"
CHECKED = "the reference looks at the targets' range: at small sizes that is most of the call"


def ahead(yardstick: Yardstick, reason: str) -> Yardstick:
    """A yardstick that our reference cannot keep up with, and why."""
    return replace(yardstick, ahead=reason)


def library(path: str, how: Callable[..., Any] | None = None) -> Yardstick:
    """A library's own function by its dotted path, imported when it is called.

    ``how(function, *arguments)`` calls it where its arguments are not the exercise's.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        function = _found(path)
        return function(*args, **kwargs) if how is None else how(function, *args, **kwargs)

    return Yardstick(path, call)


@cache
def _found(path: str) -> Any:
    parts = path.split(".")
    if importlib.util.find_spec(parts[0]) is None:
        raise ModuleNotFoundError(f"No module named {parts[0]!r}", name=parts[0])
    for end in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            found = getattr(found, name)
        return found
    raise ImportError(f"no library function {path}")


def matrix_bench(
    make: MakeMatrix,
    arrays_moved: int,
    operations: int,
    yardsticks: Mapping[str, Yardstick],
    sizes: tuple[tuple[int, int], ...] = ((64, 1024), (4096, 4096)),
    compositions: Mapping[str, Yardstick] | None = None,
) -> Bench:
    """Small and large matrices; bytes and ``operations`` are counted for each element."""

    def size(n: int, m: int) -> Size:
        return Size(f"{n} x {m}", lambda rng, dtype: make(rng, dtype, n, m))

    return Bench(
        sizes=tuple(size(n, m) for n, m in sizes),
        moved_bytes=lambda inputs: arrays_moved * _first(inputs).nbytes,
        operations=lambda inputs: operations * _first(inputs).size,
        yardsticks=yardsticks,
        compositions=compositions or {},
    )


def _first(inputs: Inputs) -> np.ndarray:
    first: Value = next(iter(inputs.values()))
    return plain(first)
