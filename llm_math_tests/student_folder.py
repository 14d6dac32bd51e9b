"""A student's folder: laying one out, and putting a stub back."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from llm_math_tests import course
from llm_math_tests.derive import replace_function, stub_of, stub_text
from llm_math_tests.session import UnusableChoice
from llm_math_tests.wording import shown

_SETTINGS = """\
[pytest]
# The course's own tests run on the answers in student/.
addopts = --pyargs
testpaths = llm_math_tests.suite
"""

# VS Code's test explorer asks which framework to use unless it is told.
_EDITOR = """\
{
  "python.testing.pytestEnabled": true,
  "python.testing.unittestEnabled": false
}
"""


def lay_out(folder: Path) -> list[str]:
    """Make ``folder`` a student's: the stubs, and settings for pytest. Nothing is overwritten."""
    if folder.exists() and not folder.is_dir():
        raise UnusableChoice(f"{folder} is a file; name a folder")
    references = course.folder("reference")
    texts = {}
    for path in sorted(references.glob("*/with_*.py")):
        topic, track = path.parent.name, path.stem.removeprefix("with_")
        # Made anew: in a clone, student/ holds the answers of whoever works there.
        text = stub_text(path.read_text(encoding="utf-8"), topic=topic, track=track)
        texts[f"student/{topic}/{path.name}"] = text
    kept = [name for name, text in texts.items() if not _put(folder / name, text)]
    said = [f"kept   {name} (it was there)" for name in kept]
    if len(kept) < len(texts):
        said.append(f"wrote  {len(texts) - len(kept)} stubs: student/<topic>/with_<track>.py")
    for name, text in (("pytest.ini", _SETTINGS), (".vscode/settings.json", _EDITOR)):
        put = _put(folder / name, text)
        said.append(f"wrote  {name}" if put else f"kept   {name} (it was there)")
    shown = f'"{folder}"' if " " in str(folder) else folder
    where = "" if folder.resolve() == Path.cwd() else f"cd {shown}, then "
    said.append(f"begin: {where}llm-math")
    return said


def _put(place: Path, text: str) -> bool:
    if place.exists():
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return True


def reset(name: str, topic: str, track: str, root: Path) -> str:
    """Put the stub of one exercise back; the file as it was is kept beside it."""
    path = root / topic / f"with_{track}.py"
    stub = stub_of(course.folder("reference"), topic, track, name)
    if not path.exists():
        raise UnusableChoice(f"there is no file {shown(path)}")
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    try:
        fresh = replace_function(text, name, stub)
    except ValueError as error:
        raise UnusableChoice(f"{shown(path)}: {error}") from None
    if fresh == text:
        return f"{shown(path)} holds the stub of {name} already"
    kept = root / topic / "kept" / f"{path.stem}-{time.strftime('%Y-%m-%d-%H%M%S')}.py"
    number = 1
    while kept.exists():
        number += 1
        kept = kept.with_name(f"{path.stem}-{time.strftime('%Y-%m-%d-%H%M%S')}-{number}.py")
    kept.parent.mkdir(exist_ok=True)
    shutil.copy2(path, kept)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(fresh)
    return f"{name} ({track}) is a stub again; what you had is in {shown(kept)}"
