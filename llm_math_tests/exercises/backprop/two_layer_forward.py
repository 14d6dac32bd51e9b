"""two_layer_forward: two layers with a ReLU between, and a cache for the way back."""

from __future__ import annotations

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast, is_array, plain, spelled
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Mistake, Size
from llm_math_tests.exercises.backprop import yardsticks
from llm_math_tests.exercises.backprop.situations import scaled, two_layers
from llm_math_tests.exercises.backprop.two_layers import (
    all_shut,
    at_zero,
    beyond_float16,
    cancelling,
    forward_only,
    long_rows,
    wide_layer,
    y_of,
)
from llm_math_tests.exercises.backprop.views import seen
from llm_math_tests.truths import backprop as truth


def _returns_a_tuple_of_arrays(answer: Answer, inputs: Inputs) -> None:
    value = answer(inputs)
    y_of(value)
    cache = value[1]
    if not isinstance(cache, tuple) or not all(is_array(kept) for kept in cache):
        raise Wrong(
            "a cache that is a tuple of arrays",
            spelled(cache),
            note="two_layer_backward can see sizes in the arrays' own shapes",
        )


caches_a_tuple_of_arrays = Check(
    "caches_a_tuple_of_arrays",
    "contract",
    "the cache is a tuple of arrays",
    _returns_a_tuple_of_arrays,
    (
        Case("float64", lambda rng: two_layers(rng, "float64", (3,))),
        Case("float32", lambda rng: two_layers(rng, "float32", (2, 3))),
    ),
)


def _sized(rng: Rng, dtype: str, rows: int, width: int) -> Inputs:
    inner = 4 * width
    return {
        "x": cast(rng.standard_normal((rows, width), "float32"), dtype),
        "w1": cast(rng.standard_normal((width, inner), "float32") / width**0.5, dtype),
        "w2": cast(rng.standard_normal((inner, width), "float32") / inner**0.5, dtype),
    }


def _size(rows: int, width: int) -> Size:
    return Size(
        f"{rows} x {width}, {4 * width} hidden",
        lambda rng, dtype: _sized(rng, dtype, rows, width),
    )


def _bytes(inputs: Inputs) -> int:
    x, w1, w2 = (plain(inputs[name]) for name in ("x", "w1", "w2"))
    made = len(x) * (w2.shape[1] + len(w2))
    total: int = x.nbytes + w1.nbytes + w2.nbytes + made * x.itemsize
    return total


def _operations(inputs: Inputs) -> int:
    x, w1, w2 = (plain(inputs[name]) for name in ("x", "w1", "w2"))
    return len(x) * (2 * w1.size + len(w2) + 2 * w2.size)


_RELU = "np.maximum(hidden, 0, out=hidden)"
_RETURN = "return y.astype(dtype, copy=False), (x, hidden, w1, w2)"

EXERCISE = Exercise(
    name="two_layer_forward",
    topic="backprop",
    signature="two_layer_forward(x, w1, w2)",
    checks=(
        *seen(
            (
                values(
                    "matches_the_formula",
                    "core",
                    "relu(x w1) w2",
                    truth.two_layer_forward,
                    ordinary(
                        two_layers,
                        Case(
                            "three_axes",
                            lambda rng: two_layers(rng, "float64", (2, 3)),
                            "two batch axes",
                        ),
                        forward_only(Case("whole_numbers", at_zero, "hidden numbers that are 0")),
                    ),
                    points=2,
                ),
                gradient_flows(
                    truth.two_layer_forward, ordinary(two_layers), through=["x", "w1", "w2"]
                ),
                values(
                    "survives_large_numbers",
                    "stable",
                    "large numbers do not overflow on the way",
                    truth.two_layer_forward,
                    (
                        Case(
                            "float32",
                            scaled(two_layers, "float32", x=1e4, w1=1e4, w2=1e4),
                            "numbers up to 1e4",
                        ),
                        forward_only(
                            Case("float16", beyond_float16, "hidden numbers beyond float16")
                        ),
                    ),
                ),
                values(
                    "survives_tiny_inputs",
                    "stable",
                    "tiny inputs are not lost",
                    truth.two_layer_forward,
                    (Case("float32", scaled(two_layers, "float32", x=1e-30), "x around 1e-30"),),
                ),
                values(
                    "handles_shut_units",
                    "stable",
                    "where every unit is shut, y is 0",
                    truth.two_layer_forward,
                    (forward_only(Case("all_of_them", all_shut, "every hidden number below 0")),),
                ),
                values(
                    "handles_wide_layers",
                    "stable",
                    "sums over many hidden units keep their digits",
                    truth.two_layer_forward,
                    (
                        forward_only(wide_layer(20_000, "float32")),
                        forward_only(wide_layer(20_000, "float16")),
                        forward_only(long_rows(2_000, "float32")),
                        forward_only(Case("a_single_row", cancelling, "one row")),
                    ),
                ),
                *contract(
                    two_layers,
                    truth.two_layer_forward,
                    refusals=(
                        misshapen(two_layers, "w1", (3, 5)),
                        misshapen(two_layers, "w1", (4,)),
                        misshapen(two_layers, "w2", (4, 3)),
                        misshapen(two_layers, "w2", (5,)),
                    ),
                ),
            ),
            out=y_of,
        ),
        caches_a_tuple_of_arrays,
    ),
    hints=(
        "Two matrix products with max(0, .) between them. Which numbers made on the way will "
        "the backward pass ask for?",
        "dw1 needs x, dw2 needs the hidden layer, and the ReLU's gradient needs to know where "
        "that is above 0: return y and a tuple of these arrays (and the weights).",
        "Convert float16 to float32 once, at the beginning, and only y back at the end.",
    ),
    mistakes=(
        Mistake(
            "relu_forgotten",
            "left out the ReLU: two linear layers are one linear layer",
            _RELU,
            "",
        ),
        Mistake(
            "relu_after_both",
            "applied the ReLU to y, after both layers",
            _RELU,
            "",
            also=((_RETURN, "y = np.maximum(y, 0)\n    " + _RETURN),),
        ),
        Mistake(
            "relu_twice",
            "applied a ReLU to y as well: the last layer has none",
            _RETURN,
            "y = np.maximum(y, 0)\n    " + _RETURN,
        ),
        Mistake(
            "relu_of_the_input",
            "applied the ReLU to x, before the first layer",
            "hidden = _rows(x) @ w1",
            "hidden = np.maximum(_rows(x), 0) @ w1",
            also=((_RELU, ""),),
        ),
        Mistake(
            "absolute_value",
            "took the absolute value where ReLU is 0",
            _RELU,
            "np.abs(hidden, out=hidden)",
        ),
        Mistake(
            "leaky",
            "let a hundredth through below 0: that is a leaky ReLU",
            _RELU,
            "np.maximum(hidden, hidden / 100, out=hidden)",
        ),
        Mistake(
            "hidden_rounded_to_half",
            "rounded the hidden layer to float16, where 2e5 is inf",
            "y = (hidden @ w2)",
            "hidden = hidden.astype(dtype).astype(hidden.dtype)\n    y = (hidden @ w2)",
        ),
        Mistake(
            "sum_in_half",
            "summed over the hidden units in float16, where adding to a large sum changes nothing",
            "y = (hidden @ w2)",
            "y = (hidden @ w2) if dtype != np.float16 else np.add.accumulate(\n"
            "        (hidden[:, :, None] * w2).astype(dtype), axis=1, dtype=dtype)[:, -1]\n"
            "    y = y",
        ),
        Mistake(
            "small_numbers_cut",
            "treated small hidden numbers as shut",
            _RELU,
            "hidden *= hidden > 1e-12",
        ),
        Mistake(
            "cache_first",
            "returned the cache before y",
            _RETURN,
            "return (x, hidden, w1, w2), y.astype(dtype, copy=False)",
        ),
        Mistake(
            "nothing_kept",
            "returned y alone, without a cache",
            _RETURN,
            "return y.astype(dtype, copy=False)",
        ),
        Mistake(
            "cache_is_a_dict",
            "kept the cache in a dict, not in a tuple",
            _RETURN,
            'return y.astype(dtype, copy=False), {"x": x, "hidden": hidden, "w1": w1, "w2": w2}',
        ),
        habits.SUMMED_IN_HALF,
        Mistake(
            "zeros_on_the_cpu",
            "compared with zeros made on the CPU: new tensors need device=x.device",
            "(_rows(x) @ w1).relu_()",
            "_rows(x) @ w1\n    hidden = torch.maximum(hidden, torch.zeros(hidden.shape, "
            "dtype=hidden.dtype))",
            track="torch",
        ),
        Mistake(
            "written_over_in_place",
            "set numbers of the hidden layer to 0 through .data, which autograd does not see",
            "(_rows(x) @ w1).relu_()",
            "_rows(x) @ w1\n    hidden.data[hidden.data < 0] = 0",
            track="torch",
        ),
    ),
    bench=Bench(
        sizes=(_size(64, 64), _size(512, 256)),
        moved_bytes=_bytes,
        operations=_operations,
        compositions=yardsticks.TWO_LAYER_FORWARD,
    ),
)
