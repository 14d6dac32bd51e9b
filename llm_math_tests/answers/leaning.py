"""What stands where an earlier exercise's function is still a stub: a way to ours.

An answer may call other functions of the course. Where its author has not started one, a
stand-in asks whatever is being called now for ours. It holds nothing itself: who may lean
on what is decided where the call was made, and in a worker ours never comes here.
"""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from llm_math_tests.derive.syntax import FUNCTIONS, Function
from llm_math_tests.derive.untouched import has_stub_body, is_untouched

Course = Mapping[str, tuple[str, ...]]
"""The names of the exercises of each topic: all that an answer's side knows of the course."""

Laid = Mapping[str, Callable[..., Any]]
"""The stand-ins that were laid out in a module, by name."""

_MARK = "_llm_math_stub"


class NotLent(NotImplementedError):
    """A stub that ours does not stand in for; the message says why."""


class Lends(Protocol):
    """What a call lends to the answer that is called."""

    def lend(self, track: str, name: str, table: Any) -> Callable[..., Any]:
        """Ours, as the answer calls it; :class:`NotLent` where it must not lean on it.

        ``table`` is what hands the call's values to the answer.
        """


class Leaning:
    """``with Leaning(lends, table) as leaning:`` while an answer is being called."""

    def __init__(self, lends: Lends | None, table: Any) -> None:
        self._lends = lends
        self._table = table
        self.used: dict[str, None] = {}
        """The names of what was lent, in order."""

    def __enter__(self) -> Leaning:
        self._before = _under_way[0]
        _under_way[0] = self
        return self

    def __exit__(self, *of_exception: object) -> None:
        _under_way[0] = self._before

    def call(self, track: str, name: str, args: Any, kwargs: Any) -> Any:
        """Call ours."""
        if self._lends is None:
            raise NotLent(f"{name} is not started")
        ours = self._lends.lend(track, name, self._table)
        self.used[name] = None
        return ours(*args, **kwargs)


# Seen by every thread: an answer may start its own.
_under_way: list[Leaning | None] = [None]


def stand_in(track: str, name: str, stub: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The function that asks for ours where ``stub`` stands, or where there is nothing."""

    def lent(*args: Any, **kwargs: Any) -> Any:
        leaning = _under_way[0]
        if leaning is None:
            raise NotLent(f"{name} is not started")
        return leaning.call(track, name, args, kwargs)

    if stub is not None:
        return functools.update_wrapper(lent, stub)
    lent.__name__ = lent.__qualname__ = name
    return lent


def compiled(source: str, path: str, names: tuple[str, ...]) -> types.CodeType:
    """The file's code, with a mark on each untouched stub of these exercises."""
    code: types.CodeType
    if not names or "NotImplementedError" not in source:
        code = compile(source, path, "exec", dont_inherit=True)
        return code
    tree = ast.parse(source, path)
    for node in _stubs_in(tree.body):
        if node.name in names:
            # On the stub's own line, so that its first line stays what it is.
            mark = ast.copy_location(ast.Name(_MARK, ast.Load()), node)
            node.decorator_list.insert(0, mark)
    code = compile(tree, path, "exec", dont_inherit=True)
    return code


def _stubs_in(statements: list[ast.stmt]) -> Iterator[Function]:
    """The stubs at the top of a module, in whatever branch."""
    for node in statements:
        if isinstance(node, FUNCTIONS):
            if has_stub_body(node):
                yield node
        elif not isinstance(node, ast.ClassDef):
            for field in ("body", "handlers", "orelse", "finalbody", "cases"):
                for inner in getattr(node, field, []):
                    yield from _stubs_in([inner] if isinstance(inner, ast.stmt) else inner.body)


def missing(source: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the exercises that nothing at the top of a file gives a meaning.

    None where its author may give one in a way that the text does not tell.
    """
    try:
        if is_untouched(source, "__getattr__") is not None:
            return ()
        return tuple(name for name in names if is_untouched(source, name) is None)
    except SyntaxError:
        return ()


def lay_out(module: types.ModuleType, track: str, absent: tuple[str, ...]) -> Laid:
    """Put stand-ins into a module before it runs: whatever its author writes goes over them."""
    laid = {name: stand_in(track, name) for name in absent}
    module.__dict__.update(laid)
    return laid


def run(code: types.CodeType, module: types.ModuleType, track: str, names: tuple[str, ...]) -> None:
    """Run a file's code as this module; the stubs become stand-ins."""
    space = module.__dict__
    space[_MARK] = lambda stub: stand_in(track, stub.__name__, stub)
    try:
        exec(code, space)
    finally:
        space.pop(_MARK, None)
    _answer_for_the_rest(module, track, names)


def _answer_for_the_rest(module: types.ModuleType, track: str, names: tuple[str, ...]) -> None:
    """What was expected to be there and is not, somebody else may import nevertheless."""
    if not names or "__getattr__" in module.__dict__:
        return

    def absent(name: str) -> Any:
        if name in names:
            return stand_in(track, name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    module.__dict__["__getattr__"] = absent
