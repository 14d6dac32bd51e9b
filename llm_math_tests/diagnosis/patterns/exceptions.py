"""What some exceptions of NumPy and PyTorch nearly always come from."""

from __future__ import annotations

import re

_MEANINGS = (
    (
        r"could not be broadcast together.*\(([\d,]*\d),(\d+)\) \(\1,?\)",
        "shapes {0} differ by the last axis only: a reduction drops its axis, and"
        " keepdims=True keeps it",
    ),
    (
        r"matmul: Input operand \d has a mismatch in its core dimension|"
        r"mat1 and mat2 shapes cannot be multiplied|shapes .* not aligned",
        "in a product the last axis of the first and the last but one of the second must have"
        " one length: is a transpose missing?",
    ),
    (
        r"torch\.return_types\.",
        "max, min, sort and median along a dim return values and indices: take .values",
    ),
    (
        r"only (?:length-1|0-dimensional|integer scalar) arrays can be converted|"
        r"truth value of an array with more than one element",
        "something made for one number was given a whole array: use the array library's own",
    ),
)


def meaning_of(problem: str) -> str:
    """What an exception's text most often means; empty if that is not known."""
    for pattern, meaning in _MEANINGS:
        found = re.search(pattern, problem)
        if found:
            return meaning.format(" ".join(re.findall(r"\([\d,]*\)", problem)[:2]))
    return ""
