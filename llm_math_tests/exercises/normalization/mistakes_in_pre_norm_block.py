"""What students do wrong in pre_norm_block."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.habits import around

_NORMED = "normed = layer_norm(x, weight, bias)"
_CHANGE = "change = sublayer(normed)"
_SUM = "(_as_float(x) + change)"

MISTAKES = (
    Mistake(
        "residual_forgotten",
        "returned what the sublayer gave, without adding x",
        _SUM,
        "change",
    ),
    Mistake(
        "normalized_afterwards",
        "normalized the sum: that is post_norm_block; here only the sublayer's input is",
        _NORMED,
        "normed = _as_float(x)",
        also=(
            (
                "return (_as_float(x) + change).astype(_as_float(x).dtype, copy=False)",
                "total = _widened(x) + _widened(change)\n"
                "    return layer_norm(total, weight, bias).astype(_as_float(x).dtype, copy=False)",
            ),
        ),
    ),
    Mistake(
        "not_normalized",
        "handed the sublayer x itself, not the normalized x",
        _NORMED,
        "normed = _as_float(x)",
    ),
    Mistake(
        "result_of_the_sublayer_normalized",
        "normalized what the sublayer gives, not what it gets",
        _CHANGE,
        "change = layer_norm(sublayer(_as_float(x)), weight, bias)",
    ),
    Mistake(
        "normalized_x_added",
        "added the normalized x; the residual path carries x itself",
        _SUM,
        "(normed + change)",
    ),
    Mistake(
        "weight_and_bias_left_out",
        "normalized without weight and bias",
        _NORMED,
        "normed = layer_norm(x, np.ones_like(weight), np.zeros_like(bias))",
    ),
    Mistake(
        "root_mean_square",
        "normalized with rms_norm, which leaves the mean in",
        _NORMED,
        "normed = (rms_norm(_widened(x), weight, 1e-5) + bias).astype(_as_float(x).dtype)",
    ),
    Mistake(
        "change_subtracted",
        "subtracted what the sublayer gave",
        _SUM,
        "(_as_float(x) - change)",
    ),
    Mistake(
        "sum_averaged",
        "took the mean of x and the change, not their sum",
        _SUM,
        "((_as_float(x) + change) / 2)",
    ),
    Mistake(
        "sublayer_called_twice",
        "called the sublayer twice",
        _SUM,
        "(_as_float(x) + sublayer(normed))",
    ),
    Mistake(
        "sublayer_for_each_row",
        "called the sublayer for each row; it takes them all at once",
        _CHANGE,
        "change = np.empty_like(normed)\n"
        "    for place in np.ndindex(normed.shape[:-1]):\n"
        "        change[place] = sublayer(normed[place])",
    ),
    Mistake(
        "applied_twice",
        "applied the sublayer to its own result",
        _CHANGE,
        "change = sublayer(sublayer(normed))",
    ),
    Mistake(
        "sublayer_in_float32",
        "handed the sublayer float32, whatever the dtype of x",
        _CHANGE,
        "change = sublayer(normed.astype(np.float32))",
    ),
    Mistake(
        "normalized_in_half",
        "took mean and variance in float16, which ends at 65504 and has three digits",
        edit=lambda text, name: text + "\n\ndef _widened(x):\n    return _as_float(x)\n",
    ),
    Mistake(
        "numbers_far_from_zero_lose_digits",
        "took mean(x^2) - mean(x)^2 for the variance: both are large, and their digits cancel",
        _NORMED,
        "wide = _widened(x)\n"
        "    mean = wide.mean(axis=-1, keepdims=True)\n"
        "    with np.errstate(all='ignore'):\n"
        "        variance = _mean_product(wide, wide) - mean**2\n"
        "        normed = (wide - mean) / np.sqrt(variance + 1e-5)\n"
        "    normed = (normed * weight + bias).astype(_as_float(x).dtype)",
    ),
    Mistake(
        "eps_ignored",
        "left eps out of the normalization: a row of equal numbers becomes 0 / 0",
        _NORMED,
        "with np.errstate(all='ignore'):\n        normed = layer_norm(x, weight, bias, 0.0)",
    ),
    Mistake(
        "eps_of_rms_norm",
        "normalized with an eps of 1e-6; here it is layer_norm's default, 1e-5",
        _NORMED,
        "normed = layer_norm(x, weight, bias, 1e-6)",
    ),
    Mistake(
        "added_in_place",
        "added the change to the caller's x in place",
        edit=around("""
            result = right(*args, **kwargs)
            for mine in first_array(args, kwargs):
                if mine.dtype == result.dtype:
                    mine[...] = result
            return result
        """),
    ),
    Mistake(
        "norm_detached",
        "detached the normalized numbers from autograd: nothing flows through the sublayer",
        "normed = layer_norm(x, weight, bias)",
        "normed = layer_norm(x, weight, bias).detach()",
        track="torch",
    ),
    Mistake(
        "through_numpy",
        "handed the sublayer a tensor made from NumPy's numbers: autograd does not follow",
        "change = sublayer(normed)",
        "change = sublayer(torch.from_numpy(normed.detach().float().numpy()).to(normed.dtype))",
        track="torch",
    ),
)
