"""The room for ``llm-math watch``: workers that wait, warm, for the next version of a file.

Answers never run in the watching process: one that ends its process, hangs or breaks
its library costs a worker. A worker is used again only after it has shown that it is
as it was before (see ``left_behind``); otherwise the next one is started at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from llm_math_tests.answers.door import Loaded, Reply, Request, Where
from llm_math_tests.answers.replies import decode_reason
from llm_math_tests.answers.wire import BadFrame, clean_text
from llm_math_tests.answers.worker import LOAD_SECONDS, Worker
from llm_math_tests.answers.worker_process import Gone, Process

_SECONDS_TO_FORGET = 3.0
_MOST_PRINTED = 20_000
_UNTIL_SAID = 0.002
"""Seconds that what was printed may take from the worker to us."""

_OUT_OF_DATE = Reply("signal", problem="is out of date")

Key = tuple[str, bool]
"""A track, and whether it is the process for its accelerator."""


class WarmWorker(Worker):
    """A worker whose processes are kept from one version of the files to the next."""

    def __init__(self) -> None:
        super().__init__(trusting=True)
        self._starting: dict[Key, threading.Thread] = {}
        self._ready: dict[Key, Process] = {}
        self._printed: list[str] = []
        self._busy: Process | None = None
        self._ended_so: list[str] = []
        self._out_of_date = False
        self._closed = False

    def prepare(self, tracks: Iterable[str]) -> None:
        """Start what these tracks need and is not there yet, without waiting for it."""
        for track in tracks:
            for on_accelerator in (False, True) if track == "torch" else (False,):
                self._start((track, on_accelerator))

    def _start(self, key: Key) -> None:
        process = self._processes.get(key)
        if key in self._starting or (process is not None and process.alive()):
            return
        thread = threading.Thread(target=self._begin, args=(key,), daemon=True)
        self._starting[key] = thread
        thread.start()

    def _begin(self, key: Key) -> None:
        process = Process(trusting=True)
        if self._closed:
            process.close()
            return
        self._ready[key] = process
        header = {"do": "warm", "track": key[0], "on_accelerator": key[1]}
        try:
            tree, _ = process.exchange(header, [], [], LOAD_SECONDS)
            reason = decode_reason(tree)
        except (Gone, BadFrame):
            return  # whoever asks it for something is told how it ended
        if key[1]:
            # No answer was loaded yet, so its word holds.
            self._torch = reason

    def _process(self, track: str, on_accelerator: bool = False) -> Process:
        key = (track, on_accelerator)
        self._start(key)
        starting = self._starting.pop(key, None)
        if starting is not None:
            starting.join()
            old = self._processes.get(key)
            if old is not None:
                old.close()
            self._processes[key] = self._ready.pop(key)
        self._busy = self._processes[key]
        return self._busy

    def load(self, where: Where) -> Loaded:
        """Load the file and say what it defines."""
        return Loaded({}, _OUT_OF_DATE) if self._out_of_date else super().load(where)

    def call(self, where: Where, request: Request, seconds: float) -> Reply:
        """Make one call, within a time limit."""
        return _OUT_OF_DATE if self._out_of_date else super().call(where, request, seconds)

    def _ended(self, where: Where, reply: Reply, started: float, aside: bool) -> Reply:
        self._ended_so.append(f"it {reply.problem}")
        return super()._ended(where, reply, started, aside)

    def _load(self, where: Where, process: Process, aside: bool = False) -> Loaded:
        self._hear(process)
        return super()._load(where, process, aside)

    def _call(self, process: Process, where: Where, request: Request, seconds: float) -> Reply:
        self._hear(process)  # a call begins by forgetting what was printed
        return super()._call(process, where, request, seconds)

    def _hear(self, process: Process) -> None:
        text = process.take_printed()
        if text and sum(map(len, self._printed)) < _MOST_PRINTED:
            self._printed.append(text)

    def printed(self) -> str:
        """What the answers printed since the last :meth:`renew`."""
        time.sleep(_UNTIL_SAID)
        for process in self._processes.values():
            self._hear(process)
        return "".join(self._printed)

    def abandon(self) -> None:
        """End the call under way, from another thread, and make no other until all is renewed."""
        process = self._busy
        if process is not None and not self._out_of_date:
            self._out_of_date = True
            process.kill()

    def renew(self) -> list[str]:
        """Get ready for other versions of the files; why processes had to be replaced."""
        self.forget()
        why, self._ended_so = self._ended_so, []
        if self._out_of_date:
            why = ["it was still checking when you saved"]
        for key, process in list(self._processes.items()):
            if process.alive() and not process.loaded:
                continue
            alive = process.alive()
            left = _forgotten(process) if alive else []
            if left or not alive:
                why += left
                process.close()
                del self._processes[key]
                self._start(key)
            process.loaded.clear()
            process.take_printed()
        self._printed.clear()
        self._busy = None
        self._out_of_date = False
        return list(dict.fromkeys(why))

    def close(self) -> None:
        """End the processes, also those that are only starting."""
        self._closed = True
        for process in self._ready.values():
            process.kill()
        for thread in self._starting.values():
            thread.join(timeout=2.0)
        for process in self._ready.values():
            process.close()
        super().close()


def _forgotten(process: Process) -> list[str]:
    """Let a process forget its answers; what it could not, in words."""
    try:
        tree, _ = process.exchange({"do": "forget"}, [], [], _SECONDS_TO_FORGET)
    except Gone:
        return ["it did not answer any more"]
    left = tree.get("left")
    if not isinstance(left, list):
        return ["it sent a reply that is none"]
    return [clean_text(str(text), 200) for text in left]
