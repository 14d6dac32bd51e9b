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
    met = _outer(pair)
    if met:
        return met
    if not have.size or not want.size:
        return ""
    if have.ndim == 0 and want.ndim:
        for name, whole in (("summed", want.sum()), ("averaged", want.mean())):
            if pair.near(np.asarray(whole)):
                return f"the right result was {name} over all its axes as well"
    for axis in range(have.ndim):
        for name, reduced in (("summed", have.sum(axis)), ("averaged", have.mean(axis))):
            if reduced.shape == want.shape and have.shape[axis] > 1 and _equal(pair, reduced):
                return f"{axis_in_words(axis, have.ndim)} of the result was not {name} over"
    for axis in range(want.ndim):
        for name, reduced in (("summed", want.sum(axis)), ("averaged", want.mean(axis))):
            if reduced.shape == have.shape and want.shape[axis] > 1 and pair.near(reduced):
                return f"the right result was {name} over {axis_in_words(axis, want.ndim)} as well"
    return ""


def _outer(pair: Pair) -> str:
    """An (n, 1) array met an (n,) one, and each number met every other."""
    have, want = pair.have, pair.want.squeeze()
    if have.ndim < 2 or have.shape[-1] != have.shape[-2] or have.shape[-1] < 2:
        return ""
    if have.shape[:-1] != want.shape:
        return ""
    diagonal = np.diagonal(have, axis1=-2, axis2=-1)
    size = float(np.abs(want).max(initial=0.0))
    if not np.allclose(diagonal, want, rtol=1e-5, atol=1e-5 * size):
        return ""
    return "the right values stand on a diagonal: an (n, 1) array met an (n,) one and was broadcast"


def _equal(pair: Pair, reduced: np.ndarray) -> bool:
    size = float(np.abs(pair.want).max(initial=0.0))
    if not 0 < size < np.inf:
        return False
    return bool(np.allclose(reduced, pair.want, rtol=1e-4, atol=1e-4 * size))
