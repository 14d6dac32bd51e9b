"""Pictures of the chapter, made from an answer's own numbers.

A picture asks the chosen solution's functions, through the same door as the checks, and
keeps what they returned as plain records; ``report/plots.py`` draws them. A picture whose
exercises are not started says so and is not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llm_math_tests.pictures.picture import NotDrawn, Picture, drawn, not_drawn

if TYPE_CHECKING:
    from llm_math_tests.session import Session


def pictures() -> Iterator[Picture]:
    """All pictures, in the order in which a report shows them."""
    from llm_math_tests.pictures import chapter, stability

    yield from chapter.PICTURES
    yield from stability.pictures()


def draw(session: Session) -> list[dict[str, Any]]:
    """The records of the pictures whose exercises were chosen."""
    records = []
    for picture in pictures():
        if set(picture.needs) <= set(session.choice.names):
            try:
                records.append(drawn(picture, session))
            except NotDrawn as refused:
                records.append(not_drawn(picture, str(refused)))
            except Exception as error:
                # What a wrong answer returned may fit nowhere: the report must not be lost.
                reason = f"not of what was returned ({type(error).__name__}: {error})"
                records.append(not_drawn(picture, reason))
    return records
