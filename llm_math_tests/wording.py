"""What a failure says: what, why, where, what next; 80 columns, no colour needed."""

from __future__ import annotations

import textwrap
from pathlib import Path

WIDTH = 80
_LONGEST = 2000
_LABEL = 10


def clean(text: str) -> str:
    """Text that came from an answer, safe to print: no control or direction characters."""
    shown = text[:_LONGEST] + ("..." if len(text) > _LONGEST else "")
    return "".join(c if c.isprintable() else c if c in "\n\t" else _escaped(c) for c in shown)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def shown(path: Path) -> str:
    """A path as a message shows it: from the current folder where it lies below it."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def wrapped(text: str) -> str:
    """A message of one or more lines, each as wide as a terminal at most."""
    fill = textwrap.TextWrapper(WIDTH, break_long_words=False, break_on_hyphens=False).fill
    return "\n".join(map(fill, text.splitlines()))


def labelled(lines: list[tuple[str, str]]) -> str:
    """``called    softmax(logits) ...`` a line, wrapped, empty ones left out."""
    out = []
    for label, text in lines:
        if not text:
            continue
        body = textwrap.wrap(
            " ".join(clean(text).split()),
            WIDTH - 2 - _LABEL,
            break_on_hyphens=False,
        ) or [""]
        out.append(f"  {label:<{_LABEL - 1}} {body[0]}")
        out.extend(" " * (2 + _LABEL) + more for more in body[1:])
    return "\n".join(out)


def headline(
    exercise: str, track: str, check: str, verdict: str, points: str, stand_in: bool
) -> str:
    """The line above a failure."""
    label = f"{track} (stand-in)" if stand_in else track
    left = f"{exercise} \u00b7 {label} \u00b7 {check}"
    right = f"{verdict.replace('_', ' ')}   {points}"
    gap = WIDTH - len(left) - len(right)
    if gap < 2:
        return f"{left}\n{right:>{WIDTH}}"
    return left + " " * gap + right


def used_ours(leaned_on: str) -> str:
    """``used our log_softmax: yours is not started``."""
    of_one = "," not in leaned_on
    return f"used our {leaned_on}: yours {'is' if of_one else 'are'} not started"


def point_text(earned: float, possible: float) -> str:
    """``0 of 2 points``."""
    return f"{earned:g} of {possible:g} point{'' if possible == 1 else 's'}"
