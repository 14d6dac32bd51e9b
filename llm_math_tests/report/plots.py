"""Pictures as inline SVG: lines, bars and heat maps from plain records.

A series has a colour, a dash pattern and its name in the legend, so that it can be told
without colour; what is not finite leaves a gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

_WIDTH = 360
_HEIGHT = 200
_LEFT = 54
_BOTTOM = 34
_TOP = 6
_RIGHT = 14
_TICKS = 5
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2 1 2", "1 2")


def panel(record: dict[str, Any]) -> str:
    """A figure of one panel, with its title and legend."""
    draw = {"lines": _lines, "bars": _bars, "heat map": _heat_map}[record["kind"]]
    return f"<h4>{escape(record['title'])}</h4>{draw(record)}"


Scale = Callable[[float], float]


def _axis(
    low: float, high: float, start: float, end: float, logarithmic: bool
) -> tuple[Scale, list[float]]:
    """A function from values to places, and the values to mark."""
    if logarithmic:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        last = max(last, first + 1)
        step = max(1, math.ceil((last - first) / _TICKS))
        marks = [10.0**power for power in range(first, last + 1, step)]
        span = last - first

        def place(value: float) -> float:
            return start + (end - start) * (math.log10(value) - first) / span

        return place, marks
    if high <= low:
        low, high = low - 0.5, high + 0.5
    spacing = _round_step((high - low) / _TICKS)
    bottom, top = math.floor(low / spacing) * spacing, math.ceil(high / spacing) * spacing
    count = round((top - bottom) / spacing)
    marks = [bottom + spacing * i for i in range(count + 1)]

    def linear(value: float) -> float:
        return start + (end - start) * (value - bottom) / (top - bottom)

    return linear, marks


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10, ... at or above a step."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * 0.999)


def _number(value: float) -> str:
    if value and (abs(value) >= 1e4 or abs(value) < 1e-2):
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{value:g}" if abs(value - round(value, 6)) > 1e-9 else f"{round(value, 6):g}"


def _points(series: dict[str, Any], log_x: bool, log_y: bool) -> list[tuple[float, float] | None]:
    found: list[tuple[float, float] | None] = []
    for x, y in zip(series["x"], series["y"], strict=True):
        fits = x is not None and y is not None
        fits = fits and (not log_x or x > 0) and (not log_y or y > 0)
        found.append((x, y) if fits else None)
    return found


def _lines(record: dict[str, Any]) -> str:
    log_x, log_y = record["log_x"], record["log_y"]
    lines = [(s["label"], _points(s, log_x, log_y)) for s in record["series"]]
    known = [point for _, points in lines for point in points if point is not None]
    if not known:
        return "<p>Nothing finite to draw.</p>"
    xs, ys = [x for x, _ in known], [y for _, y in known]
    right, floor = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    at_x, x_marks = _axis(min(xs), max(xs), _LEFT, right, log_x)
    at_y, y_marks = _axis(min(ys), max(ys), floor, _TOP, log_y)
    parts = _frame(at_x, x_marks, at_y, y_marks, record)
    for number, (label, points) in enumerate(lines):
        path, pen = "", "M"
        for point in points:
            if point is None:
                pen = "M"
                continue
            path += f"{pen}{at_x(point[0]):.1f} {at_y(point[1]):.1f}"
            pen = "L"
        parts.append(
            f'<path class="line series{number % 6}" stroke-dasharray="{_DASHES[number % 6]}" '
            f'd="{path}"><title>{escape(label)}</title></path>'
        )
    return _svg(record, parts) + (_legend([label for label, _ in lines]) if len(lines) > 1 else "")


def _bars(record: dict[str, Any]) -> str:
    values = [0.0 if value is None else value for value in record["values"]]
    right, floor = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    at_y, y_marks = _axis(min(0.0, *values), max(0.0, *values), floor, _TOP, False)
    width = (right - _LEFT) / max(1, len(values))
    parts = _frame(lambda value: value, [], at_y, y_marks, record)
    for number, (label, value) in enumerate(zip(record["labels"], values, strict=True)):
        left, top, base = _LEFT + number * width, at_y(max(value, 0.0)), at_y(min(value, 0.0))
        parts.append(
            f'<rect class="series0 filled" x="{left + width * 0.12:.1f}" y="{top:.1f}" '
            f'width="{width * 0.76:.1f}" height="{max(base - top, 0.5):.1f}">'
            f"<title>{escape(label)}: {value:.4g}</title></rect>"
            f'<text class="middle soft" x="{left + width / 2:.1f}" y="{floor + 13}">'
            f"{escape(label)}</text>"
        )
    return _svg(record, parts)


def _heat_map(record: dict[str, Any]) -> str:
    rows: Sequence[Sequence[float | None]] = record["rows"]
    columns = max((len(row) for row in rows), default=0)
    known = [abs(value) for row in rows for value in row if value is not None]
    most = max(known, default=0.0) or 1.0
    side = min((_WIDTH - 24) / max(columns, 1), 40.0)
    parts = []
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            strength = 0.0 if value is None else abs(value) / most
            sign = "above" if value is not None and value >= 0 else "below"
            said = "not finite" if value is None else f"{value:.4g}"
            parts.append(
                f'<rect class="cell {sign}" x="{20 + j * side:.1f}" y="{4 + i * side:.1f}" '
                f'width="{side - 1:.1f}" height="{side - 1:.1f}" fill-opacity="{strength:.3f}">'
                f"<title>{i}, {j}: {said}</title></rect>"
            )
            if columns <= 8:
                parts.append(
                    f'<text class="middle" x="{20 + (j + 0.5) * side:.1f}" '
                    f'y="{4 + (i + 0.5) * side + 4:.1f}">{_short(value)}</text>'
                )
    height = 4 + len(rows) * side + 18
    parts.append(
        f'<text class="soft" x="20" y="{height - 4:.1f}">{escape(record["x_label"])}</text>'
    )
    if record["y_label"]:
        middle = 4 + len(rows) * side / 2
        parts.append(
            f'<text class="soft middle" transform="rotate(-90 12 {middle:.1f})" x="12" '
            f'y="{middle:.1f}">{escape(record["y_label"])}</text>'
        )
    return _svg(record, parts, height)


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return "0" if abs(value) < 0.005 else f"{value:.2f}".replace("0.", ".")


def _frame(
    at_x: Scale, x_marks: list[float], at_y: Scale, y_marks: list[float], record: dict[str, Any]
) -> list[str]:
    right, floor = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for mark in y_marks:
        y = at_y(mark)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
        parts.append(
            f'<text class="soft end small" x="{_LEFT - 5}" y="{y + 4:.1f}">{_number(mark)}</text>'
        )
    for mark in x_marks:
        x = at_x(mark)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{floor}"/>')
        parts.append(
            f'<text class="soft middle small" x="{x:.1f}" y="{floor + 13}">{_number(mark)}</text>'
        )
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text class="soft middle" x="{middle:.1f}" y="{_HEIGHT - 5}">'
        f"{escape(record['x_label'])}</text>"
        f'<text class="soft middle" transform="rotate(-90 9 {(floor + _TOP) / 2})" x="9" '
        f'y="{(floor + _TOP) / 2 + 3}">{escape(record["y_label"])}</text>'
    )
    return parts


def _legend(labels: Sequence[str]) -> str:
    items = "".join(
        f'<li><svg viewBox="0 0 26 10" width="26" height="10" aria-hidden="true">'
        f'<path class="line series{i % 6}" stroke-dasharray="{_DASHES[i % 6]}" d="M0 5H26"/></svg>'
        f"{escape(label)}</li>"
        for i, label in enumerate(labels)
    )
    return f'<ul class="legend lines">{items}</ul>'


def _svg(record: dict[str, Any], parts: list[str], height: float = _HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(record["title"])}">{"".join(parts)}</svg>'
    )
