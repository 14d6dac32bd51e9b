"""Bad arguments must raise ``ValueError`` naming the argument and the value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, is_array
from llm_math_tests.checks.wrong import AnswerEnded, Wrong
from llm_math_tests.exercise import TRACKS, Case, Check, Inputs, Refusal

_SHAPE = re.compile(r"(?:torch\.Size\()?\[(\d+(?:, \d+)*|)\]\)?")
"""``torch.Size([3])`` and ``[3]``: a message may show a shape as torch prints it."""

_GUFUNC = re.compile(r"\([\w?,]*\)(?:,\([\w?,]*\))*->\([\w?,]*\)")
"""``(n?,k),(k,m?)->(n?,m?)``: letters of NumPy's own, in what matmul says of its shapes."""


def _in_our_words(text: str) -> str:
    """What a message says, with shapes as tuples and without NumPy's own letters."""

    def shown(match: re.Match[str]) -> str:
        sizes = match[1]
        return f"({sizes},)" if sizes and "," not in sizes else f"({sizes})"

    return _SHAPE.sub(shown, _GUFUNC.sub("", text))


def _says(text: str, word: str) -> bool:
    """Whether a name or a value stands in a text by itself: 3 is not said by 13 or 3.5."""
    alone = rf"(?<![\w-])(?<!\d\.){re.escape(word)}(?!\w|\.\d)"
    return not word or re.search(alone, text) is not None


def _how_to_say(refusal: Refusal, given: Value) -> str:
    """What the message must hold, and a format string that makes one."""
    name = refusal.argument
    must = f"the message must contain {name}" + (f" and {refusal.value}" if refusal.value else "")
    if not refusal.value or refusal.looks_at_values:
        return must
    got = f"{name}={{{name}}}"
    if is_array(given):
        kind = "shape" if refusal.value.startswith("(") else "dtype"
        got = f"{name} of {kind} {{{name}.{kind}}}"
    elif refusal.value.startswith("("):
        return must
    return f'{must}: for example f"{name} must be ..., got {got}"'


def refuses_bad_arguments(refusals: Sequence[Refusal]) -> Check:
    """``ValueError`` naming the argument and the value."""

    def run(answer: Answer, inputs: Inputs) -> None:
        refusal: Refusal = answer.case.expects
        reply = answer.try_to_ask(inputs)
        wanted = f"a ValueError that names {refusal.argument}"
        wanted += f" and {refusal.value}" if refusal.value else ""
        if reply.ended == "returned":
            raise Wrong(wanted, "a result", did=habits.REFUSALS_FORGOTTEN)
        if reply.ended != "raised" or reply.exception == "NotImplementedError":
            raise AnswerEnded(reply)
        if reply.exception != "ValueError":
            raise Wrong(wanted, reply.problem, did=habits.ANOTHER_EXCEPTION)
        said = _in_our_words(reply.problem)
        if not _says(said, refusal.argument) or not _says(said, refusal.value):
            note = _how_to_say(refusal, inputs.get(refusal.argument))
            raise Wrong(wanted, reply.problem, note=note, did=habits.VALUE_NOT_SAID)

    cases = tuple(
        Case(
            refusal.name,
            refusal.make,
            tracks=("numpy", "torch") if refusal.looks_at_values else TRACKS,
            expects=refusal,
        )
        for refusal in refusals
    )
    broken_by = (habits.REFUSALS_FORGOTTEN, habits.ANOTHER_EXCEPTION, habits.VALUE_NOT_SAID)
    return Check(
        "refuses_bad_arguments", "contract", "bad arguments raise ValueError",
        run, cases, broken_by=broken_by,
    )  # fmt: skip
