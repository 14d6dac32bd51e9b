"""What a student and a teacher may say, where arithmetic is hard."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import cast
from llm_math_tests.checks.situations import Rng
from llm_math_tests.exercise import Case, Inputs, Refusal


def two_models(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary logits over five classes, of a student and of its teacher."""
    return {
        "student_logits": cast(rng.normal(0, 2, (*batch, 5)), dtype),
        "teacher_logits": cast(rng.normal(0, 2, (*batch, 5)), dtype),
    }


def both(two: np.ndarray, dtype: str = "float64") -> Inputs:
    """Logits of the student and of the teacher."""
    return {"student_logits": cast(two[0], dtype), "teacher_logits": cast(two[1], dtype)}


def far(name: str, size: float, dtype: str) -> Case:
    """Logits of a given magnitude, both signs."""

    def make(rng: Rng) -> Inputs:
        return both(rng.uniform(-size, size, (2, 3, 6)), dtype)

    return Case(name, make, f"logits up to {size:g}")


def offset(name: str, by: float, dtype: str) -> Case:
    """Ordinary logits on top of a constant that is much larger than their differences."""

    def make(rng: Rng) -> Inputs:
        student, teacher = rng.normal(0, 2, (2, 3, 6))
        return both(np.array([student + by, teacher - by]), dtype)

    return Case(name, make, f"logits around {by:g} and {-by:g}")


def _agreeing_far_from_zero(rng: Rng) -> Inputs:
    # Multiples of 1/64, so that float32 holds them on top of any of the constants.
    teacher = np.round(64 * rng.normal(0, 2, (3, 6))) / 64 + 1e4
    return both(np.array([teacher + [[-9000.0], [-7000.0], [9000.0]], teacher]), "float32")


LARGE = (
    far("float32", 1e4, "float32"),
    far("float64", 1e4, "float64"),
    far("float16", 200.0, "float16"),
    offset("float32_above", 1e4, "float32"),
    offset("float64_below", -1e4, "float64"),
    offset("float16_above", 3e4, "float16"),
    Case("agreeing", _agreeing_far_from_zero, "logits around 1e4 that differ by a constant"),
)


def _surprised(dtype: str) -> Case:
    def make(rng: Rng) -> Inputs:
        student, teacher = rng.normal(0, 1, (2, 2, 4))
        student[:, 1] -= 1000
        return both(np.array([student, teacher]), dtype)

    return Case(dtype, make, "a class 1000 below the others for the student alone")


UNDERFLOWING = (_surprised("float32"), _surprised("float64"))


def _nearby(dtype: str, by: float) -> Case:
    def make(rng: Rng) -> Inputs:
        teacher = rng.normal(0, 2, (3, 5))
        return both(np.array([teacher + rng.uniform(-by, by, teacher.shape), teacher]), dtype)

    return Case(f"{dtype}_nearby", make, f"logits that differ by {by:g}")


def _equal(rng: Rng) -> Inputs:
    logits = cast(rng.normal(0, 2, (3, 5)), "float32")
    return {"student_logits": logits, "teacher_logits": logits.copy()}


NEARLY_EQUAL = (
    _nearby("float64", 1e-6),
    _nearby("float32", 1e-2),
    Case("equal", _equal, "two models that agree"),
)


def _masked(rng: Rng) -> Inputs:
    inputs = two_models(rng, "float64", (3,))
    for logits in inputs.values():
        logits[0, 2:] = logits[1, 0] = -np.inf
    return inputs


def _masked_for_the_teacher(rng: Rng) -> Inputs:
    inputs = two_models(rng, "float32", (3,))
    inputs["teacher_logits"][0, 1] = inputs["teacher_logits"][2, 3:] = -np.inf
    return inputs


def _masked_for_the_student(rng: Rng) -> Inputs:
    inputs = two_models(rng, "float64", (3,))
    inputs["student_logits"][1, 2] = -np.inf
    return inputs


def _nothing_left(rng: Rng) -> Inputs:
    inputs = two_models(rng, "float64", (3,))
    for logits in inputs.values():
        logits[1] = -np.inf
    return inputs


MASKED = (
    Case("both", _masked, "some of both -inf"),
    Case("teacher", _masked_for_the_teacher, "some of the teacher's -inf"),
)
IMPOSSIBLE = Case("student", _masked_for_the_student, "one of the student's -inf")
NOTHING_LEFT = Case("a_row_with_nothing_left", _nothing_left, "a row of both all -inf")


def _long(m: int, dtype: str, spread: float, rows: int = 2) -> Case:
    return Case(
        f"{dtype}_{m}",
        lambda rng: both(rng.normal(0, spread, (2, rows, m)), dtype),
        f"{rows} rows of {m}",
    )


def _many_classes(rng: Rng) -> Inputs:
    # For the student, more ones than float16 can count to; the teacher has its favourites.
    student, teacher = rng.normal(0, 0.01, (2, 1, 70_000))
    teacher[:, :50] += 10
    return both(np.array([student, teacher]), "float16")


LONG_ROWS = (
    _long(20_000, "float32", 1.0),
    _long(4000, "float16", 0.5),
    Case("one_class", lambda rng: both(rng.normal(0, 2, (2, 3, 1))), "rows of 1"),
    _long(3, "float16", 2.0, rows=3000),
    Case("float16_70000", _many_classes, "a row of 70000"),
)

SEQUENCES = Case(
    "sequences", lambda rng: both(rng.normal(0, 2, (2, 2, 3, 4))), "two sequences of three tokens"
)
ONE_ROW = Case("one_row", two_models, "a single row")


def rows_of_logits(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
    """``n`` rows of ``m`` logits of each, for timing."""
    return both(rng.standard_normal((2, n, m), "float32"), dtype)


def bad_logits() -> tuple[Refusal, ...]:
    """Logits of other shapes, which would broadcast, or of none."""

    def one_row(rng: Rng) -> Inputs:
        inputs = two_models(rng, "float64", (3,))
        return {**inputs, "teacher_logits": inputs["teacher_logits"][:1]}

    def fewer_classes(rng: Rng) -> Inputs:
        inputs = two_models(rng, "float64", (3,))
        return {**inputs, "teacher_logits": inputs["teacher_logits"][:, :4]}

    def no_axis(rng: Rng) -> Inputs:
        return both(np.array([1.0, 2.0]))

    return (
        Refusal("one_teacher_row", one_row, "teacher_logits", "(1, 5)"),
        Refusal("fewer_classes", fewer_classes, "teacher_logits", "(3, 4)"),
        Refusal("no_axis", no_axis, "student_logits", "()"),
    )
