"""From nothing to the first green exercise, as a newcomer goes; and in an editor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llm_math_tests import course
from llm_math_tests.cli import main
from llm_math_tests.exercises import TOPICS

NAIVE = """\
import numpy as np


def softmax(logits, temperature=1.0, axis=-1):
    e = np.exp(logits / temperature)
    return e / e.sum(axis=axis, keepdims=True)
"""


@pytest.fixture
def said(capsys):
    """What ``llm-math`` says here without a command."""

    def run() -> str:
        capsys.readouterr()
        assert main([]) == 0
        out: str = capsys.readouterr().out
        lines = out.splitlines()
        assert len(lines) < 24
        assert max(map(len, lines)) <= 80
        assert out.isascii()
        assert "llm-math --help" in lines[-1]
        return out

    return run


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A laid-out course, and the place we stand in."""
    assert main(["init", str(tmp_path)]) == 0
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hand_in(here, topic, track="numpy"):
    shutil.copy(course.folder("reference") / topic / f"with_{track}.py", here / "student" / topic)


class TestWithoutACommand:
    def test_where_nothing_is_a_course_is_laid_out(self, tmp_path, monkeypatch, said):
        monkeypatch.chdir(tmp_path)
        assert "llm-math init softmax-course\n  cd softmax-course\n  llm-math\n" in said()

    def test_within_the_course_it_leads_up(self, here, monkeypatch, said):
        monkeypatch.chdir(here / "student" / "softmax")
        out = said()
        up = next(line for line in out.splitlines() if line.startswith("  cd ")).split("cd ")[1]
        monkeypatch.chdir(up)
        assert Path.cwd() == here

    def test_where_nothing_is_started_it_names_file_line_and_command(self, here, said):
        out = said()
        assert "Open student/softmax/with_numpy.py, line " in out
        line = int(out.split(", line ")[1].split()[0])
        text = (here / "student/softmax/with_numpy.py").read_text(encoding="utf-8").splitlines()
        assert text[line - 1].startswith("def softmax(")
        assert "pytest --exercise softmax --track numpy" in out
        assert "raise NotImplementedError" in out

    def test_a_missing_file_is_made_first(self, here, said):
        shutil.rmtree(here / "student" / "softmax")
        assert "1. Run llm-math init . and open student/softmax/with_numpy.py" in said()
        assert main(["init", "."]) == 0
        assert "1. Open student/softmax/with_numpy.py, line 13" in said()

    def test_what_is_wrong_comes_next(self, here, said):
        (here / "student/softmax/with_numpy.py").write_text(NAIVE)
        out = said()
        assert "softmax (numpy) has 12 of 14 points; first failure: survives_large" in out
        assert "student/softmax/with_numpy.py, line 4" in out

    def test_then_the_next_stub(self, here, said):
        hand_in(here, "softmax")
        out = said()
        assert "Started: 6 of 69 in numpy" in out
        assert "  attention_scores: " in out
        assert "pytest --exercise attention_scores --track numpy" in out

    def test_it_agrees_with_next(self, here, said, capsys):
        hand_in(here, "softmax")
        (here / "student/divergence/with_numpy.py").write_text("def entropy(p):\n    return p\n")
        out = said()
        main(["next"])
        assert capsys.readouterr().out.split()[1] == "attention_scores"
        assert "attention_scores" in out

    def test_a_file_that_does_not_parse_is_no_traceback(self, here, said):
        (here / "student/softmax/with_numpy.py").write_text("def softmax(:\n")
        assert "softmax (numpy) has 0 of 14 points" in said()

    def test_when_all_is_done_it_says_what_then(self, here, said, monkeypatch):
        from llm_math_tests.session import Session

        for topic in TOPICS:
            hand_in(here, topic)
        # That the references pass is another test's business, and takes seconds.
        monkeypatch.setattr(Session, "run", _passes)
        out = said()
        assert "All of them pass in numpy" in out
        assert "pytest --benchmark --track numpy" in out


def _passes(session, name, track, check):
    session.outcomes[name, track, check] = [{"verdict": "passed", "points": 0.0}]
    return []


class TestInit:
    def test_stubs_are_made_new_where_student_holds_answers(self, tmp_path, monkeypatch):
        clone = tmp_path / "clone"
        shutil.copytree(course.folder("reference"), clone / "reference")
        shutil.copytree(course.folder("reference"), clone / "student")
        monkeypatch.setattr(course, "folder", lambda name: clone / name)
        assert main(["init", str(tmp_path / "new")]) == 0
        text = (tmp_path / "new/student/softmax/with_numpy.py").read_text(encoding="utf-8")
        assert text.count("raise NotImplementedError") == len(TOPICS["softmax"])

    def test_the_editors_settings_are_not_overwritten(self, tmp_path, capsys):
        mine = tmp_path / ".vscode" / "settings.json"
        mine.parent.mkdir()
        mine.write_text("{}")
        assert main(["init", str(tmp_path)]) == 0
        assert mine.read_text() == "{}"
        assert "kept   .vscode/settings.json" in capsys.readouterr().out

    def test_it_says_where_to_begin(self, tmp_path, capsys):
        main(["init", str(tmp_path / "my course")])
        out = capsys.readouterr().out
        assert out.splitlines()[-1].endswith('my course", then llm-math')
        assert len(out.splitlines()) < 24
        settings = json.loads((tmp_path / "my course/.vscode/settings.json").read_text())
        assert settings["python.testing.pytestEnabled"] is True


LIKE_VSCODE = '''
"""Does what VS Code's own plugin does: absolute ids, and a verdict for each."""
import json, os, pathlib, pytest

seen, paths = {}, {}


def absolute(nodeid, path):
    return "::".join([str(path), *nodeid.split("::")[1:]])


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_protocol(item):
    paths[item.nodeid] = item.path
    yield


def pytest_exception_interact(node, call, report):
    seen.setdefault(absolute(node.nodeid, node.path), ["error", report.longreprtext])


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_report_teststatus(report):
    if report.when == "call" or (report.when == "setup" and report.skipped):
        verdict = "success" if report.passed else "failure" if report.failed else "skipped"
        text = report.longreprtext if report.failed else ""
        seen.setdefault(absolute(report.nodeid, paths[report.nodeid]), [verdict, text])
    yield


def pytest_sessionfinish(session):
    ids = [absolute(item.nodeid, item.path) for item in session.items]
    pathlib.Path(os.environ["TEST_RUN_PIPE"]).write_text(json.dumps([ids, seen]))
'''


@pytest.fixture(params=["course", "clone"])
def layout(request, tmp_path):
    """A folder that an editor opens, with a naive softmax in it."""
    place = tmp_path / request.param
    if request.param == "course":
        main(["init", str(place)])
    else:
        # A clone holds the package and its settings; the answers are its student/.
        package = course.SUITE.parent
        shutil.copytree(package, place / "llm_math_tests", ignore=shutil.ignore_patterns("__pyc*"))
        for name in ("reference", "student"):
            shutil.rmtree(place / "llm_math_tests" / "course" / name, ignore_errors=True)
            shutil.copytree(course.folder(name), place / name)
        for name in ("pyproject.toml", "conftest.py"):
            shutil.copy(course.CHECKOUT / name, place / name)
    (place / "student/softmax/with_numpy.py").write_text(NAIVE)
    return place


@pytest.mark.skipif(not (course.CHECKOUT / "pyproject.toml").is_file(), reason="not a checkout")
def test_an_editor_collects_and_runs_by_absolute_ids(layout, tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "like_vscode.py").write_text(LIKE_VSCODE)
    answer = tmp_path / "pipe.json"
    path = [str(tmp_path / "plugins")] + ([str(layout)] if layout.name == "clone" else [])
    path += [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    env = {**os.environ, "TEST_RUN_PIPE": str(answer), "PYTHONPATH": os.pathsep.join(path)}

    def pytest_as_the_editor(cwd, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "like_vscode", f"--rootdir={layout}",
             "-p", "no:randomly", *arguments],
            cwd=cwd, env=env, capture_output=True, text=True,
        )  # fmt: skip
        assert answer.exists(), done.stdout + done.stderr
        collected, seen = json.loads(answer.read_text())
        answer.unlink()
        return collected, seen

    found, _ = pytest_as_the_editor(layout, "--collect-only")
    assert len(found) > 1000
    softmax = [one for one in found if "::test_softmax[numpy-" in one]
    (right,) = [one for one in softmax if "rows_sum_to_one" in one]
    (wrong,) = [one for one in softmax if "survives_large_scores" in one]
    (stub,) = [one for one in found if "::test_relu[numpy-mirrors]" in one]
    for cwd in (layout, tmp_path):
        _, seen = pytest_as_the_editor(cwd, right)
        assert seen == {right: ["success", ""]}
        _, seen = pytest_as_the_editor(cwd, wrong, stub, right)
        assert {key: verdict for key, (verdict, _) in seen.items()}.keys() == {wrong, stub, right}
        assert seen[right][0] == "success"
        assert seen[stub][0] == "skipped"
        verdict, text = seen[wrong]
        assert verdict in ("error", "failure")
        assert "exponentiated before subtracting the row maximum" in text
        assert "Traceback" not in text
