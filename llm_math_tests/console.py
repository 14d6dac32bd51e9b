"""Print to a console that lacks a character: spelled out, never as ``?`` or an escape.

A Windows console may know 256 characters, a pipe only ASCII, and an answer's exception, a
file's name or a printed formula can hold any. Python would raise or print ``?``, and pytest
writes everything as escapes, line ends included.
"""

from __future__ import annotations

import codecs
import re
import sys
import unicodedata
from typing import Any

NAME = "llm_math_spelled"
"""The error handler's name, as in ``text.encode("cp1252", NAME)``."""

_WORDS = {
    "\u221a": "sqrt", "\u2211": "sum", "\u220f": "prod", "\u221e": "inf",
    "\u2207": "grad", "\u222b": "integral", "\u2208": "in", "\u2209": "not in",
    "\u2200": "for all", "\u2203": "exists",
    # The Greek capitals are written for a sum and a product.
    "\u03a3": "sum", "\u03a0": "prod",
}  # fmt: skip
"""Words: they stand apart from a letter or a digit beside them."""

_SIGNS = {
    "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u2248": "~=", "\u2261": "==",
    "\u226a": "<<", "\u226b": ">>", "\u2192": "->", "\u2190": "<-", "\u2194": "<->",
    "\u21d2": "=>", "\u21a6": "->", "\u2212": "-", "\u2213": "-+", "\u00b1": "+-",
    "\u00b7": "-", "\u22c5": "*", "\u2219": "*", "\u2217": "*", "\u2218": "o", "\u00d7": "x",
    "\u2202": "d", "\u00b5": "u", "\u2044": "/",
    "\u2297": "(x)", "\u2299": "(.)", "\u2295": "(+)", "\u00f7": "/", "\u2215": "/",
    "\u2016": "||", "\u2223": "|", "\u2225": "||", "\u27e8": "<", "\u27e9": ">",
    "\u2308": "ceil(", "\u2309": ")", "\u230a": "floor(", "\u230b": ")",
    "\u22a4": "^T", "\u1d40": "^T", "\u2032": "'", "\u2033": "''", "\u00b0": "deg",
    "\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'",
    "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"', "\u2022": "*", "\u2713": "ok",
    "\u2714": "ok", "\u2717": "x", "\u2718": "x", "\u00df": "ss", "\u00e6": "ae", "\u00a0": " ",
    # What pytest and a traceback draw.
    "\u2500": "-", "\u2502": "|", "\u2588": "#", "\u2591": "-", "\u276f": ">",
}  # fmt: skip

_STROKED = re.compile(r"LATIN (SMALL|CAPITAL) LETTER (?:DOTLESS )?([A-Z])(?: WITH|$)")


def readable(*streams: Any) -> None:
    """Let these streams spell what they lack (standard output and error without any)."""
    for stream in streams or (sys.stdout, sys.stderr):
        # Not a stream of Python's own (an editor's, a test's): it takes any character.
        if hasattr(stream, "reconfigure") and getattr(stream, "errors", NAME) != NAME:
            stream.reconfigure(errors=NAME)


def spelled(text: str, encoding: str) -> str:
    """The text as that encoding can show it."""
    return text.encode(encoding, NAME).decode(encoding)


def _handle(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object
    said = ""
    for place in range(error.start, error.end):
        before = text[place - 1] if place else ""
        after = text[place + 1] if place + 1 < len(text) else ""
        word = _word(text[place])
        if not word:
            said += _sign(text[place], before)
            continue
        if _joins(before) and not said.endswith(" "):
            said += " "
        said += word + (" " if _joins(after) else "")
    return said, error.end


def _joins(character: str) -> bool:
    return character.isalpha() or character.isdecimal()


def _word(character: str) -> str:
    """The word for a character that has one: ``sqrt``, ``sigma``; else nothing."""
    if character in _WORDS:
        return _WORDS[character]
    name = unicodedata.name(character, "")
    for size in ("SMALL", "CAPITAL"):
        greek = name.removeprefix(f"GREEK {size} LETTER ")
        if greek != name:
            word = greek.split(" ")[-1 if greek.startswith("FINAL") else 0].lower()
            return word.replace("lamda", "lambda") if size == "SMALL" else word.capitalize()
    return ""


def _sign(character: str, before: str) -> str:
    if character in _SIGNS:
        return _SIGNS[character]
    kind, _, _ = unicodedata.decomposition(character).partition(" ")
    plain = unicodedata.normalize("NFKD", character)
    plain = "".join(_SIGNS.get(c, c) for c in plain if not unicodedata.combining(c))
    if not plain and unicodedata.combining(character):
        return ""
    if not plain or not plain.isascii() or not plain.isprintable():
        stroked = _STROKED.match(unicodedata.name(character, ""))
        if stroked is None:
            return f"<U+{ord(character):04X}>"
        return stroked[2] if stroked[1] == "CAPITAL" else stroked[2].lower()
    if kind in ("<super>", "<sub>"):
        # A run of them (10 to the -12) gets one mark.
        mark = "^" if kind == "<super>" else "_"
        return plain if unicodedata.decomposition(before or " ").startswith(kind) else mark + plain
    return plain


codecs.register_error(NAME, _handle)
