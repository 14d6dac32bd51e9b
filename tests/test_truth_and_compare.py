"""Tolerances and comparison: sound for careful answers, sharp for the rest, clear in words."""

from __future__ import annotations

import numpy as np
import pytest

from llm_math_tests.answers.values import Bfloat16, Odd
from llm_math_tests.checks.compare import agree, expect_array, expect_close
from llm_math_tests.checks.truth import Extended, Truth, difference_vjp, eps, extended
from llm_math_tests.checks.wrong import Wrong


def truth_of_a_sum(x: np.ndarray) -> Truth:
    wide = extended(x)
    return Truth(wide.sum(-1), np.abs(wide).sum(-1), steps=1, terms=x.shape[-1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ["forward", "backward", "pairwise"])
def test_any_order_of_summation_is_allowed(dtype, order):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 3000)).astype(dtype)
    total = {
        "forward": lambda: np.add.accumulate(x, axis=-1)[:, -1],
        "backward": lambda: np.add.accumulate(x[:, ::-1], axis=-1)[:, -1],
        "pairwise": lambda: x.sum(-1),
    }[order]()
    expect_close(total, truth_of_a_sum(x), dtype, "numpy")


def test_a_sum_in_half_precision_is_not():
    x = np.random.default_rng(0).uniform(0, 1, (4, 2000)).astype("float16")
    good = x.astype("float32").sum(-1).astype("float16")
    expect_close(good, truth_of_a_sum(x), "float16", "numpy")
    bad = np.add.accumulate(x, axis=-1, dtype="float16")[:, -1]
    with pytest.raises(Wrong):
        expect_close(bad, truth_of_a_sum(x), "float16", "numpy")


def test_the_allowance_is_derived_and_said():
    truth = Truth(np.ones(3, Extended), 2.0, steps=5, terms=16, relative_to="two")
    np.testing.assert_allclose(
        truth.allowance("float32").astype(float), (5 + 4 * 4) * 2.0**-23 * 2, rtol=1e-6
    )
    np.testing.assert_allclose(
        truth.allowance("float16").astype(float),
        (5 * 2.0**-10 + 16 * 2.0**-23) * 2 + 2.0**-14, rtol=1e-6,
    )  # fmt: skip
    assert truth.why("float32") == (
        "5 roundings of float32 (1.2e-07) + 16 of float32 for sums of 16 terms, relative to two"
    )


ONES = Truth(np.ones((2, 3), Extended), 1.0)


@pytest.mark.parametrize(
    ("got", "expected", "came"),
    [
        (None, "the result as one numpy.ndarray", "None"),
        ([1.0], "the result as one numpy.ndarray", "a list of 1"),
        (Odd("Sly", "an object of type Sly"), "one numpy.ndarray", "an object of type Sly"),
        (np.ones((3, 2)), "shape (2, 3)", "shape (3, 2)"),
        (np.ones((2, 3), int), "as floating-point numbers", "int64 (2, 3)"),
        (np.full((2, 3), 1 + 1e-9), "1 at [0, 0]", "off by 4.5e+06 ulp"),
        (np.full((2, 3), np.nan), "finite values: 1 at [0, 0]", "nan at [0, 0] (6 of 6 wrong)"),
        (np.full((2, 3), np.inf), "finite values", "inf at [0, 0]"),
        (np.where(np.eye(2, 3) > 0, 5.0, 1.0), "1 at [0, 0]", "5 at [0, 0]"),
    ],
)
def test_what_is_wrong_is_said(got, expected, came):
    with pytest.raises(Wrong) as wrong:
        expect_close(got, ONES, "float64", "numpy")
    assert expected in wrong.value.expected
    assert came.replace("4.5e+06 ulp", "") in wrong.value.got


def test_the_worst_position_comes_first():
    got = np.ones((2, 3))
    got[0, 0], got[1, 2] = 1.001, 2.0
    with pytest.raises(Wrong, match=r"at \[1, 2\]"):
        expect_close(got, ONES, "float64", "numpy")


def test_infinities_must_be_the_right_ones():
    truth = Truth(np.array([np.inf, -np.inf, np.nan], Extended), 0.0)
    expect_close(np.array([np.inf, -np.inf, np.nan]), truth, "float64", "numpy")
    for bad in ([-np.inf, -np.inf, np.nan], [np.inf, 0, np.nan], [np.inf, -np.inf, 0]):
        with pytest.raises(Wrong):
            expect_close(np.array(bad, float), truth, "float64", "numpy")


def test_what_the_dtype_cannot_hold_may_be_infinite():
    truth = Truth(np.array([1e39], Extended), 1e39)
    expect_close(np.array([np.inf], "float32"), truth, "float32", "numpy")
    with pytest.raises(Wrong):
        expect_close(np.array([-np.inf], "float32"), truth, "float32", "numpy")


def test_scalars_count_as_arrays_in_numpy_only():
    assert expect_array(1.5, "numpy").shape == ()
    with pytest.raises(Wrong, match=r"torch\.Tensor"):
        expect_array(1.5, "torch")
    with pytest.raises(Wrong) as wrong:
        expect_array(Odd("numpy.ndarray", "a numpy.ndarray of dtype float64"), "cupy")
    assert "host" in wrong.value.note


def test_booleans_are_exact():
    truth = Truth(np.array([True, False]), 0.0)
    expect_close(np.array([True, False]), truth, "bool", "numpy")
    with pytest.raises(Wrong, match="dtype bool"):
        expect_close(np.array([1.0, 0.0]), truth, "bool", "numpy")
    with pytest.raises(Wrong):
        expect_close(np.array([True, True]), truth, "bool", "numpy")


def test_central_differences_are_good_to_ten_digits():
    def cube(x):
        return Truth(extended(x) ** 3, 1.0)

    x = np.array([0.5, -2.0, 3.0])
    got = difference_vjp(cube, {"x": x}, "x", [np.array([1.0, 2.0, -1.0])])
    np.testing.assert_allclose(got.astype(float), [0.75, 24.0, -27.0], rtol=1e-9)


def test_agreement_is_up_to_rounding_and_no_further():
    x = np.array([1.0, np.nan, np.inf, 0.0])
    assert agree(x, x * (1 + 4 * eps("float64")), "float64")
    assert not agree(x, np.array([1.0, 0.0, np.inf, 0.0]), "float64")
    assert not agree(x, np.array([1.001, np.nan, np.inf, 0.0]), "float64")
    assert not agree(np.ones(3), np.ones((3, 1)), "float64")
    assert agree((x, 1), (x, 1), "float64")
    assert not agree((x,), (x, x), "float64")
    assert agree(Bfloat16.of(np.ones(2)), np.ones(2, "float32"), "bfloat16")
