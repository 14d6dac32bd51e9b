"""The files below a root: which there should be, comparing them and writing them."""

import ast
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

from llm_math_tests.derive.cupy_reference import cupy_text
from llm_math_tests.derive.references import COMMAND, DeriveError
from llm_math_tests.derive.stubs import stub_text
from llm_math_tests.derive.syntax import FUNCTIONS, docstring_of, parse, unix_ends
from llm_math_tests.derive.tokens import tokens_of
from llm_math_tests.derive.untouched import has_stub_body


def derived_files(root: Path, *, known: Callable[[str], bool] | None = None) -> dict[Path, str]:
    """Give every file that is made below a root, with the text it should have.

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
                references[track] = unix_ends(path.read_text(encoding="utf-8"))
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
                references["cupy"] = unix_ends(path.read_text(encoding="utf-8"))
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
    text = ast.get_docstring(parse(path.read_text(encoding="utf-8"))) or ""
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
        found = unix_ends(path.read_bytes().decode("utf-8", errors="replace"))
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
        tree = parse(found)
        comments = {t.string for t in tokens_of(found) if t.type == tokenize.COMMENT}
    except (SyntaxError, tokenize.TokenError):
        return "it is not Python"
    ours = {ast.dump(node) for node in parse(stub).body}
    for node in tree.body:
        if isinstance(node, FUNCTIONS):
            if not has_stub_body(node):
                return f"{node.name} is written"
        elif node is not docstring_of(tree) and ast.dump(node) not in ours:
            # An import or a constant that only an older stub had looks like the student's own;
            # keeping one file too many costs less than losing work.
            return f"line {node.lineno} is not the stub's"
    # Notes count as work too.
    if comments - {t.string for t in tokens_of(stub) if t.type == tokenize.COMMENT}:
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
            found = unix_ends(path.read_bytes().decode("utf-8", errors="replace"))
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
