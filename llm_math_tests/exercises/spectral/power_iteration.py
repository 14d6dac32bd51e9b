"""power_iteration: the dominant eigenvalue, by multiplying again and again."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_same, relation, result_dtype, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.spectral import yardsticks
from llm_math_tests.exercises.spectral.promises import gradient_through, own, pair, roundings
from llm_math_tests.exercises.spectral.situations import (
    VARIANCES,
    bench,
    square,
    symmetric,
    table,
    whole_square,
)
from llm_math_tests.truths import spectral as truth

NAMES = ("eigenvalue", "eigenvector")


def _case(
    name: str,
    note: str,
    eigenvalues: tuple[float, ...],
    *,
    dtype: str = "float64",
    size: float = 1.0,
    steps: int | None = None,
) -> Case:
    def make(rng: Rng) -> Inputs:
        return symmetric(rng, eigenvalues, dtype=dtype, size=size, steps=steps)

    return Case(name, make, note)


def _scaled(size: float) -> tuple[float, ...]:
    return tuple(size * one for one in (1.0, -0.5, 0.25))


def _is_a_unit_vector(answer: Answer, inputs: Inputs) -> None:
    _, vector = pair(answer, answer(inputs), "eigenvalue and eigenvector")
    v = extended(vector)
    length = np.sqrt((v * v).sum())
    allowed = roundings(result_dtype(inputs, answer.track), v.size)
    if not abs(length - 1) <= allowed:
        raise Wrong("an eigenvector of length 1", f"length {float(length):.9g}", f"{allowed:.1e}")


is_a_unit_vector = Check(
    "is_a_unit_vector",
    "core",
    "the eigenvector has length 1",
    _is_a_unit_vector,
    ordinary(square, _case("steps_1", "one step", (3.0, 2.0, 1.0), steps=1)),
)


def _agrees_with_pca(answer: Answer, inputs: Inputs, covariance: Answer, pca: Answer) -> None:
    """The matrix holds data: what it is asked of is its covariance."""
    x = inputs["a"]
    a = own(covariance, {"x": x})
    components, variance = pair(pca, own(pca, {"x": x, "k": 1}), "two arrays")
    value, vector = pair(
        answer, own(answer, {"a": a, "start": inputs["start"]}), "eigenvalue and eigenvector"
    )
    first = extended(components)[0]
    scale = float(np.abs(extended(variance)).max())
    expect_same(
        answer, value.reshape(()), extended(variance)[0].astype("float64"), 2 * scale,
        "the eigenvalue, twice", terms=x.size,
    )  # fmt: skip
    turned = first * (1 if first @ extended(vector) >= 0 else -1)
    # The next variance is 4/9 of the first: an error of a moves the vector by 9/5 of it.
    expect_same(
        answer, vector, turned.astype("float64"), 4.0, "1 / (1 - |lambda_2 / lambda_1|), twice",
        terms=x.size,
    )  # fmt: skip


def _table(rng: Rng) -> Inputs:
    return {"a": table(rng, VARIANCES, 9, 4, 1.0), "start": rng.uniform(0.5, 1.0, 4)}


def _zero_start(rng: Rng) -> Inputs:
    return {**square(rng), "start": np.zeros(5)}


def _timed(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
    half = rng.standard_normal((n, n), "float32") / np.sqrt(8 * n)
    a = half + half.T + np.float32(2 / n)
    return {"a": cast(a, dtype), "start": cast(rng.uniform(0.5, 1, n), dtype)}


_LOOP = "for _ in range(steps):"
_NORM = "v /= np.sqrt(v @ v)"
_VALUE = "value = (v @ (matrix @ v)) * top"

EXERCISE = Exercise(
    name="power_iteration",
    topic="spectral",
    signature="power_iteration(a, start, steps=100)",
    checks=(
        values(
            "finds_the_dominant_pair",
            "core",
            "the eigenvalue of largest magnitude, and its vector up to sign",
            truth.power_iteration,
            ordinary(
                square,
                _case("negative", "a negative dominant eigenvalue", (-5.0, 2.5, 1.0, 0.5)),
                _case("all_negative", "all eigenvalues negative", (-5.0, -2.0, -1.0)),
                _case("slow", "|lambda_2 / lambda_1| = 0.8", (1.0, 0.8, 0.3, 0.1)),
                _case("both_signs", "eigenvalues of 1 and -0.8", (1.0, -0.8, 0.3, 0.1)),
            ),
            points=2,
            names=NAMES,
        ),
        is_a_unit_vector,
        values(
            "takes_the_steps_it_is_given",
            "core",
            "more steps come closer, and few steps as close as they can",
            truth.power_iteration,
            (
                _case("steps_1", "one step", (1.0, 0.8, 0.3), steps=1),
                _case("steps_20", "20 steps", (1.0, 0.8, 0.3), steps=20),
                _case("steps_300", "300 steps", (1.0, -0.8, 0.3), steps=300),
            ),
            names=NAMES,
        ),
        gradient_through(
            0,
            "eigenvalue",
            truth.power_iteration,
            ordinary(square),
            "a",
            "autograd through the eigenvalue gives its gradient",
        ),
        relation(
            "agrees_with_pca",
            "on the covariance of data it finds the first component and its variance",
            ("covariance", "pca"),
            _agrees_with_pca,
            (Case("data", _table, "the covariance of nine rows"),),
        ),
        values(
            "survives_any_size",
            "stable",
            "large and tiny matrices neither overflow nor vanish",
            truth.power_iteration,
            (
                _case("float32_1e4", "eigenvalue 1e4", _scaled(1e4), dtype="float32"),
                _case("float64_1e4", "eigenvalue 1e4", _scaled(-1e4)),
                _case("float32_1e_minus_30", "eigenvalue 1e-30", _scaled(1e-30), dtype="float32"),
                _case("float16_6e4", "eigenvalue 6e4", _scaled(6e4), dtype="float16"),
                _case(
                    "start_1e_minus_30",
                    "a start of size 1e-30",
                    (3.0, 1.0, 0.5),
                    dtype="float32",
                    size=1e-30,
                ),
                _case(
                    "start_1e4", "a start of size 1e4", (3.0, 1.0, 0.5), dtype="float32", size=1e4
                ),
            ),
            names=NAMES,
        ),
        values(
            "handles_equal_and_single_eigenvalues",
            "stable",
            "equal small eigenvalues, zeros, and a single number work",
            truth.power_iteration,
            (
                _case("rank_1", "rank 1", (2.0, 0.0, 0.0)),
                _case("equal_rest", "all others equal", (4.0, 1.0, 1.0, 1.0)),
                Case(
                    "one_by_one",
                    lambda rng: {"a": np.array([[-3.0]]), "start": np.array([2.0])},
                    "a single number",
                ),
                Case(
                    "diagonal",
                    lambda rng: {"a": np.diag([1.0, -4.0, 2.0]), "start": rng.uniform(0.5, 1.0, 3)},
                    "a diagonal matrix",
                ),
            ),
            names=NAMES,
        ),
        *contract(
            square,
            truth.power_iteration,
            refusals=(
                refused(square, "steps", 0),
                refused(square, "steps", -1),
                misshapen(square, "a", (5, 4)),
                misshapen(square, "a", (5,)),
                misshapen(square, "a", (1, 5, 5)),
                misshapen(square, "start", (4,)),
                misshapen(square, "start", (5, 1)),
                misshapen(square, "start", (1,)),
                Refusal("zero_start", _zero_start, "start", "", looks_at_values=True),
            ),
            batched=False,
            integers=whole_square,
        ),
    ),
    scaled=("a",),
    hints=(
        "Write the start as a sum of eigenvectors and multiply by a: what happens to each part? "
        "Which one is left in the end?",
        "Divide by the norm after every product. The eigenvalue is v^T a v: a norm can never be "
        "negative.",
        "In float32 the square of 1e-30 is 0: divide a by its largest number at the start and "
        "multiply the eigenvalue by it at the end.",
    ),
    mistakes=(
        Mistake(
            "norm_as_eigenvalue",
            "took |a v| for the eigenvalue, which is never negative",
            _VALUE,
            "value = np.sqrt((matrix @ v) @ (matrix @ v)) * top",
        ),
        Mistake(
            "largest_not_dominant",
            "took the largest eigenvalue, not the one of largest magnitude",
            _VALUE,
            "value = np.linalg.eigvalsh(matrix)[-1] * top\n"
            "    v = np.linalg.eigh(matrix)[1][:, -1]",
        ),
        Mistake(
            "not_normalized",
            "did not divide by the norm: the numbers overflow or vanish",
            _NORM,
            "pass",
            also=((_VALUE, "value = (v @ (matrix @ v)) * top / (v @ v)"),),
        ),
        Mistake(
            "normalized_by_the_largest",
            "divided by the largest number, not by the norm: the vector has another length",
            _NORM,
            "v /= np.abs(v).max()",
            also=((_VALUE, "value = (v @ (matrix @ v)) * top / (v @ v)"),),
        ),
        Mistake(
            "normalized_by_the_sum",
            "divided by the sum, as for probabilities",
            _NORM,
            "v /= np.abs(v).sum()",
            also=((_VALUE, "value = (v @ (matrix @ v)) * top / (v @ v)"),),
        ),
        Mistake(
            "not_divided_by_the_length",
            "took v^T a v of a vector that has not length 1",
            _NORM,
            "v /= np.abs(v).max()",
        ),
        Mistake(
            "ten_steps",
            "made ten steps, whatever steps says",
            _LOOP,
            "for _ in range(10):",
        ),
        Mistake(
            "hundred_steps_at_most",
            "made a hundred steps at most",
            _LOOP,
            "for _ in range(min(steps, 100)):",
        ),
        Mistake(
            "stopped_too_early",
            "stopped when the eigenvalue hardly changed; the vector converges half as fast",
            _LOOP,
            "before = None\n"
            "    for _ in range(steps):\n"
            "        now = v @ (matrix @ v) / (v @ v)\n"
            "        if before is not None and abs(now - before) < 1e-6:\n"
            "            break\n"
            "        before = now",
        ),
        Mistake(
            "trace_taken",
            "took the trace, the sum of all eigenvalues",
            _VALUE,
            "value = np.trace(matrix) * top",
        ),
        Mistake(
            "smallest_found",
            "solved with a at every step: that is inverse iteration, which finds the smallest",
            "v = matrix @ v",
            "v = np.linalg.lstsq(matrix, v, rcond=None)[0]",
        ),
        Mistake(
            "element_by_element",
            "multiplied element by element instead of by the matrix",
            "v = matrix @ v",
            "v = matrix.diagonal() * v",
        ),
        Mistake(
            "squares_vanish",
            "squared numbers of size 1e-30 in float32, where the squares are 0",
            "matrix = matrix / top",
            "top = top / top",
        ),
        Mistake(
            "start_not_scaled",
            "took the norm of a start of size 1e-30, whose squares are 0",
            "v = v / np.abs(v).max()",
            "v = v / np.sqrt(v @ v)",
        ),
        Mistake(
            "eps_in_the_norm",
            "added 1e-3 to the norm, so that the vector is a little short",
            _NORM,
            "v /= np.sqrt(v @ v) + v.dtype.type(1e-3)",
        ),
        Mistake(
            "pair_swapped",
            "returned the eigenvector first",
            "return value.astype(dtype, copy=False), v.astype(dtype, copy=False)",
            "return v.astype(dtype, copy=False), value.astype(dtype, copy=False)",
        ),
        Mistake(
            "shifted",
            "shifted by the identity, so that a negative eigenvalue is no longer dominant",
            "v = matrix @ v",
            "v = matrix @ v + v",
        ),
        Mistake(
            "start_of_any_shape",
            "let a start of another shape broadcast",
            "if start.shape != a.shape[:1]:",
            "if False:",
            also=(
                (
                    "v = v / np.abs(v).max()",
                    "v = (v.ravel() + np.zeros(len(a), v.dtype)) / np.abs(v).max()",
                ),
            ),
        ),
        Mistake(
            "matrix_detached",
            "detached the matrix from autograd",
            "value = (v @ (matrix @ v)) * top",
            "value = (v @ (matrix.detach() @ v)) * top",
            track="torch",
        ),
        Mistake(
            "asked_whether_it_converged",
            "asked on the host at every step whether v has converged: the GPU has to stop",
            "v = matrix @ v",
            "if bool(v.isnan().all()):\n            break\n        v = matrix @ v",
            track="torch",
        ),
    ),
    bench=bench(
        _timed,
        ((64, 64), (1024, 1024)),
        lambda n, m: 101 * n * n,
        lambda n, m: 101 * 2 * n * n,
        yardsticks.DOMINANT,
    ),
    # A symmetric matrix reads the same in either order.
    not_broken_by=("memory_order",),
)
