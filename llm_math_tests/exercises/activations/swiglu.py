"""swiglu: the feed-forward block with a gate."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, cast, plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_same, gradient_flows, relation, values
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Bench, Case, Exercise, Inputs, Mistake, Refusal, Size
from llm_math_tests.exercises.activations import yardsticks
from llm_math_tests.truths import activations as truth


def _block(
    rng: Rng, dtype: str, shape: tuple[int, ...], f: int, size: float = 1.0, back: float = 1.0
) -> Inputs:
    """Tokens of a shape (..., d), ``size`` large, and weights for ``f`` hidden units."""
    d = shape[-1]
    return {
        "x": cast(rng.normal(0, size, shape), dtype),
        "w_gate": cast(rng.normal(0, d**-0.5, (d, f)), dtype),
        "w_up": cast(rng.normal(0, d**-0.5, (d, f)), dtype),
        "w_down": cast(rng.normal(0, back * f**-0.5, (f, d)), dtype),
    }


def block(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary tokens and weights: four columns, six hidden units."""
    return _block(rng, dtype, (*batch, 4), 6)


def _square(rng: Rng) -> Inputs:
    """As many hidden units as columns: nothing but the numbers tells the weights apart."""
    return _block(rng, "float64", (3, 4), 4)


def _large(dtype: str, size: float, back: float = 1e-3) -> Case:
    return Case(
        dtype,
        lambda rng: _block(rng, dtype, (3, 4), 6, size, back),
        f"x around {size:g}, w_down around {back:g}",
    )


def _with_ones(inputs: Inputs) -> Inputs:
    """The same with gates that are all open and terms that are all alike: a sum that grows."""
    dtype = str(inputs["x"].dtype)
    same = {"x": 1.0, "w_gate": 2.0, "w_up": 0.5, "w_down": 0.125}
    return {name: cast(np.full(inputs[name].shape, v), dtype) for name, v in same.items()}


def _comes_from_silu(answer: Answer, inputs: Inputs, silu: Answer) -> None:
    x, gate, up, down = (extended(value) for value in inputs.values())
    score = x @ gate
    opened = extended(silu({"x": score.astype(np.float64)}))
    size = np.abs(opened * (x @ up)) + np.abs(score * (x @ up))
    wanted = (opened * (x @ up)) @ down
    scale = (size + (np.abs(x) @ np.abs(gate)) * (np.abs(x) @ np.abs(up))) @ np.abs(down)
    expect_same(answer, answer(inputs), wanted, scale, "the same sums of absolute values", terms=10)


def _refused(name: str, argument: str, value: str, given: Value) -> Refusal:
    def make(rng: Rng) -> Inputs:
        return {**block(rng, "float64", (3,)), argument: np.ones(given)}

    return Refusal(name, make, argument, value)


def _bench() -> Bench:
    def size(n: int, d: int, f: int) -> Size:
        return Size(f"{n} x {d} x {f}", lambda rng, dtype: _block(rng, dtype, (n, d), f))

    def hidden(inputs: Inputs) -> int:
        return len(plain(inputs["x"])) * len(plain(inputs["w_down"]))

    return Bench(
        sizes=(size(64, 64, 192), size(512, 512, 1536)),
        # The result is as large as x.
        moved_bytes=lambda inputs: (
            plain(inputs["x"]).nbytes + sum(plain(value).nbytes for value in inputs.values())
        ),
        operations=lambda inputs: hidden(inputs) * (6 * plain(inputs["x"]).shape[1] + 6),
        yardsticks=yardsticks.SWIGLU,
    )


_SIGMOID = "hidden = _sigmoid(score)"
_TIMES_SCORE = "hidden *= score"
_UP = "hidden *= z @ _widened(_as_float(w_up))"

EXERCISE = Exercise(
    name="swiglu",
    topic="activations",
    signature="swiglu(x, w_gate, w_up, w_down)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "(silu(x w_gate) * (x w_up)) w_down",
            truth.swiglu,
            ordinary(block, Case("as_many_units_as_columns", _square)),
            points=2,
        ),
        gradient_flows(truth.swiglu, ordinary(block), ["x", "w_gate", "w_up", "w_down"]),
        relation(
            "comes_from_silu",
            "it is your own silu of x w_gate, times x w_up, times w_down",
            ["silu"],
            _comes_from_silu,
            (Case("float64", lambda rng: block(rng, "float64", (3,))),),
        ),
        values(
            "survives_large_numbers",
            "stable",
            "large numbers do no harm, and the product between may be beyond float16",
            truth.swiglu,
            (_large("float32", 1e4), _large("float64", 1e4), _large("float16", 1000.0)),
        ),
        values(
            "keeps_tiny_numbers",
            "stable",
            "tiny numbers keep their digits",
            truth.swiglu,
            (
                Case(
                    "float32",
                    lambda rng: _block(rng, "float32", (3, 4), 6, 1e-15, 1e15),
                    "x around 1e-15, whose square is 1e-30",
                ),
                Case("a_single_unit", lambda rng: _block(rng, "float64", (2, 1), 1), "d = f = 1"),
            ),
        ),
        values(
            "handles_long_sums",
            "stable",
            "many hidden units are summed without losing digits",
            truth.swiglu,
            (
                Case(
                    "float16",
                    lambda rng: _with_ones(_block(rng, "float16", (1, 2), 5000)),
                    "5000 hidden units",
                ),
                Case(
                    "float32",
                    lambda rng: _block(rng, "float32", (2, 300), 700),
                    "700 hidden units",
                ),
            ),
        ),
        *contract(
            block,
            truth.swiglu,
            refusals=(
                _refused("no_axis", "x", "()", ()),
                _refused("w_gate_rows", "w_gate", "(5, 6)", (5, 6)),
                _refused("w_gate_no_matrix", "w_gate", "(4,)", (4,)),
                _refused("w_up_one_column", "w_up", "(4, 1)", (4, 1)),
                _refused("w_down_not_turned", "w_down", "(4, 6)", (4, 6)),
                _refused("w_down_columns", "w_down", "(6, 1)", (6, 1)),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Three matrix products and one product of numbers: draw the shapes, d in, f between, "
        "d out.",
        "The activation goes around x w_gate only; x w_up passes as it is. The two are "
        "multiplied number by number.",
        "For float16 widen x and the weights first and narrow the result only: the product of "
        "the two can be beyond 65504. Compare the shapes before anything can broadcast.",
    ),
    mistakes=(
        Mistake(
            "gate_and_up_swapped",
            "put the activation around x w_up, not around x w_gate",
            _UP,
            "hidden = (z @ _widened(_as_float(w_up)))\n"
            "    hidden = hidden * _sigmoid(hidden) * score",
        ),
        Mistake("glu", "used the sigmoid alone, which is GLU", _TIMES_SCORE, ""),
        Mistake(
            "reglu",
            "used relu, which is ReGLU",
            _TIMES_SCORE,
            "hidden = np.maximum(score, 0)",
        ),
        Mistake(
            "geglu",
            "used gelu, which is GEGLU",
            _TIMES_SCORE,
            "hidden = gelu(score)",
        ),
        Mistake("up_left_out", "left out x w_up: without it there is no gate", _UP, ""),
        Mistake("added", "added x w_up, where it is multiplied", "hidden *= z @", "hidden += z @"),
        Mistake(
            "activated_twice",
            "applied silu to the product of the two, not to x w_gate",
            _UP,
            "hidden = score * (z @ _widened(_as_float(w_up)))\n"
            "    hidden = hidden * _sigmoid(hidden)",
        ),
        Mistake(
            "infinity_over_infinity",
            "wrote the sigmoid as e^z / (1 + e^z): inf / inf is NaN",
            _SIGMOID,
            'with np.errstate(all="ignore"):\n        hidden = np.exp(score) / (1 + np.exp(score))',
        ),
        Mistake(
            "gate_used_twice",
            "multiplied by w_gate twice and left w_up out",
            _UP,
            "hidden *= z @ _widened(_as_float(w_gate))",
        ),
        Mistake(
            "narrowed_between",
            "went back to float16 after each product: what lies between overflows",
            _UP,
            'with np.errstate(over="ignore", invalid="ignore"):\n'
            "        hidden = (hidden * (z @ _widened(_as_float(w_up)))).astype(x.dtype)\n"
            "    hidden = _widened(hidden)",
        ),
        Mistake(
            "summed_in_float16",
            "summed in float16, where adding to a large sum changes nothing",
            "out = hidden @ _widened(_as_float(w_down))",
            "terms = (hidden[..., None] * _widened(_as_float(w_down))).astype(x.dtype)\n"
            '    with np.errstate(over="ignore", invalid="ignore"):\n'
            "        out = np.add.accumulate(terms, axis=-2, dtype=x.dtype)[..., -1, :]",
        ),
        Mistake(
            "small_cut",
            "treated tiny numbers as 0",
            _SIGMOID,
            "score = np.where(abs(score) < 1e-10, 0 * score, score)\n    hidden = _sigmoid(score)",
        ),
        Mistake(
            "shapes_not_compared",
            "let a w_up of one column broadcast",
            "if w_up.shape != w_gate.shape:",
            "if w_up.shape[0] != w_gate.shape[0]:",
        ),
        Mistake(
            "gate_held_constant",
            "detached the gate: autograd has to go through silu as well",
            "score * torch.sigmoid(score)",
            "(score * torch.sigmoid(score)).detach()",
            track="torch",
        ),
        Mistake(
            "through_numpy",
            "went through NumPy: it is on the host, and autograd does not follow",
            edit=habits.around(
                """
                result = right(*args, **kwargs)
                return torch.from_numpy(result.detach().float().numpy()).to(result.dtype)
                """,
                "torch",
            ),
            track="torch",
        ),
    ),
    bench=_bench(),
)
