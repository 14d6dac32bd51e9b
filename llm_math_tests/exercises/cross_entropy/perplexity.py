"""perplexity: how many classes the model hesitates between."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    beside_the_usual,
    expect_same,
    gradient_flows,
    relation,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.cross_entropy import yardsticks
from llm_math_tests.exercises.cross_entropy.promises import (
    bad_targets,
    first_two,
    some_tokens,
    takes_integers_of_any_width,
)
from llm_math_tests.exercises.cross_entropy.situations import (
    GUESSES,
    LONG_ROWS,
    MANY_TOKENS,
    NO_TOKEN,
    PERPLEXED,
    SEQUENCES,
    SHIFTED,
    SIZES,
    SURE_AND_RIGHT,
    SURE_AND_WRONG,
    TINY,
    minus_infinity,
    rows,
    tokens,
)
from llm_math_tests.exercises.cross_entropy.slips import (
    ZERO_WITHOUT_TOKENS,
    half_precision_sum,
    of_every_answer,
    of_every_loss,
)
from llm_math_tests.truths import cross_entropy as truth


def _exponential_of_cross_entropy(answer: Answer, inputs: Inputs, cross_entropy: Answer) -> None:
    loss = cross_entropy(inputs)
    expect_shape(loss, ())
    hesitation = np.exp(extended(expect_array(loss, answer.track)))
    true = truth.perplexity(**inputs)
    wanted = hesitation.astype(result_dtype(inputs, answer.track))
    expect_same(answer, answer(inputs), wanted, true.scale, true.relative_to, terms=true.terms)


_MEAN = "mean = losses.sum() / losses.size"
_EXP = "np.exp(mean)"

EXERCISE = Exercise(
    name="perplexity",
    topic="cross_entropy",
    signature="perplexity(logits, targets)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "exp of the mean cross-entropy",
            truth.perplexity,
            ordinary(tokens, SEQUENCES),
            points=2,
        ),
        values(
            "a_guess_has_perplexity_v",
            "core",
            "equal logits of V classes have perplexity V",
            truth.perplexity,
            GUESSES,
        ),
        relation(
            "exponential_of_cross_entropy",
            "the exponential of your cross_entropy",
            ["cross_entropy"],
            _exponential_of_cross_entropy,
            ordinary(tokens, SEQUENCES),
        ),
        gradient_flows(truth.perplexity, ordinary(tokens, SEQUENCES), through=["logits"]),
        values(
            "survives_large_logits",
            "stable",
            "large logits do not overflow on the way",
            truth.perplexity,
            SHIFTED,
        ),
        values(
            "survives_tiny_logits",
            "stable",
            "logits next to nothing have perplexity V",
            truth.perplexity,
            TINY,
        ),
        values(
            "is_one_when_sure",
            "stable",
            "a sure and right prediction has perplexity 1 beyond rounding",
            truth.perplexity,
            SURE_AND_RIGHT,
        ),
        values(
            "counts_sure_and_wrong_in_full",
            "stable",
            "a target whose probability is tiny counts in full",
            truth.perplexity,
            SURE_AND_WRONG,
        ),
        values(
            "reaches_the_largest_numbers",
            "stable",
            "infinite only where the dtype holds no number that large",
            truth.perplexity,
            PERPLEXED,
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "a target at -inf gives +inf, other classes at -inf nothing, a row of them NaN",
            truth.perplexity,
            minus_infinity(),
        ),
        beside_the_usual(
            "gives_nan_without_tokens",
            "stable",
            "the mean of no token is NaN",
            truth.perplexity,
            some_tokens,
            NO_TOKEN,
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of classes, one included",
            truth.perplexity,
            LONG_ROWS,
        ),
        beside_the_usual(
            "averages_many_tokens",
            "stable",
            "thousands of tokens, whose probabilities multiply to 0",
            truth.perplexity,
            first_two,
            MANY_TOKENS,
        ),
        *contract(tokens, truth.perplexity, refusals=bad_targets(-100)),
        takes_integers_of_any_width(truth.perplexity),
    ),
    scaled=("logits",),
    hints=(
        "Perplexity is one exponential away from a loss that you have already written. In "
        "which order do the mean and the exponential go?",
        "First the mean of -log p over all tokens, then exp of that one number.",
        "For float16, stay in float32 until the very end: the exponential makes a rounding "
        "error of the mean larger.",
    ),
    mistakes=(
        *of_every_answer(),
        *of_every_loss(),
        Mistake(
            "mean_of_exponentials",
            "took exp of each token's loss and averaged: the mean comes first",
            _MEAN,
            "mean = np.log(np.exp(losses).sum() / losses.size)",
        ),
        Mistake(
            "exponential_of_the_sum",
            "took exp of the sum of the losses, not of their mean",
            _MEAN,
            "mean = losses.sum()",
        ),
        Mistake(
            "exponential_forgotten",
            "returned the mean cross-entropy: its exponential is missing",
            _EXP,
            "mean",
        ),
        Mistake(
            "two_to_the_nats",
            "raised 2 to a loss in nats: 2 goes with logarithms to base 2",
            _EXP,
            "np.exp2(mean)",
        ),
        Mistake(
            "inverse_perplexity",
            "took exp of the mean log-probability: the perplexity is its inverse",
            _EXP,
            "np.exp(-mean)",
        ),
        Mistake(
            "inverse_mean_probability",
            "inverted the mean probability: it is the geometric mean that counts",
            _MEAN,
            "mean = -np.log(np.exp(-losses).sum() / losses.size)",
        ),
        Mistake(
            "product_of_probabilities",
            "multiplied the probabilities of all tokens, which underflow to 0",
            _MEAN,
            "product = np.prod(np.exp(-losses))\n        mean = -np.log(product) / losses.size",
        ),
        Mistake(
            "mean_over_sequences",
            "took the perplexity of each sequence and averaged those",
            _MEAN,
            "means = losses.mean(axis=-1) if losses.ndim and losses.size else losses\n"
            "        mean = np.log(np.exp(means).mean())",
        ),
        ZERO_WITHOUT_TOKENS,
        Mistake(
            "padding_left_out",
            "left out targets of -100, which are out of range here",
            "_check_range(targets, logits.shape[-1])",
            "targets = np.where(targets == -100, 0, targets)\n"
            "    _check_range(targets, logits.shape[-1])",
        ),
        Mistake(
            "loss_capped",
            "capped the loss before the exponential, against an overflow that is none",
            _EXP,
            "np.exp(np.minimum(mean, 20))",
        ),
        half_precision_sum(),
    ),
    # A scalar has no axes to flatten, and one on the CPU may meet a tensor on the GPU.
    not_broken_by=("leading_axes_flattened", "made_on_the_cpu"),
    bench=matrix_bench(rows, 1, 4, yardsticks.PERPLEXITY, SIZES),
)
