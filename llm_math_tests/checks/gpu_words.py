"""What CuPy's errors mean, in words: they name types, not the idea that was missed."""

from __future__ import annotations

import re

from llm_math_tests.answers.door import Reply

_MEANINGS = (
    (
        re.compile(r"AttributeError: module 'cupyx?[\w.]*' has no attribute '(\w+)'"),
        "{0} is not in CuPy: it has fewer functions than NumPy",
    ),
    (
        re.compile(r"AttributeError: .*'?cupy\S*ndarray'? object has no attribute '(\w+)'"),
        "CuPy's array has no {0}",
    ),
    (
        re.compile(r"TypeError: Unsupported type <class 'numpy"),
        "made on the CPU while the input is on the GPU: make it with cupy, not with numpy",
    ),
    (
        re.compile(r"TypeError: Implicit conversion to a NumPy array"),
        "leaves the device: a NumPy function was given a CuPy array; use cupy's",
    ),
)


def on_a_gpu(track: str, reply: Reply) -> str:
    """What an exception in the CuPy track means, if it is one of CuPy's own."""
    if track != "cupy" or reply.ended != "raised":
        return ""
    for pattern, meaning in _MEANINGS:
        found = pattern.search(reply.problem)
        if found:
            return meaning.format(*found.groups())
    return ""
