"""What students do wrong in transformer_block."""

from __future__ import annotations

from collections.abc import Callable

from llm_math_tests.exercise import Mistake

_ATTENTION = 'mixed = _attention(normed, p["w_q"], p["w_k"], p["w_v"], p["w_o"], num_heads, mask)'
_FIRST_NORM = 'normed = layer_norm(tokens, p["norm1_weight"], p["norm1_bias"])'
_SECOND_NORM = 'normed = layer_norm(mixed, p["norm2_weight"], p["norm2_bias"])'
_FIRST_SUM = "mixed += tokens"
_LAST_SUM = "out += mixed"
_GELU = 'out = _gelu(hidden) @ p["w2"]'
_RETURN = "return out.astype(dtype, copy=False)"


def _in_the_helpers(instead_of: str, they_write: str) -> Callable[[str, str], str]:
    """An edit of a private function above transformer_block."""

    def edit(text: str, name: str) -> str:
        assert text.count(instead_of) == 1, instead_of
        return text.replace(instead_of, they_write)

    return edit


MISTAKES = (
    Mistake(
        "post_norm_order",
        "normalized after each sum, as the original transformer; here before each sublayer",
        _FIRST_NORM,
        "normed = tokens",
        also=(
            (
                _SECOND_NORM,
                'mixed = layer_norm(mixed, p["norm1_weight"], p["norm1_bias"])\n    normed = mixed',
            ),
            (
                _RETURN,
                'out = layer_norm(out, p["norm2_weight"], p["norm2_bias"])\n    ' + _RETURN,
            ),
        ),
    ),
    Mistake(
        "first_residual_forgotten",
        "left out the residual path around attention",
        _FIRST_SUM,
        "",
    ),
    Mistake(
        "second_residual_forgotten",
        "left out the residual path around the feed-forward network",
        _LAST_SUM,
        "",
    ),
    Mistake(
        "x_added_twice",
        "added x after the feed-forward network, not the sum that attention made",
        _LAST_SUM,
        "out += tokens",
    ),
    Mistake(
        "normalized_tokens_added",
        "added the normalized tokens; the residual path carries x itself",
        _FIRST_SUM,
        "mixed += normed",
    ),
    Mistake(
        "one_norm_for_both",
        "used norm1 for both halves",
        _SECOND_NORM,
        'normed = layer_norm(mixed, p["norm1_weight"], p["norm1_bias"])',
    ),
    Mistake(
        "second_norm_forgotten",
        "fed the sum to the feed-forward network without normalizing it",
        _SECOND_NORM,
        "normed = mixed",
    ),
    Mistake(
        "second_norm_of_x",
        "normalized x for the feed-forward network too, as parallel blocks do; here it sees "
        "what attention made",
        _SECOND_NORM,
        'normed = layer_norm(tokens, p["norm2_weight"], p["norm2_bias"])',
    ),
    Mistake(
        "gelu_with_tanh",
        "used the tanh approximation of GELU, which is off by up to 5e-4",
        _GELU,
        "inner = math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)\n"
        '    out = (hidden * (0.5 + 0.5 * np.tanh(inner))) @ p["w2"]',
    ),
    Mistake(
        "relu",
        "used relu, as the original transformer does; here it is GELU",
        _GELU,
        'out = np.maximum(hidden, 0) @ p["w2"]',
    ),
    Mistake(
        "silu",
        "used u sigmoid(u), which is silu; here it is GELU",
        _GELU,
        'out = (hidden / (1 + np.exp(-np.maximum(hidden, -80)))) @ p["w2"]',
    ),
    Mistake(
        "erf_without_the_root_of_2",
        "forgot to divide by sqrt(2) inside erf",
        _GELU,
        'out = (hidden * (0.5 + 0.5 * _erf(hidden))) @ p["w2"]',
    ),
    Mistake(
        "activation_forgotten",
        "left the activation out: two matrices in a row are only one",
        "_gelu(hidden)",
        "hidden",
    ),
    Mistake(
        "activation_at_the_end",
        "put GELU after the second matrix, not between the two",
        _GELU,
        'out = _gelu(hidden @ p["w2"])',
    ),
    Mistake("b1_forgotten", "left b1 out", 'hidden += p["b1"]', ""),
    Mistake("b2_forgotten", "left b2 out", 'out += p["b2"]', ""),
    Mistake(
        "queries_and_keys_swapped",
        "projected the queries with w_k and the keys with w_q",
        _ATTENTION,
        'mixed = _attention(normed, p["w_k"], p["w_q"], p["w_v"], p["w_o"], num_heads, mask)',
    ),
    Mistake(
        "attention_of_unnormalized_tokens",
        "gave attention the tokens without normalizing them",
        _FIRST_NORM,
        "normed = tokens",
    ),
    Mistake(
        "one_head_only",
        "attended once over the whole width",
        "num_heads, mask)\n    mixed +=",
        "1, mask)\n    mixed +=",
    ),
    Mistake(
        "mask_ignored",
        "let tokens look where the mask does not allow it",
        "num_heads, mask)\n    mixed +=",
        "num_heads, None)\n    mixed +=",
    ),
    Mistake(
        "output_weights_forgotten",
        "forgot w_o",
        _ATTENTION,
        _ATTENTION.replace('p["w_o"]', "np.eye(d, dtype=tokens.dtype)"),
    ),
    Mistake(
        "masked_with_a_large_negative_number",
        "masked with -1e9: where no key is left, all of them get equal weight",
        edit=_in_the_helpers(
            "np.copyto(scores, -np.inf, where=~mask)", "np.copyto(scores, -1e9, where=~mask)"
        ),
    ),
    Mistake(
        "no_key_left_gives_nan",
        "divided 0 by 0 for a token whose keys are all masked",
        edit=_in_the_helpers("    total[total == 0] = 1\n", ""),
    ),
    Mistake(
        "divided_by_the_whole_width",
        "divided the scores by sqrt(d); each head's width is d / H",
        edit=_in_the_helpers("(q * (1 / math.sqrt(width)))", "(q * (1 / math.sqrt(x.shape[-1])))"),
    ),
    Mistake(
        "no_maximum_subtracted",
        "exponentiated without subtracting the row's maximum",
        edit=_in_the_helpers("    scores -= top\n", ""),
    ),
    Mistake(
        "one_pass_variance",
        "took mean(x^2) - mean(x)^2 for the variance: both are large, and their digits cancel",
        _FIRST_NORM,
        "mean = tokens.mean(axis=-1, keepdims=True)\n"
        "    with np.errstate(all='ignore'):\n"
        "        variance = _mean_product(tokens, tokens) - mean**2\n"
        "        normed = (tokens - mean) / np.sqrt(variance + 1e-5)\n"
        '    normed = normed * p["norm1_weight"] + p["norm1_bias"]',
    ),
    Mistake(
        "lone_axes_squeezed",
        "squeezed away axes of length 1, which may be a lone token",
        _RETURN,
        "return out.squeeze().astype(dtype)",
    ),
    Mistake(
        "half_precision_norms",
        "normalized in float16, where the sum of a row may be infinite",
        _FIRST_NORM,
        "with np.errstate(all='ignore'):\n"
        "        narrow = tokens.astype(dtype)\n"
        "        centred = narrow - narrow.sum(axis=-1, keepdims=True, dtype=dtype) / d\n"
        "        deviation = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)\n"
        '        normed = centred / deviation * p["norm1_weight"] + p["norm1_bias"]\n'
        "        normed = normed.astype(tokens.dtype)",
    ),
    Mistake(
        "params_written_over",
        "wrote into one of the parameters",
        'hidden += p["b1"]',
        'hidden += p["b1"]\n    if params["b1"].dtype.kind == "f":\n        params["b1"][...] = 0',
    ),
    Mistake(
        "params_not_checked",
        "let a missing key raise KeyError; it must be a ValueError that names it",
        "_check_params(params, d)",
        "",
    ),
    Mistake(
        "attention_detached",
        "detached what attention made from autograd",
        "mixed = mixed + tokens",
        "mixed = mixed.detach() + tokens",
        track="torch",
    ),
    Mistake(
        "params_copied",
        "made new tensors of the parameters, cut off from the graph",
        "params[name].to(tokens.dtype)",
        "params[name].detach().clone().to(tokens.dtype)",
        track="torch",
    ),
)
