"""One array that an answer gave, beside the one that ours gives for the same call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llm_math_tests.answers.answer import Answer, parameters_of
from llm_math_tests.answers.door import Reply, Request
from llm_math_tests.answers.values import Value, dtype_name, is_array, plain
from llm_math_tests.checks.compare import agree, alike
from llm_math_tests.checks.truth import extended
from llm_math_tests.diagnosis.evidence import Asked, coarsest, ours, repeated

_FIVE_DIGITS = 1e-5
FEWEST = 4
"""Numbers that must agree before a pattern is more than chance."""


@dataclass(frozen=True, eq=False)
class Pair:
    """What came and what is right, for one result of one call."""

    request: Request
    reply: Reply
    part: int
    """Which of the results, or of the gradients after them."""
    parts: int
    have: np.ndarray
    want: np.ndarray
    dtype: str
    right_dtype: str
    coarse: str
    """The least precise dtype of the call: how near two equal results are."""

    @property
    def is_right(self) -> bool:
        """Whether the two are the same up to rounding."""
        return self.near(self.want)

    def near(self, other: np.ndarray) -> bool:
        """Whether what came is this, up to rounding."""
        return self.have.shape == other.shape and agree(self.have, other, self.coarse)

    def nearly(self, other: np.ndarray) -> bool:
        """Whether what came is this to five digits, and not as nearly the right one."""
        return _close(self.have, other) and not _close(self.have, self.want)

    @property
    def bad(self) -> np.ndarray:
        """Where they differ by more than rounding (same shapes only)."""
        return ~alike(self.have, self.want, self.coarse)


def _close(have: np.ndarray, other: np.ndarray) -> bool:
    if have.shape != other.shape:
        return False
    finite = np.isfinite(other)
    size = np.abs(other[finite]).max(initial=0.0)
    with np.errstate(all="ignore"):
        near = np.abs(have - other) <= _FIVE_DIGITS * (np.abs(other) + size / 100)
    same: np.ndarray = (have == other) | (np.isnan(have) & np.isnan(other)) | (near & finite)
    return bool(same.all())


def pairs_of(answer: Answer, asked: list[Asked]) -> list[Pair]:
    """The arrays of some calls, each beside ours; empty where the forms do not match."""
    right = ours(answer)
    found = []
    for request, reply in asked:
        wanted = repeated(right, request)
        if reply.ended != "returned" or wanted.ended != "returned":
            continue
        have = [*_parts(reply.value), *_gradients(reply, wanted)]
        want = [*_parts(wanted.value), *_gradients(wanted, reply)]
        if len(have) != len(want) or not all(map(is_array, (*have, *want))):
            continue
        coarse = coarsest(request, reply, wanted)
        for part, (one, true) in enumerate(zip(have, want, strict=True)):
            found.append(
                Pair(
                    request,
                    reply,
                    part,
                    len(have),
                    extended(one),
                    extended(true),
                    dtype_name(one),
                    dtype_name(true),
                    coarse,
                )
            )
    return found


def _gradients(reply: Reply, other: Reply) -> list[Value]:
    """The gradients that both have."""
    pairs = zip(reply.grads, other.grads, strict=False)
    return [mine for mine, theirs in pairs if mine is not None and theirs is not None]


def _parts(value: Value) -> list[Value]:
    if isinstance(value, (tuple, list)):
        return [part for item in value for part in _parts(item)]
    if type(value) in (bool, int, float):
        return [np.asarray(value)]
    return [value]


def parts_of(pairs: list[Pair]) -> int:
    """How many results a call has."""
    return max((pair.parts for pair in pairs), default=0)


def arguments_of(answer: Answer, request: Request) -> dict[str, Value]:
    """A call's arguments by name."""
    names = list(parameters_of(answer.exercise.signature_in(answer.track)))
    return {**dict(zip(names, request.args, strict=False)), **request.kwargs}


def arrays_of(answer: Answer, request: Request) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays among a call's arguments, by name."""
    for name, value in arguments_of(answer, request).items():
        if is_array(value):
            yield name, plain(value)


def axis_in_words(axis: int, ndim: int) -> str:
    """``the last axis``: as a student would say it."""
    name = axis_name(axis, ndim)
    return name if name.startswith("axis") else f"the {name}"


def axis_name(axis: int, ndim: int) -> str:
    """``last axis``."""
    if ndim == 1:
        return "only axis"
    if axis == ndim - 1:
        return "last axis"
    return "first axis" if axis == 0 else f"axis {axis}"
