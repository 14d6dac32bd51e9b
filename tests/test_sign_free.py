"""Vectors that are as right as their opposites."""

from dataclasses import replace

import numpy as np
import pytest

from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.truth import Extended, Truth
from llm_math_tests.checks.wrong import Wrong

VECTORS = np.array([[0.6, 0.8], [-0.8, 0.6]])
RIGHT = Truth(VECTORS.astype(Extended), np.ones((2, 2)), sign_free=True)


@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_each_vector_may_point_either_way(signs):
    expect_close(VECTORS * np.array(signs)[:, None], RIGHT, "float64", "numpy")


def test_one_number_of_another_sign_is_wrong():
    with pytest.raises(Wrong):
        expect_close(VECTORS * np.array([1, -1]), RIGHT, "float64", "numpy")


def test_nan_is_wrong():
    with pytest.raises(Wrong):
        expect_close(np.full((2, 2), np.nan), RIGHT, "float64", "numpy")


def test_where_the_sign_counts_it_counts():
    with pytest.raises(Wrong):
        expect_close(-VECTORS, replace(RIGHT, sign_free=False), "float64", "numpy")
