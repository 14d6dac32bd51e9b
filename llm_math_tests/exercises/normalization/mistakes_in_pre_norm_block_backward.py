"""What students do wrong in pre_norm_block_backward."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

_NORMED = "normed = layer_norm(x, weight, bias)"
_ARRIVED = "at_normed = sublayer_vjp(normed, grad_output.astype(dtype, copy=False))"
_THROUGH = "through, _, _ = layer_norm_backward(_widened(at_normed), _widened(x), weight)"
_SUM = "(through + grad_output)"

MISTAKES = (
    Mistake(
        "residual_path_forgotten",
        "left out the residual path: g itself reaches x as well",
        _SUM,
        "through",
    ),
    Mistake(
        "norm_not_passed_through",
        "added the sublayer's gradient at normed; layer_norm's backward must take it to x",
        _THROUGH,
        "through = _widened(at_normed)",
    ),
    Mistake(
        "sublayer_not_passed_through",
        "pushed g through the norm only, not through the sublayer",
        _THROUGH,
        "through, _, _ = layer_norm_backward(_widened(grad_output), _widened(x), weight)",
    ),
    Mistake(
        "sum_pushed_through_the_norm",
        "pushed the sum of both gradients through the norm; the residual path goes past it",
        _THROUGH,
        "both = _widened(at_normed) + _widened(grad_output)\n"
        "    through, _, _ = layer_norm_backward(both, _widened(x), weight)",
        also=((_SUM, "through"),),
    ),
    Mistake(
        "norm_before_the_sublayer",
        "went through the norm first and the sublayer then: backwards it is the other way round",
        _ARRIVED,
        "first, _, _ = layer_norm_backward(_widened(grad_output), _widened(x), weight)\n"
        "    at_normed = sublayer_vjp(normed, first.astype(dtype))",
        also=((_THROUGH, "through = _widened(at_normed)"),),
    ),
    Mistake(
        "gradient_of_the_sublayer_at_x",
        "asked for the sublayer's gradient at x; it was applied to the normalized x",
        _ARRIVED,
        "at_normed = sublayer_vjp(_as_float(x), grad_output.astype(dtype, copy=False))",
    ),
    Mistake(
        "arguments_swapped",
        "called sublayer_vjp(g, normed); it is sublayer_vjp(normed, g)",
        _ARRIVED,
        "at_normed = sublayer_vjp(grad_output.astype(dtype, copy=False), normed)",
    ),
    Mistake(
        "norm_backward_at_normed",
        "took layer_norm's gradient at the normalized x, not at x",
        _THROUGH,
        "through, _, _ = layer_norm_backward(_widened(at_normed), _widened(normed), weight)",
    ),
    Mistake(
        "bias_left_out",
        "normalized without the bias: the sublayer was applied elsewhere",
        _NORMED,
        "normed = layer_norm(x, weight, np.zeros(x.shape[-1], x.dtype))\n"
        '    _check_width("bias", bias, x)',
    ),
    Mistake(
        "weight_left_out",
        "left the weight out on the way back through the norm",
        _THROUGH,
        "ones = np.ones(x.shape[-1], _widened(x).dtype)\n"
        "    through, _, _ = layer_norm_backward(_widened(at_normed), _widened(x), ones)",
    ),
    Mistake(
        "residual_path_counted_twice",
        "added g twice",
        _SUM,
        "(through + grad_output + grad_output)",
    ),
    Mistake(
        "norm_taken_for_a_constant",
        "took the norm's deviation and mean for constants on the way back",
        _THROUGH,
        "wide = _widened(x)\n"
        "    s = np.sqrt(wide.var(axis=-1, keepdims=True) + 1e-5)\n"
        "    through = _widened(at_normed) * _widened(weight) / s",
    ),
    Mistake(
        "sublayer_vjp_called_twice",
        "called sublayer_vjp twice",
        _THROUGH,
        "again = sublayer_vjp(normed, grad_output.astype(dtype, copy=False))\n"
        "    through, _, _ = layer_norm_backward(_widened(again), _widened(x), weight)",
    ),
    Mistake(
        "sublayer_in_float32",
        "handed sublayer_vjp float32, whatever the dtype of x",
        _ARRIVED,
        "at_normed = sublayer_vjp(normed.astype(np.float32), grad_output.astype(np.float32))",
    ),
    Mistake(
        "half_precision_throughout",
        "computed in float16 throughout, which ends at 65504 and has three digits",
        edit=lambda text, name: text + "\n\ndef _widened(x):\n    return _as_float(x)\n",
    ),
    Mistake(
        "one_pass_variance",
        "took mean(x^2) - mean(x)^2 for the variance: both are large, and their digits cancel",
        _THROUGH,
        "wide = _widened(x)\n"
        "    mean = wide.mean(axis=-1, keepdims=True)\n"
        "    with np.errstate(all='ignore'):\n"
        "        s = np.sqrt(_mean_product(wide, wide) - mean**2 + 1e-5)\n"
        "    z, h = (wide - mean) / s, _widened(at_normed) * _widened(weight)\n"
        "    through = (h - h.mean(axis=-1, keepdims=True) - z * _mean_product(h, z)) / s",
    ),
    Mistake(
        "eps_ignored",
        "left eps out of the normalization: a row of equal numbers becomes 0 / 0",
        _THROUGH,
        "with np.errstate(all='ignore'):\n"
        "        wide = _widened(at_normed), _widened(x)\n"
        "        through, _, _ = layer_norm_backward(*wide, weight, 0.0)",
    ),
    Mistake(
        "shapes_not_compared",
        "let a gradient of another shape broadcast",
        "_check_gradient(grad_output, x)",
        "grad_output = np.broadcast_to(grad_output[..., : x.shape[-1]], x.shape)",
    ),
    Mistake(
        "sublayers_part_detached",
        "detached what came through the sublayer from autograd",
        "(through + grad_output)",
        "(through.detach() + grad_output)",
        track="torch",
    ),
)
