"""One worker process: its pipes, its clock, its memory, and its end.

What runs in it is an answer, which may be hostile. Nothing here waits past a
deadline, believes a size, or leaves a process behind that can be found.
"""

from __future__ import annotations

import os
import secrets
import signal
import site
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from llm_math_tests.answers.door import Reply, Request, Where
from llm_math_tests.answers.lending import Desk
from llm_math_tests.answers.pipes import Late, Said, channel
from llm_math_tests.answers.shared_inputs import SharedInputs
from llm_math_tests.answers.values import Blocks, Given, arrays_in
from llm_math_tests.answers.wire import (
    BadFrame,
    Decoder,
    Encoder,
    natural,
    read_frame,
    write_frame,
)

_GRACE = 1.0
"""The worker ends an overlong call itself and can say where; after this it is killed."""
MOST_NEEDS = 100_000
"""How often one call may ask for a block or call a function."""
MOST_NEEDED_BYTES = 1 << 30
"""The bytes of arrays that one call may hand to functions."""
_PRINTED_LIMIT = 20_000
_SAMPLE_SECONDS = 0.002
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


class Gone(Exception):
    """The worker did not answer; the reply says how it ended."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.problem)
        self.reply = reply


def tampered(error: Exception) -> Reply:
    """The reply that stands for one that is none."""
    return Reply("refused", problem=f"sent a reply that is none ({error})"[:300])


class Process:
    """One worker process, its pipes and its shared inputs."""

    def __init__(self, trusting: bool = False) -> None:
        self.inputs = SharedInputs()
        self.loaded: set[Where] = set()
        self._name = ""
        self._past: set[str] = set()
        self._process = subprocess.Popen(
            [
                sys.executable,
                *_options(trusting),
                "-c",
                _BOOT,
                str(_PACKAGE),
                str(self.inputs.folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(),
            close_fds=True,
            start_new_session=True,
        )
        # A worker in an endless loop does not notice that its pipes were closed.
        self._end = weakref.finalize(self, _end, self._process)
        self._said = Said(_own(self._process.stderr), _PRINTED_LIMIT)
        process = self._process
        self._channel = channel(
            _own(process.stdout), _own(process.stdin), lambda: process.poll() is None
        )
        weakref.finalize(self, self._channel.close)
        weakref.finalize(self, self._said.stop)
        self._memory: _MemoryWatch | None = None

    def alive(self) -> bool:
        """Whether it can be asked: it lives and has not spoken out of turn."""
        return self._end.alive and self._process.poll() is None and not self._channel.waiting()

    def begin(self, request: Request) -> None:
        """Make room for a call's inputs."""
        self._said.clear()
        arrays = [*arrays_in(request.args), *arrays_in(request.kwargs)]
        arrays += list(arrays_in(request.cotangents or ()))
        self.inputs.begin([array for array in arrays if hasattr(array, "strides")])

    def lay_out(self, array: Any) -> dict[str, Any]:
        """Put an array where the worker finds it."""
        return self.inputs.lay_out(array, self._name)

    def naming(self, name: str) -> None:
        """Say which argument the arrays laid out from now on belong to."""
        self._name = name

    def printed(self) -> str:
        """What the answer printed during the call."""
        return self._said.text()

    def exchange(
        self,
        header: dict[str, Any],
        blobs: list[bytes],
        live: list[Blocks | Given],
        seconds: float,
        desk: Desk | None = None,
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request and serve what the answer needs until its reply comes."""
        self._channel.deadline = time.monotonic() + seconds + _GRACE
        needs = needed = 0
        token = secrets.token_hex(8)
        try:
            write_frame(self._channel, {**header, "token": token}, blobs)
            while True:
                frame = read_frame(self._channel)
                said = frame[0].get("token")
                late = type(said) is str and said in self._past
                if said != token and not late:
                    raise BadFrame("a message of no request of ours")
                if "need" not in frame[0] and not late:
                    self._past.add(token)
                    return frame
                needs += 1
                needed += sum(map(len, frame[1]))
                if needs > MOST_NEEDS or needed > MOST_NEEDED_BYTES:
                    raise BadFrame("more requests for inputs than any answer needs")
                # What an earlier call left behind answers nothing now.
                if not late:
                    left = self._channel.deadline - time.monotonic()
                    write_frame(self._channel, *_provided(frame[0], frame[1], live, desk, left))
        except Late:
            printed = self.printed()
            self.kill()
            problem = f"ran longer than the time limit of {seconds:g} s and was ended"
            raise Gone(Reply("timeout", problem=problem, printed=printed)) from None
        except BadFrame as error:
            self.kill()
            raise Gone(tampered(error)) from None
        except (EOFError, OSError):
            raise Gone(self._obituary()) from None

    def _obituary(self) -> Reply:
        """How the process ended, in words."""
        try:
            code = self._process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            return Reply("refused", problem="closed its connection to us")
        printed = self.printed()
        self.kill()
        if code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            if name == "SIGKILL":
                problem = "was killed by the system (out of memory?)"
                return Reply("memory", problem=problem, printed=printed)
            return Reply("signal", problem=f"crashed with {name}", printed=printed)
        problem = f"ended its process (exit code {code}) instead of returning"
        return Reply("signal", problem=problem, printed=printed)

    def take_printed(self) -> str:
        """What was printed since this was asked, and it is forgotten."""
        text = self._said.text()
        self._said.clear()
        return text

    def can_measure_memory(self) -> bool:
        """Whether the system tells a process's peak memory from outside."""
        return Path("/proc/self/clear_refs").exists()

    def reset_peak(self) -> bool:
        """Begin to measure; False where the process keeps us from it."""
        try:
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        except OSError:
            return False
        self._memory = _MemoryWatch(self._process.pid)
        return True

    def peak_growth(self) -> int | None:
        """The most memory since the reset beyond what there was; None if nobody can tell."""
        watch, self._memory = self._memory, None
        if watch is None:
            return None
        seen = watch.stop()
        peak = _status(self._process.pid, "VmHWM")
        if not peak or not watch.before or self._process.poll() is not None:
            return None
        return max(0, max(peak, seen) - watch.before)

    def kill(self) -> None:
        """End the process and every one that it started, as far as they can be found."""
        if self._memory is not None:
            self._memory.stop()
            self._memory = None
        self._end()

    def close(self) -> None:
        """End the process and let go of everything of it."""
        self.kill()
        self._channel.close()
        self._said.stop()
        self.inputs.close()


class _MemoryWatch:
    """Looks at the memory of a process and of those it started, every few milliseconds.

    The system's own peak knows one process only, and the process can reset it.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = _family_memory(pid)
        self._most = self.before
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            self._most = max(self._most, _family_memory(self._pid))

    def stop(self) -> int:
        """The most that was seen."""
        self._stopped.set()
        self._thread.join()
        return self._most


def _family_memory(pid: int) -> int:
    return sum(_status(member, "VmRSS") for member in (pid, *_descendants(pid)))


def _descendants(pid: int) -> list[int]:
    """The processes that a process started, and those started by them (Linux)."""
    found: list[int] = []
    ask = [pid]
    while ask and len(found) < 1000:
        try:
            tasks = os.listdir(f"/proc/{(of := ask.pop())}/task")
        except OSError:
            continue
        for task in tasks:
            with suppress(OSError, ValueError):
                children = Path(f"/proc/{of}/task/{task}/children").read_text()
                fresh = [int(child) for child in children.split()]
                found += fresh
                ask += fresh
    return found


def _status(pid: int, field: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (OSError, ValueError):
        return 0
    for line in text.splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def _options(trusting: bool) -> list[str]:
    """Python's options: nothing of the current folder or the environment on the path.

    Students may have installed NumPy for themselves only; where answers are not trusted,
    nothing is taken from a folder that they could have written to.
    """
    return ["-E", "-P"] if trusting and site.ENABLE_USER_SITE else ["-I"]


def _own(pipe: IO[bytes] | None) -> int:
    """The pipe's descriptor, owned by us: a file object cannot be closed while it is read."""
    assert pipe is not None
    descriptor = os.dup(pipe.fileno())
    pipe.close()
    return descriptor


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, its group and its descendants, and take note of its end."""
    strays = _descendants(process.pid) if process.returncode is None else []
    if sys.platform != "win32":
        # Its group bears its number, also where the process itself is gone.
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        for stray in strays:
            with suppress(OSError):
                os.kill(stray, signal.SIGKILL)
    with suppress(OSError):
        process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5.0)


def _provided(
    need: dict[str, Any],
    blobs: list[bytes],
    live: list[Blocks | Given],
    desk: Desk | None,
    seconds: float,
) -> tuple[dict[str, Any], list[bytes]]:
    """What an answer asked for: a block, or what a function returned or raised."""
    lent = need["need"] == "lent" and desk is not None
    try:
        wanted = None if lent else live[natural(need["id"])]
        args = Decoder(blobs).value(need["args"])
    except (LookupError, TypeError) as error:
        raise BadFrame(f"a request that is not ours: {type(error).__name__}") from None
    if not isinstance(args, tuple):
        raise BadFrame("arguments that are no tuple")
    encoder = Encoder()
    try:
        if desk is not None and wanted is None:
            value = desk.serve(need.get("track"), need.get("name"), args, max(0.05, seconds))
        elif isinstance(wanted, Blocks):
            value = wanted.pull()
        else:
            assert wanted is not None
            value = wanted(*args)
        return {"value": encoder.tree(value)}, encoder.blobs
    except Exception as error:
        # The function got what it does not take: the answer hears of it, as in this process.
        return {"error": type(error).__name__, "text": str(error)[:300]}, []


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
