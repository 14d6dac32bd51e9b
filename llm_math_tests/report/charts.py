"""Charts as inline SVG: drawn for a phone's width, so that their text is readable anywhere.

Colour tells the track and is never alone: every bar and dot has its words. Each
chart names its unit, and the page names the devices.
"""

from __future__ import annotations

import math
from html import escape
from itertools import pairwise
from typing import Any

import pandas as pd

from llm_math_tests.report.quantities import ratio_text, time_text
from llm_math_tests.report.sentences import series_name

_WIDTH = 360
_BAR_ROW = 34
_DOT_ROW = 30
_MICRO = "\u00b5s"


def times(rows: pd.DataFrame, label: str) -> str:
    """Bars of the median time, with half the interquartile range either way."""
    longest = float((rows["median_s"] + rows["iqr_s"].fillna(0) / 2).max())
    parts = []
    for place, (_, row) in enumerate(rows.iterrows()):
        top = place * _BAR_ROW
        seconds, spread = float(row["median_s"]), float(row["iqr_s"])
        who = series_name(str(row["track"]), str(row["device"]), str(row["implementation"]))
        ratio = ratio_text(float(row["speedup_vs_numpy_cpu"])).replace("x", "\u00d7")
        length = max(1.5, _WIDTH * seconds / longest)
        figures = f'<tspan class="strong">{escape(time_text(seconds, _MICRO))}</tspan>'
        if ratio:
            figures += f'<tspan class="soft" dx="8">{escape(ratio)}</tspan>'
        parts.append(
            f'<text x="0" y="{top + 12}">{escape(who)}</text>'
            f'<text x="{_WIDTH}" y="{top + 12}" class="end">{figures}</text>'
            f'<rect class="track" x="0" y="{top + 17}" width="{_WIDTH}" height="9" rx="2"/>'
            f'<rect class="{_classes(row)}" x="0" y="{top + 17}" width="{length:.1f}" '
            f'height="9" rx="2"/>'
        )
        if math.isfinite(spread):
            low = max(0.0, _WIDTH * (seconds - spread / 2) / longest)
            high = min(float(_WIDTH), _WIDTH * (seconds + spread / 2) / longest)
            if high - low >= 2:
                parts.append(
                    f'<path class="spread" d="M{low:.1f} {top + 21.5}H{high:.1f}'
                    f'M{low:.1f} {top + 19}v5M{high:.1f} {top + 19}v5"/>'
                )
    return _svg(len(rows) * _BAR_ROW, label, parts)


def speed_ups(rows: pd.DataFrame, label: str) -> str:
    """A line for each exercise with a dot for each implementation, on a logarithmic axis."""
    values = [float(v) for v in rows["speedup_vs_numpy_cpu"]]
    ticks = _ticks(min(values), max(values))
    low, high = math.log2(ticks[0]), math.log2(ticks[-1])

    def x(ratio: float) -> float:
        return 18 + (_WIDTH - 36) * (math.log2(ratio) - low) / (high - low)

    groups = list(rows.groupby(["exercise", "size"], sort=False))
    bottom = len(groups) * _DOT_ROW + 4
    parts = []
    for tick in ticks:
        kind = "one" if tick == 1 else "grid"
        parts.append(f'<path class="{kind}" d="M{x(tick):.1f} 0V{bottom}"/>')
        parts.append(
            f'<text class="middle soft" x="{x(tick):.1f}" y="{bottom + 14}">{_tick(tick)}</text>'
        )
    for place, (key, group) in enumerate(groups):
        top = place * _DOT_ROW
        name, size = str(key[0]), str(key[1]).replace(" x ", " \u00d7 ")
        # A name that would run out of the chart is squeezed into it.
        squeeze = ' textLength="360" lengthAdjust="spacingAndGlyphs"'
        parts.append(
            f'<text class="halo" x="0" y="{top + 12}"{squeeze * (len(name + size) > 54)}>'
            f'{escape(name)}<tspan class="soft" dx="6">{escape(size)}</tspan></text>'
        )
        parts.append(f'<path class="rail" d="M0 {top + 22}H{_WIDTH}"/>')
        for _, row in group.iterrows():
            ratio = float(row["speedup_vs_numpy_cpu"])
            who = series_name(str(row["track"]), str(row["device"]), str(row["implementation"]))
            said = escape(f"{who}: {ratio_text(ratio)}")
            parts.append(_mark(row, x(ratio), top + 22, said))
    return _svg(bottom + 20, label, parts)


def legend(rows: pd.DataFrame) -> str:
    """What the marks of :func:`speed_ups` stand for."""
    items = []
    for _, row in rows.drop_duplicates(["track", "device", "implementation"]).iterrows():
        who = series_name(str(row["track"]), str(row["device"]), str(row["implementation"]))
        mark = _mark(row, 8, 8, escape(who))
        items.append(
            f'<li><svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{mark}</svg>'
            f"{escape(who)}</li>"
        )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _mark(row: Any, x: float, y: float, said: str) -> str:
    """A circle for a reference, a diamond for a library, a square for a student."""
    name, classes = str(row["implementation"]), f"mark {_classes(row)}"
    if name == "reference":
        shape = f'<circle class="{classes}" cx="{x:.1f}" cy="{y}" r="5"/>'
    elif name == "library":
        shape = f'<path class="{classes}" d="M{x:.1f} {y - 6}l6 6l-6 6l-6 -6z"/>'
    else:
        shape = f'<rect class="{classes}" x="{x - 4.5:.1f}" y="{y - 4.5}" width="9" height="9"/>'
    return f"<g><title>{said}</title>{shape}</g>"


def _classes(row: Any) -> str:
    who = str(row["implementation"])
    kind = who if who in ("reference", "library") else "student"
    return f"bar {row['track']} {row['device']} {kind}"


def _ticks(low: float, high: float) -> list[float]:
    """Powers of two (of more where there would be many) around the values, 1 among them."""
    first = min(0, math.floor(math.log2(low)))
    last = max(1, math.ceil(math.log2(high)))
    step = max(1, math.ceil((last - first) / 7))
    first = -step * math.ceil(-first / step)
    powers = list(range(first, last + step, step))
    assert all(b > a for a, b in pairwise(powers))
    return [2.0**power for power in powers]


def _tick(value: float) -> str:
    return f"{value:g}\u00d7" if value >= 1 else f"1/{1 / value:g}\u00d7"


def _svg(height: float, label: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
