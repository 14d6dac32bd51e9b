"""linear_backward: a gradient back through ``x w + b``."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, cast, is_array, plain, spelled
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, gradient_matches, values
from llm_math_tests.checks.situations import Rng, misshapen, ordinary
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Mistake, Size
from llm_math_tests.exercises.backprop import yardsticks
from llm_math_tests.exercises.backprop.situations import linear, scaled
from llm_math_tests.truths import backprop as truth

NAMES = ("dx", "dw", "db")


def _forward_at(inputs: Inputs) -> tuple[Inputs, Value]:
    point = {"x": inputs["x"], "w": inputs["w"], "b": np.zeros(plain(inputs["w"]).shape[1])}
    return point, inputs["grad_output"]


def _batch(name: str, *batch: int, note: str) -> Case:
    return Case(name, lambda rng: linear(rng, "float64", batch), note)


def _have_the_shapes(answer: Answer, inputs: Inputs) -> None:
    got = answer(inputs)
    if not isinstance(got, (tuple, list)) or len(got) != len(NAMES):
        raise Wrong("a tuple of three gradients", spelled(got))
    w = plain(inputs["w"])
    shapes = (plain(inputs["x"]).shape, w.shape, w.shape[1:])
    for name, one, shape in zip(NAMES, got, shapes, strict=True):
        have = plain(one).shape if is_array(one) else spelled(one)
        if have != shape:
            raise Wrong(
                f"{name} of shape {shape}, that of {name[1:]}",
                f"{have}",
                note="a gradient has the shape of what it is the gradient of",
            )


have_the_shapes_of_their_arrays = Check(
    "have_the_shapes_of_their_arrays",
    "core",
    "each gradient has the shape of its array",
    _have_the_shapes,
    (
        Case("a_matrix", lambda rng: linear(rng, "float64", (6,))),
        Case("one_example", lambda rng: linear(rng, "float64", (1,)), "a batch of one"),
    ),
)


def _cancelling(rng: Rng) -> Inputs:
    """A sum of 6e4, 6e4 and -6e4: each partial sum but the last is more than float16 holds."""
    g = np.array([[6e4, 6e4], [6e4, 6e4], [-6e4, -6e4]])
    return {
        "grad_output": cast(g, "float16"),
        "x": cast(np.ones((3, 2)), "float16"),
        "w": cast(rng.uniform(-0.5, 0.5, (2, 2)), "float16"),
    }


def _long(rows: int, dtype: str) -> Case:
    """Numbers of one sign: a sum that stops growing shows."""

    def make(rng: Rng) -> Inputs:
        return {
            "grad_output": cast(rng.uniform(0, 0.01, (rows, 2)), dtype),
            "x": cast(rng.uniform(0.5, 1, (rows, 2)), dtype),
            "w": cast(rng.normal(0, 1, (2, 2)), dtype),
        }

    return Case(f"{dtype}_{rows}", make, f"{rows} rows")


def _matrices(rng: Rng, dtype: str, rows: int, width: int) -> Inputs:
    return {
        "grad_output": cast(rng.standard_normal((rows, width), "float32"), dtype),
        "x": cast(rng.standard_normal((rows, width), "float32"), dtype),
        "w": cast(rng.standard_normal((width, width), "float32") / width**0.5, dtype),
    }


def _size(rows: int, width: int) -> Size:
    return Size(
        f"{rows} x {width} by {width} x {width}",
        lambda rng, dtype: _matrices(rng, dtype, rows, width),
    )


def _bytes(inputs: Inputs) -> int:
    g, x, w = (plain(inputs[name]) for name in ("grad_output", "x", "w"))
    return g.nbytes + 2 * x.nbytes + 2 * w.nbytes


def _operations(inputs: Inputs) -> int:
    g, w = plain(inputs["grad_output"]), plain(inputs["w"])
    return 4 * len(g) * w.size + g.size


_DW = "dw = _rows(_widened(_as_float(x))).T @ g"
_DB = "db = g.sum(axis=0)"
_RETURN = "for gradient in (dx, dw, db))"

EXERCISE = Exercise(
    name="linear_backward",
    topic="backprop",
    signature="linear_backward(grad_output, x, w)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "g w^T, x^T g and the sum of g",
            truth.linear_backward,
            ordinary(
                linear,
                _batch("three_axes", 2, 3, note="two batch axes"),
                _batch("as_many_rows_as_features", 4, note="4 rows of 4 features"),
            ),
            points=2,
            names=NAMES,
        ),
        gradient_matches(truth.linear, _forward_at, ["x", "w", "b"], ordinary(linear)),
        have_the_shapes_of_their_arrays,
        gradient_flows(truth.linear_backward, ordinary(linear), through=["grad_output", "x", "w"]),
        values(
            "survives_large_numbers",
            "stable",
            "large gradients and weights do not overflow",
            truth.linear_backward,
            (
                Case(
                    "float32",
                    scaled(linear, "float32", grad_output=1e4, w=1e4, x=1e4),
                    "numbers up to 1e4",
                ),
                Case("float16", _cancelling, "gradients of 6e4 and -6e4"),
            ),
            names=NAMES,
        ),
        values(
            "survives_tiny_gradients",
            "stable",
            "tiny gradients are not lost",
            truth.linear_backward,
            (
                Case("float32", scaled(linear, "float32", grad_output=1e-30), "around 1e-30"),
                Case("float64", scaled(linear, "float64", grad_output=1e-30), "around 1e-30"),
            ),
            names=NAMES,
        ),
        values(
            "handles_long_batches",
            "stable",
            "sums over many rows keep their digits",
            truth.linear_backward,
            (_long(20_000, "float32"), _long(70_000, "float16")),
            names=NAMES,
        ),
        *contract(
            linear,
            truth.linear_backward,
            refusals=(
                misshapen(linear, "w", (5, 3)),
                misshapen(linear, "w", (4,)),
                misshapen(linear, "grad_output", (3, 4)),
                misshapen(linear, "grad_output", (2, 3)),
                misshapen(linear, "grad_output", (1, 3)),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Write down the three shapes first: dx is like x, dw like w, db like b. Which product "
        "of g with w, and of x with g, has that shape?",
        "Every row of the batch uses the same w and b, so their gradients are sums over the "
        "rows: a matrix product sums by itself, the bias needs a sum of its own.",
        "Make one axis of all batch axes (reshape(-1, n)) before the products and give dx the "
        "shape of x at the end; that also covers a single example without a batch axis.",
    ),
    mistakes=(
        Mistake(
            "averaged_over_the_batch",
            "divided by the number of rows: the mean is part of the loss, and already in g",
            _RETURN,
            "for gradient in (dx, dw / max(1, len(g)), db / max(1, len(g))))",
        ),
        Mistake(
            "bias_averaged",
            "took the mean of g for the bias, not the sum",
            _DB,
            "db = g.sum(axis=0) / max(1, len(g))",
        ),
        Mistake(
            "bias_summed_to_one_number",
            "summed g over everything: the bias has a number for each column",
            _DB,
            "db = g.sum()",
        ),
        Mistake(
            "bias_summed_along_the_columns",
            "summed g along its columns, so that db has a number for each row",
            _DB,
            "db = g.sum(axis=1)",
        ),
        Mistake(
            "bias_not_summed",
            "passed g on as the bias's gradient, a copy for each row",
            _DB,
            "db = grad_output",
        ),
        Mistake(
            "transposed_dw",
            "computed g^T x: that is dw transposed",
            _DW,
            "dw = g.T @ _rows(_widened(_as_float(x)))",
        ),
        Mistake(
            "one_dw_an_example",
            "kept one dw for each example: they are to be summed",
            _DW,
            "dw = _widened(_as_float(x))[..., :, None] * _widened(_as_float(grad_output))"
            "[..., None, :]",
        ),
        Mistake(
            "last_example_only",
            "assigned dw and db anew for each example instead of adding to them",
            _DW,
            "dw = _rows(_widened(_as_float(x)))[-1:].T @ g[-1:]",
            also=((_DB, "db = g[-1:].sum(axis=0)"),),
        ),
        Mistake(
            "matrices_only",
            "summed the bias over the first axis only, which is right for matrices",
            _DB,
            "db = _widened(_as_float(grad_output)).sum(axis=0)",
        ),
        Mistake(
            "weights_first",
            "returned dw before dx",
            _RETURN,
            "for gradient in (dw, dx, db))",
        ),
        Mistake(
            "dx_with_w",
            "multiplied x, not g, by the weights for dx",
            "dx = (g @ _widened(_as_float(w)).T).reshape(x.shape)",
            "w_ = _widened(_as_float(w))\n"
            "    dx = (_rows(_widened(_as_float(x))) @ w_ @ w_.T).reshape(x.shape)",
        ),
        Mistake(
            "small_gradients_cut",
            "treated small gradients as 0",
            "dx = (",
            "g = np.where(np.abs(g) < 1e-12, 0 * g, g)\n    dx = (",
        ),
        Mistake(
            "products_in_half",
            "rounded every product to float16 before adding them up",
            "dx = (",
            "g = g.astype(dtype)\n    dx = (",
            also=((_DW, "dw = (_rows(_as_float(x))[:, :, None] * g[:, None, :]).sum(axis=0)"),),
        ),
        habits.SUMMED_IN_HALF,
        habits.ADDED_UP_IN_HALF,
        Mistake(
            "ones_on_the_cpu",
            "made the row of ones that sums the bias on the CPU: new tensors need device=x.device",
            "db = g.sum(dim=0)",
            "db = torch.ones(g.shape[0], dtype=g.dtype) @ g",
            track="torch",
        ),
        Mistake(
            "gone_through_numpy",
            "went through NumPy for the bias: it is on the host, and autograd does not follow",
            "db = g.sum(dim=0)",
            "db = torch.from_numpy(g.detach().numpy().sum(axis=0))",
            track="torch",
        ),
    ),
    bench=Bench(
        sizes=(_size(64, 128), _size(1024, 512)),
        moved_bytes=_bytes,
        operations=_operations,
        compositions=yardsticks.LINEAR_BACKWARD,
    ),
)
