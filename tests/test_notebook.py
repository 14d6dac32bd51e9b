"""``llm_math_tests.check``: a function of a cell, checked where it was defined."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import llm_math_tests
from llm_math_tests import course
from llm_math_tests.answers.load import load
from llm_math_tests.exercise import TRACKS
from llm_math_tests.run import Solution
from llm_math_tests.tracks import track as track_called


@pytest.fixture
def ours(tmp_path, monkeypatch):
    """Our references as functions, while we stand where there is no course."""
    monkeypatch.chdir(tmp_path)

    def find(name, topic, track):
        where = Solution("reference", course.folder("reference")).where(topic, track)
        return load(where, track_called(track), 30.0).function(name)

    return find


def cell(source, name):
    """What a kernel does with a cell: run it under a name that is no file's, kept in linecache."""
    import linecache

    file = f"/kernel/{abs(hash(source))}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space = {"__name__": "__main__"}
    exec(compile(source, file, "exec"), space)
    return space[name]


@pytest.mark.parametrize(
    ("track", "points"),
    [("numpy", 14), pytest.param("torch", None, marks=pytest.mark.torch), ("cupy", None)],
)
def test_a_right_function_passes_in_each_track(ours, capsys, track, points):
    llm_math_tests.check(ours("softmax", "softmax", track), track)
    (line,) = capsys.readouterr().out.splitlines()
    said = line.removeprefix(f"softmax ({track}): ").split()
    if track == "torch":  # the fake accelerator takes a file, and so does not run
        assert int(said[0]) > 10
    else:
        assert said[0] == said[2]
    assert points is None or said[0] == str(points)


def test_a_wrong_one_gets_the_same_text_as_in_a_file(ours, capsys):
    naive = cell(
        "import numpy as np\n\n\ndef softmax(logits, temperature=1.0, axis=-1):\n"
        "    e = np.exp(logits / temperature)\n    return e / e.sum(axis=axis, keepdims=True)\n",
        "softmax",
    )
    assert llm_math_tests.check(naive) is None
    out = capsys.readouterr().out
    assert "survives_large_scores                     wrong   0 of 1 point" in out
    assert "you did   exponentiated before subtracting the row maximum" in out
    assert "where     your cell:4" in out
    assert out.endswith("\nsoftmax (numpy): 12 of 14 points\n")
    assert "--exercise" not in out


def test_a_console_that_lacks_a_character_gets_it_spelled(tmp_path):
    program = (
        "import sys, llm_math_tests\n"
        "def softmax(logits, temperature=1.0, axis=-1):\n"
        "    raise ValueError('\\u221a2 is no good')\n"
        "llm_math_tests.check(softmax)\n"
        "assert sys.stdout.errors == 'strict'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )  # fmt: skip
    said = done.stdout.decode("ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "softmax - numpy - matches_the_formula" in said
    assert "ValueError: sqrt 2 is no good" in said
    assert said.endswith("\nsoftmax (numpy): 0 of 14 points\n")


def test_what_is_raised_has_the_cells_line(ours, capsys):
    llm_math_tests.check(cell("y = 1\ndef relu(x):\n    return nothing(x)\n", "relu"))
    out = capsys.readouterr().out
    assert "NameError: name 'nothing' is not defined" in out
    assert "where     your cell:3 return nothing(x)" in out


def test_a_stub_is_not_started_and_nothing_is_written(ours, capsys, tmp_path):
    llm_math_tests.check(cell("def relu(x):\n    raise NotImplementedError\n", "relu"))
    assert capsys.readouterr().out == "relu (numpy): not started\n"
    assert list(tmp_path.iterdir()) == []


def test_another_signature_is_said_once(ours, capsys):
    llm_math_tests.check(cell("def relu(x, y):\n    return x\n", "relu"))
    out = capsys.readouterr().out
    assert out.count("the signature was changed to relu(x, y); keep relu(x)") == 1


def test_a_function_without_a_source_can_be_checked(ours, capsys):
    space = {}
    exec("def relu(x):\n    return x", space)
    llm_math_tests.check(space["relu"])
    assert "relu (numpy): " in capsys.readouterr().out.splitlines()[-1]


def test_other_answers_come_from_the_students_folder(ours, capsys, tmp_path):
    from llm_math_tests.cli import main

    main(["init", str(tmp_path)])
    (tmp_path / "student/softmax/with_numpy.py").write_text("raise RuntimeError('not asked')\n")
    llm_math_tests.check(ours("relu", "activations", "numpy"))
    assert "not asked" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("thing", "words"),
    [(lambda x: x, "there is no exercise '<lambda>'"), (3, "there is no exercise '3'")],
)
def test_what_is_no_exercise_is_refused(thing, words):
    with pytest.raises(ValueError, match=words):
        llm_math_tests.check(thing)


def test_a_track_that_is_none_is_refused(ours):
    function = ours("relu", "activations", "numpy")
    with pytest.raises(ValueError, match=f"{', '.join(TRACKS)}, got track='jax'"):
        llm_math_tests.check(function, "jax")


def test_importing_the_package_loads_nothing():
    code = "import llm_math_tests, sys; print(*sorted(m for m in sys.modules if 'llm_math' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "llm_math_tests\n"
    assert "numpy" not in subprocess.run(
        [sys.executable, "-c", "import llm_math_tests, sys; print(*sys.modules)"],
        capture_output=True, text=True,
    ).stdout.split()  # fmt: skip


def test_it_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        llm_math_tests.chek  # noqa: B018
