"""Whether a result has even the form of a right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_math_tests.answers.values import Value, is_array, plain, spelled
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.diagnosis.evidence import of_the_case, ours, repeated

if TYPE_CHECKING:
    from llm_math_tests.answers.answer import Answer


def of_another_form(answer: Answer) -> Wrong | None:
    """The first result of the case that has not even the form of a right one, if any."""
    right = ours(answer)
    for request, reply in of_the_case(answer):
        if reply.ended == "returned":
            wanted = repeated(right, request)
            if wanted.ended == "returned" and _form(wanted.value) != _form(reply.value):
                return Wrong(spelled(wanted.value), spelled(reply.value))
    return None


def _form(value: Value) -> object:
    if is_array(value):
        return plain(value).shape
    if isinstance(value, (tuple, list)):
        return [_form(item) for item in value]
    if isinstance(value, dict):
        return {key: _form(item) for key, item in value.items()}
    return () if type(value) in (bool, int, float) else type(value)
