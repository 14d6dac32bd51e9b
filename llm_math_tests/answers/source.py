"""What a file of answers says of itself, read and never run."""

from __future__ import annotations

import ast
import importlib.util
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from llm_math_tests.answers.door import Where
from llm_math_tests.derive.untouched import is_untouched

LARGEST = 1_000_000
"""Bytes of a file of answers; the longest of this course has a hundredth of that."""


@dataclass(frozen=True)
class Written:
    """One function as it stands in a file."""

    line: int
    untouched: bool
    """Still the stub: its body does nothing but raise ``NotImplementedError``."""


@dataclass(frozen=True)
class Source:
    """A file's functions; None where the file is not there or does not parse."""

    exists: bool
    functions: dict[str, Written] | None


def unreadable(path: Path) -> str | None:
    """Why what is there cannot be a file of answers, in words; None for one that can.

    Also None where nothing is there. Nothing is opened: a pipe would never end.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return "is a folder, not a file"
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_size > LARGEST:
        return f"is {found.st_size / 1e6:.1f} MB large; answers are at most 1 MB"
    return None


def started(where: Where, name: str) -> bool | None:
    """Whether a file holds somebody's own function of that name; None if it cannot be read."""
    if where.text is None and not where.path.exists():
        return False
    text = where.text if where.text is not None else text_of(where.path)
    return None if text is None else started_in(text, name)


def started_in(text: str, name: str) -> bool | None:
    """The same of a text; None if it does not parse."""
    try:
        untouched = is_untouched(text, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return untouched is False


def text_of(path: Path) -> str | None:
    """The text of a file of answers, as Python reads it; None for what can be none."""
    if unreadable(path) is not None:
        return None
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        # A byte-order mark, a coding line and any line ends are fine.
        return None if len(raw) > LARGEST else importlib.util.decode_source(raw)
    except (OSError, SyntaxError, ValueError):
        return None


def source_of(where: Where) -> Source:
    """Read the file behind an answer (again only when it has changed)."""
    if where.text is not None:
        return _parsed(where.text)
    try:
        found = where.path.stat()
    except (OSError, ValueError):
        return Source(False, None)
    if unreadable(where.path) is not None:
        return Source(True, None)
    return _read(where.path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _read(path: Path, changed: int, size: int) -> Source:
    text = text_of(path)
    return Source(True, None) if text is None else _parsed(text)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Source:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Source(True, None)
    return Source(
        True,
        {
            node.name: Written(node.lineno, bool(is_untouched(text, node.name)))
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
        },
    )
