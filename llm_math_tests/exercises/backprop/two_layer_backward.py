"""two_layer_backward: back through both layers, with what the same person's forward kept."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, is_array, plain, spelled
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    expect_truth,
    gradient_flows,
    gradient_matches,
    relation,
    values,
)
from llm_math_tests.checks.situations import misshapen, ordinary
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.backprop.situations import scaled, two_layers_back
from llm_math_tests.exercises.backprop.two_layers import (
    FORWARD,
    all_shut,
    at_zero,
    beyond_float16,
    cancelling,
    long_rows,
    with_own_cache,
)
from llm_math_tests.exercises.backprop.views import seen
from llm_math_tests.truths import backprop as truth

NAMES = ("dx", "dw1", "dw2")


def _forward_at(inputs: Inputs) -> tuple[Inputs, Value]:
    return {name: inputs[name] for name in ("x", "w1", "w2")}, inputs["grad_y"]


def _three(answer: Answer, inputs: Inputs) -> tuple[Value, Value, Value]:
    got = answer(inputs)
    if not isinstance(got, (tuple, list)) or len(got) != 3 or not all(map(is_array, got)):
        raise Wrong("a tuple (dx, dw1, dw2)", spelled(got))
    return got[0], got[1], got[2]


def _layer_by_layer(answer: Answer, inputs: Inputs, forward: Answer, linear: Answer) -> None:
    dx, dw1, dw2 = _three(answer, with_own_cache(answer, inputs))
    x, w1, w2, g = (inputs[name] for name in ("x", "w1", "w2", "grad_y"))
    before = x @ w1
    back2, by2, _ = _three(linear, {"grad_output": g, "x": np.maximum(before, 0), "w": w2})
    back1, by1, _ = _three(linear, {"grad_output": plain(back2) * (before > 0), "x": x, "w": w1})
    for name, one, other in (("dx", dx, back1), ("dw1", dw1, by1), ("dw2", dw2, by2)):
        size = np.abs(plain(other)).max(initial=0)
        expect_same(answer, one, other, size, f"the largest of {name}", terms=64)


def _same_twice(answer: Answer, inputs: Inputs) -> None:
    given = with_own_cache(answer, inputs)
    first, second = answer(given), answer(given)
    twice = {**given, "grad_y": 2 * given["grad_y"]}
    doubled = _three(answer, twice)
    right = truth.two_layer_backward(**inputs)
    expect_truth(answer, first, right, "float64", NAMES)
    expect_truth(answer, second, right, "float64", NAMES)
    scaled_truth = truth.two_layer_backward(**{**inputs, "grad_y": twice["grad_y"]})
    expect_truth(answer, doubled, scaled_truth, "float64", NAMES)


_RETURN = "for gradient in (dx, dw1, dw2))"
_MASK = "dh *= hidden > 0"
_DW1 = "dw1 = _rows(x).T @ dh"
_DW2 = "dw2 = hidden.T @ g"

EXERCISE = Exercise(
    name="two_layer_backward",
    topic="backprop",
    signature="two_layer_backward(grad_y, cache)",
    checks=seen(
        (
            values(
                "matches_the_formula",
                "core",
                "the chain rule, through the second layer, the ReLU and the first",
                truth.two_layer_backward,
                ordinary(
                    two_layers_back,
                    Case(
                        "three_axes",
                        lambda rng: two_layers_back(rng, "float64", (2, 3)),
                        "two batch axes",
                    ),
                ),
                points=2,
                names=NAMES,
            ),
            gradient_matches(
                truth.two_layer_forward, _forward_at, ["x", "w1", "w2"], ordinary(two_layers_back)
            ),
            values(
                "shut_at_exactly_zero",
                "core",
                "a hidden number of exactly 0 lets no gradient through",
                truth.two_layer_backward,
                (Case("whole_numbers", at_zero, "hidden numbers that are 0"),),
                names=NAMES,
            ),
            gradient_flows(truth.two_layer_backward, ordinary(two_layers_back), through=["grad_y"]),
            values(
                "survives_large_numbers",
                "stable",
                "large numbers do not overflow on the way",
                truth.two_layer_backward,
                (
                    Case(
                        "float32",
                        scaled(two_layers_back, "float32", grad_y=1e4, x=1e4, w1=1e4, w2=1e4),
                        "numbers up to 1e4",
                    ),
                    Case("float16", beyond_float16, "hidden numbers beyond float16"),
                    Case("float16_gradients", cancelling, "gradients of 6e4 and -6e4"),
                ),
                names=NAMES,
            ),
            values(
                "survives_tiny_gradients",
                "stable",
                "tiny gradients are not lost",
                truth.two_layer_backward,
                (
                    Case(
                        "float32", scaled(two_layers_back, "float32", grad_y=1e-30), "around 1e-30"
                    ),
                ),
                names=NAMES,
            ),
            values(
                "handles_shut_units",
                "stable",
                "where every unit is shut, all gradients are 0",
                truth.two_layer_backward,
                (Case("all_of_them", all_shut, "every hidden number below 0"),),
                names=NAMES,
            ),
            values(
                "handles_long_batches",
                "stable",
                "sums over many rows keep their digits",
                truth.two_layer_backward,
                (long_rows(20_000, "float32"), long_rows(20_000, "float16")),
                names=NAMES,
            ),
            *contract(
                two_layers_back,
                truth.two_layer_backward,
                refusals=(
                    misshapen(two_layers_back, "grad_y", (3, 2)),
                    misshapen(two_layers_back, "grad_y", (2, 3)),
                    misshapen(two_layers_back, "grad_y", (3,)),
                ),
            ),
        ),
        into=with_own_cache,
        needs=(FORWARD,),
    )
    + (
        Check(
            "can_be_called_again",
            "contract",
            "the cache serves a second call as well as the first",
            _same_twice,
            (Case("float64", lambda rng: two_layers_back(rng, "float64", (3,))),),
            needs=(FORWARD,),
        ),
        relation(
            "goes_back_layer_by_layer",
            "the same as your linear_backward, applied to one layer after the other",
            (FORWARD, "linear_backward"),
            _layer_by_layer,
            (Case("float64", lambda rng: two_layers_back(rng, "float64", (3,))),),
        ),
    ),
    hints=(
        "Go backwards: y = hidden w2 is a linear layer without a bias, and so is x w1. Each "
        "takes the gradient of its output and gives one for its weights and one for its input.",
        "Between them stands the ReLU: the gradient of its output passes where hidden > 0 and "
        "is 0 elsewhere. That masked gradient is what both dw1 and dx are made of.",
        "Make new arrays: the cache's belong to the caller, and a second call needs them.",
    ),
    mistakes=(
        Mistake(
            "mask_forgotten",
            "sent the gradient through the ReLU as if it were always open",
            _MASK,
            "",
        ),
        Mistake(
            "open_at_zero",
            "let the gradient through where hidden is exactly 0: there the derivative is 0",
            _MASK,
            "dh *= _rows(x) @ w1 >= 0",
        ),
        Mistake(
            "masked_by_the_gradient",
            "let positive gradients through, not those of positive hidden numbers",
            _MASK,
            "dh *= dh > 0",
        ),
        Mistake(
            "times_hidden",
            "multiplied by the hidden layer itself, not by whether it is above 0",
            _MASK,
            "dh *= hidden",
        ),
        Mistake(
            "dx_not_masked",
            "masked the gradient for dw1, and not for dx",
            "dx = (dh @ w1.T)",
            "dx = (g @ w2.T @ w1.T)",
        ),
        Mistake(
            "dw1_not_masked",
            "masked the gradient for dx, and not for dw1",
            _DW1,
            "dw1 = _rows(x).T @ (g @ w2.T)",
        ),
        Mistake(
            "dw2_before_the_relu",
            "used the hidden layer before its ReLU for dw2",
            _DW2,
            "dw2 = (_rows(x) @ w1).T @ g",
        ),
        Mistake(
            "averaged_over_the_batch",
            "divided by the number of rows: the mean is part of the loss, and already in g",
            _RETURN,
            "for gradient in (dx, dw1 / max(1, len(g)), dw2 / max(1, len(g))))",
        ),
        Mistake(
            "weights_first",
            "returned the weights' gradients before dx",
            _RETURN,
            "for gradient in (dw1, dw2, dx))",
        ),
        Mistake(
            "dw2_before_dw1",
            "returned dw2 before dw1",
            _RETURN,
            "for gradient in (dx, dw2, dw1))",
        ),
        Mistake(
            "last_example_only",
            "assigned the weights' gradients anew for each example instead of adding to them",
            _DW1,
            "dw1 = _rows(x)[-1:].T @ dh[-1:]",
            also=((_DW2, "dw2 = hidden[-1:].T @ g[-1:]"),),
        ),
        Mistake(
            "cache_overwritten",
            "wrote the gradient over the cache's hidden layer",
            _MASK,
            "dh = np.multiply(dh, hidden > 0, out=hidden)",
        ),
        Mistake(
            "small_gradients_cut",
            "treated small gradients as 0",
            _DW2,
            "g = np.where(np.abs(g) < 1e-12, 0 * g, g)\n    " + _DW2,
        ),
        Mistake(
            "summed_in_half",
            "summed over the rows in float16, where adding to a large sum changes nothing",
            _DW2,
            "dw2 = hidden.T @ g if dtype != np.float16 else np.add.accumulate(\n"
            "        (hidden[:, :, None] * g[:, None, :]).astype(dtype), axis=0, dtype=dtype)[-1]",
        ),
        Mistake(
            "product_in_half",
            "rounded the gradient of the hidden layer to float16 in every step",
            "dh = g @ w2.T",
            "dh = g @ w2.T if dtype != np.float16 else np.add.accumulate(\n"
            "        (g[:, None, :] * w2).astype(dtype), axis=2, dtype=dtype)[:, :, -1]",
        ),
        Mistake(
            "zeros_on_the_cpu",
            "chose between the gradient and zeros made on the CPU: new tensors need "
            "device=x.device",
            "dh *= hidden > 0",
            "dh = torch.where(hidden > 0, dh, torch.zeros(dh.shape, dtype=dh.dtype))",
            track="torch",
        ),
    ),
    no_bench="its cache is whatever each person's own forward kept: no input is common to all",
)
