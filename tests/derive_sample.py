"""A small course, and what its texts are asked."""

import ast
from pathlib import Path

from llm_math_tests.derive import cupy_text

NUMPY = '''"""Softmax in NumPy: reference answers."""

import math
from collections.abc import Iterator

import numpy as np
import scipy.special

_EPS = 1e-9  # only a comment's np.finfo knows why

# Half precision is widened.
_HALF = (np.float16,)


def _widened(x):
    """Help."""
    return x.astype(np.float32) if x.dtype in _HALF else x


# Looks at values.
def _check_probabilities(p):
    if (p < 0).any():
        raise ValueError(f"negative probability {p.min()}")


def softmax(logits, temperature=1.0, axis=-1):
    """Turn scores into probabilities, as NumPy users know them.

    Args:
        logits: scores ``(..., n)``, see np.exp and https://numpy.org/doc/np.exp.html.
        temperature: above 0.
        axis: the axis that sums to 1.

    Example:
        >>> import numpy as np
        >>> from reference.softmax.with_numpy import softmax
        >>> softmax(np.array([0.0, 0.0]))
        array([0.5, 0.5])
    """
    # np.max first: without it exp overflows
    if not temperature > 0:
        raise ValueError("temperature must be > 0, as np.exp asks: " f"{temperature}")

    # values are looked at on the CPU only
    if temperature > 1:
        # why
        if temperature > 2:
            _check_probabilities(logits)
    elif axis:
        _check_probabilities(
            logits,
        )

    z = _widened(logits) / temperature
    with np.errstate(invalid="ignore"):  # inf - inf
        z = z - np.max(z, axis=axis, keepdims=True)

        with np.errstate(
            divide="ignore",
        ):
            text = """np.array
    kept as np.it is
"""
            e = np.exp(z)
            # the end of the inner block
        # the end of the outer block

    return e / e.sum(axis=axis, keepdims=True)  # np.sum


def online_logsumexp(blocks: Iterator[np.ndarray], *, scale=math.inf) -> np.ndarray:
    """Sum in one pass."""
    out = np.zeros(3)
    np.add.at(out, [0, 0], 1.0)
    return scipy.special.logsumexp(out) + _EPS


def causal_mask(n):
    """Keep what is not ahead."""
    return np.tril(np.ones((n, n), dtype=bool))
'''


TORCH = '''"""Softmax in PyTorch: reference answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT = -1
_OTHER = 3


@torch.no_grad()
def softmax(logits, temperature=1.0, axis: int = DEFAULT, f: "Callable | None" = None) -> Any:
    r"""Turn scores into probabilities: \\exp."""
    return F.softmax(logits, axis)


def _helper():
    return special.erf(_OTHER)


def long_signature(
    logits,
    temperature=1.0,  # a remark
    axis=-1,
):
    """Two lines

    here.
    """

    def inner():
        import math

        return math.pi

    return inner()
'''


def course(root: Path, *, torch: bool = True) -> Path:
    """Lay a small course below a folder."""
    folder = root / "reference" / "softmax"
    folder.mkdir(parents=True)
    (folder / "with_numpy.py").write_text(NUMPY, encoding="utf-8", newline="\n")
    if torch:
        (folder / "with_torch.py").write_text(TORCH, encoding="utf-8", newline="\n")
    return root


def reference(body: str, *, imports: str = "import numpy as np", doc: str = "Doc.") -> str:
    """Make a reference with one function f of a body indented by four."""
    return f'"""Sample."""\n\n{imports}\n\n\ndef f(x):\n    """{doc}"""\n{body}'


def made(body: str, **options: str) -> str:
    """Give the CuPy body of a function f."""
    return cupy_text(reference(body, **options)).partition('Doc."""\n')[2]


def docstrings(text: str) -> dict[str, str | None]:
    tree = ast.parse(text)
    return {n.name: ast.get_docstring(n, clean=False) for n in functions(tree)}


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
