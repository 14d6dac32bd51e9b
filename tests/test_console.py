"""What is printed can be read where the console lacks characters."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata

import pytest

from llm_math_tests import console
from llm_math_tests.cli import main

EVERYTHING = """
from llm_math_tests.cli import main
from llm_math_tests.exercises import exercises
from llm_math_tests.habits import EVIDENT

main([])
main(["next"])
main(["list", "--track", "numpy"])
for entry in exercises():
    for track in entry.tracks:
        main(["show", entry.name, "--track", track])
    for step in range(1, len(entry.hints) + 1):
        main(["hint", entry.name, str(step)])
    for check in entry.checks:
        print(check.name, check.promise, *(case.note for case in check.cases))
    for mistake in entry.known_mistakes:
        print(mistake.sentence)
for mistake in EVIDENT.values():
    print(mistake.sentence)
"""


def run(encoding, *command, cwd):
    """A process whose standard streams have this encoding; what it wrote, decoded strictly."""
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, *command], cwd=cwd, env=env, capture_output=True)
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


@pytest.fixture
def here(tmp_path, monkeypatch):
    assert main(["init", str(tmp_path)]) == 0
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp932"])
def test_everything_that_we_say_is_the_same_everywhere(here, encoding):
    code, said, trouble = run(encoding, "-c", EVERYTHING, cwd=here)
    assert (code, trouble) == (0, "")
    assert said.isascii()
    assert said == run("utf-8", "-c", EVERYTHING, cwd=here)[1]
    assert "\\u" not in said
    assert len(said) > 200_000


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp932"])
def test_a_failure_with_a_students_own_characters_is_spelled_out(here, encoding):
    (here / "student/softmax/with_numpy.py").write_text(
        "def softmax(logits, temperature=1.0, axis=-1):\n"
        "    raise RuntimeError('\u2211 exp(\u221ad) \u2264 \u03c3 \\U0001f600 \u4e2d')\n",
        encoding="utf-8",
    )
    code, said, _ = run(
        encoding, "-m", "pytest", "--exercise", "softmax", "--track", "numpy", "-x",
        "-p", "no:randomly", cwd=here,
    )  # fmt: skip
    assert code == 1
    assert "\\u" not in said
    assert "\\n" not in said
    assert "?" not in said.split("raised")[1].split("where")[0]
    lines = said.splitlines()
    head = next(line for line in lines if "matches_the_formula   " in line)
    separator = "\u00b7" if encoding == "cp1252" else "-"
    assert head.startswith(f"softmax {separator} numpy {separator} matches_the_formula")
    ours = lines[lines.index(head) : lines.index("  hint      llm-math hint softmax") + 1]
    # A line of the student's own may grow with what is spelled out in it.
    assert max(len(line) for line in ours if "RuntimeError" not in line) <= 80
    if encoding != "cp932":  # which has the mathematics
        assert "sum exp(sqrt d) <= sigma <U+1F600> <U+4E2D>" in said


def test_a_mistake_of_the_command_line_is_spelled_too(here):
    code, _, said = run("ascii", "-m", "llm_math_tests.cli", "show", "\u221asoftmax", cwd=here)
    assert code == 2
    assert "no exercise 'sqrt softmax'" in said


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\u221ad \u2264 \u03a3_i p_i \u2192 \u03c3\u00b2", "sqrt d <= sum_i p_i -> sigma^2"),
        ("\u221a(2\u03c0) \u2212 x\u00b7y", "sqrt(2 pi) - x-y"),
        ("\u2016v\u2016 \u2260 \u221e \u2026", "||v|| != inf ..."),
        ("\u2308\u221aL\u2309", "ceil(sqrt L)"),
        ("10\u207b\u00b9\u00b2 x\u2081\u2082", "10^-12 x_12"),
        ("\u03b1\u03b2 \u03bb \u03a9 \u03c2", "alpha beta lambda Omega sigma"),
        ("\u2202f/\u2202x 3 \u00b5s \u00bd", "df/dx 3 us 1/2"),
        ("\u0141\u00f3d\u017a na\u00efve \ufb01", "Lodz naive fi"),
        ("\u201cq\u201d \u2014 x\u1d40y", '"q" - x^Ty'),
        ("e\u0301 \u4e2d \U0001f600 \udce9", "e <U+4E2D> <U+1F600> <U+DCE9>"),
    ],
)
def test_characters_are_spelled_as_one_would_type_them(text, plain):
    assert console.spelled(text, "ascii") == plain


def test_an_encoding_keeps_what_it_has():
    assert console.spelled("\u00b1\u00b2 \u03c3 \u2026", "cp1252") == "\u00b1\u00b2 sigma \u2026"


def test_no_character_of_mathematics_becomes_a_question_mark_or_an_escape():
    blocks = [*range(0x80, 0x250), *range(0x370, 0x400), *range(0x2000, 0x2300), 0x1D40]
    for number in blocks:
        name = unicodedata.name(chr(number), "QUESTION")
        if "QUESTION" not in name:
            said = console.spelled(f"a {chr(number)} b", "ascii")
            assert "?" not in said
            assert "\\" not in said


def test_streams_that_take_anything_are_left_alone(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console.readable()
    print("\u221a")
    assert stream.getvalue() == "\u221a\n"


def test_a_decoding_error_stays_what_it_is():
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", console.NAME)
