"""Import lines as ruff writes and sorts them."""

import ast
import sys
from collections.abc import Iterable

from llm_math_tests.derive.layout import WIDTH, tidy
from llm_math_tests.derive.references import DeriveError
from llm_math_tests.derive.syntax import (
    FUNCTIONS,
    annotation_names,
    docstring_of,
    end_of,
    names_in,
    parse,
)
from llm_math_tests.derive.tokens import comments_above, lines_of_comments, tokens_of


def bound_by(alias: ast.alias) -> str:
    """Give the name that an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def import_text(node: ast.Import | ast.ImportFrom, aliases: list[ast.alias]) -> list[str]:
    """Write an import of some of a statement's names as ruff would."""
    words = [a.name + (f" as {a.asname}" if a.asname else "") for a in aliases]
    if isinstance(node, ast.Import):
        return [f"import {word}" for word in words]
    head = f"from {'.' * node.level}{node.module or ''} import "
    line = head + ", ".join(words)
    if len(line) <= WIDTH:
        return [line]
    return ["\n".join([f"{head}(", *(f"    {word}," for word in words), ")"])]


def _import_order(text: str) -> tuple[int, int, str]:
    """Sort key of ruff's default order: future, standard library, the rest; import before from."""
    code = next(line for line in text.split("\n") if not line.startswith("#"))
    words = code.split()
    root = words[1].partition(".")[0]
    section = 0 if root == "__future__" else 1 if root in sys.stdlib_module_names else 2
    return section, int(words[0] == "from"), words[1].lower()


def import_block(texts: Iterable[str]) -> str:
    """Set import statements in order, a blank line between the sections."""
    lines: list[str] = []
    section: int | None = None
    for text in sorted(dict.fromkeys(texts), key=_import_order):
        if section not in (None, _import_order(text)[0]):
            lines.append("")
        section = _import_order(text)[0]
        lines.append(text)
    return "\n".join(lines)


def with_imports(text: str) -> str:
    """Drop imports without a use, add cupyx where it is used, and set them in order."""
    tree = parse(text)
    nodes = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    used = set().union(*(names_in(n) for n in tree.body))
    used |= set().union(*(annotation_names(n) for n in tree.body if isinstance(n, FUNCTIONS)))
    lines = text.split("\n")
    comments = lines_of_comments(tokens_of(text))
    bound: set[str] = set()
    texts: list[str] = []
    for node in nodes:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        kept = [a for a in node.names if future or bound_by(a) in used]
        bound |= {bound_by(a) for a in kept}
        if len(kept) == len(node.names):
            first = comments_above(comments, node.lineno) if node is not nodes[0] else node.lineno
            code = "\n".join(lines[node.lineno - 1 : end_of(node)])
            if max(map(len, code.split("\n"))) > WIDTH:
                (code,) = import_text(node, kept)
            texts.append("\n".join([*lines[first - 1 : node.lineno - 1], code]))
        elif kept:
            texts += import_text(node, kept)
    if "cupyx" in used - bound:
        texts.append("import cupyx")
    block = import_block(texts).split("\n") if texts else []
    if not nodes:
        docstring = docstring_of(tree)
        at = end_of(docstring) if docstring else 0
        return tidy("\n".join(lines[:at] + ([""] + block if block else []) + lines[at:]))
    first, last = nodes[0].lineno, end_of(nodes[-1])
    others = [n for n in tree.body if first < n.lineno < last and n not in nodes]
    if others:
        raise DeriveError(f"`{ast.unparse(others[0])}` stands between imports: move it below them")
    return tidy("\n".join(lines[: first - 1] + block + lines[last:]))
