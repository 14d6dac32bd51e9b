"""The command line, called as its users call it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llm_math_tests import course
from llm_math_tests.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A student's folder, and the place we stand in."""
    shutil.copytree(course.folder("student"), tmp_path / "student")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def solve(folder, topic="softmax", track="numpy"):
    """Hand the reference in."""
    source = course.folder("reference") / topic / f"with_{track}.py"
    shutil.copy(source, folder / "student" / topic / f"with_{track}.py")


def test_next_names_the_first_stub_with_its_line(folder, capsys):
    assert main(["next"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("next: softmax (numpy)  student/softmax/with_numpy.py:")
    line = int(out.split(":")[2].split()[0])
    text = (folder / "student/softmax/with_numpy.py").read_text().splitlines()
    assert text[line - 1].startswith("def softmax(")
    assert out.splitlines()[1].strip() == "0 of 14 points"


def test_next_moves_on_when_an_answer_is_right(folder, capsys):
    solve(folder)
    main(["next", "--track", "numpy"])
    assert "next: attention_scores (numpy)" in capsys.readouterr().out


def test_list_shows_what_is_done_begun_and_not_started(folder, capsys):
    path = folder / "student/softmax/with_numpy.py"
    solve(folder)
    text = path.read_text().replace("numbers.max(axis=axis, keepdims=True)", "0 * numbers")
    path.write_text(text)
    assert main(["list", "--track", "numpy"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert lines["log_softmax"].split()[1] == "done"
    assert " of " in lines["logsumexp"]
    assert "not started" in lines["attention_scores"]
    assert lines["attention"].split()[-2:] == ["[-----]", "0%"]
    earned, possible = map(int, lines["numpy"].split("]")[1].split(" points")[0].split(" of "))
    assert 0 < earned < possible
    assert max(map(len, lines.values())) <= 80


def test_show_prints_the_lesson_and_the_promises(capsys):
    assert main(["show", "softmax", "--track", "torch"]) == 0
    out = capsys.readouterr().out
    assert "softmax(logits, temperature=1.0, axis=-1)" in out
    assert "Source:" in out
    assert "gradient_flows" in out
    assert "student/softmax/with_torch.py" in out
    assert max(map(len, out.splitlines())) <= 100


def test_hints_come_one_at_a_time(capsys):
    assert main(["hint", "softmax"]) == 0
    first = capsys.readouterr().out
    assert "hint 1 of" in first
    assert "more: llm-math hint softmax 2" in first
    assert main(["hint", "softmax", "9"]) == 2
    assert "hints 1 to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "sofmax"], "did you mean softmax"),
        (["show", "*"], "say which"),
        (["next", "--solution", "nowhere"], "there is no such folder"),
        (["reset", "softmax", "--solution", "reference"], "not yours"),
    ],
)
def test_a_users_mistake_is_said_without_a_traceback(folder, capsys, arguments, words):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert words in " ".join(err.split())
    assert err.startswith("llm-math: ")
    assert err.count("\n") <= 3
    assert "Traceback" not in err


def test_without_a_student_folder_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["next"]) == 2
    assert "llm-math init" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", [["list"], ["watch"], []])
def test_in_a_folder_of_the_course_it_says_where_the_course_is(
    folder, monkeypatch, capsys, command
):
    monkeypatch.chdir(folder / "student" / "softmax")
    assert main(command) == (2 if command else 0)
    said = "".join(capsys.readouterr())
    assert "course is further up" in said
    assert f"cd {Path('..', '..')}" in said
    assert "init" not in said


def test_reset_puts_the_stub_back_and_keeps_a_copy(folder, capsys):
    path = folder / "student/softmax/with_numpy.py"
    stubs = path.read_text()
    solve(folder)
    mine = path.read_text()
    assert main(["reset", "logsumexp"]) == 0
    kept = list((folder / "student/softmax/kept").glob("with_numpy-*.py"))
    assert [file.read_text() for file in kept] == [mine]
    assert main(["reset", "logsumexp"]) == 0
    assert "already" in capsys.readouterr().out
    from llm_math_tests.derive import is_untouched

    now = path.read_text()
    assert is_untouched(now, "logsumexp")
    assert not is_untouched(now, "softmax")
    assert stubs.split("def logsumexp")[1].split("def ")[0].strip() in now


def test_reset_of_a_file_that_does_not_parse_changes_nothing(folder, capsys):
    path = folder / "student/softmax/with_numpy.py"
    path.write_text("def softmax(:\n")
    assert main(["reset", "softmax"]) == 2
    assert path.read_text() == "def softmax(:\n"
    assert "Traceback" not in capsys.readouterr().err


def test_init_lays_a_folder_out_and_overwrites_nothing(tmp_path, capsys):
    place = tmp_path / "course"
    assert main(["init", str(place)]) == 0
    mine = place / "student/softmax/with_numpy.py"
    mine.write_text("# mine\n")
    assert main(["init", str(place)]) == 0
    assert "kept   student/softmax/with_numpy.py" in capsys.readouterr().out
    assert mine.read_text() == "# mine\n"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--exercise", "softmax", "--track", "numpy"],
        cwd=place, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1
    assert "not started" in result.stdout


def test_help_shows_the_commands(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "watch" in capsys.readouterr().out
