"""Which exercises a save may have changed: read off the files' syntax, nothing is run."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from llm_math_tests.exercise import TRACKS
from llm_math_tests.exercises import TOPICS, exercise
from llm_math_tests.watch.folder import Files

Key = tuple[str, str]
"""An exercise and a track."""


@dataclass(frozen=True)
class Text:
    """A file as far as it matters: comments and layout do not."""

    functions: dict[str, str]
    """Each function of the top level, as its syntax is."""
    uses: dict[str, frozenset[str]]
    """The names that each of them uses."""
    rest: str
    """Everything else of the top level."""
    imports: tuple[tuple[int, frozenset[str]], ...]
    """Each import's level (the number of dots) and the names in it."""


@lru_cache(maxsize=512)
def text_of(content: bytes) -> Text | None:
    """A file's text; None where it is not Python."""
    try:
        tree = ast.parse(importlib.util.decode_source(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    functions: dict[str, str] = {}
    uses: dict[str, frozenset[str]] = {}
    rest = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name not in functions:
            functions[node.name] = ast.dump(node)
            uses[node.name] = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        else:
            rest.append(ast.dump(node))
    return Text(functions, uses, "\n".join(rest), tuple(_imports(tree)))


def _imports(tree: ast.Module) -> Iterable[tuple[int, frozenset[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {part for alias in node.names for part in alias.name.split(".")}
            level = 0
            if isinstance(node, ast.ImportFrom):
                names.update((node.module or "").split("."))
                level = node.level
            yield level, frozenset(names)


def home_of(path: Path, root: Path) -> tuple[str, str] | None:
    """The topic and the track of a file of answers; None for any other file."""
    track = path.stem.removeprefix("with_")
    topic = path.parent.name
    if topic in TOPICS and path == root / topic / f"with_{track}.py" and track in TRACKS:
        return topic, track
    return None


def touched(root: Path, before: Files, after: Files) -> set[Key]:
    """The exercises whose verdict may differ between two states of the folder."""
    changed = {path for path in {**before, **after} if before.get(path) != after.get(path)}
    found: set[Key] = set()
    for path in changed:
        home = home_of(path, root)
        if home is not None:
            found |= {(name, home[1]) for name in _of_file(path, before, after, TOPICS[home[0]])}
    for path in _importing(changed, after):
        home = home_of(path, root)
        if home is not None:
            found |= {(name, home[1]) for name in TOPICS[home[0]]}
    return _with_relations({key for key in found if key[1] in exercise(key[0]).tracks})


def _of_file(path: Path, before: Files, after: Files, members: Iterable[str]) -> set[str]:
    old, new = (text_of(files[path]) if path in files else None for files in (before, after))
    if old is None or new is None or (old.rest, old.imports) != (new.rest, new.imports):
        return set(members)
    names = {
        name
        for name in {**old.functions, **new.functions}
        if old.functions.get(name) != new.functions.get(name)
    }
    while True:  # whoever calls one of them may be another function now, too
        more = {name for name, used in new.uses.items() if name not in names and used & names}
        if not more:
            return names & set(members)
        names |= more


def _importing(changed: set[Path], files: Files) -> set[Path]:
    """The files that import one of these, or one that does."""
    reached = set(changed)
    while True:
        more = {
            path
            for path, content in files.items()
            if path not in reached and any(_imports_it(path, content, one) for one in reached)
        }
        if not more:
            return reached - changed
        reached |= more


def _imports_it(path: Path, content: bytes, other: Path) -> bool:
    text = text_of(content)
    if text is None:
        return False
    for level, names in text.imports:
        beside = level == 1 and path.parent == other.parent
        if other.stem in names and (beside or other.parent.name in names or level == 0):
            return True
    return False


def _with_relations(keys: set[Key]) -> set[Key]:
    """Also the exercises that a check relates to one of these."""
    found = set(keys)
    for topic in TOPICS.values():
        for name in topic:
            needed = {other for check in exercise(name).checks for other in check.needs}
            found |= {(name, track) for other, track in keys
                      if other in needed and track in exercise(name).tracks}  # fmt: skip
    return found
