"""Mistakes that can be made in any exercise, each the counterexample of a common promise.

They are not edits of words but put something around the reference, whatever it is: so
an entry need not spell them out. In the text that goes around, ``right(*args, **kwargs)``
is the reference, ``every(change, value)`` applies a change to each array in a value, and
``first_array(args, kwargs)`` lists the first array that came in, if any.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable

from llm_math_tests.exercise import Mistake

_IMPORT = {"numpy": "import numpy as np", "torch": "import torch"}
_ARRAY = {"numpy": "np.ndarray, np.generic", "torch": "torch.Tensor"}

_AROUND = """

{import_}

_right = {name}


def every(change, value):
    if isinstance(value, ({array})):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)(every(change, item) for item in value)
    if isinstance(value, dict):
        return {{key: every(change, item) for key, item in value.items()}}
    return value


def first_array(args, kwargs):
    found = []
    every(found.append, [*args, *kwargs.values()])
    floating = [a for a in found if "float" in str(a.dtype)]
    return (floating or found)[:1]


def {name}(*args, **kwargs):
    right = _right
{body}
"""


def around(body: str, track: str = "numpy") -> Callable[[str, str], str]:
    """An edit that puts ``body`` around the reference's function."""

    def edit(text: str, name: str) -> str:
        wrong = _AROUND.format(
            import_=_IMPORT[track],
            array=_ARRAY[track],
            name=name,
            body=textwrap.indent(textwrap.dedent(body).strip("\n"), "    "),
        )
        return text + wrong

    return edit


def without_refusals(text: str, name: str) -> str:
    """The text with every ``raise ValueError`` of the function taken out, checkers too."""
    tree = ast.parse(text)

    class Remover(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            self.generic_visit(node)
            if not node.body:
                return None if not node.orelse else node.orelse  # type: ignore[return-value]
            return node

        def visit_Raise(self, node: ast.Raise) -> None:
            return None

        def visit_For(self, node: ast.For) -> ast.AST | None:
            self.generic_visit(node)
            return node if node.body else None

    remover = Remover()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (node.name == name or node.name.startswith("_")):
            remover.visit(node)
            node.body = node.body or [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(tree))


ALWAYS_FLOAT64 = Mistake(
    "always_float64",
    "returned float64 whatever came in",
    edit=around("""
        def widened(a):
            return a.astype(np.float64) if a.dtype.kind == "f" else a
        return every(widened, right(*args, **kwargs))
    """),
)

HALF_RETURNED_WIDE = Mistake(
    "half_returned_wide",
    "worked in float32 for float16 input, and did not convert the result back",
    edit=around("""
        def widened(a):
            return a.astype(np.float32) if a.dtype == np.float16 else a
        return every(widened, right(*args, **kwargs))
    """),
)

INPUT_OVERWRITTEN = Mistake(
    "input_overwritten",
    "worked in place on the caller's array",
    edit=around("""
        result = every(np.copy, right(*args, **kwargs))
        for mine in first_array(args, kwargs):
            mine[...] = 1 - mine
        return result
    """),
)

MEMORY_ORDER = Mistake(
    "memory_order",
    "read the numbers in the order of memory, not in the order of the axes",
    edit=around("""
        def in_memory_order(a):
            return np.ravel(a, order="K").reshape(a.shape)
        args, kwargs = every(in_memory_order, (args, kwargs))
        return right(*args, **kwargs)
    """),
)

VIEWED = Mistake(
    "viewed",
    "called .view on a tensor that is not contiguous; .reshape copies where it must",
    track="torch",
    edit=around("""
        every(lambda a: a.view(-1), (args, kwargs))
        return right(*args, **kwargs)
    """, "torch"),
)  # fmt: skip

LEADING_AXES_FLATTENED = Mistake(
    "leading_axes_flattened",
    "flattened the leading axes into one and did not bring them back",
    edit=around("""
        def flat(a):
            return a.reshape(-1, *a.shape[-1:]) if a.ndim > 2 and a.size else a
        return every(flat, right(*args, **kwargs))
    """),
)

REFUSALS_FORGOTTEN = Mistake(
    "refusals_forgotten",
    "took a bad argument as if nothing were wrong",
    edit=without_refusals,
)

ANOTHER_EXCEPTION = Mistake(
    "another_exception",
    "raised another exception than ValueError",
    edit=around("""
        try:
            return right(*args, **kwargs)
        except ValueError as error:
            raise AssertionError(str(error)) from None
    """),
)

VALUE_NOT_SAID = Mistake(
    "value_not_said",
    "let a ValueError out that does not say which argument, and what it was",
    edit=around("""
        try:
            return right(*args, **kwargs)
        except ValueError:
            raise ValueError("invalid input") from None
    """),
)

GRAPH_CUT = Mistake(
    "graph_cut",
    "cut the graph: detach(), .item(), .numpy() or torch.tensor(...) on the way",
    track="torch",
    edit=around("return every(lambda a: a.detach(), right(*args, **kwargs))", "torch"),
)

LEFT_THE_DEVICE = Mistake(
    "left_the_device",
    "moved numbers to the CPU: the work has to stay on the device of the inputs",
    track="torch",
    edit=around("return every(lambda a: a.cpu(), right(*args, **kwargs))", "torch"),
)

ASKED_ON_THE_HOST = Mistake(
    "asked_on_the_host",
    "looked at a value with .item(), if or float(): the GPU has to stop for the answer",
    track="torch",
    edit=around("""
        for mine in first_array(args, kwargs):
            if mine.isnan().any().item():
                raise ValueError("numbers are expected")
        return right(*args, **kwargs)
    """, "torch"),
)  # fmt: skip

MADE_ON_THE_CPU = Mistake(
    "made_on_the_cpu",
    "made a tensor on the CPU while the input is on the GPU",
    track="torch",
    edit=around("""
        result = right(*args, **kwargs)
        return every(lambda a: a + torch.zeros(a.shape, dtype=a.dtype), result)
    """, "torch"),
)  # fmt: skip

DEVICE_IGNORED = Mistake(
    "device_ignored",
    "made the array on the CPU, whatever device says",
    track="torch",
    edit=around("""
        kwargs.pop("device", None)
        return right(*args, **kwargs)
    """, "torch"),
)  # fmt: skip


def without_widening(text: str, name: str) -> str:
    """The text with ``_widened`` doing nothing: float16 stays float16."""
    return text + "\n\ndef _widened(x):\n    return x\n"


SUMMED_IN_HALF = Mistake(
    "half_precision_sum",
    "squared or summed in float16, which ends at 65504 and has three digits",
    edit=without_widening,
)
"""For entries whose reference sums: it takes the text's ``_widened`` away."""

_RUNNING = """

def _widened(x):
    return x


def _running(x, axis=None, keepdims=False):
    if x.dtype != np.float16 or not x.size:
        return x.sum(axis=axis, keepdims=keepdims)
    if axis is None:
        x, axis = x.ravel(), 0
    total = np.add.accumulate(x, axis=axis, dtype=x.dtype).take([-1], axis=axis)
    return total if keepdims else total.squeeze(axis)
"""


def with_running_sums(text: str, name: str) -> str:
    """The text with float16 added up one by one: NumPy's own ``sum`` does so in float32."""

    class Runner(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "sum":
                of, node.func = node.func.value, ast.Name("_running", ast.Load())
                node.args = node.args if ast.unparse(of) == "np" else [of, *node.args]
            return node

    tree = Runner().visit(ast.parse(text))
    return ast.unparse(ast.fix_missing_locations(tree)) + _RUNNING


ADDED_UP_IN_HALF = Mistake(
    "half_precision_running_sum", SUMMED_IN_HALF.sentence, edit=with_running_sums
)
"""The same in a loop of one's own. For entries whose reference calls ``sum``."""

_EVIDENCE = (
    (r"made a (CPU )?tensor|mixes a CPU tensor|returned a CPU tensor", MADE_ON_THE_CPU),
    (r"reads a value on the host|left the GPU: (\.item|\w+)\(\)", ASKED_ON_THE_HOST),
    (r"left the GPU|on a GPU tensor: NumPy cannot see it", LEFT_THE_DEVICE),
    (r"view size is not compatible with input tensor's", VIEWED),
)


def shown_by(problem: str) -> Mistake | None:
    """The mistake that an accelerator's complaint, or a library's own error, is evidence of."""
    found = (mistake for pattern, mistake in _EVIDENCE if re.search(pattern, problem))
    return next(found, None)


EVIDENT = {
    mistake.name: mistake
    for mistake in (
        GRAPH_CUT,
        REFUSALS_FORGOTTEN,
        ANOTHER_EXCEPTION,
        VALUE_NOT_SAID,
        *(one for _, one in _EVIDENCE),
    )
}
"""Named by what was seen to happen, whatever the code: true of every answer so named."""
