"""dead_fraction: how many relu units never fire."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import cast, plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import values
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.exercise import Bench, Case, Exercise, Inputs, Mistake, Refusal, Size
from llm_math_tests.truths import activations as truth


def units(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Seven units, of which two or more are dead and one is alive for certain."""
    x = rng.normal(-0.5, 2, (*batch, 7))
    x[..., [1, 4]] = -np.abs(x[..., [1, 4]])
    x[..., 5] = np.abs(x[..., 5]) + 0.5
    return {"pre_activations": cast(x, dtype)}


def _of(name: str, dtype: str, x: object, note: str = "") -> Case:
    return Case(name, lambda rng: {"pre_activations": cast(np.asarray(x), dtype)}, note)


def _alive_once(rng: Rng) -> Inputs:
    """Units that fire for one example in a hundred, and three that never do."""
    x = -rng.uniform(0.1, 2, (100, 8))
    x[rng.integers(0, 100, 5), np.arange(5)] = 1.0
    return {"pre_activations": x}


def _many(dtype: str, n: int, dead: int) -> Case:
    def make(rng: Rng) -> Inputs:
        x = np.ones((2, n))
        x[:, rng.permutation(n)[:dead]] = -1
        return {"pre_activations": cast(x, dtype)}

    return Case(f"{dtype}_{n}", make, f"{n} units, {dead} of them dead")


def _shaped(name: str, shape: tuple[int, ...]) -> Refusal:
    return Refusal(
        name, lambda rng: {"pre_activations": np.ones(shape)}, "pre_activations", str(shape)
    )


def _bench() -> Bench:
    def size(n: int, m: int) -> Size:
        def make(rng: Rng, dtype: str) -> Inputs:
            return {"pre_activations": cast(rng.standard_normal((n, m), "float32") - 3, dtype)}

        return Size(f"{n} x {m}", make)

    return Bench(
        sizes=(size(64, 1024), size(4096, 4096)),
        moved_bytes=lambda inputs: plain(inputs["pre_activations"]).nbytes,
        operations=lambda inputs: plain(inputs["pre_activations"]).size,
    )


_ALIVE = "alive = (x > 0).any(axis=tuple(range(x.ndim - 1)))"
_SHARE = "np.logical_not(alive).mean(dtype=np.float64)"

EXERCISE = Exercise(
    name="dead_fraction",
    topic="activations",
    signature="dead_fraction(pre_activations)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the share of the units that are never positive",
            truth.dead_fraction,
            ordinary(
                units,
                Case("two_batch_axes", lambda rng: units(rng, "float64", (2, 3))),
                Case("alive_once", _alive_once, "units that fire once in a hundred examples"),
            ),
            points=2,
        ),
        values(
            "counts_zero_as_dead",
            "stable",
            "exactly 0 is not positive, and the smallest positive number is",
            truth.dead_fraction,
            (
                _of("zero", "float64", [[0.0, 1.0, 0.0], [0.0, -1.0, -2.0]], "a unit that is 0"),
                _of("tiny", "float32", [[1e-30, -1e-30, 0.0]], "numbers of 1e-30"),
                _of("large", "float16", [[6e4, -6e4, -6e4, 6e4], [6e4, -6e4, 1, 6e4]], "of 6e4"),
                _of("a_single_unit", "float64", [[-1.0], [-2.0]], "one unit"),
            ),
        ),
        values(
            "counts_many_units",
            "stable",
            "thousands of units are counted exactly",
            truth.dead_fraction,
            (_many("float16", 5000, 3000), _many("float32", 20_000, 7)),
        ),
        values(
            "counts_all_without_examples",
            "contract",
            "without examples no unit has fired",
            truth.dead_fraction,
            (Case("no_example", lambda rng: units(rng, "float64", (0,)), "no example"),),
        ),
        *contract(
            units,
            truth.dead_fraction,
            connected=False,
            refusals=(_shaped("no_axis", ()), _shaped("no_units", (3, 0))),
        ),
    ),
    hints=(
        "First ask of each unit: was it positive for any example? Which axes are the examples?",
        "One boolean for each unit, and the share of those that are False. Mind the dtype of "
        "the result.",
    ),
    mistakes=(
        Mistake(
            "share_of_zeros", "counted the numbers that are not positive, not the units",
            _SHARE, "np.logical_not(x > 0).mean(dtype=np.float64)" ,
        ),
        Mistake(
            "dead_once", "counted a unit as dead that is off for a single example",
            _ALIVE, "alive = (x > 0).all(axis=tuple(range(x.ndim - 1)))",
        ),
        Mistake(
            "share_alive", "returned the share of the units that are alive",
            _SHARE, "np.mean(alive, dtype=np.float64)",
        ),
        Mistake(
            "zero_is_alive", "counted a unit that is exactly 0 as alive",
            _ALIVE, "alive = (x >= 0).any(axis=tuple(range(x.ndim - 1)))",
        ),
        Mistake(
            "first_axis_only", "looked along the first axis only, however many there are",
            _ALIVE, "alive = (x > 0).any(axis=0)",
        ),
        Mistake(
            "units_first", "took the first axis for the units: they are on the last",
            _ALIVE, "alive = (x > 0).any(axis=tuple(range(1, x.ndim)))",
        ),
        Mistake(
            "summed", "looked whether a unit is positive on the whole, not whether it ever is",
            _ALIVE, "alive = x.sum(axis=tuple(range(x.ndim - 1))) > 0",
        ),
        Mistake(
            "counted", "returned how many are dead, not their share",
            _SHARE, "np.logical_not(alive).sum(dtype=np.float64)",
        ),
        Mistake(
            "tiny_is_dead", "counted tiny positive numbers as 0",
            _ALIVE, "alive = (x > 1e-6).any(axis=tuple(range(x.ndim - 1)))",
        ),
        Mistake(
            "divided_by_the_examples", "divided by the number of examples, not of units",
            _SHARE, "np.divide(np.logical_not(alive).sum(), max(1, x.size // alive.size))",
        ),
        Mistake(
            "counted_in_float16", "counted in float16, where 2048 + 1 is 2048",
            _SHARE,
            "(np.add.accumulate(np.logical_not(alive).ravel(), dtype=x.dtype)[-1]"
            " / x.dtype.type(alive.size))",
        ),
        Mistake(
            "maximum_of_nothing", "took the maximum over the examples, and there may be none",
            _ALIVE, "alive = x.max(axis=tuple(range(x.ndim - 1))) > 0",
        ),
    ),
    not_broken_by=(
        "leading_axes_flattened",  # the result has no axes to bring back
        "made_on_the_cpu",  # torch takes a 0-d tensor on the CPU for a plain number
    ),
    bench=_bench(),
)  # fmt: skip
