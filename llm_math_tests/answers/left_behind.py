"""What an answer left behind in its process, so that the process can be used again.

Only a process that is as it was before the answer came may run the next version of
it. What the answer's files defined is forgotten; then everything that outlives them is
looked for: code of theirs that something still holds, names of libraries that mean
something else now, settings, threads, processes. Random generators are seeded afresh.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import importlib
import linecache
import os
import random
import signal
import sys
import sysconfig
import threading
import time
import types
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGE = "_answers_"
"""How the packages begin that answers are loaded as."""
_MOST_SAID = 3
_SECONDS_FOR_THREADS = 0.3
_CONSTANT = (bool, int, float, complex, str, bytes, tuple, type(None))
_WITH_CONSTANTS = ("builtins", "math", "numpy", "torch")


class Traces:
    """The process as it was before any answer was loaded."""

    def __init__(self) -> None:
        # A sibling's compiled file is told from its source by whole seconds and size:
        # two saves within a second must not be taken for one another.
        sys.dont_write_bytecode = True
        gc.collect()
        # What is here now need not be looked at again: only what comes after can be theirs.
        gc.freeze()
        self._modules: dict[str, types.ModuleType] = {}
        self._names: dict[str, dict[str, Any]] = {}
        self._code: dict[types.FunctionType, Any] = {}
        self._adopt()
        self._settings = dict(_settings())
        self._threads = _threads()

    def left(self) -> list[str]:
        """Forget what came since; what could not be forgotten, in words (none if clean)."""
        linecache.clearcache()
        importlib.invalidate_caches()
        theirs = self._forget_modules()
        gc.collect()
        found = [*self._changed_names(), *self._changed_settings(), *self._running()]
        if not found:
            found = list(_survivors(theirs))
        if not found:
            _seed_afresh()
            gc.freeze()
            self._adopt()
        return found[:_MOST_SAID]

    def _forget_modules(self) -> set[str]:
        """Remove modules that are no library's; returns the files that they came from."""
        files = set()
        for name, module in list(sys.modules.items()):
            if name in self._modules or (file := _file_of_theirs(name, module)) is None:
                continue
            files.add(file)
            del sys.modules[name]
        return files

    def _adopt(self) -> None:
        """Take note of the libraries that were loaded since."""
        for name, module in list(sys.modules.items()):
            if name not in self._modules and isinstance(module, types.ModuleType):
                self._modules[name] = module
                self._names[name] = kept = _fixed_names(name, module)
                for value in kept.values():
                    if type(value) is types.FunctionType:
                        self._code[value] = value.__code__

    def _changed_names(self) -> Iterator[str]:
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                yield f"the module {name} was removed or replaced"
                continue
            now = vars(module)
            for key, value in self._names[name].items():
                if now.get(key, _NOTHING) is not value:
                    yield f"{name}.{key} was changed"
        for function, code in self._code.items():
            if function.__code__ is not code:
                yield f"{function.__module__}.{function.__qualname__} was changed"
        if len(vars(sys.modules["builtins"])) != len(self._names["builtins"]):
            yield "a name was added to Python's own"

    def _changed_settings(self) -> Iterator[str]:
        for name, value in _settings():
            if value != self._settings.get(name, value):
                yield f"{name} changed"

    def _running(self) -> Iterator[str]:
        end = time.monotonic() + _SECONDS_FOR_THREADS
        while _threads() > self._threads and time.monotonic() < end:
            time.sleep(0.01)
        if _threads() > self._threads:
            yield "a thread that it started still runs"
        if _has_children():
            yield "a process that it started still runs"


_NOTHING = object()


def _fixed_names(name: str, module: types.ModuleType) -> dict[str, Any]:
    """The names of a module that no library changes while it is used.

    They are functions and types, and, where students know them, constants.
    """
    if name == "builtins":
        return dict(vars(module))
    constants = name.partition(".")[0] in _WITH_CONSTANTS
    return {
        key: value
        for key, value in list(vars(module).items())
        if callable(value) or (constants and not key.startswith("_") and type(value) in _CONSTANT)
    }


def _file_of_theirs(name: str, module: object) -> str | None:
    """The file of a module that is no library's; None for a library's."""
    file = getattr(module, "__file__", None)
    if name.startswith(_PACKAGE):
        return str(file or "")
    if not isinstance(file, str) or file.startswith(_LIBRARIES):
        return None
    return file


def _library_folders() -> tuple[str, ...]:
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found |= {*sysconfig.get_paths().values(), str(Path(__file__).resolve().parent.parent)}
    with suppress(ImportError, AttributeError):
        import site

        found |= {site.getusersitepackages(), *site.getsitepackages()}
    return tuple(sorted(f.rstrip("/\\") + os.sep for f in found if f and f.rstrip("/\\")))


_LIBRARIES = _library_folders()


def _survivors(files: set[str]) -> Iterator[str]:
    """Code of forgotten modules that something still holds."""
    for thing in gc.get_objects():
        kind = type(thing)
        if kind is types.FunctionType:
            if thing.__code__.co_filename in files:
                yield f"{thing.__qualname__} is still held by something"
        elif kind is types.GeneratorType:
            if thing.gi_code.co_filename in files:
                yield f"{thing.__qualname__} is not finished"
        elif issubclass(kind, type):
            home = type.__dict__["__dict__"].__get__(thing).get("__module__")
            if isinstance(home, str) and home.startswith(_PACKAGE):
                yield f"{thing.__qualname__} is still held by something"


def _threads() -> int:
    return max(_thread._count(), threading.active_count())


def _has_children() -> bool:
    """Whether the process has started another one (known on Linux only)."""
    tasks: list[str] = []
    with suppress(OSError):
        tasks = os.listdir("/proc/self/task")
    for task in tasks:
        with suppress(OSError):
            if Path(f"/proc/self/task/{task}/children").read_text().strip():
                return True
    return False


def _seed_afresh() -> None:
    random.seed()
    np.random.seed()
    if "torch" in sys.modules:
        import torch

        torch.seed()  # type: ignore[no-untyped-call, unused-ignore]


def _settings() -> Iterator[tuple[str, Any]]:
    """What can be set for a whole process, each with the words for it."""
    yield from _of_python()
    yield from _of_numpy()
    if "torch" in sys.modules:
        yield from _of_torch()


def _of_python() -> Iterator[tuple[str, Any]]:
    yield "the recursion limit", sys.getrecursionlimit()
    yield "sys.path", list(sys.path)
    finders = (*sys.meta_path, *sys.path_hooks)
    ours = "llm_math_tests."
    yield "the import system", [f for f in finders if not type(f).__module__.startswith(ours)]
    yield "sys.stdin", id(sys.stdin)
    yield "sys.stdout", id(sys.stdout)
    yield "sys.stderr", id(sys.stderr)
    yield "the trace function", (sys.gettrace(), sys.getprofile())
    yield "the warning filters", list(map(str, warnings.filters))
    yield "the environment", dict(os.environ)
    yield "the current folder", _folder()
    yield "the garbage collector", (gc.isenabled(), gc.get_threshold(), len(gc.callbacks))
    yield "what is done at the end", atexit._ncallbacks()
    yield "signal handlers", [_handler(number) for number in sorted(signal.valid_signals())]
    yield "the digits of an int", sys.get_int_max_str_digits()
    yield "the switch interval", sys.getswitchinterval()
    if "decimal" in sys.modules:
        import decimal

        yield "the decimal context", str(decimal.getcontext())
    if "locale" in sys.modules:
        import locale

        yield "the locale", locale.setlocale(locale.LC_ALL)
    with suppress(ImportError):
        import resource

        limits = sorted(name for name in vars(resource) if name.startswith("RLIMIT_"))
        yield "resource limits", [resource.getrlimit(getattr(resource, n)) for n in limits]


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _handler(number: int) -> Any:
    try:
        return signal.getsignal(number)
    except (OSError, ValueError):
        return None


def _of_numpy() -> Iterator[tuple[str, Any]]:
    yield "numpy's error handling", (np.geterr(), np.geterrcall(), np.getbufsize())
    yield "numpy's print options", str(np.get_printoptions())
    # The smallest numbers, which a setting of the processor turns into zeros.
    yield "the treatment of tiny numbers", float(np.float64(2.0**-1060) * np.float64(0.5)) != 0


_ASKED_OF_TORCH = (
    ("default dtype", "get_default_dtype"),
    ("default device", "get_default_device"),
    ("number of threads", "get_num_threads"),
    ("number of threads", "get_num_interop_threads"),
    ("grad mode", "is_grad_enabled"),
    ("inference mode", "is_inference_mode_enabled"),
    ("deterministic mode", "get_deterministic_debug_mode"),
    ("anomaly mode", "is_anomaly_enabled"),
    ("autocast", "is_autocast_cpu_enabled"),
    ("precision of matmul", "get_float32_matmul_precision"),
    ("vmap or grad", "_C._functorch.maybe_current_level"),
    ("function modes", "_C._len_torch_function_stack"),
    ("dispatch modes", "_C._len_torch_dispatch_stack"),
    ("saved-tensor hooks", "_C._autograd._saved_tensors_hooks_is_enabled"),
)


def _of_torch() -> Iterator[tuple[str, Any]]:
    import torch

    for words, path in _ASKED_OF_TORCH:
        ask: Any = torch
        for part in path.split("."):
            ask = getattr(ask, part, None)
        if ask is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield f"torch's {words} ({path})", ask()
    yield "torch's print options", str(vars(torch._tensor_str.PRINT_OPTS))
    for name in ("mkldnn", "openmp", "mkl"):
        backend = getattr(torch.backends, name, None)
        if backend is not None:
            yield f"torch.backends.{name}", str(getattr(backend, "enabled", None))
    for kind in (torch.Tensor, torch.nn.Module, torch.nn.Parameter, torch.autograd.Function):
        yield f"torch's {kind.__name__}", dict(vars(kind))
