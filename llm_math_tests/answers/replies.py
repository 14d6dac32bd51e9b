"""The one strict decoder of what a worker replies: nothing of it is believed unseen.

Whatever is wrong with a reply, it ends as :class:`BadFrame`; texts are cut before
anybody looks at them. A worker's word on its time and on what it ran is not taken:
the trusted side puts in its own.
"""

from __future__ import annotations

import math
from typing import Any

from llm_math_tests.answers.door import Ended, Fact, Loaded, Parameter, Reply
from llm_math_tests.answers.wire import BadFrame, Decoder, clean_text, natural

_ENDED: tuple[Ended, ...] = ("returned", "raised", "timeout", "memory", "refused")
_KINDS = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "VAR_POSITIONAL", "KEYWORD_ONLY",
          "VAR_KEYWORD")  # fmt: skip
_MOST_FACTS = 1000
_MOST_FUNCTIONS = 10_000
_MOST_PARAMETERS = 255
_NAME = 200


def decode_reply(tree: Any, blobs: list[bytes]) -> Reply:
    """The reply to a call; BadFrame for anything that is none."""
    try:
        return _reply(tree, Decoder(blobs))
    except BadFrame:
        raise
    except Exception as error:
        raise BadFrame(_kind(error)) from None


def decode_loaded(tree: Any, blobs: list[bytes]) -> Loaded:
    """The reply to a load; BadFrame for anything that is none."""
    try:
        return _loaded(tree, Decoder(blobs))
    except BadFrame:
        raise
    except Exception as error:
        raise BadFrame(_kind(error)) from None


def decode_reason(tree: Any) -> tuple[str | None, bool]:
    """Why there is no fake accelerator (None where there is), and whether there is a real one."""
    try:
        reason = tree["reason"]
        return None if reason is None else _text(reason, 300), _flag(tree["device"])
    except BadFrame:
        raise
    except Exception as error:
        raise BadFrame(_kind(error)) from None


def _reply(tree: Any, decoder: Decoder) -> Reply:
    ended = _word(tree["ended"], _ENDED)
    facts = tuple(_fact(fact) for fact in _list(tree["facts"])[:_MOST_FACTS])
    _seconds(tree["seconds"])
    grads = decoder.value(tree["grads"])
    if not isinstance(grads, tuple):
        raise BadFrame("gradients that are no tuple")
    return Reply(
        ended,  # type: ignore[arg-type]
        value=decoder.value(tree["value"]),
        facts=facts,
        grads=grads,
        changed=_texts(tree["changed"], 100, _NAME),
        warnings=_texts(tree["warnings"], 5, 500),
        peak_bytes=_number(tree["peak_bytes"]),
        problem=_text(tree["problem"], 1000),
        exception=_text(tree["exception"], 100),
        line=_number(tree["line"]),
        text=_text(tree["text"], 200),
        notes=_texts(tree["notes"], 20, 300),
    )


def _loaded(tree: Any, decoder: Decoder) -> Loaded:
    if tree["failed"] is not None:
        failed = _reply(tree["failed"], decoder)
        if failed.ended == "returned":
            raise BadFrame("a failure that returned")
        return Loaded({}, failed)
    functions = tree["functions"]
    if not isinstance(functions, dict) or len(functions) > _MOST_FUNCTIONS:
        raise BadFrame("a list of functions that is none")
    listed = {}
    for name, entry in functions.items():
        line, parameters = _list(entry, 2)
        if parameters is not None:
            if len(_list(parameters)) > _MOST_PARAMETERS:
                raise BadFrame("a function of too many parameters")
            parameters = tuple(_parameter(each) for each in parameters)
        listed[_text(name, _NAME)] = natural(line), parameters
    return Loaded(listed)


def _parameter(tree: Any) -> Parameter:
    name, kind, default = _list(tree, 3)
    default = None if default is None else _text(default, _NAME)
    return Parameter(_text(name, _NAME), _word(kind, _KINDS), default)


def _fact(tree: Any) -> Fact:
    type_name, dtype, device, connected = _list(tree, 4)
    return Fact(
        _text(type_name, _NAME), _text(dtype, _NAME), _text(device, _NAME), _flag(connected)
    )


def _word(word: Any, known: tuple[str, ...]) -> str:
    if type(word) is not str or word not in known:
        raise BadFrame("a word that is none of ours")
    return word


def _text(text: Any, longest: int) -> str:
    if type(text) is not str:
        raise BadFrame("a text that is none")
    return clean_text(text, longest)


def _texts(texts: Any, most: int, longest: int) -> tuple[str, ...]:
    return tuple(_text(text, longest) for text in _list(texts)[:most])


def _list(items: Any, length: int | None = None) -> list[Any]:
    if type(items) is not list or (length is not None and len(items) != length):
        raise BadFrame("a list that is none")
    return items


def _flag(flag: Any) -> bool:
    if type(flag) is not bool:
        raise BadFrame("a yes or no that is neither")
    return flag


def _number(number: Any) -> int | None:
    return None if number is None else natural(number)


def _seconds(seconds: Any) -> None:
    """Must be a time, though it is not used: the trusted side holds the clock."""
    if type(seconds) not in (int, float) or not math.isfinite(seconds) or seconds < 0:
        raise BadFrame("a time that is none")


def _kind(error: Exception) -> str:
    return f"not ours: {type(error).__name__}"
