"""What a picture is: whose numbers it asks for, and what it holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_math_tests import tracks
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, arrays_in, plain

if TYPE_CHECKING:
    from llm_math_tests.session import Session


class NotDrawn(Exception):
    """Why a picture cannot be made, in words."""


@dataclass(frozen=True)
class Series:
    """One line of a plot."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Lines:
    """Lines over one horizontal axis."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log_x: bool = False
    log_y: bool = False
    kind: str = "lines"


@dataclass(frozen=True)
class Bars:
    """A bar for each label."""

    title: str
    x_label: str
    y_label: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    kind: str = "bars"


@dataclass(frozen=True)
class HeatMap:
    """A matrix as colours: blue below zero, orange above."""

    title: str
    x_label: str
    y_label: str
    rows: tuple[tuple[float, ...], ...]
    kind: str = "heat map"


Panel = Lines | Bars | HeatMap


class Asked:
    """The chosen solution's answers in one track, to be asked for numbers."""

    def __init__(self, session: Session, track: str) -> None:
        self._session = session
        self.track = track

    def __call__(self, exercise: str, **inputs: Value) -> np.ndarray:
        """The answer's one array, as float64."""
        arrays = list(arrays_in(self.value(exercise, **inputs)))
        if len(arrays) != 1:
            raise NotDrawn(f"{exercise} did not return an array")
        return plain(arrays[0]).astype("float64")

    def value(self, exercise: str, **inputs: Value) -> Value:
        """Whatever the answer returns."""
        answer = self.answer(exercise)
        answer.begin()
        answer.calls.clear()
        reply = answer.try_to_ask(inputs)
        answer.calls.clear()
        if reply.ended != "returned":
            raise NotDrawn(f"{exercise} {reply.ended}: {reply.problem}")
        return reply.value

    def answer(self, exercise: str) -> Answer:
        """The answer itself."""
        return self._session.answer(exercise, self.track)


@dataclass(frozen=True)
class Picture:
    """A picture of the chapter."""

    name: str
    title: str
    caption: str
    """What there is to see, in a sentence or two."""
    needs: tuple[str, ...]
    """The exercises whose answers it is made from."""
    make: Callable[[Asked], Sequence[Panel]]
    group: str = "chapter"
    """``chapter``, or ``stability`` for the curves."""


def drawn(picture: Picture, session: Session) -> dict[str, Any]:
    """The record of a picture, from the first chosen track that has all its answers."""
    reasons = []
    for track in session.choice.tracks:
        missing = _missing(picture, session, track)
        if missing:
            reasons.append(missing)
            continue
        panels = [
            _plain(dataclasses.asdict(panel)) for panel in picture.make(Asked(session, track))
        ]
        return {**_head(picture), "track": track, "answer": session.choice.solution.label,
                "status": "drawn", "reason": "", "panels": panels}  # fmt: skip
    raise NotDrawn(reasons[0] if reasons else "no track was chosen")


def not_drawn(picture: Picture, reason: str) -> dict[str, Any]:
    """The record of a picture that there is nothing to draw of."""
    return {**_head(picture), "track": "", "answer": "", "status": "not_run", "reason": reason,
            "panels": []}  # fmt: skip


def _head(picture: Picture) -> dict[str, Any]:
    return {
        "picture": picture.name, "group": picture.group, "title": picture.title,
        "caption": picture.caption, "exercises": list(picture.needs),
    }  # fmt: skip


def _missing(picture: Picture, session: Session, track: str) -> str:
    unavailable = tracks.unavailable(track)
    if unavailable:
        return unavailable
    for name in picture.needs:
        problem = session.answer(name, track).problem
        if problem is not None:
            what = "is not started" if problem.verdict == "not_started" else problem.message
            return f"needs {name}, which {what}"
    return ""


def _plain(value: Any) -> Any:
    """Numbers that JSON can hold: what is not finite becomes None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


def floats(values: Any) -> tuple[float, ...]:
    """A row of Python floats."""
    return tuple(float(value) for value in np.ravel(values))
