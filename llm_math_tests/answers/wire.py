"""Messages between the trusted side and a worker: JSON and raw bytes, nothing that executes.

A frame is a JSON header and the bytes of its arrays. Everything read is checked
against a size limit before it is decoded, and every array against its own shape.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from llm_math_tests.answers.values import ARRAY_DTYPES, Bfloat16, Blocks, Given, Odd, Value

MAX_HEADER = 8 << 20
MAX_FRAME = 512 << 20
MAX_DEPTH = 32
_LENGTHS = struct.Struct("<II")


class BadFrame(Exception):
    """What came over the wire is no message of ours."""


def write_frame(stream: BinaryIO, header: dict[str, Any], blobs: list[bytes]) -> None:
    """Write one message."""
    text = json.dumps({"header": header, "blobs": [len(blob) for blob in blobs]}).encode()
    stream.write(_LENGTHS.pack(len(text), sum(len(blob) for blob in blobs)))
    stream.write(text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message; EOFError at the end of the stream."""
    header_length, body_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if header_length > MAX_HEADER or body_length > MAX_FRAME:
        raise BadFrame(f"a message of {header_length + body_length} bytes is over the limit")
    text, body = _exactly(stream, header_length), _exactly(stream, body_length)
    try:
        message = json.loads(text)
        header, lengths = message["header"], message["blobs"]
        lengths = [_natural(length) for length in lengths]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadFrame(f"a message that is not ours ({type(error).__name__})") from None
    if not isinstance(header, dict) or sum(lengths) != body_length:
        raise BadFrame("a message whose parts do not add up")
    blobs, at = [], 0
    for length in lengths:
        blobs.append(body[at : at + length])
        at += length
    return header, blobs


def _exactly(stream: BinaryIO, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _natural(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise BadFrame(f"{number!r} is no length")
    return number


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
        if isinstance(value, (Blocks, Given)):
            self.live.append(value)
            kind = "blocks" if isinstance(value, Blocks) else "given"
            return {"@": kind, "id": len(self.live) - 1, "name": getattr(value, "name", "")}
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
        self._find = find
        self._revive = revive

    def value(self, tree: Any, depth: int = 0) -> Value:
        """The value of a JSON tree."""
        if depth > MAX_DEPTH:
            raise BadFrame("a value nested deeper than any answer needs")
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if not isinstance(tree, dict):
            raise BadFrame("a value that is not ours")
        try:
            return self._marked(tree, depth)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise BadFrame(f"a value that is not ours ({type(error).__name__})") from None

    def _marked(self, tree: dict[str, Any], depth: int) -> Value:
        mark = tree["@"]
        if mark == "array":
            return self._array(tree)
        if mark in ("tuple", "list"):
            items = [self.value(item, depth + 1) for item in tree["items"]]
            return tuple(items) if mark == "tuple" else items
        if mark == "dict":
            return {str(k): self.value(v, depth + 1) for k, v in tree["items"].items()}
        if mark == "odd":
            return Odd(str(tree["type"])[:200], str(tree["looks"])[:300])
        if mark == "bytes":
            return self._blobs[_natural(tree["blob"])]
        if mark == "shared" and self._find is not None:
            return self._find(tree)
        if mark in ("blocks", "given") and self._revive is not None:
            return self._revive(mark, _natural(tree["id"]), str(tree["name"]))
        raise BadFrame(f"a value of the unknown kind {mark!r}")

    def _array(self, tree: dict[str, Any]) -> Value:
        shape = tuple(_natural(n) for n in tree["shape"])
        dtype = tree["dtype"]
        if dtype not in (*ARRAY_DTYPES, "bfloat16"):
            raise BadFrame(f"an array of the unknown dtype {dtype!r}")
        stored = np.dtype("uint16" if dtype == "bfloat16" else dtype)
        blob = self._blobs[_natural(tree["blob"])]
        if len(blob) != math.prod(shape) * stored.itemsize:
            raise BadFrame("an array whose bytes do not fill its shape")
        array = np.frombuffer(blob, stored).reshape(shape)
        if dtype == "bfloat16":
            return Bfloat16.from_bits(array)
        return _laid_out(array, tree.get("layout"), tree.get("writeable"))
