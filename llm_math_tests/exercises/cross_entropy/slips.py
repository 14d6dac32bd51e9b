"""Mistakes that are made in every exercise of this topic."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

FORWARD_LOSS = "losses = np.log(shifted.sum(axis=-1)) - picked"
"""The line of the references that makes each token's loss."""

HALF_SUM = "np.add.accumulate({0}, axis=-1, dtype={0}.dtype)[..., -1]"
HALF_NORMALIZER = "np.add.accumulate({0}, axis=-1, dtype={0}.dtype)[..., -1:]"
"""NumPy's own sum of float16 runs in float32; a running sum does not."""


def of_every_answer(check_range: str = "_check_range(targets, logits.shape[-1])") -> list[Mistake]:
    """What goes wrong before and after the formula, whichever it is."""
    return [
        Mistake(
            "no_maximum_subtracted",
            "exponentiated the logits as they are, without subtracting the maximum",
            "scores - scores.max(axis=-1, keepdims=True)",
            "scores.copy()",
        ),
        Mistake(
            "maximum_of_the_whole_array",
            "subtracted the maximum of all tokens: rows far below it underflow to log 0",
            "scores.max(axis=-1, keepdims=True)",
            "(scores.max() if scores.size else scores)",
        ),
        Mistake(
            "always_float64",
            "returned float64 whatever came in",
            ".astype(_as_float(logits).dtype",
            ".astype(np.float64",
        ),
        Mistake(
            "input_overwritten",
            "worked in place on the caller's logits",
            "scores = _widened(_as_float(logits))",
            "scores = _widened(_as_float(logits))\n"
            "    scores -= scores.max(axis=-1, keepdims=True)",
        ),
        Mistake(
            "range_not_checked",
            "let targets below 0 count from the end, and so pick another class",
            check_range,
            "pass",
        ),
        Mistake(
            "targets_not_checked",
            "did not check the targets' dtype and shape",
            "_check_targets(logits, targets)",
            "targets = np.resize(targets, logits.shape[:-1]).astype(int)",
        ),
        Mistake(
            "int64_only",
            "refused integer targets that are not int64",
            "_check_targets(logits, targets)",
            "_check_targets(logits, targets)\n"
            "    if targets.dtype != np.int64:\n"
            "        raise TypeError('targets must be int64')",
        ),
        Mistake(
            "graph_cut",
            "detached the result from autograd",
            ".to(_as_float(logits).dtype)",
            ".detach().to(_as_float(logits).dtype)",
            track="torch",
        ),
        Mistake(
            "values_read_on_the_device",
            "looked at the targets' values on the device, which has to stop for it",
            'if logits.device.type == "cpu":',
            "if True:",
            track="torch",
        ),
        Mistake(
            "targets_not_widened",
            "indexed with the targets as they came: gather wants int64",
            ".long()",
            "",
            track="torch",
        ),
    ]


def of_every_loss() -> list[Mistake]:
    """What goes wrong between a probability and its logarithm."""
    return [
        Mistake(
            "epsilon_in_the_logarithm",
            "took log(p + 1e-12): a small probability then costs 27.6 and never more",
            FORWARD_LOSS,
            "losses = -np.log(np.exp(picked) / shifted.sum(axis=-1) + picked.dtype.type(1e-12))",
        ),
        Mistake(
            "probabilities_clipped",
            "clipped the probabilities to [1e-7, 1 - 1e-7] before the logarithm",
            FORWARD_LOSS,
            "probs = np.clip(np.exp(picked) / shifted.sum(axis=-1), 1e-7, 1 - 1e-7)\n"
            "        losses = -np.log(probs)",
        ),
        Mistake(
            "logarithm_of_the_probability",
            "took the logarithm of a probability that had underflowed to 0",
            FORWARD_LOSS,
            "losses = -np.log(np.exp(picked) / shifted.sum(axis=-1))",
        ),
        Mistake(
            "base_two",
            "took logarithms to base 2: bits, not nats",
            FORWARD_LOSS,
            "losses = (np.log(shifted.sum(axis=-1)) - picked) / picked.dtype.type(np.log(2))",
        ),
        Mistake(
            "summed_over_the_batch",
            "normalized over all tokens together, not over each token's classes",
            FORWARD_LOSS,
            "losses = np.log(shifted.sum()) - picked",
        ),
    ]
