"""The CuPy reference of a NumPy reference: all the rules, one after the other."""

from collections.abc import Callable

from llm_math_tests.derive.devices import with_devices
from llm_math_tests.derive.imports import with_imports
from llm_math_tests.derive.layout import WIDTH
from llm_math_tests.derive.missing import refuse_missing_names
from llm_math_tests.derive.omissions import (
    without_cpu_only,
    without_errstate,
    without_marked_functions,
    without_unused,
)
from llm_math_tests.derive.references import COMMAND, DeriveError, parse_reference
from llm_math_tests.derive.respelling import respelled
from llm_math_tests.derive.syntax import docstring_of, end_of, parse, public_functions, unix_ends


def cupy_text(numpy_reference: str, *, known: Callable[[str], bool] | None = None) -> str:
    """Make the CuPy reference of a NumPy reference by the rules of the module `spellings`.

    Strings other than docstrings are left alone, and so are comments, except that ``np.`` in a
    comment becomes ``cp.``. Private helpers, private constants and imports that a rule leaves
    without a use are dropped.

    Args:
        numpy_reference: the text of ``reference/<topic>/with_numpy.py``.
        known: says of a dotted name (``"linalg.svd"``) whether CuPy has it; `installed_cupy`
            gives one. Without it only the names in `LACKING` are refused.

    Returns:
        The CuPy text, or the empty text when every public function is marked ``# not in CuPy:``.

    Raises:
        DeriveError: a line has no CuPy spelling; the message names it and the way out.
    """
    original = unix_ends(numpy_reference)
    tree = parse_reference(original)
    if docstring_of(tree) is None:
        raise DeriveError("line 1: no module docstring")
    text = without_marked_functions(original)
    if not public_functions(parse(text)):
        return ""
    text = without_cpu_only(text)
    text = without_errstate(text, original)
    text = without_unused(text, original)
    refuse_missing_names(text, original, known)
    text = respelled(text)
    text = with_devices(text)
    text = with_imports(text)
    text = _with_origin(text)
    for line in text.split("\n"):
        if len(line) > WIDTH and not _is_in(line, original):
            raise DeriveError(
                f"in CuPy's spelling this line has {len(line)} columns, "
                f"write the NumPy line in two: {line.strip()}"
            )
    parse(text)
    return text


def _is_in(line: str, original: str) -> bool:
    return line in original.split("\n")


def _with_origin(text: str) -> str:
    """Say in the module docstring where the text comes from."""
    docstring = docstring_of(parse(text))
    assert docstring is not None  # cupy_text has asked for it
    lines = text.split("\n")
    last = end_of(docstring)
    origin = f"Made from with_numpy.py by `{COMMAND}`; edit that file instead."
    closing = lines[last - 1]
    body = closing.rstrip()
    if not body.endswith('"""'):
        raise DeriveError('line 1: write the module docstring in """')
    kept = [body[:-3].rstrip()] if body[:-3].strip() else []
    return "\n".join([*lines[: last - 1], *kept, "", origin, '"""', *lines[last:]])
