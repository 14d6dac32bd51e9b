"""Pytest's command line, before pytest has understood it.

Pytest looks for its root folder and its configuration before any plugin has
registered an option, and takes every word that is a path for one of its own. In
``pytest --solution ../alice`` it would make Alice's folder the root, and obey a
configuration file that lies in it. Written ``--solution=../alice`` it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_TAKE_PATHS = ("--solution", "--results")
_OURS = ("student", "reference")


def joined(args: Sequence[str], start: Path) -> list[str] | None:
    """The arguments with those options written in one word; None if nothing changes."""
    out: list[str] = []
    changed = False
    words = iter(args)
    for word in words:
        if word == "--":
            out += [word, *words]
            break
        value = next(words, None) if word in _TAKE_PATHS else None
        if value is None:
            out.append(word)
        elif value in _OURS or not _exists(start / value):
            out += [word, value]
        else:
            out.append(f"{word}={value}")
            changed = True
    return out if changed else None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
