"""Messages between the trusted side and a worker: JSON and raw bytes, nothing that executes.

A frame is a JSON header and the bytes of its arrays. Everything read is checked
against a size limit before it is decoded, and every array against its own shape.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from llm_math_tests.answers.values import ARRAY_DTYPES, Bfloat16, Blocks, Given, Odd, Value

MAX_HEADER = 8 << 20
MAX_FRAME = 512 << 20
MAX_DEPTH = 32
MAX_DECODED = 512 << 20
"""Bytes of all arrays of one message, as they lie in memory."""
MAX_NODES = 100_000
"""Parts of all values of one message."""
_MAX_AXES = 32
_MAX_AXIS = 1 << 40
_MAX_TEXT = 10_000
_MAX_NAME = 200
_LENGTHS = struct.Struct("<II")


class BadFrame(Exception):
    """What came over the wire is no message of ours."""


class Readable(Protocol):
    """What a message is read from."""

    def read(self, count: int, /) -> bytes:
        """Some bytes, at most ``count``; none at the end."""


class Writable(Protocol):
    """What a message is written to."""

    def write(self, data: bytes, /) -> Any:
        """Write all of it."""

    def flush(self) -> None:
        """Send it off."""


def write_frame(stream: Writable, header: dict[str, Any], blobs: list[bytes]) -> None:
    """Write one message."""
    text = json.dumps({"header": header, "blobs": [len(blob) for blob in blobs]}).encode()
    stream.write(_LENGTHS.pack(len(text), sum(len(blob) for blob in blobs)) + text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def read_frame(stream: Readable) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message; EOFError at the end of the stream."""
    header_length, body_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if header_length > MAX_HEADER or body_length > MAX_FRAME:
        raise BadFrame("a message over the limit of our sizes")
    text, body = _exactly(stream, header_length), _exactly(stream, body_length)
    try:
        message = json.loads(text)
        header, lengths = message["header"], message["blobs"]
        if type(lengths) is not list or len(lengths) > MAX_NODES:
            raise BadFrame("a message with a list of arrays that is none")
        lengths = [natural(length) for length in lengths]
    except (ValueError, TypeError, LookupError, RecursionError, MemoryError) as error:
        raise BadFrame(f"a message that is not ours ({type(error).__name__})") from None
    if not isinstance(header, dict) or sum(lengths) != body_length:
        raise BadFrame("a message whose parts do not add up")
    blobs, at = [], 0
    for length in lengths:
        blobs.append(body[at : at + length])
        at += length
    return header, blobs


def _exactly(stream: Readable, count: int) -> bytes:
    whole = bytearray()
    while len(whole) < count:
        part = stream.read(min(count - len(whole), 1 << 20))
        if not part:
            raise EOFError
        whole += part
    return bytes(whole)


def natural(number: Any) -> int:
    """The number, if it is a count that fits 63 bits; BadFrame otherwise."""
    if type(number) is not int or not 0 <= number < 1 << 63:
        raise BadFrame("a number that is no length")
    return number


def clean_text(text: str, longest: int) -> str:
    """A text of bounded length that can be written anywhere (no lone surrogates)."""
    return text[:longest].encode("utf-8", "replace").decode("utf-8")


class Encoder:
    """Turns values into JSON trees, collecting the arrays' bytes.

    ``lay_out`` may place an array elsewhere (shared memory) and return the tree
    that finds it; ``live`` keeps blocks and functions, which stay on this side.
    """

    def __init__(self, lay_out: Callable[[np.ndarray], Any] | None = None) -> None:
        self.blobs: list[bytes] = []
        self.live: list[Blocks | Given] = []
        self._lay_out = lay_out

    def tree(self, value: Value) -> Any:
        """The JSON tree of a value."""
        if isinstance(value, np.ndarray):
            if self._lay_out is not None:
                return self._lay_out(value)
            return self._array(value, str(value.dtype))
        if isinstance(value, Bfloat16):
            return self._array(value.to_bits(), "bfloat16")
        if isinstance(value, Blocks):
            self.live.append(value)
            return {"@": "blocks", "id": len(self.live) - 1, "name": ""}
        if isinstance(value, Given):
            self.live.append(value)
            number = len(self.live) - 1
            return {"@": "given", "id": number, "name": value.name,
                    "vjp": self.tree(value.vjp), "jvp": self.tree(value.jvp)}  # fmt: skip
        if isinstance(value, Odd):
            return {"@": "odd", "type": value.type_name, "looks": value.looks}
        if isinstance(value, (tuple, list)):
            return {"@": type(value).__name__, "items": [self.tree(item) for item in value]}
        if isinstance(value, dict):
            return {"@": "dict", "items": {str(k): self.tree(v) for k, v in value.items()}}
        if isinstance(value, bytes):
            self.blobs.append(value)
            return {"@": "bytes", "blob": len(self.blobs) - 1}
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**63:
            return {"@": "odd", "type": "int", "looks": "an int of more than 64 bits"}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"a {type(value).__name__} cannot cross the door")

    def _array(self, array: np.ndarray, dtype: str) -> Any:
        self.blobs.append(array.tobytes())
        return {
            "@": "array",
            "dtype": dtype,
            "shape": list(array.shape),
            "blob": len(self.blobs) - 1,
            "layout": _layout(array),
            "writeable": bool(array.flags.writeable),
        }


def _layout(array: np.ndarray) -> str:
    if array.flags.c_contiguous:
        return "rows"
    return "columns" if array.flags.f_contiguous else "strided"


def _laid_out(array: np.ndarray, layout: Any, writeable: Any) -> np.ndarray:
    """A copy in the layout that the array had: an answer meets the same one in both rooms."""
    if layout == "strided" and array.ndim:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        laid = wide[..., ::2]
    else:
        laid = array.copy(order="F" if layout == "columns" else "C")
    laid.flags.writeable = writeable is not False
    return laid


class Decoder:
    """Turns JSON trees back into values, trusting none of them."""

    def __init__(
        self,
        blobs: list[bytes],
        find: Callable[[dict[str, Any]], np.ndarray] | None = None,
        revive: Callable[[str, int, str], Value] | None = None,
    ) -> None:
        self._blobs = blobs
        self._used: set[int] = set()
        self._nodes = 0
        self._bytes = 0
        self._find = find
        self._revive = revive

    def value(self, tree: Any) -> Value:
        """The value of a JSON tree; the limits are those of all its trees together."""
        try:
            return self._value(tree, 0)
        except BadFrame:
            raise
        except Exception as error:
            raise BadFrame(f"a value that is not ours ({type(error).__name__})") from None

    def _value(self, tree: Any, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise BadFrame("a value nested deeper than any answer needs")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise BadFrame(f"a value of more than {MAX_NODES} parts")
        if tree is None or isinstance(tree, (bool, float)):
            return tree
        if isinstance(tree, int):
            # As the encoder has it: no check can do anything with a larger one.
            return tree if abs(tree) <= 2**63 else Odd("int", "an int of more than 64 bits")
        if isinstance(tree, str):
            return clean_text(tree, _MAX_TEXT)
        if not isinstance(tree, dict):
            raise BadFrame("a value that is not ours")
        return self._marked(tree, depth)

    def _marked(self, tree: dict[str, Any], depth: int) -> Value:
        mark = tree["@"]
        if mark == "array":
            return self._array(tree)
        if mark in ("tuple", "list"):
            items = [self._value(item, depth + 1) for item in _items(tree, list)]
            return tuple(items) if mark == "tuple" else items
        if mark == "dict":
            items = _items(tree, dict).items()
            return {clean_text(k, _MAX_NAME): self._value(v, depth + 1) for k, v in items}
        if mark == "odd":
            return Odd(_text(tree["type"], 200), _text(tree["looks"], 300))
        if mark == "bytes":
            blob = self._blob(tree)
            self._count(len(blob))
            return blob
        if mark == "shared" and self._find is not None:
            return self._find(tree)
        if mark in ("blocks", "given") and self._revive is not None:
            live = self._revive(mark, natural(tree["id"]), _text(tree["name"], 200))
            if isinstance(live, Given):
                live.vjp = self._value(tree["vjp"], depth + 1)
                live.jvp = self._value(tree["jvp"], depth + 1)
            return live
        raise BadFrame("a value of an unknown kind")

    def _array(self, tree: dict[str, Any]) -> Value:
        shape = tuple(natural(n) for n in _items(tree, list, "shape")[: _MAX_AXES + 1])
        if len(shape) > _MAX_AXES or max(shape, default=0) > _MAX_AXIS:
            raise BadFrame("an array of a shape that no answer needs")
        dtype = tree["dtype"]
        if dtype not in (*ARRAY_DTYPES, "bfloat16"):
            raise BadFrame("an array of an unknown dtype")
        stored = np.dtype("uint16" if dtype == "bfloat16" else dtype)
        blob = self._blob(tree)
        if len(blob) != math.prod(shape) * stored.itemsize:
            raise BadFrame("an array whose bytes do not fill its shape")
        layout = tree.get("layout")
        # A strided array lies in memory twice as wide, a bfloat16 one as float32.
        self._count(len(blob) * (2 if dtype == "bfloat16" or layout == "strided" else 1))
        array = np.frombuffer(blob, stored).reshape(shape)
        if dtype == "bfloat16":
            return Bfloat16.from_bits(array)
        return _laid_out(array, layout, tree.get("writeable"))

    def _blob(self, tree: dict[str, Any]) -> bytes:
        number = natural(tree["blob"])
        if number in self._used:
            raise BadFrame("bytes that are used twice")
        self._used.add(number)
        return self._blobs[number]

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MAX_DECODED:
            raise BadFrame("arrays of more bytes than any answer needs")


def _items(tree: dict[str, Any], kind: type[Any], name: str = "items") -> Any:
    items = tree[name]
    if type(items) is not kind:
        raise BadFrame("parts that are none")
    return items


def _text(text: Any, longest: int) -> str:
    if type(text) is not str:
        raise BadFrame("a text that is none")
    return clean_text(text, longest)
