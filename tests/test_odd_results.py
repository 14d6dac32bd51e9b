"""Whatever an answer returns: nothing is earned by it, and nothing of ours stumbles over it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from llm_math_tests import course
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.answers.values import Given
from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.truth import Truth
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercises import exercise, names
from llm_math_tests.run import Engine, Solution, run_exercise

ODD = {
    "nothing": "None",
    "text": "'x'",
    "seven_zeros": "np.zeros(7)",
    "pairs": "(np.zeros(7), 'x')",
    "lists": "[[1.0, 2.0], [3.0]]",
    "huge_int": "(10**5000, 10**5000)",
    "holds_itself": "itself",
    "array_like": "ArrayLike()",
    "many_axes": "np.zeros((1,) * 32)",
    "no_numbers": "np.zeros((0, 1 << 40))",
}

HEAD = """
import numpy as np
itself = []
itself.append(itself)
class ArrayLike:
    shape, dtype = (3,), "float64"
    def __array__(self, *args, **kwargs): raise KeyboardInterrupt
    def __len__(self): return -1
    def __getattr__(self, name): raise RuntimeError(name)
"""


def outcomes(tmp_path, name, returned):
    """Of an answer that returns the same whatever it is asked."""
    entry = exercise(name)
    file = tmp_path / entry.topic / "with_numpy.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{HEAD}\ndef {entry.signature}:\n    return {returned}\n", encoding="utf-8")
    engine = Engine(Solution("student", tmp_path), InProcess(), diagnose=False)
    return run_exercise(engine, entry, "numpy")


@pytest.mark.parametrize("name", names())
def test_an_answer_that_returns_nothing_earns_nothing(tmp_path, name):
    found = outcomes(tmp_path, name, "None")
    assert found
    assert [f"{o.check}, {o.case}" for o in found if o.points] == []


@pytest.mark.parametrize("how", ODD)
@pytest.mark.parametrize(
    "name", ["softmax", "relu", "two_layer_forward", "update_loss_scale", "transformer_block"]
)
def test_an_odd_result_is_wrong_and_no_fault_of_ours(tmp_path, name, how):
    found = outcomes(tmp_path, name, ODD[how])
    assert [o.message for o in found if o.ended == "fault of ours"] == []
    assert not sum(o.points for o in found)


def test_a_fault_is_still_ours_where_the_result_has_the_right_form():
    entry = exercise("softmax")

    def stumbles(answer, inputs):
        answer(inputs)
        raise LookupError("ours")

    check = replace(entry.checks[0], run=stumbles)
    engine = Engine(Solution("reference", course.folder("reference")), InProcess())
    found = engine.run(check, engine.answer(entry, "numpy"))
    assert {outcome.ended for outcome in found} == {"fault of ours"}


def test_a_diagnosis_that_fails_leaves_the_outcome_as_it_is(tmp_path, monkeypatch):
    def fails(*anything):
        raise RuntimeError("no name for it")

    monkeypatch.setattr("llm_math_tests.diagnosis.diagnose.what_they_did", fails)
    entry = exercise("softmax")
    outcomes(tmp_path, "softmax", "None")
    engine = Engine(Solution("student", tmp_path), InProcess())
    found = engine.run(entry.checks[0], engine.answer(entry, "numpy"))
    assert {(outcome.verdict, outcome.mistake) for outcome in found} == {("wrong", "")}


def test_arguments_that_grow_when_put_together_are_refused():
    times = Given("times", lambda x, y: x * y)
    with pytest.raises(ValueError, match=r"\(60000, 1\) and \(1, 60000\) do not belong together"):
        times(np.zeros((60_000, 1)), np.zeros((1, 60_000)))
    with pytest.raises(ValueError, match="more than the function takes"):
        times(np.zeros(1 << 23, bool), 1.0)
    assert times(np.zeros((300, 400)), np.ones(400)).shape == (300, 400)
    assert times.calls == 3


def test_an_infinite_value_is_never_near_a_finite_one():
    truth = Truth(np.zeros(2), np.array([np.inf, np.inf]))
    with pytest.raises(Wrong):
        expect_close(np.array([np.inf, 0.0]), truth, "float64", "numpy")


@pytest.mark.torch
def test_tensors_without_numbers_are_no_arrays():
    torch = pytest.importorskip("torch")
    from llm_math_tests.tracks.torch import TRACK

    assert TRACK.take(torch.zeros(3, device="meta")) is None
