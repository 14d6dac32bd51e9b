"""A failed check as a student reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llm_math_tests.exercise import Exercise
from llm_math_tests.exercises import exercise
from llm_math_tests.wording import headline, labelled, point_text

if TYPE_CHECKING:
    from llm_math_tests.session import Session

_WORST_FIRST = ("error", "wrong", "not_started", "not_run", "passed")


def worst_verdict(records: list[dict[str, Any]]) -> str:
    """The verdict of a check: that of its worst case."""
    verdicts = {record["verdict"] for record in records}
    return next(verdict for verdict in _WORST_FIRST if verdict in verdicts)


def failure_text(
    exercise: Exercise,
    records: list[dict[str, Any]],
    *,
    hint: bool = False,
    brief: bool = False,
    closer: Sequence[str] = (),
) -> str:
    """What, why, where and what next, for the first case that is worst.

    ``brief`` is for a mistake that was explained already: its name is enough. ``closer``
    are blocks of lines that follow the message.
    """
    verdict = worst_verdict(records)
    worst = [record for record in records if record["verdict"] == verdict]
    first = _shown(records)
    points = point_text(
        sum(record["points"] for record in records),
        round(sum(record["max_points"] for record in records), 6),
    )
    head = headline(
        first["exercise"], first["track"], first["check"], verdict, points,
        first["proved_by"] == "stand-in",
    )  # fmt: skip
    for label, said in (("you did", first["you_did"]), ("pattern", first["pattern"])):
        if brief and said:
            return f"{head}\n" + labelled([(label, f"{said} (as above)")])
    if brief:
        raised = re.split(r"\n  (?:note|where) ", _cause(first))[0]
        return f"{head}\n" + labelled([("raised", f"{raised} (as above)")])
    lines = [head, first["message"]]
    if verdict not in ("wrong", "error") or _is_of_the_whole_answer(first):
        return "\n".join(lines)
    if len(worst) > 1:
        others = ", ".join(record["case"] for record in worst if record is not first)
        lines.append(labelled([("also in", others)]))
    lines += closer
    lines.append(labelled([_hint(exercise, hint)]))
    return "\n".join(lines)


def failure_of(session: Session, records: list[dict[str, Any]], *, hint: bool = False) -> str:
    """A failed check's text with a closer look, in brief where its cause was shown before."""
    entry = exercise(records[0]["exercise"])
    brief = is_explained(session, records)
    closer = [] if brief else closer_look_at(session, records)
    return failure_text(entry, records, hint=hint, brief=brief, closer=closer)


def closer_look_at(session: Session, records: list[dict[str, Any]]) -> list[str]:
    """Blocks of lines on the case that a failure shows: where it breaks, the smallest one."""
    shown = _shown(records)
    answer = session.answer(shown["exercise"], shown["track"])
    if shown["verdict"] not in ("wrong", "error") or answer.problem is not None:
        return []
    from llm_math_tests.diagnosis.closer_look import closer_look

    check = answer.exercise.check(shown["check"])
    case = next(case for case in check.cases if case.name == shown["case"])
    try:
        return closer_look(session.engine, answer, check, case, shown["mistake"], shown["pattern"])
    except Exception:
        return []  # what failed has to be said, whatever becomes of the closer look


def _hint(exercise: Exercise, shown: bool) -> tuple[str, str]:
    if not exercise.hints:
        return ("hint", "")
    if not shown:
        return ("hint", f"llm-math hint {exercise.name}")
    more = f" (more: llm-math hint {exercise.name})" if len(exercise.hints) > 1 else ""
    return ("hint", exercise.hints[0] + more)


def _is_of_the_whole_answer(record: dict[str, Any]) -> bool:
    message: str = record["message"]
    return record["verdict"] == "error" and message.startswith("  problem ")


def is_explained(session: Session, records: list[dict[str, Any]]) -> bool:
    """Whether an earlier failure of the same answer had the very same cause."""
    cause = _cause(_shown(records))
    key = (records[0]["exercise"], records[0]["track"])
    for (name, track, check), kept in session.outcomes.items():
        if check == records[0]["check"] and (name, track) == key:
            return False
        if (name, track) == key and cause and cause == _cause(_shown(kept)):
            return True
    return False


def _shown(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The case that a failure shows: of the worst ones, the first that has a name."""
    verdict = worst_verdict(records)
    worst = [record for record in records if record["verdict"] == verdict]
    return next((record for record in worst if record["mistake"]), worst[0])


def _cause(record: dict[str, Any]) -> str:
    """What was said of it, or the exception and its line; empty if neither is known."""
    if record["verdict"] == "wrong":
        return str(record["mistake"] or record["pattern"])
    if record["verdict"] != "error":
        return ""
    _, found, rest = str(record["message"]).partition("\n  raised ")
    if not found:
        _, found, rest = str(record["message"]).partition("\n  ended ")
    return rest.partition("\n  repeat ")[0] if found else ""


def is_blocked(session: Session, records: list[dict[str, Any]]) -> bool:
    """Whether the same trouble with the whole answer was shown already in this process.

    A syntax error fails every check of every exercise in its file: it is said once.
    """
    first = records[0]
    if not _is_of_the_whole_answer(first):
        return False
    key = (first["exercise"], first["track"])
    earlier = [
        check
        for (name, track, check), kept in session.outcomes.items()
        if (name, track) == key and kept[0]["message"] == first["message"]
    ]
    return bool(earlier[0] != first["check"])
