"""entropy: how much a distribution leaves open."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_flows, result_dtype, values
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.checks.truth import Extended, eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.divergence import yardsticks
from llm_math_tests.exercises.divergence.promises import gradient_survives
from llm_math_tests.exercises.divergence.situations import (
    along,
    axes,
    bad_rows,
    chances,
    fixed,
    long_rows,
    rounded,
    rows,
    sure,
)
from llm_math_tests.exercises.divergence.slips import (
    AXIS_NOT_CHECKED,
    CHECKED_ON_THE_DEVICE,
    of_every_row,
)
from llm_math_tests.truths import divergence as truth


def _between_zero_and_log_n(answer: Answer, inputs: Inputs) -> None:
    got = extended(expect_array(answer(inputs), answer.track))
    expect_shape(got, plain(inputs["p"]).shape[:-1])
    n = plain(inputs["p"]).shape[-1]
    most = np.log(Extended(n))
    allowed = 2 * n * eps(result_dtype(inputs, answer.track))
    bad = ~((got >= -allowed) & (got <= most + allowed))
    if bad.any():
        raise Wrong(
            f"an entropy between 0 and log {n} = {most:.7g}",
            f"{got[bad][0]:.7g}",
            allowed=f"2 n eps = {allowed:.1e}",
        )


between_zero_and_log_n = Check(
    "lies_between_zero_and_log_n",
    "core",
    "0 for a sure row, log n for equal chances, between them otherwise",
    _between_zero_and_log_n,
    (
        fixed("equal_chances", "equal chances", p=[[0.125] * 8, [0.125] * 8]),
        fixed("one_sure", "one row of equal chances, one sure", p=[[0.25] * 4, [0, 1, 0, 0]]),
        *ordinary(chances),
    ),
)


def _slopes(p: np.ndarray) -> dict[str, np.ndarray]:
    return {"p": np.where(p == 0, np.nan, -truth.logarithm(p) - 1)}


_TOTAL = "terms.sum(axis=axis)"
_CHECK = '_check_probs("p", p, axis)'
_PROBS = "probs = _widened(_as_float(p))"
_KEPT = "terms = np.maximum(probs, np.finfo(probs.dtype).tiny)"
_LOGS = "logs = probs.clamp(min=torch.finfo(probs.dtype).tiny).log_()"

EXERCISE = Exercise(
    name="entropy",
    topic="divergence",
    signature="entropy(p, axis=-1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "minus the sum of p log p, in nats",
            truth.entropy,
            ordinary(chances, *axes("p")),
            points=2,
        ),
        between_zero_and_log_n,
        gradient_flows(truth.entropy, (*ordinary(chances), along(0, ("p",))), through=["p"]),
        values(
            "counts_zero_as_nothing",
            "stable",
            "0 log 0 is 0",
            truth.entropy,
            (
                fixed("some_zero", "some of them exactly 0", p=[[0.5, 0, 0.5], [0.25, 0.75, 0]]),
                fixed("sure_rows", "all on one outcome", "float32", p=[[0, 1, 0], [1, 0, 0]]),
            ),
        ),
        values(
            "keeps_small_entropies",
            "stable",
            "a nearly sure row has a small entropy, with all its digits",
            truth.entropy,
            (
                fixed("float32", "one sure, the others 1e-30", "float32", p=[[1.0, 1e-30, 2e-30]]),
                fixed("float64", "one sure, the others 1e-200", p=[[1e-200, 1.0, 1e-150]]),
                fixed("float16", "one sure, the others 1e-4", "float16", p=[[1.0, 1e-4, 1e-4]]),
                fixed(
                    "nearly_sure", "one off 1 by 1e-6", "float32", p=[[1 - 2**-20, 2**-21, 2**-21]]
                ),
            ),
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of outcomes, one included",
            truth.entropy,
            long_rows("p"),
        ),
        values(
            "takes_rounded_rows_as_they_are",
            "stable",
            "rows whose sums are off by rounding are neither refused nor mended",
            truth.entropy,
            rounded("p"),
        ),
        gradient_survives(
            "gradient_survives_zeros",
            "no NaN and no infinity comes back from a probability of 0",
            truth.entropy,
            _slopes,
            (
                fixed("some_zero", "some of them exactly 0", p=[[0.5, 0, 0.5], [0.25, 0.75, 0]]),
                fixed("sure_rows", "all on one outcome", "float32", p=[[0, 1, 0], [1, 0, 0]]),
            ),
        ),
        *contract(chances, truth.entropy, integers=sure, refusals=bad_rows(chances, "p")),
    ),
    hints=(
        "What does the computer make of 0 * log(0), and what should it be? Which other number "
        "could you hand to the logarithm there, so that multiplying by 0 gives 0?",
        "A number added inside the logarithm changes every term; a floor far below every "
        "probability, or a choice (where) before the logarithm, changes only those of 0.",
        "float16 has 1e-4 as about its smallest number with all its digits: convert to float32 "
        "before the logarithm, and back after the sum.",
    ),
    mistakes=(
        *of_every_row(_CHECK),
        Mistake(
            "small_number_in_the_logarithm",
            "added 1e-12 inside the logarithm, which changes every term",
            _KEPT,
            "terms = probs + 1e-12",
        ),
        Mistake(
            "clipped_at_1e_7",
            "clipped the probabilities at 1e-7 before the logarithm",
            _KEPT,
            "terms = np.clip(probs, 1e-7, 1)",
        ),
        Mistake(
            "zero_times_infinity",
            "let 0 * log 0 be NaN",
            _KEPT,
            "terms = probs.copy()",
        ),
        Mistake(
            "one_nan_for_all",
            "replaced NaN after the sum: the row's other terms are gone",
            _KEPT,
            "terms = probs.copy()",
            also=((_TOTAL, "np.nan_to_num(terms.sum(axis=axis))"),),
        ),
        Mistake(
            "in_bits",
            "took the logarithm to base 2: that is in bits",
            "np.log(terms, out=terms)",
            "np.log2(terms, out=terms)",
        ),
        Mistake("sign_forgotten", "forgot the minus", "(0 - terms", "(0 + terms"),
        Mistake(
            "logarithm_alone",
            "summed the logarithms without multiplying by p",
            "terms *= probs",
            "",
        ),
        Mistake(
            "perplexity_returned",
            "returned exp of the entropy, the number of choices",
            f"(0 - {_TOTAL})",
            f"np.exp(0 - {_TOTAL})",
        ),
        Mistake(
            "divided_by_log_n",
            "divided by log n, so that equal chances give 1",
            f"(0 - {_TOTAL})",
            f"(0 - {_TOTAL} / np.log(max(2, p.shape[axis])))",
        ),
        Mistake(
            "softmax_taken",
            "took the softmax of what already is a distribution",
            _PROBS,
            f"{_PROBS}\n    probs = np.exp(probs)\n"
            "    probs = probs / probs.sum(axis=axis, keepdims=True)",
        ),
        Mistake(
            "normalized_again",
            "divided by the sum once more",
            _PROBS,
            f"{_PROBS}\n    probs = probs / probs.sum(axis=axis, keepdims=True)",
        ),
        Mistake(
            "small_probabilities_dropped",
            "left out what is below 1e-8, as if it were 0",
            "terms *= probs",
            "terms *= np.where(probs < 1e-8, 0 * probs, probs)",
        ),
        Mistake(
            "chosen_after_the_logarithm",
            "chose with where after the logarithm: going back, NaN comes from the other branch",
            "logs.mul_(probs)",
            "torch.where(probs > 0, probs * logs, torch.zeros_like(probs))",
            track="torch",
            also=((_LOGS, "logs = probs.log()"),),
        ),
        Mistake(
            "xlogy",
            "used xlogy(p, p), which is right at 0, but its gradient there is NaN",
            "logs.mul_(probs)",
            "torch.xlogy(probs, probs)",
            track="torch",
        ),
        AXIS_NOT_CHECKED,
        CHECKED_ON_THE_DEVICE,
    ),
    bench=matrix_bench(rows("p"), 1, 3, yardsticks.ENTROPY),
)
