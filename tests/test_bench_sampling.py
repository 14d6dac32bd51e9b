"""Sampling and its numbers, on a clock that is told what calls take."""

from __future__ import annotations

import gc
import math
import random
import sys

import pytest

from llm_math_tests.bench import statistics
from llm_math_tests.bench.sampling import Contender, Effort, sample


class Script:
    """A clock whose calls take what a function says, and a log of who was called."""

    describes = "a script"
    shortest = 0.0

    def __init__(self) -> None:
        self.log: list[str] = []
        self.seconds = 0.0

    def time(self, calls):
        self.seconds = 0.0
        for call in calls:
            call()
        return self.seconds

    def contender(self, name, takes, sets=8):
        def call():
            self.log.append(name)
            self.seconds += takes()

        return Contender(name, self, lambda count: [call] * min(count, sets))


def steady(seconds):
    return lambda: seconds


def still() -> float:
    return 0.0


def test_contenders_take_turns_forwards_and_backwards():
    clock = Script()
    pair = [clock.contender(name, steady(0.1)) for name in "ab"]
    sample(pair, Effort(seconds=0.5), still)
    assert "".join(clock.log).endswith("abbaabbaab")
    assert [c.samples for c in pair] == [[0.1] * 5] * 2


def test_a_steady_call_stops_when_it_is_known():
    clock = Script()
    contender = clock.contender("a", steady(1e-4))
    sample([contender], Effort(seconds=10.0), still)
    assert contender.stopped == "precise"
    assert len(contender.samples) == 8


def test_a_noisy_call_stops_with_the_time_or_the_count():
    chance = random.Random(0)
    clock = Script()
    short = clock.contender("a", lambda: chance.uniform(1e-4, 3e-4))
    long = clock.contender("b", lambda: chance.uniform(0.01, 0.03))
    sample([short, long], Effort(seconds=0.4, most=50), still)
    assert (short.stopped, len(short.samples)) == ("count", 50)
    assert long.stopped == "time"
    assert 0.4 <= long.spent < 0.44


def test_a_slow_call_gets_fewer_samples_and_never_fewer_than_three():
    clock = Script()
    contender = clock.contender("a", steady(9.0))
    sample([contender], Effort(), still)
    assert len(contender.samples) == 3


def test_what_inputs_cost_ends_the_sampling_too():
    clock = Script()
    passing = iter(range(0, 10_000, 10))
    contender = clock.contender("a", iter([1e-3, 2e-3] * 500).__next__)
    sample([contender], Effort(), lambda: float(next(passing)))
    assert contender.stopped == "time"
    assert len(contender.samples) == 5


def test_short_calls_are_timed_in_batches_and_reported_singly():
    clock = Script()
    clock.shortest = 1e-5
    contender = clock.contender("a", steady(2e-6))
    sample([contender], Effort(), still)
    assert contender.batch == 5
    assert contender.samples[0] == pytest.approx(2e-6)


def test_the_first_calls_are_not_samples():
    clock = Script()
    times = iter([1.0, 0.02, 0.01] + [0.01] * 500)
    contender = clock.contender("a", lambda: next(times))
    sample([contender], Effort(seconds=4.5), still)
    assert max(contender.samples) <= 0.02


def test_one_that_raises_leaves_the_others_alone():
    clock = Script()
    left = iter([0.1] * 4)

    def takes():
        try:
            return next(left)
        except StopIteration:
            raise ValueError("no more") from None

    broken, fine = clock.contender("a", takes), clock.contender("b", steady(0.1))
    sample([broken, fine], Effort(seconds=0.5), still)
    assert isinstance(broken.failed, ValueError)
    assert len(fine.samples) == 5


def test_an_interruption_keeps_what_was_sampled():
    clock = Script()
    left = iter([0.01, 0.02] * 6)

    def takes():
        try:
            return next(left)
        except StopIteration:
            raise KeyboardInterrupt from None

    contender = clock.contender("a", takes)
    with pytest.raises(KeyboardInterrupt):
        sample([contender], Effort(seconds=9.0, precision=0.0), still)
    assert contender.samples == [0.01, 0.02] * 5
    assert gc.isenabled()


def test_nothing_disturbs_a_sample():
    clock = Script()
    seen = []

    def takes():
        seen.append((gc.isenabled(), sys.gettrace(), sys.getprofile()))
        return 0.1

    before = sys.gettrace()
    sample([clock.contender("a", takes)], Effort(), still)
    assert set(seen) == {(False, None, None)}
    assert gc.isenabled()
    assert sys.gettrace() is before


def test_median_and_spread():
    assert statistics.median([3.0, 1.0, 2.0]) == 2.0
    assert statistics.iqr([1.0, 2.0, 3.0, 4.0, 5.0]) == 2.0
    assert math.isnan(statistics.median([]))
    assert math.isnan(statistics.iqr([1.0]))


def test_few_samples_say_nothing_about_the_median():
    assert statistics.relative_error([1.0] * 5) == math.inf
    assert statistics.relative_error([1.0] * 6) == 0.0


def test_the_interval_holds_the_median_as_often_as_it_says():
    chance = random.Random(1)
    held = 0
    for _ in range(1000):
        low, high = statistics.median_interval([chance.expovariate(1) for _ in range(40)])
        held += low <= math.log(2) <= high
    # 95 % or a little more: order statistics cannot be cut finer. Seeded, so no chance here.
    assert 940 <= held <= 995
