"""Mistakes that are made in every exercise of this topic."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake

FORWARD_LOSS = "losses = np.log(shifted.sum(axis=-1)) - picked"
"""The line of the references that makes each token's loss."""

IGNORE_INDEX_HARD_CODED = Mistake(
    "ignore_index_hard_coded",
    "left out -100, whatever ignore_index says",
    "kept = targets != ignore_index",
    "kept = targets != -100",
)

WRITTEN_INTO_A_COPY = Mistake(
    "written_into_a_copy",
    "wrote into what reshape returned: a copy, if the array is not in row-major order",
    "grad = np.ascontiguousarray(grad)",
    "pass",
)

ZERO_WITHOUT_TOKENS = Mistake(
    "zero_without_tokens",
    "took the loss of an empty batch for 0, as if all of it had been predicted",
    "mean = losses.sum() / losses.size",
    "mean = losses.sum() / max(1, losses.size)",
)


def running_sum(of: str, last: str = "-1") -> tuple[str, str]:
    """An edit: NumPy's own sum of float16 runs in float32, a running sum does not."""
    kept = ", keepdims=True" if last == "-1:" else ""
    wrong = f"np.add.accumulate({of}, axis=-1, dtype={of}.dtype)[..., {last}]"
    return f"{of}.sum(axis=-1{kept})", wrong


def half_precision_sum(losses: str = "losses") -> Mistake:
    """Both sums of a loss, over the classes and over the tokens, in float16."""
    return Mistake(
        "half_precision_sum",
        "summed in float16, which holds nothing above 65504",
        "scores = _widened(_as_float(logits))",
        "scores = _as_float(logits)",
        also=(
            running_sum("shifted"),
            (f"{losses}.sum()", f"np.cumsum({losses}, dtype=losses.dtype)[-1:].sum()"),
        ),
    )


def of_every_answer(picked: str = "targets") -> tuple[Mistake, ...]:
    """What goes wrong before the formula, whichever it is; ``picked`` are the classes picked."""
    return (
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
            "range_not_checked",
            "let targets below 0 count from the end, and so pick another class",
            f"_check_range({picked}, logits.shape[-1])",
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
    )


def of_every_loss() -> tuple[Mistake, ...]:
    """What goes wrong between a probability and its logarithm."""
    return (
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
            also=(("scores.max(axis=-1, keepdims=True)", "(scores.max() if scores.size else 0)"),),
        ),
    )
