"""The room for grading: answers run in a process that never sees what is expected."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_math_tests.answers.door import Loaded, Reply, Request, Room, Where
from llm_math_tests.answers.lending import Desk, Lender, Shelf
from llm_math_tests.answers.replies import decode_loaded, decode_reason, decode_reply
from llm_math_tests.answers.values import Blocks, Value, dtype_name, is_array
from llm_math_tests.answers.wire import BadFrame, Encoder
from llm_math_tests.answers.worker_process import Gone, Process, tampered
from llm_math_tests.exercises import TOPICS
from llm_math_tests.tracks import hardware

LOAD_SECONDS = 60.0
MOST_ENDS = 3
"""An answer that was ended so often, by itself or by us, is not called again."""
_FLOATING = ("float64", "float32", "float16", "bfloat16")


class Worker:
    """Runs answers in worker processes, one for each track, restarted when they die."""

    name: Room = "worker"

    def __init__(self, trusting: bool = False) -> None:
        """Make a room; ``trusting`` is for students, who have nothing to gain by a lie.

        Where the fake accelerator cannot decide, theirs is "not run" and not an error.
        """
        self._trusting = trusting
        self._processes: dict[tuple[str, bool], Process] = {}
        self._listed: dict[Where, Loaded] = {}
        self._ends: Counter[Where] = Counter()
        self._shelves: dict[tuple[Path, str], Shelf] = {}
        self._asked: defaultdict[tuple[Path, str], set[str]] = defaultdict(set)
        """The functions that were called: none of those is lent."""
        self._torch: tuple[str | None, bool] | None = None

    def _process(self, track: str, on_accelerator: bool = False) -> Process:
        # The fake accelerator changes torch for its whole process: ordinary calls keep out.
        key = (track, on_accelerator)
        process = self._processes.get(key)
        if process is None or not process.alive():
            if process is not None:
                process.close()
            process = self._processes[key] = Process(self._trusting)
        return process

    def load(self, where: Where) -> Loaded:
        """Load the file in its worker and say what it defines."""
        if where not in self._listed:
            self._listed[where] = self._load(where, self._process(where.track))
        return self._listed[where]

    def _load(self, where: Where, process: Process, aside: bool = False) -> Loaded:
        started = time.perf_counter()
        if self._ends[where] >= MOST_ENDS:
            return Loaded({}, _not_again())
        self._shelf(where)
        header = {
            "do": "load", "where": _where_tree(where), "load_seconds": LOAD_SECONDS,
            "course": TOPICS,
        }  # fmt: skip
        process.loaded.add(where)
        try:
            tree, blobs = process.exchange(header, [], [], LOAD_SECONDS)
            loaded = decode_loaded(tree, blobs)
        except Gone as gone:
            return Loaded({}, self._ended(where, gone.reply, started, aside))
        except BadFrame as error:
            process.kill()
            return Loaded({}, self._ended(where, tampered(error), started, aside))
        if loaded.failed is None:
            return loaded
        return Loaded({}, replace(loaded.failed, seconds=time.perf_counter() - started))

    def _shelf(self, where: Where) -> Shelf:
        """The folder's files as they were before anything of it ran: an answer may write."""
        key = (where.root, where.track)
        if key not in self._shelves:
            self._shelves[key] = Shelf.of(*key)
        return self._shelves[key]

    def _ended(self, where: Where, reply: Reply, started: float, aside: bool) -> Reply:
        """Count an end of the process against the answer, which pays for its time."""
        if not aside:
            self._ends[where] += 1
        return replace(reply, seconds=time.perf_counter() - started)

    def call(self, where: Where, request: Request, seconds: float) -> Reply:
        """Make one call, within a time limit held by this side."""
        if self._ends[where] >= MOST_ENDS:
            return _not_again()
        started = time.perf_counter()
        process = self._process(where.track, request.on_accelerator and where.track == "torch")
        if where not in process.loaded:
            # On a clock of its own, and so that a library's memory is not the call's.
            gone = self._load(where, process, request.aside).failed
            if gone is not None:
                return gone
        try:
            return self._call(process, where, request, seconds)
        except Gone as gone_now:
            return self._ended(where, gone_now.reply, started, request.aside)
        except BadFrame as error:
            process.kill()
            return self._ended(where, tampered(error), started, request.aside)

    def _call(self, process: Process, where: Where, request: Request, seconds: float) -> Reply:
        encoder = Encoder(process.lay_out)
        self._asked[where.root, where.track].add(request.function)
        desk = None
        if isinstance(request.lent, Lender):
            asked = self._asked[where.root, where.track]
            desk = Desk(request.lent, self._shelf(where), asked, encoder.live)
        outside = request.measure_memory and process.can_measure_memory()
        try:
            process.begin(request)
            header = {
                "do": "call",
                "where": _where_tree(where),
                "load_seconds": LOAD_SECONDS,
                "function": request.function,
                "args": _named(encoder, process, request.args),
                "kwargs": _named(encoder, process, request.kwargs),
                "cotangents": _cotangents(encoder, process, request),
                "on_accelerator": request.on_accelerator,
                "measure_memory": request.measure_memory and not outside,
                "seconds": seconds,
                "lends": desk is not None,
            }
        except OSError as error:
            process.kill()
            problem = f"its inputs could not be written: {error.strerror}"
            raise Gone(Reply("signal", problem=problem)) from None
        if outside and not process.reset_peak():
            raise Gone(_unmeasured(process))
        started = time.perf_counter()
        tree, blobs = process.exchange(header, encoder.blobs, encoder.live, seconds, desk)
        took = time.perf_counter() - started
        reply = decode_reply(tree, blobs)
        peak = process.peak_growth() if outside else reply.peak_bytes
        ran_on = self._ran_on(where.track, request)
        if reply.ended == "returned" and ran_on != "fake":
            if request.measure_memory and peak is None:
                raise Gone(_unmeasured(process))
            if request.cotangents is not None and len(reply.grads) != _floating_in(request):
                raise BadFrame("another number of gradients than was asked for")
        reply = replace(
            reply,
            changed=(*process.inputs.changed(), *_blocks_in(reply.changed, request)),
            seconds=took,
            peak_bytes=peak,
            printed=process.printed(),
            proved_by=ran_on,
            leaned_on=() if desk is None else tuple(desk.used),
        )
        if reply.ended == "timeout" and encoder.live:
            # It may have been interrupted in the middle of a message.
            process.kill()
        return self._played(reply) if ran_on == "fake" and reply.ended == "refused" else reply

    def _ran_on(self, track: str, request: Request) -> str:
        """What a call runs on, by what this side knows: the answer is not asked."""
        devices = hardware.cuda_device_count()
        if track == "cupy":
            return "device" if devices and hardware.installed("cupy") else "stand-in"
        if track != "torch" or not request.on_accelerator:
            return "cpu"
        # A torch without CUDA beside a device does not see it.
        return "device" if devices and self._asked_torch()[1] else "fake"

    def _played(self, reply: Reply) -> Reply:
        """A refusal by the fake accelerator counts only where a clean process refuses, too."""
        reason, _ = self._asked_torch()
        if reason is None and self._trusting:
            return reply
        if reason is not None:
            return Reply("refused", problem=reason, seconds=reply.seconds, proved_by="fake")
        return replace(reply, ended="raised", problem=reply.problem or "could not be run there")

    def _asked_torch(self) -> tuple[str | None, bool]:
        """Why there is no fake accelerator, and whether torch has a real one.

        Asked once, of a process in which no answer was ever loaded.
        """
        if self._torch is None:
            process = Process()
            try:
                tree, _ = process.exchange({"do": "fake_available"}, [], [], LOAD_SECONDS)
                self._torch = decode_reason(tree)
            except (Gone, BadFrame) as error:
                self._torch = f"the fake accelerator cannot be asked: {error}", False
            finally:
                process.close()
        return self._torch

    def forget(self) -> None:
        """Let go of what was seen of the answers' files: they may have changed."""
        self._listed.clear()
        self._ends.clear()
        self._shelves.clear()
        self._asked.clear()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            process.close()
        self._processes.clear()
        self._listed.clear()


def _not_again() -> Reply:
    return Reply("signal", problem=f"was ended {MOST_ENDS} times; not called again")


def _unmeasured(process: Process) -> Reply:
    process.kill()
    return Reply("signal", problem="memory could not be measured: the process ended")


def _floating_in(request: Request) -> int:
    """How many gradients a request with cotangents asks for."""
    values: list[Value] = []
    for value in (*request.args, *request.kwargs.values()):
        values += value.values() if isinstance(value, dict) else [value]
    return sum(is_array(value) and dtype_name(value) in _FLOATING for value in values)


def _blocks_in(names: tuple[str, ...], request: Request) -> tuple[str, ...]:
    """Those of the names that are iterators: blocks lie in the worker, so its word must do."""
    arguments = [*((str(i), v) for i, v in enumerate(request.args)), *request.kwargs.items()]
    blocks = {name for name, value in arguments if isinstance(value, Blocks)}
    return tuple(name for name in names if name in blocks)


def _named(encoder: Encoder, process: Process, values: Any) -> Any:
    """Encode the arguments, telling the shared inputs whose array comes next."""
    if isinstance(values, dict):
        items = {}
        for name, value in values.items():
            process.naming(name)
            items[name] = encoder.tree(value)
        return {"@": "dict", "items": items}
    trees = []
    for position, value in enumerate(values):
        process.naming(str(position))
        trees.append(encoder.tree(value))
    return {"@": "tuple", "items": trees}


def _cotangents(encoder: Encoder, process: Process, request: Request) -> Any:
    process.naming("the cotangent")
    return encoder.tree(request.cotangents)


def _where_tree(where: Where) -> dict[str, Any]:
    return {
        **dataclasses.asdict(where),
        "path": str(where.path),
        "root": str(where.root),
    }
