"""Right numbers in another shape, or one sum too many or too few."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.diagnosis.patterns.pair import Pair, axis_in_words


def another_shape(answer: Answer, pairs: list[Pair]) -> str:
    """How a result of another shape comes from the right one."""
    wrong = [pair for pair in pairs if pair.have.shape != pair.want.shape]
    if not wrong or any(not pair.is_right for pair in pairs if pair.have.shape == pair.want.shape):
        return ""
    said = {_of_one(pair) for pair in wrong}
    return said.pop() if len(said) == 1 else ""


def _of_one(pair: Pair) -> str:
    have, want = pair.have, pair.want
    if want.ndim >= 2 and pair.near(np.swapaxes(want, -1, -2)):
        return "the result is transposed: its last two axes have changed places"
    if have.size == want.size and pair.near(want.reshape(have.shape)):
        if have.squeeze().shape == want.squeeze().shape:
            more = "more than it should" if have.ndim > want.ndim else "less than it should"
            return f"the values are right, the shape has an axis of length 1 {more}"
        return f"the values are right and in the right order: only the shape {have.shape} is not"
    for axis in range(have.ndim):
        for name, reduced in (("summed", have.sum(axis)), ("averaged", have.mean(axis))):
            if reduced.shape == want.shape and have.shape[axis] > 1 and _equal(pair, reduced):
                return f"{axis_in_words(axis, have.ndim)} of the result was not {name} over"
    for axis in range(want.ndim):
        for name, reduced in (("summed", want.sum(axis)), ("averaged", want.mean(axis))):
            if reduced.shape == have.shape and want.shape[axis] > 1 and pair.near(reduced):
                return f"the right result was {name} over {axis_in_words(axis, want.ndim)} as well"
    return ""


def _equal(pair: Pair, reduced: np.ndarray) -> bool:
    size = float(np.abs(pair.want).max(initial=0.0))
    return bool(np.allclose(reduced, pair.want, rtol=1e-4, atol=1e-4 * size)) and size > 0
