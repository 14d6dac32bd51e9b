"""What is timed: rows, their inputs, who may be timed, and how right the result is."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import test_bench_clock

from llm_math_tests import course, tracks
from llm_math_tests.answers.values import Blocks
from llm_math_tests.bench import accuracy, measure, plan
from llm_math_tests.bench.clock import DeviceClock
from llm_math_tests.bench.inputs import InputSets, OwnInputs, bytes_of
from llm_math_tests.bench.measure import Laboratory, Timing
from llm_math_tests.bench.plan import Row, cannot_run, rows_of
from llm_math_tests.bench.records import records
from llm_math_tests.bench.sampling import Effort
from llm_math_tests.bench.threads import one_thread_each
from llm_math_tests.exercise import Size
from llm_math_tests.exercises import exercise
from llm_math_tests.report.frame import COLUMNS
from llm_math_tests.run import Solution
from llm_math_tests.session import Choice, Session
from llm_math_tests.tracks.numpy import NumpyTrack

QUICK = Effort(0.0, fewest=2, fewest_when_slow=2, most=2)
REFERENCE = Solution("reference", course.folder("reference"))
SMALL = "64 x 1024"


def choice(solution: Solution = REFERENCE, **more) -> Choice:
    return Choice(solution, names=("softmax",), **more)


def student(folder: Path, text: str) -> Solution:
    (folder / "softmax").mkdir(parents=True)
    (folder / "softmax" / "with_numpy.py").write_text(text, encoding="utf-8")
    return Solution("student", folder)


def measured(chosen: Choice, keep=lambda row: row.size == SMALL) -> dict[str, Timing]:
    session = Session(chosen)
    timings = [Timing(row) for row in rows_of(exercise("softmax"), chosen) if keep(row)]
    Laboratory(session, QUICK).measure(timings)
    session.close()
    return {f"{t.row.track} {t.row.device} {t.row.implementation}": t for t in timings}


def row(**changes) -> Row:
    plain = {"exercise": "softmax", "topic": "softmax", "size": SMALL, "dtype": "float32",
             "track": "numpy", "device": "cpu", "implementation": "reference"}  # fmt: skip
    return Row(**{**plain, **changes})


def test_the_rows_of_an_exercise():
    rows = rows_of(exercise("softmax"), choice())
    small = [r.name for r in rows if r.size == SMALL]
    assert small == [
        "64x1024-float32-numpy-cpu-reference",
        "64x1024-float32-numpy-cpu-library",
        "64x1024-float32-torch-cpu-reference",
        "64x1024-float32-torch-cpu-library",
        "64x1024-float32-torch-cuda-reference",
        "64x1024-float32-torch-cuda-library",
        "64x1024-float32-cupy-cuda-reference",
        "64x1024-float32-cupy-cuda-library",
    ]
    assert len({r.name for r in rows}) == len(rows)


def test_a_student_is_timed_beside_the_reference_and_the_library():
    rows = rows_of(exercise("softmax"), choice(Solution("alice", Path("alice"))))
    who = [r.implementation for r in rows if (r.track, r.size) == ("numpy", SMALL)]
    assert who == ["alice", "reference", "library"]


def test_only_what_was_chosen():
    assert {r.track for r in rows_of(exercise("softmax"), choice(tracks=("cupy",)))} == {"cupy"}
    assert rows_of(exercise("softmax"), Choice(REFERENCE, names=("logsumexp",))) == []


@pytest.mark.parametrize(
    ("changes", "devices", "reason"),
    [
        ({"track": "torch", "device": "cuda"}, 0, "no CUDA device"),
        ({"track": "cupy", "device": "cuda"}, 0, "no CUDA device"),
        ({"track": "cupy", "device": "cuda"}, 1, "CuPy is not installed"),
        ({"track": "torch"}, 0, "PyTorch is not installed"),
        ({"dtype": "bfloat16"}, 0, "numpy has no bfloat16"),
        ({"implementation": "student"}, 0, "answers behind --isolate are not timed"),
        ({}, 0, None),
    ],
)
def test_a_row_that_cannot_run_says_why(monkeypatch, changes, devices, reason):
    monkeypatch.setattr(plan, "cuda_device_count", lambda: devices)
    monkeypatch.setattr(plan, "installed", lambda package: False)
    monkeypatch.setattr(tracks, "unavailable", lambda track: "not there")
    assert cannot_run(row(**changes), isolate=True) == reason


def test_planning_imports_no_large_library():
    code = (
        "import sys; from llm_math_tests.bench import plan;"
        "from llm_math_tests.exercises import exercise;"
        "from llm_math_tests.session import Choice; from llm_math_tests.run import Solution;"
        "from pathlib import Path;"
        "rows = plan.rows_of(exercise('softmax'), Choice(Solution('reference', Path('.'))));"
        "rows = plan.rows_of(exercise('softmax'), Choice(Solution('reference', Path('.')), "
        "names=('softmax',)));"
        "[plan.cannot_run(row, False) for row in rows];"
        "print(len(rows), sorted({'torch', 'cupy', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]"
    assert int(done.stdout.split()[0]) > 0


def test_correct_answers_are_timed_and_compared_with_the_truth():
    found = measured(choice(tracks=("numpy",)))
    assert found["numpy cpu reference"].status == "timed"
    assert len(found["numpy cpu reference"].samples) == 2
    assert found["numpy cpu reference"].max_rel_error < 1e-6
    assert found["numpy cpu reference"].moved_bytes == 2 * 64 * 1024 * 4


@pytest.mark.torch
def test_torch_is_timed_beside_numpy():
    found = measured(choice(tracks=("numpy", "torch")))
    assert found["torch cpu library"].status == "timed"
    assert found["torch cpu library"].max_rel_error < 1e-6


def test_an_answer_that_fails_a_check_is_not_timed(tmp_path):
    wrong = student(tmp_path, "def softmax(logits, temperature=1.0, axis=-1):\n    return logits\n")
    found = measured(choice(wrong, tracks=("numpy",)))
    assert found["numpy cpu student"].status == "wrong"
    assert "matches_the_formula and" in found["numpy cpu student"].reason
    assert found["numpy cpu student"].samples == ()
    assert found["numpy cpu reference"].status == "timed"


def test_an_untouched_answer_is_not_started(tmp_path):
    found = measured(choice(Solution("student", tmp_path), tracks=("numpy",)))
    assert (found["numpy cpu student"].status, found["numpy cpu student"].reason) == (
        "not_started",
        "not started",
    )


def broken_library(monkeypatch, error: BaseException) -> Timing:
    def call(*args, **kwargs):
        raise error

    monkeypatch.setattr(Laboratory, "_function", lambda self, exercise, row: call)
    return measured(choice(tracks=("numpy",)))["numpy cpu library"]


def test_a_call_that_raises_is_a_row_that_says_so(monkeypatch):
    timing = broken_library(monkeypatch, ValueError("no such\nthing"))
    assert (timing.status, timing.reason) == ("error", "ValueError: no such thing")
    assert timing.raised


def test_a_library_that_is_not_installed_is_not_an_error(monkeypatch):
    missing = ModuleNotFoundError("No module named 'scipy'", name="scipy")
    timing = broken_library(monkeypatch, missing)
    assert (timing.status, timing.reason) == ("not_run", "scipy is not installed")


def test_ctrl_c_keeps_what_was_measured(monkeypatch):
    def interrupted(contenders, effort):
        contenders[0].samples = [1.0, 2.0, 3.0]
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "sample", interrupted)
    chosen = choice(tracks=("numpy",))
    timings = [Timing(r) for r in rows_of(exercise("softmax"), chosen) if r.size == SMALL]
    with pytest.raises(KeyboardInterrupt):
        Laboratory(Session(chosen), QUICK).measure(timings)
    assert (timings[0].status, timings[0].samples) == ("timed", (1.0, 2.0, 3.0))
    assert (timings[1].status, timings[1].reason) == ("not_run", measure.INTERRUPTED)


class Gpu(NumpyTrack):
    """A GPU that is none: the code path is the real one, only the device is made up."""

    name = "torch"
    library = "PyTorch"
    lands_on = "cuda"

    def device(self):
        return "cuda"

    def to_device(self, array):
        return array.copy()

    def take(self, obj):
        taken = super().take(obj)
        return taken and (taken[0], replace(taken[1], device=self.lands_on))


@pytest.fixture
def gpu(monkeypatch):
    made = Gpu()
    real = tracks.track
    fake = test_bench_clock.FakeDevice()
    monkeypatch.setattr(tracks, "track", lambda name: made if name == "torch" else real(name))
    monkeypatch.setattr(tracks, "unavailable", lambda name: None)
    monkeypatch.setattr(plan, "cuda_device_count", lambda: 1)
    monkeypatch.setattr(measure, "clock_for", lambda track, device: DeviceClock(fake, fake.now))
    monkeypatch.setattr(measure, "_name_of_device", lambda track: "made-up device")

    def work(logits):
        fake.launch(2_000_000)
        return real("numpy").hand(logits / logits.sum())

    monkeypatch.setattr(Laboratory, "_answer", lambda self, exercise, track, solution: work)
    monkeypatch.setattr(Laboratory, "_must_be_right", lambda self, exercise, track: None)
    return made


def on_gpu() -> tuple[Timing, Laboratory]:
    timing = Timing(row(track="torch", device="cuda"))
    laboratory = Laboratory(Session(choice()), QUICK)
    laboratory.measure([timing])
    return timing, laboratory


def test_a_row_on_a_device_is_timed_by_its_clock(gpu):
    timing, laboratory = on_gpu()
    assert timing.status == "timed"
    assert timing.samples == pytest.approx((2e-3, 2e-3), rel=0.02)
    assert timing.max_rel_error < 1e-4
    assert laboratory.device_names == {"cuda": "made-up device"}
    assert "events" in laboratory.clocks["cuda"]


def test_a_result_that_left_the_device_is_wrong(gpu):
    gpu.lands_on = "cpu"
    timing, _ = on_gpu()
    assert (timing.status, timing.reason) == ("wrong", "the result is on cpu, not on cuda")


def test_a_library_that_cannot_use_the_device_says_so(gpu, monkeypatch):
    monkeypatch.setattr(gpu, "device", lambda: None)
    timing, _ = on_gpu()
    assert timing.reason == "this PyTorch cannot use the CUDA device"


def test_a_warning_is_no_error(monkeypatch):
    def call(logits):
        warnings.warn("well", RuntimeWarning, stacklevel=1)
        return logits

    monkeypatch.setattr(Laboratory, "_function", lambda self, exercise, row: call)
    assert measured(choice(tracks=("numpy",)))["numpy cpu library"].status == "timed"


def sets_of(make) -> InputSets:
    return InputSets(Size("some", make), "float32", np.random.default_rng(0))


def test_every_call_gets_other_contents():
    entry = exercise("softmax")
    sets = sets_of(lambda rng, dtype: {"logits": rng.standard_normal((4, 3), dtype)})
    own = OwnInputs(entry, sets, tracks.track("numpy"), "cpu")
    seen = []
    for _ in range(3):
        for call in own.calls(lambda logits: (id(logits), logits.tobytes()), 8):
            seen.append(call())
    assert len({place for place, _ in seen}) == 8
    latest: dict[int, bytes] = {}
    for place, contents in seen:
        assert latest.get(place) != contents
        latest[place] = contents
    rows = {row.tobytes() for row in sets.first["logits"]}
    made = np.random.default_rng(0).standard_normal((4, 3), "float32")
    assert rows == {row.tobytes() for row in made}


def test_contents_change_on_what_plays_cupy_too():
    from llm_math_tests import stand_in
    from llm_math_tests.bench.inputs import _change

    array = stand_in.to_device(np.arange(6.0).reshape(3, 2))
    _change(array, 1)
    assert stand_in.to_host(array).tolist() == [[0.0, 1.0], [4.0, 5.0], [2.0, 3.0]]


def test_large_inputs_come_in_two_sets():
    sets = sets_of(lambda rng, dtype: {"logits": np.zeros((3 * 2**20,), dtype)})
    assert len(sets.sets) == 2
    assert bytes_of(sets.first) == 12 * 2**20


def test_an_iterator_is_new_for_every_call():
    entry = exercise("softmax")
    blocks = [np.ones((2, 2), "float32"), np.ones((2, 3), "float32")]
    sets = sets_of(lambda rng, dtype: {"logits": Blocks(tuple(blocks))})
    own = OwnInputs(entry, sets, tracks.track("numpy"), "cpu")
    for call in own.calls(lambda logits: [block.shape for block in logits], 4):
        assert call() == [(2, 2), (2, 3)]


def test_errors_are_relative_to_the_largest_magnitude():
    numpy = tracks.track("numpy")
    truth = np.array([0.0, 4.0])
    assert accuracy.max_rel_error(np.array([0.5, 4.0]), numpy, lambda: truth) == 0.125
    assert accuracy.max_rel_error((truth, truth + 1), numpy, lambda: (truth, truth)) == 0.25
    assert accuracy.max_rel_error(np.array([np.nan, 4.0]), numpy, lambda: truth) == np.inf
    infinite = np.array([-np.inf, np.nan, 2.0])
    assert accuracy.max_rel_error(infinite, numpy, lambda: infinite) == 0.0
    assert np.isnan(accuracy.max_rel_error(np.zeros(3), numpy, lambda: truth))
    assert accuracy.max_rel_error(np.zeros(2), numpy, lambda: np.zeros(2)) == 0.0


def test_records_have_the_columns_and_the_rates():
    base = Timing(row(), "timed", "", (2e-3, 2e-3, 2e-3), 4_000_000, 2_000_000)
    library = Timing(row(implementation="library"), "timed", "", (1e-3,) * 3, 4_000_000, 0)
    elsewhere = Timing(row(size="other", implementation="library"), "timed", "", (1e-3,) * 3)
    absent = Timing(row(track="cupy", device="cuda"), "not_run", "no CUDA device")
    first, second, third, fourth = records([base, library, elsewhere, absent])
    assert list(first) == list(COLUMNS)
    assert (first["median_s"], first["iqr_s"], first["samples"]) == (2e-3, 0.0, 3)
    assert first["gbytes_per_s"] == pytest.approx(2.0)
    assert first["gflops_per_s"] == pytest.approx(1.0)
    assert first["speedup_vs_numpy_cpu"] == 1.0
    assert second["speedup_vs_numpy_cpu"] == 2.0
    assert np.isnan(second["gflops_per_s"])
    assert np.isnan(third["speedup_vs_numpy_cpu"])
    assert np.isnan(fourth["median_s"])


@pytest.mark.torch
def test_one_thread_each_and_back_again():
    import torch

    before = torch.get_num_threads()
    with one_thread_each(torch_too=True) as said:
        assert torch.get_num_threads() == 1
        assert said["torch"] == "1"
        assert said["numpy BLAS"]
    assert torch.get_num_threads() == before
