"""Texts made from the references: students' stubs and the CuPy references.

The NumPy and PyTorch references are written by hand. From them this package makes

* ``reference/<topic>/with_cupy.py``, the NumPy text in CuPy's spelling, unless the file there
  says in its module docstring, on a line that starts with ``By hand:``, why it is not made;
* ``student/<topic>/with_<track>.py``, the same functions with nothing in their bodies.

Both are committed, so that they can be read; ``python -m llm_math_tests.derive --check`` compares
them whole. Nothing here ever executes a file: texts go in and texts come out.

The engine asks `is_untouched` on every run, so each name below is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_math_tests.derive.cupy_reference import cupy_text
    from llm_math_tests.derive.files import check, derived_files, write
    from llm_math_tests.derive.missing import installed_cupy
    from llm_math_tests.derive.references import DeriveError
    from llm_math_tests.derive.replacement import replace_function
    from llm_math_tests.derive.stubs import stub_of, stub_text
    from llm_math_tests.derive.untouched import is_untouched

__all__ = [
    "DeriveError",
    "check",
    "cupy_text",
    "derived_files",
    "installed_cupy",
    "is_untouched",
    "replace_function",
    "stub_of",
    "stub_text",
    "write",
]

_HOMES = {
    "DeriveError": "references",
    "check": "files",
    "cupy_text": "cupy_reference",
    "derived_files": "files",
    "installed_cupy": "missing",
    "is_untouched": "untouched",
    "replace_function": "replacement",
    "stub_of": "stubs",
    "stub_text": "stubs",
    "write": "files",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
