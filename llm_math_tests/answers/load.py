"""Load an answer's file and say what it defines; nothing of the student's is a crash."""

from __future__ import annotations

import inspect
import linecache
import sys
import time
import types
import warnings
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from llm_math_tests.answers.door import Loaded, Parameter, Reply, Where
from llm_math_tests.answers.errstate import usual_errstate
from llm_math_tests.answers.raised import reply_of_exception
from llm_math_tests.answers.time_limit import TimeLimit
from llm_math_tests.tracks import Track


class LoadedModule:
    """An answer's module, or the reply that says why there is none."""

    def __init__(self, module: types.ModuleType | None, failed: Reply | None) -> None:
        self.module = module
        self.failed = failed

    def function(self, name: str) -> Any:
        """The function of that name, None without it."""
        found = getattr(self.module, name, None)
        return found if callable(found) else None

    def listing(self) -> Loaded:
        """The neutral description of what is there."""
        if self.module is None:
            return Loaded({}, self.failed)
        return Loaded(
            {
                name: (_line(thing), _parameters(thing))
                for name, thing in vars(self.module).items()
                if not name.startswith("_") and callable(thing)
            }
        )


def load(where: Where, track: Track, seconds: float) -> LoadedModule:
    """Run the file's text as a module of its own.

    Every folder of answers becomes a package with a name of its own, so that
    ``from ..softmax.with_numpy import log_softmax`` reaches the file in the same
    folder, whoever's it is.
    """
    path = where.path
    if where.text is None and not path.is_file():
        return LoadedModule(None, Reply("refused", problem=f"there is no file {where.shown}"))
    package = _package(where.root, where.topic)
    # A text (a mistake) must not be taken for the file by another that imports it.
    name = f"{package}.{path.stem}" + ("" if where.text is None else f"_{id(where):x}")
    module = types.ModuleType(name)
    module.__file__ = str(path)
    module.__package__ = package
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
            code = compile(source, str(path), "exec", dont_inherit=True)
            sys.modules[name] = module
            exec(code, module.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        limit.stop()
        sys.modules.pop(name, None)
        took = time.perf_counter() - started
        return LoadedModule(None, reply_of_exception(error, str(path), took, seconds, "loading"))
    return LoadedModule(module, None)


def _decoded(raw: bytes) -> str:
    """As Python reads a file: a byte-order mark, a declared encoding and CRLF are fine."""
    try:
        return decode_source(raw)
    except SyntaxError:
        raw.decode("utf-8")  # if this fails, it says where
        raise


def _package(root: Path, topic: str) -> str:
    """Register ``<root>`` and ``<root>/<topic>`` as packages and name the inner one."""
    outer = "_answers_" + format(hash(str(root.resolve())) & 0xFFFFFFFF, "08x")
    inner = f"{outer}.{topic}"
    for name, folder in ((outer, root), (inner, root / topic)):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
    return inner


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
