"""What students do wrong in layer_norm."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.habits import SUMMED_IN_HALF

_MEAN = "out = numbers - numbers.mean(axis=-1, keepdims=True)"
_VARIANCE = "variance = _mean_product(out, out)"
_DIVIDE = "out /= np.sqrt(variance + eps)"

MISTAKES = (
    Mistake(
        "sample_variance",
        "divided the sum of squares by n - 1; the variance of a layer norm divides by n",
        _VARIANCE,
        "variance = _mean_product(out, out) * out.dtype.type(x.shape[-1])\n"
        "    with np.errstate(all='ignore'):\n"
        "        variance = variance / np.asarray(x.shape[-1] - 1, out.dtype)",
    ),
    Mistake(
        "one_pass_variance",
        "took mean(x^2) - mean(x)^2 for the variance: both are large, and their digits cancel",
        _VARIANCE,
        "with np.errstate(invalid='ignore'):\n"
        "        squares = _mean_product(numbers, numbers)\n"
        "        variance = squares - numbers.mean(axis=-1, keepdims=True) ** 2",
        also=(
            (_DIVIDE, "with np.errstate(all='ignore'):\n        out /= np.sqrt(variance + eps)"),
        ),
    ),
    Mistake(
        "eps_outside_the_root",
        "added eps to the deviation; it belongs inside the root",
        "np.sqrt(variance + eps)",
        "(np.sqrt(variance) + eps)",
    ),
    Mistake(
        "eps_ignored",
        "left eps out: a row of equal numbers becomes 0 / 0",
        _DIVIDE,
        "with np.errstate(all='ignore'):\n        out /= np.sqrt(variance)",
    ),
    Mistake(
        "divided_by_the_variance",
        "divided by the variance, not by its root",
        "np.sqrt(variance + eps)",
        "(variance + eps)",
    ),
    Mistake(
        "mean_not_subtracted",
        "divided by the deviation, but left the mean in",
        _DIVIDE,
        "out = numbers / np.sqrt(variance + eps)",
    ),
    Mistake(
        "root_mean_square",
        "divided by the root mean square of x: that is rms_norm",
        _MEAN,
        "out = numbers.copy()",
    ),
    Mistake(
        "over_the_whole_array",
        "took mean and variance of the whole array, not of each row",
        _MEAN,
        "out = numbers - (numbers.mean() if x.size else 0)",
        also=((_VARIANCE, "variance = (out * out).mean() if x.size else 0"),),
    ),
    Mistake(
        "over_the_batch",
        "took mean and variance of each column: that is batch norm",
        _MEAN,
        "out = numbers - numbers.sum(axis=0, keepdims=True) / max(1, len(x))",
        also=((_VARIANCE, "variance = (out * out).sum(axis=0, keepdims=True) / max(1, len(x))"),),
    ),
    Mistake(
        "matrices_only",
        "wrote for matrices only: axis 1",
        _MEAN,
        "out = numbers - numbers.mean(axis=1, keepdims=True)",
        also=((_VARIANCE, "variance = (out * out).mean(axis=1, keepdims=True)"),),
    ),
    Mistake(
        "bias_scaled_too",
        "added the bias before the weight, which scales it",
        "out *= weight\n    out += bias",
        "out = out + bias\n    out = out * weight",
    ),
    Mistake("bias_forgotten", "left the bias out", "out += bias", ""),
    Mistake("weight_forgotten", "left the weight out", "out *= weight", ""),
    Mistake(
        "one_plus_weight",
        "multiplied by 1 + weight, as a few models hold it; here the weight is the scale itself",
        "out *= weight",
        "out *= _as_float(weight) + 1",
    ),
    Mistake(
        "eps_as_a_floor",
        "took the larger of variance and eps, not their sum",
        "variance + eps",
        "np.maximum(variance, eps)",
    ),
    Mistake(
        "mean_absolute_deviation",
        "divided by the mean of |x - m|, not by the root of the mean square",
        _VARIANCE,
        "variance = np.abs(out).mean(axis=-1, keepdims=True) ** 2",
    ),
    Mistake(
        "squares_in_half",
        "rounded the deviations back to float16 before squaring them, where 65504 is the largest",
        _VARIANCE,
        "with np.errstate(over='ignore'):\n"
        "        half = out.astype(_as_float(x).dtype)\n"
        "        variance = (half * half).mean(axis=-1, keepdims=True)",
    ),
    SUMMED_IN_HALF,
    Mistake(
        "bias_not_checked",
        "let a bias of another shape broadcast",
        '_check_width("bias", bias, x)',
        "",
        also=(("out += bias", "out = out + bias"),),
    ),
    Mistake(
        "eps_not_checked",
        "let a negative eps through, whose root may be NaN",
        "_check_eps(eps)",
        "",
        also=(
            (_DIVIDE, "with np.errstate(all='ignore'):\n        out /= np.sqrt(variance + eps)"),
        ),
    ),
    Mistake(
        "statistics_detached",
        "took mean and deviation for constants: the gradient through them is lost",
        "centred = numbers - numbers.mean(dim=-1, keepdim=True)",
        "centred = numbers - numbers.mean(dim=-1, keepdim=True).detach()",
        track="torch",
        also=(
            (
                "torch.rsqrt(_mean_square(centred) + eps)",
                "torch.rsqrt(_mean_square(centred) + eps).detach()",
            ),
        ),
    ),
    Mistake(
        "written_over",
        "divided in place what autograd had kept for the square's gradient",
        "z = _times(centred, scale)",
        "z = centred.mul_(scale)",
        track="torch",
    ),
)
