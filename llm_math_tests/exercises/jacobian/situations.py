"""What this topic's inputs look like: functions, points and directions, easy and hard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.values import Value, cast, plain
from llm_math_tests.checks.situations import Rng, Sample
from llm_math_tests.exercise import Bench, Case, Inputs, Refusal, Size
from llm_math_tests.exercises.jacobian import yardsticks
from llm_math_tests.truths import jacobian as truth
from llm_math_tests.truths.jacobian import Classic, Layer, Linear, Map, Softmax, Waves

Make = Callable[[Rng], Inputs]
Aim = Callable[[Rng, Map, str, Inputs], Inputs]
"""``aim(rng, function, dtype, inputs)``: the inputs with a direction or weights to them."""


def layer(rng: Rng, m: int = 3, n: int = 4, gain: float = 1.0, above: float = 0.0) -> Layer:
    """A layer of a network from n inputs to m outputs."""
    weights = rng.normal(0, gain / np.sqrt(n), (m, n))
    return Layer(weights, rng.normal(0, 0.5, m), above)


def waves(rng: Rng, m: int = 3, n: int = 4) -> Waves:
    """Sines that are as steep far from 0 as near it."""
    return Waves(rng.choice([-1, 1], (m, n)) * rng.uniform(0.2, 0.6, (m, n)))


def no_aim(rng: Rng, function: Map, dtype: str, inputs: Inputs) -> Inputs:
    """A function and a point are all that is asked for."""
    return inputs


def along(rng: Rng, function: Map, dtype: str, inputs: Inputs) -> Inputs:
    """A direction at the inputs: v."""
    return {**inputs, "v": cast(rng.normal(0, 1, len(plain(inputs["x"]))), dtype)}


def weighted(rng: Rng, function: Map, dtype: str, inputs: Inputs) -> Inputs:
    """Weights of the outputs: u."""
    m = len(function.value(np.zeros(len(plain(inputs["x"])), np.longdouble)))
    return {**inputs, "u": cast(rng.normal(0, 1, m), dtype)}


def at(
    aim: Aim, make: Callable[[Rng], Map], x: Callable[[Rng], np.ndarray], dtype: str = "float64"
) -> Make:
    """A maker of a function, a point, and what is aimed there; the function is a fresh one."""

    def inputs(rng: Rng) -> Inputs:
        function = make(rng)
        found = {"f": truth.given(function), "x": cast(x(rng), dtype)}
        return aim(rng, function, dtype, found)

    return inputs


def around_zero(n: int) -> Callable[[Rng], np.ndarray]:
    """A point a few units from 0 at most."""
    return lambda rng: rng.normal(0, 1, n)


def sampled(aim: Aim) -> Sample:
    """Ordinary inputs: a layer with four inputs and three outputs."""

    def sample(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
        return at(aim, layer, around_zero(4), dtype)(rng)

    return sample


def everyday(aim: Aim) -> tuple[Case, ...]:
    """Functions whose derivatives can be worked out by hand, and layers of every shape."""
    return (
        Case("a_layer", at(aim, layer, around_zero(4)), "f = tanh(W x + b)"),
        Case("a_layer_in_float32", at(aim, layer, around_zero(4), "float32"), "f = tanh(W x + b)"),
        Case(
            "two_formulas",
            at(aim, lambda rng: Classic(), around_zero(2)),
            "f = (x0^2 x1, 5 x0 + sin x1)",
        ),
        Case(
            "softmax",
            at(aim, lambda rng: Softmax(), lambda rng: rng.normal(0, 2, 5)),
            "f = softmax",
        ),
        Case(
            "more_outputs_than_inputs",
            at(aim, lambda rng: layer(rng, 5, 2), around_zero(2)),
            "from 2 inputs to 5 outputs",
        ),
    )


def matrices(aim: Aim) -> tuple[Case, ...]:
    """A linear function: its Jacobian is its matrix."""

    def matrix(m: int, n: int) -> Callable[[Rng], Map]:
        return lambda rng: Linear(rng.normal(0, 1, (m, n)))

    return (
        Case("wide", at(aim, matrix(2, 5), around_zero(5)), "f = A x, A (2, 5)"),
        Case("tall", at(aim, matrix(5, 2), around_zero(2)), "f = A x, A (5, 2)"),
        Case("square", at(aim, matrix(3, 3), around_zero(3)), "f = A x, A (3, 3)"),
    )


def single(aim: Aim) -> tuple[Case, ...]:
    """One input, one output, or both."""
    return (
        Case("one_of_each", at(aim, lambda rng: layer(rng, 1, 1), around_zero(1)), "n = m = 1"),
        Case("one_input", at(aim, lambda rng: layer(rng, 3, 1), around_zero(1)), "n = 1"),
        Case("one_output", at(aim, lambda rng: layer(rng, 1, 4), around_zero(4)), "m = 1"),
    )


def far_away(rng: Rng) -> np.ndarray:
    """A point thousands from 0."""
    found: np.ndarray = rng.choice([-1, 1], 4) * rng.uniform(3e3, 1e4, 4)
    return found


def far(aim: Aim) -> tuple[Case, ...]:
    """Points up to 10000 from 0, where the function is as lively as anywhere."""
    return (
        Case("float64", at(aim, waves, far_away), "x up to 10000"),
        Case("float32", at(aim, waves, far_away, "float32"), "x up to 10000"),
    )


def near_zero(aim: Aim) -> tuple[Case, ...]:
    """Points where a step relative to x would be no step."""
    return (
        Case("zero", at(aim, layer, lambda rng: np.zeros(4)), "x = 0"),
        Case("tiny", at(aim, layer, lambda rng: rng.uniform(-1e-30, 1e-30, 4)), "x up to 1e-30"),
        Case(
            "tiny_in_float32",
            at(aim, layer, lambda rng: rng.uniform(-1e-30, 1e-30, 4), "float32"),
            "x up to 1e-30",
        ),
    )


def high_up(aim: Aim) -> tuple[Case, ...]:
    """Values 10000 times as large as the derivatives: every f(x) is rounded far too coarsely."""

    def above(rng: Rng) -> Map:
        return layer(rng, above=1e4)

    return (
        Case("float64", at(aim, above, around_zero(4)), "f around 10000"),
        Case("float32", at(aim, above, around_zero(4), "float32"), "f around 10000"),
    )


def bent(aim: Aim) -> tuple[Case, ...]:
    """Functions with large higher derivatives."""
    return (
        Case(
            "a_steep_layer",
            at(aim, lambda rng: layer(rng, gain=4.0), lambda rng: rng.normal(0, 0.3, 4)),
            "f = tanh(W x + b), W around 2",
        ),
        Case(
            "fast_waves",
            at(aim, lambda rng: Waves(rng.uniform(1, 3, (3, 4))), around_zero(4)),
            "f = sin(W x), W up to 3",
        ),
    )


def flat(aim: Aim) -> tuple[Case, ...]:
    """A constant function, in a way: nothing moves it."""
    return (
        Case("constant", at(aim, lambda rng: Linear(np.zeros((3, 4))), around_zero(4)), "f = 0 x"),
    )


def resized(aim: Aim, name: str) -> tuple[Case, ...]:
    """A direction (or weights) of another length: the product is linear in it."""

    def scaled(case: str, size: float, dtype: str = "float64") -> Case:
        def make(rng: Rng) -> Inputs:
            inputs = at(aim, layer, around_zero(4), dtype)(rng)
            return {**inputs, name: cast(np.asarray(inputs[name], float) * size, dtype)}

        return Case(case, make, f"{name} around {size:g}")

    return (
        scaled("long", 1e4),
        scaled("short", 1e-4),
        scaled("tiny_in_float32", 1e-30, "float32"),
        scaled("tiny", 1e-30),
    )


def nowhere(aim: Aim, name: str) -> tuple[Case, ...]:
    """A direction (or weights) of zeros."""

    def make(rng: Rng) -> Inputs:
        inputs = sampled(aim)(rng)
        return {**inputs, name: np.zeros_like(inputs[name])}

    return (Case("zeros", make, f"{name} = 0"),)


def one_at_a_time(aim: Aim, name: str) -> tuple[Case, ...]:
    """Unit vectors: they pick one column, or one row."""

    def unit(i: int) -> Case:
        def make(rng: Rng) -> Inputs:
            inputs = sampled(aim)(rng)
            picked = np.zeros_like(inputs[name])
            picked[i] = 1
            return {**inputs, name: picked}

        return Case(("first", "second", "third")[i], make, f"{name} = e_{i}")

    return (unit(0), unit(2))


def forty(aim: Aim) -> Case:
    """Forty inputs and forty outputs, enough to see what a call costs."""
    return Case(
        "40_inputs_40_outputs",
        at(aim, lambda rng: layer(rng, 40, 40), around_zero(40)),
        "n = m = 40",
    )


def not_a_vector(aim: Aim) -> Refusal:
    """A batch of points: f takes one."""
    return Refusal(
        "two_points",
        lambda rng: {**sampled(aim)(rng), "x": rng.normal(0, 1, (2, 4))},
        "x",
        "(2, 4)",
    )


def a_matrix(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Three outputs, four inputs, nothing special."""
    return {"jacobian": cast(rng.normal(0, 1, (*batch, 3, 4)), dtype)}


def rotated(rng: Rng, sigma: Value, m: int, n: int) -> np.ndarray:
    """A matrix (m, n) with the singular values given."""
    k = len(sigma)
    left = np.linalg.qr(rng.normal(0, 1, (m, k)))[0]
    right = np.linalg.qr(rng.normal(0, 1, (n, k)))[0]
    found: np.ndarray = (left * np.asarray(sigma)) @ right.T
    return found


def matrix_case(
    name: str, make: Callable[[Rng], np.ndarray], dtype: str = "float64", note: str = ""
) -> Case:
    """A case of one array argument."""
    return Case(name, lambda rng: {"jacobian": cast(make(rng), dtype)}, note)


def singular_value_bench() -> Bench:
    """Square matrices; about 8/3 n^3 operations give the singular values."""

    def size(n: int) -> Size:
        return Size(
            f"{n} x {n}",
            lambda rng, dtype: {"jacobian": cast(rng.standard_normal((n, n), "float32"), dtype)},
        )

    def side(inputs: Inputs) -> int:
        return int(inputs["jacobian"].shape[-1])

    return Bench(
        sizes=(size(64), size(256)),
        moved_bytes=lambda inputs: int(inputs["jacobian"].nbytes),
        operations=lambda inputs: 8 * side(inputs) ** 3 // 3,
        yardsticks=yardsticks.CONDITION_NUMBER,
        compositions=yardsticks.SINGULAR_VALUES,
    )
