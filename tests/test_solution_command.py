"""The reference opens for a right answer, or for one who says that they give up."""

from __future__ import annotations

import ast
import json
import os
import shutil

import pytest

from llm_math_tests import course
from llm_math_tests.cli import main
from llm_math_tests.exercise import TRACKS
from llm_math_tests.exercises import exercises
from llm_math_tests.given_up import PLACE, UnusableRecord, give_up, given_up, record_of
from llm_math_tests.report.board import board_lines
from llm_math_tests.report.progress import listing
from llm_math_tests.report.solution import reference_text
from llm_math_tests.session import Choice, Session, solution_of

NAIVE = """\
import numpy as np


def softmax(logits, temperature=1.0, axis=-1):
    e = np.exp(logits / temperature)
    return e / e.sum(axis=axis, keepdims=True)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A laid-out course, and the place we stand in."""
    assert main(["init", str(tmp_path)]) == 0
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def llm_math(capsys):
    def run(*arguments):
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def hand_in(here, topic="softmax", track="numpy"):
    shutil.copy(course.folder("reference") / topic / f"with_{track}.py", here / "student" / topic)


class TestOpening:
    def test_a_stub_does_not_open_it(self, here, llm_math):
        code, out, _ = llm_math("solution", "softmax")
        assert code == 1
        assert out.splitlines()[0] == "softmax (numpy): 0 of 14 points; not started"
        assert "--give-up" in out
        assert "def softmax" not in out
        assert not (here / "student" / PLACE).exists()

    def test_nor_does_a_wrong_answer(self, here, llm_math):
        (here / "student/softmax/with_numpy.py").write_text(NAIVE)
        code, out, _ = llm_math("solution", "softmax")
        assert code == 1
        first = "softmax (numpy): 12 of 14 points; first failure: survives_large_scores"
        assert out.splitlines()[0] == first
        assert max(map(len, out.splitlines())) <= 80

    def test_a_right_answer_does_and_nothing_is_recorded(self, here, llm_math):
        hand_in(here)
        for arguments in ([], ["--give-up"]):
            code, out, _ = llm_math("solution", "softmax", *arguments)
            assert code == 0
            assert "def softmax(logits" in out
            assert "def _widened(x)" in out
            assert "def log_softmax" not in out
            assert "with_numpy.py:" in out.splitlines()[0]
        assert given_up(here / "student") == frozenset()

    def test_it_counts_in_its_own_track_only(self, here, llm_math):
        hand_in(here)
        code, out, _ = llm_math("solution", "softmax", "--track", "cupy")
        assert code == 1
        assert out.startswith("softmax (cupy): 0 of")

    def test_giving_up_opens_it_and_is_remembered(self, here, llm_math):
        assert llm_math("solution", "softmax", "--give-up")[0] == 0
        assert given_up(here / "student") == {("softmax", "numpy")}
        code, out, _ = llm_math("solution", "softmax")
        assert code == 0
        assert "def softmax(logits" in out
        assert llm_math("solution", "log_softmax")[0] == 1

    def test_a_folder_of_answers_has_a_record_of_its_own(self, here, llm_math):
        shutil.copytree(here / "student", here / "alice")
        code, _, _ = llm_math("solution", "relu", "--give-up", "--solution", "alice")
        assert code == 0
        assert given_up(here / "alice") == {("relu", "numpy")}
        assert given_up(here / "student") == frozenset()

    def test_reset_keeps_the_record(self, here, llm_math):
        llm_math("solution", "softmax", "--give-up")
        hand_in(here)
        assert llm_math("reset", "softmax")[0] == 0
        assert given_up(here / "student") == {("softmax", "numpy")}

    def test_the_reference_is_not_asked_of_the_reference(self, here, llm_math):
        code, _, err = llm_math("solution", "softmax", "--solution", "reference", "--give-up")
        assert code == 2
        assert "open already" in err
        assert not (course.folder("reference") / PLACE).exists()

    def test_what_cannot_be_remembered_is_not_opened(self, here, llm_math):
        record = here / "student" / PLACE
        record.parent.mkdir()
        record.write_text("nonsense")
        code, out, err = llm_math("solution", "softmax", "--give-up")
        assert code == 2
        assert out == ""
        assert err.startswith("llm-math: ")
        assert "not a record of llm-math: mend it or move it away" in err
        assert record.read_text() == "nonsense"

    def test_every_reference_can_be_shown_whole(self):
        for entry in exercises():
            for track in entry.tracks:
                shown = ast.parse(reference_text(entry, track))
                defined = [n.name for n in shown.body if isinstance(n, ast.FunctionDef)]
                assert defined[-1] == entry.name
                assert all(name.startswith("_") for name in defined[:-1])


class TestRecord:
    def test_it_can_be_read_by_a_person(self, tmp_path):
        give_up(tmp_path, "softmax", "numpy")
        give_up(tmp_path, "softmax", "numpy")
        give_up(tmp_path, "relu", "torch")
        document = json.loads((tmp_path / PLACE).read_text())
        assert [entry["exercise"] for entry in document["given_up"]] == ["softmax", "relu"]
        assert "--give-up" in document["about"]
        assert os.listdir(tmp_path / PLACE.parent) == [PLACE.name]

    def test_what_a_later_version_adds_is_kept(self, tmp_path):
        give_up(tmp_path, "softmax", "numpy")
        path = tmp_path / PLACE
        document = json.loads(path.read_text())
        document["given_up"][0]["why"] = "in a hurry"
        document["given_up"].append({"exercise": "of_another_version", "track": "jax"})
        path.write_text(json.dumps(document))
        give_up(tmp_path, "relu", "torch")
        entries = json.loads(path.read_text())["given_up"]
        assert entries[0]["why"] == "in a hurry"
        assert len(entries) == 3

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{}", '{"given_up": 3}', '{"given_up": [["softmax", "numpy"]]}',
         '{"given_up": [{"exercise": 1, "track": "numpy"}]}', "[" * 50_000, "\xff\xfe",
         '{"given_up": []}' + " " * 200_000],
    )  # fmt: skip
    def test_a_broken_one_says_so_and_is_left_alone(self, tmp_path, text):
        path = tmp_path / PLACE
        path.parent.mkdir()
        path.write_bytes(text.encode("latin-1"))
        assert given_up(tmp_path) == frozenset()
        assert "mend it or move it away" in record_of(tmp_path).trouble
        with pytest.raises(UnusableRecord, match="not remembered"):
            give_up(tmp_path, "softmax", "numpy")
        assert path.read_bytes() == text.encode("latin-1")

    def test_a_folder_in_its_place_is_said(self, tmp_path):
        (tmp_path / PLACE).mkdir(parents=True)
        assert "is not a file" in record_of(tmp_path).trouble

    def test_a_file_where_its_folder_should_be_is_said(self, tmp_path):
        (tmp_path / PLACE.parent).write_text("")
        with pytest.raises(UnusableRecord, match="cannot be written"):
            give_up(tmp_path, "softmax", "numpy")

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_cannot_be_written_is_said(self, tmp_path):
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(UnusableRecord, match="cannot be written"):
                give_up(tmp_path, "softmax", "numpy")
        finally:
            tmp_path.chmod(0o700)


class TestBoard:
    def board(self, here):
        session = Session(Choice(solution_of("student", here), ("softmax",), ("numpy",)))
        session.failures_of("softmax", "numpy")
        return session, board_lines(session)

    def test_it_is_said_beside_the_points_and_takes_none(self, here):
        hand_in(here)
        _, before = self.board(here)
        assert not any("given up" in line for line in before)
        give_up(here / "student", "softmax", "numpy")
        give_up(here / "student", "relu", "numpy")
        _, lines = self.board(here)
        assert "given up (reference opened first): softmax (numpy)" in lines
        assert [line for line in lines if not line.startswith("given up")] == before

    def test_the_listing_has_a_gap_between_the_cells(self, here):
        give_up(here / "student", "softmax", "numpy")
        session = Session(Choice(solution_of("student", here), ("softmax",), TRACKS))
        lines = list(listing(session))
        row = next(line for line in lines if line.startswith("  softmax "))
        assert " ".join(row.split()) == "softmax not started* not started not started"
        assert max(map(len, lines)) <= 80

    def test_many_are_wrapped(self, here):
        session, _ = self.board(here)
        for entry in exercises():
            give_up(here / "student", entry.name, "numpy")
            session.outcomes[entry.name, "numpy", entry.checks[0].name] = [
                {**session.records()[0], "exercise": entry.name, "topic": entry.topic}
            ]
        lines = board_lines(session)
        said = " ".join(lines).partition("given up (reference opened first): ")[2]
        assert said.count(" (numpy), ") == 68
        assert max(map(len, lines)) <= 80

    def test_a_record_that_cannot_be_read_is_said(self, here):
        (here / "student" / PLACE.parent).mkdir()
        (here / "student" / PLACE).write_text("nonsense")
        assert "is not a record of llm-math" in " ".join(self.board(here)[1])
