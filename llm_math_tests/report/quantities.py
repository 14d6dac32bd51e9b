"""Numbers as people read them: ``31.0 ms``, ``2.1 x``."""

from __future__ import annotations

import math

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def time_text(seconds: float, micro: str = "us") -> str:
    """Three digits and a unit; empty for a time that was not measured."""
    if not math.isfinite(seconds):
        return ""
    if seconds == 0:
        return "0 s"
    # 999.6 us is 1.00 ms and not 1000 us.
    fitting = (entry for entry in _TIMES if seconds >= 0.9995 * entry[0])
    scale, unit = next(fitting, _TIMES[-1])
    return f"{digits(seconds / scale)} {micro if unit == 'us' else unit}"


def ratio_text(ratio: float) -> str:
    """``2.13x``; empty where there is none."""
    if not math.isfinite(ratio):
        return ""
    return f"{ratio:.2f}x" if 0.095 <= ratio < 9.995 else f"{digits(ratio)}x"


def number_text(number: float) -> str:
    """Three digits; empty where there is none."""
    return digits(number) if math.isfinite(number) else ""


def error_text(error: float) -> str:
    """An error with two digits; empty where it was not computed."""
    if math.isnan(error):
        return ""
    return "0" if error == 0 else f"{error:.1e}"


def digits(number: float) -> str:
    """Three significant digits, never an exponent for everyday sizes."""
    if number == 0:
        return "0"
    number = float(f"{number:.3g}")
    magnitude = math.floor(math.log10(abs(number)) + 1e-9)
    if magnitude >= 2:
        return f"{number:.0f}"
    if magnitude < -3:
        return f"{number:.1e}"
    return f"{number:.{2 - magnitude}f}"
