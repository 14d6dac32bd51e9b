"""Questions to a syntax tree. The engine asks on every run: nothing heavy here."""

import ast
import re
import warnings
from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def parse(source: str) -> ast.Module:
    """Parse source of any quality; everything that is wrong with it is a SyntaxError."""
    try:
        with warnings.catch_warnings():
            # A student's "\d" is a SyntaxWarning, which `-W error` would make fatal here.
            warnings.simplefilter("ignore")
            return ast.parse(source.removeprefix("\ufeff"))
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; absurd nesting
        raise SyntaxError(str(error) or "nested too deeply to read") from error


def unix_ends(text: str) -> str:
    """Give a text with Unix line ends and without a byte order mark."""
    return re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff"))


def docstring_of(node: ast.Module | Function | ast.ClassDef) -> ast.Expr | None:
    """Give the statement that is a docstring, None where there is none."""
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return first
    return None


def end_of(node: ast.stmt | ast.expr) -> int:
    """Give the last line of a node."""
    assert node.end_lineno is not None  # ast.parse always sets it
    return node.end_lineno


def start_of(node: ast.stmt) -> int:
    """Give the first line of a statement, its decorators included."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.decorator_list:
        return min(node.lineno, *(decorator.lineno for decorator in node.decorator_list))
    return node.lineno


def public_functions(tree: ast.Module) -> list[Function]:
    """Give the functions at the top of a module that are exercises."""
    return [n for n in tree.body if isinstance(n, FUNCTIONS) and not n.name.startswith("_")]


def suites(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Give every list of statements in the tree."""
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def names_in(node: ast.AST) -> set[str]:
    """Give the names that a node mentions."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def stored_names(node: ast.AST) -> set[str]:
    """Give the names that a target binds; `f.calls = 0` binds none."""
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def dotted_name(node: ast.expr) -> str | None:
    """Give `a.b.c` for such an expression, None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted_name(node.value)
        return None if left is None else f"{left}.{node.attr}"
    return None


def annotation_names(node: Function) -> set[str]:
    """Give the names that a signature needs, those in quoted annotations included."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    parts = [a.annotation for a in every] + [node.returns]
    parts += [*arguments.defaults, *arguments.kw_defaults]
    names: set[str] = set()
    for part in parts:
        if part is None:
            continue
        names |= names_in(part)
        for inner in ast.walk(part):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                names |= set(re.findall(r"[^\W\d]\w*", inner.value))
    return names
