"""The files of a report: what is in them, and that they read back."""

from __future__ import annotations

import json
import os
from datetime import datetime

import pandas as pd
import pytest
import timing_rows

from llm_math_tests import report
from llm_math_tests.report import environment, markdown, quantities, sentences, terminal, write
from llm_math_tests.report.folder import Unwritable, new_folder
from llm_math_tests.report.frame import COLUMNS, frame

HEADER = (
    "exercise,topic,track,device,implementation,size,dtype,status,reason,median_s,iqr_s,"
    "samples,gbytes_per_s,gflops_per_s,speedup_vs_numpy_cpu,max_rel_error"
)


@pytest.fixture
def table():
    return frame(timing_rows.many())


def test_four_files(tmp_path, table):
    page = write.report(tmp_path, table, timing_rows.ENVIRONMENT)
    assert page == tmp_path / "report.html"
    assert {file.name for file in tmp_path.iterdir()} == {
        "timings.csv",
        "environment.json",
        "summary.md",
        "report.html",
    }
    text = (tmp_path / "timings.csv").read_bytes()
    assert text.split(b"\n")[0].decode() == HEADER
    assert b"\r" not in text


def test_what_was_written_loads_as_it_was(tmp_path, table):
    write.report(tmp_path, table, timing_rows.ENVIRONMENT)
    loaded = report.load(tmp_path)
    pd.testing.assert_frame_equal(loaded, table, rtol=1e-8)
    assert loaded.attrs["environment"] == timing_rows.ENVIRONMENT


@pytest.mark.parametrize("reason", ["nan", "None", "", 'a "quoted", long\nstory'])
def test_any_reason_survives(tmp_path, reason):
    table = frame([timing_rows.untimed("error", reason), timing_rows.record()])
    write.report(tmp_path, table, {})
    assert report.load(tmp_path / "timings.csv")["reason"].tolist() == [reason, ""]


def test_loading_a_folder_of_runs_gives_the_latest(tmp_path):
    for name, size in (("2026-01-01_00-00-00", "old"), ("2026-01-02_00-00-00", "new")):
        (tmp_path / name).mkdir()
        write.report(tmp_path / name, frame([timing_rows.record(size=size)]), {})
    assert report.load(os.fspath(tmp_path))["size"].tolist() == ["new"]


def test_loading_nothing_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no timings\.csv in"):
        report.load(tmp_path)


def test_an_empty_run_has_a_report_too(tmp_path):
    write.report(tmp_path, frame([]), {})
    assert list(report.load(tmp_path)) == list(COLUMNS)


def test_two_runs_in_a_second_do_not_collide(tmp_path):
    now = datetime(2026, 1, 31, 12, 0, 0)
    made = [new_folder(tmp_path / "reports", now).name for _ in range(3)]
    assert made == ["2026-01-31_12-00-00", "2026-01-31_12-00-00_2", "2026-01-31_12-00-00_3"]
    assert sorted(made) == made


def test_a_file_in_the_way_is_one_clear_message(tmp_path):
    (tmp_path / "reports").write_text("")
    with pytest.raises(Unwritable, match=r"reports is not a folder|reports cannot be written"):
        new_folder(tmp_path / "reports")


def test_a_folder_that_may_not_be_written_is_one_clear_message(tmp_path, monkeypatch):
    def refused(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    with pytest.raises(Unwritable, match=r"reports cannot be written \(Permission denied\)"):
        new_folder(tmp_path / "reports")


def test_the_summary_has_sentences_the_table_and_what_was_not_timed(table):
    text = markdown.summary(table, timing_rows.ENVIRONMENT)
    assert "44 of 66 rows were timed." in text
    assert "- torch on cuda, library: 47.0x the speed of the NumPy reference." in text
    assert "- 16 rows not run: no CUDA device" in text
    assert "- 6 rows wrong: the check rows\\_sum\\_to\\_one does not pass" in text
    assert timing_rows.MADE_UP in text
    timings = [line for line in text.splitlines() if line.startswith("| softmax ")]
    assert len(timings) == 20


def test_markdown_is_not_broken_by_what_a_student_wrote():
    bad = "|x| <script> `a`\n# not a heading"
    text = markdown.summary(frame([timing_rows.untimed("error", bad)]), {"solution": bad})
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "\n# not" not in text


@pytest.mark.parametrize("rows", [timing_rows.many(), [timing_rows.untimed("not_run", "x" * 99)]])
def test_the_terminal_fits_any_console(rows):
    for line in terminal.lines(frame(rows)):
        assert len(line) <= 80
        line.encode("ascii")


def test_the_terminal_shows_each_exercise_once():
    text = "\n".join(terminal.lines(frame(timing_rows.many())))
    assert text.count("label_smoothing_cross_entropy ") == 1
    assert "16 rows not run: no CUDA device" in text
    assert "6 rows wrong: the check rows_sum_to_one does not pass" in text


def test_a_track_without_a_baseline_still_has_its_line():
    rows = [timing_rows.record(track="torch", speedup_vs_numpy_cpu=float("nan"))]
    assert terminal.lines(frame(rows))[3].split() == ["softmax", "-", "-"]


def test_noise_is_said():
    quiet, noisy = timing_rows.record(), timing_rows.record(iqr_s=0.0006)
    assert sentences.noise(frame([quiet])) == ""
    text = "\n".join(terminal.lines(frame([quiet, noisy])))
    assert "1 of them is noisy (interquartile range above 25% of the median)" in text


def test_one_row_is_a_row():
    rows = [timing_rows.untimed("not_started", "not started")]
    assert sentences.untimed_lines(frame(rows)) == ["1 row not started"]
    assert sentences.counts(frame([timing_rows.record()])) == "1 of 1 row was timed."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.0, "1.00 s"),
        (0.9999, "1.00 s"),
        (0.031, "31.0 ms"),
        (0.000_999_6, "1.00 ms"),
        (0.000_123_4, "123 us"),
        (2.5e-8, "25.0 ns"),
        (120.0, "120 s"),
        (0.0, "0 s"),
        (float("nan"), ""),
    ],
)
def test_times_as_people_read_them(seconds, text):
    assert quantities.time_text(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.0, "1.00x"), (0.683, "0.68x"), (11.24, "11.2x"), (470.0, "470x"), (0.02, "0.0200x"),
     (float("nan"), "")],
)  # fmt: skip
def test_ratios_as_people_read_them(ratio, text):
    assert quantities.ratio_text(ratio) == text


def test_the_processor_has_a_name():
    assert environment.cpu_model()


def test_the_environment_names_what_is_not_installed():
    pairs = dict(markdown.flat({"versions": {"cupy": None}, "cpu_governor": None, "n": [1, 2]}))
    assert pairs == {"versions: cupy": "not installed", "cpu governor": "unknown", "n": "1 2"}


def test_the_environment_is_plain_data(tmp_path):
    from llm_math_tests.bench.measure import Laboratory
    from llm_math_tests.run import Solution
    from llm_math_tests.session import Choice, Session

    laboratory = Laboratory(Session(Choice(Solution("student", tmp_path), seed=3)))
    facts = environment.facts(laboratory, ["pytest"])
    assert json.loads(json.dumps(facts)) == facts
    assert facts["seed"] == 3
    assert facts["versions"]["numpy"]
