"""condition_number: how unevenly a matrix stretches."""

from __future__ import annotations

import numpy as np

from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, values
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.exercise import Case, Exercise, Refusal
from llm_math_tests.exercises.jacobian.mistakes_in_condition_number import MISTAKES
from llm_math_tests.exercises.jacobian.situations import (
    a_matrix,
    matrix_case,
    rotated,
    singular_value_bench,
)
from llm_math_tests.truths import jacobian as truth

_SHAPES = ((2, 2), (5, 2), (2, 5), (3, 3))


def _shaped(m: int, n: int) -> Case:
    return matrix_case(f"{m}_by_{n}", lambda rng: rng.normal(0, 1, (m, n)), note=f"{m} x {n}")


def _spread(name: str, smallest: float, dtype: str = "float64") -> Case:
    """Singular values from 1 down to the smallest."""

    def make(rng: Rng) -> np.ndarray:
        return rotated(rng, np.array([1.0, smallest**0.5, smallest]), 3, 4)

    return matrix_case(name, make, dtype, f"a condition number of {1 / smallest:.0e}")


def _sized(name: str, size: float, dtype: str) -> Case:
    return matrix_case(
        name, lambda rng: rng.uniform(-size, size, (3, 4)), dtype, f"entries up to {size:g}"
    )


def _low_rank(rng: Rng) -> np.ndarray:
    """Small whole numbers, so that the last rows are sums of the first ones exactly."""
    first = rng.integers(-3, 4, (2, 5)) + 4 * np.eye(2, 5)
    return np.concatenate([first, first[:1] + first[1:], first[:1] - first[1:]])


def _lower_rank(rng: Rng) -> np.ndarray:
    """A product of thin matrices: rounding is all that there is in seven directions."""
    found: np.ndarray = rng.normal(0, 1, (12, 3)) @ rng.normal(0, 1, (3, 10))
    return found


def _one_singular_among_many(rng: Rng) -> np.ndarray:
    found = rng.normal(0, 1, (3, 3, 3))
    found[1] = np.outer([1.0, 2.0, -1.0], [1.0, 0.0, 3.0])
    found[2] = 0
    return found


EXERCISE = Exercise(
    name="condition_number",
    topic="jacobian",
    signature="condition_number(jacobian)",
    checks=(
        values(
            "matches_the_singular_values",
            "core",
            "the largest singular value divided by the smallest",
            truth.condition_number,
            ordinary(a_matrix, *(_shaped(m, n) for m, n in _SHAPES)),
            points=2,
        ),
        values(
            "knows_simple_matrices",
            "core",
            "1 for a rotation, the ratio of its entries for a diagonal matrix",
            truth.condition_number,
            (
                matrix_case("identity", lambda rng: np.eye(3), note="the identity"),
                matrix_case("rotation", lambda rng: rotated(rng, np.ones(3), 3, 3), note="Q"),
                matrix_case("diagonal", lambda rng: np.diag([-2.0, 0.5, 3.0]), note="a diagonal"),
            ),
        ),
        gradient_flows(truth.condition_number, ordinary(a_matrix), through=["jacobian"]),
        values(
            "survives_any_magnitude",
            "stable",
            "a factor on the matrix changes nothing",
            truth.condition_number,
            (
                _sized("float32_large", 1e4, "float32"),
                _sized("float32_tiny", 1e-30, "float32"),
                _sized("float64_tiny", 1e-30, "float64"),
                _sized("float16_large", 6e4, "float16"),
            ),
        ),
        values(
            "survives_ill_conditioned_matrices",
            "stable",
            "large condition numbers keep the digits that they can have",
            truth.condition_number,
            (
                _spread("float64_1e6", 1e-6),
                _spread("float64_1e7", 1e-7),
                _spread("float64_1e9", 1e-9),
                _spread("float32_1e4", 1e-4, "float32"),
                matrix_case(
                    "diagonal_1e13",
                    lambda rng: np.diag([1.0, 1e-6, 1e-13]),
                    note="a smallest singular value of 1e-13",
                ),
            ),
        ),
        values(
            "gives_inf_for_lost_rank",
            "stable",
            "inf where the smallest singular value is 0 up to rounding",
            truth.condition_number,
            (
                matrix_case("float64", _low_rank, note="rank 2 of 4"),
                matrix_case("float32", _low_rank, "float32", "rank 2 of 4"),
                matrix_case("tall", lambda rng: _low_rank(rng).T, "float32", "rank 2 of 4"),
                matrix_case("many_float64", _lower_rank, note="rank 3 of 10"),
                matrix_case("many_float32", _lower_rank, "float32", "rank 3 of 10"),
                matrix_case("float16", _low_rank, "float16", "rank 2 of 4"),
                matrix_case("zeros", lambda rng: np.zeros((2, 3)), note="all zeros"),
                matrix_case("some_of_many", _one_singular_among_many, note="two of three singular"),
            ),
        ),
        values(
            "handles_single_rows",
            "stable",
            "a single row or column has one singular value: 1, and inf where it is zeros",
            truth.condition_number,
            (
                matrix_case("a_row", lambda rng: rng.normal(0, 1, (1, 5)), note="1 x 5"),
                matrix_case("a_column", lambda rng: rng.normal(0, 1, (5, 1)), note="5 x 1"),
                matrix_case("a_number", lambda rng: rng.normal(0, 1, (1, 1)), note="1 x 1"),
                matrix_case("a_row_of_zeros", lambda rng: np.zeros((1, 3)), note="1 x 3, zeros"),
            ),
        ),
        *contract(
            a_matrix,
            truth.condition_number,
            refusals=(
                Refusal(
                    "a_vector",
                    lambda rng: {"jacobian": rng.normal(0, 1, 4)},
                    "jacobian",
                    "(4,)",
                ),
                Refusal(
                    "a_number",
                    lambda rng: {"jacobian": rng.normal(0, 1, ())},
                    "jacobian",
                    "()",
                ),
            ),
        ),
    ),
    scaled=("jacobian",),
    hints=(
        "The singular values say how far J stretches each direction. Which two of them does the "
        "number compare?",
        "A library gives them without the vectors (compute_uv=False, svdvals), the largest "
        "first, min(m, n) of them. Roots of the eigenvalues of J^T J have half the digits.",
        "Compare the smallest with max(m, n) eps times the largest, with the eps of the dtype "
        "that was computed in; choose inf where it is not above.",
    ),
    mistakes=MISTAKES,
    bench=singular_value_bench(),
)
