"""What a frame of timings says, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from llm_math_tests.report.quantities import ratio_text

STATUS_WORDS = {
    "timed": "timed",
    "wrong": "wrong",
    "error": "error",
    "not_started": "not started",
    "not_run": "not run",
}


def counts(table: pd.DataFrame) -> str:
    """How many were timed: ``78 of 130 rows were timed``."""
    timed = int((table["status"] == "timed").sum())
    return f"{timed} of {len(table)} {_rows(len(table))} {'was' if timed == 1 else 'were'} timed."


def untimed(table: pd.DataFrame) -> list[tuple[int, str, str]]:
    """What was not timed: how many rows, the status in words and the reason; most first."""
    rest = table[table["status"] != "timed"]
    found = Counter(zip(rest["status"], rest["reason"], strict=True))
    return [(n, STATUS_WORDS[status], reason) for (status, reason), n in found.most_common()]


def untimed_lines(table: pd.DataFrame) -> list[str]:
    """``52 rows not run: no CUDA device``, a line for each reason."""
    return [
        f"{n} {_rows(n)} {status}" + (f": {reason}" if reason and reason != status else "")
        for n, status, reason in untimed(table)
    ]


NOISY = 0.25


def noise(table: pd.DataFrame) -> str:
    """Whether the spread of many rows is so large that the machine was doing something else."""
    timed = table[table["status"] == "timed"]
    noisy = int((timed["iqr_s"] > NOISY * timed["median_s"]).sum())
    if not noisy:
        return ""
    return (
        f"{noisy} of them {'is' if noisy == 1 else 'are'} noisy (interquartile range above "
        f"{NOISY:.0%} of the median): was other work running?"
    )


def comparisons(table: pd.DataFrame) -> list[str]:
    """How each implementation compares with the NumPy reference, over all that was timed."""
    timed = table[(table["status"] == "timed") & table["speedup_vs_numpy_cpu"].notna()]
    said = []
    for (track, device, who), rows in timed.groupby(
        ["track", "device", "implementation"], sort=False
    ):
        if (track, device, who) == ("numpy", "cpu", "reference"):
            continue
        ratios = rows["speedup_vs_numpy_cpu"]
        low, high = ratio_text(float(ratios.min())), ratio_text(float(ratios.max()))
        speed = f"{low} to {high}" if low != high else low
        name = series_name(str(track), str(device), str(who))
        where = _where_most(rows) if low != high else ""
        said.append(f"{name}: {speed} the speed of the NumPy reference{where}.")
    return said


def series_name(track: str, device: str, implementation: str) -> str:
    """``torch on cpu, reference``."""
    return f"{track} on {device}, {implementation}"


def device_lines(environment: dict[str, Any]) -> list[str]:
    """The devices by name: no time means anything without."""
    devices = environment.get("devices", {})
    threads = environment.get("threads", {})
    lines = [f"{device} is {name}" for device, name in devices.items()]
    if threads:
        held = ", ".join(f"{library} {count}" for library, count in threads.items())
        lines.append(f"threads: {held}")
    return lines


def _where_most(rows: pd.DataFrame) -> str:
    if len(rows) < 3:
        return ""
    best = rows.sort_values("speedup_vs_numpy_cpu").iloc[-1]
    return f"; most for {best['exercise']}, {best['size']}"


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def claim_verdict(record: dict[str, Any]) -> str:
    """What a measurement says about a claim, in two or three words."""
    if record["status"] == "measured":
        return "borne out" if record["bears_out"] else "not borne out"
    return "not measured"


def claim_answers(record: dict[str, Any]) -> str:
    """Whose functions were measured: ``student's two_layer_forward``."""
    return ", ".join(f"{name} ({whose})" for name, whose in record["answers"].items())
