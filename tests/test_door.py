"""The door between engine and answer, on the four awkward rows that the design names.

An iterator pulled through it, functions called back through it, a cache that one
call returns and the next takes, and a dtype that NumPy has not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Where
from llm_math_tests.answers.values import Bfloat16, Blocks, Given
from llm_math_tests.checks.wrong import AnswerEnded
from llm_math_tests.exercise import Exercise

TRACKS = ["numpy", pytest.param("torch", marks=pytest.mark.torch), "cupy"]
LIBRARY = {
    "numpy": "import numpy as xp",
    "torch": "import torch as xp",
    "cupy": "import cupy as xp",
}


def answer(signature: str, body: str, track: str, room) -> Answer:
    """An answer made of a text, to an exercise that only has a signature."""
    name = signature.split("(")[0]
    text = f"{LIBRARY[track]}\n\n\ndef {signature}:\n" + "\n".join(
        "    " + line for line in body.strip("\n").splitlines()
    )
    exercise = Exercise(name, "door", signature, (), (), ())
    root = Path("answers")
    where = Where("door", track, root / "door" / f"with_{track}.py", root, text + "\n")
    return Answer(exercise, where, room, "test", limit=20.0)


@pytest.mark.parametrize("track", TRACKS)
class TestIterator:
    """online_logsumexp: blocks are pulled one at a time."""

    SUM = """
total = None
for block in blocks:
    total = block.sum() if total is None else total + block.sum()
return total
"""

    def test_blocks_arrive_in_order_and_once(self, room, track):
        blocks = Blocks(tuple(np.full((2, n), float(n)) for n in (1, 2, 3)))
        got = answer("total(blocks)", self.SUM, track, room)({"blocks": blocks})
        assert float(got) == 2 * (1 + 4 + 9)
        assert blocks.pulled == 3

    def test_a_second_pass_finds_nothing(self, room, track):
        twice = """
first = [block.sum() for block in blocks]
return first[0] + len(list(blocks))
"""
        blocks = Blocks((np.ones(3), np.ones(3)))
        assert float(answer("total(blocks)", twice, track, room)({"blocks": blocks})) == 3.0

    def test_the_trusted_side_sees_how_far_the_answer_read(self, room, track):
        blocks = Blocks((np.ones(3), np.ones(3), np.ones(3)))
        answer("total(blocks)", "return next(blocks).sum()", track, room)({"blocks": blocks})
        assert blocks.pulled == 1


@pytest.mark.parametrize("track", TRACKS)
class TestFunctions:
    """checkpointed_backward: layers are functions that stay on the trusted side."""

    BODY = """
kept = []
for forward, backward in layers:
    kept.append(x)
    x = forward(x)
for (forward, backward), given in zip(reversed(layers), reversed(kept)):
    grad_output = backward(grad_output, given)
return grad_output
"""

    def test_layers_are_called_through_the_door_and_counted(self, room, track):
        layers = [
            (
                Given("forward", lambda x: np.tanh(x)),
                Given("backward", lambda g, x: g * (1 - np.tanh(x) ** 2)),
            )
            for _ in range(4)
        ]
        x, g = np.array([0.3, -1.2]), np.array([1.0, 2.0])
        got = answer("checkpointed_backward(layers, x, grad_output)", self.BODY, track, room)(
            {"layers": layers, "x": x, "grad_output": g}
        )
        inputs, at = [], x
        for _ in range(4):
            inputs.append(at)
            at = np.tanh(at)
        for at in reversed(inputs):
            g = g * (1 - np.tanh(at) ** 2)
        np.testing.assert_allclose(got, g, rtol=1e-14)
        assert [(f.calls, b.calls) for f, b in layers] == [(1, 1)] * 4

    def test_an_error_of_the_answer_between_calls_is_the_answers(self, room, track):
        layers = [(Given("forward", lambda x: x), Given("backward", lambda g, x: g))]
        broken = answer(
            "checkpointed_backward(layers, x, grad_output)",
            "layers[0][0](x)\nraise RuntimeError('lost')", track, room,
        )  # fmt: skip
        with pytest.raises(AnswerEnded, match="RuntimeError: lost") as ended:
            broken({"layers": layers, "x": np.ones(2), "grad_output": np.ones(2)})
        assert ended.value.reply.line == 6


@pytest.mark.parametrize("track", TRACKS)
def test_a_cache_goes_out_and_comes_back(room, track):
    """two_layer_backward takes what the forward kept."""
    forward = answer(
        "two_layer_forward(x, w1, w2)",
        "hidden = x @ w1\nkept = hidden * (hidden > 0)\nreturn kept @ w2, (x, hidden, w1, w2)",
        track, room,
    )  # fmt: skip
    backward = answer(
        "two_layer_backward(grad_y, cache)",
        "x, hidden, w1, w2 = cache\nback = (grad_y @ w2.T) * (hidden > 0)\n"
        "return back @ w1.T, x.T @ back, (hidden * (hidden > 0)).T @ grad_y",
        track, room,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x, w1, w2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), rng.normal(size=(5, 2))
    y, cache = forward({"x": x, "w1": w1, "w2": w2})
    assert isinstance(cache, tuple)
    dx, dw1, dw2 = backward({"grad_y": np.ones((3, 2)), "cache": cache})
    hidden = x @ w1
    back = (np.ones((3, 2)) @ w2.T) * (hidden > 0)
    np.testing.assert_allclose(y, np.maximum(hidden, 0) @ w2)
    np.testing.assert_allclose(dx, back @ w1.T)
    np.testing.assert_allclose(dw1, x.T @ back)
    np.testing.assert_allclose(dw2, np.maximum(hidden, 0).T @ np.ones((3, 2)))


@pytest.mark.torch
class TestBfloat16:
    """NumPy has no bfloat16: it crosses as its name and its bytes."""

    def test_every_bit_comes_back(self, room):
        bits = np.arange(2**16, dtype=np.uint16)
        values = Bfloat16.from_bits(bits[(bits & 0x7F80) != 0x7F80])
        got = answer("same(x)", "return x.clone()", "torch", room)({"x": values})
        assert isinstance(got, Bfloat16)
        np.testing.assert_array_equal(got.to_bits(), values.to_bits())

    def test_softmax_stays_bfloat16(self, room):
        x = Bfloat16.of(np.array([[0.0, 1.0, 2.0]]))
        asked = answer("softmax(logits)", "return xp.softmax(logits, -1)", "torch", room)
        reply = asked.ask({"logits": x})
        assert [fact.dtype for fact in reply.facts] == ["bfloat16"]
        expected = np.exp(x.values) / np.exp(x.values).sum()
        np.testing.assert_allclose(reply.value.values, expected, rtol=2.0**-8)

    def test_rounding_is_torchs(self):
        torch = pytest.importorskip("torch")
        x = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
        theirs = torch.from_numpy(x).to(torch.bfloat16).view(torch.int16).numpy()
        np.testing.assert_array_equal(Bfloat16.of(x).to_bits().view(np.int16), theirs)


@pytest.mark.parametrize("track", TRACKS)
class TestFacts:
    """What a check may need to know besides the value."""

    def test_a_changed_input_is_seen(self, room, track):
        asked = answer("f(x, y)", "y += 1\nreturn x", track, room)
        reply = asked.ask({"x": np.ones(3), "y": np.ones(3)})
        assert reply.changed == ("y",)

    def test_an_input_left_alone_is_not(self, room, track):
        reply = answer("f(x)", "return x * 2", track, room).ask({"x": np.ones(3)})
        assert reply.changed == ()

    def test_the_callers_array_is_never_the_answers(self, room, track):
        mine = np.ones(3)
        answer("f(x)", "x += 1\nreturn x", track, room).ask({"x": mine})
        np.testing.assert_array_equal(mine, np.ones(3))

    def test_strides_reach_the_answer(self, room, track):
        wide = np.arange(12.0).reshape(3, 4)[:, ::2]
        asked = answer("f(x)", "return xp.asarray(x.strides if not callable(getattr(x, 'stride', "
                               "None)) else x.stride())", track, room)  # fmt: skip
        step = np.asarray(asked({"x": wide}))
        assert step[-1] in (16, 2)

    def test_peak_memory_is_the_calls_own(self, room, track):
        body = "big = xp.ones((1024, 1024)) * 2\nreturn x + big[0, 0]"
        asked = answer("f(x)", body, track, room)
        reply = asked.ask({"x": np.ones(3)}, measure_memory=True)
        assert reply.peak_bytes is not None
        assert 4e6 <= reply.peak_bytes < 40e6
        small = answer("f(x)", "return x + 1", track, room)
        small.ask({"x": np.ones(3)})
        assert small.ask({"x": np.ones(3)}, measure_memory=True).peak_bytes < 3e6

    def test_a_strange_result_is_described_and_never_called(self, room, track):
        body = """
class Sly:
    def __eq__(self, other): return True
    def __repr__(self): raise SystemExit
    def __array__(self, *args): raise SystemExit
return Sly()
"""
        got = answer("f(x)", body, track, room)({"x": np.ones(3)})
        assert got.looks.startswith("an object of type ")
        assert got.looks.endswith("Sly")


@pytest.mark.skipif(sys.platform == "win32", reason="these endings are POSIX's")
class TestWorker:
    """What only another process can survive."""

    @pytest.fixture
    def worker(self):
        from llm_math_tests.answers.worker import Worker

        made = Worker()
        yield made
        made.close()

    @pytest.mark.parametrize(
        ("body", "ended", "words"),
        [
            ("import os\nos._exit(0)", "signal", "ended its process (exit code 0)"),
            ("import ctypes\nctypes.string_at(0)", "signal", "SIGSEGV"),
            ("while True:\n    try:\n        while True: pass\n    except BaseException: pass",
             "timeout", "time limit of 1 s"),
            ("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"
             "time.sleep(100)", "timeout", "time limit of 1 s"),
            ("import sys\nsys.exit(0)", "raised", "SystemExit"),
            ("raise KeyboardInterrupt", "raised", "KeyboardInterrupt"),
        ],
    )  # fmt: skip
    def test_an_answer_that_does_not_return_costs_only_itself(self, worker, body, ended, words):
        hostile = answer("f(x)", body, "numpy", worker)
        hostile.clock.limit = hostile.clock.left = 1.0
        reply = hostile.try_to_ask({"x": np.ones(3)})
        assert reply.ended == ended
        assert words in reply.problem
        again = answer("f(x)", "return x + 1", "numpy", worker)
        np.testing.assert_array_equal(again({"x": np.ones(3)}), np.full(3, 2.0))

    def test_it_knows_nothing_of_what_is_expected(self, worker):
        body = """
import sys
names = [m for m in sys.modules if m.startswith("llm_math_tests")]
for secret in ("llm_math_tests.truths.softmax", "reference.softmax.with_numpy"):
    try:
        __import__(secret)
    except ImportError:
        continue
    names.append("reached " + secret)
return xp.asarray([any(word in name for word in ("truth", "exercise", "check", "session",
                   "reached reference")) for name in names if "reached llm" not in name])
"""
        assert not answer("f(x)", body, "numpy", worker)({"x": np.ones(1)}).any()

    def test_print_does_not_disturb_the_protocol(self, worker):
        body = "import os\nprint('hello')\nos.write(1, b'raw')\nreturn x"
        reply = answer("f(x)", body, "numpy", worker).ask({"x": np.ones(1)})
        assert reply.ended == "returned"

    def test_what_is_written_to_the_protocol_itself_is_refused(self, worker):
        body = """
import os
for number in range(3, 20):
    try:
        os.write(number, b'x' * 64)
    except OSError:
        pass
return x
"""
        reply = answer("f(x)", body, "numpy", worker).try_to_ask({"x": np.ones(1)})
        assert reply.ended == "refused"
        fine = answer("f(x)", "return x", "numpy", worker)
        np.testing.assert_array_equal(fine({"x": np.ones(1)}), np.ones(1))


class TestTimeLimit:
    """In this process a loop is ended where Python code runs."""

    @pytest.mark.parametrize("alarm", [True, False])
    def test_an_endless_loop_ends_and_says_where(self, alarm, monkeypatch):
        from llm_math_tests.answers import time_limit
        from llm_math_tests.answers.in_process import InProcess

        if not alarm:
            monkeypatch.setattr(time_limit, "_alarm_is_free", lambda: False)
        looping = answer("f(x)", "while True:\n    x = x + 0", "numpy", InProcess())
        looping.clock.limit = looping.clock.left = 0.3
        reply = looping.try_to_ask({"x": np.ones(3)})
        assert reply.ended == "timeout"
        assert reply.line in (5, 6)
        assert "time limit of 0.3 s" in reply.problem
