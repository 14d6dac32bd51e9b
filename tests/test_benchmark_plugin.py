"""``pytest --benchmark`` from the outside: rows, pytest-benchmark's parts, files, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from llm_math_tests import course, report
from llm_math_tests.tracks.hardware import cuda_device_count

SUITE = course.SUITE
ALWAYS = ("-p", "no:randomly", "-p", "no:cacheprovider", "--benchmark", "--benchmark-max-time=0.02")
NUMPY = ("--exercise=softmax", "--track=numpy", "-k", "64x1024")
REFERENCE = ("--solution=reference",)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """The runs in here are no part of the run they are tested in."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bench(pytester):
    """Run the suite's benchmark in a folder of its own."""

    def run(*args, files=(SUITE,)):
        where = f"--rootdir={pytester.path}"
        return pytester.runpytest_subprocess(where, *ALWAYS, *args, *files)

    return run


@pytest.fixture
def student(pytester):
    """Put a student's softmax into the folder."""

    def write(text):
        folder = pytester.mkdir("student")
        (folder / "softmax").mkdir()
        (folder / "softmax" / "with_numpy.py").write_text(text, encoding="utf-8")

    return write


def timings(pytester) -> pd.DataFrame:
    # pandas is imported above, once: pytester forgets what a test imports, and a
    # second pandas in one process does not work.
    return report.load(pytester.path / "reports")


def test_plan_to_report(bench, pytester):
    result = bench(*NUMPY, *REFERENCE)
    assert result.ret == 0
    result.assert_outcomes(passed=2, deselected=None)
    result.stdout.fnmatch_lines(["*2 tests*", "Legend:", "*= timing =*", "2 of 2 rows were timed."])
    last = [line for line in result.outlines if line][-1]
    assert last.startswith("report: reports/")
    assert last.endswith("/report.html")
    assert (pytester.path / last.removeprefix("report: ")).is_file()
    table = timings(pytester)
    assert table["implementation"].tolist() == ["reference", "library"]
    assert table["status"].tolist() == ["timed", "timed"]
    assert table["speedup_vs_numpy_cpu"][0] == 1.0
    assert (table["max_rel_error"] < 1e-6).all()
    facts = table.attrs["environment"]
    assert facts["command"][0] == "pytest"
    assert facts["libraries"] == {"softmax/numpy": "scipy.special.softmax"}


def test_pytest_benchmark_shows_the_samples_that_were_taken(bench, pytester):
    file = pytester.path / "b.json"
    result = bench(*NUMPY, *REFERENCE, f"--benchmark-json={file}", "--benchmark-only")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*benchmark 'softmax 64 x 1024 float32': 2 tests*"])
    document = json.loads(file.read_text(encoding="utf-8"))
    table = timings(pytester).set_index("implementation")
    assert len(document["benchmarks"]) == 2
    for entry in document["benchmarks"]:
        row = table.loc[entry["extra_info"]["implementation"]]
        assert entry["stats"]["rounds"] == row["samples"]
        assert entry["stats"]["median"] == pytest.approx(row["median_s"], rel=1e-7)
        assert entry["group"] == "softmax 64 x 1024 float32"
        assert entry["params"] == {"timing": entry["param"]}
        assert entry["options"]["timer"] == "interleaved_sampler"
    assert file.stat().st_size < 100_000


def test_saving_and_comparing(bench):
    assert bench(*NUMPY, *REFERENCE, "--benchmark-save=before").ret == 0
    result = bench(*NUMPY, *REFERENCE, "--benchmark-compare=0001")
    assert result.ret == 0
    result.stdout.fnmatch_lines_random(["*4 tests*", "*(0001_before)*", "*(NOW)*"])


def test_a_regression_fails_the_run_and_leaves_the_report(bench, pytester):
    assert bench(*NUMPY, *REFERENCE, "--benchmark-save=before").ret == 0
    (saved,) = (pytester.path / ".benchmarks").rglob("*.json")
    document = json.loads(saved.read_text(encoding="utf-8"))
    for entry in document["benchmarks"]:
        entry["stats"]["min"] = 1e-12  # no machine is that fast
    saved.write_text(json.dumps(document), encoding="utf-8")
    compare = ("--benchmark-compare=0001", "--benchmark-compare-fail=min:5%")
    result = bench(*NUMPY, *REFERENCE, *compare)
    assert result.ret != 0
    assert "Performance has regressed" in result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["*= timing =*", "report: reports/*"])


@pytest.mark.parametrize("option", ["--benchmark-skip", "--collect-only"])
def test_nothing_is_measured_and_nothing_written(bench, pytester, option):
    result = bench(*NUMPY, *REFERENCE, option)
    assert result.ret == 0
    assert not (pytester.path / "reports").exists()
    result.stdout.no_fnmatch_line("*report: *")


def test_switched_off_it_runs_each_once_and_says_so(bench, pytester):
    result = bench(*NUMPY, *REFERENCE, "--benchmark-disable")
    result.assert_outcomes(passed=2, deselected=None)
    result.stdout.fnmatch_lines(["benchmark: timing is off, no report was written"])
    assert not (pytester.path / "reports").exists()


def test_many_processes_do_not_measure(bench, pytester):
    pytest.importorskip("xdist")
    result = bench(*NUMPY, *REFERENCE, "-n2")
    result.assert_outcomes(skipped=2)
    text = result.stdout.str()
    assert text.count("timing needs one process: run pytest --benchmark without -n;") == 1
    assert not (pytester.path / "reports").exists()


@pytest.mark.skipif(cuda_device_count() > 0, reason="there is a CUDA device here")
def test_a_missing_device_is_a_row_with_a_reason(bench, pytester):
    result = bench("--exercise=softmax", "--track=cupy", "-k", "64x1024", *REFERENCE, "-rs")
    assert result.ret == 0
    result.assert_outcomes(skipped=2, deselected=None)
    result.stdout.fnmatch_lines(["2 rows not run: no CUDA device", "SKIPPED*no CUDA device"])
    table = timings(pytester)
    assert table["status"].tolist() == ["not_run"] * 2
    assert table["reason"].tolist() == ["no CUDA device"] * 2


def test_a_wrong_answer_is_not_timed(bench, pytester, student):
    student("def softmax(logits, temperature=1.0, axis=-1):\n    return logits * 0.5\n")
    result = bench(*NUMPY, "-rs")
    assert result.ret == 1
    result.assert_outcomes(passed=2, skipped=1, deselected=None)
    result.stdout.fnmatch_lines(
        ["SKIPPED*not timed: matches_the_formula and * more checks do not pass"]
    )
    table = timings(pytester)
    assert table["status"].tolist() == ["wrong", "timed", "timed"]
    assert table["implementation"][0] == "student"


def test_an_untouched_answer_is_not_started(bench, pytester, student):
    student("def softmax(logits, temperature=1.0, axis=-1):\n    raise NotImplementedError\n")
    result = bench(*NUMPY)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["1 row not started"])
    assert timings(pytester)["status"].tolist() == ["not_started", "timed", "timed"]


def test_isolated_answers_are_not_timed(bench, pytester, student):
    student("from numpy import *\ndef softmax(logits, temperature=1.0, axis=-1): return logits\n")
    bench(*NUMPY, "--isolate")
    table = timings(pytester)
    assert table["reason"].tolist() == ["answers behind --isolate are not timed", "", ""]


RAISES_WHEN_LARGE = """
import numpy as np

def softmax(logits, temperature=1.0, axis=-1):
    if logits.shape == (64, 1024):
        raise RuntimeError("too large for me")
    from llm_math_tests import course
    from llm_math_tests.answers.load import load
    from llm_math_tests.run import Solution
    from llm_math_tests.tracks import track
    where = Solution("r", course.folder("reference")).where("softmax", "numpy")
    return load(where, track("numpy"), 9.0).function("softmax")(logits, temperature, axis)
"""


def test_an_answer_that_fails_only_when_timed_is_said(bench, pytester, student):
    student(RAISES_WHEN_LARGE)
    result = bench(*NUMPY)
    assert result.ret == 1
    result.assert_outcomes(passed=2, failed=1, deselected=None)
    result.stdout.fnmatch_lines(["not timed: RuntimeError: too large for me"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*was not used at all*")
    table = timings(pytester)
    assert table["status"].tolist() == ["error", "timed", "timed"]


def test_reports_that_cannot_be_written_are_one_message(bench, pytester):
    (pytester.path / "reports").write_text("in the way")
    result = bench(*NUMPY, *REFERENCE)
    assert result.ret == 1
    result.assert_outcomes(passed=2, deselected=None)
    lines = [line for line in result.outlines if line.startswith("ERROR: no report will be")]
    assert lines
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert "report: " not in result.stdout.str()


def test_an_exercise_that_was_not_chosen_has_no_rows(bench, pytester):
    chosen = ("--exercise=softmax", "--track=numpy", "-k", "bench_")
    result = bench(*chosen, *REFERENCE, "--collect-only", "-q")
    ids = [line for line in result.outlines if "::" in line]
    assert ids
    assert all("::bench_softmax[" in line for line in ids)


def test_other_peoples_functions_are_left_alone(bench, pytester):
    file = pytester.makepyfile("def bench_me():\n    assert 0\n\ndef test_me():\n    pass\n")
    result = bench(*REFERENCE, files=(file,))
    result.assert_outcomes(passed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send")
def test_ctrl_c_writes_what_was_measured(pytester):
    """Interrupted in its second group: the first is in the report."""
    hook = """
        import os, signal
        def pytest_runtest_logreport(report):
            if report.when == "call" and "bench_softmax[64x1024" in report.nodeid:
                os.kill(os.getpid(), signal.SIGINT)
    """
    pytester.makeconftest(hook)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", f"--rootdir={pytester.path}", *ALWAYS, *REFERENCE,
         "--exercise=softmax", "--track=numpy", "-p", "conftest", str(SUITE)],
        cwd=pytester.path, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(pytester.path)},
    )  # fmt: skip
    assert result.returncode == 2
    table = timings(pytester)
    assert "timed" in table["status"].tolist()
    assert "the run ended before this row" in table["reason"].tolist()
    assert "report: reports/" in result.stdout
