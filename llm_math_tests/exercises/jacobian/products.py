"""The checks that jvp and vjp share: products of the Jacobian, which is not formed."""

from __future__ import annotations

from collections.abc import Callable

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import TruthOf, expect_same, relation
from llm_math_tests.checks.situations import misshapen
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.exercise import Case, Check, Inputs
from llm_math_tests.exercises.jacobian.promises import asks_little, differentiates
from llm_math_tests.exercises.jacobian.situations import (
    Aim,
    bent,
    everyday,
    far,
    flat,
    forty,
    high_up,
    matrices,
    near_zero,
    not_a_vector,
    nowhere,
    one_at_a_time,
    resized,
    sampled,
    single,
)
from llm_math_tests.truths.jacobian import REFINED

EPS = 2.0**-52


def within(answer: Answer, scale: Truth) -> float:
    """What both sides of a relation may be off by together, as expect_same counts it."""
    # It allows 32 roundings; differences add their own error, on both sides.
    return float(scale.scale) * (1 if answer.track == "torch" else 1 + 2 * REFINED / (32 * EPS))


def shared_checks(
    truth: TruthOf,
    aim: Aim,
    name: str,
    words: tuple[str, str],
    limits: Callable[[str, int, int], tuple[int, str]],
    price: tuple[str, str],
) -> tuple[Check, ...]:
    """The promises of a product of the Jacobian and ``name``.

    ``words`` are the product and what a unit vector picks; ``price`` is the promise about
    calls and what to make of a broken one.
    """
    product, picked = words

    def is_the_product(answer: Answer, inputs: Inputs, jacobian: Answer) -> None:
        mine = answer(inputs)
        whole = jacobian({"f": inputs["f"], "x": inputs["x"]})
        other, matrix = extended(inputs[name]), extended(whole)
        wanted = matrix @ other if name == "v" else other @ matrix
        size = within(answer, truth(**inputs))
        expect_same(answer, mine, wanted, size, f"{product} with your own J", terms=len(other))

    return (
        differentiates(
            "matches_the_product", "core", f"{product}, for functions of every shape",
            truth, (*everyday(aim), *matrices(aim)), points=2,
        ),
        differentiates(
            "a_unit_vector_picks", "core", f"a unit vector {name} gives {picked} of J",
            truth, one_at_a_time(aim, name),
        ),
        relation(
            "is_the_product_with_jacobian", f"{product}, with the J that jacobian gives",
            ("jacobian",), is_the_product, everyday(aim)[:3:2],
        ),
        differentiates(
            "survives_any_length", "stable", f"the product is linear in {name}, whatever its size",
            truth, resized(aim, name),
        ),
        differentiates(
            "handles_zeros", "stable", f"{name} = 0 gives 0, and so does a constant f",
            truth, (*nowhere(aim, name), *flat(aim)),
        ),
        differentiates(
            "survives_large_values", "stable",
            "values 10000 times as large as the derivatives cost no digits",
            truth, high_up(aim),
        ),
        differentiates(
            "survives_points_near_and_far", "stable", "x = 0 and x = 10000 are as good as any",
            truth, tuple(
                [_renamed(case, "near_zero") for case in near_zero(aim)[:1]]
                + [_renamed(case, f"far_{case.name}") for case in far(aim)]
            ),
        ),
        differentiates(
            "survives_steep_functions", "stable", "large higher derivatives cost no digits",
            truth, bent(aim),
        ),
        differentiates(
            "handles_single_numbers", "stable", "one input or one output still gives a vector",
            truth, single(aim),
        ),
        *contract(
            sampled(aim), truth, batched=False, connected=False,
            refusals=(
                not_a_vector(aim),
                misshapen(sampled(aim), name, (2,)),
                misshapen(sampled(aim), name, (1, 4 if name == "v" else 3)),
            ),
        ),
        asks_little(truth, limits, price[0], (forty(aim),), price[1]),
    )  # fmt: skip


def _renamed(case: Case, name: str) -> Case:
    return Case(name, case.make, case.note, case.tracks)
