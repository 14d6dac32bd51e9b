"""The summary as Markdown: sentences, the table, what was not run, the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from llm_math_tests.report.frame import COLUMNS
from llm_math_tests.report.quantities import error_text, number_text, ratio_text, time_text
from llm_math_tests.report.sentences import (
    claim_verdict,
    comparisons,
    counts,
    device_lines,
    noise,
    untimed_lines,
)

_SHOWN = ("exercise", "size", "dtype", "track", "device", "implementation", "median", "iqr",
          "speed-up", "GB/s", "GFLOP/s", "error")  # fmt: skip


def summary(
    table: pd.DataFrame, environment: dict[str, Any], claims: Sequence[dict[str, Any]] = ()
) -> str:
    """The page."""
    parts = ["# Timing report", _made(environment), f"{counts(table)} {noise(table)}".strip()]
    said = comparisons(table)
    if said:
        parts.append("\n".join(f"- {_escaped(line)}" for line in said))
    timed = table[table["status"] == "timed"]
    parts += ["## Timings", _timings(timed) if len(timed) else "Nothing was timed."]
    parts.append(
        "Median and interquartile range of the time of one call. Speed-up is the time of the "
        "NumPy reference on the CPU divided by this one. Error is "
        f"{COLUMNS['max_rel_error'].replace('NaN', 'empty')}."
    )
    if claims:
        parts += ["## The chapter's claims, measured", _claims(claims)]
    missing = untimed_lines(table)
    parts.append("## Not timed")
    parts.append("\n".join(f"- {_escaped(line)}" for line in missing) or "Everything was timed.")
    parts += ["## Environment", _environment(environment)]
    return "\n\n".join(parts) + "\n"


def _claims(claims: Sequence[dict[str, Any]]) -> str:
    rows = [
        [_escaped(one["says"]), one["track"], one["device"], claim_verdict(one),
         _escaped(one["measured"] or one["reason"])]
        for one in claims
    ]  # fmt: skip
    return tabulate(
        rows, ("claim", "track", "device", "here", "measured"), tablefmt="pipe",
        disable_numparse=True,
    )  # fmt: skip


def _made(environment: dict[str, Any]) -> str:
    when = str(environment.get("written_at", "")).replace("T", " ")
    devices = "; ".join(device_lines(environment))
    return _escaped(f"{when}. {devices}.".strip(". ") + ".")


def _timings(timed: pd.DataFrame) -> str:
    rows = [
        [
            _escaped(str(row["exercise"])), _escaped(str(row["size"])), row["dtype"],
            row["track"], row["device"], _escaped(str(row["implementation"])),
            time_text(float(row["median_s"]), "\u00b5s"), time_text(float(row["iqr_s"]), "\u00b5s"),
            ratio_text(float(row["speedup_vs_numpy_cpu"])),
            number_text(float(row["gbytes_per_s"])), number_text(float(row["gflops_per_s"])),
            error_text(float(row["max_rel_error"])),
        ]
        for _, row in timed.iterrows()
    ]  # fmt: skip
    align = ("left",) * 6 + ("right",) * 6
    return tabulate(rows, _SHOWN, tablefmt="pipe", colalign=align, disable_numparse=True)


def _environment(environment: dict[str, Any]) -> str:
    rows = [[_escaped(key), _escaped(value)] for key, value in flat(environment)]
    return tabulate(rows, ("what", "value"), tablefmt="pipe", disable_numparse=True)


def flat(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """The environment as pairs of text, nested names joined with a space."""
    out = []
    for key, value in environment.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            if key == "versions":
                value = {k: "not installed" if v is None else v for k, v in value.items()}
            out += [(f"{name}: {k.replace('_', ' ')}", str(v)) for k, v in value.items()]
        elif isinstance(value, list):
            out.append((name, " ".join(map(str, value))))
        else:
            out.append((name, "unknown" if value is None else str(value)))
    return out


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, also in a table."""
    for mark in "\\|`*_<>[]":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
