"""Mistakes that are made wherever gradients go back to the rows of a table."""

from __future__ import annotations

from llm_math_tests.exercise import Mistake
from llm_math_tests.habits import SUMMED_IN_HALF


def of_every_sum(summed: str, line: str, range_: str) -> tuple[Mistake, ...]:
    """What goes wrong when gradients are brought together.

    Args:
        summed: The references' call that yields ids and sums.
        line: The line that uses one pair of them.
        range_: The call that looks for ids out of range.
    """
    g = summed.removeprefix("_sums_of_each(token_ids, ").removesuffix(")")
    pairs = f"zip(token_ids.reshape(-1), {g}.reshape(-1, grad_output.shape[-1]), strict=True)"
    return (
        Mistake(
            "each_token_once",
            "kept one gradient of a repeated token: `grad[ids] += g` computes its right side "
            "first, and the last one wins",
            summed,
            f"dict((int(i), (i, row)) for i, row in {pairs}).values()",
        ),
        Mistake(
            "first_gradient_kept",
            "kept only the first gradient of a repeated token",
            summed,
            f"dict((int(i), (i, row)) for i, row in list({pairs})[::-1]).values()",
        ),
        Mistake(
            "mean_of_repeated_tokens",
            "averaged the gradients of a repeated token: they add up",
            line,
            f"sums = sums / np.reshape([(token_ids == i).sum() for i in ids.flat], "
            f"(*ids.shape, 1)).astype(sums.dtype)\n        {line}",
        ),
        Mistake(
            "divided_by_the_tokens",
            "divided by the number of tokens: the gradient is a sum, and the loss has divided "
            "already where it is a mean",
            line,
            f"sums = sums / sums.dtype.type(max(1, token_ids.size))\n        {line}",
        ),
        Mistake(
            "counts_from_one",
            "took the tokens to count from 1: id 0 is the first row",
            line,
            f"ids = ids.astype(int) - 1\n        {line}",
        ),
        Mistake(
            "only_the_first_sequence",
            "took only the first sequence of the batch",
            summed,
            f"_sums_of_each(token_ids[:1], {g}[:1]) if token_ids.ndim > 1 else {summed}",
        ),
        Mistake(
            "gradients_in_another_order",
            "lined up the gradients with the sorted tokens, not with the tokens as they came",
            summed,
            f"_sums_of_each(np.sort(token_ids, axis=None), {g}.reshape(-1, grad_output.shape[-1]))",
        ),
        Mistake(
            "zero_is_padding",
            "gave token 0 no gradient, as if it were padding: no padding index is asked for",
            line,
            f"sums = np.where(np.reshape(ids, (*ids.shape, 1)) == 0, 0 * sums, sums)\n"
            f"        {line}",
        ),
        Mistake(
            "small_gradients_cut",
            "treated small gradients as 0",
            line,
            f"sums = np.where(np.abs(sums) < 1e-12, 0 * sums, sums)\n        {line}",
        ),
        SUMMED_IN_HALF,
        Mistake(
            "counted_from_the_end",
            "let an id below 0 count from the end: -1 is no token",
            range_,
            "if token_ids.size and token_ids.max() >= VOCAB:\n"
            "        raise ValueError(f'token_ids has {token_ids.max()}')".replace(
                "VOCAB", range_.removeprefix("_check_range(token_ids, ").removesuffix(")")
            ),
        ),
        Mistake(
            "floats_for_ids",
            "turned float ids into integers: 2.7 is no token",
            "_check_ids(token_ids)",
            "token_ids = token_ids.astype(int)",
        ),
        Mistake(
            "asked_for_the_largest_of_none",
            "asked for the largest id where there may be none",
            range_,
            f"{range_}\n    assert token_ids.max() >= 0",
        ),
        Mistake(
            "int64_only",
            "refused integer ids that are not int64",
            "_check_ids(token_ids)",
            "_check_ids(token_ids)\n"
            "    if token_ids.dtype != np.int64:\n"
            "        raise TypeError('token_ids must be int64')",
        ),
        Mistake(
            "ids_not_widened",
            "gave torch the ids as they came: index_add wants int32 or int64",
            "token_ids.long()",
            "token_ids",
            track="torch",
        ),
        Mistake(
            "values_read_on_the_device",
            "looked at the ids' values on the device, which has to stop for it",
            'if token_ids.device.type == "cpu":',
            "if True:",
            track="torch",
        ),
    )
