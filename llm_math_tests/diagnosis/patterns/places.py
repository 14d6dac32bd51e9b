"""Where a result is wrong: a row, a diagonal, the places where an argument is negative."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.diagnosis.patterns.pair import Pair, arrays_of, axis_in_words

_FEWEST = 3
"""Places that are wrong, and places that are right, before it is more than chance."""


def where_nothing_is_finite(answer: Answer, pairs: list[Pair]) -> str:
    """NaN or inf exactly in the rows where an argument is special."""
    wrong = [pair for pair in pairs if not pair.is_right]
    if any(pair.have.shape != pair.want.shape or pair.have.ndim < 2 for pair in wrong):
        return ""
    found = [set(_special_rows(answer, pair)) for pair in wrong]
    common = set.intersection(*found) if found else set()
    return min(common, key=len) if common else ""


def _special_rows(answer: Answer, pair: Pair) -> Iterator[str]:
    broken = pair.bad & ~np.isfinite(pair.have)
    if not broken.any() or (pair.bad & np.isfinite(pair.have)).any():
        return
    rows = broken.any(axis=-1)
    if rows.all():
        return
    kind = "nan" if np.isnan(pair.have[broken]).all() else "not finite"
    for name, array in arrays_of(answer, pair.request):
        if array.ndim < 2:
            continue
        special = {
            "no True": ~array.any(axis=-1) if array.dtype == bool else None,
            "only -inf": np.isneginf(array).all(axis=-1) if array.dtype != bool else None,
            "only zeros": (array == 0).all(axis=-1) if array.dtype != bool else None,
            "an inf": np.isposinf(array).any(axis=-1) if array.dtype != bool else None,
            "a -inf": np.isneginf(array).any(axis=-1) if array.dtype != bool else None,
            "a 0": (array == 0).any(axis=-1) if array.dtype != bool else None,
        }
        for what, these in special.items():
            if these is None or not these.any():
                continue
            try:
                spread = np.broadcast_to(these, rows.shape)
            except ValueError:
                continue
            if np.array_equal(spread, rows):
                yield f"{kind} exactly in the rows where {name} has {what}; right elsewhere"


def where_it_differs(answer: Answer, pairs: list[Pair]) -> str:
    """The places that are wrong, where they can be said in a few words."""
    wrong = [pair for pair in pairs if not pair.is_right]
    if any(pair.have.shape != pair.want.shape for pair in wrong):
        return ""
    found = [list(_places(answer, pair)) for pair in wrong]
    common = [place for place in found[0] if all(place in places for places in found)]
    return f"wrong only {common[0]}; right elsewhere" if common else ""


def _places(answer: Answer, pair: Pair) -> Iterator[str]:
    bad = pair.bad
    if min(int(bad.sum()), int((~bad).sum())) < _FEWEST:
        return
    for name, array in arrays_of(answer, pair.request):
        if array.shape == bad.shape and array.dtype != bool:
            with np.errstate(invalid="ignore"):
                for what, these in (
                    ("is 0", array == 0), ("is negative", array < 0),
                    ("is positive", array > 0), ("is nan", np.isnan(array)),
                    ("is infinite", np.isinf(array)),
                ):  # fmt: skip
                    if np.array_equal(these, bad):
                        yield f"where {name} {what}"
        elif array.shape == bad.shape:
            for what, these in (("is True", array), ("is False", ~array)):
                if np.array_equal(these, bad):
                    yield f"where {name} {what}"
    for what, these in (("0", pair.want == 0), ("infinite", np.isinf(pair.want))):
        if np.array_equal(these, bad):
            yield f"where the right value is {what}"
    if bad.ndim >= 2 and min(bad.shape[-2:]) >= 2:
        n, m = bad.shape[-2:]
        for what, these in (
            ("on the diagonal", np.eye(n, m, dtype=bool)),
            ("off the diagonal", ~np.eye(n, m, dtype=bool)),
            ("above the diagonal", np.triu(np.ones((n, m), bool), 1)),
            ("below the diagonal", np.tril(np.ones((n, m), bool), -1)),
        ):
            if np.array_equal(np.broadcast_to(these, bad.shape), bad):
                yield what
    for axis in range(bad.ndim - 1, -1, -1):
        length = bad.shape[axis]
        others = tuple(i for i in range(bad.ndim) if i != axis)
        slices = bad.any(axis=others)
        if length < 3 or slices.sum() != 1:
            continue
        index = int(np.argmax(slices))
        which = "first" if index == 0 else "last" if index == length - 1 else f"index {index}"
        place = "the " + which + " place" if which in ("first", "last") else which
        yield f"in {place} along {axis_in_words(axis, bad.ndim)}"
