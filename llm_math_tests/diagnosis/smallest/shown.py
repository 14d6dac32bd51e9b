"""A small case as a student reads it: inputs to paste, and expected and got side by side."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_math_tests.answers.answer import call_in_words
from llm_math_tests.answers.values import (
    Bfloat16,
    Blocks,
    Given,
    Odd,
    Value,
    dtype_name,
    is_array,
    plain,
)
from llm_math_tests.checks.wrong import AnswerEnded, Compared, Wrong
from llm_math_tests.diagnosis.smallest.simpler import items_of, size_of
from llm_math_tests.exercise import Exercise, Inputs
from llm_math_tests.wording import WIDTH, clean, labelled

_INDENT = " " * 12
_ROOM = WIDTH - len(_INDENT)
_MOST_NUMBERS = 40
_MOST_LINES = 12
_MOST_POSITIONS = 8
_TIED = "\0"
"""A space that no line ends at."""


def shown(
    exercise: Exercise,
    track: str,
    inputs: Inputs,
    error: Wrong | AnswerEnded,
    *,
    smaller: bool,
    weights: tuple[Value, ...] | None = None,
) -> str:
    """The lines, or nothing where they would say no more than the failure's message.

    ``weights`` are what autograd weighed the results with, where a gradient was asked for.
    """
    compared = error.compared if isinstance(error, Wrong) else None
    of_weighed = weights is not None and compared is not None and "gradient" in compared.what
    few = size_of(inputs) <= _MOST_NUMBERS
    if not smaller and (compared is None or not few):
        return ""
    made = dict(inputs)
    if of_weighed and weights is not None:
        made["weights"] = weights[0] if len(weights) == 1 else weights
    code = _pasted(_Library(track), made) if few else None
    if code is None:
        return ""  # nobody can follow what they cannot repeat
    block = list(code)
    call = _call(exercise, track, inputs)
    if block and len(call) > _ROOM:
        call = call.partition(" with ")[0]  # the code says it
    head = labelled([("smallest" if smaller else "this case", call)])
    if compared is None:
        block += _in_words(error)
    else:
        of = ""
        if of_weighed and code and weights is not None:
            of = " of (result * weights).sum()" if len(weights) == 1 else " of all results, weighed"
        block += _table(compared, of)
    return "\n".join([head, *(_INDENT + line for line in block)])


def _call(exercise: Exercise, track: str, inputs: Inputs) -> str:
    brief = {
        name: Odd("dict", f"a dict of {len(value)}") if isinstance(value, dict) else value
        for name, value in inputs.items()
    }
    return call_in_words(exercise, track, brief)


@dataclass(frozen=True)
class _Library:
    """How values are written in a track."""

    track: str

    @property
    def short(self) -> str:
        return {"numpy": "np", "torch": "torch", "cupy": "cp"}[self.track]

    def written(self, value: Value) -> str | None:
        """The value as code, None if it cannot be."""
        if is_array(value):
            return self._array(value)
        if value is None or type(value) in (bool, int, float, str):
            return repr(value)
        if isinstance(value, dict):
            items = {key: self.written(item) for key, item in value.items()}
            if None in items.values():
                return None
            return "{" + ", ".join(f'"{key}":{_TIED}{text}' for key, text in items.items()) + "}"
        if isinstance(value, (tuple, list, Blocks)):
            parts = [self.written(item) for item in items_of(value)]
            if None in parts:
                return None
            inside = ", ".join(part for part in parts if part is not None)
            if isinstance(value, Blocks):
                return f"iter([{inside}])"
            if isinstance(value, list):
                return f"[{inside}]"
            return f"({inside},)" if len(parts) == 1 else f"({inside})"
        return None

    def _array(self, array: Value) -> str:
        values, dtype = plain(array), dtype_name(array)
        usual = {"f": "float32" if self.track == "torch" else "float64", "i": "int64", "b": "bool"}
        kind = "f" if isinstance(array, Bfloat16) else values.dtype.kind
        dtype_text = "" if usual.get(kind) == dtype else f", dtype={self.short}.{dtype}"
        if not values.size:
            of = dtype_text or ("" if kind == "f" else f", dtype={self.short}.{dtype}")
            return f"{self.short}.zeros({values.shape}{of})"
        make = "tensor" if self.track == "torch" else "array"
        return f"{self.short}.{make}({self._nested(values)}{dtype_text})"

    def _nested(self, values: np.ndarray) -> str:
        if values.ndim:
            return "[" + ", ".join(self._nested(row) for row in values) + "]"
        number: Any = values[()]
        if values.dtype.kind != "f":
            return str(number)
        if not math.isfinite(number):
            return {"nan": f"{self.short}.nan", "inf": f"{self.short}.inf"}.get(
                str(number), f"-{self.short}.inf"
            )
        # The shortest text that gives this number back in its dtype.
        if number == 0 or 1e-4 <= abs(float(number)) < 1e7:
            return np.format_float_positional(number, trim=".")
        return np.format_float_scientific(number, trim="-", exp_digits=1)


def _pasted(library: _Library, inputs: Inputs) -> list[str] | None:
    """Lines of code that make the inputs (functions are left to the one who pastes).

    None if there are too many, or too long ones.
    """
    lines: list[str] = []
    for name, value in inputs.items():
        if value is None or isinstance(value, (bool, int, float, str, Given)):
            continue  # stands in the call
        text = library.written(value)
        if text is not None:
            lines += textwrap.wrap(
                f"{name} = {text}", _ROOM, subsequent_indent="    ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
    lines = [line.replace(_TIED, " ") for line in lines]
    fits = len(lines) <= _MOST_LINES and all(len(line) <= _ROOM for line in lines)
    return lines if fits else None


def _in_words(error: Wrong | AnswerEnded) -> list[str]:
    """What was expected and what came, where no numbers were compared."""
    if isinstance(error, AnswerEnded):
        pairs = [("raised", error.reply.problem)]
    else:
        pairs = [("expected", error.expected), ("got", error.got)]
    lines = []
    for label, text in pairs:
        body = textwrap.wrap(" ".join(clean(text).split()), _ROOM - 10, break_on_hyphens=False)
        lines += [f"{label:<9} {body[0] if body else ''}".rstrip()]
        lines += [" " * 10 + more for more in body[1:]]
    return lines


def _table(compared: Compared, of: str = "") -> list[str]:
    """Expected and got at the worst positions, NaN and inf counted apart."""
    have, want = np.asarray(compared.have), np.asarray(compared.want)
    bad = np.broadcast_to(compared.bad, have.shape)
    worst = _worst_first(have, want, bad)[:_MOST_POSITIONS]
    rows = [("at", "expected", "got", "off by")]
    for position in worst:
        expected, got = _apart(want[position], have[position])
        rows.append((str(list(position)), expected, got, _off(have[position], want[position])))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    if not have.ndim:
        columns = columns[1:]
    while len(columns) > 2 and 2 + sum(max(map(len, c)) + 3 for c in columns) - 3 > _ROOM:
        columns.pop()
    widths = [max(map(len, column)) for column in columns]
    lines = textwrap.wrap(f"in {compared.what}{of}:", _ROOM)
    if compared.what == "the result":
        lines = []
    for cells in zip(*columns, strict=True):
        line = "   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {line}".rstrip()[:_ROOM])
    return [*lines, _count(have, want, bad)]


def _worst_first(have: np.ndarray, want: np.ndarray, bad: np.ndarray) -> list[tuple[int, ...]]:
    """Where they differ: NaN and inf before any difference, then the largest ones."""
    with np.errstate(all="ignore"):
        off = np.abs(have.astype(np.longdouble) - want.astype(np.longdouble))
    off = np.where(np.isfinite(off), off, np.inf)
    places = np.argwhere(bad)
    order = np.argsort(-off[bad], kind="stable")[:_MOST_POSITIONS]
    return [tuple(int(i) for i in places[i]) for i in order]


def _apart(want: Any, have: Any) -> tuple[str, str]:
    """Both numbers with digits enough to see that they differ."""
    for digits in (6, 9, 12, 17):
        expected, got = _number(want, digits), _number(have, digits)
        if expected != got:
            break
    # The sign of a zero is noise, unless it is what differs.
    return (expected.replace("-0", "0"), got) if want == 0 != have else (expected, got)


def _number(value: Any, digits: int) -> str:
    return str(value) if value.dtype.kind in "bui" else f"{float(value):.{digits}g}"


def _off(have: Any, want: Any) -> str:
    if have.dtype.kind == "b":
        return ""
    with np.errstate(all="ignore"):
        off = abs(np.longdouble(have) - np.longdouble(want))
    return f"{float(off):.2g}" if np.isfinite(off) else ""


def _count(have: np.ndarray, want: np.ndarray, bad: np.ndarray) -> str:
    values = have.astype(np.longdouble)
    other = ~((values == want) | (np.isnan(values) & np.isnan(want.astype(np.longdouble))))
    found = (
        ("nan", np.isnan(values)),
        ("inf", np.isposinf(values)),
        ("-inf", np.isneginf(values)),
    )
    apart = [f"{int((bad & other & at).sum())} {name}" for name, at in found
             if (bad & other & at).any()]  # fmt: skip
    text = f"{int(bad.sum())} of {bad.size} wrong"
    return f"{text}: {', '.join(apart)}" if apart else text
