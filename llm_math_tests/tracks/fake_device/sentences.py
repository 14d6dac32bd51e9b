"""What a student reads."""

from __future__ import annotations

import textwrap

WIDTH = 80

MADE_ON_CPU = "made a tensor on the CPU, the input is on the GPU: pass device=x.device"
MIXED = "mixes a CPU tensor with one on the GPU: make it with device=x.device"
RESULT_ON_CPU = "returned a CPU tensor for a GPU input: stay on x.device"
TO_NUMPY = "called {} on a GPU tensor: NumPy cannot see it, use torch"
READS = "{} reads a value on the host: the GPU stops; use tensors"
LEFT = "left the GPU: {} copies to the host; compute on x.device"

BY_NAME = "asks for 'cuda' by name; x.device works everywhere"

# Names of torch functions by which student code reads values on the host.
READ_NAMES = {
    "item": ".item()",
    "tolist": ".tolist()",
    "__bool__": "if or bool() of a tensor",
    "__float__": "float() of a tensor",
    "__int__": "int() of a tensor",
    "__index__": "a tensor as a Python int",
    "__complex__": "complex() of a tensor",
    "__contains__": "'in' with a tensor",
    "is_nonzero": "torch.is_nonzero",
    "equal": "torch.equal",
    "allclose": "torch.allclose",
}
NUMPY_NAMES = {"numpy": ".numpy()", "__array__": "a NumPy function", "__dlpack__": "DLPack"}


def said_by(error: BaseException) -> str:
    """An exception's type and words, in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def fit(text: str) -> str:
    """As much of a text as fits in one line, in ASCII."""
    plain = text.encode("ascii", "replace").decode()
    return textwrap.shorten(plain, WIDTH, placeholder=" ...")
