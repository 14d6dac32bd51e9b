"""Make ``offered.json`` from the installed CuPy, or say how it differs.

    python -m llm_math_tests.stand_in.survey --write
    python -m llm_math_tests.stand_in.survey --check

The table holds names, parameters and ufunc loops, nothing else of CuPy. No GPU is needed:
CuPy imports without one. Writing needs SciPy as well.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import math
import re
import sys
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from llm_math_tests.stand_in.offered import PATH, Table

# Functions come from these modules, methods (read from CuPy's docstrings) from these classes.
MODULES = (
    "cupy", "cupy.linalg", "cupy.fft", "cupy.random", "cupy.exceptions",
    "cupyx", "cupyx.scipy.special",
)  # fmt: skip
CLASSES = ("cupy.ndarray", "cupy.ufunc", "cupy.random.Generator", "cupy.random.RandomState")

_CONSTANTS = {
    "Inf": "inf", "Infinity": "inf", "infty": "inf", "inf": "inf", "NaN": "nan", "NAN": "nan",
    "nan": "nan", "pi": "pi", "e": "e", "euler_gamma": "euler_gamma", "newaxis": "newaxis",
}  # fmt: skip

# CuPy compiles these, so `inspect` sees no signature; their docstring's first line has it.
_FIRST_LINE = re.compile(r"^(?:[\w.]+\.)?(\w+)\((.*)\)(?: ->.*)?$")


def survey() -> Table:
    """What the stand-in offers of the installed CuPy."""
    from llm_math_tests.stand_in import functions

    table: Table = {"made_from": f"CuPy {importlib.import_module('cupy').__version__}"}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        found: dict[str, Any] = {}
        for name in sorted(vars(module)):
            value = getattr(module, name)
            if name.startswith("_"):
                continue
            if (twin := _numpy_twin(name, value)) is not None:
                found.setdefault("shared", {})[name] = twin
            elif type(value).__name__ == "ufunc":
                if functions.has_host(module_name, name):
                    loops = f"{value.nin} {value.nout} {' '.join(value.types)}"
                    found.setdefault("ufuncs", {})[name] = loops
            elif (written := parameters_of(value)) is not None and functions.has_host(
                module_name, name
            ):
                found.setdefault("functions", {})[name] = written
        table[module_name] = found
    for class_name in CLASSES:
        module_name, _, name = class_name.rpartition(".")
        cls = getattr(importlib.import_module(module_name), name)
        ours = _our_class(class_name)
        methods = {
            method: method_parameters(cls, method)
            for method in sorted(dir(ours))
            if not method.startswith("_") and hasattr(cls, method)
        }
        table[class_name] = {"methods": {k: v for k, v in methods.items() if v is not None}}
    return table


def _our_class(class_name: str) -> type:
    from llm_math_tests.stand_in import modules

    module_name, _, name = class_name.rpartition(".")
    found: type = getattr(modules()[module_name], name)
    return found


def parameters_of(function: Any) -> str | None:
    """A function's parameters as source text; None where it is not a readable function."""
    if not isinstance(function, FunctionType | BuiltinFunctionType) and (
        type(function).__name__ != "_GUFunc"
    ):
        return None
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return _from_docstring(function)
    return written_out(signature)


def method_parameters(cls: type, name: str) -> str | None:
    """A method's parameters without ``self``."""
    method = inspect.getattr_static(cls, name)
    if isinstance(method, staticmethod | classmethod) or not callable(method):
        return None
    if isinstance(method, FunctionType):
        return re.sub(r"^self(, )?", "", written_out(inspect.signature(method)))
    return _from_docstring(method)


def written_out(signature: inspect.Signature) -> str:
    """``(a, /, *, axis=None)`` as ``a, /, *, axis=None``, classes by name, no annotations."""
    parameters = []
    for parameter in signature.parameters.values():
        default = parameter.default
        if default is parameter.empty:
            pass
        elif isinstance(default, type):
            default = _Bare(default.__name__)
        elif not _readable(default):
            default = None
        parameters.append(parameter.replace(default=default, annotation=parameter.empty))
    return str(inspect.Signature(parameters))[1:-1]


class _Bare:
    """Prints as the bare name, where a class would print as ``<class ...>``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _readable(default: object) -> bool:
    return default is None or isinstance(default, bool | int | float | str | tuple)


def _from_docstring(function: Any) -> str | None:
    match = _FIRST_LINE.match((function.__doc__ or "").partition("\n")[0])
    if match is None:
        return None
    parameters = []
    for parameter in filter(None, match[2].split(", ")):
        typed = parameter.partition("=")[0]
        # `int axis=-1` and `_ndarray_base b` carry C types.
        bare = typed.split()[-1] + parameter[len(typed) :]
        if bare != "self":
            parameters.append(bare.replace("numpy.", ""))
    return ", ".join(parameters)


def _numpy_twin(name: str, value: Any) -> str | None:
    """NumPy's name for the very same object: scalar types, constants, `s_` and the like."""
    if isinstance(value, type) and issubclass(value, np.generic):
        return value.__name__
    if name in _CONSTANTS:
        twin = getattr(np, _CONSTANTS[name])
        same = value is twin or value == twin or (math.isnan(value) and math.isnan(twin))
        return _CONSTANTS[name] if same else None
    if isinstance(value, type) and value.__module__ == "numpy.exceptions":
        return f"exceptions.{name}"
    if not name.startswith("_") and name not in ("bytes", "str") and hasattr(np, name):
        return name if value is getattr(np, name) else None
    return None


def as_text(table: Table) -> str:
    """JSON with one name a line, so that a difference reads as a difference of names."""
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


def differences(ours: Table, theirs: Table) -> list[str]:
    """What our table offers and their CuPy lacks or spells differently.

    A newer CuPy with more names is no difference: only what is offered is compared.
    """
    found = []
    for place, kinds in ours.items():
        if place == "made_from":
            continue
        for kind, names in kinds.items():
            there = theirs.get(place, {}).get(kind, {})
            for name, parameters in names.items():
                if name not in there:
                    found.append(f"{place}.{name} is not in {theirs['made_from']}")
                elif kind != "ufuncs" and there[name] != parameters:
                    found.append(f"{place}.{name}: ours ({parameters}), CuPy's ({there[name]})")
    return found


def main(argv: list[str] | None = None) -> int:
    """Write the table or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="make the table anew")
    what.add_argument("--check", action="store_true", help="compare it with the installed CuPy")
    chosen = parser.parse_args(argv)
    now = survey()
    if chosen.write:
        # Which special functions have a host is asked of SciPy.
        importlib.import_module("scipy.special")
        PATH.write_text(as_text(now), encoding="utf-8", newline="\n")
        return 0
    from llm_math_tests.stand_in.offered import table

    found = differences(table(), now)
    for line in found:
        print(line)
    if found:
        print("to bring it up to date: python -m llm_math_tests.stand_in.survey --write")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
