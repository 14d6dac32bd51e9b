"""What every text is made from: a reference, and what to say where it cannot be used."""

import ast

from llm_math_tests.derive.syntax import parse

COMMAND = "python -m llm_math_tests.derive"
LIBRARIES = {"numpy": "NumPy", "torch": "PyTorch", "cupy": "CuPy"}


class DeriveError(ValueError):
    """A reference that no text can be made from; the message says where and what to do."""


def parse_reference(reference: str) -> ast.Module:
    """Parse a reference; what is not Python is refused with its line."""
    try:
        return parse(reference)
    except SyntaxError as error:
        raise DeriveError(f"line {error.lineno}: not Python: {error.msg}") from error


def line_of(original: str, line: str) -> str:
    """Name a line of the reference by its number there, whatever edits have moved it."""
    others = original.split("\n")
    if line in others:
        return f"line {others.index(line) + 1}"
    for number, other in enumerate(others, start=1):  # it may have been moved to the left
        if other.strip() == line.strip():
            return f"line {number}"
    return f"`{line.strip()}`"
