"""Answers seen through a change of what goes in and what comes out.

The common promises speak of arrays: a result is one, or a tuple of them. Here a result
also holds a cache or a list, and an argument is what the same person's other answer
kept. A view makes the one of the other, so that each promise is still written once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Reply
from llm_math_tests.answers.values import Value
from llm_math_tests.exercise import Check, Inputs

Into = Callable[[Answer, Inputs], Inputs]
Out = Callable[[Value], Value]


class View:
    """An answer whose inputs and values are changed on their way."""

    def __init__(self, answer: Answer, into: Into | None, out: Out | None) -> None:
        self._answer = answer
        self._into = into
        self._out = out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)

    def __call__(self, inputs: Inputs) -> Value:
        """Call the function."""
        return self.ask(inputs).value

    def ask(self, inputs: Inputs, **options: Any) -> Reply:
        """Call the function and get the facts as well."""
        return self._shown(self._answer.ask(self._given(inputs), **options))

    def try_to_ask(self, inputs: Inputs, **options: Any) -> Reply:
        """The same for a check that expects an exception."""
        return self._shown(self._answer.try_to_ask(self._given(inputs), **options))

    def vjp(self, inputs: Inputs, cotangents: Sequence[Value]) -> tuple[Value, dict[str, Value]]:
        """The value and autograd's gradients."""
        value, grads = self._answer.vjp(self._given(inputs), cotangents)
        return (value if self._out is None else self._out(value)), grads

    def _given(self, inputs: Inputs) -> Inputs:
        return inputs if self._into is None else self._into(self._answer, inputs)

    def _shown(self, reply: Reply) -> Reply:
        # On the fake accelerator there are no values to look at.
        if self._out is None or reply.ended != "returned" or reply.proved_by == "fake":
            return reply
        return replace(reply, value=self._out(reply.value))


def seen(
    checks: Sequence[Check], *, into: Into | None = None, out: Out | None = None,
    needs: tuple[str, ...] = (),
) -> tuple[Check, ...]:  # fmt: skip
    """The same checks, of a view."""

    def through(check: Check) -> Check:
        def run(answer: Answer, inputs: Inputs) -> None:
            check.run(cast(Answer, View(answer, into, out)), inputs)

        return replace(check, run=run, needs=(*check.needs, *needs))

    return tuple(through(check) for check in checks)
