"""Which exercises' reference was opened before they passed; the student's folder remembers.

The record is ``.llm-math/given_up.json`` in the folder of answers: small, readable, and the
student's own. It takes no points away, the boards only say it.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLACE = Path(".llm-math") / "given_up.json"

_ABOUT = "Exercises whose reference was opened with --give-up; their points count as before."
_LARGEST = 100_000


class UnusableRecord(ValueError):
    """The record cannot be written, or what is there is not one; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """What a folder remembers."""

    entries: tuple[dict[str, str], ...] = ()
    trouble: str = ""
    """Why what is there cannot be read, in one line; empty if it can, or nothing is there."""

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The (exercise, track) pairs."""
        return frozenset((entry["exercise"], entry["track"]) for entry in self.entries)


def given_up(root: Path) -> frozenset[tuple[str, str]]:
    """The (exercise, track) pairs that a folder of answers says were given up.

    Never fails: what cannot be read says nothing. :func:`record_of` says why.
    """
    return record_of(root).pairs


def record_of(root: Path) -> Record:
    """Read a folder's record, whatever lies there."""
    path = root / PLACE
    try:
        # Only a plain file: a pipe would never end, and a submission may hold anything.
        if not path.is_file():
            there = os.path.lexists(path)
            return Record(trouble=f"{path} is not a file: move it away" if there else "")
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        return Record(trouble=f"{path} cannot be read ({_reason(error)})")
    entries = _entries(raw)
    if entries is None:
        return Record(trouble=f"{path} is not a record of llm-math: mend it or move it away")
    return Record(entries)


def give_up(root: Path, exercise: str, track: str) -> None:
    """Remember that a reference was opened, whole or not at all; :class:`UnusableRecord`."""
    record = record_of(root)
    if record.trouble:
        raise UnusableRecord(f"--give-up is not remembered: {record.trouble}")
    if (exercise, track) in record.pairs:
        return
    entry = {"exercise": exercise, "track": track, "when": time.strftime("%Y-%m-%d")}
    document = {"about": _ABOUT, "given_up": [*record.entries, entry]}
    path = root / PLACE
    try:
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
                file.write("\n")
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        text = f"--give-up is not remembered: {path} cannot be written ({_reason(error)})"
        raise UnusableRecord(text) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _entries(raw: bytes) -> tuple[dict[str, str], ...] | None:
    """The entries of a record's text, None if it is none. More keys than ours are kept."""
    try:
        document: Any = json.loads(raw) if len(raw) <= _LARGEST else None
    except (ValueError, RecursionError):
        return None
    entries = document.get("given_up") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    for entry in entries:
        if not isinstance(entry, dict):
            return None
        if not all(isinstance(entry.get(key), str) for key in ("exercise", "track")):
            return None
    return tuple(entries)
