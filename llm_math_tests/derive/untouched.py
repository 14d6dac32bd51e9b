"""Whether a function is still the stub that was handed out.

The engine asks on every run, so this module loads nothing but `ast` and its own `syntax`.
"""

import ast
import functools

from llm_math_tests.derive.syntax import FUNCTIONS, Function, docstring_of, parse, stored_names


def is_untouched(source: str, function: str) -> bool | None:
    """Say whether a function is still the stub that the course handed out.

    Args:
        source: the text of the student's file; it is read, never executed.
        function: the function's name.

    Returns:
        True when its body is an optional docstring and one ``raise NotImplementedError``, called
        or not; None when nothing at the top of the file defines it; False otherwise. A name that
        is assigned or imported is somebody's answer (False), and so may be any name after
        ``from module import *``.

    Raises:
        SyntaxError: the source is not Python.
    """
    bound = _bindings(source)
    return bound.get(function, False if "*" in bound else None)


@functools.lru_cache(maxsize=32)  # one parse serves all functions of a file
def _bindings(source: str) -> dict[str, bool]:
    bound: dict[str, bool] = {}
    _bind(parse(source).body, bound)
    return bound


def _bind(statements: list[ast.stmt], bound: dict[str, bool]) -> None:
    """Note what each statement binds at the top of a module, later ones over earlier ones."""
    for node in statements:
        if isinstance(node, FUNCTIONS):
            bound[node.name] = has_stub_body(node)
        elif isinstance(node, ast.ClassDef):
            bound[node.name] = False
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                bound[alias.asname or alias.name.partition(".")[0]] = False
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not (isinstance(node, ast.AnnAssign) and node.value is None):
                for target in targets:
                    bound.update(dict.fromkeys(stored_names(target), False))
        else:  # if, try, with, for: what they hold runs at the top of the module too
            for field in ("body", "handlers", "orelse", "finalbody", "cases"):
                for inner in getattr(node, field, []):
                    _bind([inner] if isinstance(inner, ast.stmt) else inner.body, bound)


def has_stub_body(node: Function) -> bool:
    """Say whether a body is a docstring and one ``raise NotImplementedError``."""
    body = node.body[1:] if docstring_of(node) else node.body
    if len(body) != 1 or not isinstance(body[0], ast.Raise) or body[0].cause is not None:
        return False
    raised = body[0].exc
    if isinstance(raised, ast.Call):
        raised = raised.func
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
