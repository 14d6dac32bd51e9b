"""Over many calls: the kind of input for which an answer is right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests import mistakes
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Request
from llm_math_tests.diagnosis.evidence import more, of_the_case, ordinary, repeated, same
from llm_math_tests.diagnosis.patterns.pair import arrays_of

_FEWEST = 2
"""Calls of each kind, right and wrong, before it is said."""


def right_only_for(answer: Answer) -> str:
    """A kind of input that all right calls are of, and no wrong one."""
    right = mistakes.reference_answer(
        answer.exercise, "torch" if answer.track == "torch" else "numpy"
    )
    judged = []
    for request, reply in [*of_the_case(answer), *ordinary(answer), *more(answer)]:
        wanted = repeated(right, request)
        if wanted.ended != "returned" or request.cotangents is not None:
            continue
        first = next((array for _, array in arrays_of(answer, request)), None)
        if first is None or not first.size:
            continue
        judged.append((request, first, same(reply, wanted, request, values_only=True)))
    good = [(request, first) for request, first, is_right in judged if is_right]
    bad = [(request, first) for request, first, is_right in judged if not is_right]
    if len(good) < _FEWEST or len(bad) < _FEWEST:
        return ""
    for words, is_such in _KINDS:
        if all(is_such(*one) for one in good) and not any(is_such(*one) for one in bad):
            name = next(name for name, _ in arrays_of(answer, good[0][0]))
            return words.format(name=name, good=len(good), bad=len(bad))
    return ""


def _axes(count: int) -> Callable[[Request, np.ndarray], bool]:
    return lambda request, first: first.ndim == count


_KINDS: tuple[tuple[str, Callable[[Request, np.ndarray], bool]], ...] = (
    ("right where {name} has two axes ({good} calls), not where it has fewer or more ({bad})",
     _axes(2)),
    ("right where {name} has one axis ({good} calls), not where it has more ({bad})", _axes(1)),
    ("right where {name} has three axes ({good} calls), not where it has fewer or more ({bad})",
     _axes(3)),
    ("right where {name} has leading axes ({good} calls), not without them ({bad})",
     lambda request, first: first.ndim > 2),
    ("right where {name} has at most two axes ({good} calls), not with more ({bad})",
     lambda request, first: first.ndim <= 2),
    ("right where {name} is square ({good} calls), not otherwise ({bad})",
     lambda request, first: first.ndim >= 2 and first.shape[-1] == first.shape[-2]),
    ("right for float64 ({good} calls), not for other dtypes ({bad})",
     lambda request, first: first.dtype == np.float64),
    ("right where no optional argument is given ({good} calls), not where one is ({bad})",
     lambda request, first: not request.kwargs),
)  # fmt: skip
