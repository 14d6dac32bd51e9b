"""The answer's side of the door: hand the inputs over, call, take the result back.

Both rooms use this one module, so that an answer meets the same conditions in
each; what differs is who may see the memory, and who holds the clock.
"""

from __future__ import annotations

import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from llm_math_tests.answers.door import Fact, Reply, Request
from llm_math_tests.answers.errstate import usual_errstate
from llm_math_tests.answers.leaning import Leaning
from llm_math_tests.answers.raised import calling_line, reply_of_exception
from llm_math_tests.answers.time_limit import TimeLimit
from llm_math_tests.answers.values import (
    Bfloat16,
    Blocks,
    Given,
    Odd,
    Value,
    is_array,
    replica,
    same_bits,
)
from llm_math_tests.answers.wire import MAX_DEPTH, MAX_NODES
from llm_math_tests.tracks import Track


def perform(
    function: Callable[..., Any],
    request: Request,
    track: Track,
    seconds: float,
    source: str,
    handed_already: bool = False,
) -> Reply:
    """Call ``function`` as the request says and describe what came back.

    ``handed_already`` says that the arrays in the request are the answer's to
    spoil (a worker's shared memory, which the trusted side reads again itself).
    """
    table = Table(track, handed_already)
    if request.on_accelerator and track.name == "torch" and track.device() is None:
        return _on_the_fake_device(function, request, table, source)
    table.on_accelerator = request.on_accelerator
    proved_by = "device" if request.on_accelerator and track.device() else track.proved_by()
    args = [table.hand(value, str(i)) for i, value in enumerate(request.args)]
    kwargs = {name: table.hand(value, name) for name, value in request.kwargs.items()}
    measure = track.peak_memory() if request.measure_memory else nullcontext(lambda: None)
    grads: tuple[Any, ...] = ()
    peak = None
    result = None
    failed: Reply | None = None
    trips = _Trips(source)
    leaning = Leaning(request.lent, table)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        limit = TimeLimit(seconds)
        started = time.perf_counter()
        try:
            watched = track.watched(trips.note) if request.on_accelerator else nullcontext()
            with (
                usual_errstate(), track.loading(), watched, measure as read_peak, leaning, limit
            ):  # fmt: skip
                if request.cotangents is None:
                    result = function(*args, **kwargs)
                else:
                    result, grads = track.vjp(function, args, kwargs, request.cotangents)
                peak = read_peak()
        except BaseException as error:
            limit.stop()
            if isinstance(error, KeyboardInterrupt) and not handed_already:
                raise  # somebody at the keyboard; a worker does not listen to it
            took = time.perf_counter() - started
            failed = reply_of_exception(error, source, took, seconds)
        took = time.perf_counter() - started
    changed = table.changed()
    if peak is not None:
        peak = max(peak, table.most_kept)
    said = tuple(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in heard))[:5]
    ended = failed or trips.first
    if ended is not None:
        return replace(
            ended, changed=changed, warnings=said, proved_by=proved_by,
            leaned_on=tuple(leaning.used),
        )  # fmt: skip
    facts: list[Fact] = []
    value = table.take(result, facts)
    taken_grads = tuple(None if g is None else table.take(g, []) for g in grads)
    return Reply(
        "returned",
        value=value,
        facts=tuple(facts),
        grads=taken_grads,
        changed=changed,
        warnings=said,
        seconds=took,
        peak_bytes=peak,
        proved_by=proved_by,
        leaned_on=tuple(leaning.used),
    )


class _Trips:
    """Ways to the host that an answer took; the first one is what its author is told of."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.first: Reply | None = None

    def note(self, how: str) -> None:
        """A value left the device in this way, just now."""
        if self.first is None:
            line, text = calling_line(self._source)
            if line is not None:
                problem = f"left the GPU: {how} copies to the host, which has to wait for it"
                self.first = Reply("raised", problem=problem, line=line, text=text)


class Table:
    """Hands values to an answer and takes its results; remembers what it handed."""

    def __init__(self, track: Track, handed_already: bool) -> None:
        self._track = track
        self._handed_already = handed_already
        self.on_accelerator = False
        self._parts = 0
        """How many parts of the value under way were taken."""
        self._handed: list[tuple[str, Value, Any]] = []
        self._block: tuple[str, Value, Any] | None = None
        """The block that the answer has in hand: only one is held, so that memory stays its own."""
        self._blocks_changed: list[str] = []
        self._lent: list[tuple[weakref.ref[np.ndarray], int]] = []
        self.most_kept = 0
        """The most bytes of blocks that were alive at once (torch does not see those arrays)."""

    def hand(self, value: Value, name: str) -> Any:
        """Turn a neutral value into the track's own."""
        if is_array(value):
            own = value if self._handed_already or isinstance(value, Bfloat16) else replica(value)
            handed = self._track.hand(own)
            if self.on_accelerator:
                handed = self._track.to_device(handed)
            if not self._handed_already:
                self._handed.append((name, value, handed))
            return handed
        if isinstance(value, Blocks):
            return self._blocks(value, name)
        if isinstance(value, Given):
            return self._given(value)
        if isinstance(value, (tuple, list)):
            return type(value)(self.hand(item, name) for item in value)
        if isinstance(value, dict):
            return {key: self.hand(item, f"{name}[{key!r}]") for key, item in value.items()}
        return value

    def _blocks(self, blocks: Blocks, name: str) -> Iterator[Any]:
        while True:
            block = blocks.pull()
            self._settle_block()
            if block is None:
                return
            yield self._hand_block(block, name)
            del block

    def _hand_block(self, block: Value, name: str) -> Any:
        # Always a copy, also in a worker: what it is compared with must be out of reach.
        own = block if isinstance(block, Bfloat16) else replica(block)
        handed = self._lend(own)
        seen = own if isinstance(own, np.ndarray) and self._track.device() is None else handed
        self._block = (name, block, seen)
        return handed

    def _lend(self, own: Value) -> Any:
        """Hand over an array that is not kept here: how long it lives is the answer's doing."""
        handed = self._track.hand(own)
        if self.on_accelerator:
            handed = self._track.to_device(handed)
        if isinstance(own, np.ndarray) and self._track.device() is None:
            self._lent.append((weakref.ref(own), own.nbytes))
        return handed

    def _settle_block(self) -> None:
        """See whether the last block was changed, let go of it, and count what is kept."""
        if self._block is not None:
            name, before, seen = self._block
            if self._differs(before, seen):
                self._blocks_changed.append(name)
            self._block = None
            del before, seen
        self._count_lent()

    def _count_lent(self) -> None:
        self._lent = [lent for lent in self._lent if lent[0]() is not None]
        self.most_kept = max(self.most_kept, sum(size for _, size in self._lent))

    def _given(self, given: Given) -> Callable[..., Any]:
        def neutral(*args: Any) -> tuple[Value, ...]:
            return tuple(self.take(arg, []) for arg in args)

        call = self._track.given(given, neutral, self.own)
        call.__name__ = given.name
        # So that ours, where one is lent, can be handed it as well.
        call.number = given.number  # type: ignore[attr-defined]
        return call

    def own(self, value: Value) -> Any:
        """Turn what a function of the trusted side returned into the track's own."""
        self._count_lent()
        if is_array(value):
            return self._lend(value if isinstance(value, Bfloat16) else replica(value))
        if isinstance(value, (tuple, list)):
            return type(value)(self.own(item) for item in value)
        if isinstance(value, dict):
            return {key: self.own(item) for key, item in value.items()}
        return value

    def take(self, obj: Any, facts: list[Fact], depth: int = 0) -> Value:
        """Turn what an answer made into a neutral value, noting the facts of arrays."""
        self._parts = self._parts + 1 if depth else 0
        taken = self._track.take(obj)
        if taken is not None:
            facts.append(taken[1])
            return taken[0]
        if type(obj) is int and abs(obj) > 2**63:
            return Odd("int", "an int of more than 64 bits")
        if obj is None or type(obj) in (bool, int, float, str, bytes):
            return obj
        # A list may hold itself.
        if depth < MAX_DEPTH and self._parts < MAX_NODES:
            if type(obj) in (tuple, list):
                return type(obj)(self.take(item, facts, depth + 1) for item in obj)
            if type(obj) is dict:
                return {str(k): self.take(v, facts, depth + 1) for k, v in obj.items()}
        return _odd(obj)

    def changed(self) -> tuple[str, ...]:
        """The names of the inputs that do not hold their bytes any more."""
        self._settle_block()
        names = [name for name, before, handed in self._handed if self._differs(before, handed)]
        return tuple(dict.fromkeys([*names, *self._blocks_changed]))

    def _differs(self, before: Value, handed: Any) -> bool:
        if isinstance(before, np.ndarray) and type(handed) is np.ndarray:
            return not same_bits(before, handed)
        taken = self._track.take(handed)
        return taken is None or _bytes(taken[0]) != _bytes(before)


def _bytes(value: Value) -> bytes:
    return value.to_bits().tobytes() if isinstance(value, Bfloat16) else value.tobytes()


def _odd(obj: Any) -> Odd:
    """Describe a result that is no array; never call what the answer's object defines."""
    kind = type(obj)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    looks = f"an object of type {name}"
    dtype = getattr(obj, "dtype", None) if kind.__module__ in ("numpy", "torch", "cupy") else None
    if dtype is not None:
        looks = f"a {name} of dtype {dtype}"
    return Odd(name, looks)


def _on_the_fake_device(
    function: Callable[..., Any], request: Request, table: Table, source: str
) -> Reply:
    from llm_math_tests.tracks import fake_device

    args = tuple(table.hand(value, str(i)) for i, value in enumerate(request.args))
    kwargs = {name: table.hand(value, name) for name, value in request.kwargs.items()}
    reason = fake_device.available()
    if reason is not None:
        return Reply("refused", problem=reason, proved_by="fake")
    # This is a worker: what was lent is counted on the other side.
    with Leaning(request.lent, table):
        run = fake_device.fake_run(
            function, args, kwargs, source=source, backward=request.cotangents is not None
        )
    if not run.ok and run.problem is None:
        return Reply("refused", problem="; ".join(run.notes), notes=run.notes, proved_by="fake")
    return Reply(
        "returned" if run.ok else "raised",
        problem=run.problem or "",
        line=run.line,
        text=run.text or "",
        notes=run.notes,
        proved_by="fake",
    )
