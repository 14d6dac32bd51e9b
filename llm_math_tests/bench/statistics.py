"""Median, spread and how sure the median is; pure numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def median(samples: Sequence[float]) -> float:
    """The middle sample; NaN without any."""
    return statistics.median(samples) if samples else math.nan


def iqr(samples: Sequence[float]) -> float:
    """The interquartile range; NaN with fewer than two samples."""
    if len(samples) < 2:
        return math.nan
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return third - first


def median_interval(samples: Sequence[float]) -> tuple[float, float]:
    """A 95 % interval for the median, whatever the distribution.

    Order statistics: the number of samples below the true median is binomial, so the
    samples at n/2 -+ 0.98 sqrt(n) bracket it. With fewer than six no pair does.
    """
    n = len(samples)
    if n < 6:
        return (-math.inf, math.inf)
    ordered = sorted(samples)
    reach = 0.98 * math.sqrt(n)
    low = max(0, math.floor(n / 2 - reach))
    high = min(n - 1, math.ceil(n / 2 + reach))
    return ordered[low], ordered[high]


def relative_error(samples: Sequence[float]) -> float:
    """Half the width of the median's interval, relative to the median."""
    low, high = median_interval(samples)
    middle = median(samples)
    return (high - low) / (2 * middle) if middle > 0 and math.isfinite(high) else math.inf
