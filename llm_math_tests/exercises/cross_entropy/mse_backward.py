"""mse_backward: the loss that goes quiet where it is most wrong."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.values import Value
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import gradient_matches, values
from llm_math_tests.checks.situations import ordinary
from llm_math_tests.exercise import Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.cross_entropy import yardsticks
from llm_math_tests.exercises.cross_entropy.promises import (
    bad_targets,
    gradient_flows_again,
    rows_sum_to_zero,
    takes_integers_of_any_width,
)
from llm_math_tests.exercises.cross_entropy.situations import (
    LARGE,
    LONG_GRADIENTS,
    NO_TOKEN,
    SEQUENCES,
    SURE_AND_RIGHT,
    SURE_AND_WRONG,
    TINY,
    minus_infinity,
    rows,
    tokens,
)
from llm_math_tests.exercises.cross_entropy.slips import WRITTEN_INTO_A_COPY, of_every_answer
from llm_math_tests.truths import cross_entropy as truth


def _at(inputs: Inputs) -> tuple[Inputs, Value]:
    return inputs, np.ones(())


_ONE_HOT = "rows[np.arange(len(rows)), targets.reshape(-1)] -= 1"
_CENTRED = "grad = probs - inner"
_DIVIDED = "grad *= 2 / max(1, grad.size)"

EXERCISE = Exercise(
    name="mse_backward",
    topic="cross_entropy",
    signature="mse_backward(logits, targets)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "2 / (tokens V) times p (d - sum of d p)",
            truth.mse_backward,
            ordinary(tokens, SEQUENCES),
            points=2,
        ),
        gradient_matches(truth.mean_squared_error, _at, ["logits"], ordinary(tokens, SEQUENCES)),
        rows_sum_to_zero,
        values(
            "fades_where_sure_and_wrong",
            "stable",
            "where softmax saturates on a wrong class the gradient is as small as p, not clipped",
            truth.mse_backward,
            SURE_AND_WRONG,
        ),
        values(
            "rests_when_sure_and_right",
            "stable",
            "a sure and right prediction is left as it is, beyond rounding",
            truth.mse_backward,
            SURE_AND_RIGHT,
        ),
        values(
            "survives_large_logits",
            "stable",
            "large logits do not overflow",
            truth.mse_backward,
            LARGE,
        ),
        values(
            "survives_tiny_logits",
            "stable",
            "logits next to nothing, and equal ones, have a gradient",
            truth.mse_backward,
            TINY,
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "a logit of -inf has gradient 0, a row of them gives NaN",
            truth.mse_backward,
            minus_infinity(),
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of classes, one included",
            truth.mse_backward,
            LONG_GRADIENTS,
        ),
        values(
            "handles_an_empty_batch",
            "contract",
            "no tokens give no gradients, in the shape of the logits",
            truth.mse_backward,
            NO_TOKEN,
        ),
        gradient_flows_again(truth.mse_backward),
        *contract(tokens, truth.mse_backward, refusals=bad_targets(-100)),
        takes_integers_of_any_width(truth.mse_backward),
    ),
    scaled=("logits",),
    hints=(
        "Take it in two steps: what is the derivative of the mean of (p - y)^2 with respect to "
        "p, and how does softmax hand a gradient g on to its logits?",
        "The first is 2 (p - y) / (tokens V). The second is p * (g - sum(g p)): you may have "
        "written it as softmax_backward.",
        "Keep p as it is, however small: clip it and the lesson of this exercise is gone.",
    ),
    mistakes=(
        *of_every_answer(),
        Mistake(
            "softmax_not_differentiated",
            "stopped at the probabilities: softmax has a derivative too",
            _CENTRED,
            "grad = probs.copy()",
            also=(("grad *= probs", "pass"),),
        ),
        Mistake(
            "derivative_of_sigmoid",
            "used p (1 - p), as if each class had a sigmoid of its own",
            _CENTRED,
            "grad = probs.copy()",
            also=(("grad *= probs", "grad *= probs * (1 - probs)"),),
        ),
        Mistake(
            "gradient_of_cross_entropy",
            "wrote p - y, which is the gradient of the cross-entropy",
            _CENTRED,
            "grad = probs.copy()",
            also=(("grad *= probs", "pass"), (_DIVIDED, "grad *= 1 / max(1, targets.size)")),
        ),
        Mistake(
            "factor_two_missing",
            "left out the 2 of the square's derivative",
            _DIVIDED,
            "grad *= 1 / max(1, grad.size)",
        ),
        Mistake(
            "mean_over_tokens",
            "divided by the number of tokens: the mean is over all tokens times V elements",
            _DIVIDED,
            "grad *= 2 / max(1, targets.size)",
        ),
        Mistake(
            "summed_not_averaged",
            "did not divide: this is the gradient of the sum of squares",
            _DIVIDED,
            "grad *= 2",
        ),
        Mistake(
            "divided_by_the_size",
            "divided by the number of elements without a thought for an empty batch",
            _DIVIDED,
            "grad *= 2 / grad.size",
        ),
        Mistake(
            "observed_minus_predicted",
            "subtracted the wrong way round: a step along it makes the loss larger",
            _DIVIDED,
            "grad *= -2 / max(1, grad.size)",
        ),
        Mistake(
            "one_hot_forgotten",
            "left the target out: nothing pulls towards it",
            _ONE_HOT,
            "pass",
            also=(
                ("inner = inner - np.take_along_axis(probs, targets[..., None], axis=-1)", "pass"),
            ),
        ),
        Mistake(
            "probabilities_clipped",
            "clipped the probabilities to [1e-7, 1]: the gradient stops shrinking there",
            "inner = np.einsum(",
            "probs = np.clip(probs, 1e-7, 1)\n    inner = np.einsum(",
        ),
        Mistake(
            "normalized_over_the_batch",
            "normalized over all tokens together, not over each token's classes",
            "scores.max(axis=-1, keepdims=True)",
            "(scores.max() if scores.size else 0)",
            also=(("probs /= probs.sum(axis=-1, keepdims=True)", "probs /= probs.sum()"),),
        ),
        Mistake(
            "sum_over_the_batch",
            "divided by the sum over all tokens, not by each token's own",
            "probs /= probs.sum(axis=-1, keepdims=True)",
            "probs /= probs.sum()",
        ),
        WRITTEN_INTO_A_COPY,
    ),
    bench=matrix_bench(rows, 2, 9, yardsticks.MSE_BACKWARD, ((64, 1024), (1024, 8192))),
)
