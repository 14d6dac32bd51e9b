"""What the screen says of an exercise: its levels, the first failure, what next."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from typing import Any

from llm_math_tests.exercise import LEVELS
from llm_math_tests.exercises import exercise
from llm_math_tests.report.failure import closer_look_at, failure_text, worst_verdict
from llm_math_tests.report.lesson import docstring
from llm_math_tests.report.used_ours import used_ours_lines
from llm_math_tests.session import Session
from llm_math_tests.watch.screen import cut
from llm_math_tests.watch.touched import Key
from llm_math_tests.wording import WIDTH, clean, point_text

_MOST_PRINTED = 8
_MOST_OF_A_LESSON = 6


def levels(session: Session, key: Key) -> tuple[list[str], list[str]]:
    """``stable    wrong        2 of 4 points  survives_large_scores``, a line for each level.

    Besides, the same in few words: ``stable 2 of 4``.
    """
    name, track = key
    checks = exercise(name).checks_in(track)
    kept = {c.name: session.outcomes[name, track, c.name] for c in checks
            if (name, track, c.name) in session.outcomes}  # fmt: skip
    bad = [check for check, group in kept.items() if worst_verdict(group) in ("wrong", "error")]
    lines, brief = [], []
    for level in LEVELS:
        here = [check for check in checks if check.level == level]
        if not here:
            continue
        groups = [kept[check.name] for check in here if check.name in kept]
        records = [record for group in groups for record in group]
        earned = round(sum(record["points"] for record in records), 6)
        possible = sum(check.points for check in here)
        # Where all are bad, the file or the function as a whole is: their names say nothing.
        names = [c.name for c in here if c.name in bad] if len(bad) < len(checks) else []
        words = _words(records, whole=len(groups) == len(here))
        text = f"  {level:<9} {words:<12} {point_text(earned, possible)}"
        lines.append(cut(f"{text}  {', '.join(names)}".rstrip()))
        brief.append(f"{level} {earned:g} of {possible:g}")
    lines += used_ours_lines(record for group in kept.values() for record in group)
    return lines, brief


def _words(records: list[dict[str, Any]], whole: bool) -> str:
    """The verdict of a level, which may have run in part only."""
    verdict = worst_verdict(records) if records else "not_run"
    if verdict in ("passed", "not_run"):
        return "passed" if records and whole else "not run"
    return verdict.replace("_", " ")


def failure(session: Session, key: Key, closer: Sequence[str] = ()) -> list[str]:
    """The lines of the first failure, with a closer look; none where there is none."""
    broken = first_broken(session, key)
    return failure_text(exercise(key[0]), broken, closer=closer).splitlines() if broken else []


def closer_look(session: Session, key: Key) -> list[str]:
    """What there is to see on a closer look at the first failure, in blocks of lines."""
    broken = first_broken(session, key)
    return closer_look_at(session, broken) if broken else []


def first_broken(session: Session, key: Key) -> list[dict[str, Any]]:
    """The records of the first check that is wrong or ended."""
    for check in exercise(key[0]).checks_in(key[1]):
        kept = session.outcomes.get((*key, check.name), [])
        if kept and worst_verdict(kept) in ("wrong", "error"):
            return kept
    return []


def printed_lines(text: str) -> list[str]:
    """What the answer printed, as far as there is room; a function is called many times."""
    said = [(line, len(list(same))) for line, same in itertools.groupby(text.splitlines())]
    if not said:
        return []
    lines = ["printed"]
    for line, times in said[:_MOST_PRINTED]:
        again = f"  ({times} times)" if times > 1 else ""
        shown = cut(f"  {clean(line).expandtabs()}", WIDTH - len(again))
        lines.append(shown + again)
    if len(said) > _MOST_PRINTED:
        lines.append(f"  ... and {len(said) - _MOST_PRINTED} more lines")
    return lines


def first_paragraph(name: str, track: str) -> list[str]:
    """How the lesson begins."""
    text = docstring(exercise(name), track).split("\n\n")[0]
    lines = textwrap.wrap(" ".join(text.split()), WIDTH - 2, break_on_hyphens=False)
    return [f"  {line}" for line in lines[:_MOST_OF_A_LESSON]]
