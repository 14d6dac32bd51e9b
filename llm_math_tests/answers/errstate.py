"""NumPy's floating-point error state around an answer: the usual one, and only there."""

from __future__ import annotations

import numpy as np


def usual_errstate() -> np.errstate:
    """NumPy's defaults inside; what an answer sets with ``np.seterr`` ends with the block."""
    return np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
