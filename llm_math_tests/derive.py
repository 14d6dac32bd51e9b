"""Texts made from the references: students' stubs and the CuPy references.

The NumPy and PyTorch references are written by hand. From them this module makes

* ``reference/<topic>/with_cupy.py``, the NumPy text in CuPy's spelling, unless the file there
  says in its module docstring, on a line that starts with ``By hand:``, why it is not made;
* ``student/<topic>/with_<track>.py``, the same functions with nothing in their bodies.

Both are committed, so that they can be read; ``python -m llm_math_tests.derive --check`` compares
them whole. Nothing here ever executes a file: texts go in and texts come out.

The engine imports this module on every run to ask `is_untouched`, so only light parts of the
standard library are imported above, and the command line's own inside `main`.
"""

import ast
import functools
import io
import re
import sys
import tokenize
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

WIDTH = 100
COMMAND = "python -m llm_math_tests.derive"
LIBRARIES = {"numpy": "NumPy", "torch": "PyTorch", "cupy": "CuPy"}

# --- What differs between NumPy and CuPy: every rule, with its reason -------------------------

# Names in code: (NumPy, CuPy, why). The longest match wins; `x.np` is nobody's import.
SPELLINGS = (
    ("np", "cp", "CuPy follows NumPy name by name; cp is its customary alias"),
    ("numpy", "cupy", "the same, in import lines"),
    ("npt", "cpt", "cupy.typing holds the same names as numpy.typing"),
    ("scipy", "cupyx.scipy", "CuPy's SciPy lives in its extension package"),
    ("np.add.at", "cupyx.scatter_add", "CuPy's own name for adding at repeated indices"),
)

# Text in docstrings: (pattern, CuPy, why).
DOCSTRING_SPELLINGS = (
    (r"(?<![\w./])np\.(?=\w)", "cp.", "examples and prose name the function that the code calls"),
    (r"\bimport numpy as np\b", "import cupy as cp", "the first line of an example"),
    (r"(?<![\w./])numpy\.(?!org\b)(?=\w)", "cupy.", "full names, but not the address numpy.org"),
    (r"\bNumPy\b", "CuPy", "prose"),
    (r"\bwith_numpy\b", "with_cupy", "an example that imports the file it stands in"),
)

# `with np.errstate(...)` and the decorator go, and the body moves left.
ERRSTATE = ("np.errstate", "a GPU kernel raises no floating-point warnings: nothing to silence")

# Looking at values waits for the GPU, so the statement below this comment is left out.
CPU_ONLY = "# values are looked at on the CPU only"

# A function that the course does not ask of CuPy is left out: this comment above it, then why.
NOT_IN_CUPY = "# not in CuPy:"

# Makers of arrays have no input to take the device from, so in CuPy they can be told.
MAKERS = frozenset(
    {
        "alibi_bias",
        "causal_mask",
        "padding_mask",
        "sinusoidal_positional_encoding",
        "sliding_window_mask",
    }
)
DEVICE_SENTENCE = "The GPU that makes the array, by number; None is the current one."

# Names a NumPy reference might use that no CuPy has, whether or not CuPy is installed here.
LACKING = frozenset(
    {
        "False_",
        "True_",
        "block",
        "clongdouble",
        "complex256",
        "einsum_path",
        "emath",
        "errstate",
        "float128",
        "frompyfunc",
        "geomspace",
        "histogram_bin_edges",
        "insert",
        "longdouble",
        "nanpercentile",
        "nanquantile",
        "ndenumerate",
        "nditer",
        "seterr",
        "spacing",
    }
)
# ufunc.reduce and its like exist on every CuPy ufunc, and raise on all but these.
UFUNC_METHODS = frozenset({"reduce", "accumulate", "reduceat"})
WORKING_UFUNC_METHODS = frozenset(
    {"add.reduce", "add.accumulate", "add.reduceat", "multiply.reduce", "multiply.accumulate"}
)
SUBMODULES = frozenset({"fft", "lib", "linalg", "random", "typing"})


class DeriveError(ValueError):
    """A reference that no text can be made from; the message says where and what to do."""


# --- Reading source ---------------------------------------------------------------------------

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _parse(source: str) -> ast.Module:
    """Parse source of any quality; everything that is wrong with it is a SyntaxError."""
    try:
        with warnings.catch_warnings():
            # A student's "\d" is a SyntaxWarning, which `-W error` would make fatal here.
            warnings.simplefilter("ignore")
            return ast.parse(source.removeprefix("\ufeff"))
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; absurd nesting
        raise SyntaxError(str(error) or "nested too deeply to read") from error


def _unix(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff"))


def _tokens(source: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def _docstring(node: ast.Module | _Function | ast.ClassDef) -> ast.Expr | None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return first
    return None


def _end(node: ast.stmt | ast.expr) -> int:
    assert node.end_lineno is not None  # ast.parse always sets it
    return node.end_lineno


def _start(node: ast.stmt) -> int:
    """Give the first line of a statement, its decorators included."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and node.decorator_list:
        return min(node.lineno, *(decorator.lineno for decorator in node.decorator_list))
    return node.lineno


def _public_functions(tree: ast.Module) -> list[_Function]:
    return [n for n in tree.body if isinstance(n, _FUNCTIONS) and not n.name.startswith("_")]


def _suites(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Give every list of statements in the tree."""
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _stored(node: ast.AST) -> set[str]:
    """Give the names that a target binds; `f.calls = 0` binds none."""
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _dotted(node: ast.expr) -> str | None:
    """Give `a.b.c` for such an expression, None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = _dotted(node.value)
        return None if left is None else f"{left}.{node.attr}"
    return None


def _annotation_names(node: _Function) -> set[str]:
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
        names |= _names(part)
        for inner in ast.walk(part):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                names |= set(re.findall(r"[^\W\d]\w*", inner.value))
    return names


def _header_end(tokens: Iterable[tokenize.TokenInfo], line: int) -> tuple[int, int]:
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


def _comment_lines(tokens: Iterable[tokenize.TokenInfo]) -> set[int]:
    """Give the lines that hold a comment and nothing else."""
    return {
        t.start[0]
        for t in tokens
        if t.type == tokenize.COMMENT and not t.line[: t.start[1]].strip()
    }


def _inside_strings(tokens: Iterable[tokenize.TokenInfo]) -> set[int]:
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


def _comments_above(comment_lines: Collection[int], line: int) -> int:
    """Give the first line of the comments that stand directly above a line."""
    while line - 1 in comment_lines:
        line -= 1
    return line


# --- Not started ------------------------------------------------------------------------------


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
    _bind(_parse(source).body, bound)
    return bound


def _bind(statements: list[ast.stmt], bound: dict[str, bool]) -> None:
    """Note what each statement binds at the top of a module, later ones over earlier ones."""
    for node in statements:
        if isinstance(node, _FUNCTIONS):
            bound[node.name] = _is_stub(node)
        elif isinstance(node, ast.ClassDef):
            bound[node.name] = False
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                bound[alias.asname or alias.name.partition(".")[0]] = False
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not (isinstance(node, ast.AnnAssign) and node.value is None):
                for target in targets:
                    bound.update(dict.fromkeys(_stored(target), False))
        else:  # if, try, with, for: what they hold runs at the top of the module too
            for field in ("body", "handlers", "orelse", "finalbody", "cases"):
                for inner in getattr(node, field, []):
                    _bind([inner] if isinstance(inner, ast.stmt) else inner.body, bound)


def _is_stub(node: _Function) -> bool:
    body = node.body[1:] if _docstring(node) else node.body
    if len(body) != 1 or not isinstance(body[0], ast.Raise) or body[0].cause is not None:
        return False
    raised = body[0].exc
    if isinstance(raised, ast.Call):
        raised = raised.func
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


# --- Imports ----------------------------------------------------------------------------------


def _bound_by(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _import_text(node: ast.Import | ast.ImportFrom, aliases: list[ast.alias]) -> list[str]:
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


def _import_block(texts: Iterable[str]) -> str:
    """Set import statements in order, a blank line between the sections."""
    lines: list[str] = []
    section: int | None = None
    for text in sorted(dict.fromkeys(texts), key=_import_order):
        if section not in (None, _import_order(text)[0]):
            lines.append("")
        section = _import_order(text)[0]
        lines.append(text)
    return "\n".join(lines)


# --- Stubs ------------------------------------------------------------------------------------


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
    reference = _unix(reference)
    tree = _parse_reference(reference)
    functions = _public_functions(tree)
    if not functions:
        raise DeriveError("no public function to make a stub of")
    lines = reference.split("\n")
    needed = set().union(*(_annotation_names(node) for node in functions))
    constants = _needed_constants(tree, needed)
    for node in constants:
        needed |= _names(node)

    title = topic.replace("_", " ").capitalize()
    parts = [
        f'"""{title} in {LIBRARIES[track]}: your answers.\n\n'
        f"Write the body of each function below, then run: pytest -k {topic} --track {track}\n"
        '"""'
    ]
    block = _import_block(_stub_imports(tree, needed))
    if block:
        parts.append("\n\n" + block)
    if constants:
        texts = ("\n".join(lines[node.lineno - 1 : _end(node)]) for node in constants)
        parts.append("\n\n" + "\n".join(texts))
    tokens = _tokens(reference)
    parts += ["\n\n\n" + _function_stub(node, lines, tokens) for node in functions]
    return "".join(parts) + "\n"


def _parse_reference(reference: str) -> ast.Module:
    try:
        return _parse(reference)
    except SyntaxError as error:
        raise DeriveError(f"line {error.lineno}: not Python: {error.msg}") from error


def _function_stub(node: _Function, lines: list[str], tokens: list[tokenize.TokenInfo]) -> str:
    docstring = _docstring(node)
    if docstring is None:
        raise DeriveError(
            f"line {node.lineno}: {node.name} has no docstring: it is the exercise's text"
        )
    row, _ = _header_end(tokens, node.lineno)
    if row == docstring.lineno:
        raise DeriveError(f"line {row}: start the docstring of {node.name} on its own line")
    header = lines[node.lineno - 1 : row]
    text = lines[docstring.lineno - 1 : _end(docstring)]
    return "\n".join([*header, *text, "    raise NotImplementedError"])


def _needed_constants(tree: ast.Module, needed: set[str]) -> list[ast.stmt]:
    """Give the assignments that signatures use, such as a default or a type's short name."""
    wanted = set(needed)
    found: list[ast.stmt] = []
    for node in reversed(tree.body):  # a constant may use those above it
        if isinstance(node, ast.Assign):
            names = set().union(*(_names(target) for target in node.targets))
        elif isinstance(node, ast.AnnAssign):
            names = _names(node.target)
        else:
            continue
        if names & wanted:
            found.insert(0, node)
            wanted |= _names(node)
    return found


def _stub_imports(tree: ast.Module, needed: set[str]) -> Iterator[str]:
    for node in tree.body:
        inner: list[ast.stmt] = [node]
        if isinstance(node, ast.If) and (_dotted(node.test) or "").endswith("TYPE_CHECKING"):
            inner = node.body  # what only annotations use; in a stub it may be imported plainly
        for statement in inner:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                yield from _stub_import(statement, needed)


def _stub_import(node: ast.Import | ast.ImportFrom, needed: set[str]) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return _import_text(node, node.names)

    def is_library(alias: ast.alias) -> bool:
        module = alias.name if isinstance(node, ast.Import) else node.module or ""
        # numpy.typing is a help for signatures only, so there it has to be needed.
        return module.partition(".")[0] in LIBRARIES and not module.endswith(".typing")

    aliases = [a for a in node.names if is_library(a) or _bound_by(a) in needed]
    return _import_text(node, aliases) if aliases else []


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
    reference = _unix(path.read_text(encoding="utf-8"))
    tree = _parse_reference(reference)
    for node in _public_functions(tree):
        if node.name == function:
            return _function_stub(node, reference.split("\n"), _tokens(reference)) + "\n"
    known = ", ".join(node.name for node in _public_functions(tree)) or "none"
    raise DeriveError(f"{topic} has no {function} in the {track} track; it has: {known}")


def replace_function(source: str, function: str, new_text: str) -> str:
    """Put a new text in the place of one top-level function of a file.

    Everything else stays byte for byte, line ends included, if the file was read with
    ``newline=""``. Decorators and comments inside the function go with it. Where a name is
    defined twice the last one counts and is replaced; a function that is not there is appended.

    Args:
        source: the file's text.
        function: the function's name.
        new_text: the new function, such as `stub_of` gives.

    Returns:
        The file's new text.

    Raises:
        ValueError: the source has a syntax error, or `new_text` does not define the function.
    """
    new_lines = _unix(new_text).strip("\n")
    try:
        defined = {n.name for n in _parse(new_lines).body if isinstance(n, _FUNCTIONS)}
    except SyntaxError:
        defined = set()
    if function not in defined:
        raise ValueError(f"the new text does not define {function}")
    try:
        tree = _parse(source)
    except SyntaxError as error:
        raise ValueError(
            f"cannot find {function}: line {error.lineno} is not Python ({error.msg}); "
            "mend that line, or put the whole file back"
        ) from error
    line_end = "\r\n" if "\r\n" in source else "\n"
    new_lines = new_lines.replace("\n", line_end)
    # Not str.splitlines, which also splits at form feeds and other marks that Python does not.
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", source)
    found = [n for n in tree.body if isinstance(n, _FUNCTIONS) and n.name == function]
    if not found:
        body = source.rstrip("\r\n")
        bare = not body.removeprefix("\ufeff")
        tail = source[len(body) :]
        missing = 0 if bare else max(0, 3 - len(re.findall(r"\r\n|\r|\n", tail)))
        return source + line_end * missing + new_lines + line_end

    first, last = _start(found[-1]), _end(found[-1])
    for number in range(last + 1, len(lines) + 1):
        text = lines[number - 1]
        if text.strip() and not re.match(r"[ \t]+#", text):
            break
        if text.strip():  # an indented comment after the last statement is still the body's
            last = number
    old_end = re.search(r"[\r\n]*$", lines[last - 1])
    assert old_end is not None
    mark = "\ufeff" if first == 1 and source.startswith("\ufeff") else ""
    return "".join(
        [*lines[: first - 1], mark, new_lines, old_end.group(), *lines[last:]],
    )


# --- CuPy texts -------------------------------------------------------------------------------


def cupy_text(numpy_reference: str, *, known: Callable[[str], bool] | None = None) -> str:
    """Make the CuPy reference of a NumPy reference by the rules at the top of this module.

    Strings other than docstrings are left alone, and so are comments, except that ``np.`` in a
    comment becomes ``cp.``. Private helpers, private constants and imports that a rule leaves
    without a use are dropped.

    Args:
        numpy_reference: the text of ``reference/<topic>/with_numpy.py``.
        known: says of a dotted name (``"linalg.svd"``) whether CuPy has it; `installed_cupy`
            gives one. Without it only the names in `LACKING` are refused.

    Returns:
        The CuPy text, or the empty text when every public function is marked ``# not in CuPy:``.

    Raises:
        DeriveError: a line has no CuPy spelling; the message names it and the way out.
    """
    original = _unix(numpy_reference)
    tree = _parse_reference(original)
    if _docstring(tree) is None:
        raise DeriveError("line 1: no module docstring")
    text = _without_marked_functions(original)
    if not _public_functions(_parse(text)):
        return ""
    text = _without_cpu_only(text)
    text = _without_errstate(text, original)
    text = _without_unused(text, original)
    _refuse_missing_names(text, original, known)
    text = _respelled(text)
    text = _with_devices(text)
    text = _with_imports(text)
    text = _with_origin(text)
    for line in text.split("\n"):
        if len(line) > WIDTH and not _is_in(line, original):
            raise DeriveError(
                f"in CuPy's spelling this line has {len(line)} columns, "
                f"write the NumPy line in two: {line.strip()}"
            )
    _parse(text)
    return text


def _is_in(line: str, original: str) -> bool:
    return line in original.split("\n")


def _line_of(original: str, line: str) -> str:
    """Name a line of the reference by its number there, whatever edits have moved it."""
    others = original.split("\n")
    if line in others:
        return f"line {others.index(line) + 1}"
    for number, other in enumerate(others, start=1):  # it may have been moved to the left
        if other.strip() == line.strip():
            return f"line {number}"
    return f"`{line.strip()}`"


def _cut(text: str, first: int, last: int) -> str:
    lines = text.split("\n")
    return _tidy("\n".join(lines[: first - 1] + lines[last:]))


def _tidy(text: str) -> str:
    """Bring the blank lines that a cut has left back to ruff's count."""
    inside = _inside_strings(_tokens(text))
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


def _without_marked_functions(text: str) -> str:
    while True:
        comments = _comment_lines(_tokens(text))
        lines = text.split("\n")
        for node in _parse(text).body:
            first = _comments_above(comments, _start(node))
            above = lines[first - 1 : _start(node) - 1]
            if isinstance(node, _FUNCTIONS) and any(c.startswith(NOT_IN_CUPY) for c in above):
                text = _without_unused(_cut(text, first, _end(node)), text)
                break
        else:
            return text


def _without_cpu_only(text: str) -> str:
    original = text
    while True:
        comments = _comment_lines(_tokens(text))
        lines = text.split("\n")
        marked = [n for n in sorted(comments) if lines[n - 1].strip().startswith(CPU_ONLY)]
        if not marked:
            return original if text == original else _without_unused(text, original)
        first = marked[0]
        last = first
        while last in comments:
            last += 1
        for suite in _suites(_parse(text)):
            for node in suite:
                if _start(node) == last and not lines[last - 1].strip().startswith("elif"):
                    break
            else:
                continue
            if len(suite) == 1:
                raise DeriveError(
                    f"{_line_of(original, lines[last - 1])}: nothing would be left of its block: "
                    f"move the comment '{CPU_ONLY}' above the whole block"
                )
            text = _cut(text, first, _end(node))
            break
        else:
            raise DeriveError(
                f"{_line_of(original, lines[first - 1])}: '{CPU_ONLY}' stands directly above "
                "the statement it is about, and below it there is none"
            )


def _is_errstate(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _dotted(node.func) == ERRSTATE[0]


def _without_errstate(text: str, original: str) -> str:
    while True:
        tree = _parse(text)
        for node in ast.walk(tree):
            if isinstance(node, _FUNCTIONS):
                for decorator in node.decorator_list:
                    if _is_errstate(decorator):
                        text = _cut(text, decorator.lineno, _end(decorator))
                        break
                else:
                    continue
                break
            if isinstance(node, ast.With) and any(_is_errstate(i.context_expr) for i in node.items):
                if not all(_is_errstate(item.context_expr) for item in node.items):
                    line = text.split("\n")[node.lineno - 1]
                    raise DeriveError(
                        f"{_line_of(original, line)}: give np.errstate a `with` of its own"
                    )
                text = _unwrapped(text, node)
                break
        else:
            return text


def _unwrapped(text: str, node: ast.With) -> str:
    """Take away a `with` and move its body left; its comments stay."""
    tokens = _tokens(text)
    lines = text.split("\n")
    colon, _ = _header_end(tokens, node.lineno)
    outer = node.col_offset
    shift = node.body[0].col_offset - outer
    if node.body[0].lineno == colon:
        raise DeriveError(f"`{lines[colon - 1].strip()}`: put its body on a line of its own")
    last = _end(node)
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
    inside = _inside_strings(tokens)
    body = [
        line if number in inside else line[shift:] if line.strip() else line
        for number, line in enumerate(lines[colon:last], start=colon + 1)
    ]
    while body and not body[0].strip():
        del body[0]
    before = lines[: node.lineno - 1] + kept
    moved = "\n".join(before + body + lines[last:])
    return _tidy(_joined(moved, len(before) + 1, len(before) + len(body)))


def _joined(text: str, first: int, last: int) -> str:
    """Write on one line each bracket that was spread over several and now fits.

    Ruff joins what fits unless a comma before the closing bracket asks it not to, so moving lines
    to the left can call for it. Brackets with comments, or strings of several lines, stay.
    """
    meaning = ast.dump(_parse(text))
    while True:
        edit = _next_join(text, first, last)
        if edit is None:
            return text
        start, stop, line = edit
        lines = text.split("\n")
        lines[start - 1 : stop] = [line]
        last -= stop - start
        text = "\n".join(lines)
        assert ast.dump(_parse(text)) == meaning, line


def _next_join(text: str, first: int, last: int) -> tuple[int, int, str] | None:
    tokens = [t for t in _tokens(text) if t.type != tokenize.NL]
    lines = text.split("\n")
    inside = _inside_strings(tokens)
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


def _without_unused(text: str, original: str) -> str:
    """Drop private helpers, private constants and imports that the original used and this not."""
    had_use = _used_elsewhere(_parse(original))
    while True:
        tree = _parse(text)
        used = _used_elsewhere(tree)
        comments = _comment_lines(_tokens(text))
        for node in tree.body:
            name = _private_name(node)
            if name is not None and name in had_use and name not in used:
                text = _cut(text, _comments_above(comments, _start(node)), _end(node))
                break
        else:
            return text


def _private_name(node: ast.stmt) -> str | None:
    """Give the private name that a top-level statement defines, if that is all it does."""
    name = None
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        name = node.name
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        name = node.targets[0].id if isinstance(node.targets[0], ast.Name) else None
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        name = node.target.id
    return name if name is not None and name.startswith("_") else None


def _used_elsewhere(tree: ast.Module) -> set[str]:
    """Give the names used by statements other than the one that defines them."""
    return set().union(*(_names(node) - {_private_name(node)} for node in tree.body))


def _refuse_missing_names(text: str, original: str, known: Callable[[str], bool] | None) -> None:
    """Stop at the first name that would not work in CuPy."""
    tree = _parse(text)
    lines = text.split("\n")

    def refuse(line: int, problem: str, remedy: str | None = None) -> None:
        remedy = (
            remedy or "write with_cupy.py by hand and open its docstring with 'By hand: reason'"
        )
        raise DeriveError(f"{_line_of(original, lines[line - 1])}: {problem}: {remedy}")

    roots = {name for name, _, _ in SPELLINGS if "." not in name}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and _names(node) & roots:
            name = min(_names(node) & roots)
            refuse(node.lineno, f"{name} is used inside an f-string", "give it a name above")
        if isinstance(node, ast.Attribute):
            dotted = _dotted(node) or ""
            if dotted.startswith("np.") and not _has(dotted[3:], known):
                refuse(node.lineno, f"CuPy has no {dotted}")
        elif isinstance(node, ast.ImportFrom) and node.module == "numpy":
            for alias in node.names:
                if not _has(alias.name, known):
                    refuse(node.lineno, f"CuPy has no np.{alias.name}")
        if isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS)):
            docstring = _docstring(node)
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
    for number in range(docstring.lineno, _end(docstring) + 1):
        line = lines[number - 1].strip()
        if line.startswith((">>>", "...")) or not line:
            output = bool(line)
            if re.search(r"np\.(?:exp|log|sqrt|tanh)\w*\(-?\d[\d.]*\)", line):
                yield number, "CuPy makes an array of this number", "use math in the example"
        elif output and re.search(r"np\.(?:(?:float|int|uint|bool)\d*\(|True_|False_)", line):
            yield number, "CuPy prints this value as an array", "wrap the example in float()"


def _respelled(text: str) -> str:
    tree = _parse(text)
    documented = [
        n for n in ast.walk(tree) if isinstance(n, (ast.Module, ast.ClassDef, *_FUNCTIONS))
    ]
    docstrings = {d.lineno for d in map(_docstring, documented) if d is not None}
    tokens = _tokens(text)
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


def _with_devices(text: str) -> str:
    for node in reversed(_parse(text).body):  # from below, so that line numbers above stay true
        if isinstance(node, ast.FunctionDef) and node.name in MAKERS:
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            if "device" not in {a.arg for a in every}:
                text = _with_device(text, node)
    return text


def _with_device(text: str, node: ast.FunctionDef) -> str:
    docstring = _docstring(node)
    if docstring is None:
        raise DeriveError(f"{node.name} has no docstring: it is the exercise's text")
    arguments = node.args
    if arguments.kwarg is not None:
        raise DeriveError(f"{node.name} takes **{arguments.kwarg.arg}: give it plain arguments")
    given = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
    given += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    given += [f"{a.arg}={a.arg}" for a in arguments.kwonlyargs]
    guard = [
        "    if device is not None:",
        "        with cp.cuda.Device(device):",
        f"            return {node.name}({', '.join(given)})",
    ]
    lines = text.split("\n")
    colon, _ = _header_end(_tokens(text), node.lineno)
    header = _header_with_device(lines[node.lineno - 1 : colon], node)
    documented = _docstring_with_device(lines[docstring.lineno - 1 : _end(docstring)])
    between = lines[colon : docstring.lineno - 1]
    return "\n".join(
        [
            *lines[: node.lineno - 1],
            *header,
            *between,
            *documented,
            *guard,
            *lines[_end(docstring) :],
        ]
    )


def _header_with_device(header: list[str], node: ast.FunctionDef) -> list[str]:
    """Add the parameter as ruff would lay it out: one line, one indented line, or one a line."""
    text = "\n".join(header)
    tokens = [t for t in _tokens(text + "\n    pass\n") if t.type != tokenize.NL]
    depth = 0
    opening = closing = 0
    for index, token in enumerate(tokens):
        if token.string in {"(", "[", "{"}:
            opening = opening or index
            depth += 1
        elif token.string in {")", "]", "}"}:
            depth -= 1
            if depth == 0:
                closing = index
                break
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    annotated = any(a.annotation is not None for a in every)
    new = "device: int | None = None" if annotated else "device=None"
    before = tokens[closing - 1]
    offset = sum(len(line) + 1 for line in header[: before.end[0] - 1]) + before.end[1]
    if len(header) > 1 and before.string == ",":  # one a line already, and asked to stay so
        return (text[:offset] + f"\n    {new}," + text[offset:]).split("\n")
    flat = text[:offset] + ("" if opening == closing - 1 else ", ") + new + text[offset:]
    pieces = [line.strip() for line in flat.split("\n")]
    line = "".join(pieces) if len(pieces) > 1 else flat
    if len(line) <= WIDTH:
        return [line]
    start, stop = line.index("(") + 1, line.rindex(")")
    inside = line[start:stop]
    if len(inside) + 4 <= WIDTH:
        return [line[:start], "    " + inside, line[stop:]]
    raise DeriveError(f"write the arguments of {node.name} one a line, a comma after the last")


def _docstring_with_device(lines: list[str]) -> list[str]:
    """Say what `device` is, in the Args section where there is one."""
    sections = [i for i, line in enumerate(lines) if line.strip() == "Args:"]
    if sections:
        last = sections[0] + 1
        while last < len(lines) and lines[last].strip() not in {"", '"""'}:
            last += 1
        entry = f"        device: {DEVICE_SENTENCE}"
        if sections[0] + 1 < last:
            first = lines[sections[0] + 1]
            entry = first[: len(first) - len(first.lstrip())] + entry.strip()
        return lines[:last] + [entry] + lines[last:]
    paragraph = ["", "    device: " + DEVICE_SENTENCE]
    if len(lines) == 1:
        body = lines[0].rstrip()
        return [body[: -len('"""')], *paragraph, '    """']
    blank = next((i for i, line in enumerate(lines) if not line.strip()), len(lines) - 1)
    return lines[:blank] + paragraph + lines[blank:]


def _with_imports(text: str) -> str:
    """Drop imports without a use, add cupyx where it is used, and set them in order."""
    tree = _parse(text)
    nodes = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    used = set().union(*(_names(n) for n in tree.body))
    used |= set().union(*(_annotation_names(n) for n in tree.body if isinstance(n, _FUNCTIONS)))
    lines = text.split("\n")
    comments = _comment_lines(_tokens(text))
    bound: set[str] = set()
    texts: list[str] = []
    for node in nodes:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        kept = [a for a in node.names if future or _bound_by(a) in used]
        bound |= {_bound_by(a) for a in kept}
        if len(kept) == len(node.names):
            first = _comments_above(comments, node.lineno) if node is not nodes[0] else node.lineno
            code = "\n".join(lines[node.lineno - 1 : _end(node)])
            if max(map(len, code.split("\n"))) > WIDTH:
                (code,) = _import_text(node, kept)
            texts.append("\n".join([*lines[first - 1 : node.lineno - 1], code]))
        elif kept:
            texts += _import_text(node, kept)
    if "cupyx" in used - bound:
        texts.append("import cupyx")
    block = _import_block(texts).split("\n") if texts else []
    if not nodes:
        docstring = _docstring(tree)
        at = _end(docstring) if docstring else 0
        return _tidy("\n".join(lines[:at] + ([""] + block if block else []) + lines[at:]))
    first, last = nodes[0].lineno, _end(nodes[-1])
    others = [n for n in tree.body if first < n.lineno < last and n not in nodes]
    if others:
        raise DeriveError(f"`{ast.unparse(others[0])}` stands between imports: move it below them")
    return _tidy("\n".join(lines[: first - 1] + block + lines[last:]))


def _with_origin(text: str) -> str:
    """Say in the module docstring where the text comes from."""
    docstring = _docstring(_parse(text))
    assert docstring is not None  # cupy_text has asked for it
    lines = text.split("\n")
    last = _end(docstring)
    origin = f"Made from with_numpy.py by `{COMMAND}`; edit that file instead."
    closing = lines[last - 1]
    body = closing.rstrip()
    if not body.endswith('"""'):
        raise DeriveError('line 1: write the module docstring in """')
    kept = [body[:-3].rstrip()] if body[:-3].strip() else []
    return "\n".join([*lines[: last - 1], *kept, "", origin, '"""', *lines[last:]])


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


# --- Files ------------------------------------------------------------------------------------


def derived_files(root: Path, *, known: Callable[[str], bool] | None = None) -> dict[Path, str]:
    """Give every file that this module makes below a root, with the text it should have.

    Args:
        root: the folder that holds ``reference`` and ``student``.
        known: passed on to `cupy_text`.

    Returns:
        The text of each CuPy reference that is not by hand, and of each stub.

    Raises:
        DeriveError: one line for each reference that no text can be made from.
    """
    files, problems = _derive(Path(root), known)
    if problems:
        raise DeriveError("\n".join(problems))
    return files


def _derive(root: Path, known: Callable[[str], bool] | None) -> tuple[dict[Path, str], list[str]]:
    files: dict[Path, str] = {}
    problems: list[str] = []
    for folder in sorted((root / "reference").glob("[!._]*/")):
        if not any(folder.glob("with_*.py")):
            continue
        references: dict[str, str] = {}
        for track in ("numpy", "torch"):
            path = folder / f"with_{track}.py"
            if path.is_file():
                references[track] = _unix(path.read_text(encoding="utf-8"))
        if "numpy" not in references:
            problems.append(f"{_short(folder, root)}/with_numpy.py is missing: write it by hand")
        path = folder / "with_cupy.py"
        try:
            by_hand = _by_hand(path)
        except SyntaxError as error:
            # Never overwrite what may be by hand; a made file is easily deleted.
            problems.append(
                f"{_short(path, root)}: line {error.lineno}: not Python: mend it or delete it"
            )
            continue
        try:
            if by_hand:
                references["cupy"] = _unix(path.read_text(encoding="utf-8"))
            elif "numpy" in references:
                references["cupy"] = cupy_text(references["numpy"], known=known)
                if references["cupy"]:
                    files[path] = references["cupy"]
                else:
                    del references["cupy"]
        except DeriveError as error:
            problems.append(f"{_short(folder / 'with_numpy.py', root)}: {error}")
        for track, text in references.items():
            stub = root / "student" / folder.name / f"with_{track}.py"
            try:
                files[stub] = stub_text(text, topic=folder.name, track=track)
            except DeriveError as error:
                problems.append(f"{_short(folder / f'with_{track}.py', root)}: {error}")
    return files, problems


def _by_hand(path: Path) -> bool:
    if not path.is_file():
        return False
    text = ast.get_docstring(_parse(path.read_text(encoding="utf-8"))) or ""
    return re.search(r"^\s*By hand:[ \t]*\S", text, re.MULTILINE) is not None


def _short(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def check(root: Path, *, known: Callable[[str], bool] | None = None) -> list[str]:
    """Compare the files below a root, whole, with what the references make.

    Args:
        root: the folder that holds ``reference`` and ``student``.
        known: passed on to `cupy_text`.

    Returns:
        One line for each file that is missing, differs or is stray, with what mends it. A root
        without references gives a line too: a check of nothing is not a pass.
    """
    root = Path(root)
    files, lines = _derive(root, known)
    failed = {line.partition("/with_")[0] for line in lines}
    if not files and not lines:
        return [f"no reference/<topic>/with_numpy.py below {root.as_posix()}: name the --root"]
    for path, text in sorted(files.items()):
        name = _short(path, root)
        if not path.is_file():
            lines.append(f"{name} is missing: {COMMAND}")
            continue
        found = _unix(path.read_bytes().decode("utf-8", errors="replace"))
        if found != text:
            force = "" if path.is_relative_to(root / "reference") else _force_for(found, text)
            number = _first_difference(found, text)
            lines.append(f"{name} differs from its reference at line {number}: {COMMAND}{force}")
    made = [*(root / "reference").glob("*/with_cupy.py"), *(root / "student").glob("*/with_*.py")]
    for path in sorted(set(made) - set(files)):
        topic = f"reference/{path.parent.name}"
        if topic in failed:  # its reference could not be read, so nothing is known about it
            continue
        if path.parent.parent.name == "reference" and _by_hand(path):
            continue
        name = _short(path, root)
        lines.append(f"{name} has no reference it could be made from: git rm {name}")
    return lines


def _force_for(found: str, text: str) -> str:
    return " --force" if _touched(found, text) else ""


def _first_difference(found: str, text: str) -> int:
    one, other = found.split("\n"), text.split("\n")
    for number, (a, b) in enumerate(zip(one, other, strict=False), start=1):
        if a != b:
            return number
    return min(len(one), len(other)) + 1


def _touched(found: str, stub: str) -> str:
    """Say what in a student's file is the student's own; empty when nothing is."""
    try:
        tree = _parse(found)
        comments = {t.string for t in _tokens(found) if t.type == tokenize.COMMENT}
    except (SyntaxError, tokenize.TokenError):
        return "it is not Python"
    ours = {ast.dump(node) for node in _parse(stub).body}
    for node in tree.body:
        if isinstance(node, _FUNCTIONS):
            if not _is_stub(node):
                return f"{node.name} is written"
        elif node is not _docstring(tree) and ast.dump(node) not in ours:
            # An import or a constant that only an older stub had looks like the student's own;
            # keeping one file too many costs less than losing work.
            return f"line {node.lineno} is not the stub's"
    # Notes count as work too.
    if comments - {t.string for t in _tokens(stub) if t.type == tokenize.COMMENT}:
        return "it holds comments"
    return ""


def write(
    root: Path,
    *,
    stubs: bool = True,
    only_missing: bool = False,
    force: bool = False,
    known: Callable[[str], bool] | None = None,
) -> list[str]:
    """Write the files that are missing or differ; never over a student's work.

    Args:
        root: the folder that holds ``reference`` and ``student``.
        stubs: write the students' files too, not only the CuPy references.
        only_missing: leave every file that exists.
        force: also replace students' files in which something is written.
        known: passed on to `cupy_text`.

    Returns:
        One line for each file that was written (``wrote ...``) or was left although it differs
        from its stub (``kept ...``, with the reason).

    Raises:
        DeriveError: a reference cannot be used, or there is none; nothing is written then.
    """
    root = Path(root)
    files = derived_files(root, known=known)
    if not files:
        raise DeriveError(f"no reference/<topic>/with_numpy.py below {root.as_posix()}")
    lines: list[str] = []
    for path, text in sorted(files.items()):
        is_stub = path.is_relative_to(root / "student")
        if is_stub and not stubs:
            continue
        if path.exists():
            found = _unix(path.read_bytes().decode("utf-8", errors="replace"))
            if only_missing or found == text:
                continue
            reason = _touched(found, text) if is_stub and not force else ""
            if reason:
                lines.append(f"kept {_short(path, root)}: {reason}; --force replaces it")
                continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        lines.append(f"wrote {_short(path, root)}")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Make CuPy references and students' stubs from the references."
    )
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 on a difference")
    parser.add_argument("--root", type=Path, default=Path(), help="holds reference/ and student/")
    parser.add_argument("--no-stubs", action="store_true", help="write the CuPy references only")
    parser.add_argument("--only-missing", action="store_true", help="leave files that exist")
    parser.add_argument("--force", action="store_true", help="replace written students' files too")
    options = parser.parse_args(arguments)
    known = installed_cupy()
    if options.check:
        lines = check(options.root, known=known)
        print("\n".join(lines) if lines else "every derived file is as its reference makes it")
        return 1 if lines else 0
    try:
        lines = write(
            options.root,
            stubs=not options.no_stubs,
            only_missing=options.only_missing,
            force=options.force,
            known=known,
        )
    except DeriveError as error:
        print(error)
        return 1
    print("\n".join(lines) if lines else "nothing to write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
