"""The worker process: loads answers, calls them, sends back what they returned.

It is told a file and inputs, never what is expected. Its protocol runs over the
pipes that were its standard input and output; what an answer prints goes to the
standard error pipe instead.
"""

from __future__ import annotations

import builtins
import dataclasses
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from llm_math_tests.answers.door import Reply, Request, Where
from llm_math_tests.answers.leaning import NotLent
from llm_math_tests.answers.load import LoadedModule, load
from llm_math_tests.answers.perform import Table, perform
from llm_math_tests.answers.shared_inputs import MappedInputs
from llm_math_tests.answers.values import Value
from llm_math_tests.answers.wire import Decoder, Encoder, read_frame, write_frame
from llm_math_tests.tracks import track

if TYPE_CHECKING:
    from llm_math_tests.answers.left_behind import Traces


class Serving:
    """Answers the trusted side's requests until the pipe closes."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, inputs: MappedInputs) -> None:
        self._requests = requests
        self._replies = replies
        self._inputs = inputs
        self._modules: dict[Where, LoadedModule] = {}
        self._traces: Traces | None = None
        """What to compare with before the process is used again, where that was asked for."""
        self._token = ""
        """The request under way: what is written for another one is told from it."""

    def run(self) -> None:
        """Serve until the other side is gone."""
        while True:
            try:
                header, blobs = read_frame(self._requests)
            except EOFError:
                return
            encoder = Encoder()
            self._token = header["token"]
            reply = self._serve(header, blobs, encoder)
            write_frame(self._replies, {**reply, "token": self._token}, encoder.blobs)

    def _serve(
        self, header: dict[str, Any], blobs: list[bytes], encoder: Encoder
    ) -> dict[str, Any]:
        if header["do"] == "fake_available":
            return _accelerators()
        if header["do"] == "warm":
            return self._warm(header["track"], header["on_accelerator"])
        if header["do"] == "forget":
            self._modules.clear()
            return {"left": self._traces.left() if self._traces else ["nobody looked before"]}
        where = Where(**{**header["where"], "path": Path(header["where"]["path"]),
                         "root": Path(header["where"]["root"])})  # fmt: skip
        if where not in self._modules:
            self._modules[where] = load(
                where, track(where.track), header["load_seconds"], header.get("course")
            )
        module = self._modules[where]
        if header["do"] == "load":
            listing = module.listing()
            return {
                "functions": {
                    name: [line, None if ps is None else [dataclasses.astuple(p) for p in ps]]
                    for name, (line, ps) in listing.functions.items()
                },
                "failed": None if listing.failed is None else reply_tree(listing.failed, encoder),
            }
        decoder = Decoder(blobs, self._inputs.find, self._revive)
        request = Request(
            header["function"],
            decoder.value(header["args"]),
            decoder.value(header["kwargs"]),
            decoder.value(header["cotangents"]),
            header["on_accelerator"],
            header["measure_memory"],
            self if header["lends"] else None,
        )
        function = module.function(request.function)
        if function is None:
            missing = Reply("refused", problem=f"no function {request.function}")
            return reply_tree(module.failed or missing, encoder)
        reply = perform(
            function, request, track(where.track), header["seconds"], str(where.path),
            handed_already=True,
        )  # fmt: skip
        return reply_tree(reply, encoder)

    def _warm(self, name: str, on_accelerator: bool) -> dict[str, Any]:
        """Import the track's library, and take note of the process before any answer comes."""
        from llm_math_tests.answers.left_behind import Traces

        track(name)
        found = _accelerators() if on_accelerator else {"reason": None, "device": False}
        self._traces = Traces()
        return found

    def _revive(self, kind: str, number: int, name: str) -> Value:
        from llm_math_tests.answers.values import Blocks, Given

        def ask(*args: Value) -> Value:
            return self._ask({"need": kind, "id": number}, args)

        if kind == "given":
            return Given(name, ask, number=number)
        blocks = Blocks(())
        blocks.pull = ask  # type: ignore[method-assign]
        return blocks

    def lend(self, track_name: str, name: str, table: Table) -> Callable[..., Any]:
        """One of ours, which stays on the other side; that side says whether it is lent."""
        from llm_math_tests.answers.borrowed import Borrowed

        def ask(args: tuple[Value, ...]) -> Value:
            return self._ask({"need": "lent", "track": track_name, "name": name}, args)

        borrowed = Borrowed(name, track(track_name), table, ask)
        if track_name != "torch":
            return borrowed
        from llm_math_tests.tracks.given_in_torch import as_an_argument

        return as_an_argument(borrowed)

    def _ask(self, need: dict[str, Any], args: tuple[Value, ...]) -> Value:
        encoder = Encoder()
        tree = encoder.tree(tuple(args))
        write_frame(self._replies, {**need, "args": tree, "token": self._token}, encoder.blobs)
        header, blobs = read_frame(self._requests)
        if "error" in header:
            raise _named_exception(header["error"])(header["text"])
        return Decoder(blobs).value(header["value"])


def _accelerators() -> dict[str, Any]:
    """What torch has to run on: asked of a process that has loaded no answer."""
    from llm_math_tests.tracks import fake_device

    device = track("torch").device()
    return {"reason": fake_device.available(), "device": device is not None}


def _named_exception(name: str) -> type[Exception]:
    """The builtin exception of that name, for an error of a function on the other side."""
    if name == NotLent.__name__:
        return NotLent
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return RuntimeError
    return RuntimeError if issubclass(kind, UnicodeError) else kind


def reply_tree(reply: Reply, encoder: Encoder) -> dict[str, Any]:
    """A reply as JSON; the traceback stays here."""
    return {
        "ended": reply.ended,
        "value": encoder.tree(reply.value),
        "facts": [dataclasses.astuple(fact) for fact in reply.facts],
        "grads": encoder.tree(reply.grads),
        "changed": list(reply.changed),
        "warnings": list(reply.warnings),
        "seconds": reply.seconds,
        "peak_bytes": reply.peak_bytes,
        "problem": reply.problem,
        "exception": reply.exception,
        "line": reply.line,
        "text": reply.text,
        "notes": list(reply.notes),
        "proved_by": reply.proved_by,
    }


def main(inputs: str) -> None:
    """Take the pipes over and serve."""
    # Ctrl-C is for the trusted side, which ends this process when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        import msvcrt

        for number in (0, 1):
            msvcrt.setmode(number, os.O_BINARY)
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    Serving(requests, replies, MappedInputs(inputs)).run()
