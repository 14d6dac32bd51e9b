"""What students do wrong in layer_norm_backward."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.habits import SUMMED_IN_HALF

_DEVIATION = "deviation = np.sqrt(_mean_product(z, z) + eps)"
_DWEIGHT = 'dweight = np.einsum("ri,ri->i", _rows(g), _rows(z))'
_MEAN = "dx -= dx.mean(axis=-1, keepdims=True)"
_ALONG = "along = _mean_product(dx, z)"
_TAKEN = "z *= along\n    dx -= z"
_QUIETLY = "with np.errstate(all='ignore'):\n        "

MISTAKES = (
    Mistake(
        "statistics_taken_for_constants",
        "took mean and deviation for constants: both depend on every number of the row",
        _MEAN,
        "",
        also=((_TAKEN, ""),),
    ),
    Mistake(
        "mean_not_taken_out",
        "left out what flows back through the mean: mean(h)",
        _MEAN,
        "",
    ),
    Mistake(
        "deviation_taken_for_constant",
        "left out what flows back through the deviation: z * mean(h z)",
        _TAKEN,
        "",
    ),
    Mistake(
        "added_what_is_taken_out",
        "added z * mean(h z) where it is subtracted",
        "dx -= z",
        "dx += z",
    ),
    Mistake(
        "along_x_not_z",
        "took out what points along x - m, without dividing it by the deviation",
        _TAKEN,
        "dx -= z * deviation * along",
    ),
    Mistake(
        "weight_left_out_of_dx",
        "left the weight out of dx: the gradient at z is g * weight",
        "dx = g * _widened(weight)",
        "dx = g.copy()",
    ),
    Mistake(
        "weight_at_the_end",
        "multiplied by the weight at the end, after the means: it belongs before them",
        "dx = g * _widened(weight)",
        "dx = g.copy()",
        also=(("dx /= deviation", "dx *= _widened(weight) / deviation"),),
    ),
    Mistake(
        "not_divided_by_the_deviation",
        "forgot to divide dx by the deviation",
        "dx /= deviation",
        "",
    ),
    Mistake(
        "divided_by_the_variance",
        "divided dx by the variance, not by the deviation",
        "dx /= deviation",
        "dx /= deviation**2",
    ),
    Mistake(
        "sample_variance",
        "divided the sum of squares by n - 1; the variance of a layer norm divides by n",
        _DEVIATION,
        "n = x.shape[-1]\n"
        "    " + _QUIETLY + "factor = np.asarray(n, z.dtype) / np.asarray(n - 1, z.dtype)\n"
        "        deviation = np.sqrt(_mean_product(z, z) * factor + eps)",
    ),
    Mistake(
        "one_pass_variance",
        "took mean(x^2) - mean(x)^2 for the variance: both are large, and their digits cancel",
        _DEVIATION,
        "mean = numbers.mean(axis=-1, keepdims=True)\n"
        "    " + _QUIETLY + "variance = _mean_product(numbers, numbers) - mean**2\n"
        "        deviation = np.sqrt(variance + eps)",
    ),
    Mistake(
        "eps_outside_the_root",
        "added eps to the deviation; it belongs inside the root",
        _DEVIATION,
        "deviation = np.sqrt(_mean_product(z, z)) + eps",
    ),
    Mistake(
        "eps_ignored",
        "left eps out: a row of equal numbers becomes 0 / 0",
        _DEVIATION,
        "deviation = np.sqrt(_mean_product(z, z))",
        also=(
            ("z /= deviation", _QUIETLY + "z /= deviation"),
            ("dx /= deviation", _QUIETLY + "dx /= deviation"),
        ),
    ),
    Mistake(
        "means_over_the_whole_array",
        "took the means of h over the whole array, not over each row",
        _MEAN,
        "dx -= dx.mean() if x.size else 0",
        also=((_ALONG, "along = (dx * z).mean() if x.size else 0"),),
    ),
    Mistake(
        "sums_instead_of_means",
        "took sums over the row where the formula has means",
        _MEAN,
        "dx -= dx.sum(axis=-1, keepdims=True)",
        also=((_ALONG, "along = _mean_product(dx, z) * dx.dtype.type(x.shape[-1])"),),
    ),
    Mistake(
        "weight_gradient_averaged",
        "averaged the weight's and the bias's gradients over the rows; they add up",
        _DWEIGHT,
        "count = np.asarray(max(1, len(_rows(g))), g.dtype)\n    " + _DWEIGHT + " / count",
        also=(
            (
                "dbias = _rows(g).sum(axis=0)",
                "dbias = _rows(g).sum(axis=0) / max(1, len(_rows(g)))",
            ),
        ),
    ),
    Mistake(
        "weight_gradient_with_x",
        "multiplied g by x for the weight's gradient; the weight scales z",
        _DWEIGHT,
        'dweight = np.einsum("ri,ri->i", _rows(g), _rows(numbers))',
    ),
    Mistake(
        "weight_gradient_scaled",
        "put the weight into its own gradient",
        _DWEIGHT,
        'dweight = np.einsum("ri,ri->i", _rows(g), _rows(z)) * _widened(weight)',
    ),
    Mistake(
        "summed_over_one_axis",
        "summed the weight's and the bias's gradients over the first axis only",
        "dbias = _rows(g).sum(axis=0)",
        "dbias = g.sum(axis=0)",
        also=((_DWEIGHT, "dweight = (g * z).sum(axis=0)"),),
    ),
    Mistake(
        "weight_gradient_not_summed",
        "left the weight's gradient in the shape of x; it has the weight's",
        _DWEIGHT,
        "dweight = g * z",
    ),
    Mistake(
        "gradients_in_another_order",
        "returned them in another order than (dx, dweight, dbias)",
        "for out in (dx, dweight, dbias)",
        "for out in (dx, dbias, dweight)",
    ),
    Mistake(
        "gradients_in_another_order_dx_last",
        "returned them in another order than (dx, dweight, dbias)",
        "for out in (dx, dweight, dbias)",
        "for out in (dweight, dbias, dx)",
    ),
    Mistake(
        "bias_gradient_of_h",
        "summed g * weight for the bias's gradient; the bias is added after the weight",
        "dbias = _rows(g).sum(axis=0)",
        "dbias = _rows(g * _widened(weight)).sum(axis=0)",
    ),
    SUMMED_IN_HALF,
    Mistake(
        "shapes_not_compared",
        "let a gradient of another shape broadcast",
        "_check_gradient(grad_output, x)",
        "grad_output = np.broadcast_to(grad_output[..., : x.shape[-1]], x.shape)",
    ),
    Mistake(
        "eps_not_checked",
        "let a negative eps through, whose root may be NaN",
        "_check_eps(eps)",
        "",
        also=((_DEVIATION, _QUIETLY + _DEVIATION),),
    ),
    Mistake(
        "statistics_detached",
        "detached the mean from autograd: a second derivative misses it",
        "centred = numbers - numbers.mean(dim=-1, keepdim=True)",
        "centred = numbers - numbers.mean(dim=-1, keepdim=True).detach()",
        track="torch",
    ),
    Mistake(
        "written_over",
        "worked in place on z, which autograd had kept for the product's gradient",
        "gz = g * z",
        "gz = (g + 0).mul_(z)\n    z.mul_(1)",
        track="torch",
    ),
)
