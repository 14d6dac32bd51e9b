"""``llm-math watch``: what was saved gets its verdict, whatever it does to its process."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llm_math_tests import course
from llm_math_tests.answers.warm import WarmWorker
from llm_math_tests.report.progress import Standing
from llm_math_tests.report.progress_bar import ProgressBar, drawn
from llm_math_tests.run import Solution
from llm_math_tests.watch import Desk, Shown
from llm_math_tests.watch.folder import Eyes
from llm_math_tests.watch.screen import Screen as WatchScreen
from llm_math_tests.watch.touched import touched

RIGHT = """\
import numpy as np


def softmax(logits, temperature=1.0, axis=-1):
    if not temperature > 0:
        raise ValueError(f"temperature={temperature}")
    if not -logits.ndim <= axis < logits.ndim:
        raise ValueError(f"axis={axis}")
    kept = logits.dtype if logits.dtype.kind == "f" else np.dtype(float)
    wide = np.float32 if kept == np.float16 else kept
    scores = logits.astype(wide) / np.asarray(temperature, wide)
    with np.errstate(invalid="ignore"):
        e = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return (e / e.sum(axis=axis, keepdims=True)).astype(kept)
"""
WRONG = RIGHT.replace("scores - scores.max(axis=axis, keepdims=True)", "scores")
WATCH = """
import sys
from pathlib import Path
from llm_math_tests.run import Solution
from llm_math_tests.watch import watch
try:
    watch(Solution("student", Path(sys.argv[1])), ("numpy",), seconds=0.5)
except KeyboardInterrupt:
    raise SystemExit(130)
"""


PATIENCE = 180.0
"""Seconds after which something is broken, not slow."""


class Watching:
    """The watch in a process of its own, its verdicts piped."""

    def __init__(self, folder: Path, ignoring: signal.Signals | None = None) -> None:
        self.path = folder / "softmax" / "with_numpy.py"
        first = f"import signal; signal.signal({ignoring:d}, signal.SIG_IGN)" if ignoring else ""
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-X", "faulthandler", "-c", first + WATCH, str(folder)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)

    def wait_for(self, *words: str) -> str:
        """Until all these words were said since the last save; returns what was."""
        end = time.monotonic() + PATIENCE
        while True:
            text = "".join(self.said)
            if all(word in text for word in words):
                return text
            assert time.monotonic() < end, f"no {words} in:\n{text}"
            assert self.process.poll() is None, text
            time.sleep(0.01)

    def save(self, text: str) -> None:
        """Put a text in the file's place, as an editor does."""
        self.said.clear()
        draft = self.path.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, self.path)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def watching(tmp_path_factory):
    """One watch for all: that it goes on after each of them is part of what is tested."""
    folder = tmp_path_factory.mktemp("watched") / "student"
    shutil.copytree(course.folder("student"), folder)
    made = Watching(folder)
    made.wait_for("next: softmax (numpy)", "0 of 69 exercises")
    yield made
    made.close()


def test_a_right_answer_passes_and_it_moves_on(watching):
    watching.save(RIGHT)
    text = watching.wait_for("\npassed\n", "next: log_softmax (numpy)", "1 of 69 exercises")
    assert "softmax (numpy)" in text
    assert "contract  passed" in text
    assert "next: logsumexp" not in text  # the one after, while the first was not known yet


def test_a_wrong_answer_is_shown_with_its_failure_whole(watching):
    watching.save(WRONG)
    text = watching.wait_for("s; Ctrl-C ends")
    assert "stable    wrong" in text
    assert "survives_large_scores" in text
    assert "you did   exponentiated before subtracting" in text
    assert "llm-math hint softmax" in text
    assert "0 of 69 exercises" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_syntax_error_is_said_with_its_line(watching):
    watching.save(RIGHT + "\n\ndef broken(:\n")
    assert "SyntaxError" in watching.wait_for("s; Ctrl-C ends")


def test_what_ends_its_process_costs_a_process_and_no_more(watching):
    watching.save(RIGHT + "\nimport os\nos._exit(0)\n")
    watching.wait_for("ended its process (exit code 0)", "process restarted")
    watching.save(RIGHT)
    watching.wait_for("\npassed\n")


def test_a_loop_without_end_is_ended(watching):
    watching.save(RIGHT.replace("    kept = ", "    while True:\n        pass\n    kept = "))
    watching.wait_for("ran longer than the time limit of 0.5 s", "s; Ctrl-C ends")
    watching.save(RIGHT)
    watching.wait_for("\npassed\n")


def test_what_is_patched_is_noticed_and_does_not_stay(watching):
    watching.save(RIGHT + "\nnp.exp = np.exp2\n")
    watching.wait_for("process restarted: numpy.exp was changed")
    watching.save(RIGHT)
    watching.wait_for("\npassed\n")


def test_what_is_printed_is_shown(watching):
    watching.save(RIGHT.replace("    kept = ", "    print('so far so good')\n    kept = "))
    assert "so far so good" in watching.wait_for("s; Ctrl-C ends")


def test_a_file_that_is_removed_is_not_done_any_more(watching):
    watching.save(RIGHT)
    watching.wait_for("1 of 69 exercises")
    watching.said.clear()
    watching.path.unlink()
    watching.wait_for("there is no file", "0 of 69 exercises")
    watching.save(RIGHT)
    watching.wait_for("\npassed\n", "1 of 69 exercises")


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_it_cleanly_and_leaves_no_process(tmp_path):
    # One of its own: tests come in any order, and the others' must go on.
    shutil.copytree(course.folder("student"), tmp_path / "student")
    watching = Watching(tmp_path / "student")
    try:
        watching.wait_for("next: softmax (numpy)")
        watching.save(RIGHT)
        watching.wait_for("s; Ctrl-C ends")
        children = _children_of(watching.process.pid)
        watching.said.clear()
        watching.process.send_signal(signal.SIGINT)
        try:
            assert watching.process.wait(PATIENCE) == 130
        except subprocess.TimeoutExpired:
            watching.process.send_signal(signal.SIGABRT)  # it says where it stands
            watching._reader.join()
            pytest.fail("".join(watching.said))
        watching._reader.join()
        assert "Traceback" not in "".join(watching.said)
        if Path("/proc").is_dir():
            assert children
        assert not [child for child in children if _runs(child)]
    finally:
        watching.close()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_it_also_where_it_was_ignored(tmp_path):
    """As in a script's background job: it says that Ctrl-C ends it."""
    shutil.copytree(course.folder("student"), tmp_path / "student")
    made = Watching(tmp_path / "student", ignoring=signal.SIGINT)
    try:
        made.wait_for("next: softmax (numpy)")
        made.process.send_signal(signal.SIGINT)
        assert made.process.wait(PATIENCE) == 130
    finally:
        made.close()


def test_an_interrupt_that_python_drops_ends_it_all_the_same(tmp_path):
    """What is raised in a ``__del__`` is dropped, and nobody presses Ctrl-C twice."""
    desk = Desk(Solution("student", tmp_path), ("numpy",), 0.5, WatchScreen(io.StringIO()))
    with pytest.raises(KeyboardInterrupt):
        desk.interrupt(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        desk._eyes.wait()


def test_in_a_terminal_each_verdict_has_the_screen_to_itself(tmp_path):
    pytest.importorskip("pty")
    from tests.save_to_verdict import Terminal, save

    shutil.copytree(course.folder("student"), tmp_path / "student")
    path = tmp_path / "student" / "softmax" / "with_numpy.py"
    terminal = Terminal(
        sys.executable, "-m", "llm_math_tests.cli", "watch", "--track", "numpy", folder=tmp_path
    )
    try:
        terminal.wait_for("next: softmax (numpy)")
        save(path, WRONG)
        screen = terminal.wait_for("stable    wrong", "Ctrl-C ends")
        assert "next: softmax" not in screen
        assert len(screen.splitlines()) <= 24
        assert terminal.interrupt() == 130
        assert "Traceback" not in terminal.text
    finally:
        terminal.close()


class Tty(io.StringIO):
    """A terminal of so many rows and columns, which keeps what is written."""

    def isatty(self) -> bool:
        return True


LONG_FAILURE = """\
softmax \u00b7 numpy \u00b7 survives_large_scores                     wrong   0 of 1 point
  called    softmax(logits) with logits float32 (3, 6), scores up to 10000, and
            more of them
  expected  finite values: 1.50463908e-32 at [0, 1]
  got       nan at [0, 1] (8 of 18 wrong)
  allowed   8 roundings of float32 (1.2e-07) + 9.8 of float32 for sums of 6
            terms, relative to each probability times 1 + max|z/T|
  you did   exponentiated before subtracting the row maximum
  where     student/softmax/with_numpy.py:5
  repeat    pytest --exercise softmax --track numpy -k survives_large_scores
            --seed 0
  also in   float64, float16, all_far_below_zero, temperature_0.0001
  hint      exp(89) is more than float32 can hold. What can you subtract from
            every score of a row without changing any ratio? (more: llm-math
            hint softmax)""".splitlines()
LEVELS = [f"  {level:<9} wrong        0 of 2 points" for level in ("core", "stable", "more", "x")]
NEEDED = ("called ", "expected ", "got ", "you did ", "where ")


class TestScreen:
    """What does not fit is made shorter, from what matters least."""

    @pytest.fixture
    def desk(self, tmp_path, monkeypatch):
        def make(columns: int, rows: int) -> Desk:
            monkeypatch.setenv("COLUMNS", str(columns))
            monkeypatch.setenv("LINES", str(rows))
            monkeypatch.setenv("TERM", "xterm")
            solution = Solution("student", tmp_path)
            return Desk(solution, ("numpy",), 0.5, WatchScreen(Tty()))

        return make

    def shown(self, printed: int) -> Shown:
        lines = [f"  line {number}" for number in range(printed)]
        return Shown(
            ("softmax", "numpy"), "12:00:00", LEVELS, ["core 0 of 2", "stable 0 of 2"],
            LONG_FAILURE, ["printed", *lines] if printed else [], 0.1, passed=False,
        )  # fmt: skip

    @pytest.mark.parametrize(("columns", "rows"), [(80, 24), (80, 40), (60, 15), (40, 12)])
    @pytest.mark.parametrize("printed", [0, 8])
    def test_the_top_and_what_matters_are_seen(self, desk, columns, rows, printed):
        made = desk(columns, rows)
        made._shown = self.shown(printed)
        lines = made._lines()
        taken = sum(-(-len(line) // columns) or 1 for line in lines)
        assert taken < rows
        assert lines[0].startswith("numpy ")
        text = "\n".join(lines)
        assert "softmax (numpy)" in text
        assert "softmax \u00b7 numpy" in text
        for needed in NEEDED:
            assert f"\n  {needed}" in text
        assert lines[-1].endswith("Ctrl-C ends")

    def test_what_was_printed_goes_before_the_failure_does(self, desk):
        made = desk(80, 33)
        made._shown = self.shown(8)
        text = "\n".join(made._lines())
        assert "line 0" in text
        assert "line 1" not in text
        assert all(line in text for line in [*LONG_FAILURE, *LEVELS])

    def test_what_matters_least_goes_first(self, desk):
        made = desk(80, 19)
        made._shown = self.shown(0)
        text = "\n".join(made._lines())
        assert "  allowed " not in text
        assert all(line in text for line in LONG_FAILURE[:5] + LONG_FAILURE[7:])

    def test_a_pipe_gets_everything(self, tmp_path):
        made = Desk(Solution("student", tmp_path), ("numpy",), 0.5, WatchScreen(io.StringIO()))
        made._shown = self.shown(30)
        assert set(LONG_FAILURE) | {"  line 29"} | set(LEVELS) <= set(made._lines())

    def test_next_is_not_named_before_it_is_known(self, desk):
        made = desk(80, 24)
        for name, track in made._keys():
            made._standings[name, track] = Standing("not started", 0.0, 1.0)
        first, second = made._keys()[:2]
        made._standings[first] = Standing("done", 1.0, 1.0)
        assert f"next: {second[0]} (numpy)" in "\n".join(made._lines())
        unknown = made._standings.pop(second)
        assert "next:" not in "\n".join(made._lines())
        made._standings[second] = unknown
        made._standings.pop(made._keys()[2])
        assert f"next: {second[0]} (numpy)" in "\n".join(made._lines())


def _children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestTouched:
    """What a save may have changed is read off the syntax."""

    ROOT = Path("student")
    FILE = ROOT / "softmax" / "with_numpy.py"
    TWO = (
        b"import numpy as np\n\ndef softmax(x):\n    return x\n\ndef logsumexp(x):\n    return x\n"
    )

    def names(self, before: bytes, after: bytes, *others: tuple[Path, bytes]) -> set[str]:
        rest = dict(others)
        found = touched(self.ROOT, {self.FILE: before, **rest}, {self.FILE: after, **rest})
        return {name for name, _ in found}

    def test_only_the_function_that_is_another_now(self):
        now = self.TWO.replace(b"    return x\n\ndef", b"    return 2 * x\n\ndef")
        assert "softmax" in self.names(self.TWO, now)
        assert "online_logsumexp" not in self.names(self.TWO, now)

    def test_a_comment_changes_nothing(self):
        assert self.names(self.TWO, b"# mine\n" + self.TWO) == set()

    def test_a_helper_changes_whoever_is_in_the_file(self):
        assert {"softmax", "logsumexp"} <= self.names(self.TWO, self.TWO + b"\nEPS = 1\n")

    def test_whoever_calls_it_is_another_now_too(self):
        before = self.TWO + b"\ndef log_softmax(x):\n    return x - logsumexp(x)\n"
        after = before.replace(
            b"def logsumexp(x):\n    return x", b"def logsumexp(x):\n    return 1"
        )
        assert "log_softmax" in self.names(before, after)

    def test_a_file_that_imports_it_is_checked_as_well(self):
        other = self.ROOT / "attention" / "with_numpy.py"
        text = b"from ..softmax.with_numpy import softmax\n"
        now = self.TWO.replace(b"    return x\n\ndef", b"    return 2 * x\n\ndef")
        assert "causal_mask" in self.names(self.TWO, now, (other, text))
        assert "causal_mask" not in self.names(self.TWO, now, (other, b"import numpy\n"))


class TestEyes:
    """Every way in which an editor saves is noticed."""

    @pytest.fixture
    def eyes(self, tmp_path):
        (tmp_path / "softmax").mkdir()
        (tmp_path / "softmax" / "with_numpy.py").write_text("x = 1\n")
        made = Eyes(tmp_path)
        made.open()
        yield made
        made.close()

    def test_the_same_size_and_time(self, eyes):
        path = eyes.root / "softmax" / "with_numpy.py"
        time.sleep(0.05)
        found = path.stat()
        with path.open("r+") as file:
            file.write("x = 2\n")
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        assert eyes.wait().files[path] == b"x = 2\n"

    def test_a_folder_that_is_made_later(self, eyes):
        path = eyes.root / "attention" / "with_numpy.py"
        path.parent.mkdir()
        path.write_text("y = 1\n")
        assert path in eyes.wait().saved

    def test_what_is_not_python_is_none_of_its_business(self, eyes):
        (eyes.root / "softmax" / "notes.txt").write_text("mine")
        path = eyes.root / "softmax" / "helper.py"
        path.write_text("z = 1\n")
        assert eyes.wait().saved == (path,)


SPOILERS = {
    "a library's name": ("import numpy as np\nnp.pi = 3", "numpy.pi was changed"),
    "a library's function with ours": (
        "import json\nclass Mine: pass\njson.mine = Mine", "Mine is still held"),
    "a thread": (
        "from threading import Timer\nlate = Timer(30, print)\nlate.daemon = True\nlate.start()",
        "a thread that it started"),
    "the print options": (
        "import numpy as np\nnp.set_printoptions(precision=2)", "numpy's print options"),
    "the recursion limit": ("import sys\nsys.setrecursionlimit(4000)", "the recursion limit"),
    "Python's own": ("import builtins\nbuiltins.mine = 1", "a name was added to Python's own"),
    "something for the end": ("import atexit\natexit.register(print)", "what is done at the end"),
}  # fmt: skip


@pytest.fixture(scope="module")
def warm():
    made = WarmWorker()
    yield made
    made.close()


@pytest.mark.parametrize("how", SPOILERS)
def test_a_process_is_used_again_only_where_nothing_is_left(warm, tmp_path, how):
    text, words = SPOILERS[how]
    where = Solution("student", tmp_path).where("softmax", "numpy")
    where.path.parent.mkdir(parents=True)
    where.path.write_text("import numpy as np\nimport math\n\ndef softmax(x):\n    return x\n")
    assert warm.load(where).failed is None
    assert warm.renew() == []
    kept = warm._process("numpy")
    where.path.write_text(f"{text}\n\ndef softmax(x):\n    return x\n")
    assert warm.load(where).failed is None
    assert words in " ".join(warm.renew())
    assert warm._process("numpy") is not kept


class Screen:
    """A stream that says it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        self.terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


class TestProgressBar:
    def test_it_is_gone_when_the_work_is_done(self, monkeypatch):
        monkeypatch.setattr("llm_math_tests.report.progress_bar.PATIENCE", 0.0)
        monkeypatch.setenv("TERM", "xterm")
        screen = Screen(terminal=True)
        with ProgressBar("checking", 4, screen) as bar:
            bar.step(1, "softmax")
            end = time.monotonic() + PATIENCE
            while "softmax" not in screen.text and time.monotonic() < end:
                time.sleep(0.01)
        assert " 25%" in screen.text
        assert "\n" not in screen.text
        assert screen.text.endswith(" \r")

    def test_never_into_a_pipe(self, monkeypatch):
        monkeypatch.setattr("llm_math_tests.report.progress_bar.PATIENCE", 0.0)
        screen = Screen(terminal=False)
        with ProgressBar("checking", 4, screen) as bar:
            bar.step()
            time.sleep(0.05)
        assert screen.text == ""

    def test_it_fits_and_says_how_long(self):
        bar = ProgressBar("checking", 10, Screen(terminal=False))
        bar.step(5, "a" * 100)
        line = bar.line(79, bar._started + 8)
        assert len(line) == 79
        assert "about 8 s left" in line

    @pytest.mark.parametrize(("part", "shown"), [
        (0, "[----]"), (0.001, "[#---]"), (0.5, "[##--]"), (0.999, "[###-]"), (1, "[####]"),
    ])  # fmt: skip
    def test_only_what_is_done_is_full(self, part, shown):
        assert drawn(part, 4) == shown
