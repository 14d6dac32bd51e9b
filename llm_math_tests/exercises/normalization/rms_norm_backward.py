"""rms_norm_backward: a gradient pushed back to the input and the weight."""

from __future__ import annotations

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, values
from llm_math_tests.checks.situations import given, misshapen, ordinary
from llm_math_tests.exercise import Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.normalization import yardsticks
from llm_math_tests.exercises.normalization.gradients import (
    gradient_of_each_argument,
    large_gradients,
    nothing_points_along,
    results,
)
from llm_math_tests.exercises.normalization.situations import (
    WRONG_WIDTHS,
    N,
    bad_eps,
    large,
    long_rows,
    make_rows,
    make_sample,
    many_rows,
    offsets,
    rows_of_one_number,
    shapes,
    tiny,
)
from llm_math_tests.habits import SUMMED_IN_HALF
from llm_math_tests.truths import normalization as truth

sample = make_sample("weight", gradient=True)
rows = make_rows("weight", gradient=True)
NAMES = ("dx", "dweight")


def _across_the_row(answer: Answer, inputs: Inputs) -> None:
    """With eps 0, dx has no part along x: a longer row gives the same result."""
    asked = {**inputs, "eps": 0.0}
    dx = results(answer, answer(asked), NAMES)[0]
    wanted = truth.rms_norm_backward(**asked)[0]
    nothing_points_along(answer, dx, wanted, inputs["x"], "x, which makes the row longer")


_ROOT = "root = np.sqrt(_mean_product(numbers, numbers) + eps)"
_DWEIGHT = 'dweight = np.einsum("ri,ri->i", _rows(g), _rows(z))'
_TAKEN = "z *= _mean_product(dx, z)\n    dx -= z"
_DX = "dx = g * _widened(weight)"
_QUIETLY = "with np.errstate(all='ignore'):\n        "

MISTAKES = (
    Mistake(
        "root_taken_for_constant",
        "took the root mean square for a constant: it depends on every number of the row",
        _TAKEN,
        "",
    ),
    Mistake(
        "mean_taken_out",
        "took mean(h) out as well: that is layer_norm's, rms_norm sees the mean",
        _TAKEN,
        _TAKEN + "\n    dx -= (g * _widened(weight)).mean(axis=-1, keepdims=True)",
    ),
    Mistake(
        "centred_first",
        "took the mean out of x first: that is layer_norm",
        _ROOT,
        "numbers = numbers - numbers.mean(axis=-1, keepdims=True)\n    " + _ROOT,
    ),
    Mistake(
        "added_what_is_taken_out",
        "added z * mean(h z) where it is subtracted",
        "dx -= z",
        "dx += z",
    ),
    Mistake(
        "along_x_not_z",
        "took out x * mean(h z), without dividing x by its root mean square",
        _TAKEN,
        "dx -= numbers * _mean_product(dx, z)",
    ),
    Mistake(
        "sum_instead_of_mean",
        "took the sum of h z where the formula has its mean",
        "z *= _mean_product(dx, z)",
        "z *= (dx * z).sum(axis=-1, keepdims=True)",
    ),
    Mistake(
        "weight_left_out_of_dx",
        "left the weight out of dx: the gradient at z is g * weight",
        _DX,
        "dx = g.copy()",
    ),
    Mistake(
        "weight_at_the_end",
        "multiplied by the weight at the end, after the mean: it belongs before it",
        _DX,
        "dx = g.copy()",
        also=(("dx /= root", "dx *= _widened(weight) / root"),),
    ),
    Mistake("not_divided_by_the_root", "forgot to divide dx by the root", "dx /= root", ""),
    Mistake(
        "divided_by_the_mean_square",
        "divided dx by the mean square, not by its root",
        "dx /= root",
        "dx /= root**2",
    ),
    Mistake(
        "divided_by_the_norm",
        "divided by the length of the row: took the sum of squares, not their mean",
        _ROOT,
        "root = np.sqrt((numbers * numbers).sum(axis=-1, keepdims=True) + eps)",
    ),
    Mistake(
        "eps_outside_the_root",
        "added eps to the root; it belongs inside",
        _ROOT,
        "root = np.sqrt(_mean_product(numbers, numbers)) + eps",
    ),
    Mistake(
        "eps_ignored",
        "left eps out: a row of zeros becomes 0 / 0",
        _ROOT,
        "root = np.sqrt(_mean_product(numbers, numbers))",
        also=(
            ("z = numbers / root", _QUIETLY + "z = numbers / root"),
            ("dx /= root", _QUIETLY + "dx /= root"),
        ),
    ),
    Mistake(
        "mean_over_the_whole_array",
        "took the mean of h z over the whole array, not over each row",
        "z *= _mean_product(dx, z)",
        "z *= (dx * z).mean() if x.size else 0",
    ),
    Mistake(
        "weight_gradient_averaged",
        "averaged the weight's gradient over the rows; it adds up",
        _DWEIGHT,
        _DWEIGHT + " / np.asarray(max(1, len(_rows(g))), g.dtype)",
    ),
    Mistake(
        "weight_gradient_with_x",
        "multiplied g by x for the weight's gradient; the weight scales z",
        _DWEIGHT,
        'dweight = np.einsum("ri,ri->i", _rows(g), _rows(numbers))',
    ),
    Mistake(
        "summed_over_one_axis",
        "summed the weight's gradient over the first axis only",
        _DWEIGHT,
        "dweight = (g * z).sum(axis=0)",
    ),
    Mistake(
        "weight_gradient_not_summed",
        "left the weight's gradient in the shape of x; it has the weight's",
        _DWEIGHT,
        "dweight = g * z",
    ),
    SUMMED_IN_HALF,
    Mistake(
        "shapes_not_compared",
        "let a gradient of another shape broadcast",
        "_check_gradient(grad_output, x)",
        "grad_output = np.broadcast_to(grad_output[..., : x.shape[-1]], x.shape)",
    ),
    Mistake(
        "root_detached",
        "detached the root from autograd: a second derivative misses it",
        "scale = torch.rsqrt(_mean_square(numbers) + eps)",
        "scale = torch.rsqrt(_mean_square(numbers) + eps).detach()",
        track="torch",
    ),
)

EXERCISE = Exercise(
    name="rms_norm_backward",
    topic="normalization",
    signature="rms_norm_backward(grad_output, x, weight, eps=1e-6)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "dx and dweight of the formulas",
            truth.rms_norm_backward,
            ordinary(sample, given(sample, "eps", 0.1), *shapes(rows)),
            points=2,
            names=NAMES,
        ),
        gradient_of_each_argument(
            truth.rms_norm, ("x", "weight"), (*ordinary(sample), *shapes(rows))
        ),
        Check(
            "no_gradient_along_the_row",
            "core",
            "dx times x sums to 0, with eps 0",
            _across_the_row,
            ordinary(sample),
        ),
        gradient_flows(
            truth.rms_norm_backward, ordinary(sample), through=["grad_output", "x", "weight"]
        ),
        values(
            "survives_large_numbers",
            "stable",
            "large numbers and gradients do not overflow",
            truth.rms_norm_backward,
            (*large(rows), *offsets(rows), *large_gradients("weight")),
            names=NAMES,
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny numbers and rows of zeros give finite gradients",
            truth.rms_norm_backward,
            tiny(rows),
            names=NAMES,
        ),
        values(
            "handles_many_rows_and_rows_of_any_length",
            "stable",
            "long rows, and many of them, are summed to their digits",
            truth.rms_norm_backward,
            (*long_rows(rows), *many_rows(rows), *rows_of_one_number(rows)),
            names=NAMES,
        ),
        *contract(
            sample,
            truth.rms_norm_backward,
            refusals=(
                *(misshapen(sample, "grad_output", shape) for shape in ((3, N + 1), (N,), (1, N))),
                *(misshapen(sample, "weight", shape) for shape in WRONG_WIDTHS),
                bad_eps(sample),
            ),
        ),
    ),
    scaled=("x",),
    hints=(
        "Write z for x divided by its root r, and h for g * weight. If r were a constant, dx "
        "would be h / r. What flows back through r?",
        "z * mean(h z): take it from h before dividing by r. The weight's gradient is the sum "
        "of g * z over all rows, whatever the number of leading axes.",
    ),
    mistakes=MISTAKES,
    bench=matrix_bench(
        lambda rng, dtype, n, m: rows(rng, dtype, (n, m)), 3, 11, yardsticks.RMS_NORM_BACKWARD,
    ),
)  # fmt: skip
