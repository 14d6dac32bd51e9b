"""Every truth against somebody else's implementation: see tests/outside."""

import warnings
from collections import Counter

import numpy as np
import pytest

from llm_math_tests.exercises import TOPICS, exercise, names
from tests import accuracy
from tests.outside import cases

FROM_ELSEWHERE = ("mpmath", "scipy", "sklearn", "torch")
"""Whose absence is a skip; any other import that fails is a failure."""

ROWS = [row for rows in cases.rows().values() for row in rows]


def asked(row, inputs):
    """The other implementation's value, or a skip where it is not installed."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # overflow on the way is its own affair
            return row.compute(**cases.in_float64(inputs))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in FROM_ELSEWHERE:
            raise
        pytest.skip(f"{row.source}: {package} is not installed")


def assert_agree(got, truth, roundings):
    """The same shape, the same NaN and inf, and finite values within the allowance."""
    truths = truth if isinstance(truth, tuple) else (truth,)
    values = got if isinstance(truth, tuple) else (got,)
    assert len(values) == len(truths)
    for value, wanted in zip(values, truths, strict=True):
        value = np.asarray(value)
        assert value.shape == wanted.value.shape
        if wanted.exact:
            assert (value == wanted.value).all()
            continue
        with np.errstate(over="ignore"):
            right = wanted.value.astype(np.float64)
        np.testing.assert_array_equal(np.isnan(value), np.isnan(right))
        infinite = np.isinf(right)
        np.testing.assert_array_equal(np.isinf(value), infinite)
        np.testing.assert_array_equal(value[infinite], right[infinite])
        finite = np.isfinite(right)
        error = np.abs(value[finite] - wanted.value[finite])
        allowed = roundings * wanted.allowance("float64")[finite]
        assert (error <= allowed).all(), (
            f"off by {float((error / allowed).max()):.3g} times what is allowed "
            f"({roundings:g} times {wanted.why('float64')})"
        )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.exercise)
def test_the_truth_is_what_others_compute(row):
    entry = exercise(row.exercise)
    compared = 0
    left_out = set()
    for check, case, inputs in cases.value_cases(entry, "numpy"):
        place = f"{check.name}/{case.name}"
        if place in row.without:
            left_out.add(place)
            continue
        try:
            assert_agree(asked(row, inputs), check.truth(**cases.in_float64(inputs)), row.roundings)
        except AssertionError as error:
            error.add_note(f"in {place}, by {row.source}")
            raise
        compared += 1
    for number, make in enumerate(row.more):
        inputs = make(np.random.default_rng(number))
        truth = cases.truth_of(entry)
        assert_agree(asked(row, inputs), truth(**cases.in_float64(inputs)), row.roundings)
        compared += 1
    assert compared > 0
    assert left_out == set(row.without), "names in `without` that are no case"


def test_every_exercise_has_one_row():
    counted = Counter(row.exercise for row in ROWS)
    assert counted == Counter(names())
    for topic, rows in cases.rows().items():
        assert {exercise(row.exercise).topic for row in rows} == {topic}


@pytest.mark.torch
def test_the_table_of_accuracy_has_a_line_for_each_exercise(capsys):
    head, rule, *lines = accuracy.table(accuracy.chosen(["softmax", "online_logsumexp"]))
    assert head.count("|") == rule.count("|") == 8
    assert [line.split("`")[1] for line in lines] == list(TOPICS["softmax"])
    for line in lines:
        errors = [float(text) for text in line.split(" | ")[2:6]]
        assert all(0 <= error < 16 for error in errors)
    assert not capsys.readouterr().err
