"""Stubs: a reference's contracts with nothing in the bodies."""

import ast
import tokenize
from collections.abc import Iterator
from pathlib import Path

from llm_math_tests.derive.imports import bound_by, import_block, import_text
from llm_math_tests.derive.references import LIBRARIES, DeriveError, parse_reference
from llm_math_tests.derive.syntax import (
    Function,
    annotation_names,
    docstring_of,
    dotted_name,
    end_of,
    names_in,
    public_functions,
    unix_ends,
)
from llm_math_tests.derive.tokens import header_end, tokens_of

COMMON = """\
Asked of every function: inputs are left as they are and may have any memory
layout; results stay on their device and have their floating dtype; a
ValueError names the argument and its value."""
"""The part of the contract that no docstring repeats."""


def stub_text(reference: str, *, topic: str, track: str) -> str:
    """Make the student's file of a reference: the same contracts with nothing in the bodies.

    Kept are each public function's signature and docstring, letter for letter, the import of the
    track's library, and whatever else a signature needs. Helpers, constants, decorators and other
    imports are part of the answer and are left out.

    Args:
        reference: the text of ``reference/<topic>/with_<track>.py``.
        topic: the topic's name, such as ``softmax``.
        track: ``numpy``, ``torch`` or ``cupy``.

    Returns:
        The stub's text, in ruff's format when the reference is.

    Raises:
        DeriveError: the reference has no public function, or one without a docstring.
    """
    reference = unix_ends(reference)
    tree = parse_reference(reference)
    functions = public_functions(tree)
    if not functions:
        raise DeriveError("no public function to make a stub of")
    lines = reference.split("\n")
    needed = set().union(*(annotation_names(node) for node in functions))
    constants = _needed_constants(tree, needed)
    for node in constants:
        needed |= names_in(node)

    title = topic.replace("_", " ").capitalize()
    parts = [
        f'"""{title} in {LIBRARIES[track]}: your answers.\n\n'
        f"Write the body of each function below, then run: pytest -k {topic} --track {track}\n\n"
        f"{COMMON}\n"
        '"""'
    ]
    block = import_block(_stub_imports(tree, needed))
    if block:
        parts.append("\n\n" + block)
    if constants:
        texts = ("\n".join(lines[node.lineno - 1 : end_of(node)]) for node in constants)
        parts.append("\n\n" + "\n".join(texts))
    tokens = tokens_of(reference)
    parts += ["\n\n\n" + _function_stub(node, lines, tokens) for node in functions]
    return "".join(parts) + "\n"


def _function_stub(node: Function, lines: list[str], tokens: list[tokenize.TokenInfo]) -> str:
    docstring = docstring_of(node)
    if docstring is None:
        raise DeriveError(
            f"line {node.lineno}: {node.name} has no docstring: it is the exercise's text"
        )
    row, _ = header_end(tokens, node.lineno)
    if row == docstring.lineno:
        raise DeriveError(f"line {row}: start the docstring of {node.name} on its own line")
    header = lines[node.lineno - 1 : row]
    text = lines[docstring.lineno - 1 : end_of(docstring)]
    return "\n".join([*header, *text, "    raise NotImplementedError"])


def _needed_constants(tree: ast.Module, needed: set[str]) -> list[ast.stmt]:
    """Give the assignments that signatures use, such as a default or a type's short name."""
    wanted = set(needed)
    found: list[ast.stmt] = []
    for node in reversed(tree.body):  # a constant may use those above it
        if isinstance(node, ast.Assign):
            names = set().union(*(names_in(target) for target in node.targets))
        elif isinstance(node, ast.AnnAssign):
            names = names_in(node.target)
        else:
            continue
        if names & wanted:
            found.insert(0, node)
            wanted |= names_in(node)
    return found


def _stub_imports(tree: ast.Module, needed: set[str]) -> Iterator[str]:
    for node in tree.body:
        inner: list[ast.stmt] = [node]
        if isinstance(node, ast.If) and (dotted_name(node.test) or "").endswith("TYPE_CHECKING"):
            inner = node.body  # what only annotations use; in a stub it may be imported plainly
        for statement in inner:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                yield from _stub_import(statement, needed)


def _stub_import(node: ast.Import | ast.ImportFrom, needed: set[str]) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return import_text(node, node.names)

    def is_library(alias: ast.alias) -> bool:
        module = alias.name if isinstance(node, ast.Import) else node.module or ""
        # numpy.typing is a help for signatures only, so there it has to be needed.
        return module.partition(".")[0] in LIBRARIES and not module.endswith(".typing")

    aliases = [a for a in node.names if is_library(a) or bound_by(a) in needed]
    return import_text(node, aliases) if aliases else []


def stub_of(reference_dir: Path, topic: str, track: str, function: str) -> str:
    """Give the text of one function's stub, for putting it back into a student's file.

    Args:
        reference_dir: the folder that holds ``<topic>/with_<track>.py``.
        topic: the topic's name.
        track: ``numpy``, ``torch`` or ``cupy``.
        function: the function's name.

    Returns:
        The function from ``def`` to ``raise NotImplementedError``, with a newline at its end.

    Raises:
        DeriveError: there is no such reference, or it has no such function.
    """
    path = Path(reference_dir) / topic / f"with_{track}.py"
    if not path.is_file():
        raise DeriveError(f"{topic} has no {track} track: {path.as_posix()} does not exist")
    reference = unix_ends(path.read_text(encoding="utf-8"))
    tree = parse_reference(reference)
    for node in public_functions(tree):
        if node.name == function:
            return _function_stub(node, reference.split("\n"), tokens_of(reference)) + "\n"
    known = ", ".join(node.name for node in public_functions(tree)) or "none"
    raise DeriveError(f"{topic} has no {function} in the {track} track; it has: {known}")
