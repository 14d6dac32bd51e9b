"""A student's folder: laying one out, and putting a stub back."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from llm_math_tests import course
from llm_math_tests.derive import replace_function, stub_of
from llm_math_tests.session import UnusableChoice

_SETTINGS = """\
[pytest]
# The course's own tests run on the answers in student/.
addopts = --pyargs
testpaths = llm_math_tests.suite
"""


def lay_out(folder: Path) -> list[str]:
    """Make ``folder`` a student's: the stubs, and pytest's settings. Nothing is overwritten."""
    if folder.exists() and not folder.is_dir():
        raise UnusableChoice(f"{folder} is a file; name a folder")
    said = []
    stubs = course.folder("student")
    for stub in sorted(stubs.glob("*/with_*.py")):
        place = folder / "student" / stub.relative_to(stubs)
        said += _put(place, stub.read_text(encoding="utf-8"), folder)
    said += _put(folder / "pytest.ini", _SETTINGS, folder)
    where = "" if folder.resolve() == Path.cwd() else f"cd {folder}, then "
    said.append(f"begin: {where}llm-math next")
    return said


def _put(place: Path, text: str, folder: Path) -> list[str]:
    if place.exists():
        return [f"kept   {place.relative_to(folder).as_posix()} (it was there)"]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return [f"wrote  {place.relative_to(folder).as_posix()}"]


def reset(name: str, topic: str, track: str, root: Path) -> str:
    """Put the stub of one exercise back; the file as it was is kept beside it."""
    path = root / topic / f"with_{track}.py"
    stub = stub_of(course.folder("reference"), topic, track, name)
    if not path.exists():
        raise UnusableChoice(f"there is no file {path}")
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    try:
        fresh = replace_function(text, name, stub)
    except ValueError as error:
        raise UnusableChoice(f"{path}: {error}") from None
    if fresh == text:
        return f"{path} holds the stub of {name} already"
    kept = root / topic / "kept" / f"{path.stem}-{time.strftime('%Y-%m-%d-%H%M%S')}.py"
    number = 1
    while kept.exists():
        number += 1
        kept = kept.with_name(f"{path.stem}-{time.strftime('%Y-%m-%d-%H%M%S')}-{number}.py")
    kept.parent.mkdir(exist_ok=True)
    shutil.copy2(path, kept)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(fresh)
    return f"{name} ({track}) is a stub again; what you had is in {kept}"
