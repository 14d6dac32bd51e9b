"""The size at which an answer breaks: found, true, and said in a picture that fits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from llm_math_tests import course, mistakes
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.answers.values import Blocks, cast, plain
from llm_math_tests.answers.worker import Worker
from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.diagnosis import breaking_point as module
from llm_math_tests.diagnosis.breaking_point import (
    MOST_CALLS,
    Varied,
    breaking_point,
    draws_of,
    ends,
    is_right,
    picture,
    what_varies,
)
from llm_math_tests.diagnosis.sized import moved, numbers_in, of_size, ordinary, truth_of
from llm_math_tests.exercises import exercise, names
from llm_math_tests.report.failure import failure_of
from llm_math_tests.run import Engine, Solution
from llm_math_tests.session import Choice, Session

NAIVE = {
    "softmax": """
def softmax(logits, temperature=1.0, axis=-1):
    e = xp.exp(logits / temperature)
    return e / e.sum(axis, keepdims=True)
""",
    "log_softmax": """
def log_softmax(logits, axis=-1):
    return logits - xp.log(xp.exp(logits).sum(axis, keepdims=True))
""",
    "logsumexp": """
def logsumexp(x, axis=-1):
    return xp.log(xp.exp(x).sum(axis))
""",
    "sigmoid": """
def sigmoid(x):
    return xp.exp(x) / (1 + xp.exp(x))
""",
    "layer_norm": """
def layer_norm(x, weight, bias, eps=1e-5):
    mean = x.mean(-1, keepdims=True)
    var = (x * x).mean(-1, keepdims=True) - mean * mean
    return (x - mean) / xp.sqrt(var + eps) * weight + bias
""",
}
LARGE = {
    "softmax": "survives_large_scores", "log_softmax": "survives_large_scores",
    "logsumexp": "survives_large_numbers", "sigmoid": "survives_large_numbers",
    "layer_norm": "keeps_digits_far_from_zero",
}  # fmt: skip
LIBRARY = {"numpy": "numpy", "torch": "torch", "cupy": "cupy"}
EACH_TRACK = pytest.mark.parametrize(
    "track", ["numpy", pytest.param("torch", marks=pytest.mark.torch), "cupy"]
)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """However busy the machine is, the numbers are the same."""
    monkeypatch.setattr(module, "SECONDS", 60.0)


def made(tmp_path, name, text, track="numpy"):
    """An engine with this answer in it."""
    topic = exercise(name).topic
    file = tmp_path / "student" / topic / f"with_{track}.py"
    file.parent.mkdir(parents=True)
    file.write_text(f"import {LIBRARY[track]} as xp\n{text}", encoding="utf-8")
    engine = Engine(Solution("student", tmp_path / "student"), InProcess())
    return engine, engine.answer(exercise(name), track)


def shown(engine, answer, check_name, case_name="float32"):
    """The picture for a failed case."""
    check = answer.exercise.check(check_name)
    case = next(case for case in check.cases if case.name.startswith(case_name))
    return breaking_point(engine, answer, check, case)


def numbers(text):
    """What the picture says, by dtype: (yours, the reference's)."""
    rows = re.findall(r"(\w+) +yours +[#.]+  (\S+)\n +reference +[#.]+  (\S+)", text)
    return {dtype: (float(yours), float(reference)) for dtype, yours, reference in rows}


def test_the_picture_of_a_naive_softmax(tmp_path):
    engine, answer = made(tmp_path, "softmax", NAIVE["softmax"])
    assert (
        shown(engine, answer, "survives_large_scores")
        == """\
  right     for logits up to 88 in float32; the reference up to 3.4e38
            bars: powers of ten from 1 to the largest that the dtype holds
            float64   yours      #.............................  700
                      reference  ##############################  1.7e308
            float32   yours      #.............................  88
                      reference  ##############################  3.4e38
            float16   yours      #######.......................  11
                      reference  ##############################  65000"""
    )


@EACH_TRACK
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "sigmoid"])
def test_an_exponential_breaks_where_the_dtype_ends(tmp_path, name, track):
    engine, answer = made(tmp_path, name, NAIVE[name], track)
    found = numbers(shown(engine, answer, LARGE[name]))
    assert {"float64", "float32"} <= set(found)
    for dtype, end in {"float64": 700, "float32": 88, "float16": 11, "bfloat16": 88}.items():
        if dtype in found:
            # x - log(sum) loses digits long before anything overflows.
            least = 90 if (name, dtype) == ("log_softmax", "float64") else 0.7 * end
            assert least < found[dtype][0] < 1.3 * end
            assert found[dtype][1] > 1e4


@EACH_TRACK
@pytest.mark.parametrize("name", NAIVE)
def test_what_is_printed_is_true(tmp_path, name, track):
    """Right at the printed number, on other draws too, and wrong just beyond it on ours."""
    engine, answer = made(tmp_path, name, NAIVE[name], track)
    found = numbers(shown(engine, answer, LARGE[name]))
    assert found
    case = exercise(name).check(LARGE[name]).cases[0]
    varied = what_varies(answer, case.make(np.random.default_rng(0)))
    for dtype, (yours, _) in found.items():
        # Overflow comes at one size; digits are lost earlier in some draws than in others.
        share = 0.25 if name in ("log_softmax", "layer_norm") else 1
        for seed in range(100, 110):
            usual = ordinary(answer.exercise, track, dtype, seed)
            assert right(answer, varied.at(usual, yours * share), dtype), (dtype, seed)
        beyond = varied.size(position(varied, yours) + 1)
        draws = draws_of(answer, varied, dtype)
        assert all(right(answer, varied.at(draw, yours), dtype) for draw in draws)
        if share == 1:
            assert not all(right(answer, varied.at(draw, beyond), dtype) for draw in draws)


def position(varied, size):
    return next(at for at in range(varied.last("float64")) if varied.size(at) == size)


def right(answer, inputs, dtype):
    """Asked and compared as a check does, and by nothing of the module under test."""
    with np.errstate(all="ignore"):
        wanted = truth_of(answer.exercise)(**inputs)
        try:
            expect_close(answer(inputs), wanted, dtype, answer.track)
        except Wrong:
            return False
    return True


def test_a_one_pass_variance_breaks_far_from_zero(tmp_path):
    engine, answer = made(tmp_path, "layer_norm", NAIVE["layer_norm"])
    text = shown(engine, answer, "keeps_digits_far_from_zero", "float32_1e4")
    assert re.match(r"  right     for x around \S+, give or take 1, in float32; the ref", text)
    yours, reference = numbers(text)["float32"]
    assert yours < 1e4 < reference
    below = shown(engine, answer, "keeps_digits_far_from_zero", "float32_minus_1e4")
    assert "for x around -" in below


def test_the_reference_of_log_softmax_is_right_as_far_as_the_dtype_tells(tmp_path):
    engine, answer = made(tmp_path, "log_softmax", NAIVE["log_softmax"])
    text = shown(engine, answer, "keeps_digits_far_from_zero", "float64")
    assert numbers(text)["float64"][1] == 4.5e15


def test_the_small_end_where_that_is_what_breaks(tmp_path):
    text = """
def relu(x):
    return xp.where(x > 1e-9, x, 0).astype(x.dtype)
"""
    engine, answer = made(tmp_path, "relu", text)
    told = shown(engine, answer, "keeps_tiny_numbers")
    assert told.startswith("  right     for x down to 1.")
    assert "in float32; the reference down to 1.2e-38" in told
    # 1e-9 rounds to 0 in float16, where the numbers themselves end before.
    assert set(numbers(told)) == {"float64", "float32"}


@pytest.mark.parametrize("name", names())
def test_who_is_right_everywhere_is_shown_nothing(name):
    answer = mistakes.reference_answer(exercise(name))
    engine = Engine(Solution("reference", course.folder("reference")), answer.room)
    for check in answer.exercise.checks:
        if check.level == "stable":
            for case in check.cases[:2]:
                assert breaking_point(engine, answer, check, case) == ""


@pytest.mark.parametrize(
    "text",
    [
        "def softmax(logits, temperature=1.0, axis=-1):\n    return logits * 0\n",
        "def softmax(logits, temperature=1.0, axis=-1):\n    return logits.sum()\n",
        "def softmax(logits, temperature=1.0, axis=-1):\n    return None\n",
        "def softmax(logits, temperature=1.0, axis=-1):\n    raise ValueError('no')\n",
        "def softmax(logits, temperature=1.0, axis=-1):\n    raise SystemExit(3)\n",
    ],
)
def test_who_is_wrong_at_every_size_is_shown_nothing(tmp_path, text):
    engine, answer = made(tmp_path, "softmax", text)
    assert shown(engine, answer, "survives_large_scores") == ""


def test_only_what_the_check_makes_large_is_shown(tmp_path):
    """A naive softmax fails at -inf and in float16's long rows for other reasons than size."""
    engine, answer = made(tmp_path, "softmax", NAIVE["softmax"])
    for check, case in (
        ("handles_minus_infinity", "some_masked"), ("handles_long_rows", "float16"),
        ("survives_tiny_differences", "float32"), ("matches_the_formula", "float32"),
    ):  # fmt: skip
        assert shown(engine, answer, check, case) == ""


WELL_UP_TO_50 = """
def softmax(logits, temperature=1.0, axis=-1):
    {does}
    e = xp.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
"""


def test_an_exception_beyond_some_size_is_a_break(tmp_path):
    text = WELL_UP_TO_50.format(does="if abs(logits).max() > 50: raise OverflowError")
    engine, answer = made(tmp_path, "softmax", text)
    assert numbers(shown(engine, answer, "survives_large_scores"))["float32"][0] == 50


def test_an_answer_that_hangs_is_let_be(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.3)
    text = WELL_UP_TO_50.format(does="while abs(logits).max() > 50: pass")
    engine, answer = made(tmp_path, "softmax", text)
    assert shown(engine, answer, "survives_large_scores") == ""


def test_an_answer_that_timed_out_in_its_checks_is_not_asked_again(tmp_path, monkeypatch):
    engine, answer = made(tmp_path, "softmax", NAIVE["softmax"])
    answer.timeouts = 1
    monkeypatch.setattr(answer.room, "call", lambda *_: pytest.fail("asked"))
    assert shown(engine, answer, "survives_large_scores") == ""


def test_a_slow_answer_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.3)
    text = WELL_UP_TO_50.format(does="import time; time.sleep(0.02)")
    engine, answer = made(tmp_path, "softmax", text)
    asked = count(monkeypatch, answer)
    assert shown(engine, answer, "survives_large_scores") == ""
    assert len(asked) == 1


def test_what_an_answer_prints_and_where_it_stops_is_kept_quiet(tmp_path, capsys):
    text = WELL_UP_TO_50.format(
        does="print('here'); breakpoint(); logits = logits + 0 * (abs(logits) ** 12).max()"
    )
    engine, answer = made(tmp_path, "softmax", text)
    assert shown(engine, answer, "survives_large_scores")
    assert capsys.readouterr() == ("", "")


def test_writing_into_the_inputs_changes_nothing(tmp_path):
    text = """
def softmax(logits, temperature=1.0, axis=-1):
    xp.exp(logits, out=logits)
    logits /= logits.sum(axis, keepdims=True)
    return logits
"""
    engine, answer = made(tmp_path, "softmax", text)
    assert numbers(shown(engine, answer, "survives_large_scores"))["float32"] == (88, 3.4e38)


def count(monkeypatch, answer):
    asked = []
    call = answer.room.call

    def counted(where, request, seconds):
        asked.append(str(request.args[0].dtype))
        return call(where, request, seconds)

    monkeypatch.setattr(answer.room, "call", counted)
    return asked


@pytest.mark.parametrize("name", NAIVE)
def test_no_more_calls_than_said(tmp_path, monkeypatch, name):
    engine, answer = made(tmp_path, name, NAIVE[name])
    asked = count(monkeypatch, answer)
    assert shown(engine, answer, LARGE[name])
    assert max(asked.count(dtype) for dtype in set(asked)) <= MOST_CALLS
    again = len(asked)
    assert shown(engine, answer, LARGE[name])
    assert len(asked) == 2 * again  # the same draws, in the same order


def test_checks_forget_that_it_was_asked(tmp_path):
    engine, answer = made(tmp_path, "softmax", NAIVE["softmax"])
    engine.run(exercise("softmax").check("survives_large_scores"), answer)
    before = list(answer.calls)
    assert shown(engine, answer, "survives_large_scores")
    assert answer.calls == before


def test_an_answer_in_another_process_is_looked_at_alike(tmp_path):
    engine, answer = made(tmp_path, "softmax", NAIVE["softmax"])
    here = shown(engine, answer, "survives_large_scores")
    away = Engine(engine.solution, Worker())
    there = shown(away, away.answer(answer.exercise, "numpy"), "survives_large_scores")
    away.room.close()
    assert there == here != ""


def test_a_student_reads_it_below_the_message(tmp_path):
    made(tmp_path, "softmax", NAIVE["softmax"])
    session = Session(Choice(Solution("student", tmp_path / "student"), ("softmax",)))
    session.run("softmax", "numpy", "survives_large_scores")
    text = failure_of(session, session.records())
    assert "  right     for logits up to 88 in float32; the reference up to 3.4e38\n" in text


@pytest.mark.parametrize("name", names())
def test_every_mistake_of_the_catalogue_can_be_looked_at(name):
    """Nothing is raised, and what is said fits a terminal of 80 columns and any console."""
    entry = exercise(name)
    engine = Engine(Solution("reference", course.folder("reference")), InProcess())
    for mistake in entry.mistakes:
        if mistake.track != "numpy":
            continue
        answer = mistakes.answer_with(entry, mistake)
        seen = set()
        for check in entry.checks_in("numpy"):
            if check.level != "stable":
                continue
            inputs = check.cases[0].make(engine.rng(entry, check, check.cases[0]))
            varied = what_varies(answer, inputs)
            if varied is None or varied in seen:
                continue
            seen.add(varied)
            text = picture(answer, inputs)
            assert text.isascii()
            assert all(len(line) <= 80 for line in text.splitlines())
            for dtype, (yours, reference) in numbers(text).items():
                assert yours != reference
                assert all(
                    is_right(answer, varied.at(draw, yours))
                    for draw in draws_of(answer, varied, dtype)
                )


class TestSized:
    """Ordinary inputs are brought to a size, whatever holds the numbers."""

    def test_the_largest_magnitude_is_the_size(self):
        for dtype in ("float64", "float32", "float16", "bfloat16"):
            x = of_size({"x": cast([-4.0, 1.0], dtype), "n": 3}, ["x"], 88.0)
            assert plain(x["x"]).tolist() == [-88.0, 22.0]
            assert x["n"] == 3

    def test_lists_and_blocks_share_a_factor(self):
        parts = (np.array([4.0]), np.array([-1.0]))
        listed = of_size({"x": list(parts)}, ["x"], 2.0)["x"]
        assert [part.tolist() for part in listed] == [[2.0], [-0.5]]
        blocks = of_size({"x": Blocks(parts)}, ["x"], 2.0)["x"]
        assert [part.tolist() for part in blocks.arrays] == [[2.0], [-0.5]]

    def test_moved_inputs_lie_around_the_distance(self):
        out = moved({"x": np.array([-4.0, 2.0]), "y": np.array([1.0])}, {"x": -100.0})
        assert out["x"].tolist() == [-101.0, -99.5]
        assert out["y"].tolist() == [1.0]

    def test_what_is_no_number_is_left_alone(self):
        mask = np.array([True, False])
        assert of_size({"mask": mask}, ["mask"], 5.0)["mask"] is mask
        assert numbers_in([np.array([1.0, np.inf, np.nan]), mask]).tolist() == [1.0]

    def test_ordinary_inputs_are_of_the_dtype(self):
        assert plain(ordinary(exercise("softmax"), "torch", "bfloat16", 0)["logits"]).size
        assert ordinary(exercise("softmax"), "numpy", "bfloat16", 0) is None
        inputs = ordinary(exercise("pre_norm_block"), "numpy", "float32", 0)
        assert inputs["sublayer"](inputs["x"]).dtype == np.float32


def test_sizes_are_all_numbers_of_two_digits():
    up, down = (Varied(way, (("x", 1),)) for way in ("up", "down"))
    assert [up.size(at) for at in (0, 1, 89, 90, 91, 180)] == [1, 1.1, 9.9, 10, 11, 100]
    assert [down.size(at) for at in (0, 1, 90)] == [1, 0.99, 0.1]
    assert up.size(up.last("float32")) == 3.4e38
    assert up.size(up.last("float16")) == 65000
    assert down.size(down.last("float32")) == 1.2e-38


def test_an_end_close_to_the_references_is_no_difference(tmp_path):
    """Where scores overflow, one rounding more or less decides about the last digit."""
    _, answer = made(tmp_path, "softmax", WELL_UP_TO_50.format(does="pass"))
    varied = Varied("up", (("logits", 1),))
    assert ends(answer, varied, "float32") == []
