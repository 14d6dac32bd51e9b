"""cross_entropy_backward: predicted minus observed."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    beside_the_usual,
    expect_same,
    gradient_matches,
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
    clean,
    gradient_flows_again,
    rows_sum_to_zero,
    takes_integers_of_any_width,
    two_kept,
)
from llm_math_tests.exercises.cross_entropy.situations import (
    IGNORED,
    LARGE,
    LONG_GRADIENTS,
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
    IGNORE_INDEX_HARD_CODED,
    WRITTEN_INTO_A_COPY,
    of_every_answer,
    running_sum,
)
from llm_math_tests.truths import cross_entropy as truth


def _at(inputs: Inputs) -> tuple[Inputs, Value]:
    return inputs, np.ones(())


def _softmax_minus_one_hot(answer: Answer, inputs: Inputs, softmax: Answer) -> None:
    targets = inputs["targets"]
    kept = targets != inputs.get("ignore_index", IGNORED)
    p = softmax({"logits": inputs["logits"]})
    expect_shape(p, inputs["logits"].shape)
    difference = extended(expect_array(p, answer.track)).copy()
    difference[kept, targets[kept]] -= 1
    difference[~kept] = 0
    wanted = (difference / kept.sum()).astype(result_dtype(inputs, answer.track))
    true = truth.cross_entropy_backward(**inputs)
    expect_same(answer, answer(inputs), wanted, true.scale, true.relative_to, terms=true.terms)


_ONE_HOT = "rows[np.arange(len(rows)), chosen.reshape(-1)] -= 1 / count"
_COUNT = "count = np.maximum(kept.sum(), 1).astype(grad.dtype)"
_ZEROED = "grad[~kept] = 0"

EXERCISE = Exercise(
    name="cross_entropy_backward",
    topic="cross_entropy",
    signature="cross_entropy_backward(logits, targets, ignore_index=-100)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "(softmax - one_hot) divided by the number of tokens",
            truth.cross_entropy_backward,
            ordinary(tokens, SEQUENCES),
            points=2,
        ),
        gradient_matches(
            truth.cross_entropy, _at, ["logits"], (*ordinary(tokens, SEQUENCES), *MARKED[:2])
        ),
        relation(
            "softmax_minus_one_hot",
            "your softmax minus the one-hot, divided by the tokens kept",
            ["softmax"],
            _softmax_minus_one_hot,
            (*ordinary(tokens, SEQUENCES), *MARKED[:2]),
        ),
        values(
            "leaves_out_ignored_tokens",
            "core",
            "rows of ignored tokens are 0, and they are not counted",
            truth.cross_entropy_backward,
            MARKED,
            points=2,
        ),
        rows_sum_to_zero,
        values(
            "survives_large_logits",
            "stable",
            "large logits do not overflow",
            truth.cross_entropy_backward,
            LARGE,
        ),
        values(
            "survives_tiny_logits",
            "stable",
            "logits next to nothing give 1/V",
            truth.cross_entropy_backward,
            TINY,
        ),
        values(
            "keeps_pushing_when_sure_and_wrong",
            "stable",
            "a target of vanishing probability is pushed up in full",
            truth.cross_entropy_backward,
            SURE_AND_WRONG,
        ),
        values(
            "rests_when_sure_and_right",
            "stable",
            "a sure and right prediction is left as it is, beyond rounding",
            truth.cross_entropy_backward,
            SURE_AND_RIGHT,
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "a logit of -inf has probability 0, a row of them gives NaN",
            truth.cross_entropy_backward,
            minus_infinity(),
        ),
        beside_the_usual(
            "gives_zeros_without_tokens",
            "stable",
            "with no token kept every gradient is 0",
            truth.cross_entropy_backward,
            two_kept,
            NONE_KEPT,
        ),
        beside_the_usual(
            "never_reads_ignored_rows",
            "stable",
            "rows of ignored tokens are 0, whatever stands in their logits",
            truth.cross_entropy_backward,
            clean,
            POISONED,
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of classes, one included",
            truth.cross_entropy_backward,
            LONG_GRADIENTS,
        ),
        gradient_flows_again(truth.cross_entropy_backward),
        *contract(tokens, truth.cross_entropy_backward, refusals=bad_targets()),
        takes_integers_of_any_width(truth.cross_entropy_backward),
    ),
    scaled=("logits",),
    hints=(
        "Write the loss as log sum exp(z) - z_t and differentiate each part with respect to "
        "z_i. What is the derivative of a log-sum-exp?",
        "It is the softmax, and the other part gives 1 at the target: subtract 1 there in an "
        "array of your own. The loss is a mean, so divide by the number of tokens kept.",
        "Set the rows of ignored tokens to 0 at the very end, by assignment: 0 * nan is nan. "
        "With no token kept, take care not to divide by 0 before.",
    ),
    mistakes=(
        *of_every_answer("chosen"),
        Mistake(
            "observed_minus_predicted",
            "subtracted the wrong way round: a step along it makes the loss larger",
            _ONE_HOT,
            _ONE_HOT + "\n    np.negative(grad, out=grad)",
        ),
        Mistake(
            "one_hot_forgotten",
            "returned the softmax alone: the target was never subtracted",
            _ONE_HOT,
            "pass",
        ),
        Mistake(
            "target_set_to_minus_one",
            "set the target's place to -1 where p - 1 belongs",
            _ONE_HOT,
            "rows[np.arange(len(rows)), chosen.reshape(-1)] = -1 / count",
        ),
        WRITTEN_INTO_A_COPY,
        Mistake(
            "only_two_axes",
            "indexed rows and targets of a matrix: other numbers of axes do not work",
            _ONE_HOT,
            "grad[np.arange(len(chosen)), chosen] -= 1 / count",
        ),
        Mistake(
            "not_divided",
            "left out the division: this is the gradient of the sum, not of the mean",
            _COUNT,
            "count = grad.dtype.type(1)",
        ),
        Mistake(
            "divided_by_all_tokens",
            "divided by the number of all tokens, not of those kept",
            _COUNT,
            "count = grad.dtype.type(max(1, targets.size))",
        ),
        Mistake(
            "divided_by_the_elements",
            "divided by tokens times classes: the mean is over tokens",
            _COUNT,
            _COUNT + " * grad.dtype.type(grad.shape[-1])",
        ),
        Mistake(
            "ignored_rows_not_zeroed",
            "left a gradient in the rows of ignored tokens, as if class 0 had been their target",
            _ZEROED,
            "pass",
        ),
        Mistake(
            "one_hot_zeroed_only",
            "left the softmax in the rows of ignored tokens: only their one-hot is 0",
            _ONE_HOT,
            "rows[np.arange(len(rows)), chosen.reshape(-1)] -= kept.reshape(-1) / count",
            also=((_ZEROED, "pass"),),
        ),
        Mistake(
            "multiplied_by_the_mask",
            "multiplied by the mask: NaN * 0 is NaN",
            _ZEROED,
            "grad *= kept[..., None]",
        ),
        Mistake(
            "divided_by_no_tokens",
            "divided by the number of kept tokens when it is 0: 0 / 0 is NaN",
            _COUNT,
            "count = grad.dtype.type(1)",
            also=(
                (
                    _ZEROED,
                    f"{_ZEROED}\n    with np.errstate(invalid='ignore'):\n"
                    "        grad /= kept.sum().astype(grad.dtype)",
                ),
            ),
        ),
        IGNORE_INDEX_HARD_CODED,
        Mistake(
            "epsilon_in_the_logarithm",
            "differentiated log(p + 1e-7): the push fades where p is below that",
            _ZEROED,
            "p = rows[np.arange(len(rows)), chosen.reshape(-1)] * count + 1\n"
            f"    rows *= (p / (p + 1e-7)).astype(p.dtype)[:, None]\n    {_ZEROED}",
        ),
        Mistake(
            "normalized_over_the_batch",
            "normalized over all tokens together, not over each token's classes",
            "scores.max(axis=-1, keepdims=True)",
            "(scores.max() if scores.size else 0)",
            also=(("grad.sum(axis=-1, keepdims=True)", "grad.sum()"),),
        ),
        Mistake(
            "sum_over_the_batch",
            "divided by the sum over all tokens, not by each token's own",
            "grad.sum(axis=-1, keepdims=True)",
            "grad.sum()",
        ),
        Mistake(
            "half_precision_sum",
            "summed in float16, where adding to a large sum changes nothing",
            "scores = _widened(_as_float(logits))",
            "scores = _as_float(logits)",
            also=(running_sum("grad", "-1:"),),
        ),
    ),
    bench=matrix_bench(rows, 2, 5, yardsticks.BACKWARD, SIZES, yardsticks.BACKWARD_COMPOSED),
)
