"""gradient_through_depth: derivatives multiplied layer by layer."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Given, Value, cast, dtype_name, plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, gradient_flows, relation, values
from llm_math_tests.checks.situations import Rng, given, ordinary, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Mistake, Size
from llm_math_tests.exercises.activations.derivatives import everywhere, like, of_relu, of_sigmoid
from llm_math_tests.exercises.activations.situations import numbers
from llm_math_tests.truths import activations as truth


def layers(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Three sigmoid layers."""
    return {"derivative": of_sigmoid(), "x": numbers(rng, dtype, batch)["x"], "depth": 3}


def _case(name: str, derivative: Given | None, dtype: str, x: object, depth: int) -> Case:
    def make(rng: Rng) -> Inputs:
        fresh = of_sigmoid() if derivative is None else Given("derivative", derivative.function)
        return {"derivative": fresh, "x": cast(np.asarray(x), dtype), "depth": depth}

    return Case(name, make, f"{depth} layers")


def _calls_at_most_depth(answer: Answer, inputs: Inputs) -> None:
    derivative: Given = inputs["derivative"]
    expect_truth(
        answer, answer(inputs), truth.gradient_through_depth(**inputs), dtype_name(inputs["x"])
    )
    depth = inputs["depth"]
    if not 1 <= derivative.calls <= depth:
        wanted = f"1 to {depth} calls" if depth > 1 else "1 call"
        raise Wrong(
            f"{wanted} of derivative for depth={depth}", f"{derivative.calls} calls",
            note="x is the same in every layer, and so is its derivative",
        )  # fmt: skip


def _own(answer: Answer, inputs: Inputs, slopes: Value) -> Value:
    """Our person's answer for derivatives that are known already."""
    asked: Inputs = {
        # What is handed over may not ask an answer: another is at work.
        "derivative": Given("derivative", lambda x: like(extended(slopes), x)),
        "x": inputs["x"],
        "depth": 50,
    }
    return answer(asked)


def _vanishes(answer: Answer, inputs: Inputs, sigmoid: Answer, relu: Answer) -> None:
    arrives = {"grad_output": np.ones_like(inputs["x"]), "x": inputs["x"]}
    of_sigmoids, of_relus = sigmoid(arrives), relu(arrives)
    left = extended(_own(answer, inputs, of_sigmoids))
    if not ((left > 0) & (left < 1e-29)).all():
        worst = left.flat[int(np.argmax(left))]
        raise Wrong("less than 1e-29 of a gradient after 50 sigmoids", f"{float(worst):.3g}")
    left = extended(_own(answer, inputs, of_relus))
    if not (left == 1).all():
        worst = left.flat[int(np.argmax(np.abs(left - 1)))]
        raise Wrong("the whole gradient after 50 relus at positive x", f"{float(worst):.9g}")


vanishes = relation(
    "vanishes_with_sigmoid",
    "50 of your sigmoids leave nothing of a gradient, 50 of your relus all of it",
    ["sigmoid_backward", "relu_backward"],
    _vanishes,
    (Case("positive", lambda rng: {"x": rng.uniform(0.1, 2, (2, 3))}, "x above 0"),),
)

_TIMES = "for _ in range(depth - 1):"
_FACTOR = "factor = _widened(derivative(x))"
_MULTIPLY = "out *= factor"


def _bench() -> Bench:
    def size(n: int, m: int) -> Size:
        def make(rng: Rng, dtype: str) -> Inputs:
            x = cast(rng.standard_normal((n, m), "float32"), dtype)
            return {"derivative": everywhere(0.9), "x": x, "depth": 50}

        return Size(f"{n} x {m}", make)

    return Bench(
        sizes=(size(64, 1024), size(1024, 1024)),
        moved_bytes=lambda inputs: 2 * plain(inputs["x"]).nbytes,
        operations=lambda inputs: inputs["depth"] * plain(inputs["x"]).size,
    )


EXERCISE = Exercise(
    name="gradient_through_depth",
    topic="activations",
    signature="gradient_through_depth(derivative, x, depth)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the product of derivative(x) over the layers",
            truth.gradient_through_depth,
            ordinary(
                layers,
                given(layers, "depth", 1),
                _case("relu", of_relu(), "float64", [-1.0, 0.5, 2.0], 4),
                _case("negative_derivative", everywhere(-0.5), "float64", [1.0, 2.0], 3),
            ),
            points=2,
        ),
        gradient_flows(truth.gradient_through_depth, ordinary(layers), ["x"]),
        values(
            "multiplies_nothing_without_layers",
            "core",
            "with depth 0 the product is 1",
            truth.gradient_through_depth,
            (given(layers, "depth", 0),),
        ),
        values(
            "survives_depth",
            "stable",
            "fifty layers and more: the product may be tiny, or nothing",
            truth.gradient_through_depth,
            (
                _case("fifty_sigmoids", None, "float64", [0.0, 0.5, -0.5, 3.0], 50),
                _case("fifty_sigmoids_in_float32", None, "float32", [0.0, 0.5], 50),
                _case("five_hundred_sigmoids", None, "float32", [0.0, 0.5], 500),
                _case("fifty_relus", of_relu(), "float32", [-1.0, 1e-30, 1e4], 50),
                _case("float16", everywhere(0.998046875), "float16", [1.0, 2.0], 50),
            ),
        ),
        values(
            "explodes_above_one",
            "stable",
            "a derivative above 1 explodes, to inf where the dtype ends",
            truth.gradient_through_depth,
            (
                _case("float64", everywhere(1.5), "float64", [1.0], 60),
                _case("float32", everywhere(16.0), "float32", [1.0], 40),
            ),
        ),
        vanishes,
        *contract(layers, truth.gradient_through_depth, refusals=(refused(layers, "depth", -1),)),
        Check(
            "calls_at_most_depth",
            "contract",
            "derivative is called at least once, and not more often than there are layers",
            _calls_at_most_depth,
            (
                given(layers, "depth", 1),
                given(layers, "depth", 5),
            ),
        ),
    ),
    hints=(
        "Every layer has the same x: how often does derivative have to be asked?",
        "Start from ones and multiply, depth times. What does depth = 0 give then?",
        "Refuse a negative depth; multiply float16 in float32.",
    ),
    mistakes=(
        Mistake(
            "one_too_few", "multiplied one layer too few",
            _TIMES, "for _ in range(depth - 2):",
        ),
        Mistake(
            "one_too_many", "multiplied one layer too many",
            _TIMES, "for _ in range(depth):",
        ),
        Mistake(
            "added_up", "added the layers' derivatives, which are multiplied",
            _MULTIPLY, "out += factor",
        ),
        Mistake(
            "exponent_swapped", "raised depth to the derivative: it is the other way around",
            _TIMES, "for out in [float(depth) ** factor]:",
            also=((_MULTIPLY, "pass"),),
        ),
        Mistake(
            "derivative_of_the_derivative",
            "handed each layer the derivative of the one before: x is the same in every layer",
            _MULTIPLY,
            "factor = _widened(derivative(factor.astype(x.dtype)))\n            out *= factor",
        ),
        Mistake(
            "squared_every_time", "multiplied the product by itself, which is 2^depth layers",
            _MULTIPLY, "out *= out",
        ),
        Mistake(
            "sizes_only", "multiplied the sizes of the derivatives: their signs count as well",
            _FACTOR, "factor = abs(_widened(derivative(x)))",
        ),
        Mistake(
            "nothing_without_layers", "gave 0 for no layers: a product of nothing is 1",
            "np.ones_like(x)", "np.zeros_like(x)",
        ),
        Mistake(
            "kept_from_vanishing", "kept the product above 1e-12, which hides that it vanishes",
            _MULTIPLY, "out = np.maximum(out * factor, factor.dtype.type(1e-12))",
        ),
        Mistake(
            "kept_from_exploding", "cut the product off, which hides that it explodes",
            _MULTIPLY, "out = np.clip(out * factor, -1e6, 1e6)",
        ),
        Mistake(
            "multiplied_in_float16", "multiplied in float16 and rounded in every layer",
            _FACTOR, "factor = derivative(x)",
        ),
        Mistake(
            "called_once_too_often", "called derivative once more than there are layers",
            _TIMES, "for factor in [_widened(derivative(x)) for _ in range(depth)][1:]:",
        ),
        Mistake(
            "gradient_left_behind",
            "detached the derivative: autograd has to go through it",
            "derivative(x)", "derivative(x.detach())",
            track="torch",
        ),
        Mistake(
            "item_of_a_tensor",
            "took each number out with .item(): the GPU has to stop for each of them",
            edit=habits.around(
                """
                result = right(*args, **kwargs)
                numbers = [number.item() for number in result.flatten()]
                return result.new_tensor(numbers).reshape(result.shape)
                """,
                "torch",
            ),
            track="torch",
        ),
    ),
    bench=_bench(),
)  # fmt: skip
