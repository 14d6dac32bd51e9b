"""cross_entropy: the surprise at what really came."""

from __future__ import annotations

from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import beside_the_usual, gradient_flows, values
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.exercise import Exercise, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.cross_entropy import yardsticks
from llm_math_tests.exercises.cross_entropy.promises import (
    bad_targets,
    clean,
    takes_integers_of_any_width,
    two_kept,
)
from llm_math_tests.exercises.cross_entropy.situations import (
    LARGE,
    LONG_ROWS,
    MANY_TOKENS,
    MARKED,
    NONE_KEPT,
    POISONED,
    SEQUENCES,
    SIZES,
    SURE_AND_RIGHT,
    SURE_AND_WRONG,
    TINY,
    minus_infinity,
    rows,
    tokens,
)
from llm_math_tests.exercises.cross_entropy.slips import (
    FORWARD_LOSS,
    IGNORE_INDEX_HARD_CODED,
    half_precision_sum,
    of_every_answer,
    of_every_loss,
)
from llm_math_tests.truths import cross_entropy as truth

_MEAN = "mean = np.where(kept, losses, 0).sum() / kept.sum()"

EXERCISE = Exercise(
    name="cross_entropy",
    topic="cross_entropy",
    signature="cross_entropy(logits, targets, ignore_index=-100)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the mean of logsumexp(z) - z_t",
            truth.cross_entropy,
            ordinary(tokens, SEQUENCES),
            points=2,
        ),
        values(
            "leaves_out_ignored_tokens",
            "core",
            "ignored tokens are left out of the sum and of the count",
            truth.cross_entropy,
            MARKED,
            points=2,
        ),
        gradient_flows(
            truth.cross_entropy, (*ordinary(tokens, SEQUENCES), *MARKED[:2]), through=["logits"]
        ),
        values(
            "survives_large_logits",
            "stable",
            "large logits do not overflow",
            truth.cross_entropy,
            LARGE,
        ),
        values(
            "survives_tiny_logits",
            "stable",
            "logits next to nothing cost log V",
            truth.cross_entropy,
            TINY,
        ),
        values(
            "counts_sure_and_wrong_in_full",
            "stable",
            "a target whose probability underflows costs its full price",
            truth.cross_entropy,
            SURE_AND_WRONG,
        ),
        values(
            "costs_nothing_when_sure",
            "stable",
            "a sure and right prediction costs nothing beyond rounding",
            truth.cross_entropy,
            SURE_AND_RIGHT,
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "a target at -inf costs +inf, other classes at -inf nothing, a row of them NaN",
            truth.cross_entropy,
            minus_infinity(),
        ),
        beside_the_usual(
            "gives_nan_without_tokens",
            "stable",
            "the mean of no token is NaN",
            truth.cross_entropy,
            two_kept,
            NONE_KEPT,
        ),
        beside_the_usual(
            "never_reads_ignored_rows",
            "stable",
            "NaN and inf in the rows of ignored tokens change nothing",
            truth.cross_entropy,
            clean,
            POISONED,
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of classes, one included",
            truth.cross_entropy,
            LONG_ROWS,
        ),
        values(
            "averages_many_tokens",
            "stable",
            "the mean of many tokens keeps its digits",
            truth.cross_entropy,
            MANY_TOKENS,
        ),
        *contract(tokens, truth.cross_entropy, refusals=bad_targets()),
        takes_integers_of_any_width(truth.cross_entropy),
    ),
    scaled=("logits",),
    hints=(
        "The loss needs the logarithm of one probability of each token. Which two numbers is "
        "log softmax(z)_t the difference of, and can you have it without ever dividing?",
        "Subtract the row's maximum first; then take the target's logit (take_along_axis or "
        "gather with the targets as one more axis) and subtract the log of the sum.",
        "A token that is left out has no class to pick: give it class 0 before picking, set its "
        "loss to 0 after (0 * nan is nan, so do not multiply by the mask), and divide by the "
        "number of tokens kept.",
    ),
    mistakes=(
        *of_every_answer("chosen"),
        *of_every_loss(),
        Mistake(
            "log_likelihood",
            "forgot the minus: this is the log-likelihood, which should grow",
            FORWARD_LOSS,
            "losses = picked - np.log(shifted.sum(axis=-1))",
        ),
        Mistake(
            "probability_not_logarithm",
            "averaged 1 - p, not -log p",
            FORWARD_LOSS,
            "losses = 1 - np.exp(picked) / shifted.sum(axis=-1)",
        ),
        Mistake(
            "softmax_taken_twice",
            "took the softmax first; the cross-entropy takes it itself, so it ran twice",
            "scores = _widened(_as_float(logits))",
            "scores = _widened(_as_float(logits))\n"
            "    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))\n"
            "    scores /= scores.sum(axis=-1, keepdims=True)",
        ),
        Mistake(
            "negative_probability",
            "averaged -p, not -log p: nll_loss takes log-probabilities",
            FORWARD_LOSS,
            "losses = -np.exp(picked) / shifted.sum(axis=-1)",
        ),
        Mistake(
            "one_hot_times_logarithm",
            "multiplied by a one-hot target: 0 * -inf is NaN, not 0",
            "picked = np.take_along_axis(shifted, chosen[..., None], axis=-1)[..., 0]",
            "one_hot = np.equal(chosen[..., None], np.arange(shifted.shape[-1]))\n"
            "        picked = (one_hot * shifted).sum(axis=-1)",
        ),
        Mistake(
            "summed_not_averaged",
            "summed the losses and did not divide by the number of tokens",
            _MEAN,
            "mean = np.where(kept, losses, 0).sum()",
        ),
        Mistake(
            "divided_by_all_tokens",
            "divided by the number of all tokens, not of those kept",
            _MEAN,
            "mean = np.where(kept, losses, 0).sum() / losses.dtype.type(losses.size)",
        ),
        Mistake(
            "ignored_tokens_counted",
            "kept the ignored tokens, as if class 0 had been their target",
            _MEAN,
            "mean = losses.sum() / losses.dtype.type(losses.size)",
        ),
        Mistake(
            "mean_of_means",
            "averaged each sequence, then the averages: short sequences weigh too much",
            _MEAN,
            "mean = np.where(kept, losses, 0).sum(axis=-1, keepdims=losses.ndim == 0)\n"
            "        mean = (mean / kept.sum(axis=-1, keepdims=losses.ndim == 0)).mean()",
        ),
        Mistake(
            "one_loss_per_sequence",
            "averaged over the last axis only, and returned one loss for each sequence",
            _MEAN,
            "mean = np.atleast_1d(np.where(kept, losses, 0)).sum(axis=-1)\n"
            "        mean = mean / np.atleast_1d(kept).sum(axis=-1)",
        ),
        Mistake(
            "multiplied_by_the_mask",
            "multiplied the losses by the mask: NaN * 0 is NaN",
            _MEAN,
            "mean = (kept * losses).sum() / kept.sum()",
        ),
        Mistake(
            "zero_without_tokens",
            "returned 0 when no token is kept, as if it had all been predicted",
            _MEAN,
            "mean = np.where(kept, losses, 0).sum() / losses.dtype.type(max(kept.sum(), 1))",
        ),
        IGNORE_INDEX_HARD_CODED,
        half_precision_sum("np.where(kept, losses, 0)"),
    ),
    # A scalar has no axes to flatten, and one on the CPU may meet a tensor on the GPU.
    not_broken_by=("leading_axes_flattened", "made_on_the_cpu"),
    bench=matrix_bench(
        rows, 1, 4, yardsticks.CROSS_ENTROPY, SIZES, yardsticks.CROSS_ENTROPY_COMPOSED
    ),
)
