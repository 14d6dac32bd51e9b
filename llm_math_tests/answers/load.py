"""Load an answer's file and say what it defines; nothing of the student's is a crash."""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import sys
import time
import types
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from llm_math_tests.answers import leaning
from llm_math_tests.answers.door import Loaded, Parameter, Reply, Where
from llm_math_tests.answers.errstate import usual_errstate
from llm_math_tests.answers.raised import reply_of_exception
from llm_math_tests.answers.time_limit import TimeLimit
from llm_math_tests.tracks import Track


class LoadedModule:
    """An answer's module, or the reply that says why there is none."""

    def __init__(
        self,
        module: types.ModuleType | None,
        failed: Reply | None,
        laid: leaning.Laid | None = None,
    ) -> None:
        self.module = module
        self.failed = failed
        self._laid = laid or {}

    def function(self, name: str) -> Any:
        """The function of that name, None without it."""
        found = vars(self.module).get(name) if self.module is not None else None
        return found if self._is_its_own(name, found) else None

    def _is_its_own(self, name: str, thing: Any) -> bool:
        """Whether this is a function, and not what stands where there is none."""
        return callable(thing) and thing is not self._laid.get(name)

    def listing(self) -> Loaded:
        """The neutral description of what is there."""
        if self.module is None:
            return Loaded({}, self.failed)
        return Loaded(
            {
                name: (_line(thing), _parameters(thing))
                for name, thing in vars(self.module).items()
                if not name.startswith("_") and self._is_its_own(name, thing)
            }
        )


def load(
    where: Where, track: Track, seconds: float, course: leaning.Course | None = None
) -> LoadedModule:
    """Run the file's text as a module of its own.

    Every folder of answers becomes a package with a name of its own, so that
    ``from ..softmax.with_numpy import log_softmax`` reaches the file in the same
    folder, whoever's it is. With the names of the ``course``, ours can be lent where
    an exercise is not started (see :mod:`llm_math_tests.answers.leaning`).
    """
    path = where.path
    if where.text is None and not path.is_file():
        return LoadedModule(None, Reply("refused", problem=f"there is no file {where.shown}"))
    course = course or {}
    package = _package(where.root, where.topic, course)
    # A text (a mistake) must not be taken for the file by another that imports it.
    name = f"{package}.{path.stem}" + ("" if where.text is None else f"_{id(where):x}")
    module = types.ModuleType(name)
    module.__file__ = str(path)
    module.__package__ = package
    names = course.get(where.topic, ())
    started = time.perf_counter()
    limit = TimeLimit(seconds)
    try:
        source = _decoded(path.read_bytes()) if where.text is None else where.text
        # A debugger and a traceback look the source up by its file's name.
        linecache.cache[str(path)] = (
            len(source), None, source.splitlines(keepends=True), str(path),
        )  # fmt: skip
        with warnings.catch_warnings(), usual_errstate(), track.loading(), limit:
            warnings.simplefilter("ignore")
            code = leaning.compiled(source, str(path), names)
            sys.modules[name] = module
            if where.text is None:
                _note(name, path)
            laid = leaning.lay_out(module, where.track, leaning.missing(source, names))
            leaning.run(code, module, where.track, names)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        limit.stop()
        _forget(name)
        took = time.perf_counter() - started
        return LoadedModule(None, reply_of_exception(error, str(path), took, seconds, "loading"))
    return LoadedModule(module, None, laid)


def _decoded(raw: bytes) -> str:
    """As Python reads a file: a byte-order mark, a declared encoding and CRLF are fine."""
    try:
        return decode_source(raw)
    except SyntaxError:
        raw.decode("utf-8")  # if this fails, it says where
        raise


def _package(root: Path, topic: str, course: leaning.Course) -> str:
    """Register ``<root>`` and its topics as packages and name the one of ``topic``.

    The course's other topics too: what is imported from one that is not there is not started.
    """
    outer = "_answers_" + format(hash(str(root.resolve())) & 0xFFFFFFFF, "08x")
    if outer not in sys.modules:
        _register(outer, root)
    for inner in (topic, *course):
        if f"{outer}.{inner}" not in sys.modules:
            _register(f"{outer}.{inner}", root / inner)
    if course:
        _ANSWERS.courses[outer] = course
    for name, (path, stamp) in list(_stamps.items()):
        if name.startswith(f"{outer}.") and stamp != _stamp(path):
            _forget(name)  # it was written to since it was imported
    return f"{outer}.{topic}"


def _register(name: str, folder: Path) -> None:
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


_stamps: dict[str, tuple[Path, tuple[int, int] | None]] = {}
"""The file behind each module of answers and the state it was in, by the module's name."""


def _note(name: str, path: Path) -> None:
    """Remember which state of a file a module is."""
    _stamps[name] = path, _stamp(path)
    _drop_from_package(name)


def _forget(name: str) -> None:
    sys.modules.pop(name, None)
    _stamps.pop(name, None)
    _drop_from_package(name)


def _drop_from_package(name: str) -> None:
    """``from ..softmax import with_numpy`` looks at the package first."""
    package, _, stem = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(stem, None)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _path_of(name: str) -> Path:
    package, _, stem = name.rpartition(".")
    return Path(sys.modules[package].__path__[0], f"{stem}.py")


class _Answers(MetaPathFinder, Loader):
    """Imports one file of answers from another, lending as :func:`load` does."""

    def __init__(self) -> None:
        self.courses: dict[str, leaning.Course] = {}
        """By the name of the outer package."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Take ``_answers_....<topic>.with_<track>``, whether the file is there or not."""
        outer, _, rest = fullname.partition(".")
        topic, _, stem = rest.partition(".")
        if topic not in self.courses.get(outer, ()) or stem not in _STEMS:
            return None
        return importlib.util.spec_from_file_location(fullname, _path_of(fullname), loader=_ANSWERS)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the file; one that is not there has no function that is started."""
        outer, topic, stem = module.__name__.split(".")
        names, track = self.courses[outer][topic], stem.removeprefix("with_")
        path = _path_of(module.__name__)
        _note(module.__name__, path)
        if path.is_file():
            source = _decoded(path.read_bytes())
            code = leaning.compiled(source, str(path), names)
            leaning.lay_out(module, track, leaning.missing(source, names))
            leaning.run(code, module, track, names)
        else:
            leaning.lay_out(module, track, names)


_ANSWERS = _Answers()
sys.meta_path.insert(0, _ANSWERS)
_STEMS = ("with_numpy", "with_torch", "with_cupy")


def _line(thing: Any) -> int:
    code = getattr(inspect.unwrap(thing), "__code__", None)
    return int(code.co_firstlineno) if code is not None else 1


def _parameters(thing: Any) -> tuple[Parameter, ...] | None:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return None
    return tuple(
        Parameter(p.name, p.kind.name, None if p.default is p.empty else repr(p.default))
        for p in signature.parameters.values()
    )
