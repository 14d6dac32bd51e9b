"""The time limit ends what runs too long, and never strikes afterwards."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from llm_math_tests.answers import time_limit
from llm_math_tests.answers.time_limit import TimeLimit, TimeLimitReached

WAYS = [
    pytest.param(
        True, marks=pytest.mark.skipif(sys.platform == "win32", reason="no SIGALRM there")
    ),
    False,
]


@pytest.fixture(params=WAYS, ids=["alarm", "thread"])
def way(request, monkeypatch):
    """Both ways of throwing."""
    monkeypatch.setattr(time_limit, "_alarm_is_free", lambda: request.param)
    return request.param


def spin():
    while True:
        pass


def test_an_endless_loop_is_ended(way):
    with pytest.raises(TimeLimitReached), TimeLimit(0.05):
        spin()


def test_a_loop_that_swallows_everything_once_is_ended(way):
    def swallow():
        try:
            spin()
        except BaseException:
            spin()

    with pytest.raises(TimeLimitReached), TimeLimit(0.05):
        swallow()


def test_what_ends_in_time_is_left_alone(way):
    with TimeLimit(10):
        value = sum(range(1000))
    assert value == 499500


def test_nothing_strikes_afterwards(way, monkeypatch):
    monkeypatch.setattr(time_limit, "_REPEAT", 0.0005)
    ended = 0
    for i in range(300):
        limit = TimeLimit(0.0005 + 0.000_01 * (i % 50))
        try:
            with limit:
                for _ in range(20_000):
                    pass
                spin()
        except TimeLimitReached:
            limit.stop()
            ended += 1
        sum(range(200))
    assert ended == 300
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
    if way:
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
        assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGALRM there")
def test_somebody_elses_alarm_is_left_to_them():
    def theirs(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGALRM, theirs)
    try:
        with pytest.raises(TimeLimitReached), TimeLimit(0.05):
            spin()
        assert signal.getsignal(signal.SIGALRM) is theirs
    finally:
        signal.signal(signal.SIGALRM, before)
