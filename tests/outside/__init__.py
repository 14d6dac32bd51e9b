"""Truth from outside: other people's implementations, which our truths are compared with.

One module a topic; its ``ROWS`` hold one row for every exercise. ``tests/test_outside.py``
runs them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outside:
    """Somebody else's implementation of one exercise."""

    exercise: str
    source: str
    """Whose: ``scipy.special.softmax``, ``torch.autograd of F.layer_norm``, ``mpmath``."""
    compute: Callable[..., Any]
    """Takes the exercise's inputs by name, its floating arrays as float64, and gives
    one array or a tuple of them."""
    more: tuple[Callable[[np.random.Generator], dict[str, Any]], ...] = ()
    """Inputs besides the float64 and float32 cases of the checks that compare values."""
    without: tuple[str, ...] = ()
    """``check/case`` that the other implementation cannot do (it overflows there, say)."""
    roundings: float = 2.0
    """How many times our float64 allowance both sides together may differ by."""
