"""A failure in fewer lines, for a terminal that has not enough of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from llm_math_tests.watch.screen import cut

_LABEL = re.compile(r"  (\S(?:\S| (?! ))*)")
_LEAST_FIRST = ("allowed", "also in", "repeat", "smallest", "right", "note", "hint")
"""What can be spared; what was called, expected and got, what was done and where cannot."""


def shorter(failure: Sequence[str]) -> Iterator[list[str]]:
    """The failure with one part less each time, the one that matters least first."""
    parts = _parts(failure)
    for least in _LEAST_FIRST:
        kept = [part for part in parts if _label(part) != least]
        if len(kept) < len(parts):
            parts = kept
            yield [line for part in parts for line in part]


def shortest(failure: Sequence[str], columns: int) -> list[str]:
    """One line for each part that cannot be spared."""
    said: list[str] = []
    for part in _parts(failure):
        if _label(part) not in _LEAST_FIRST:
            # The verdict stands at the right end of 80 columns, which may not be there.
            first = part[0] if said else " ".join(part[0].split())
            said.append(cut(first + " ..." if len(part) > 1 else first, columns))
    return said


def printed_in_two(printed: Sequence[str]) -> list[str]:
    """The first line that was printed, and how much more there is."""
    if len(printed) <= 2:
        return list(printed)
    return ["printed, of which the first line is", printed[1]]


def _parts(failure: Sequence[str]) -> list[list[str]]:
    """A label's lines each; the headline, whatever it takes, is the first."""
    parts: list[list[str]] = []
    for line in failure:
        if not parts or _LABEL.match(line):
            parts.append([line])
        else:
            parts[-1].append(line)
    return parts


def _label(part: Sequence[str]) -> str:
    found = _LABEL.match(part[0])
    return found[1] if found else ""
