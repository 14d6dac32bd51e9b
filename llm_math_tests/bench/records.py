"""Timings as plain records: the columns of ``timings.csv`` and all that is derived."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from llm_math_tests.bench.measure import Timing
from llm_math_tests.bench.statistics import iqr, median


def records(timings: Iterable[Timing]) -> list[dict[str, Any]]:
    """One record for each row, in order; what was not measured is NaN."""
    timings = list(timings)
    baselines = {
        timing.row.group: median(timing.samples)
        for timing in timings
        if timing.row.is_baseline and timing.status == "timed"
    }
    return [_record(timing, baselines.get(timing.row.group, math.nan)) for timing in timings]


def _record(timing: Timing, baseline: float) -> dict[str, Any]:
    row = timing.row
    seconds = median(timing.samples)
    return {
        "exercise": row.exercise,
        "topic": row.topic,
        "track": row.track,
        "device": row.device,
        "implementation": row.implementation,
        "size": row.size,
        "dtype": row.dtype,
        "status": timing.status,
        "reason": timing.reason,
        "median_s": seconds,
        "iqr_s": iqr(timing.samples),
        "samples": len(timing.samples),
        "gbytes_per_s": _rate(timing.moved_bytes, seconds),
        "gflops_per_s": _rate(timing.operations, seconds),
        "speedup_vs_numpy_cpu": baseline / seconds if seconds > 0 else math.nan,
        "max_rel_error": timing.max_rel_error,
    }


def _rate(amount: int, seconds: float) -> float:
    """Thousand millions a second; NaN where there is no such work."""
    return amount / seconds / 1e9 if amount and seconds > 0 else math.nan
