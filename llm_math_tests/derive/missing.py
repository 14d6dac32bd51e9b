"""Names and examples that CuPy lacks, so that they are refused and not respelled."""

import ast
import re
from collections.abc import Callable, Iterator

from llm_math_tests.derive.references import DeriveError, line_of
from llm_math_tests.derive.spellings import (
    LACKING,
    SPELLINGS,
    SUBMODULES,
    UFUNC_METHODS,
    WORKING_UFUNC_METHODS,
)
from llm_math_tests.derive.syntax import (
    FUNCTIONS,
    docstring_of,
    dotted_name,
    end_of,
    names_in,
    parse,
)


def refuse_missing_names(text: str, original: str, known: Callable[[str], bool] | None) -> None:
    """Stop at the first name that would not work in CuPy."""
    tree = parse(text)
    lines = text.split("\n")

    def refuse(line: int, problem: str, remedy: str | None = None) -> None:
        remedy = (
            remedy or "write with_cupy.py by hand and open its docstring with 'By hand: reason'"
        )
        raise DeriveError(f"{line_of(original, lines[line - 1])}: {problem}: {remedy}")

    roots = {name for name, _, _ in SPELLINGS if "." not in name}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and names_in(node) & roots:
            name = min(names_in(node) & roots)
            refuse(node.lineno, f"{name} is used inside an f-string", "give it a name above")
        if isinstance(node, ast.Attribute):
            dotted = dotted_name(node) or ""
            if dotted.startswith("np.") and not _has(dotted[3:], known):
                refuse(node.lineno, f"CuPy has no {dotted}")
        elif isinstance(node, ast.ImportFrom) and node.module == "numpy":
            for alias in node.names:
                if not _has(alias.name, known):
                    refuse(node.lineno, f"CuPy has no np.{alias.name}")
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
            docstring = docstring_of(node)
            for line, problem, remedy in _host_examples(docstring, lines) if docstring else ():
                refuse(line, problem, remedy)


def _has(name: str, known: Callable[[str], bool] | None) -> bool:
    parts = name.split(".")
    if parts[0] in LACKING:
        return False
    if len(parts) == 2 and parts[1] in UFUNC_METHODS and name not in WORKING_UFUNC_METHODS:
        return False
    if known is None:
        return True
    top = ".".join(parts[: 2 if parts[0] in SUBMODULES else 1])
    return known(parts[0]) and known(top)


def _host_examples(docstring: ast.Expr, lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Find what works in a NumPy example because NumPy has scalars; CuPy has 0-d arrays instead."""
    output = False
    for number in range(docstring.lineno, end_of(docstring) + 1):
        line = lines[number - 1].strip()
        if line.startswith((">>>", "...")) or not line:
            output = bool(line)
            if re.search(r"np\.(?:exp|log|sqrt|tanh)\w*\(-?\d[\d.]*\)", line):
                yield number, "CuPy makes an array of this number", "use math in the example"
        elif output and re.search(r"np\.(?:(?:float|int|uint|bool)\d*\(|True_|False_)", line):
            yield number, "CuPy prints this value as an array", "wrap the example in float()"


def installed_cupy() -> Callable[[str], bool] | None:
    """Give a function that says whether the installed CuPy has a name; None without CuPy."""
    try:
        import cupy
    except Exception:  # a CuPy that cannot load its CUDA fails in many ways; none is our concern
        return None

    def has(name: str) -> bool:
        found: object = cupy
        for part in name.split("."):
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True

    return has
