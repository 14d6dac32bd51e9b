"""What a CuPy text leaves out of the NumPy text."""

import ast
import re
import tokenize

from llm_math_tests.derive.layout import cut, joined, tidy
from llm_math_tests.derive.references import DeriveError, line_of
from llm_math_tests.derive.spellings import CPU_ONLY, ERRSTATE, NOT_IN_CUPY
from llm_math_tests.derive.syntax import (
    FUNCTIONS,
    dotted_name,
    end_of,
    names_in,
    parse,
    start_of,
    suites,
)
from llm_math_tests.derive.tokens import (
    comments_above,
    header_end,
    lines_inside_strings,
    lines_of_comments,
    tokens_of,
)


def without_marked_functions(text: str) -> str:
    """Leave out the functions that the course does not ask of CuPy."""
    while True:
        comments = lines_of_comments(tokens_of(text))
        lines = text.split("\n")
        for node in parse(text).body:
            first = comments_above(comments, start_of(node))
            above = lines[first - 1 : start_of(node) - 1]
            if isinstance(node, FUNCTIONS) and any(c.startswith(NOT_IN_CUPY) for c in above):
                text = without_unused(cut(text, first, end_of(node)), text)
                break
        else:
            return text


def without_cpu_only(text: str) -> str:
    """Leave out the statements that look at values."""
    original = text
    while True:
        comments = lines_of_comments(tokens_of(text))
        lines = text.split("\n")
        marked = [n for n in sorted(comments) if lines[n - 1].strip().startswith(CPU_ONLY)]
        if not marked:
            return original if text == original else without_unused(text, original)
        first = marked[0]
        last = first
        while last in comments:
            last += 1
        for suite in suites(parse(text)):
            for node in suite:
                if start_of(node) == last and not lines[last - 1].strip().startswith("elif"):
                    break
            else:
                continue
            if len(suite) == 1:
                raise DeriveError(
                    f"{line_of(original, lines[last - 1])}: nothing would be left of its block: "
                    f"move the comment '{CPU_ONLY}' above the whole block"
                )
            text = cut(text, first, end_of(node))
            break
        else:
            raise DeriveError(
                f"{line_of(original, lines[first - 1])}: '{CPU_ONLY}' stands directly above "
                "the statement it is about, and below it there is none"
            )


def _is_errstate(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted_name(node.func) == ERRSTATE[0]


def without_errstate(text: str, original: str) -> str:
    """Leave out ``np.errstate``, as a `with` and as a decorator."""
    while True:
        tree = parse(text)
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                for decorator in node.decorator_list:
                    if _is_errstate(decorator):
                        text = cut(text, decorator.lineno, end_of(decorator))
                        break
                else:
                    continue
                break
            if isinstance(node, ast.With) and any(_is_errstate(i.context_expr) for i in node.items):
                if not all(_is_errstate(item.context_expr) for item in node.items):
                    line = text.split("\n")[node.lineno - 1]
                    raise DeriveError(
                        f"{line_of(original, line)}: give np.errstate a `with` of its own"
                    )
                text = _unwrapped(text, node)
                break
        else:
            return text


def _unwrapped(text: str, node: ast.With) -> str:
    """Take away a `with` and move its body left; its comments stay."""
    tokens = tokens_of(text)
    lines = text.split("\n")
    colon, _ = header_end(tokens, node.lineno)
    outer = node.col_offset
    shift = node.body[0].col_offset - outer
    if node.body[0].lineno == colon:
        raise DeriveError(f"`{lines[colon - 1].strip()}`: put its body on a line of its own")
    last = end_of(node)
    for number in range(last + 1, len(lines) + 1):  # comments below the last statement of the body
        line = lines[number - 1]
        if line.strip() and not re.match(rf" {{{outer + 1},}}#", line):
            break
        if line.strip():
            last = number
    kept = [
        " " * outer + t.string
        for t in tokens
        if t.type == tokenize.COMMENT and node.lineno <= t.start[0] <= colon
    ]
    inside = lines_inside_strings(tokens)
    body = [
        line if number in inside else line[shift:] if line.strip() else line
        for number, line in enumerate(lines[colon:last], start=colon + 1)
    ]
    while body and not body[0].strip():
        del body[0]
    before = lines[: node.lineno - 1] + kept
    moved = "\n".join(before + body + lines[last:])
    return tidy(joined(moved, len(before) + 1, len(before) + len(body)))


def without_unused(text: str, original: str) -> str:
    """Drop private helpers, private constants and imports that the original used and this not."""
    had_use = _used_elsewhere(parse(original))
    while True:
        tree = parse(text)
        used = _used_elsewhere(tree)
        comments = lines_of_comments(tokens_of(text))
        for node in tree.body:
            name = _private_name(node)
            if name is not None and name in had_use and name not in used:
                text = cut(text, comments_above(comments, start_of(node)), end_of(node))
                break
        else:
            return text


def _private_name(node: ast.stmt) -> str | None:
    """Give the private name that a top-level statement defines, if that is all it does."""
    name = None
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        name = node.name
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        name = node.targets[0].id if isinstance(node.targets[0], ast.Name) else None
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        name = node.target.id
    return name if name is not None and name.startswith("_") else None


def _used_elsewhere(tree: ast.Module) -> set[str]:
    """Give the names used by statements other than the one that defines them."""
    return set().union(*(names_in(node) - {_private_name(node)} for node in tree.body))
