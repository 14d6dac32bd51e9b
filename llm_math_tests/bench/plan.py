"""Which rows a benchmark has: size by dtype by track by device by implementation.

Imports neither torch nor CuPy: a list of rows costs nothing, and a row that cannot
run here still exists and says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llm_math_tests import tracks
from llm_math_tests.exercise import Bench, Exercise
from llm_math_tests.session import Choice
from llm_math_tests.tracks.hardware import cuda_device_count, installed

DEVICES: dict[str, tuple[str, ...]] = {
    "numpy": ("cpu",),
    "torch": ("cpu", "cuda"),
    # The stand-in that plays CuPy in the checks is NumPy: its time would say nothing.
    "cupy": ("cuda",),
}

REFERENCE = "reference"
LIBRARY = "library"


@dataclass(frozen=True)
class Row:
    """One thing to time: an implementation of an exercise on a device, at a size."""

    exercise: str
    topic: str
    size: str
    dtype: str
    track: str
    device: str
    implementation: str
    """``student`` (or the name of the folder given), ``reference`` or ``library``."""

    @property
    def group(self) -> tuple[str, str, str]:
        """What is compared with each other, and therefore measured together."""
        return (self.exercise, self.size, self.dtype)

    @property
    def name(self) -> str:
        """The row within its exercise, as a test id: only what ``-k`` can be asked for."""
        size = re.sub(r" ([x=]) ", r"\1", self.size)
        parts = (size, self.dtype, self.track, self.device, self.implementation)
        return "-".join(re.sub(r"[^\w.=]+", "_", part) for part in parts)

    @property
    def is_baseline(self) -> bool:
        """Whether the other rows of the group are compared with this one."""
        return (self.track, self.device, self.implementation) == ("numpy", "cpu", REFERENCE)


def rows_of(exercise: Exercise, choice: Choice) -> list[Row]:
    """The rows of an exercise, in the order in which they are shown."""
    bench = exercise.bench
    if bench is None or (choice.names and exercise.name not in choice.names):
        return []
    return [
        Row(exercise.name, exercise.topic, size.name, dtype, track, device, implementation)
        for size in bench.sizes
        for dtype in bench.dtypes
        for track in exercise.tracks
        if track in choice.tracks
        for device in DEVICES[track]
        for implementation in _implementations(bench, track, choice.solution.label)
    ]


def _implementations(bench: Bench, track: str, label: str) -> list[str]:
    names = [REFERENCE] if label == REFERENCE else [label, REFERENCE]
    return [*names, LIBRARY] if track in bench.yardsticks else names


def cannot_run(row: Row, isolate: bool) -> str | None:
    """Why the row cannot run on this machine or in this run, or None."""
    if row.device == "cuda" and not cuda_device_count():
        return "no CUDA device"
    if row.track == "torch" and tracks.unavailable("torch"):
        return "PyTorch is not installed"
    if row.track == "cupy" and not installed("cupy"):
        return "CuPy is not installed"
    if row.dtype == "bfloat16" and row.track != "torch":
        return f"{row.track} has no bfloat16"
    if isolate and row.implementation not in (REFERENCE, LIBRARY):
        return "answers behind --isolate are not timed"
    return None
