"""The smallest failing case: smaller, still wrong, and reproduced by what is shown."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_math_tests import course, mistakes, tracks
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.door import Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.answers.values import Bfloat16, Blocks
from llm_math_tests.checks.truth import eps
from llm_math_tests.checks.wrong import Compared, Wrong
from llm_math_tests.diagnosis import smallest
from llm_math_tests.diagnosis.smallest.rounding import NoSuchInputs
from llm_math_tests.diagnosis.smallest.search import Budget, simplest
from llm_math_tests.diagnosis.smallest.shown import shown
from llm_math_tests.diagnosis.smallest.simpler import Simpler, size_of
from llm_math_tests.exercise import Case, Check
from llm_math_tests.exercises import exercise, names
from llm_math_tests.run import Engine, Solution

PLENTY = Budget(tries=150, seconds=600.0)
REFERENCE = Solution("reference", course.folder("reference"))

NUMPY = "import numpy as np\n\n\n"
TORCH = "import torch\n\n\n"


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch):
    """A busy machine must not make an answer slow."""
    monkeypatch.setattr(smallest, "_SLOW", 60.0)
    monkeypatch.setattr(smallest, "_HANGS", 60.0)


@dataclass
class Failed:
    engine: Engine
    answer: Answer
    check: Check
    case: Case

    def searched(self, budget: Budget = PLENTY, mistake: str = "", pattern: str = "") -> str:
        return smallest.searched(
            self.engine, self.answer, self.check, self.case, budget, mistake, pattern
        )

    def before(self) -> int:
        return size_of(self.case.make(self.engine.rng(self.answer.exercise, self.check, self.case)))


def failed(answer: Answer, check: str = "", case: str = "", seed: int = 0) -> Failed:
    """The first case that an answer fails, or the one that is named."""
    engine = Engine(REFERENCE, answer.room, seed, diagnose=False)
    engine.adopt(answer)
    assert answer.problem is None
    for entry in answer.exercise.checks_in(answer.track):
        if check not in ("", entry.name):
            continue
        for outcome in engine.run(entry, answer):
            if outcome.verdict in ("wrong", "error") and case in ("", outcome.case):
                found = next(one for one in entry.cases if one.name == outcome.case)
                return Failed(engine, answer, entry, found)
    raise AssertionError("the answer passes")


def written(text: str, name: str, track: str = "numpy") -> Answer:
    """An answer with this text."""
    topic = exercise(name).topic
    where = Where(topic, track, Path(f"with_{track}.py").absolute(), Path().absolute(), text)
    return Answer(exercise(name), where, InProcess(), "by hand")


def mistaken(name: str, mistake: str) -> Answer:
    entry = exercise(name)
    found = next(known for known in entry.known_mistakes if known.name == mistake)
    return mistakes.answer_with(entry, found)


def code_of(text: str) -> str:
    """The lines of a message that are code, as a student copies them."""
    lines = textwrap.dedent("\n".join(text.splitlines()[1:])).splitlines()
    for count in range(len(lines), 0, -1):
        try:
            parsed = ast.parse("\n".join(lines[:count])).body
        except SyntaxError:
            continue
        if parsed and all(isinstance(statement, ast.Assign) for statement in parsed):
            return "\n".join(lines[:count])
    raise AssertionError(f"no code in\n{text}")


def call_of(text: str) -> str:
    """The call that a message names."""
    call = text.removeprefix("  smallest  ").split("\n")[0].partition(" with ")[0]
    assert isinstance(ast.parse(call).body[0], ast.Expr)
    return call


def pasted(text: str, answer: Answer, **given: Any) -> Any:
    """What a function returns for a message's inputs, copied from it."""
    track = tracks.track(answer.track)
    with track.loading(), np.errstate(all="ignore"):
        library = {"numpy": "import numpy as np", "torch": "import torch"}.get(
            answer.track, "import cupy as cp"
        )
        names_in_it: dict[str, Any] = dict(given)
        exec(library, names_in_it)
        exec(code_of(text), names_in_it)
        function = answer.room.function(answer.where, answer.exercise.name)
        result = eval(call_of(text), {**names_in_it, answer.exercise.name: function})
        taken = track.take(result)
        return result if taken is None else taken[0]


def ours(answer: Answer) -> Answer:
    return mistakes.reference_answer(answer.exercise, answer.track)


def row(text: str) -> list[str]:
    """The first line of the table, which is of the worst position."""
    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if "expected   " in line and "got" in line)
    return [cell for cell in lines[head + 1].strip().split("   ") if cell]


def expect_shown_again(text: str, answer: Answer, rtol: float = 1e-5, **given: Any) -> None:
    """Pasting shows the failure with the answer, and what was expected with ours."""
    cells = row(text)
    position = ()
    if cells[0].startswith("["):
        position = tuple(ast.literal_eval(cells.pop(0)))
    expected, got = (np.float64(cell) for cell in cells[:2])
    for one, number in ((answer, got), (ours(answer), expected)):
        value = np.asarray(pasted(text, one, **given), np.float64)[position]
        assert np.isclose(value, number, rtol=rtol, atol=0, equal_nan=True), (one.label, text)


def expect_readable(text: str) -> None:
    assert text
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80


SOFTMAX = """
def softmax(logits, temperature=1.0, axis=-1):
    z = logits / temperature
    e = np.exp(z{shift})
    return e / e.sum(axis={axis}, keepdims=True)
"""


class TestByHand:
    """Wrong answers as people write them."""

    def test_an_overflow(self):
        answer = written(NUMPY + SOFTMAX.format(shift="", axis="axis"), "softmax")
        at = failed(answer, "survives_large_scores")
        text = at.searched()
        expect_readable(text)
        assert text.startswith("  smallest  softmax(logits) with logits ")
        assert row(text)[2].strip() == "nan"
        assert "wrong: 2 nan" in text
        expect_shown_again(text, answer)

    def test_a_wrong_axis_needs_two_rows(self):
        answer = written(
            NUMPY + SOFTMAX.format(shift=" - z.max(axis, keepdims=True)", axis="0"), "softmax"
        )
        text = failed(answer, "matches_the_formula", "float64").searched()
        expect_readable(text)
        assert "logits float64 (2, 2)" in text
        expect_shown_again(text, answer)

    def test_a_batch_that_is_in_the_way_is_dropped(self):
        answer = written(
            NUMPY
            + "def softmax(logits, temperature=1.0, axis=-1):\n"
            + "    if logits.ndim == 3:\n        raise KeyError('three axes')\n"
            + "    e = np.exp(logits - logits.max(axis, keepdims=True))\n"
            + "    return e / e.sum(axis=axis, keepdims=True)\n",
            "softmax",
        )
        text = failed(answer, "matches_the_formula", "axis_0").searched()
        expect_readable(text)
        assert "raised    KeyError: 'three axes'" in text
        with pytest.raises(KeyError):
            pasted(text, answer)
        pasted(text, ours(answer))
        assert "(2, 2, 2)" in text

    def test_one_row_too_far(self):
        answer = written(
            NUMPY
            + "def embedding_lookup(table, token_ids):\n"
            + "    return table[(token_ids + 1) % len(table)]\n",
            "embedding_lookup",
        )
        at = failed(answer, "picks_the_rows", "float64")
        text = at.searched()
        expect_readable(text)
        assert "token_ids = np.array(" in text  # a token still names a row that is there
        expect_shown_again(text, answer)

    def test_targets_keep_to_a_smaller_vocabulary(self):
        answer = written(
            NUMPY
            + "def cross_entropy(logits, targets, ignore_index=-100):\n"
            + "    z = logits.reshape(-1, logits.shape[-1])\n"
            + "    t = np.asarray(targets).ravel()\n"
            + "    z, t = z[t != ignore_index], t[t != ignore_index]\n"
            + "    return -z[np.arange(len(t)), t].mean()\n",
            "cross_entropy",
        )
        text = failed(answer, "matches_the_formula", "float64").searched()
        expect_readable(text)
        expect_shown_again(text, answer)
        assert "logits = np.array([" in text

    def test_only_float16_fails(self):
        answer = written(
            NUMPY
            + "def softmax(logits, temperature=1.0, axis=-1):\n"
            + "    if logits.dtype == np.float16:\n        return logits - logits + 1\n"
            + "    z = logits / temperature\n"
            + "    e = np.exp(z - z.max(axis, keepdims=True))\n"
            + "    return e / e.sum(axis=axis, keepdims=True)\n",
            "softmax",
        )
        text = failed(answer, "half_precision", "float16").searched()
        expect_readable(text)
        assert "dtype=np.float16" in text
        expect_shown_again(text, answer, rtol=eps("float16"))

    def test_an_input_that_is_overwritten(self):
        answer = written(
            NUMPY + "def tanh(x):\n    return np.tanh(x, out=x)\n",
            "tanh",
        )
        text = failed(answer, "leaves_inputs_alone", "float64").searched()
        expect_readable(text)
        assert "got       x changed in place" in text
        assert "with x float64 (2, 2)" in text

    def test_a_mistake_without_numbers(self):
        answer = written(NUMPY + "def relu(x):\n    return [0.0]\n", "relu")
        text = failed(answer, "matches_the_formula", "float64").searched()
        expect_readable(text)
        assert "got       a list of 1 (0.0)" in text
        assert pasted(text, answer) == [0.0]

    def test_another_shape(self):
        answer = written(NUMPY + "def tanh(x):\n    return np.tanh(x).sum()\n", "tanh")
        text = failed(answer, "matches_the_formula", "float64").searched()
        expect_readable(text)
        assert "got       shape ()" in text

    def test_a_dict_of_parameters(self):
        answer = mistaken("transformer_block", "first_residual_forgotten")
        text = failed(answer, "matches_the_formula", "float64").searched()
        expect_readable(text)
        assert 'params = {"norm1_weight":' in text
        expect_shown_again(text, answer)

    def test_an_iterator_of_blocks(self):
        answer = mistaken("online_logsumexp", "sum_not_rescaled")
        text = failed(answer).searched()
        expect_readable(text)
        assert "blocks = iter([np.array(" in text
        expect_shown_again(text, answer)

    def test_a_cache_that_the_same_person_made(self):
        answer = mistaken("two_layer_backward", "times_hidden")
        at = failed(answer, "matches_the_formula", "float64")
        text = at.searched()
        expect_readable(text)
        assert "two_layer_backward(grad_y, cache)" in text
        wrong, right = (pasted(text, one) for one in (answer, ours(answer)))
        assert not np.allclose(wrong[0], right[0])

    def test_a_number_alone(self):
        text = failed(mistaken("causal_mask", "looks_ahead")).searched()
        expect_readable(text)
        assert "causal_mask(2)" in text
        assert "of 4 wrong" in text

    @pytest.mark.torch
    def test_torch_in_its_own_dtype(self):
        answer = written(
            TORCH
            + "def softmax(logits, temperature=1.0, axis=-1):\n"
            + "    e = (logits / temperature).exp()\n"
            + "    return e / e.sum(dim=axis, keepdim=True)\n",
            "softmax",
            "torch",
        )
        text = failed(answer, "survives_large_scores", "float64").searched()
        expect_readable(text)
        assert "logits = torch.tensor([" in text
        assert "dtype" not in text  # float32 is torch's everyday dtype
        expect_shown_again(text, answer)

    @pytest.mark.torch
    def test_bfloat16_in_torch(self):
        answer = written(
            TORCH
            + "def softmax(logits, temperature=1.0, axis=-1):\n"
            + "    if logits.dtype == torch.bfloat16:\n        return logits.float()\n"
            + "    return torch.softmax(logits / temperature, axis)\n",
            "softmax",
            "torch",
        )
        text = failed(answer, "half_precision", "bfloat16").searched()
        expect_readable(text)
        assert "dtype=torch.bfloat16" in text
        assert "got       float32" in text

    @pytest.mark.torch
    def test_a_gradient_comes_with_its_weights(self):
        import torch

        answer = written(
            TORCH
            + "def softmax(logits, temperature=1.0, axis=-1):\n"
            + "    z = logits / temperature\n"
            + "    e = (z - z.max(axis, keepdim=True).values).exp()\n"
            + "    return e / e.sum(dim=axis, keepdim=True).detach()\n",
            "softmax",
            "torch",
        )
        text = failed(answer, "gradient_flows", "float64").searched()
        expect_readable(text)
        assert "in the gradient with respect to logits of (result * weights).sum():" in text
        found: dict[str, Any] = {"torch": torch}
        exec(code_of(text), found)
        logits = found["logits"].requires_grad_()
        result = answer.room.function(answer.where, "softmax")(logits)
        (result * found["weights"]).sum().backward()
        cells = row(text)
        got = logits.grad[tuple(ast.literal_eval(cells[0]))]
        assert np.isclose(float(got), float(cells[2]), rtol=1e-4)

    def test_the_cupy_stand_in(self):
        answer = written(
            "import cupy as cp\n\n\n"
            "def softmax(logits, temperature=1.0, axis=-1):\n"
            "    e = cp.exp(logits / temperature)\n"
            "    return e / e.sum(axis=0, keepdims=True)\n",
            "softmax",
            "cupy",
        )
        text = failed(answer, "matches_the_formula", "float64").searched()
        expect_readable(text)
        assert "logits = cp.array([" in text
        expect_shown_again(text, answer)


ATTENTION = """
def scaled_dot_product_attention(q, k, v, mask=None):
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    {how}
    w = np.exp(s - s.max(-1, keepdims=True))
    return w / w.sum(-1, keepdims=True) @ v
"""

CROSS_ENTROPY = """
def cross_entropy(logits, targets, ignore_index=-100):
    z, t = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    keep = t != ignore_index
    m = z.max(-1)
    lse = np.log(np.exp(z - m[:, None]).sum(-1)) + m
    return np.where(keep, lse - z[np.arange(len(t)), np.where(keep, t, 0)], 0).mean()
"""


def numbers_in(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {"np": np}
    exec(code_of(text), found)
    return found


class TestTheSameFailure:
    """What is shown must be the failure, not another mistake on the way."""

    @pytest.mark.parametrize(
        ("how", "mistake"),
        [
            ("", "mask_ignored"),
            ("s = np.where(mask, -np.inf, s)", "mask_upside_down"),
            ("s = s * mask", "masked_scores_set_to_zero"),
        ],
    )
    def test_a_mask_goes_on_hiding_something_and_leaving_something(self, how, mistake):
        answer = written(NUMPY + ATTENTION.format(how=how), "scaled_dot_product_attention")
        for name in ("", mistake):
            text = failed(answer, "obeys_every_mask").searched(mistake=name)
            mask = numbers_in(text)["mask"]
            assert mask.any(axis=-1).all()
            assert not mask.all()

    def test_a_token_is_left_where_some_are_ignored(self):
        answer = written(NUMPY + CROSS_ENTROPY, "cross_entropy")
        for case in ("", "ignore_index_2", "ignore_index_255"):
            text = failed(answer, "leaves_out_ignored_tokens", case).searched()
            assert row(text)[0] != "nan"
            ignored = int(case.rpartition("_")[2] or -100)
            assert 0 < (numbers_in(text)["targets"] == ignored).sum() < 2
            assert f"ignore_index={ignored}" in text or not case
            expect_shown_again(text, answer)

    def test_a_number_does_not_become_infinite(self):
        answer = mistaken("condition_number", "upside_down")
        text = failed(answer, "matches_the_singular_values").searched()
        assert np.isfinite(float(row(text)[0]))

    def test_a_wrong_sign_does_not_become_a_rounding_error(self):
        answer = written(
            NUMPY
            + "def entropy(p, axis=-1):\n    return np.sum(p * np.log(p + 1e-12), axis=axis)\n",
            "entropy",
        )
        text = failed(answer, "matches_the_formula", "float64").searched()
        expected, got = map(float, row(text)[1:3])
        assert np.isclose(got, -expected)

    def test_a_factor_does_not_become_what_eps_does(self):
        answer = written(
            NUMPY
            + "def rms_norm(x, weight, eps=1e-6):\n"
            + "    return x / np.linalg.norm(x, axis=-1, keepdims=True) * weight\n",
            "rms_norm",
        )
        text = failed(answer, "matches_the_formula", "float64").searched()
        expected, got = map(float, row(text)[1:3])
        assert np.isclose(got / expected, 0.5**0.5, rtol=1e-5)

    def test_a_shape_keeps_its_axes(self):
        answer = written(
            NUMPY
            + "def logsumexp(x, axis=-1):\n    m = np.max(x, axis=axis, keepdims=True)\n"
            + "    return m + np.log(np.sum(np.exp(x - m), axis=axis))\n",
            "logsumexp",
        )
        text = failed(answer, "matches_the_formula", "float64").searched()
        assert "expected  the result of shape (2,)" in text
        assert "got       shape (2, 2)" in text

    def test_a_named_mistake_is_what_is_shown(self):
        answer = written(
            NUMPY + "def tanh(x):\n" + "    return x + 1 if x.size < 5 else 1 / (1 + np.exp(-x))\n",
            "tanh",
        )
        at = failed(answer, "matches_the_formula", "float64")
        for mistake, size in (("", 4), ("sigmoid_returned", 5), ("only_large_x", 4)):
            assert numbers_in(at.searched(mistake=mistake))["x"].size >= size
            assert (numbers_in(at.searched(mistake=mistake))["x"].size < 5) == (size < 5)

    def test_an_argument_that_is_spoken_of_stays(self):
        answer = written(
            NUMPY
            + "def softmax(logits, temperature=1.0, axis=-1):\n    return logits + temperature\n",
            "softmax",
        )
        at = failed(answer, "matches_the_formula", "axis_0")
        assert "axis=0" not in at.searched()
        assert "axis=0" in at.searched(pattern="the result is the one for axis=-1")


class TestAwkwardAnswers:
    """Nothing that an answer does may get in the way."""

    def test_chance_never_raises(self):
        answer = written(
            NUMPY
            + "RNG = np.random.default_rng(3)\n\n\n"
            + "def tanh(x):\n    return np.tanh(x) + (RNG.random() < 0.5)\n",
            "tanh",
        )
        at = failed(answer)
        for _ in range(3):
            text = at.searched(Budget(tries=20, seconds=600.0))
            assert text == "" or "wrong" in text

    def test_one_that_prints_and_warns_does_so_once(self, capfd):
        answer = written(
            NUMPY
            + "import sys\nimport warnings\n\n\n"
            + "def tanh(x):\n    print('here')\n    print('there', file=sys.stderr)\n"
            + "    warnings.warn('well', stacklevel=1)\n    return np.tanh(x) + 1\n",
            "tanh",
        )
        at = failed(answer)
        capfd.readouterr()
        assert at.searched()
        assert capfd.readouterr() == ("", "")

    def test_a_slow_one_is_left_alone(self, monkeypatch):
        answer = written(NUMPY + "def tanh(x):\n    return x + 1\n", "tanh")
        at = failed(answer)
        calls = counted(monkeypatch, answer)
        monkeypatch.setattr(smallest, "_SLOW", -1.0)
        assert at.searched() == ""
        assert len(calls) <= 1

    def test_one_that_hangs_on_smaller_inputs(self, monkeypatch):
        monkeypatch.setattr(smallest, "_HANGS", 0.05)
        answer = written(
            NUMPY + "def tanh(x):\n    while x.shape[-1] < 3:\n        pass\n    return x + 1\n",
            "tanh",
        )
        at = failed(answer, "matches_the_formula", "float64")
        timeouts = answer.timeouts
        text = at.searched(Budget(tries=4, seconds=600.0))
        assert answer.timeouts == timeouts
        assert "(1," not in text
        assert "(2," not in text

    def test_the_answer_is_as_it_was(self):
        answer = written(NUMPY + "def tanh(x):\n    return x + 1\n", "tanh")
        at = failed(answer)
        before = (answer.calls, answer.clock, answer.case, answer.timeouts, answer.others)
        assert at.searched()
        after = (answer.calls, answer.clock, answer.case, answer.timeouts, answer.others)
        assert all(one is other for one, other in zip(before, after, strict=True))

    def test_no_more_tries_than_allowed(self, monkeypatch):
        answer = mistaken("multi_head_attention", "interleaved_heads")
        at = failed(answer, "matches_the_formula", "float64")
        calls = counted(monkeypatch, answer)
        at.searched(Budget(tries=10, seconds=600.0))
        assert 5 <= len(calls) <= 13  # and one before, and one after either search

    def test_no_time_left_shows_nothing(self, monkeypatch):
        answer = written(NUMPY + "def tanh(x):\n    return x + 1\n", "tanh")
        at = failed(answer)
        calls = counted(monkeypatch, answer)
        monkeypatch.setattr(smallest, "_ALTOGETHER", 0.0)
        assert smallest.smallest_case(at.engine, at.answer, at.check, at.case) == ""
        assert not calls

    def test_a_fault_of_ours_is_silent(self, monkeypatch):
        answer = written(NUMPY + "def tanh(x):\n    return x + 1\n", "tanh")
        at = failed(answer)
        monkeypatch.setattr(smallest, "Simpler", None)
        assert smallest.smallest_case(at.engine, at.answer, at.check, at.case) == ""

    @pytest.mark.parametrize("check", ["refuses_bad_arguments", "reads_any_layout"])
    def test_where_there_is_nothing_to_learn(self, check):
        body = "np.ascontiguousarray(grad_output).ravel('K').reshape(x.shape)"
        answer = written(
            NUMPY + f"def tanh_backward(grad_output, x):\n    return {body} + 1\n", "tanh_backward"
        )
        assert failed(answer, check).searched() == ""

    def test_another_seed_is_another_case(self):
        answer = written(NUMPY + "def tanh(x):\n    return x + 1\n", "tanh")
        texts = [failed(answer, seed=seed).searched() for seed in (0, 0, 1)]
        assert texts[0] == texts[1]
        assert all(texts)


def counted(monkeypatch, answer: Answer) -> list[Any]:
    """The calls that an answer gets from now on."""
    calls: list[Any] = []
    room_call = answer.room.call

    def call(where, request, seconds):
        if where is answer.where:
            calls.append(request)
        return room_call(where, request, seconds)

    monkeypatch.setattr(answer.room, "call", call)
    return calls


class TestSearch:
    def test_finds_what_is_needed(self):
        most = (3, 5, 3, 2)
        found = simplest(((0, 0, 0, 0),), most, lambda c: c[0] >= 2 and c[2] >= 1, PLENTY)
        assert found == (2, 0, 1, 0)

    def test_stays_where_nothing_is_simpler(self):
        most = (1,) * 6
        assert simplest(((0,) * 6,), most, lambda c: c == most, PLENTY) == most

    def test_takes_the_simplest_at_once(self):
        tried = []

        def fails(chosen):
            tried.append(chosen)
            return True

        assert simplest(((0, 0),), (4, 4), fails, PLENTY) == (0, 0)
        assert tried == [(0, 0)]

    def test_counts_its_tries_and_keeps_the_best(self):
        tried = []

        def fails(chosen):
            tried.append(chosen)
            return chosen[-1] == 1

        found = simplest(((0,) * 9,), (1,) * 9, fails, Budget(tries=5, seconds=600.0))
        assert len(tried) == 5
        assert found < (1,) * 9

    def test_a_time_budget_that_is_over_ends_it(self):
        assert simplest(((0, 0),), (1, 1), lambda c: True, Budget(9, 0.0)) == (1, 1)

    def test_leaves_nothing_behind(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        simplest(((0,) * 9,), (3,) * 9, lambda c: sum(c) > 8, PLENTY)
        assert list(tmp_path.iterdir()) == []


def made(inputs: dict[str, Any], *, change: str = "", optional: tuple[str, ...] = ()) -> Any:
    """The inputs at their simplest, or with one kind of simplification alone."""
    simpler = Simpler(inputs, optional, "float64")
    chosen = tuple(part.most if change and part.kind != change else 0 for part in simpler.parts)
    return simpler.made(inputs, chosen)


class TestSimpler:
    def test_changes_nothing_if_nothing_is_chosen(self):
        inputs = {"x": np.ones((3, 4)), "axis": 0}
        simpler = Simpler(inputs, ("axis",), "float64")
        assert simpler.made(inputs, simpler.as_it_was) is inputs

    def test_axes_of_one_length_shrink_together(self):
        inputs = {"a": np.ones((2, 5)), "b": np.ones((5, 3))}
        shapes = [array.shape for array in made(inputs, change="length").values()]
        assert shapes == [(1, 1), (1, 1)]

    def test_a_long_length_stays_a_multiple(self):
        inputs = {"x": np.ones((3, 4)), "w": np.ones((4, 16))}
        simpler = Simpler(inputs, (), "float64")
        chosen = tuple(
            part.most if part.kind == "axes" else int(part.of == 4 and part.options[0] < 2)
            for part in simpler.parts
        )
        shapes = [array.shape for array in simpler.made(inputs, chosen).values()]
        assert shapes == [(1, 2), (2, 8)]

    def test_special_numbers_keep_their_places(self):
        x = np.array([[123.456, np.nan, 0.0], [-np.inf, 1e-3, np.inf]])
        for change in ("digits", "size"):
            new = made({"x": x}, change=change)["x"]
            assert np.array_equal(np.isnan(new), np.isnan(x))
            assert np.array_equal(new == 0, x == 0)
            assert np.array_equal(new[np.isinf(x)], x[np.isinf(x)])
        assert made({"x": x}, change="digits")["x"][0, 0] == 200  # 1e-3 is 100 by now

    def test_probabilities_still_sum_to_one(self):
        p = np.random.default_rng(0).dirichlet(np.ones(5), 3)
        new = made({"p": p}, change="digits")["p"]
        assert np.allclose(new.sum(-1), 1, rtol=0, atol=1e-12)
        assert np.array_equal(new, np.round(new, 9))
        assert made({"p": p}, change="length")["p"].tolist() == [[1.0]]

    def test_masks_keep_their_places(self):
        mask = np.array([[True, False], [False, False]])
        new = made({"x": np.ones((2, 2)) * 1.23, "mask": mask}, change="digits")
        assert (new["x"] == 1).all()
        assert np.array_equal(new["mask"], mask)

    def test_a_token_goes_on_naming_its_row(self):
        table = np.arange(7.0)[:, None] * [[1.0, 10.0]] + 1
        ids = np.array([2, 5, -100, 6])
        inputs = {"table": table, "token_ids": ids, "vocab_size": 7}
        simpler = Simpler(inputs, (), "float64")
        chosen = tuple(
            2 if part.of == 7 else 0 if part.kind == "number" else part.most
            for part in simpler.parts
        )
        new = simpler.made(inputs, chosen)
        assert new["vocab_size"] == len(new["table"])
        assert new["token_ids"][2] == -100
        assert (new["token_ids"][[0, 1, 3]] < len(new["table"])).all()
        kept = [i for i in ids if 0 <= i < len(new["table"])]
        assert [table[i, 0] for i in kept] == [new["table"][i, 0] for i in kept]

    def test_orthonormal_rows_are_not_rounded(self):
        q = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0][:2]
        assert np.allclose(made({"c": q}, change="digits")["c"], q)
        with pytest.raises(NoSuchInputs):
            made({"c": q}, change="length")

    def test_what_leaves_the_dtype_is_no_candidate(self):
        x = np.array([6.5e4], np.float16)
        for digits in range(5):
            simpler = Simpler({"x": x}, (), "float16")
            chosen = tuple(digits if part.kind == "digits" else part.most for part in simpler.parts)
            try:
                new = simpler.made({"x": x}, chosen)["x"]
            except NoSuchInputs:
                continue
            assert np.isfinite(new).all()

    def test_axes_go_where_arrays_share_them(self):
        inputs = {"q": np.ones((2, 3, 6)), "k": np.ones((2, 4, 6)), "ids": np.ones((5, 3), int)}
        shapes = [array.shape for array in made(inputs, change="axes").values()]
        assert shapes == [(3, 6), (4, 6), ()]

    def test_arguments_with_a_default_are_left_out(self):
        inputs = {"x": np.ones(2), "temperature": 0.5, "axis": 0}
        assert set(made(inputs, optional=("temperature",))) == {"x", "axis"}

    def test_axis_is_not_made_smaller(self):
        assert made({"x": np.ones((2, 3)), "axis": 2})["axis"] == 2

    def test_blocks_and_lists_get_fewer(self):
        blocks = Blocks(tuple(np.full((2, n), 1.5) for n in (3, 1, 4)))
        assert len(made({"blocks": blocks})["blocks"].arrays) == 1
        assert len(made({"grads": [np.ones(3)] * 20})["grads"]) == 1

    def test_nothing_at_all_stays_nothing(self):
        with pytest.raises(NoSuchInputs):
            made({"x": np.ones((0, 3))})


def table(have: Any, want: Any, dtype: str = "float64", what: str = "the result") -> str:
    """A message about these numbers, of one small input."""
    have, want = np.asarray(have), np.asarray(want, np.longdouble)
    with np.errstate(all="ignore"):
        bad = ~((have == want) | (np.isnan(have) & np.isnan(want)))
    wrong = Wrong("this", "that", compared=Compared(have, want, bad, what, dtype))
    return shown(exercise("tanh"), "numpy", {"x": np.ones(1)}, wrong, smaller=True)


class TestShown:
    def test_the_worst_come_first_and_nan_is_counted_apart(self):
        text = table([1.0, 7.0, np.nan, 4.0, np.inf], [1.0, 2.0, 3.0, 3.0, 5.0])
        lines = text.splitlines()[2:]
        assert [line.split()[0] for line in lines[1:5]] == ["[2]", "[4]", "[1]", "[3]"]
        assert lines[-1].strip() == "4 of 5 wrong: 1 nan, 1 inf"

    def test_an_infinity_that_is_expected_is_not_counted(self):
        text = table([np.inf, 2.0], [np.inf, 1.0])
        assert text.splitlines()[-1].strip() == "1 of 2 wrong"

    def test_at_most_eight_positions(self):
        assert sum("[" in line for line in table(np.ones(50), np.zeros(50)).splitlines()[3:]) == 8

    def test_digits_enough_to_differ(self):
        text = table([1 + 1e-14], [1.0])
        assert "1.00000000000001" in text
        expect_readable(text)

    def test_one_number_has_no_position(self):
        text = table(2.0, 1.0)
        assert " at " not in text
        assert "1          2     1" in text

    def test_wide_numbers_at_a_deep_position_fit(self):
        have = np.full((2,) * 8, -1.2345678901234567e-300)
        expect_readable(table(have, np.nextafter(have, 0)))

    @pytest.mark.parametrize(
        ("track", "value", "code"),
        [
            ("numpy", np.array([[0.0, 1000.0]]), "np.array([[0., 1000.]])"),
            ("numpy", np.array([1], np.int64), "np.array([1])"),
            ("numpy", np.array([1], np.int8), "np.array([1], dtype=np.int8)"),
            ("numpy", np.array([True]), "np.array([True])"),
            ("numpy", np.array([0.1], np.float32), "np.array([0.1], dtype=np.float32)"),
            ("numpy", np.array([np.nan, -np.inf]), "np.array([np.nan, -np.inf])"),
            ("numpy", np.zeros((0, 3)), "np.zeros((0, 3))"),
            ("numpy", np.zeros((0,), np.int64), "np.zeros((0,), dtype=np.int64)"),
            ("numpy", np.array(3.0), "np.array(3.)"),
            ("numpy", np.array([1e-30, 2e20]), "np.array([1e-30, 2e+20])"),
            ("numpy", np.array([-20000], np.float16), "np.array([-20000.], dtype=np.float16)"),
            ("numpy", (np.array([1.0]),), "(np.array([1.]),)"),
            ("numpy", {"a": np.array([1.0]), "b": None}, '{"a": np.array([1.]), "b": None}'),
            ("torch", np.array([0.5], np.float32), "torch.tensor([0.5])"),
            ("torch", np.array([0.5]), "torch.tensor([0.5], dtype=torch.float64)"),
            ("torch", Bfloat16.of([0.5]), "torch.tensor([0.5], dtype=torch.bfloat16)"),
            ("torch", np.array([np.inf], np.float32), "torch.tensor([torch.inf])"),
            ("cupy", np.array([np.nan]), "cp.array([cp.nan])"),
        ],
    )
    def test_code_that_can_be_pasted(self, track, value, code):
        error = Wrong("this", "that")
        text = shown(exercise("tanh"), track, {"x": value}, error, smaller=True)
        assert f"x = {code}\n" in text

    def test_every_number_comes_back_exactly(self):
        rng = np.random.default_rng(5)
        for dtype in (np.float64, np.float32, np.float16):
            x = (rng.normal(size=6) * 10.0 ** rng.integers(-4, 4, 6)).astype(dtype)
            text = shown(exercise("tanh"), "numpy", {"x": x}, Wrong("a", "b"), smaller=True)
            found: dict[str, Any] = {"np": np}
            exec(code_of(text), found)
            assert found["x"].dtype == x.dtype
            assert np.array_equal(found["x"], x)

    @pytest.mark.parametrize("x", [np.ones((9, 9)), np.full((5, 5), 1.2345678901234567e-300)])
    def test_inputs_that_cannot_be_written_out_show_nothing(self, x):
        compared = Compared(x, x, np.ones(x.shape, bool), "the result", "float64")
        for wrong in (Wrong("this", "that"), Wrong("this", "that", compared=compared)):
            assert shown(exercise("tanh"), "numpy", {"x": x}, wrong, smaller=True) == ""

    def test_nothing_is_said_twice(self):
        assert shown(exercise("tanh"), "numpy", {"x": np.ones(1)}, Wrong("a", "b"),
                     smaller=False) == ""  # fmt: skip

    def test_a_small_case_that_cannot_be_smaller_has_its_table(self):
        compared = Compared(np.ones(1), np.zeros(1), np.ones(1, bool), "the result", "float64")
        wrong = Wrong("a", "b", compared=compared)
        text = shown(exercise("tanh"), "numpy", {"x": np.ones(1)}, wrong, smaller=False)
        assert text.startswith("  this case tanh(x) with x float64 (1,)\n")


@pytest.mark.parametrize("name", names())
def test_a_mistake_of_every_exercise(name):
    entry = exercise(name)
    known = [m for m in entry.mistakes if m.track == "numpy"]
    mistake = known[names().index(name) % len(known)]
    at = failed(mistakes.answer_with(entry, mistake))
    text = at.searched(Budget(tries=40, seconds=600.0))
    if text:
        expect_readable(text)
        assert text.startswith(("  smallest  ", "  this case "))


def test_hypothesis_waits_for_a_failure():
    program = (
        "import sys, llm_math_tests.cli, llm_math_tests.diagnosis.closer_look\n"
        "print('hypothesis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
