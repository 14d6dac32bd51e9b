"""The plugin as its users meet it: options, outcomes, exit codes, the board."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

from llm_math_tests import course

SETTINGS = "[pytest]\naddopts = --pyargs -p no:randomly\ntestpaths = llm_math_tests.suite\n"


@pytest.fixture
def folder(pytester):
    """A student's folder with untouched stubs."""
    shutil.copytree(course.folder("student"), pytester.path / "student")
    pytester.makefile(".ini", pytest=SETTINGS)
    return pytester


def write(folder, text: str | bytes, topic: str = "softmax", track: str = "numpy") -> None:
    """Put a text in the place of a student's file."""
    path = folder.path / "student" / topic / f"with_{track}.py"
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(textwrap.dedent(text), encoding="utf-8")


def replace_stub(folder, body: str) -> None:
    """Fill the softmax stub's body in, the rest of the file staying as it is."""
    from llm_math_tests.derive import replace_function

    path = folder.path / "student" / "softmax" / "with_numpy.py"
    text = path.read_text(encoding="utf-8")
    fresh = f"def softmax(logits, temperature=1.0, axis=-1):\n{textwrap.indent(body, '    ')}\n"
    path.write_text(replace_function(text, "softmax", fresh), encoding="utf-8")


NUMPY = ("--exercise", "softmax", "--track", "numpy")


class TestOutcomes:
    def test_stubs_are_not_started_and_that_is_no_pass(self, folder):
        result = folder.runpytest_inprocess(*NUMPY)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["next: softmax (numpy)  student/softmax/with_numpy.py:*"])
        result.stdout.fnmatch_lines(["* not started in *"])
        assert "passed" not in result.stdout.lines[-1]

    def test_the_reference_passes(self, folder):
        result = folder.runpytest_inprocess(*NUMPY, "--solution", "reference")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["softmax * ###### 1/1", "everything that ran passed"])

    def test_a_wrong_answer_says_what_why_where_and_how_to_repeat(self, folder):
        replace_stub(folder, "e = np.exp(logits / temperature)\n"
                             "return e / e.sum(axis=axis, keepdims=True)")  # fmt: skip
        result = folder.runpytest_inprocess(*NUMPY, "-k", "survives_large_scores")
        assert result.ret == 1
        result.stdout.fnmatch_lines([
            "softmax * numpy * survives_large_scores *wrong   0 of 1 point",
            "  called    softmax(logits) with logits float32 (3, 6), scores up to 10000",
            "  expected  finite values: *",
            "  got       nan at *",
            "  you did   exponentiated before subtracting the row maximum",
            "  where     student/softmax/with_numpy.py:*",
            "  repeat    pytest --exercise softmax --track numpy -k survives_large_scores",
            "            --seed 0",
            "  hint      llm-math hint softmax",
        ])  # fmt: skip
        assert "Traceback" not in result.stdout.str()
        assert max(len(line) for line in result.stdout.lines if line.startswith("  ")) <= 80

    def test_hint_is_shown_on_request(self, folder):
        replace_stub(folder, "return logits")
        result = folder.runpytest_inprocess(*NUMPY, "-k", "rows_sum_to_one", "--hint")
        result.stdout.fnmatch_lines(["  hint      exp(89) is more than float32*"])

    def test_the_seed_repeats_a_failure(self, folder):
        replace_stub(folder, "return logits")
        runs = []
        for seed in ("7", "7", "8"):
            result = folder.runpytest_inprocess(*NUMPY, "-k", "matches_the_formula", "--seed", seed)
            runs.append([line for line in result.stdout.lines if line.startswith("  got ")])
        assert runs[0] == runs[1] != runs[2]


BAD_FILES = {
    "syntax error": ("def softmax(logits\n", "SyntaxError"),
    "import error": ("import no_such_library\n", "No module named 'no_such_library'"),
    "error at the top": ("1 / 0\n", "ZeroDivisionError"),
    "exit at the top": ("import sys\nsys.exit(0)\n", "SystemExit"),
    "not UTF-8": (b"# caf\xe9\n", "line 1 is not UTF-8 text"),
    "changed signature": (
        "def softmax(z, axis=-1):\n    return z\n",
        "the signature was changed to softmax(z, axis=-1); keep",
    ),
    "changed default": (
        "def softmax(logits, temperature=2.0, axis=-1):\n    return logits\n",
        "the signature was changed to softmax(logits, temperature=2.0, axis=-1)",
    ),
}


class TestBadFiles:
    @pytest.mark.parametrize("kind", BAD_FILES)
    def test_one_clear_message_and_the_others_run_on(self, folder, kind):
        text, words = BAD_FILES[kind]
        write(folder, text)
        reference = course.folder("reference") / "softmax" / "with_cupy.py"
        write(folder, reference.read_text(encoding="utf-8"), track="cupy")
        result = folder.runpytest_inprocess(
            "--exercise", "softmax", "--track", "numpy", "--track", "cupy"
        )
        assert result.ret == 1
        # Where CI is set, pytest repeats whole messages in its summary.
        said = " ".join(result.stdout.str().partition("short test summary")[0].split())
        assert words in said
        assert said.count(words) == 1
        assert "Traceback" not in said
        result.stdout.fnmatch_lines(["softmax * ------ 0/1 * ###### 1/1"])

    def test_a_folder_in_the_place_of_a_file_is_said(self, folder):
        path = folder.path / "student" / "softmax" / "with_numpy.py"
        path.unlink()
        path.mkdir()
        result = folder.runpytest_inprocess(*NUMPY)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*is a folder, not a file*"])

    def test_a_missing_function_is_not_started(self, folder):
        write(folder, "import numpy as np\n")
        result = folder.runpytest_inprocess(*NUMPY)
        assert result.ret == 1
        result.assert_outcomes()
        result.stdout.fnmatch_lines(["* not started in *"])

    def test_a_librarys_not_implemented_error_is_an_error(self, folder):
        folder.makepyfile(elsewhere="def f():\n    raise NotImplementedError('x')\n")
        folder.syspathinsert()
        replace_stub(folder, "import elsewhere\nreturn elsewhere.f()")
        result = folder.runpytest_inprocess(*NUMPY, "-k", "rows_sum_to_one")
        assert result.ret == 1
        result.stdout.fnmatch_lines(
            ["*rows_sum_to_one *error*", "  raised    NotImplementedError: x"]
        )

    def test_a_missing_file_is_not_started(self, folder):
        shutil.rmtree(folder.path / "student" / "softmax")
        result = folder.runpytest_inprocess(*NUMPY)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["* not started in *"])


BAD_RESULTS = {
    "None": ("return None", "got       None", "is a return statement missing?"),
    "list": ("return logits.tolist()", "got       a list of 3", "np.array"),
    "string": ("return 'p'", "got       'p'", ""),
    "scalar": ("return 1.0", "got       shape ()", ""),
    "shape": ("return logits[..., None]", "got       shape (3, 5, 1)", "of shape (3, 5)"),
    "dtype": ("return np.ones(logits.shape, int)", "got       int64 (3, 5)", "floating-point"),
    "nan": ("return logits * np.nan", "got       nan at [0, 0] (15 of 15 wrong)", ""),
    "own eq": (
        "class Sly:\n    def __eq__(self, other): return True\nreturn Sly()",
        "got       an object of type ", "one numpy.ndarray",
    ),
    "masked array": ("return np.ma.masked_array(logits)", "MaskedArray", ""),
    "raises": ("return logits @ logits", "raised    ValueError: matmul", "with_numpy.py:"),
    "recursion": ("return softmax(logits)", "raised    RecursionError", ""),
}  # fmt: skip


class TestBadResults:
    @pytest.mark.parametrize("kind", BAD_RESULTS)
    def test_it_is_said_in_words(self, folder, kind):
        body, *words = BAD_RESULTS[kind]
        replace_stub(folder, body)
        result = folder.runpytest_inprocess(*NUMPY, "-k", "matches_the_formula")
        assert result.ret == 1
        for word in words:
            assert word in result.stdout.str()
        assert "Traceback" not in result.stdout.str()

    def test_an_endless_loop_is_ended_and_the_next_checks_do_not_wait_as_long(self, folder):
        replace_stub(folder, "while True:\n    pass")
        result = folder.runpytest_inprocess(*NUMPY, "--time-limit", "0.5", "-k", "rows or large")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*ran longer than the time limit of 0.5 s*"])

    def test_what_an_answer_prints_is_shown(self, folder):
        replace_stub(folder, "print('my shapes', logits.shape)\nreturn logits")
        result = folder.runpytest_inprocess(*NUMPY, "-k", "rows_sum_to_one")
        result.stdout.fnmatch_lines(["my shapes (3, 5)"])


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--exercise", "sofmax"], "did you mean softmax"),
            (["--track", "jax"], "invalid choice: 'jax'"),
            (["--level", "hard"], "invalid choice: 'hard'"),
            (["--solution", "nowhere"], "--solution nowhere: there is no such folder"),
            (["--seed=-1"], "must be a whole number of 0 or more, got -1"),
            (["--time-limit", "0"], "must be a number of seconds above 0, got 0"),
        ],
    )
    def test_a_bad_value_is_one_message(self, folder, arguments, words):
        result = folder.runpytest_inprocess(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = result.stderr.str() + result.stdout.str()
        assert words in said
        assert "Traceback" not in said

    def test_without_a_student_folder_it_says_how_to_make_one(self, pytester):
        pytester.makefile(".ini", pytest=SETTINGS)
        result = pytester.runpytest_inprocess()
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = result.stderr.str() + result.stdout.str()
        assert "'llm-math init" in " ".join(said.split())
        assert "Traceback" not in said
        assert "plugin.py" not in said
        said = result.stderr.str()
        assert said.startswith("ERROR: there is no folder student/ in")
        # A path is never broken; the rest is wrapped.
        words = [word for word in said.split() if str(pytester.path) in word]
        assert all(len(line) <= 80 or any(w in line for w in words) for line in said.splitlines())
        assert len(said.splitlines()) > 1
        assert said.count("llm-math init") <= 1

    def test_in_a_folder_of_the_course_it_says_where_the_course_is(self, pytester):
        shutil.copytree(course.folder("student"), pytester.path / "student")
        os.chdir(pytester.path / "student" / "softmax")
        result = pytester.run(sys.executable, "-m", "pytest", "--exercise", "softmax",
                              f"--rootdir={pytester.path / 'student' / 'softmax'}")  # fmt: skip
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = " ".join(result.stderr.str().split())
        assert "course is further up" in said
        assert f"'cd {Path('..', '..')}'" in said
        assert "init" not in said

    def test_patterns_topics_and_levels(self, folder):
        result = folder.runpytest_inprocess(
            "--collect-only", "-q", "--exercise", "log*", "--track", "numpy", "--level", "core"
        )
        names = [line.split("::")[1] for line in result.stdout.lines if "::" in line]
        assert {name.split("[")[0] for name in names} == {"test_log_softmax", "test_logsumexp"}
        assert not any("numpy-keeps_dtype" in name for name in names)

    def test_a_folder_given_with_a_space_is_not_taken_for_pytests_root(self, folder):
        away = folder.mkdir("away") / "alice"
        shutil.copytree(course.folder("reference"), away)
        (away / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
        for _ in range(2):
            result = folder.runpytest_inprocess(
                *NUMPY, "--solution", str(away), "--results", str(away / "out.json")
            )
            assert result.ret == 0
            result.stdout.fnmatch_lines(["everything that ran passed"])

    def test_a_folder_without_settings_runs_the_suite_when_asked(self, pytester):
        shutil.copytree(course.folder("reference"), pytester.path / "alice")
        result = pytester.runpytest_inprocess(*NUMPY, "--solution", "alice")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["everything that ran passed"])

    def test_a_clash_of_option_names_is_said(self, folder):
        folder.makepyfile(other="def pytest_addoption(parser):\n    parser.addoption('--track')\n")
        result = folder.runpytest_subprocess("-p", "other")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = result.stderr.str()
        assert "another pytest plugin both define --track" in said
        assert "Traceback" not in said


class TestResults:
    def test_the_file_has_one_record_for_each_case(self, folder):
        folder.runpytest_inprocess(*NUMPY, "--results", "out.json", "--solution", "reference")
        document = json.loads((folder.path / "out.json").read_text())
        assert document["version"] == 1
        from llm_math_tests.exercises import exercise

        cases = [
            (check.name, case.name)
            for check in exercise("softmax").checks_in("numpy")
            for case in check.cases
            if "numpy" in case.tracks
        ]
        assert [(r["check"], r["case"]) for r in document["outcomes"]] == cases
        assert set(document["outcomes"][0]) == {
            "exercise", "topic", "track", "answer", "check", "level", "case", "verdict",
            "points", "max_points", "mistake", "you_did", "pattern", "leaned_on", "message",
            "seconds", "ended", "proved_by",
        }  # fmt: skip
        assert (
            document["points"] == document["max_points"] == exercise("softmax").points_in("numpy")
        )

    def test_a_place_that_cannot_be_written_is_said(self, folder):
        (folder.path / "file").write_text("")
        result = folder.runpytest_inprocess(
            *NUMPY, "--solution", "reference", "--results", "file/out.json"
        )
        assert result.ret == 1
        result.stdout.fnmatch_lines(["ERROR: --results file?out.json: not written*"])

    def test_points_of_a_check_are_all_or_nothing(self, folder):
        body = "z = logits - logits.max(axis=axis, keepdims=True)\ne = np.exp(z)\n"
        replace_stub(folder, body + "return e / e.sum(axis=axis, keepdims=True)")
        folder.runpytest_inprocess(*NUMPY, "--results", "out.json")
        records = json.loads((folder.path / "out.json").read_text())["outcomes"]
        formula = [r for r in records if r["check"] == "matches_the_formula"]
        assert {r["verdict"] for r in formula} == {"passed", "wrong"}
        assert sum(r["points"] for r in formula) == 0


class TestBothRooms:
    def test_the_outcomes_are_the_same(self, folder):
        replace_stub(folder, "logits -= logits.max(axis=-1, keepdims=True)\n"
                             "print('hello')\ne = np.exp(logits / temperature)\n"
                             "return e / e.sum(axis=axis, keepdims=True)")  # fmt: skip
        documents = []
        for more in ([], ["--isolate"]):
            folder.runpytest_inprocess(
                "--exercise", "softmax", "--track", "numpy", "--results", "out.json", *more
            )
            documents.append(json.loads((folder.path / "out.json").read_text()))
        for document in documents:
            for record in document["outcomes"]:
                del record["seconds"]
        assert documents[0]["outcomes"] == documents[1]["outcomes"]
        assert [d["room"] for d in documents] == ["in process", "worker"]


class TestBesideOtherPlugins:
    def test_xdist_gathers_every_record(self, folder):
        result = folder.runpytest_subprocess(
            *NUMPY, "--solution", "reference", "-n", "2", "--results", "out.json"
        )
        assert result.ret == 0
        result.stdout.fnmatch_lines(["softmax * ###### 1/1"])
        serial = folder.runpytest_subprocess(
            *NUMPY, "--solution", "reference", "--results", "serial.json"
        )
        assert serial.ret == 0
        names = []
        for file in ("out.json", "serial.json"):
            records = json.loads((folder.path / file).read_text())["outcomes"]
            names.append([(r["check"], r["case"], r["verdict"]) for r in records])
        assert names[0] == names[1]

    def test_xdist_fails_where_stubs_are_left(self, folder):
        assert folder.runpytest_subprocess(*NUMPY, "-n", "2").ret == 1

    def test_text_that_cannot_be_sent_does_not_hide_a_failure(self, folder):
        replace_stub(folder, "raise ValueError('\\ud800 \\x1b[31m')")
        result = folder.runpytest_subprocess(*NUMPY, "-n", "1", "-k", "rows_sum_to_one")
        assert result.ret == 1
        assert "\\ud800" in result.stdout.str()

    def test_all_of_them_at_once(self, folder):
        folder.makefile(".ini", pytest=SETTINGS.replace("-p no:randomly", ""))
        result = folder.runpytest_subprocess(
            *NUMPY, "--solution", "reference", "-p", "randomly", "-p", "xdist", "-n", "2",
            "--cov=llm_math_tests", "--cov-report=", "--timeout=60", "--hypothesis-seed=1",
            "--check-max-fail=3",
        )  # fmt: skip
        assert result.ret == 0, result.stdout.str() + result.stderr.str()

    def test_timeout_keeps_its_alarm(self, folder):
        replace_stub(folder, "while True:\n    pass")
        result = folder.runpytest_subprocess(
            *NUMPY, "--timeout=60", "--time-limit=0.5", "-k", "rows_sum_to_one"
        )
        result.stdout.fnmatch_lines(["*ran longer than the time limit of 0.5 s*"])

    def test_junit_and_last_failed_and_exit_first(self, folder):
        replace_stub(folder, "return logits")
        first = folder.runpytest_inprocess(*NUMPY, "--junitxml=out.xml", "-x")
        assert first.ret == 1
        text = (folder.path / "out.xml").read_text(encoding="utf-8")
        assert "matches_the_formula" in text
        assert "expected" in text
        again = folder.runpytest_inprocess(*NUMPY, "--lf", "-q")
        assert "1 failed" in again.stdout.lines[-1]

    def test_pdb_stops_in_the_students_line(self, folder):
        replace_stub(folder, "rows = logits.shape[0]\nreturn logits @ rows")
        command = [sys.executable, "-m", "pytest", *NUMPY, "--pdb", "-k", "rows_sum_to_one"]
        result = folder.run(*command, stdin=b"p 'rows', rows\nq\n")
        assert "('rows', 3)" in result.stdout.str()


class TestSettingsOfOneFile:
    def test_they_do_not_reach_the_others(self, folder):
        """What one file sets for its library does not change the verdict on another."""
        for topic in ("softmax", "cross_entropy"):
            for track in ("numpy", "torch"):
                source = course.folder("reference") / topic / f"with_{track}.py"
                text = source.read_text(encoding="utf-8")
                if topic == "softmax":
                    setting = "np.seterr(all='raise')"
                    if track == "torch":
                        setting = "torch.set_default_dtype(torch.float64)"
                    text += f"\n\n{setting}\n"
                write(folder, text, topic, track)
        tracks = ["--track", "numpy"]
        if find_spec("torch"):
            tracks += ["--track", "torch"]
        result = folder.runpytest_subprocess(
            *tracks, "--exercise", "softmax", "--exercise", "cross_entropy"
        )
        assert result.ret == 0, result.stdout.str()


class TestLight:
    def test_numpy_work_imports_neither_torch_nor_cupy_nor_pandas(self, folder):
        folder.makeconftest(
            """
            import sys
            def pytest_unconfigure(config):
                heavy = {"torch", "cupy", "pandas", "scipy", "tabulate", "hypothesis"}
                heavy &= set(sys.modules)
                print("heavy:", sorted(heavy))
            """
        )
        result = folder.runpytest_subprocess(*NUMPY, "--solution", "reference", "-s")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["heavy: []"])

    def test_untouched_torch_stubs_do_not_import_torch(self, folder):
        folder.makeconftest(
            """
            import sys
            def pytest_unconfigure(config):
                print("torch imported:", "torch" in sys.modules)
            """
        )
        result = folder.runpytest_subprocess("--exercise", "softmax", "--track", "torch", "-s")
        result.stdout.fnmatch_lines(["torch imported: False"])

    def test_other_peoples_tests_are_left_alone(self, pytester):
        pytester.makepyfile("def test_mine():\n    assert True\n")
        result = pytester.runpytest_inprocess()
        assert result.ret == 0
        result.assert_outcomes(passed=1)
        assert "next:" not in result.stdout.str()
