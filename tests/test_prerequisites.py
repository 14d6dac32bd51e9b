"""An exercise never needs a later one; an earlier one that is not started is answered by ours."""

from __future__ import annotations

import ast
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from llm_math_tests import course
from llm_math_tests.answers.source import started_in
from llm_math_tests.bench.measure import Laboratory, Unready
from llm_math_tests.exercise import TRACKS as ALL_TRACKS
from llm_math_tests.exercises import exercise, exercises, names
from llm_math_tests.report.board import board_lines
from llm_math_tests.report.progress import listing
from llm_math_tests.run import Engine, Solution
from llm_math_tests.session import Choice, Session
from llm_math_tests.watch.verdict import levels

TRACKS = ["numpy", pytest.param("torch", marks=pytest.mark.torch), "cupy"]
LIBRARY = {"numpy": "np", "torch": "torch", "cupy": "cp"}


class TestTheCourse:
    """The teaching order is an order of needs."""

    @pytest.mark.parametrize("track", ALL_TRACKS)
    def test_no_reference_uses_a_later_exercise(self, track):
        order = names()
        for entry in exercises():
            path = course.folder("reference") / entry.topic / f"with_{track}.py"
            used = _names_used(path, entry.name)
            later = {n for n in used if n in order and order.index(n) > order.index(entry.name)}
            assert not later, entry.name

    def test_the_search_for_uses_finds_them_through_helpers(self, tmp_path):
        path = tmp_path / "with_numpy.py"
        path.write_text("def _f(x):\n    return gelu(x)\ndef relu(x):\n    return _f(x)\n")
        assert "gelu" in _names_used(path, "relu")

    def test_no_points_hang_on_a_later_exercise(self):
        order = names()
        hanging = {
            f"{entry.name}: {check.name} needs {name}"
            for entry in exercises()
            for check in entry.checks
            for name in check.needs
            if check.points and order.index(name) >= order.index(entry.name)
        }
        assert not hanging


def _names_used(path: Path, function: str) -> set[str]:
    """The names that a function reads, and so do the private ones of its file that it calls."""
    defined = {
        node.name: _read_by(node)
        for node in _parsed(path).body
        if isinstance(node, ast.FunctionDef)
    }
    found, ask = set(), [function]
    while ask:
        for name in defined.get(ask.pop(), ()):
            if name not in found:
                found.add(name)
                ask += [name] if name.startswith("_") else []
    return found - {function}


def _read_by(node: ast.FunctionDef) -> set[str]:
    found = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    own = {n.id for n in found if not isinstance(n.ctx, ast.Load)}
    own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    return {n.id for n in found} - own


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


class Folder:
    """A student's folder in which nothing is started."""

    def __init__(self, root: Path, room) -> None:
        shutil.copytree(course.folder("student"), root)
        self.root = root
        self.engine = Engine(Solution("student", root), room)

    def file(self, topic: str, track: str) -> Path:
        return self.root / topic / f"with_{track}.py"

    def write(self, name: str, track: str, body: str, top: str = "") -> None:
        """Start an exercise: this body in place of the stub's."""
        path = self.file(exercise(name).topic, track)
        lines = path.read_text(encoding="utf-8").splitlines()
        node = next(n for n in ast.parse("\n".join(lines)).body if getattr(n, "name", "") == name)
        lines[node.body[-1].lineno - 1] = "\n".join(
            "    " + line for line in body.replace("xp.", f"{LIBRARY[track]}.").split("\n")
        )
        lines.insert(lines.index(f"import {_imported(track)}"), top.replace("TRACK", track))
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, name: str, track: str, check: str = ""):
        """The outcomes of a check, or of all of the level core."""
        entry = exercise(name)
        answer = self.engine.answer(entry, track)
        chosen = [c for c in entry.checks_in(track) if c.level == "core" and c.points]
        checks = [entry.check(check)] if check else chosen
        assert checks
        return [outcome for c in checks for outcome in self.engine.run(c, answer)]

    def call(self, name: str, track: str, inputs, **options):
        """One call of an answer."""
        return self.engine.answer(exercise(name), track).try_to_ask(inputs, **options)


def _imported(track: str) -> str:
    return {"numpy": "numpy as np", "torch": "torch", "cupy": "cupy as cp"}[track]


@pytest.fixture
def folder(tmp_path, room):
    return Folder(tmp_path / "student", room)


CROSS_ENTROPY = """\
logits, targets = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
keep = targets != ignore_index
rows = xp.arange(len(targets))
logp = log_softmax(logits)[rows, targets * keep]
return -(logp * keep).sum() / keep.sum()"""

HEADS = """\
def heads(t):
    return t.reshape(*t.shape[:-1], num_heads, t.shape[-1] // num_heads).swapaxes(-3, -2)
q, k, v = heads(x @ w_q), heads(x @ w_k), heads(x @ w_v)
if mask is not None and mask.ndim > 2:
    mask = mask[..., None, :, :]
out = scaled_dot_product_attention(q, k, v, mask).swapaxes(-3, -2)
return out.reshape(x.shape) @ w_o"""

ALONE = """\
import LIBRARY as xp
def log_softmax(logits, axis=-1):
    return xp.log(softmax(logits, axis=axis))
"""

FROM_TOP = "from ..softmax.with_TRACK import log_softmax"


class TestLeaning:
    """Ours answers for an earlier exercise that is not started, and the outcome says so."""

    @pytest.mark.parametrize("track", TRACKS)
    def test_from_another_file(self, folder, track):
        folder.write("cross_entropy", track, CROSS_ENTROPY, FROM_TOP)
        outcomes = folder.run("cross_entropy", track)
        assert {o.verdict for o in outcomes} == {"passed"}, _messages(outcomes)
        assert {o.leaned_on for o in outcomes} == {"log_softmax"}

    @pytest.mark.parametrize("track", TRACKS)
    def test_from_the_same_file(self, folder, track):
        folder.write("multi_head_attention", track, HEADS)
        outcomes = folder.run("multi_head_attention", track)
        assert {o.verdict for o in outcomes} == {"passed"}, _messages(outcomes)
        assert {o.leaned_on for o in outcomes} == {"scaled_dot_product_attention"}

    @pytest.mark.parametrize("track", TRACKS)
    def test_from_a_file_that_holds_nothing_else(self, folder, track):
        text = ALONE.replace("LIBRARY", track)
        folder.file("softmax", track).write_text(text, encoding="utf-8")
        outcomes = folder.run("log_softmax", track, "matches_the_formula")
        assert {o.verdict for o in outcomes} == {"passed"}, _messages(outcomes)
        assert {o.leaned_on for o in outcomes} == {"softmax"}
        for name in ("softmax", "logsumexp", "online_logsumexp"):
            problem = folder.engine.answer(exercise(name), track).problem
            assert problem is not None
            assert problem.verdict == "not_started"
            assert problem.message.endswith(f"has no function {name}")

    @pytest.mark.parametrize(
        ("ways", "given"),
        [
            ("def softmax(x, axis):\n    return x + 1\n", 1),
            ("softmax = lambda x, axis: x + 2\n", 2),
            ("from operator import add as softmax\n", 3),
            ("globals()['softmax'] = lambda x, axis: x + 4\n", 4),
            ("for softmax in [lambda x, axis: x + 5]:\n    pass\n", 5),
            ("try:\n    softmax\nexcept NameError:\n    def softmax(x, axis):\n"
             "        return x + 6\n", 6),
            ("def __getattr__(name):\n    return lambda x, axis: x + 7\n", 7),
        ],
    )  # fmt: skip
    def test_every_name_of_the_students_own_goes_before(self, folder, ways, given):
        where = "_s.softmax" if given == 7 else "softmax"
        text = f"def log_softmax(logits, axis=-1):\n    return {where}(logits, 3)\n{ways}"
        text += "import sys\n_s = sys.modules[__name__]\n"
        folder.file("softmax", "numpy").write_text(text, encoding="utf-8")
        reply = folder.call("log_softmax", "numpy", {"logits": np.zeros(2)})
        assert (reply.ended, reply.leaned_on) == ("returned", ()), reply.problem
        np.testing.assert_array_equal(reply.value, np.full(2, given))

    def test_a_circle_of_imports_captures_nothing(self, folder):
        folder.file("softmax", "numpy").write_text(
            "import numpy as np\nfrom ..attention.with_numpy import scaled\n"
            "def softmax(logits, temperature=1.0, axis=-1):\n    return scaled(logits)\n",
            encoding="utf-8",
        )
        folder.file("attention", "numpy").write_text(
            "try:\n    from ..softmax.with_numpy import softmax\nexcept ImportError:\n"
            "    def softmax(x):\n        return x + 2\ndef scaled(x):\n    return softmax(x)\n",
            encoding="utf-8",
        )
        reply = folder.call("softmax", "numpy", {"logits": np.zeros(2)})
        assert (reply.ended, reply.leaned_on) == ("returned", ()), reply.problem
        np.testing.assert_array_equal(reply.value, [2.0, 2.0])

    def test_a_table_of_functions_may_name_what_is_missing(self, folder):
        text = "_ways = {'softmax': softmax}\n"
        text += ALONE.replace("LIBRARY", "numpy").replace("(softmax(", "(_ways['softmax'](")
        folder.file("softmax", "numpy").write_text(text, encoding="utf-8")
        reply = folder.call("log_softmax", "numpy", {"logits": np.zeros(2)})
        assert (reply.ended, reply.leaned_on) == ("returned", ("softmax",)), reply.problem

    @pytest.mark.parametrize(
        ("top", "first"),
        [
            (FROM_TOP, ""),
            ("", f"{FROM_TOP}\n"),
            ("from ..softmax.with_TRACK import *", ""),
            ("from ..softmax import with_TRACK as s\nlog_softmax = s.log_softmax", ""),
            ("from ..softmax import with_TRACK as s", "log_softmax = s.log_softmax\n"),
            ("import importlib", "s = importlib.import_module('..softmax.with_TRACK', "
             "__package__)\nlog_softmax = s.log_softmax\n"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("there", ["the stub", "no function", "no file", "no folder"])
    def test_whatever_way_it_is_imported(self, folder, top, first, there):
        file = folder.file("softmax", "numpy")
        if there == "no function":
            file.write_text("import numpy as np\n", encoding="utf-8")
        elif there == "no file":
            file.unlink()
        elif there == "no folder":
            shutil.rmtree(file.parent)
        body = first.replace("TRACK", "numpy") + CROSS_ENTROPY
        folder.write("cross_entropy", "numpy", body, top)
        outcomes = folder.run("cross_entropy", "numpy", "matches_the_formula")
        assert {o.verdict for o in outcomes} == {"passed"}, _messages(outcomes)
        assert {o.leaned_on for o in outcomes} == {"log_softmax"}

    def test_a_failure_says_so_too(self, folder):
        folder.write("cross_entropy", "numpy", CROSS_ENTROPY + " + 1", FROM_TOP)
        outcome = folder.run("cross_entropy", "numpy", "matches_the_formula")[0]
        assert outcome.verdict == "wrong"
        assert "used our log_softmax: yours is not started" in outcome.message

    def test_a_mistake_is_named_where_ours_is_used(self, folder):
        wrong = CROSS_ENTROPY.replace("return -(", "return (")
        folder.write("cross_entropy", "numpy", wrong, FROM_TOP)
        outcome = folder.run("cross_entropy", "numpy", "matches_the_formula")[0]
        assert outcome.leaned_on == "log_softmax"
        assert "you did   forgot the minus" in outcome.message

    def test_board_list_and_watch_say_so_in_one_line(self, tmp_path):
        folder = Folder(tmp_path / "student", None)
        folder.write("cross_entropy", "numpy", CROSS_ENTROPY, FROM_TOP)
        solution = Solution("student", folder.root)
        session = Session(Choice(solution, ("softmax", "cross_entropy"), ("numpy",)))
        line = "used ours, as yours is not started: log_softmax (in cross_entropy)"
        assert line in list(listing(session))
        assert line in board_lines(session)
        assert line in levels(session, ("cross_entropy", "numpy"))[0]
        assert line not in levels(session, ("softmax", "numpy"))[0]
        session.close()

    def test_an_answer_that_uses_ours_is_not_timed(self, tmp_path):
        folder = Folder(tmp_path / "student", None)
        session = Session(Choice(Solution("student", folder.root), ("two_layer_backward",)))
        folder.write("two_layer_backward", "numpy", _reference_body("two_layer_backward", "numpy"))
        _lay_helpers(folder.file("backprop", "numpy"), "numpy")
        with pytest.raises(Unready) as unready:
            Laboratory(session)._must_be_right(exercise("two_layer_backward"), "numpy")
        assert unready.value.status == "not_run"
        assert unready.value.reason == "used our two_layer_forward: yours is not started"
        session.close()

    def test_a_stub_is_still_not_started(self, folder):
        outcomes = folder.run("softmax", "numpy")
        assert {o.verdict for o in outcomes} == {"not_started"}

    def test_an_error_of_ours_is_on_the_line_that_called_it(self, folder):
        folder.write("cross_entropy", "numpy", "x = log_softmax(logits, 7)\nreturn x", FROM_TOP)
        outcome = folder.run("cross_entropy", "numpy", "matches_the_formula")[0]
        assert outcome.verdict == "error"
        assert "x = log_softmax(logits, 7)" in " ".join(outcome.message.split())
        assert "reference" not in outcome.message

    def test_what_was_started_since_is_the_students(self, folder, room):
        folder.write("cross_entropy", "numpy", CROSS_ENTROPY, FROM_TOP)
        assert folder.run("cross_entropy", "numpy", "matches_the_formula")[0].leaned_on
        folder.write("log_softmax", "numpy", "return logits * 0")
        again = Folder.__new__(Folder)
        again.engine = Engine(Solution("student", folder.root), type(room)())
        outcome = again.run("cross_entropy", "numpy", "matches_the_formula")[0]
        again.engine.room.close()
        assert (outcome.verdict, outcome.leaned_on) == ("wrong", "")

    @pytest.mark.parametrize("track", TRACKS)
    def test_a_backward_without_its_forward(self, folder, track):
        folder.write("two_layer_backward", track, _reference_body("two_layer_backward", track))
        _lay_helpers(folder.file("backprop", track), track)
        outcomes = folder.run("two_layer_backward", track)
        assert {o.verdict for o in outcomes} == {"passed"}, _messages(outcomes)
        assert {o.leaned_on for o in outcomes} == {"two_layer_forward"}
        relation = folder.run("two_layer_backward", track, "goes_back_layer_by_layer")
        assert {o.verdict for o in relation} == {"not_run"}


@pytest.mark.torch
class TestAutograd:
    """Torch differentiates through ours, in whatever room."""

    def test_the_gradient_of_several_results(self, folder):
        folder.write("two_layer_backward", "torch", "dx, dw, db = linear_backward(grad_y, *cache)\n"
                     "return dx * 2, dw.exp(), db")  # fmt: skip
        rng = np.random.default_rng(0)
        g, x, w = rng.normal(size=(3, 2)), rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
        ones = [np.ones((3, 4)), np.ones((4, 2)), np.ones(2)]
        reply = folder.call(
            "two_layer_backward", "torch", {"grad_y": g, "cache": (x, w)}, cotangents=ones
        )
        assert reply.ended == "returned", reply.problem
        assert reply.leaned_on == ("linear_backward",)
        dw = np.exp(x.T @ g)
        expected = 2 * np.ones((3, 4)) @ w + x @ dw + 1
        np.testing.assert_allclose(reply.grads[0], expected, rtol=1e-12)

    @pytest.mark.parametrize(
        "body",
        [
            "return xp.func.jvp(softmax, (logits,), (logits.cos(),))[1]",
            "return xp.func.vmap(softmax)(logits)",
            "return xp.func.jacrev(softmax)(logits[0])",
            "return xp.func.jacfwd(softmax)(logits[0])",
            "return xp.autograd.functional.hessian(lambda x: softmax(x)[0], logits[0])",
            "return softmax(logits.half()).float() + softmax(logits.bfloat16()).float()",
            "return softmax(logits, axis=0).requires_grad * xp.ones(2)",
        ],
    )
    def test_any_way_to_differentiate_is_the_real_one(self, folder, body):
        folder.write("log_softmax", "torch", body)
        x = np.random.default_rng(0).normal(size=(2, 3))
        reply = folder.call("log_softmax", "torch", {"logits": x})
        assert reply.ended == "returned", reply.problem
        assert reply.leaned_on == ("softmax",)
        import torch

        own = body.replace("softmax(x)", "softmax(x, -1)").replace("softmax(", "xp.softmax(")
        own = own.replace("jvp(softmax", "jvp(own").replace("vmap(softmax", "vmap(own")
        own = own.replace("rev(softmax", "rev(own").replace("fwd(softmax", "fwd(own")
        own = own.replace("logits.half()", "logits.half(), -1")
        own = own.replace("logits.bfloat16()", "logits.bfloat16(), -1").replace("axis=0", "0")
        space = {"xp": torch, "own": lambda x: torch.softmax(x, -1)}
        exec("def f(logits):\n    " + own, space)
        right = space["f"](torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(reply.value, right, rtol=1e-6, atol=1e-12)

    def test_through_a_function_that_ours_is_handed(self, folder):
        """pre_norm_block(x, sublayer, ...) with a sublayer that closes over what is trained."""
        folder.write("post_norm_block", "torch", "return pre_norm_block("
                     "x, lambda h: sublayer(h) * bias.exp(), weight, bias)")  # fmt: skip
        from llm_math_tests.answers.values import Given

        double = Given.differentiable("double", lambda x: x * 2, lambda g, x: g * 2)
        rng = np.random.default_rng(0)
        x, w, b = rng.normal(size=(2, 4)), rng.normal(size=4), rng.normal(size=4)
        inputs = {"x": x, "sublayer": double, "weight": w, "bias": b}
        reply = folder.call("post_norm_block", "torch", inputs, cotangents=[np.ones((2, 4))])
        assert reply.ended == "returned", reply.problem
        assert reply.leaned_on == ("pre_norm_block",)
        normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        inner = normed * w + b
        np.testing.assert_allclose(reply.value, x + 2 * inner * np.exp(b), rtol=1e-12)
        by_bias = (2 * np.exp(b) * (1 + inner)).sum(0)
        np.testing.assert_allclose(reply.grads[2], by_bias, rtol=1e-12)

    def test_ours_differentiates_a_function_that_the_answer_was_handed(self, folder):
        folder.write("jvp", "torch", "return jacobian(f, x) @ v")
        outcomes = folder.run("jvp", "torch", "matches_the_product")
        assert {o.verdict for o in outcomes} == {"passed"}, _messages(outcomes)
        assert {o.leaned_on for o in outcomes} == {"jacobian"}

    def test_on_the_fake_accelerator(self, folder):
        folder.write("multi_head_attention", "torch", HEADS)
        outcomes = folder.run("multi_head_attention", "torch", "stays_on_device")
        assert {(o.verdict, o.leaned_on) for o in outcomes} == {
            ("passed", "scaled_dot_product_attention")
        }, _messages(outcomes)


class TestFunctions:
    """Ours calls functions of the answer's, and reads its iterators."""

    @pytest.mark.parametrize("track", ["numpy", "cupy"])
    def test_a_function_of_the_answers(self, folder, track):
        body = "return pre_norm_block(x, lambda h: h + 1, weight, bias)"
        folder.write("post_norm_block", track, body)
        x, w = np.arange(4.0).reshape(1, 4), np.ones(4)
        inputs = {"x": x, "sublayer": None, "weight": w, "bias": w}
        reply = folder.call("post_norm_block", track, inputs)
        assert reply.ended == "returned", reply.problem
        normed = (x - 1.5) / np.sqrt(1.25 + 1e-5)
        np.testing.assert_allclose(reply.value, x + normed + 2, rtol=1e-12)

    @pytest.mark.parametrize("track", TRACKS)
    def test_an_iterator(self, folder, track):
        body = "return online_logsumexp(row for row in logits)"
        top = "from ..softmax.with_TRACK import online_logsumexp"
        folder.write("cross_entropy", track, body, top)
        x = np.random.default_rng(0).normal(size=(2, 3))
        reply = folder.call("cross_entropy", track, {"logits": x, "targets": np.zeros(2, int)})
        assert reply.ended == "returned", reply.problem
        np.testing.assert_allclose(reply.value, np.log(np.exp(x).sum()), rtol=1e-12)

    @pytest.mark.parametrize("track", TRACKS)
    def test_a_maker_of_arrays(self, folder, track):
        folder.write("flash_attention", track, "return q * causal_mask(len(q))[:, :1]")
        x = np.ones((2, 3))
        reply = folder.call("flash_attention", track, {"q": x, "k": x, "v": x})
        assert reply.ended == "returned", reply.problem
        np.testing.assert_array_equal(reply.value, x)


KEPT = """\
import threading
import numpy as np
def log_softmax(logits, axis=-1):
    raise NotImplementedError
kept = log_softmax
def log_softmax(logits, axis=-1):
    HOW
def logsumexp(x, axis=-1):
    return kept(x)
"""
WAYS = {
    "kept": "return kept(logits, axis)",
    "in a thread": "found = []\n    one = threading.Thread(target=lambda: "
    "found.append(_try(logits)))\n    one.start(); one.join()\n    return found[0]",
    "imported": "from .with_numpy import kept as again\n    return again(logits, axis)",
    "asked of the module": "import sys\n    return "
    "sys.modules[__name__].__getattr__('log_softmax')(logits, axis)",
    "asked of the stand-in's own state": "from llm_math_tests.answers import leaning\n    "
    "return leaning._under_way[0].call('numpy', 'log_softmax', (logits,), {})",
}


class TestNoWayAround:
    """What ours is not lent for."""

    def test_a_later_exercise_stays_a_stub(self, folder):
        folder.write("softmax", "numpy", "return xp.exp(log_softmax(logits / temperature, axis))")
        outcomes = folder.run("softmax", "numpy")
        assert {o.verdict for o in outcomes} == {"not_started"}
        assert {o.leaned_on for o in outcomes} == {""}
        words = " ".join(outcomes[0].message.split())
        assert "softmax must not lean on log_softmax, a later exercise" in words
        assert "return np.exp(log_softmax" in words

    def test_a_started_one_is_the_students_own(self, folder):
        folder.write("log_softmax", "numpy", "return logits * 0")
        folder.write("cross_entropy", "numpy", CROSS_ENTROPY, FROM_TOP)
        outcomes = folder.run("cross_entropy", "numpy", "matches_the_formula")
        assert "wrong" in {o.verdict for o in outcomes}
        assert {o.leaned_on for o in outcomes} == {""}

    def test_another_track_is_no_way(self, folder):
        top = "from ..softmax.with_cupy import log_softmax"
        folder.write("cross_entropy", "numpy", CROSS_ENTROPY, top)
        outcomes = folder.run("cross_entropy", "numpy", "matches_the_formula")
        assert {o.leaned_on for o in outcomes} == {""}
        assert "passed" not in {o.verdict for o in outcomes}

    @pytest.mark.parametrize("way", WAYS)
    def test_ours_is_not_to_be_had_while_it_is_asked(self, folder, way):
        text = KEPT.replace("HOW", WAYS[way])
        text += "def _try(x):\n    try:\n        return kept(x)\n    except Exception as e:\n"
        text += "        return str(e)\n"
        folder.file("softmax", "numpy").write_text(text, encoding="utf-8")
        x = np.random.default_rng(0).normal(size=(2, 3))
        # A later one is asked first: it may not have it either, as it is started.
        for name, inputs in (("logsumexp", {"x": x}), ("log_softmax", {"logits": x})):
            reply = folder.call(name, "numpy", inputs)
            assert reply.leaned_on == ()
            assert reply.ended == "raised" or isinstance(reply.value, str), reply.value

    def test_a_file_that_rewrites_itself_gains_nothing(self, tmp_path):
        from llm_math_tests.answers.worker import Worker

        room = Worker()
        folder = Folder(tmp_path / "student", room)
        text = KEPT.replace("HOW", "return kept(logits)").replace(
            "    return kept(x)", "    open(__file__, 'w').write('')\n    return kept(x)"
        )
        folder.file("softmax", "numpy").write_text(text, encoding="utf-8")
        reply = folder.call("logsumexp", "numpy", {"x": np.ones((2, 3))})
        assert (reply.ended, reply.leaned_on) == ("raised", ())
        assert folder.file("softmax", "numpy").read_text() == ""
        room.close()

    def test_a_worker_never_holds_ours(self, tmp_path):
        from llm_math_tests.answers.worker import Worker

        room = Worker()
        folder = Folder(tmp_path / "student", room)
        body = """\
import gc
import types
ours = log_softmax(logits)
words = []
for held in gc.get_objects():
    if isinstance(held, types.FunctionType):
        code = held.__code__
        words += [code.co_filename, *map(str, code.co_names)]
        words += [str(c.cell_contents) for c in held.__closure__ or () if _full(c)]
return [word for word in words if SECRET in word]"""
        top = FROM_TOP + "\ndef _full(cell):\n    try:\n        cell.cell_contents\n    "
        top += "except ValueError:\n        return False\n    return True\n"
        for secret in ("reference/softmax", "'_widened'", "_finite"):
            again = Folder.__new__(Folder)
            again.root = folder.root
            again.engine = Engine(Solution("student", folder.root), room)
            shutil.copy(course.folder("student") / "cross_entropy" / "with_numpy.py",
                        folder.file("cross_entropy", "numpy"))  # fmt: skip
            split = f"{secret[:3]!r} + {secret[3:]!r}"
            again.write("cross_entropy", "numpy", body.replace("SECRET", split), top)
            inputs = {"logits": np.ones((2, 3)), "targets": np.zeros(2, int)}
            reply = again.call("cross_entropy", "numpy", inputs)
            assert reply.ended == "returned", reply.problem
            assert reply.leaned_on == ("log_softmax",)
            assert reply.value == []
        room.close()

    @pytest.mark.parametrize(("size", "ended"), [(1000, "raised"), (100, "returned")])
    def test_no_larger_matrix_is_decomposed_than_there_is_time_for(self, tmp_path, size, ended):
        from llm_math_tests.answers.worker import Worker

        room = Worker()
        folder = Folder(tmp_path / "student", room)
        body = f"return low_rank_approximation(np.zeros(({size}, {size})), 1)[0, 0]"
        folder.write("effective_rank", "numpy", body)
        reply = folder.call("effective_rank", "numpy", {"w": np.ones((2, 3))})
        assert reply.ended == ended, reply.problem
        if ended == "raised":
            assert "matrices of that size are more than our low_rank" in reply.problem
        # Elsewhere there is no harm in that size.
        folder.write("cross_entropy", "numpy", f"return log_softmax(np.zeros(({size}, {size}))"
                     ")[0, 0]", FROM_TOP)  # fmt: skip
        inputs = {"logits": np.ones((2, 3)), "targets": np.zeros(2, int)}
        assert folder.call("cross_entropy", "numpy", inputs).ended == "returned"
        room.close()

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("return causal_mask(10**6)", "memory"),
            ("return causal_mask(q)[causal_mask]", ""),
            ("return attention_scores(np.ones((10**7, 1)), q)", "more than our"),
            ("return attention_scores(q, [object()])", "cannot be given"),
        ],
    )
    def test_arguments_that_cost_too_much_end_only_the_call(self, tmp_path, body, words):
        from llm_math_tests.answers.worker import Worker

        room = Worker()
        folder = Folder(tmp_path / "student", room)
        folder.write("flash_attention", "numpy", body)
        x = np.ones((2, 3))
        reply = folder.call("flash_attention", "numpy", {"q": x, "k": x, "v": x})
        assert reply.ended in ("raised", "memory"), reply.problem
        assert words in reply.problem.lower()
        room.close()


def test_what_is_started(tmp_path):
    stub = "def f():\n    raise NotImplementedError\n"
    assert started_in(stub, "f") is False
    assert started_in(stub, "g") is False
    assert started_in(stub + "f = abs\n", "f") is True
    assert started_in("def f(:", "f") is None


def _messages(outcomes) -> str:
    return "\n".join(dict.fromkeys(o.message for o in outcomes if o.verdict != "passed"))


def _reference_body(name: str, track: str) -> str:
    path = course.folder("reference") / exercise(name).topic / f"with_{track}.py"
    node = next(n for n in _parsed(path).body if getattr(n, "name", "") == name)
    return "\n".join(ast.unparse(statement) for statement in node.body[1:])


def _lay_helpers(path: Path, track: str) -> None:
    reference = course.folder("reference") / path.parent.name / path.name
    helpers = [ast.unparse(n) for n in _parsed(reference).body
               if isinstance(n, ast.FunctionDef) and n.name.startswith("_")]  # fmt: skip
    path.write_text(path.read_text(encoding="utf-8") + "\n" + "\n".join(helpers) + "\n",
                    encoding="utf-8")  # fmt: skip
