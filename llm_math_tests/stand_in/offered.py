"""The table of what the stand-in offers, as ``survey.py`` wrote it."""

from __future__ import annotations

import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).with_name("offered.json")

# "made_from" holds a string; every other key holds {kind: {name: parameters}}.
Table = dict[str, Any]

# The names that stand in for classes among the defaults.
_DEFAULTS = {"float": float, "int": int, "float64": np.float64, "int64": np.int64}


@cache
def table() -> Table:
    """The committed table."""
    read: Table = json.loads(PATH.read_text(encoding="utf-8"))
    return read


def names(place: str, kind: str) -> dict[str, Any]:
    """The names of one kind in one module or class."""
    found: dict[str, Any] = table().get(place, {}).get(kind, {})
    return found


def signature(parameters: str) -> inspect.Signature:
    """Read ``a, /, *, axis=None``; Python itself is the parser.

    The text comes from our own committed table, never from a caller.
    """
    return inspect.signature(eval(f"lambda {parameters}: None", dict(_DEFAULTS)))
