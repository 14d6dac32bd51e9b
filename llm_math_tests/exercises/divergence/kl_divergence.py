"""kl_divergence: what it costs to believe q where p is true."""

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
from llm_math_tests.checks.truth import extended
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

_CASES_OF_TWO = (Case("one_row", pair), *ordinary(pair))


def _never_negative(answer: Answer, inputs: Inputs) -> None:
    wanted = truth.kl_divergence(**inputs)
    apart = extended(expect_array(answer(inputs), answer.track))
    itself = extended(expect_array(answer({**inputs, "q": inputs["p"].copy()}), answer.track))
    expect_shape(apart, wanted.value.shape)
    expect_shape(itself, wanted.value.shape)
    dtype = result_dtype(inputs, answer.track)
    allowed = wanted.allowance(dtype)
    if not (apart >= -allowed).all():
        raise Wrong("no divergence below 0", f"{apart.min():.7g}", allowed=wanted.why(dtype))
    if not (np.abs(itself) <= allowed).all():
        worst = itself.flat[np.argmax(np.abs(itself))]
        raise Wrong("0 where q = p", f"{worst:.7g}", allowed=wanted.why(dtype))


never_negative = Check(
    "is_zero_only_for_itself",
    "core",
    "no divergence is negative, and that of a distribution from itself is 0",
    _never_negative,
    (*_CASES_OF_TWO, *(case for case in nearly_equal_pairs() if case.name != "equal")),
)


def _completes_the_cross_entropy(
    answer: Answer, inputs: Inputs, entropy: Answer, cross_entropy: Answer
) -> None:
    p, q = inputs["p"], inputs["q"]
    logits = np.log(q)
    crossed = sum(
        p[t] * extended(cross_entropy({"logits": logits, "targets": np.array(t)}))
        for t in range(len(p))
    )
    together = extended(entropy({"p": p})) + extended(answer(inputs))
    scale = truth.kl_divergence(p, q).scale
    expect_same(
        answer, np.asarray(together, p.dtype), crossed, scale,
        "sum p (1 + |log p| + |log q|)", terms=len(p),
    )  # fmt: skip


def _slopes(p: np.ndarray, q: np.ndarray) -> dict[str, np.ndarray]:
    safe = np.where(p == 0, 1, q)
    return {
        "p": np.where(p == 0, np.nan, truth.logarithm(p) - truth.logarithm(safe) + 1),
        "q": -p / safe,
    }


_LOOP = "_check_probs(name, probs, axis)"
_TOTAL = "terms.sum(axis=axis)"
_SAFE = "np.where(true == 0, true.dtype.type(1), believed)"
_RATIO = f"terms = true / {_SAFE}"
_BELIEVED = "believed = _widened(_as_float(q))"
_TRUE = "true = _widened(_as_float(p))"

EXERCISE = Exercise(
    name="kl_divergence",
    topic="divergence",
    signature="kl_divergence(p, q, axis=-1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the sum of p log(p/q), in nats",
            truth.kl_divergence,
            ordinary(
                pair,
                fixed("the_chapters", "the example's", p=[0.9, 0.1], q=[0.8, 0.2]),
                *axes("p", "q"),
            ),
            points=2,
        ),
        never_negative,
        relation(
            "completes_the_cross_entropy",
            "entropy of p + KL(p || q) is the cross-entropy of p and q",
            ("entropy", "cross_entropy"),
            _completes_the_cross_entropy,
            (Case("float64", pair), Case("float32", lambda rng: pair(rng, "float32"))),
        ),
        gradient_flows(
            truth.kl_divergence, (*ordinary(pair), along(0, ("p", "q"))), through=["p", "q"]
        ),
        values(
            "is_infinite_where_q_leaves_out",
            "stable",
            "+inf where q = 0 < p, and only there",
            truth.kl_divergence,
            (
                fixed(
                    "one_row",
                    "one row whose q is 0 where its p is not",
                    p=[[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]],
                    q=[[1.0, 0.0, 0.0], [0.25, 0.5, 0.25]],
                ),
                fixed(
                    "disjoint",
                    "nothing in common, in one row of two",
                    "float32",
                    p=[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]],
                    q=[[0.0, 0.0, 1.0], [0.5, 0.25, 0.25]],
                ),
            ),
        ),
        values(
            "counts_zero_as_nothing",
            "stable",
            "where p is 0 nothing is added, even if q is 0 too",
            truth.kl_divergence,
            zeros_in_p(),
        ),
        values(
            "survives_tiny_probabilities",
            "stable",
            "tiny probabilities count in full",
            truth.kl_divergence,
            tiny_pairs(),
        ),
        values(
            "cancels_within_rounding",
            "stable",
            "two distributions that are nearly equal, up to the rounding of the terms",
            truth.kl_divergence,
            nearly_equal_pairs(),
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of outcomes, one included",
            truth.kl_divergence,
            (*long_rows("p", "q"), *many_outcomes()),
        ),
        values(
            "takes_rounded_rows_as_they_are",
            "stable",
            "rows whose sums are off by rounding are neither refused nor mended",
            truth.kl_divergence,
            rounded("p", "q"),
        ),
        gradient_survives(
            "gradient_survives_zeros",
            "no NaN and no infinity comes back from a p of 0",
            truth.kl_divergence,
            _slopes,
            (
                *zeros_in_p(),
                fixed(
                    "q_of_1e_25",
                    "a q of 1e-25",
                    "float32",
                    p=[[0.5, 0.0, 0.5], [1e-25, 0.5, 0.5]],
                    q=[[0.5, 1e-25, 0.5], [1e-25, 0.5, 0.5]],
                ),
                fixed(
                    "q_of_1e_25_for_p_of_half",
                    "a q of 1e-25 where p is 0.5",
                    "float32",
                    p=[0.5, 0.25, 0.25],
                    q=[1e-25, 0.5, 0.5],
                ),
            ),
        ),
        *contract(
            pair,
            truth.kl_divergence,
            integers=sure_pair,
            refusals=(
                *bad_rows(pair, "p", "q"),
                other_shape(pair, "q", (1, 5)),
            ),
        ),
    ),
    hints=(
        "Where p is 0, which q could stand there without changing the true answer, so that "
        "neither 0 / 0 nor log 0 happens?",
        "Where q is 0 and p is not, the answer is infinity: log(p / 0) gives it by itself, unless "
        "something small is added to q.",
        "In torch, make the choice before the logarithm: what where throws away afterwards still "
        "sends its NaN back.",
    ),
    mistakes=(
        *of_every_row(_LOOP),
        Mistake(
            "arguments_swapped",
            "computed KL(q || p): the first argument is the truth",
            _TRUE,
            "true = _widened(_as_float(q))",
            also=((_BELIEVED, "believed = _widened(_as_float(p))"),),
        ),
        Mistake(
            "small_number_in_the_logarithm",
            "added 1e-12 inside both logarithms: what should be infinite says only 1e-12",
            _RATIO,
            "terms = (true + 1e-12) / (believed + 1e-12)",
        ),
        Mistake(
            "q_clipped",
            "clipped q at 1e-7: what should be infinite becomes 16 p",
            _BELIEVED,
            f"{_BELIEVED}\n    believed = np.clip(believed, 1e-7, 1)",
        ),
        Mistake(
            "zero_over_zero",
            "let 0 / 0 be NaN where both are 0",
            _RATIO,
            "terms = true / believed",
        ),
        Mistake(
            "zero_times_infinity",
            "let 0 * log 0 be NaN where p is 0",
            "np.maximum(terms, np.finfo(terms.dtype).tiny, out=terms)",
            "",
        ),
        Mistake(
            "infinity_left_out",
            "left out the outcomes with q = 0 < p, which make the divergence infinite",
            _TOTAL,
            "np.where(np.isinf(terms), 0, terms).sum(axis=axis)",
        ),
        Mistake(
            "number_for_infinity",
            "put 10000 for infinity with nan_to_num",
            _TOTAL,
            "np.nan_to_num(terms, posinf=1e4).sum(axis=axis)",
        ),
        Mistake(
            "cross_entropy_returned",
            "summed -p log q: that is the cross-entropy, with the entropy of p in it",
            _RATIO,
            f"terms = 1 / {_SAFE}",
        ),
        Mistake(
            "sign_turned", "summed p log(q/p): that is minus the divergence", _TOTAL, f"(-{_TOTAL})"
        ),
        Mistake(
            "in_bits",
            "took the logarithm to base 2: that is in bits",
            "np.log(terms, out=terms)",
            "np.log2(terms, out=terms)",
        ),
        Mistake(
            "not_weighted",
            "summed log(p/q) without multiplying by p",
            "terms *= true",
            "terms *= true > 0",
        ),
        Mistake(
            "absolute_terms",
            "took the absolute value of every term; the negative ones belong to the sum",
            _TOTAL,
            "np.abs(terms).sum(axis=axis)",
        ),
        Mistake(
            "generalized",
            "used scipy.special.kl_div, which adds q - p to every term",
            _TOTAL,
            "(terms - true + believed).sum(axis=axis)",
        ),
        Mistake(
            "normalized_again",
            "divided both by their sums once more, as scipy.stats.entropy does",
            _TRUE,
            f"{_TRUE}\n    true = true / true.sum(axis=axis, keepdims=True)",
            also=(
                (
                    _BELIEVED,
                    f"{_BELIEVED}\n"
                    "    believed = believed / believed.sum(axis=axis, keepdims=True)",
                ),
            ),
        ),
        Mistake(
            "symmetrized",
            "added KL(q || p) and halved",
            "terms *= true",
            "terms *= 0.5 * (true - believed)\n"
            "    terms = np.where((true == 0) & (believed > 0), np.inf, terms)",
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
            "logs.mul_(true)",
            "torch.where(true > 0, true * (true.log() - believed.log()), torch.zeros_like(true))",
            track="torch",
        ),
        Mistake(
            "quotient_overflows_going_back",
            "divided p by q: the gradient of a quotient has 1 / q^2 in it, which overflows",
            "logs.sub_(believed.masked_fill(true == 0, 1).log_())",
            "logs = (true / believed.masked_fill(true == 0, 1)).clamp(\n"
            "        min=torch.finfo(true.dtype).tiny).log()",
            track="torch",
        ),
        Mistake(
            "p_detached",
            "detached p: it may learn too",
            "true, believed = _widened(p), _widened(q)",
            "true, believed = _widened(p).detach(), _widened(q)",
            track="torch",
        ),
        AXIS_NOT_CHECKED,
        CHECKED_ON_THE_DEVICE,
    ),
    bench=matrix_bench(rows("p", "q"), 2, 4, yardsticks.KL_DIVERGENCE),
)
