"""js_divergence: two distributions compared symmetrically, without infinity."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    gradient_flows,
    relation,
    result_dtype,
    values,
)
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.checks.truth import Extended, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.divergence import yardsticks
from llm_math_tests.exercises.divergence.promises import gradient_survives
from llm_math_tests.exercises.divergence.situations import (
    along,
    axes,
    bad_rows,
    fixed,
    long_rows,
    many_outcomes,
    nearly_equal_pairs,
    other_shape,
    pair,
    rounded,
    rows,
    sure_pair,
    tiny_pairs,
    zeros_in_p,
)
from llm_math_tests.exercises.divergence.slips import (
    AXIS_NOT_CHECKED,
    CHECKED_ON_THE_DEVICE,
    of_every_row,
)
from llm_math_tests.truths import divergence as truth

DISJOINT = (
    fixed(
        "sure_and_apart", "nothing in common",
        p=[[1.0, 0.0], [0.0, 1.0]], q=[[0.0, 1.0], [1.0, 0.0]],
    ),
    fixed(
        "halves", "nothing in common", "float32",
        p=[[0.25, 0.75, 0.0, 0.0]], q=[[0.0, 0.0, 0.5, 0.5]],
    ),
    fixed(
        "one_in_common", "one outcome in common", p=[[0.5, 0.5, 0.0]], q=[[0.0, 0.5, 0.5]]
    ),
)  # fmt: skip


def _symmetric(answer: Answer, inputs: Inputs) -> None:
    wanted = truth.js_divergence(**inputs)
    forth = extended(expect_array(answer(inputs), answer.track))
    back = extended(expect_array(answer({"p": inputs["q"], "q": inputs["p"]}), answer.track))
    expect_shape(forth, wanted.value.shape)
    expect_shape(back, wanted.value.shape)
    dtype = result_dtype(inputs, answer.track)
    with np.errstate(invalid="ignore"):
        bad = ~((np.abs(forth - back) <= wanted.allowance(dtype)) | (forth == back))
    if bad.any():
        raise Wrong(
            "the same for (q, p) as for (p, q)",
            f"{forth[bad][0]:.7g} and {back[bad][0]:.7g}",
            allowed=wanted.why(dtype),
        )


symmetric = Check(
    "is_symmetric",
    "core",
    "p and q may change places",
    _symmetric,
    ordinary(pair, Case("one_row", pair)),
)


def _between_zero_and_log_2(answer: Answer, inputs: Inputs) -> None:
    wanted = truth.js_divergence(**inputs)
    got = extended(expect_array(answer(inputs), answer.track))
    expect_shape(got, wanted.value.shape)
    dtype = result_dtype(inputs, answer.track)
    allowed = wanted.allowance(dtype)
    bad = ~((got >= -allowed) & (got <= np.log(Extended(2)) + allowed))
    if bad.any():
        raise Wrong(
            "a divergence between 0 and log 2 = 0.6931472",
            f"{got[bad][0]:.7g}",
            allowed=wanted.why(dtype),
        )


between_zero_and_log_2 = Check(
    "lies_between_zero_and_log_2",
    "stable",
    "0 for equal distributions, log 2 for disjoint ones, between them otherwise",
    _between_zero_and_log_2,
    (*DISJOINT, *nearly_equal_pairs(), *ordinary(pair)),
)


def _is_a_mean_of_divergences(answer: Answer, inputs: Inputs, kl_divergence: Answer) -> None:
    p, q = inputs["p"], inputs["q"]
    m = (p + q) / 2
    mean = sum(extended(kl_divergence({"p": one, "q": m})) for one in (p, q)) / 2
    scale = truth.js_divergence(p, q).scale
    expect_same(
        answer, answer(inputs), mean, scale, "the mean of sum p (1 + |log p| + |log m|)",
        terms=2 * p.shape[-1],
    )  # fmt: skip


def _slopes(p: np.ndarray, q: np.ndarray) -> dict[str, np.ndarray]:
    log_m = truth.logarithm((p + q) / 2)
    return {
        name: np.where(x == 0, np.nan, (truth.logarithm(x) - log_m) / 2)
        for name, x in (("p", p), ("q", q))
    }


_LOOP = "_check_probs(name, probs, axis)"
_MIDDLE = "np.maximum(middle, tiny, out=middle)"
_FLOOR = "np.maximum(terms, tiny, out=terms)"
_HALF = "(0.5 * total)"

EXERCISE = Exercise(
    name="js_divergence",
    topic="divergence",
    signature="js_divergence(p, q, axis=-1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the mean of KL(p || m) and KL(q || m), m the average of p and q",
            truth.js_divergence,
            ordinary(pair, *axes("p", "q")),
            points=2,
        ),
        symmetric,
        relation(
            "is_a_mean_of_divergences",
            "it is (KL(p || m) + KL(q || m)) / 2 for one's own kl_divergence",
            ("kl_divergence",),
            _is_a_mean_of_divergences,
            (*ordinary(pair), DISJOINT[0]),
        ),
        gradient_flows(
            truth.js_divergence, (*ordinary(pair), along(0, ("p", "q"))), through=["p", "q"]
        ),
        values(
            "is_finite_for_disjoint_supports",
            "stable",
            "log 2, not infinity, for distributions that have nothing in common",
            truth.js_divergence,
            DISJOINT,
        ),
        between_zero_and_log_2,
        values(
            "counts_zero_as_nothing",
            "stable",
            "0 log 0 is 0, also where both are 0",
            truth.js_divergence,
            zeros_in_p(),
        ),
        values(
            "survives_tiny_probabilities",
            "stable",
            "tiny probabilities count in full",
            truth.js_divergence,
            tiny_pairs(),
        ),
        values(
            "cancels_within_rounding",
            "stable",
            "two distributions that are nearly equal, up to the rounding of the terms",
            truth.js_divergence,
            nearly_equal_pairs(),
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of outcomes, one included",
            truth.js_divergence,
            (*long_rows("p", "q"), *many_outcomes()),
        ),
        values(
            "takes_rounded_rows_as_they_are",
            "stable",
            "rows whose sums are off by rounding are neither refused nor mended",
            truth.js_divergence,
            rounded("p", "q"),
        ),
        gradient_survives(
            "gradient_survives_zeros",
            "no NaN and no infinity comes back from a probability of 0",
            truth.js_divergence,
            _slopes,
            (*zeros_in_p(), *DISJOINT[1:]),
        ),
        *contract(
            pair,
            truth.js_divergence,
            integers=sure_pair,
            refusals=(*bad_rows(pair, "p", "q"), other_shape(pair, "q", (1, 5))),
        ),
    ),
    hints=(
        "Which two divergences are averaged, and what do both of them stand beside? That third "
        "distribution is 0 only where both are.",
        "There are two places for 0: 0 / 0 in the quotient where both are 0, and 0 * log 0 where "
        "one is. A floor far below every probability takes care of both.",
        "float16 is summed in float32, the average too; in torch make every choice before the "
        "logarithm, or NaN comes back from it.",
    ),
    mistakes=(
        Mistake(
            "half_precision_sum_of_both",
            "summed in float16, where adding to a large sum changes nothing",
            "total = total + terms.sum(axis=axis)",
            "total = total + terms",
            also=(
                (
                    "return (0.5 * total)",
                    "half = (0.5 * total).astype(_as_float(p).dtype)\n"
                    "    half = np.add.accumulate(half, axis=axis, dtype=half.dtype)\n"
                    "    return half.take(-1, axis=axis)",
                ),
            ),
        ),
        *of_every_row(_LOOP),
        Mistake(
            "both_divergences_without_the_average",
            "averaged KL(p || q) and KL(q || p), which are infinite for disjoint supports",
            "np.divide(probs, middle, out=terms)",
            "other = second if probs is first else first\n"
            "        with np.errstate(divide='ignore', invalid='ignore'):\n"
            "            terms = np.where(probs == 0, 1, probs / other)",
        ),
        Mistake(
            "only_one_side",
            "computed KL(p || m) alone",
            "for probs in (first, second):",
            "for probs in (first, first):",
        ),
        Mistake(
            "not_halved",
            "added the two divergences and did not halve",
            _HALF,
            "(1.0 * total)",
        ),
        Mistake(
            "square_root_taken",
            "took the square root: that is the distance, which SciPy's jensenshannon returns",
            _HALF,
            "np.sqrt(np.maximum(0.5 * total, 0))",
        ),
        Mistake(
            "sum_for_the_average",
            "compared with p + q, not with half of it",
            "middle *= 0.5",
            "",
        ),
        Mistake(
            "turned_round",
            "computed KL(m || p) and KL(m || q), which are infinite where p or q is 0",
            "np.divide(probs, middle, out=terms)",
            "with np.errstate(divide='ignore', invalid='ignore'):\n"
            "            terms = np.where(middle <= tiny, 1, middle / probs)",
            also=(("terms *= probs", "terms *= middle"),),
        ),
        Mistake(
            "geometric_mean",
            "took the geometric mean of p and q for the average, which is 0 where either is",
            _MIDDLE,
            "middle = np.maximum(np.sqrt(first * second), tiny)",
        ),
        Mistake(
            "in_bits",
            "took the logarithm to base 2: then the largest value is 1",
            "np.log(terms, out=terms)",
            "np.log2(terms, out=terms)",
        ),
        Mistake(
            "small_number_in_the_logarithm",
            "added 1e-12 inside the logarithm, which changes every term",
            "np.divide(probs, middle, out=terms)",
            "np.divide(probs + 1e-12, middle + 1e-12, out=terms)",
        ),
        Mistake(
            "clipped_at_1e_7",
            "clipped both at 1e-7 before anything else",
            "second = _widened(_as_float(q))",
            "second = np.clip(_widened(_as_float(q)), 1e-7, 1)\n"
            "    first = np.clip(first, 1e-7, 1)",
        ),
        Mistake(
            "zero_over_zero",
            "let 0 / 0 be NaN where both are 0",
            _MIDDLE,
            "",
        ),
        Mistake(
            "zero_times_infinity",
            "let 0 * log 0 be NaN where one of them is 0",
            _FLOOR,
            "",
        ),
        Mistake(
            "log_2_taken_for_granted",
            "put log 2 outside the sums, as if every row summed exactly to 1",
            "middle *= 0.5",
            "",
            also=((_HALF, "(np.log(2.0) + 0.5 * total)"),),
        ),
        Mistake(
            "normalized_again",
            "divided both by their sums once more, as SciPy's jensenshannon does",
            "second = _widened(_as_float(q))",
            "second = _widened(_as_float(q))\n"
            "    first = first / first.sum(axis=axis, keepdims=True)\n"
            "    second = second / second.sum(axis=axis, keepdims=True)",
        ),
        Mistake(
            "shapes_not_compared",
            "let a q of another shape broadcast",
            "_check_same_shape(p, q)",
            "",
        ),
        Mistake(
            "chosen_after_the_logarithm",
            "chose with where after the logarithm: going back, NaN comes from the other branch",
            "logs.mul_(probs)",
            "torch.where(probs > 0, probs * (probs / middle).log(), torch.zeros_like(probs))",
            track="torch",
        ),
        Mistake(
            "average_detached",
            "detached the average: part of the gradient goes through it",
            ".clamp_(min=tiny)\n    total",
            ".clamp_(min=tiny).detach()\n    total",
            track="torch",
        ),
        AXIS_NOT_CHECKED,
        CHECKED_ON_THE_DEVICE,
    ),
    bench=matrix_bench(rows("p", "q"), 2, 9, yardsticks.JS_DIVERGENCE),
)
