"""Ruff's layout, kept while lines are cut and moved."""

import ast
import re
import tokenize
from itertools import pairwise

from llm_math_tests.derive.syntax import parse
from llm_math_tests.derive.tokens import lines_inside_strings, tokens_of

WIDTH = 100


def cut(text: str, first: int, last: int) -> str:
    """Take lines out, the last one included."""
    lines = text.split("\n")
    return tidy("\n".join(lines[: first - 1] + lines[last:]))


def tidy(text: str) -> str:
    """Bring the blank lines that a cut has left back to ruff's count."""
    inside = lines_inside_strings(tokens_of(text))
    result: list[str] = []
    blanks = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() and number not in inside:
            blanks += 1
            continue
        opens_block = bool(result) and re.match(r"[^#]*:$", result[-1]) is not None
        allowed = 0 if opens_block or not result else 1 if line.startswith(" ") else 2
        if number in inside:
            allowed = 0
        result += [""] * min(blanks, allowed)
        result.append(line)
        blanks = 0
    return "\n".join(result) + "\n"


def joined(text: str, first: int, last: int) -> str:
    """Write on one line each bracket that was spread over several and now fits.

    Ruff joins what fits unless a comma before the closing bracket asks it not to, so moving lines
    to the left can call for it. Brackets with comments, or strings of several lines, stay.
    """
    meaning = ast.dump(parse(text))
    while True:
        edit = _next_join(text, first, last)
        if edit is None:
            return text
        start, stop, line = edit
        lines = text.split("\n")
        lines[start - 1 : stop] = [line]
        last -= stop - start
        text = "\n".join(lines)
        assert ast.dump(parse(text)) == meaning, line


def _next_join(text: str, first: int, last: int) -> tuple[int, int, str] | None:
    tokens = [t for t in tokens_of(text) if t.type != tokenize.NL]
    lines = text.split("\n")
    inside = lines_inside_strings(tokens)
    commented = {t.start[0] for t in tokens if t.type == tokenize.COMMENT}
    opened: list[int] = []
    pairs: list[tuple[int, int]] = []
    for index, token in enumerate(tokens):
        if token.type == tokenize.OP and token.string in "([{":
            opened.append(index)
        elif token.type == tokenize.OP and token.string in ")]}":
            pairs.append((opened.pop(), index))
    for opening, closing in sorted(pairs):  # the outermost first
        start, stop = tokens[opening].start[0], tokens[closing].start[0]
        if start == stop or start < first or stop > last:
            continue
        rows = range(start, stop + 1)
        if commented.intersection(rows) or inside.intersection(rows):
            continue
        neighbours = list(pairwise(tokens[opening : closing + 1]))
        if any(a.string == "," and b.string in {")", "]", "}"} for a, b in neighbours):
            continue
        if any(_ends_string(a) and _starts_string(b) for a, b in neighbours):
            continue  # ruff would make one string of the two
        line = lines[start - 1]
        for row in range(start + 1, stop + 1):
            piece = lines[row - 1].strip()
            line += piece if line[-1] in "([{" or piece[0] in ")]}" else " " + piece
        if _only_for_the_break(tokens, opening, closing):
            at = tokens[opening].start[1]
            back = len(lines[stop - 1]) - tokens[closing].start[1]
            line = line[:at] + line[at + 1 : -back] + line[len(line) - back + 1 :]
        if len(line) <= WIDTH:
            return start, stop, line
    return None


def _ends_string(token: tokenize.TokenInfo) -> bool:
    return tokenize.tok_name[token.type] in {"STRING", "FSTRING_END", "TSTRING_END"}


def _starts_string(token: tokenize.TokenInfo) -> bool:
    return tokenize.tok_name[token.type] in {"STRING", "FSTRING_START", "TSTRING_START"}


def _only_for_the_break(tokens: list[tokenize.TokenInfo], opening: int, closing: int) -> bool:
    """Say whether a pair of brackets is there to allow a line break; ruff takes it away again."""
    before, after = tokens[opening - 1], tokens[closing + 1]
    head = before.line.split()
    if tokens[opening].string != "(":
        return False
    if after.string == ":":
        opens = before.string in {"if", "elif", "while"} and head[0] == before.string
        opens |= before.string == "in" and head[0] == "for"
    else:
        opens = after.type == tokenize.NEWLINE and before.string in _BEFORE_A_VALUE
    depth = 0
    for token in tokens[opening : closing + 1]:
        depth += token.string in {"(", "[", "{"}
        depth -= token.string in {")", "]", "}"}
        if depth == 1 and token.string in {",", ":=", "for", "yield"}:
            return False  # a tuple, or something else that is not the same without them
    return opens and closing > opening + 1


_BEFORE_A_VALUE = frozenset({"return", "assert", "=", "+=", "-=", "*=", "/=", "@=", "&=", "|="})
