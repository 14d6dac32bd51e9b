"""The trusted side of the worker room against answers that mean harm.

Every answer here reaches into its own process; what is tested is that the other
side believes none of it, waits for none of it, and survives it. Nothing is written
outside ``tmp_path``.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from llm_math_tests.answers import pipes, shared_inputs, worker_process
from llm_math_tests.answers.door import Reply, Request, Where
from llm_math_tests.answers.replies import decode_loaded, decode_reason, decode_reply
from llm_math_tests.answers.shared_inputs import SharedInputs
from llm_math_tests.answers.source import source_of, unreadable
from llm_math_tests.answers.values import Blocks, Given, Odd
from llm_math_tests.answers.wire import BadFrame, Decoder, Encoder
from llm_math_tests.answers.worker import MOST_ENDS, Worker
from llm_math_tests.answers.worker_main import reply_tree
from llm_math_tests.tracks import hardware

posix = pytest.mark.skipif(sys.platform == "win32", reason="the attack is POSIX's")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the attack is Linux's")

HELPERS = """
import os, signal, sys, time
import numpy as xp
from llm_math_tests.answers.door import Reply
from llm_math_tests.answers.wire import Encoder, write_frame
from llm_math_tests.answers.worker_main import reply_tree


def serving():
    frame = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if type(value).__name__ == "Serving":
                return value
        frame = frame.f_back


def send(header, blobs=()):
    header = {"token": serving()._token, **header}
    write_frame(serving()._replies, header, list(blobs))


def forge(**changes):
    tree = reply_tree(Reply("returned"), Encoder())
    send({**tree, **changes})


"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Worker()
    yield made
    made.close()


def where_of(body: str, track: str = "numpy", top: str = "") -> Where:
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    text = f"{HELPERS}{top}\ndef f(x, *more):\n{lines}\n"
    root = Path("answers")
    return Where("hostile", track, root / "hostile" / f"with_{track}.py", root, text)


def call(worker, body, *args, seconds=5.0, track="numpy", **asked) -> Reply:
    request = Request("f", args or (np.ones(3),), **asked)
    return worker.call(where_of(body, track), request, seconds)


def assert_still_serves(worker):
    reply = call(worker, "return x + 1")
    assert reply.ended == "returned", reply.problem
    np.testing.assert_array_equal(reply.value, np.full(3, 2.0))


GOOD = reply_tree(Reply("returned", value=1.5), Encoder())


class TestReplies:
    """Item by item: what is no reply is refused, and nothing but BadFrame comes out."""

    def test_an_honest_one_is_read(self):
        assert decode_reply(GOOD, []).value == 1.5

    @pytest.mark.parametrize(
        "changes",
        [
            {"ended": "signal"}, {"ended": ["returned"]}, {"ended": None}, {"value": [1]},
            {"value": {"@": "tuple", "items": {}}}, {"value": {"@": {}}}, {"grads": None},
            {"grads": {"@": "dict", "items": {}}}, {"facts": None}, {"facts": [["a", "b", "c"]]},
            {"facts": [["a", "b", "c", 1]]}, {"facts": {"a": 1}}, {"changed": "x"},
            {"changed": [1]}, {"warnings": [{}]}, {"warnings": 1e400}, {"seconds": "1"},
            {"seconds": float("nan")}, {"seconds": float("inf")}, {"seconds": -1.0},
            {"seconds": True}, {"seconds": 10**400}, {"peak_bytes": -1}, {"peak_bytes": 1.5},
            {"peak_bytes": 10**30}, {"line": float("inf")}, {"line": "3"}, {"problem": None},
            {"problem": ["x"]}, {"text": 3}, {"exception": {}}, {"notes": [None]},
        ],
    )  # fmt: skip
    def test_a_false_one_is_refused(self, changes):
        with pytest.raises(BadFrame) as refused:
            decode_reply({**GOOD, **changes}, [])
        assert len(str(refused.value)) < 200

    @pytest.mark.parametrize("tree", [None, [], 3, "reply", {}, {"ended": "returned"}])
    def test_so_is_what_is_no_reply_at_all(self, tree):
        for decode in (lambda t: decode_reply(t, []), lambda t: decode_loaded(t, []),
                       decode_reason):  # fmt: skip
            with pytest.raises(BadFrame):
                decode(tree)

    @pytest.mark.parametrize(
        "functions",
        [
            [], {"f": 3}, {"f": [1]}, {"f": ["1", None]}, {"f": [1.5, None]}, {"f": [-1, None]},
            {"f": [1, {}]}, {"f": [1, [["x", "KEYWORD_ONLY"]]]}, {"f": [1, [["x", "y", None]]]},
            {"f": [1, [[1, "KEYWORD_ONLY", None]]]}, {"f": [1, [["x", "KEYWORD_ONLY", 1]]]},
        ],
    )  # fmt: skip
    def test_a_false_listing_is_refused(self, functions):
        with pytest.raises(BadFrame):
            decode_loaded({"functions": functions, "failed": None}, [])

    def test_a_load_cannot_fail_by_returning(self):
        with pytest.raises(BadFrame, match="returned"):
            decode_loaded({"functions": {}, "failed": GOOD}, [])
        failed = decode_loaded({"functions": {}, "failed": {**GOOD, "ended": "raised"}}, [])
        assert failed.failed.ended == "raised"

    def test_texts_are_cut_and_can_be_printed(self):
        long = "\ud800" * 9000
        reply = decode_reply(
            {**GOOD, "problem": long, "text": long, "exception": long, "notes": [long] * 99,
             "warnings": [long] * 99, "changed": [long] * 999, "value": {"@": "odd", "type": long,
             "looks": long}}, [],
        )  # fmt: skip
        assert (len(reply.problem), len(reply.text), len(reply.exception)) == (1000, 200, 100)
        assert (len(reply.notes), len(reply.warnings), len(reply.changed)) == (20, 5, 100)
        assert max(map(len, (*reply.notes, *reply.warnings, *reply.changed))) <= 500
        str(dataclasses.astuple(reply)).encode()

    @pytest.mark.parametrize(
        "body",
        ["forge(seconds=1e999)", "forge(line=float('inf'))", "forge(facts=3)", "send({})",
         "send({'need': 'blocks', 'id': -1, 'args': None})", "forge(token='no request')",
         "forge(token=['x'])",
         "send({'need': 'blocks', 'id': 0, 'args': {'@': 'tuple', 'items': []}})"],
    )  # fmt: skip
    def test_through_the_door_it_is_refused_too(self, worker, body):
        reply = call(worker, body)
        assert reply.ended == "refused"
        assert "sent a reply that is none" in reply.problem
        assert_still_serves(worker)

    def test_a_forged_load_is_refused(self, worker):
        tree = "{'functions': {}, 'failed': reply_tree(Reply('returned'), Encoder())}"
        loaded = worker.load(where_of("return x", top=f"send({tree})\n"))
        assert loaded.failed.ended == "refused"
        assert "sent a reply that is none" in loaded.failed.problem
        assert_still_serves(worker)

    def test_time_is_measured_on_this_side(self, worker):
        reply = call(worker, "time.sleep(0.3)\nforge(seconds=0.0)")
        assert reply.seconds >= 0.3
        assert_still_serves(worker)


class TestProvedBy:
    """On what an answer ran is not its word."""

    def test_a_forged_word_is_not_taken(self, worker):
        reply = call(worker, "forge(proved_by='device')")
        assert (reply.ended, reply.proved_by) == ("returned", "cpu")

    @pytest.mark.parametrize(
        ("track", "on_accelerator", "devices", "torch_has_one", "expected"),
        [
            ("numpy", True, 1, True, "cpu"),
            ("torch", False, 1, True, "cpu"),
            ("torch", True, 0, True, "fake"),
            ("torch", True, 1, True, "device"),
            ("torch", True, 1, False, "fake"),
            ("cupy", False, 1, True, "device"),
            ("cupy", True, 0, True, "stand-in"),
        ],
    )
    def test_it_follows_from_what_this_side_knows(
        self, monkeypatch, track, on_accelerator, devices, torch_has_one, expected
    ):
        monkeypatch.setattr(hardware, "cuda_device_count", lambda: devices)
        monkeypatch.setattr(hardware, "installed", lambda package: True)
        asked = Worker()
        asked._torch = None, torch_has_one
        request = Request("f", (), on_accelerator=on_accelerator)
        assert asked._ran_on(track, request) == expected

    @pytest.mark.torch
    @pytest.mark.skipif(hardware.cuda_device_count() > 0, reason="there is a CUDA device here")
    def test_a_forged_refusal_of_the_fake_is_no_excuse(self, worker):
        reply = call(
            worker, "forge(ended='refused', problem='no fake here', proved_by='fake')",
            np.ones(3, np.float32), track="torch", on_accelerator=True, seconds=30.0,
        )  # fmt: skip
        assert (reply.ended, reply.proved_by) == ("raised", "fake")

    def test_where_a_clean_process_refuses_too_it_is_one(self):
        asked = Worker()
        asked._torch = "this torch cannot play", False
        reply = asked._played(Reply("refused", problem="forged", proved_by="fake"))
        assert (reply.ended, reply.problem) == ("refused", "this torch cannot play")


class TestHanging:
    """Nothing that an answer does makes this side wait past its deadline."""

    @pytest.fixture(params=["polled", "threads"])
    def worker(self, request, tmp_path, monkeypatch):
        if request.param == "threads":
            monkeypatch.setattr(worker_process, "channel", pipes.ThreadedChannel)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        made = Worker()
        yield made
        made.close()

    ASK = "{'need': 'blocks', 'id': 0, 'args': {'@': 'tuple', 'items': []}}"

    def test_an_answer_that_does_not_read(self, worker):
        body = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n" * posix_here()
        body += f"send({self.ASK})\ntime.sleep(60)"
        started = time.monotonic()
        reply = call(worker, body, Blocks((np.ones(1 << 18),)), seconds=0.5)
        assert reply.ended == "timeout"
        assert reply.seconds <= time.monotonic() - started < 60
        assert_still_serves(worker)

    def test_one_that_writes_half_a_message(self, worker):
        body = "serving()._replies.write(b'xx\\0\\0')\nserving()._replies.flush()\ntime.sleep(60)"
        reply = call(worker, body, seconds=0.5)
        assert reply.ended == "timeout"

    def test_one_that_asks_without_end(self, worker, monkeypatch):
        monkeypatch.setattr(worker_process, "MOST_NEEDS", 50)
        reply = call(worker, f"while True: send({self.ASK})", Blocks(()))
        assert reply.ended == "refused"
        assert "than any answer needs" in reply.problem

    def test_one_that_asks_until_the_deadline(self, worker):
        body = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n" * posix_here()
        reply = call(worker, f"{body}while True: send({self.ASK})", Blocks(()), seconds=0.5)
        assert reply.ended in ("timeout", "refused")
        assert reply.seconds < 60

    def test_one_that_hands_too_much_to_a_function(self, worker, monkeypatch):
        monkeypatch.setattr(worker_process, "MOST_NEEDED_BYTES", 1000)
        given = Given("same", lambda x: x)
        reply = call(worker, "return more[0](xp.ones(1000))", np.ones(1), given)
        assert reply.ended == "refused"

    def test_what_is_said_out_of_turn_answers_no_later_call(self, worker):
        assert call(worker, "forge()\nforge(value=7)").ended == "returned"
        assert_still_serves(worker)

    def test_an_interrupted_answer_leaves_nothing_behind(self, worker):
        body = "for block in more[0]: time.sleep(60)"
        reply = call(worker, body, np.ones(1), Blocks((np.ones(1 << 18),) * 9), seconds=0.3)
        assert reply.ended == "timeout"
        assert_still_serves(worker)

    @posix
    def test_a_process_that_keeps_the_pipes(self, worker):
        body = """
child = os.fork()
if child:
    print(child, flush=True)
    time.sleep(0.1)
    os._exit(3)
time.sleep(60)
"""
        started = time.monotonic()
        reply = call(worker, body)
        assert reply.ended == "signal"
        assert "exit code 3" in reply.problem
        worker.close()
        assert time.monotonic() - started < 60
        assert not lives(int(reply.printed.split()[0]))

    @linux
    def test_a_process_with_a_session_of_its_own(self, worker):
        body = """
child = os.fork()
if child:
    print(child, flush=True)
    time.sleep(60)
os.setsid()
time.sleep(60)
"""
        reply = call(worker, body, seconds=0.5)
        worker.close()
        assert not lives(int(reply.printed.split()[0]))


def test_a_function_that_refuses_its_arguments_is_heard_by_the_answer(worker):
    def picky(x):
        raise ValueError("only of shape (2,)")

    body = "try:\n    more[0](x)\nexcept ValueError as error:\n    return str(error)"
    assert call(worker, body, np.ones(3), Given("picky", picky)).value == "only of shape (2,)"


def posix_here() -> bool:
    return sys.platform != "win32"


def lives(pid: int) -> bool:
    for _ in range(20):
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.05)
    return True


ARRAY = {"@": "array", "dtype": "float64", "shape": [1], "blob": 0}


class TestSizes:
    """A small message cannot become a large value."""

    @pytest.mark.parametrize(
        "tree",
        [
            {"@": "tuple", "items": [ARRAY, ARRAY]},
            {"@": "tuple", "items": [{"@": "bytes", "blob": 0}, ARRAY]},
            {"@": "tuple", "items": [None] * 100_001},
            {**ARRAY, "shape": [0, 2**41]},
            {**ARRAY, "shape": [1] * 33},
            {**ARRAY, "shape": [0, 2**40, 2**40, 2**40], "layout": "strided"},
            {**ARRAY, "dtype": ["float64"]},
            {"@": "x" * 10**6},
            {"@": "bytes", "blob": 10**4000},
        ],
    )
    def test_what_is_too_large_is_refused_in_few_words(self, tree):
        with pytest.raises(BadFrame) as refused:
            Decoder([b"12345678"]).value(tree)
        assert len(str(refused.value)) < 200

    def test_all_arrays_of_a_message_count_together(self, monkeypatch):
        monkeypatch.setattr("llm_math_tests.answers.wire.MAX_DECODED", 20)
        decoder = Decoder([b"12345678"] * 3)
        decoder.value(ARRAY)
        decoder.value({**ARRAY, "blob": 1})
        with pytest.raises(BadFrame, match="more bytes"):
            decoder.value({**ARRAY, "blob": 2})

    def test_texts_and_numbers_are_cut(self):
        assert len(Decoder([]).value("x" * 10**6)) == 10_000
        assert list(Decoder([]).value({"@": "dict", "items": {"k" * 999: 1}})) == ["k" * 200]
        assert isinstance(Decoder([]).value(10**400), Odd)


class TestSharedInputs:
    """The answer may do to the file what it likes; this side only reads and writes it."""

    @posix
    def test_a_file_cut_short_is_a_changed_input(self, tmp_path):
        shared = SharedInputs(tmp_path)
        shared.begin([np.ones(1000)])
        shared.lay_out(np.ones(1000), "x")
        (file,) = shared.folder.iterdir()
        os.truncate(file, 100)
        assert shared.changed() == ("x",)
        shared.begin([np.ones(1000)])
        shared.lay_out(np.ones(1000), "x")
        assert shared.changed() == ()
        assert file.stat().st_size == 1 << 20
        shared.close()

    @posix
    def test_a_planted_link_is_not_followed(self, tmp_path, monkeypatch):
        shared = SharedInputs(tmp_path)
        victim = tmp_path / "victim"
        victim.write_text("precious")
        (shared.folder / "planted").symlink_to(victim)
        monkeypatch.setattr(shared_inputs.secrets, "token_hex", lambda count: "planted")
        with pytest.raises(OSError, match="exists"):
            shared.begin([np.ones(1 << 20)])
        assert victim.read_text() == "precious"
        shared.close()

    @posix
    def test_through_the_door_the_cut_is_seen(self, worker):
        cut = "for path in serving()._inputs._folder.iterdir(): os.truncate(path, 0)\nreturn 1"
        assert call(worker, cut).changed == ("0",)
        assert_still_serves(worker)

    @posix
    @pytest.mark.skipif(posix_here() and os.getuid() == 0, reason="nothing is closed to root")
    def test_a_closed_folder_costs_only_the_answer(self, worker):
        call(worker, "os.chmod(serving()._inputs._folder, 0)\nreturn 1")
        reply = call(worker, "return 1", np.ones(1 << 20))
        assert "could not be written" in reply.problem
        assert_still_serves(worker)

    def test_a_folder_taken_away_costs_only_the_answer(self, worker):
        take = """
folder = serving()._inputs._folder
folder.rename(folder.with_name(folder.name + "-elsewhere"))
return 1
"""
        assert call(worker, take).ended == "returned"
        reply = call(worker, "return 1", np.ones(1 << 20))
        assert "could not be written" in reply.problem
        assert_still_serves(worker)


class TestSource:
    """A file of answers is looked at before it is read."""

    def source(self, path: Path):
        return source_of(Where("t", "numpy", path, path.parent))

    def test_a_folder(self, tmp_path):
        assert unreadable(tmp_path) == "is a folder, not a file"
        assert self.source(tmp_path).functions is None

    @posix
    def test_a_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.py")
        assert unreadable(tmp_path / "pipe.py") == "is not a regular file"
        assert self.source(tmp_path / "pipe.py").functions is None

    def test_a_large_file(self, tmp_path):
        large = tmp_path / "large.py"
        with large.open("wb") as file:
            file.truncate(12_000_000)
        assert unreadable(large) == "is 12.0 MB large; answers are at most 1 MB"
        assert self.source(large).exists
        assert self.source(large).functions is None

    def test_no_file(self, tmp_path):
        assert unreadable(tmp_path / "none.py") is None
        assert not self.source(tmp_path / "none.py").exists

    @pytest.mark.parametrize(
        "raw",
        [
            b"\xef\xbb\xbfdef f(x):\r\n    return x\r\n",
            b"# -*- coding: latin-1 -*-\n# \xe9\ndef f(x):\n    return x\n",
        ],
    )
    def test_a_mark_a_coding_line_and_line_ends(self, tmp_path, raw):
        path = tmp_path / "answer.py"
        path.write_bytes(raw)
        assert unreadable(path) is None
        assert list(self.source(path).functions) == ["f"]

    @pytest.mark.parametrize("raw", [b"# coding: none-such\n", b"\xff\xfe", b"a\0b"])
    def test_what_is_no_text_has_no_functions(self, tmp_path, raw):
        path = tmp_path / "answer.py"
        path.write_bytes(raw)
        assert self.source(path).functions is None


@linux
class TestMemory:
    """An answer cannot hide what it used."""

    def test_resetting_the_peak_hides_nothing(self, worker):
        body = """
big = xp.ones(5_000_000)
time.sleep(0.05)
del big
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
return x
"""
        assert call(worker, body, measure_memory=True).peak_bytes > 38e6

    def test_another_process_counts(self, worker):
        body = """
if not (child := os.fork()):
    big = xp.ones(5_000_000)
    time.sleep(0.1)
    os._exit(0)
os.waitpid(child, 0)
return x
"""
        assert call(worker, body, measure_memory=True).peak_bytes > 38e6

    def test_without_a_reading_there_is_no_success(self, worker, monkeypatch):
        assert call(worker, "return x").ended == "returned"
        monkeypatch.setattr(worker_process, "_status", lambda pid, field: 0)
        reply = call(worker, "return x", measure_memory=True)
        assert reply.ended == "signal"
        assert reply.problem == "memory could not be measured: the process ended"

    def test_a_forged_size_is_not_taken(self, worker):
        reply = call(worker, "big = xp.ones(5_000_000)\nforge(peak_bytes=0)", measure_memory=True)
        assert reply.peak_bytes > 38e6


class TestEnds:
    """Every end of the process is paid for, and they are counted."""

    def test_three_ends_are_enough(self, worker):
        for _ in range(MOST_ENDS):
            reply = call(worker, "time.sleep(0.1)\nos._exit(1)")
            assert reply.ended == "signal"
            assert reply.seconds > 0.1
        started = time.monotonic()
        reply = call(worker, "time.sleep(0.1)\nos._exit(1)")
        assert time.monotonic() - started < 30
        assert (reply.ended, reply.problem) == ("signal", "was ended 3 times; not called again")
        assert_still_serves(worker)

    def test_ends_while_loading_count_too(self, worker):
        where = where_of("return x", top="os._exit(1)\n")
        for _ in range(MOST_ENDS):
            assert "exit code 1" in worker.call(where, Request("f", (1.0,)), 5.0).problem
        assert "not called again" in worker.call(where, Request("f", (1.0,)), 5.0).problem
