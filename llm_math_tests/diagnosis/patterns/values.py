"""A wrong result as a simple function of the right one: its opposite, its half, shifted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import agree
from llm_math_tests.diagnosis.patterns.pair import (
    FEWEST,
    Pair,
    arguments_of,
    arrays_of,
    axis_in_words,
    axis_name,
)

_NOTICEABLE = 1e-3
"""A factor nearer to 1 than this share is an error, not another formula."""


def _same_shapes(pairs: list[Pair]) -> bool:
    return all(pair.have.shape == pair.want.shape for pair in pairs)


def _different_numbers(pairs: list[Pair]) -> int:
    """How many different finite numbers the right results hold, where finite ones came."""
    numbers = np.concatenate([pair.want[np.isfinite(pair.have)] for pair in pairs])
    return len(np.unique(numbers[np.isfinite(numbers) & (numbers != 0)]))


def _all_are(
    pairs: list[Pair], change: Callable[[np.ndarray], np.ndarray], roughly: bool = False
) -> bool:
    with np.errstate(all="ignore"):
        return all(
            pair.near(change(pair.want)) or (roughly and pair.nearly(change(pair.want)))
            for pair in pairs
        )


def nothing_done(answer: Answer, pairs: list[Pair]) -> str:
    """The result is an argument as it came, or one number everywhere."""
    if not _same_shapes(pairs) or _different_numbers(pairs) < FEWEST:
        return ""
    names = [
        {
            name
            for name, array in arrays_of(answer, pair.request)
            if array.shape == pair.have.shape and array.size and np.array_equal(array, pair.have)
        }
        for pair in pairs
    ]
    for name in sorted(set.intersection(*names)):
        return f"the result is {name} itself, unchanged"
    numbers = np.unique(np.concatenate([pair.have.ravel() for pair in pairs]))
    if len(numbers) == 1 and np.isfinite(numbers[0]):
        return f"every value is {float(numbers[0]):g}"
    return ""


def turned(answer: Answer, pairs: list[Pair]) -> str:
    """Square results with their last two axes the wrong way round."""
    if not _same_shapes(pairs) or any(pair.want.ndim < 2 for pair in pairs):
        return ""
    if _all_are(pairs, lambda want: np.swapaxes(want, -1, -2), roughly=True):
        return "the result is transposed: its last two axes have changed places"
    return ""


def sign(answer: Answer, pairs: list[Pair]) -> str:
    """The opposite of what is right."""
    if not _same_shapes(pairs):
        return ""
    if all(pair.right_dtype == pair.dtype == "bool" for pair in pairs):
        return "True and False have changed places" if _all_are(pairs, lambda w: 1 - w) else ""
    if _different_numbers(pairs) >= FEWEST and _all_are(pairs, np.negative, roughly=True):
        return "every value has the wrong sign"
    return ""


def factor(answer: Answer, pairs: list[Pair]) -> str:
    """Right but for a constant factor; which, in words of the arguments where that is clear."""
    if not _same_shapes(pairs) or _different_numbers(pairs) < FEWEST:
        return ""
    factors = [_factor_of(pair) for pair in pairs]
    known = [(pair, found) for pair, found in zip(pairs, factors, strict=True) if found is not None]
    if len(known) < len([pair for pair in pairs if pair.want.any()]) or not known:
        return ""
    if any(abs(found - 1) < _NOTICEABLE for _, found in known):
        return ""
    constants = {f"{found:.4g}" for _, found in known}
    words = _in_words(answer, known)
    if not words and all(found < 0 for _, found in known):
        opposite = _in_words(answer, [(pair, -found) for pair, found in known])
        words = f"- {opposite}" if opposite else ""
    if len(constants) == 1:
        number = constants.pop()
        meaning = _CONSTANTS.get(number, "") or words
        return f"every value is {number} times the right one" + (f": {meaning}" if meaning else "")
    return f"every value is the right one times a factor: {words}" if words else ""


def _factor_of(pair: Pair) -> float | None:
    with np.errstate(all="ignore"):
        ratios = pair.have / pair.want
        usable = np.isfinite(ratios) & (np.abs(pair.want) > 0)
        if not usable.any():
            return None
        found = float(np.median(ratios[usable]))
        if found == 0 or not math.isfinite(found):
            return None
        if not pair.near(found * pair.want) and not pair.nearly(found * pair.want):
            return None
    return found


_CONSTANTS = {
    f"{1 / math.log(2):.4g}": "1 / log 2, as if logarithms were to base 2",
    f"{1 / math.log(10):.4g}": "1 / log 10, as if logarithms were to base 10",
}

_FORMULAS: tuple[tuple[str, Callable[[float], float], str], ...] = (
    ("1 / {n}", lambda n: 1 / n, "a mean where a sum is due?"),
    ("{n}", lambda n: n, "a sum where a mean is due?"),
    ("1 / sqrt({n})", lambda n: n**-0.5, ""),
    ("sqrt({n})", lambda n: n**0.5, ""),
    ("({n} - 1) / {n}", lambda n: (n - 1) / n, "divided by n where n - 1 is due?"),
    ("{n} / ({n} - 1)", lambda n: n / (n - 1), "divided by n - 1 where n is due?"),
    ("sqrt(({n} - 1) / {n})", lambda n: ((n - 1) / n) ** 0.5,
     "a variance divided by n - 1 where n is due?"),
    ("sqrt({n} / ({n} - 1))", lambda n: (n / (n - 1)) ** 0.5,
     "a variance divided by n where n - 1 is due?"),
    ("1 / {n}^2", lambda n: n**-2.0, ""),
    ("{n}^2", lambda n: n**2.0, ""),
)  # fmt: skip


def _in_words(answer: Answer, known: list[tuple[Pair, float]]) -> str:
    """The one formula of a length or a number among the arguments that gives every factor."""
    matching: dict[str, tuple[str, list[str]]] = {}
    for formula, value, meaning in _FORMULAS:
        sizes = [dict(_sizes(answer, pair)) for pair, _ in known]
        for name in set.intersection(*map(set, sizes)) if sizes else ():
            if all(
                size[name] > 1 and math.isclose(value(size[name]), found, rel_tol=1e-3)
                for size, (_, found) in zip(sizes, known, strict=True)
            ):
                matching.setdefault(formula, (meaning, []))[1].append(name)
    if len(matching) != 1:
        return ""
    ((formula, (meaning, names)),) = matching.items()
    lengths = sorted(set(names), key=lambda name: ("last" not in name, name))
    if len(lengths) > 2:
        return ""  # these inputs do not tell which length it is
    return f"{formula.format(n='n')} with n = {' or '.join(lengths)}" + (
        f" ({meaning})" if meaning else ""
    )


def _sizes(answer: Answer, pair: Pair) -> Iterator[tuple[str, float]]:
    """Lengths and numbers that a factor may be made of, with their names."""
    for name, value in arguments_of(answer, pair.request).items():
        if type(value) in (int, float) and value > 0:
            yield name, float(value)
    for name, array in arrays_of(answer, pair.request):
        for axis, length in enumerate(array.shape):
            yield f"the length of {name}'s {axis_name(axis, array.ndim)}", float(length)
        yield f"the size of {name}", float(array.size)


def offset(answer: Answer, pairs: list[Pair]) -> str:
    """Right but for a constant that is added."""
    if not _same_shapes(pairs) or _different_numbers(pairs) < FEWEST:
        return ""
    found = set()
    for pair in pairs:
        with np.errstate(all="ignore"):
            differences = (pair.have - pair.want)[np.isfinite(pair.want)]
        if not differences.size:
            continue
        added = float(np.median(differences))
        size = float(np.abs(pair.want[np.isfinite(pair.want)]).max(initial=0.0))
        if not _NOTICEABLE * size < abs(added) < math.inf or not pair.near(pair.want + added):
            return ""
        found.add(f"{abs(added):.4g} too {'large' if added > 0 else 'small'}")
    return f"every value is {found.pop()}" if len(found) == 1 else ""


def by_row(answer: Answer, pairs: list[Pair]) -> str:
    """Right in each row but for a factor, or a constant that is added, of its own."""
    if not _same_shapes(pairs) or _different_numbers(pairs) < FEWEST:
        return ""
    wrong = [pair for pair in pairs if not pair.is_right]
    if any(pair.want.ndim < 2 or pair.want.shape[-1] < 3 for pair in wrong):
        return ""
    with np.errstate(all="ignore"):
        for words, change in (
            ("times a factor", _each_rows_factor),
            ("plus a constant", _each_rows_shift),
        ):
            if all(np.isfinite(pair.want).all() and pair.near(change(pair)) for pair in wrong):
                return f"every row (last axis) is the right one {words} of its own"
    return ""


def _each_rows_factor(pair: Pair) -> np.ndarray:
    ratios = np.where(pair.want != 0, pair.have / pair.want, np.nan)
    shared: np.ndarray = pair.want * np.nanmedian(ratios, axis=-1, keepdims=True)
    return shared


def _each_rows_shift(pair: Pair) -> np.ndarray:
    shift = np.median(pair.have - pair.want, axis=-1, keepdims=True)
    shared: np.ndarray = pair.want + shift
    return shared


def reordered(answer: Answer, pairs: list[Pair]) -> str:
    """The right numbers in other places: shifted, reversed, in another order."""
    if not _same_shapes(pairs) or _different_numbers(pairs) < FEWEST:
        return ""
    least = min(pair.want.ndim for pair in pairs)
    if least == 0:
        return ""
    for axis in range(-1, -least - 1, -1):
        where = axis_in_words(least + axis, least)
        long = all(pair.want.shape[axis] > 2 for pair in pairs)
        if long and _all_are(pairs, lambda want, axis=axis: np.flip(want, axis)):  # type: ignore[misc]
            return f"the right values in reverse order along {where}"
        for step in (1, -1):
            if long and all(_is_shifted(pair, axis, step) for pair in pairs):
                how = "later" if step == 1 else "earlier"
                return f"the right values, one place {how} than they belong along {where}"
    if all(pair.want.size > 2 and _is_permuted(pair) for pair in pairs):
        return "the right values in another order"
    return ""


def _is_shifted(pair: Pair, axis: int, step: int) -> bool:
    """Whether all but the edge is the right result, one place on."""
    keep, come = slice(1, None), slice(None, -1)
    if step == -1:
        keep, come = come, keep
    index = [slice(None)] * pair.want.ndim
    index[axis] = keep
    have = pair.have[tuple(index)]
    index[axis] = come
    want = pair.want[tuple(index)]
    return len(np.unique(want)) >= FEWEST and agree(have, want, pair.coarse)


def _is_permuted(pair: Pair) -> bool:
    ordered = (np.sort(pair.have, axis=None), np.sort(pair.want, axis=None))
    return len(np.unique(ordered[1])) >= FEWEST and agree(*ordered, pair.coarse)


_FUNCTIONS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("one divided by the right one", lambda want: 1 / want),
    ("the square of the right one: is a root missing?", np.square),
    ("the root of the right one", np.sqrt),
    ("the logarithm of the right one", np.log),
    ("exp of the right one: is a logarithm missing?", np.exp),
    ("one minus the right one", lambda want: 1 - want),
    ("the magnitude of the right one", np.abs),
)


def another_function(answer: Answer, pairs: list[Pair]) -> str:
    """A simple function of what is right, value by value."""
    if not _same_shapes(pairs) or _different_numbers(pairs) < FEWEST:
        return ""
    for words, function in _FUNCTIONS:
        if _all_are(pairs, function):
            return f"every value is {words}"
    return ""
