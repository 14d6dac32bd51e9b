"""What an answer was asked and gave, and what ours gives for the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_math_tests.answers.door import Reply, Request
from llm_math_tests.answers.values import Bfloat16, Blocks, Value, arrays_in, plain

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer

SECONDS = 5.0
MOST_NUMBERS = 60_000
"""A larger input would keep a student waiting while every mistake is tried on it."""


def can_be_repeated(request: Request, reply: Reply) -> bool:
    """Whether a call is one that ours can be asked as well, soon enough."""
    arrays = list(arrays_in([request.args, request.kwargs]))
    return (
        request.cotangents is None
        and not request.on_accelerator
        and reply.ended in ("returned", "raised")
        and not any(isinstance(array, Bfloat16) for array in arrays)
        and sum(plain(array).size for array in arrays) <= MOST_NUMBERS
    )


def repeated(answer: Answer, request: Request) -> Reply:
    """What an answer of ours gives for the same call."""
    fresh = replace(
        request,
        args=tuple(_fresh(value) for value in request.args),
        kwargs={name: _fresh(value) for name, value in request.kwargs.items()},
        measure_memory=False,
    )
    return answer.room.call(answer.where, fresh, SECONDS)


def _fresh(value: Value) -> Value:
    """An iterator is used up after one answer: the next gets its own."""
    return Blocks(value.arrays) if isinstance(value, Blocks) else value
