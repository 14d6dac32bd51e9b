"""What a file of answers says of itself, read and never run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from llm_math_tests.answers.door import Where
from llm_math_tests.derive import is_untouched


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


def source_of(where: Where) -> Source:
    """Read the file behind an answer (again only when it has changed)."""
    if where.text is not None:
        return _parsed(where.text)
    try:
        stat = where.path.stat()
    except OSError:
        return Source(False, None)
    return _read(where.path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _read(path: Path, changed: int, size: int) -> Source:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return Source(True, None)


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
