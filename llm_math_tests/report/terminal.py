"""The short table at the end of a run: ASCII, at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from llm_math_tests.report.quantities import ratio_text, time_text
from llm_math_tests.report.sentences import claim_verdict, counts, noise, untimed_lines

WIDTH = 80
_NAME = 37
_TIME = 9
_RATIO = 8


def lines(table: pd.DataFrame) -> list[str]:
    """A line for each exercise at its largest size; the report has the rest."""
    timed = table[table["status"] == "timed"]
    out = [*_table(timed), ""] if len(timed) else []
    noisy = textwrap.wrap(noise(table), WIDTH)
    said = [counts(table), *noisy, *untimed_lines(table)]
    return out + [_cut(line, WIDTH) for line in said]


def claim_lines(claims: Sequence[dict[str, Any]]) -> list[str]:
    """What was found beside each claim, wrapped to the width."""
    out: list[str] = []
    for says, found in _by_claim(claims).items():
        out += ["", *textwrap.wrap(says, WIDTH)]
        for one in found:
            place = f"{one['track']} on {one['device']}, {claim_verdict(one)}: "
            text = _cut(place + (one["measured"] or one["reason"]), 1000)
            out += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return out[1:]


def _by_claim(claims: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in claims:
        if one["status"] != "not_run":
            found.setdefault(one["says"], []).append(one)
    return found


def _table(timed: pd.DataFrame) -> list[str]:
    own = timed[~timed["implementation"].isin(("reference", "library"))]
    label = str(own["implementation"].iloc[0]) if len(own) else "reference"
    base = timed[_is_baseline(timed)]
    rows = timed[(timed["implementation"] == label) & ~_is_baseline(timed)]
    places = list(dict.fromkeys(zip(rows["track"], rows["device"], strict=True)))
    head = [
        f"{'':{_NAME}} {'NumPy':>{_TIME}}" + "".join(f"{t:>{_RATIO}}" for t, _ in places),
        f"{'':{_NAME}} {'reference':>{_TIME}}" + "".join(f"{d:>{_RATIO}}" for _, d in places),
    ]
    out = [
        f"Largest size: time of the NumPy reference, speed-up of {_cut(label, 20)} over it",
        *head,
    ]
    for exercise, group in timed.groupby("exercise", sort=False):
        last = group["size"].iloc[-1]
        line = f"{_cut(str(exercise), _NAME):<{_NAME}} "
        line += f"{_cell(base, exercise, last, 'median_s'):>{_TIME}}"
        for track, device in places:
            here = rows[(rows["track"] == track) & (rows["device"] == device)]
            line += f"{_cell(here, exercise, last, 'speedup_vs_numpy_cpu'):>{_RATIO}}"
        out.append(line[:WIDTH].rstrip())
    return out


def _cell(rows: pd.DataFrame, exercise: object, size: object, column: str) -> str:
    found = rows[(rows["exercise"] == exercise) & (rows["size"] == size)][column]
    if found.empty:
        return "-"
    value = float(found.iloc[0])
    return (time_text(value) if column == "median_s" else ratio_text(value)) or "-"


def _is_baseline(rows: pd.DataFrame) -> pd.Series:
    return (rows["track"] + rows["device"] + rows["implementation"]) == "numpycpureference"


def _cut(text: str, width: int) -> str:
    """What every console can print, and no wider."""
    plain = text.replace("\u00d7", "x").encode("ascii", "replace").decode()
    return plain if len(plain) <= width else plain[: width - 2] + ".."
