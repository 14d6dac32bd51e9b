"""The one table that every report is made from, as a pandas frame."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS: dict[str, str] = {
    "exercise": "the exercise's name",
    "topic": "its topic",
    "track": "numpy, torch or cupy",
    "device": "cpu or cuda",
    "implementation": "whose: student (or a folder's name), reference, or library",
    "size": "the benchmark's size, in words",
    "dtype": "dtype of the inputs",
    "status": "timed, wrong, error, not_started or not_run",
    "reason": "why it was not timed; empty where it was",
    "median_s": "median time of a call, in seconds",
    "iqr_s": "interquartile range of the time of a call, in seconds",
    "samples": "how many samples; each is a call, or a few of a very short one",
    "gbytes_per_s": "bytes that any answer must move / median, in 1e9 bytes a second",
    "gflops_per_s": "operations of the formula / median, in 1e9 a second",
    "speedup_vs_numpy_cpu": "median of the NumPy reference on the CPU / this median",
    "max_rel_error": (
        "largest error / largest magnitude of the NumPy reference in float64, on the "
        "benchmark's inputs; NaN for inputs above 8 MiB"
    ),
}
"""The columns in order, and what each holds."""

TEXT = ("exercise", "topic", "track", "device", "implementation", "size", "dtype", "status",
        "reason")  # fmt: skip


def frame(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Records of rows as a frame."""
    made = pd.DataFrame(list(records), columns=list(COLUMNS))
    return _typed(made)


def read(path: str | os.PathLike[str]) -> pd.DataFrame:
    """What :func:`llm_math_tests.report.load` does."""
    file = Path(path)
    if file.is_dir() and not (file / "timings.csv").is_file():
        runs = sorted(file.glob("*/timings.csv"))
        if not runs:
            raise FileNotFoundError(f"there is no timings.csv in {file} or in a folder of it")
        file = runs[-1]
    elif file.is_dir():
        file = file / "timings.csv"
    # A reason may be the text "nan" or "None", so only numbers have missing values.
    missing = {name: [""] for name in COLUMNS if name not in TEXT}
    texts = dict.fromkeys(TEXT, "str")
    made = _typed(pd.read_csv(file, dtype=texts, keep_default_na=False, na_values=missing))
    beside = file.with_name("environment.json")
    if beside.is_file():
        made.attrs["environment"] = json.loads(beside.read_text(encoding="utf-8"))
    return made


def _typed(made: pd.DataFrame) -> pd.DataFrame:
    kinds = {
        name: "str" if name in TEXT else "int64" if name == "samples" else "float64"
        for name in COLUMNS
    }
    return made.astype(kinds)
