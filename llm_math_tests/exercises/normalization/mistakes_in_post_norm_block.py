"""What students do wrong in post_norm_block."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

_CHANGE = "change = sublayer(_as_float(x))"
_TOTAL = "total = _widened(x) + _widened(change)"
_RETURN = "return layer_norm(total, weight, bias).astype(_as_float(x).dtype, copy=False)"

MISTAKES = (
    Mistake(
        "residual_forgotten",
        "normalized what the sublayer gave, without adding x",
        _TOTAL,
        "total = _widened(change)",
    ),
    Mistake(
        "normalized_before",
        "normalized the sublayer's input: that is pre_norm_block; here the sum is normalized",
        _CHANGE,
        "change = sublayer(layer_norm(x, weight, bias))",
        also=((_RETURN, "return total.astype(_as_float(x).dtype, copy=False)"),),
    ),
    Mistake(
        "normalized_twice",
        "normalized the sublayer's input as well as the sum",
        _CHANGE,
        "change = sublayer(layer_norm(x, weight, bias))",
    ),
    Mistake(
        "only_the_change_normalized",
        "normalized what the sublayer gave, and added x to that",
        _RETURN,
        "normed = _widened(x) + layer_norm(_widened(change), weight, bias)\n"
        "    return normed.astype(_as_float(x).dtype)",
    ),
    Mistake(
        "not_normalized",
        "did not normalize the sum",
        _RETURN,
        "return total.astype(_as_float(x).dtype, copy=False)",
    ),
    Mistake(
        "residual_added_again",
        "added x once more, after the norm",
        _RETURN,
        "normed = _widened(x) + layer_norm(total, weight, bias)\n"
        "    return normed.astype(_as_float(x).dtype)",
    ),
    Mistake(
        "weight_and_bias_left_out",
        "normalized without weight and bias",
        _RETURN,
        "one = np.ones(x.shape[-1], total.dtype)\n"
        "    return layer_norm(total, one, 0 * one).astype(_as_float(x).dtype, copy=False)",
    ),
    Mistake(
        "root_mean_square",
        "normalized with rms_norm, which leaves the mean in",
        _RETURN,
        "return (rms_norm(total, weight, 1e-5) + bias).astype(_as_float(x).dtype)",
    ),
    Mistake(
        "change_subtracted",
        "subtracted what the sublayer gave",
        _TOTAL,
        "total = _widened(x) - _widened(change)",
    ),
    Mistake(
        "sublayer_called_twice",
        "called the sublayer twice",
        _TOTAL,
        "total = _widened(x) + _widened(sublayer(_as_float(x)))",
    ),
    Mistake(
        "applied_twice",
        "applied the sublayer to its own result",
        _CHANGE,
        "change = sublayer(sublayer(_as_float(x)))",
    ),
    Mistake(
        "sublayer_in_float32",
        "handed the sublayer float32, whatever the dtype of x",
        _CHANGE,
        "change = sublayer(x.astype(np.float32))",
    ),
    Mistake(
        "added_in_half",
        "added in float16, where a sum above 65504 is infinite",
        _TOTAL,
        "with np.errstate(over='ignore'):\n"
        "        total = _widened((_as_float(x) + change).astype(_as_float(x).dtype))",
        also=((_RETURN, "with np.errstate(invalid='ignore'):\n        " + _RETURN),),
    ),
    Mistake(
        "one_pass_variance",
        "took mean(x^2) - mean(x)^2 for the variance: both are large, and their digits cancel",
        _RETURN,
        "mean = total.mean(axis=-1, keepdims=True)\n"
        "    with np.errstate(all='ignore'):\n"
        "        variance = _mean_product(total, total) - mean**2\n"
        "        out = (total - mean) / np.sqrt(variance + 1e-5)\n"
        "    return (out * weight + bias).astype(_as_float(x).dtype)",
    ),
    Mistake(
        "eps_ignored",
        "left eps out of the normalization: a row of one number becomes 0 / 0",
        _RETURN,
        "with np.errstate(all='ignore'):\n"
        "        return layer_norm(total, weight, bias, 0.0).astype(_as_float(x).dtype)",
    ),
    Mistake(
        "eps_of_rms_norm",
        "normalized with an eps of 1e-6; here it is layer_norm's default, 1e-5",
        _RETURN,
        "return layer_norm(total, weight, bias, 1e-6).astype(_as_float(x).dtype)",
    ),
    Mistake(
        "change_detached",
        "detached what the sublayer gave from autograd",
        "_widened(change)",
        "_widened(change).detach()",
        track="torch",
    ),
)
