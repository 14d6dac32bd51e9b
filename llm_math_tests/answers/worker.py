"""The room for grading: answers run in a process that never sees what is expected."""

from __future__ import annotations

import dataclasses
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from llm_math_tests.answers.door import Fact, Loaded, Parameter, Reply, Request, Room, Where
from llm_math_tests.answers.shared_inputs import SharedInputs
from llm_math_tests.answers.values import Blocks, Given, arrays_in
from llm_math_tests.answers.wire import BadFrame, Decoder, Encoder, read_frame, write_frame

LOAD_SECONDS = 60.0
_GRACE = 1.0
"""The worker ends an overlong call itself and can say where; after this it is killed."""
_PROVED_BY = ("cpu", "stand-in", "fake", "device")
_PRINTED_LIMIT = 20_000
_PACKAGE = Path(__file__).resolve().parent.parent

# The worker gets the package without its parent folder on the path: beside it, in a
# checkout, lie the references.
_BOOT = """
import os, sys, types
package = types.ModuleType("llm_math_tests")
package.__path__ = [sys.argv[1]]
sys.modules["llm_math_tests"] = package
beside = os.path.dirname(sys.argv[1])
sys.path[:] = [p for p in sys.path if not (p and os.path.exists(p) and os.path.samefile(p, beside))
               or os.path.basename(p) == "site-packages"]
from llm_math_tests.answers.worker_main import main
main(sys.argv[2])
"""


class Worker:
    """Runs answers in worker processes, one for each track, restarted when they die."""

    name: Room = "worker"

    def __init__(self) -> None:
        self._processes: dict[tuple[str, bool], _Process] = {}
        self._listed: dict[Where, Loaded] = {}

    def _process(self, track: str, on_accelerator: bool = False) -> _Process:
        # The fake accelerator changes torch for its whole process: ordinary calls keep out.
        key = (track, on_accelerator)
        process = self._processes.get(key)
        if process is None or not process.alive():
            if process is not None:
                process.close()
            process = self._processes[key] = _Process()
        return process

    def load(self, where: Where) -> Loaded:
        """Load the file in its worker and say what it defines."""
        if where not in self._listed:
            self._listed[where] = self._load(where, self._process(where.track))
        return self._listed[where]

    def _load(self, where: Where, process: _Process) -> Loaded:
        header = {"do": "load", "where": _where_tree(where), "load_seconds": LOAD_SECONDS}
        process.loaded.add(where)
        try:
            tree, blobs = process.exchange(header, [], [], LOAD_SECONDS)
        except _Gone as gone:
            return Loaded({}, gone.reply)
        try:
            failed = tree["failed"]
            return Loaded(
                {
                    str(name): (
                        int(line),
                        None if ps is None else tuple(Parameter(*map(_word, p)) for p in ps),
                    )
                    for name, (line, ps) in tree["functions"].items()
                },
                None if failed is None else _reply(failed, blobs),
            )
        except (KeyError, TypeError, ValueError, BadFrame) as error:
            return Loaded({}, _tampered(error))

    def call(self, where: Where, request: Request, seconds: float) -> Reply:
        """Make one call, within a time limit held by this side."""
        process = self._process(where.track, request.on_accelerator and where.track == "torch")
        if where not in process.loaded:
            # On a clock of its own, and so that a library's memory is not the call's.
            gone = self._load(where, process).failed
            if gone is not None:
                return gone
        encoder = Encoder(process.lay_out)
        process.begin(request)
        outside = request.measure_memory and process.can_measure_memory()
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
        }
        if outside:
            process.reset_peak()
        started = time.perf_counter()
        try:
            tree, blobs = process.exchange(header, encoder.blobs, encoder.live, seconds)
        except _Gone as gone:
            return gone.reply
        took = time.perf_counter() - started
        try:
            reply = _reply(tree, blobs)
        except (KeyError, TypeError, ValueError, BadFrame) as error:
            process.kill()
            return _tampered(error)
        peak = process.peak_growth() if outside else reply.peak_bytes
        return replace(
            reply,
            changed=(*process.inputs.changed(), *_blocks_in(reply.changed, request)),
            seconds=took,
            peak_bytes=peak,
            printed=process.printed(),
        )

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            process.close()
        self._processes.clear()
        self._listed.clear()


class _Gone(Exception):
    """The worker did not answer; the reply says how it ended."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.problem)
        self.reply = reply


class _Process:
    """One worker process, its pipes and its shared inputs."""

    def __init__(self) -> None:
        self.inputs = SharedInputs()
        self.loaded: set[Where] = set()
        self._names: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, str(_PACKAGE), str(self.inputs.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            close_fds=True,
        )
        # A worker in an endless loop does not notice that its pipes were closed.
        weakref.finalize(self, self._process.kill)
        self._frames: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._said = bytearray()
        self._rss_before = 0
        for target in (self._read_frames, self._read_printed):
            threading.Thread(target=target, daemon=True).start()

    @property
    def _requests(self) -> BinaryIO:
        assert self._process.stdin is not None
        return self._process.stdin  # type: ignore[return-value]

    def _read_frames(self) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                self._frames.put(read_frame(self._process.stdout))  # type: ignore[arg-type]
            except (EOFError, OSError, ValueError, BadFrame) as error:
                self._frames.put(error)
                return

    def _read_printed(self) -> None:
        assert self._process.stderr is not None
        while part := os.read(self._process.stderr.fileno(), 65536):
            # Read on past the limit, or a chatty answer would block on a full pipe.
            self._said.extend(part[: max(0, _PRINTED_LIMIT - len(self._said))])

    def alive(self) -> bool:
        return self._process.poll() is None

    def begin(self, request: Request) -> None:
        self._said.clear()
        arrays = [*arrays_in(request.args), *arrays_in(request.kwargs)]
        arrays += list(arrays_in(request.cotangents or ()))
        self.inputs.begin([array for array in arrays if hasattr(array, "strides")])

    def lay_out(self, array: Any) -> dict[str, Any]:
        return self.inputs.lay_out(array, self._names[-1] if self._names else "")

    def naming(self, name: str) -> None:
        """Say which argument the arrays laid out from now on belong to."""
        self._names[:] = [name]

    def printed(self) -> str:
        return bytes(self._said).decode("utf-8", "replace")

    def exchange(
        self,
        header: dict[str, Any],
        blobs: list[bytes],
        live: list[Blocks | Given],
        seconds: float,
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request and serve what the answer needs until its reply comes."""
        deadline = time.monotonic() + seconds + _GRACE
        self._send(header, blobs)
        while True:
            try:
                frame = self._frames.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                problem = f"ran longer than the time limit of {seconds:g} s and was ended"
                raise _Gone(Reply("timeout", problem=problem, seconds=seconds)) from None
            if isinstance(frame, Exception):
                raise _Gone(self._obituary(frame))
            if "need" not in frame[0]:
                reply: tuple[dict[str, Any], list[bytes]] = frame
                return reply
            self._provide(frame[0], frame[1], live)

    def _provide(
        self, need: dict[str, Any], blobs: list[bytes], live: list[Blocks | Given]
    ) -> None:
        encoder = Encoder()
        try:
            wanted = live[need["id"]]
            args = Decoder(blobs).value(need["args"])
            value = wanted.pull() if isinstance(wanted, Blocks) else wanted(*args)
        except (BadFrame, IndexError, KeyError, TypeError) as error:
            self.kill()
            raise _Gone(_tampered(error)) from None
        self._send({"value": encoder.tree(value)}, encoder.blobs)

    def _send(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        try:
            write_frame(self._requests, header, blobs)
        except (BrokenPipeError, OSError):
            raise _Gone(self._obituary(EOFError())) from None

    def _obituary(self, error: Exception) -> Reply:
        """How the process ended, in words."""
        if isinstance(error, BadFrame):
            self.kill()
            return _tampered(error)
        try:
            code = self._process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            return Reply("refused", problem="closed its connection to us")
        printed = self.printed()
        if code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            if name == "SIGKILL":
                problem = "was killed by the system (out of memory?)"
                return Reply("memory", problem=problem, printed=printed)
            return Reply("signal", problem=f"crashed with {name}", printed=printed)
        problem = f"ended its process (exit code {code}) instead of returning"
        return Reply("signal", problem=problem, printed=printed)

    def can_measure_memory(self) -> bool:
        return Path(f"/proc/{self._process.pid}/clear_refs").exists()

    def reset_peak(self) -> None:
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        self._rss_before = self._status("VmRSS")

    def peak_growth(self) -> int | None:
        peak = self._status("VmHWM")
        return max(0, peak - self._rss_before) if peak else None

    def _status(self, field: str) -> int:
        try:
            text = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0
        for line in text.splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        return 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        if self.alive():
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.inputs.close()


def _blocks_in(names: tuple[str, ...], request: Request) -> tuple[str, ...]:
    """Those of the names that are iterators: blocks lie in the worker, so its word must do."""
    arguments = [*((str(i), v) for i, v in enumerate(request.args)), *request.kwargs.items()]
    blocks = {name for name, value in arguments if isinstance(value, Blocks)}
    return tuple(name for name in names if name in blocks)


def _named(encoder: Encoder, process: _Process, values: Any) -> Any:
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


def _cotangents(encoder: Encoder, process: _Process, request: Request) -> Any:
    process.naming("the cotangent")
    return encoder.tree(request.cotangents)


def _where_tree(where: Where) -> dict[str, Any]:
    return {
        **dataclasses.asdict(where),
        "path": str(where.path),
        "root": str(where.root),
    }


def _reply(tree: dict[str, Any], blobs: list[bytes]) -> Reply:
    decoder = Decoder(blobs)
    ended = tree["ended"]
    if ended not in ("returned", "raised", "timeout", "memory", "refused"):
        raise BadFrame(f"a reply that ended {ended!r}")
    return Reply(
        ended,
        value=decoder.value(tree["value"]),
        facts=tuple(
            Fact(str(f[0]), str(f[1]), str(f[2]), bool(f[3])) for f in tree["facts"][:1000]
        ),
        grads=decoder.value(tree["grads"]),
        changed=tuple(str(name) for name in tree["changed"]),
        warnings=tuple(str(text)[:500] for text in tree["warnings"][:5]),
        seconds=float(tree["seconds"]),
        peak_bytes=None if tree["peak_bytes"] is None else int(tree["peak_bytes"]),
        problem=str(tree["problem"])[:1000],
        exception=str(tree["exception"])[:100],
        line=None if tree["line"] is None else int(tree["line"]),
        text=str(tree["text"])[:200],
        proved_by=tree["proved_by"] if tree["proved_by"] in _PROVED_BY else "",
        notes=tuple(str(note)[:300] for note in tree["notes"][:20]),
    )


def _word(part: Any) -> Any:
    return part if part is None else str(part)[:200]


def _tampered(error: Exception) -> Reply:
    return Reply("refused", problem=f"sent a reply that is none ({error})")


def _environment() -> dict[str, str]:
    """A clean environment: nothing of ours that an answer could read or lean on."""
    kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "HOME",
            "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OPENBLAS_CORETYPE",
            "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")  # fmt: skip
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    # Large arrays go back to the system when freed, so that peak memory seen from
    # outside is the call's own.
    environment["MALLOC_MMAP_THRESHOLD_"] = "131072"
    environment["PYTHONIOENCODING"] = "utf-8"
    return environment
