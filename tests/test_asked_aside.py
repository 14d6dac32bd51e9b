"""What a diagnosis asks besides the checks is not held against anybody's answers."""

from __future__ import annotations

import numpy as np
import pytest

from llm_math_tests.answers.answer import request_for
from llm_math_tests.answers.door import Loaded, Reply
from llm_math_tests.answers.worker import Worker
from llm_math_tests.diagnosis.closer_look import closer_look
from llm_math_tests.exercises import exercise
from llm_math_tests.run import Engine, Solution

DIES = """\
import os
import numpy as np

def softmax(logits, temperature=1.0, axis=-1):
    if logits.size < 6:
        os._exit(0)
    return 2 * np.exp(log_softmax(logits / temperature, axis))

def log_softmax(logits, axis=-1):
    return logits - logsumexp(logits, axis, True)

def logsumexp(x, axis=-1, keepdims=False):
    top = x.max(axis, keepdims=True)
    found = np.log(np.exp(x - top).sum(axis, keepdims=True)) + top
    return found if keepdims else found.squeeze(axis)
"""


class Room:
    """Answers every call in one way, and counts."""

    name = "in process"

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[bool] = []

    def load(self, where):
        return Loaded({})

    def call(self, where, request, seconds):
        self.asked.append(request.aside)
        return self.reply

    def close(self):
        pass


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "softmax").mkdir()
    (tmp_path / "softmax" / "with_numpy.py").write_text(DIES, encoding="utf-8")
    return Solution("student", tmp_path)


def test_an_answer_that_dies_in_a_diagnosis_takes_no_points_from_others(folder):
    engine = Engine(folder, Worker())
    asked = []
    call = engine.room.call

    def noted(where, request, seconds):
        reply = call(where, request, seconds)
        asked.append((request.aside, reply.ended))
        return reply

    engine.room.call = noted
    softmax = engine.answer(exercise("softmax"), "numpy")
    for check in softmax.exercise.checks_in("numpy"):
        if check.level != "core":
            continue
        for case, outcome in zip(check.cases, engine.run(check, softmax), strict=True):
            if outcome.verdict == "wrong":
                closer_look(engine, softmax, check, case)
    # It did die in a diagnosis, and was left alone after it.
    assert asked.count((True, "signal")) == 1
    for name in ("log_softmax", "logsumexp"):
        entry = exercise(name)
        answer = engine.answer(entry, "numpy")
        core = [c for c in entry.checks_in("numpy") if c.level == "core" and c.points]
        outcomes = [outcome for check in core for outcome in engine.run(check, answer)]
        assert {o.verdict for o in outcomes} == {"passed"}
    engine.room.close()


@pytest.mark.parametrize(
    ("ended", "seconds", "calls"),
    [("returned", 5.0, 3), ("raised", 5.0, 3), ("signal", 5.0, 1), ("timeout", 5.0, 1),
     ("timeout", 0.01, 3)],
)  # fmt: skip
def test_no_more_is_asked_after_a_call_that_did_not_come_to_its_end(folder, ended, seconds, calls):
    room = Room(Reply(ended))
    answer = Engine(folder, room).answer(exercise("softmax"), "numpy")
    request = request_for(answer.exercise, "numpy", {"logits": np.ones(3)})
    assert {answer.ask_aside(request, seconds).ended for _ in range(3)} == {ended}
    assert room.asked == [True] * calls
    assert answer.calls == []
    assert answer.clock.left == answer.clock.limit
    answer.try_to_ask({"logits": np.ones(3)})  # checks go on
    assert room.asked[-1] is False
