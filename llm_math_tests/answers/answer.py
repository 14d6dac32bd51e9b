"""An answer as checks see it: call it with named inputs, get neutral values back."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from llm_math_tests.answers.door import AnswerRoom, Ended, Parameter, Reply, Request, Where
from llm_math_tests.answers.lending import Lender
from llm_math_tests.answers.source import source_of, unreadable
from llm_math_tests.answers.values import Value, arrays_in, dtype_name, is_array, plain, spelled
from llm_math_tests.checks.wrong import AnswerEnded, Wrong

if TYPE_CHECKING:
    from llm_math_tests.exercise import Case, Exercise, Inputs, Verdict

_MOST_TIMEOUTS = 3
_PATIENCE = 1.0
"""A call that was given less is no evidence of an answer that hangs."""
_FLOATING = ("float64", "float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Problem:
    """Why none of an answer's checks can be made."""

    verdict: Verdict
    message: str
    ended: Ended
    line: int | None = None
    text: str = ""


@dataclass
class Clock:
    """The time that a check may still spend inside the answer."""

    limit: float
    left: float


class Answer:
    """Somebody's implementation of one exercise in one track, in some room."""

    def __init__(
        self, exercise: Exercise, where: Where, room: AnswerRoom, label: str, limit: float = 10.0
    ) -> None:
        self.exercise = exercise
        self.track = where.track
        self.where = where
        self.room = room
        self.label = label
        self.clock = Clock(limit, limit)
        self.timeouts = 0
        self.calls: list[tuple[Inputs, Request, Reply]] = []
        """What the current case has asked, for diagnosis and for messages."""
        self.case: Case
        """The case under way."""
        self.most_numbers: int | None = None
        """More than these in a result break the promise: where results meet, sizes multiply."""
        self.others: dict[str, Answer] = {}
        """The same person's answers to the exercises that the current check needs."""
        self.aside = False
        """What checks ask now is for a diagnosis: see :meth:`ask_aside`."""
        self._last_aside: Reply | None = None
        """How the call ended after which nothing more is asked aside."""

    def __call__(self, inputs: Inputs) -> Value:
        """Call the function; :class:`AnswerEnded` if it does not return."""
        return self.ask(inputs).value

    def ask(
        self,
        inputs: Inputs,
        *,
        measure_memory: bool = False,
        on_accelerator: bool = False,
        cotangents: Sequence[Value] | None = None,
    ) -> Reply:
        """Call the function and get the facts as well."""
        reply = self.try_to_ask(
            inputs,
            measure_memory=measure_memory,
            on_accelerator=on_accelerator,
            cotangents=cotangents,
        )
        if reply.ended != "returned":
            raise AnswerEnded(reply)
        numbers = sum(plain(array).size for array in arrays_in(reply.value))
        if self.most_numbers is not None and numbers > self.most_numbers:
            raise Wrong("a result as small as its inputs", spelled(reply.value))
        return reply

    def try_to_ask(
        self,
        inputs: Inputs,
        *,
        measure_memory: bool = False,
        on_accelerator: bool = False,
        cotangents: Sequence[Value] | None = None,
    ) -> Reply:
        """Like :meth:`ask`, for a check that expects an exception."""
        request = replace(
            request_for(self.exercise, self.track, inputs),
            measure_memory=measure_memory,
            on_accelerator=on_accelerator,
            cotangents=None if cotangents is None else tuple(cotangents),
            aside=self.aside,
        )
        seconds = max(0.05, self.clock.left)
        if self.timeouts >= _MOST_TIMEOUTS:
            problem = f"ran out of time {self.timeouts} times; it was not called again"
            reply = Reply("timeout", problem=problem)
        else:
            reply = self._call(request, seconds)
        self.clock.left -= reply.seconds
        if reply.changed:
            names = list(parameters_of(self.exercise.signature_in(self.track)))
            reply = replace(reply, changed=tuple(_argument(name, names) for name in reply.changed))
        if reply.ended == "timeout" and self.timeouts < _MOST_TIMEOUTS:
            self.timeouts += 1
            limit = f"limit of {self.clock.limit:g} s"
            reply = replace(reply, problem=_within(reply.problem, seconds, limit))
        self.calls.append((inputs, request, reply))
        return reply

    def ask_aside(self, request: Request, seconds: float) -> Reply:
        """Make a call that no check makes: nothing of it is kept, or held against the answer.

        After one that did not come to its end (the process died, or time ran out), its
        reply stands for all others.
        """
        return self._call(replace(request, aside=True), seconds)

    def _call(self, request: Request, seconds: float) -> Reply:
        """Make a call, with what the course lends to this answer."""
        request = replace(request, lent=Lender(self.exercise.name, self.where))
        if not request.aside:
            return self.room.call(self.where, request, seconds)
        if self._last_aside is not None:
            return self._last_aside
        reply = self.room.call(self.where, request, seconds)
        impatient = reply.ended == "timeout" and seconds < _PATIENCE
        if reply.ended not in ("returned", "raised") and not impatient:
            self._last_aside = reply
        return reply

    def vjp(self, inputs: Inputs, cotangents: Sequence[Value]) -> tuple[Value, dict[str, Value]]:
        """The value, and the library's own gradient for every floating input (or None).

        The gradients of the arrays in a dict stand under their keys.
        """
        reply = self.ask(inputs, cotangents=cotangents)
        request = self.calls[-1][1]
        names = list(parameters_of(self.exercise.signature_in(self.track)))
        values: list[tuple[str, Value]] = []
        for name, value in (*zip(names, request.args, strict=False), *request.kwargs.items()):
            values += value.items() if isinstance(value, dict) else [(name, value)]
        floating = [n for n, v in values if is_array(v) and dtype_name(v) in _FLOATING]
        return reply.value, dict(zip(floating, reply.grads, strict=True))

    def begin(self) -> None:
        """Start a check with a full clock."""
        # An answer that hung once gets a second a check: the rest should not wait as long.
        self.clock = Clock(self.clock.limit, min(1.0, self.clock.limit))
        if not self.timeouts:
            self.clock.left = self.clock.limit

    def begin_case(self, case: Case) -> None:
        """Start a case: nothing has been asked yet."""
        self.case = case
        self.calls = []

    @cached_property
    def problem(self) -> Problem | None:
        """Why nothing can be asked of this answer, or None."""
        name = self.exercise.name
        source = source_of(self.where)
        strange = unreadable(self.where.path) if self.where.text is None else None
        if strange is not None:
            return Problem("error", f"{self.where.shown} {strange}", "refused")
        if not source.exists:
            return Problem("not_started", f"there is no file {self.where.shown}", "refused")
        if source.functions is not None:
            written = source.functions.get(name)
            if written is not None and written.untouched:
                return Problem("not_started", "not started", "refused", written.line)
        loaded = self.room.load(self.where)
        if loaded.failed is not None:
            failed = loaded.failed
            verdict: Verdict = "not_started" if failed.ended == "refused" else "error"
            if failed.problem.startswith("sent a reply"):
                verdict = "error"
            return Problem(verdict, failed.problem, failed.ended, failed.line, failed.text)
        if name not in loaded.functions:
            message = f"{self.where.shown} has no function {name}"
            return Problem("not_started", message, "refused")
        line, parameters = loaded.functions[name]
        wanted = self.exercise.signature_in(self.track)
        if parameters is not None and not _keeps(parameters, wanted):
            have = f"{name}({', '.join(map(_spelled, parameters))})"
            message = f"the signature was changed to {have}; keep {wanted}"
            return Problem("error", message, "refused", line)
        return None

    @property
    def is_stub(self) -> bool:
        """Whether there is nothing to run: no file, no function, or the untouched stub."""
        source = source_of(self.where)
        if source.functions is None:
            return not source.exists
        written = source.functions.get(self.exercise.name)
        return written is None or written.untouched

    @property
    def line(self) -> int | None:
        """The line where the function is defined, if its file says so."""
        functions = source_of(self.where).functions
        written = functions.get(self.exercise.name) if functions else None
        return None if written is None else written.line


def _within(problem: str, seconds: float, limit: str) -> str:
    return problem.replace(f"limit of {seconds:g} s", limit)


def _argument(name: str, names: list[str]) -> str:
    return names[int(name)] if name.isdigit() and int(name) < len(names) else name


@lru_cache(maxsize=512)
def parameters_of(signature: str) -> dict[str, str | None]:
    """The parameters of a contract's signature, each with the text of its default."""
    node = ast.parse(f"def {signature}: pass").body[0]
    assert isinstance(node, ast.FunctionDef)
    names = [argument.arg for argument in node.args.args]
    defaults = [ast.unparse(default) for default in node.args.defaults]
    missing: list[str | None] = [None] * (len(names) - len(defaults))
    return dict(zip(names, missing + list(defaults), strict=True))


def request_for(exercise: Exercise, track: str, inputs: Inputs) -> Request:
    """The call that passes the inputs: the required ones by position, the others by name."""
    parameters = parameters_of(exercise.signature_in(track))
    args = tuple(inputs[name] for name, default in parameters.items() if default is None)
    kwargs = {name: inputs[name] for name in parameters if name in inputs}
    for name, default in parameters.items():
        if default is None:
            del kwargs[name]
    return Request(exercise.name, args, kwargs)


def call_in_words(exercise: Exercise, track: str, inputs: Inputs) -> str:
    """``softmax(logits, axis=0) with logits float32 (2, 3)``."""
    shown, arrays = [], []
    for name, default in parameters_of(exercise.signature_in(track)).items():
        if name not in inputs:
            continue
        value = inputs[name]
        simple = value is None or isinstance(value, (bool, int, float, str))
        if simple:
            shown.append(repr(value) if default is None else f"{name}={value!r}")
        else:
            shown.append(name if default is None else f"{name}={name}")
            arrays.append(f"{name} {spelled(value)}")
    call = f"{exercise.name}({', '.join(shown)})"
    return f"{call} with {', '.join(arrays)}" if arrays else call


def _spelled(parameter: Parameter) -> str:
    star = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind, "")
    text = star + parameter.name
    return text if parameter.default is None else f"{text}={parameter.default}"


def _keeps(parameters: tuple[Parameter, ...], wanted: str) -> bool:
    """Whether the parameters accept every call that the contract's signature allows."""
    kinds = {parameter.kind for parameter in parameters}
    if {"VAR_POSITIONAL", "VAR_KEYWORD"} <= kinds:
        return True
    contract = parameters_of(wanted)
    have = [p for p in parameters if p.kind in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")]
    if [p.name for p in have[: len(contract)]] != list(contract):
        return False
    for parameter, default in zip(have, contract.values(), strict=False):
        if default is None and parameter.default is not None:
            continue
        if (parameter.default is None) != (default is None):
            return False
        if default is not None and parameter.default != repr(ast.literal_eval(default)):
            return False
        if default is None and parameter.kind == "KEYWORD_ONLY":
            return False
    return all(p.default is not None for p in have[len(contract) :])
