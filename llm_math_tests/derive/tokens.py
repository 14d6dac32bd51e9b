"""Questions that a syntax tree cannot answer: comments, colons, and lines inside strings."""

import io
import tokenize
from collections.abc import Collection, Iterable


def tokens_of(source: str) -> list[tokenize.TokenInfo]:
    """Give the tokens of a source."""
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def header_end(tokens: Iterable[tokenize.TokenInfo], line: int) -> tuple[int, int]:
    """Find the colon that ends the compound statement which starts on a line."""
    depth = 0
    for token in tokens:
        if token.start[0] < line or token.type != tokenize.OP:
            continue
        depth += token.string in "([{"
        depth -= token.string in ")]}"
        if token.string == ":" and depth == 0:
            return token.start
    raise AssertionError(f"no colon after line {line}")  # ast.parse has accepted the source


def lines_of_comments(tokens: Iterable[tokenize.TokenInfo]) -> set[int]:
    """Give the lines that hold a comment and nothing else."""
    return {
        t.start[0]
        for t in tokens
        if t.type == tokenize.COMMENT and not t.line[: t.start[1]].strip()
    }


def lines_inside_strings(tokens: Iterable[tokenize.TokenInfo]) -> set[int]:
    """Give the lines that begin inside a string, whose spaces are part of its value."""
    lines: set[int] = set()
    opened: list[int] = []
    for token in tokens:
        kind = tokenize.tok_name[token.type]
        if kind == "STRING":
            lines.update(range(token.start[0] + 1, token.end[0] + 1))
        elif kind in {"FSTRING_START", "TSTRING_START"}:  # Python 3.12 and later take them apart
            opened.append(token.start[0])
        elif kind in {"FSTRING_END", "TSTRING_END"}:
            lines.update(range(opened.pop() + 1, token.end[0] + 1))
    return lines


def comments_above(comment_lines: Collection[int], line: int) -> int:
    """Give the first line of the comments that stand directly above a line."""
    while line - 1 in comment_lines:
        line -= 1
    return line
