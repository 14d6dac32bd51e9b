"""What is said, kind by kind, compared whole with the files in ``tests/wording``.

After a wanted change: ``LLM_MATH_WRITE_WORDING=1 pytest tests/test_wording.py``, then read
the difference as a student would.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from llm_math_tests.cli import main
from llm_math_tests.exercise import TRACKS
from llm_math_tests.exercises import exercise
from llm_math_tests.report.board import board_lines
from llm_math_tests.report.failure import failure_of, worst_verdict
from llm_math_tests.run import Solution
from llm_math_tests.session import Choice, Session
from llm_math_tests.student_folder import lay_out
from llm_math_tests.wording import WIDTH

FOLDER = Path(__file__).parent / "wording"
WRITE = "LLM_MATH_WRITE_WORDING"

NAIVE = """
import numpy as np


def softmax(logits, temperature=1.0, axis=-1):
    e = np.exp(logits / temperature)
    return e / e.sum(axis=axis, keepdims=True)
"""

FAILURES = {
    # kind: (exercise, track, check, the student's file)
    "known_mistake": ("softmax", "numpy", "survives_large_scores", NAIVE),
    "pattern": (
        "covariance",
        "numpy",
        "matches_the_formula",
        "def covariance(x):\n    c = x - x.mean(0)\n    return 3 * c.T @ c / (len(x) - 1)\n",
    ),
    "no_idea": (
        "entropy",
        "numpy",
        "matches_the_formula",
        "import numpy as np\n\n\ndef entropy(p, axis=-1):\n"
        "    return np.sin(37 * p).sum(axis) + p.max(axis) ** 3\n",
    ),
    "exception": (
        "gelu",
        "numpy",
        "matches_the_formula",
        "def gelu(x):\n    return x.gelu()\n",
    ),
    "hangs": (
        "relu",
        "numpy",
        "matches_the_formula",
        "def relu(x):\n    while True:\n        pass\n",
    ),
    "wrong_shape": (
        "relu",
        "numpy",
        "matches_the_formula",
        "import numpy as np\n\n\ndef relu(x):\n    return np.maximum(x, 0)[None]\n",
    ),
    "nothing_returned": (
        "relu",
        "numpy",
        "matches_the_formula",
        "def relu(x):\n    x * (x > 0)\n",
    ),
    "signature": ("relu", "numpy", "matches_the_formula", "def relu(z):\n    return z\n"),
    "syntax": ("relu", "numpy", "matches_the_formula", "def relu(x)\n    return x\n"),
    "not_started": (
        "relu",
        "numpy",
        "matches_the_formula",
        "def relu(x):\n    raise NotImplementedError\n",
    ),
    "written_in_place": (
        "relu",
        "numpy",
        "leaves_inputs_alone",
        "def relu(x):\n    x[x < 0] = 0\n    return x\n",
    ),
    "refusal": (
        "softmax",
        "numpy",
        "refuses_bad_arguments",
        NAIVE.replace("    e =", "    logits = logits - logits.max(axis, keepdims=True)\n    e ="),
    ),
    "graph_cut": (
        "tanh",
        "torch",
        "gradient_flows",
        "import torch\n\n\ndef tanh(x):\n    return torch.tanh(x.detach())\n",
    ),
    "left_the_device": (
        "tanh",
        "torch",
        "stays_on_device",
        "import torch\n\n\ndef tanh(x):\n    return torch.tanh(x.cpu())\n",
    ),
    "stand_in": (
        "tanh",
        "cupy",
        "matches_the_formula",
        "import cupy as cp\n\n\ndef tanh(x):\n    return cp.sinh(x)\n",
    ),
    "relation": (
        "log_softmax",
        "numpy",
        "exponential_is_softmax",
        NAIVE + "\n\ndef log_softmax(logits, axis=-1):\n    return 2 * np.log(softmax(logits))\n",
    ),
}


def same(kind: str, text: str) -> None:
    path = FOLDER / f"{kind}.txt"
    text = "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"
    too_long = [line for line in text.splitlines() if len(line) > WIDTH]
    assert not too_long
    assert "\x1b" not in text
    text.encode("cp1252")
    if os.environ.get(WRITE):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{WRITE}=1 accepts it"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A student's folder, which is also the current one: paths are said from there."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch):
    """A closer look stops when its time is over: on a busy machine it would say less."""
    still = SimpleNamespace(perf_counter=lambda: 0.0, monotonic=lambda: 0.0)
    for module in ("breaking_point", "smallest", "smallest.search", "evidence"):
        monkeypatch.setattr(f"llm_math_tests.diagnosis.{module}.time", still)
    monkeypatch.setattr("llm_math_tests.diagnosis.smallest._SLOW", 60.0)


def written(course: Path, name: str, track: str, text: str) -> None:
    path = course / "student" / exercise(name).topic / f"with_{track}.py"
    path.write_text(text, encoding="utf-8")


def _limit(kind: str) -> float:
    return 0.5 if kind == "hangs" else 60.0


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure(course, kind):
    name, track, check, text = FAILURES[kind]
    if track == "torch":
        pytest.importorskip("torch")
    written(course, name, track, text)
    session = Session(
        Choice(Solution("student", course / "student"), (name,), seconds=_limit(kind))
    )
    try:
        session.run(name, track, check)
        records = session.outcomes[name, track, check]
        assert worst_verdict(records) != "passed"
        same(f"failure_{kind}", failure_of(session, records, hint=kind == "known_mistake"))
    finally:
        session.close()


def test_the_same_cause_again(course):
    written(course, "softmax", "numpy", NAIVE.replace("keepdims=True", "keepdims=True) * (2.0"))
    session = Session(Choice(Solution("student", course / "student"), ("softmax",)))
    session.failures_of("softmax", "numpy")
    texts = [
        failure_of(session, kept)
        for kept in session.outcomes.values()
        if worst_verdict(kept) in ("wrong", "error")
    ]
    session.close()
    same("failure_again", texts[-1])


def test_the_board(course):
    written(course, "softmax", "numpy", NAIVE)
    session = Session(
        Choice(Solution("student", course / "student"), ("softmax", "log_softmax"), TRACKS[:1])
    )
    for name in session.choice.names:
        session.failures_of(name, "numpy")
    lines = board_lines(session)
    session.close()
    same("board", "\n".join(lines))


COMMANDS = {
    "begin": [],
    "list": ["list", "--track", "numpy"],
    "next": ["next", "--track", "numpy"],
    "show": ["show", "softmax"],
    "hint": ["hint", "softmax"],
    "hint_last": ["hint", "softmax", "3"],
    "hint_too_many": ["hint", "softmax", "30"],
    "solution_refused": ["solution", "softmax"],
    "reset": ["reset", "softmax"],
    "no_such_exercise": ["show", "sofmax"],
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command(course, capsys, monkeypatch, kind):
    written(course, "softmax", "numpy", NAIVE)
    monkeypatch.setattr("time.strftime", lambda form, *when: "2026-01-31-120000")
    main(COMMANDS[kind])
    out, err = capsys.readouterr()
    same(f"command_{kind}", out + err)


def test_what_the_readme_shows_is_what_is_said():
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    shown = text.split("```text\n")[1].split("```")[0].splitlines()
    said = (FOLDER / "failure_known_mistake.txt").read_text(encoding="utf-8").splitlines()
    assert len(shown) > 6
    assert [line for line in said if line in shown] == shown


def test_every_golden_file_is_of_a_kind_that_is_tried():
    kinds = {f"failure_{kind}" for kind in FAILURES} | {f"command_{kind}" for kind in COMMANDS}
    assert {path.stem for path in FOLDER.glob("*.txt")} == kinds | {"failure_again", "board"}
