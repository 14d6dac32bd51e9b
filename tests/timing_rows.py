"""Made-up timings, GPU rows among them: no device is needed to test what shows them."""

from __future__ import annotations

import math
from typing import Any

MADE_UP = "made-up device (no measurement)"

ENVIRONMENT: dict[str, Any] = {
    "written_by": "llm-math-tests",
    "written_at": "2026-01-31T12:00:00+00:00",
    "command": ["pytest", "--benchmark"],
    "solution": "student",
    "python": "CPython 3.11",
    "devices": {"cpu": MADE_UP, "cuda": MADE_UP},
    "versions": {"numpy": "2.0", "cupy": None},
    "threads": {"torch": "1"},
    "cpu_governor": None,
}

SIZES = {
    "softmax": ("64 x 1024", "4096 x 4096"),
    "scaled_dot_product_attention_backward": ("8 heads x 128 x 64", "8 heads x 1024 x 64"),
    "label_smoothing_cross_entropy": ("64 x 1000", "4096 x 50257"),
}
SPEEDS = {
    ("numpy", "cpu", "student"): 0.4,
    ("numpy", "cpu", "reference"): 1.0,
    ("numpy", "cpu", "library"): 0.93,
    ("torch", "cpu", "student"): 1.2,
    ("torch", "cpu", "reference"): 1.4,
    ("torch", "cpu", "library"): 3.1,
    ("torch", "cuda", "student"): 11.0,
    ("torch", "cuda", "reference"): 14.0,
    ("torch", "cuda", "library"): 47.0,
    ("cupy", "cuda", "student"): math.nan,
    ("cupy", "cuda", "reference"): 0.02,
}


def record(**changes: Any) -> dict[str, Any]:
    """One timed row of the NumPy reference, with changes."""
    made: dict[str, Any] = {
        "exercise": "softmax",
        "topic": "softmax",
        "track": "numpy",
        "device": "cpu",
        "implementation": "reference",
        "size": "64 x 1024",
        "dtype": "float32",
        "status": "timed",
        "reason": "",
        "median_s": 0.001,
        "iqr_s": 0.0001,
        "samples": 20,
        "gbytes_per_s": 4.0,
        "gflops_per_s": 2.0,
        "speedup_vs_numpy_cpu": 1.0,
        "max_rel_error": 1e-7,
    }
    return {**made, **changes}


def untimed(status: str, reason: str, **changes: Any) -> dict[str, Any]:
    """One row that was not timed."""
    nothing = dict.fromkeys(
        ("median_s", "iqr_s", "gbytes_per_s", "gflops_per_s", "speedup_vs_numpy_cpu",
         "max_rel_error"),
        math.nan,
    )  # fmt: skip
    return record(status=status, reason=reason, samples=0, **nothing, **changes)


def many() -> list[dict[str, Any]]:
    """All kinds of rows, for three exercises of two sizes."""
    rows = []
    for exercise, sizes in SIZES.items():
        for place, size in enumerate(sizes):
            for (track, device, who), speed in SPEEDS.items():
                what: dict[str, Any] = {
                    "exercise": exercise, "size": size, "track": track, "device": device,
                    "implementation": who,
                }  # fmt: skip
                base = 0.0001 * 500**place
                if math.isnan(speed):
                    rows.append(untimed("wrong", "the check rows_sum_to_one does not pass", **what))
                elif exercise != "softmax" and device == "cuda":
                    rows.append(untimed("not_run", "no CUDA device", **what))
                else:
                    rows.append(record(median_s=base / speed, iqr_s=0.05 * base / speed,
                                       speedup_vs_numpy_cpu=speed, **what))  # fmt: skip
    return rows
