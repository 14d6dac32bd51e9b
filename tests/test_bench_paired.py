"""The table that sets the references beside the libraries."""

from __future__ import annotations

import pytest

from llm_math_tests.bench import paired
from llm_math_tests.bench.sampling import Effort
from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises import exercise
from llm_math_tests.exercises.benches import library

QUICK = Effort(seconds=0.0, fewest=7, fewest_when_slow=7, most=7)


@pytest.mark.torch
def test_every_library_function_gets_a_line_in_both_tracks():
    lines = list(paired.lines(("two_layer_forward",), QUICK))
    assert [line.count("|") for line in lines] == [8] * len(lines)
    bench = exercise("two_layer_forward").bench
    beside = [y for found in (bench.yardsticks, bench.compositions) for y in found]
    assert len(lines) == 2 + len(bench.sizes) * len([t for t in beside if t != "cupy"])


def line_of(monkeypatch, ratio, **how):
    monkeypatch.setattr(paired, "_ratios", lambda *args: [ratio] * 9)
    entry = exercise("two_layer_forward")
    yardstick = Yardstick("theirs", lambda *args: None, **how)
    return paired._line(entry, entry.bench.sizes[0], "numpy", "library", yardstick, QUICK)


def test_a_slow_reference_needs_a_reason(monkeypatch):
    assert line_of(monkeypatch, 2.0).endswith("2.00 | 2.00 to 2.00 | no reason is given |")
    assert line_of(monkeypatch, 2.0, ahead="it does less").endswith("it does less |")
    assert line_of(monkeypatch, 1.2, ahead="it does less").endswith("1.20 to 1.20 |  |")


def test_a_library_that_is_not_there_is_said():
    entry = exercise("two_layer_forward")
    line = paired._line(
        entry, entry.bench.sizes[0], "numpy", "library", library("elsewhere.part.f"), QUICK
    )
    assert "not run: elsewhere is not installed" in line
