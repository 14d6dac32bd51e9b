"""NumPy's names in CuPy's spelling, in code, comments and docstrings."""

import ast
import re
import tokenize

from llm_math_tests.derive.spellings import DOCSTRING_SPELLINGS, SPELLINGS
from llm_math_tests.derive.syntax import FUNCTIONS, docstring_of, parse
from llm_math_tests.derive.tokens import tokens_of


def respelled(text: str) -> str:
    """Write every name that a rule knows as CuPy does."""
    tree = parse(text)
    documented = [
        n for n in ast.walk(tree) if isinstance(n, (ast.Module, ast.ClassDef, *FUNCTIONS))
    ]
    docstrings = {d.lineno for d in map(docstring_of, documented) if d is not None}
    tokens = tokens_of(text)
    rules = sorted(SPELLINGS, key=lambda rule: -len(rule[0]))
    edits: list[tuple[tuple[int, int], tuple[int, int], str]] = []
    for index, token in enumerate(tokens):
        if token.type == tokenize.STRING:
            alone = not token.line[: token.start[1]].strip()
            if token.start[0] in docstrings and alone:
                edits.append((token.start, token.end, _respelled_docstring(token.string)))
        elif token.type == tokenize.COMMENT:
            pattern, replacement, _ = DOCSTRING_SPELLINGS[0]
            new = re.sub(pattern, replacement, token.string)
            edits.append((token.start, token.end, new))
        elif token.type == tokenize.NAME and (index == 0 or tokens[index - 1].string != "."):
            for name, new, _ in rules:
                words = re.split(r"(\.)", name)
                here = tokens[index : index + len(words)]
                if [t.string for t in here] == words:
                    edits.append((token.start, here[-1].end, new))
                    break
    lines = text.split("\n")
    for (row, column), (end_row, end_column), new in reversed(edits):
        head, tail = lines[row - 1][:column], lines[end_row - 1][end_column:]
        lines[row - 1 : end_row] = (head + new + tail).split("\n")
    return "\n".join(lines)


def _respelled_docstring(docstring: str) -> str:
    for pattern, replacement, _ in DOCSTRING_SPELLINGS:
        docstring = re.sub(pattern, replacement, docstring)
    return docstring
