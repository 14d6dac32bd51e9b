"""distillation_loss: a student learns the whole distribution of its teacher."""

from __future__ import annotations

from functools import partial

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    expect_truth,
    gradient_flows,
    relation,
    values,
)
from llm_math_tests.checks.situations import given, ordinary, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.divergence import yardsticks
from llm_math_tests.exercises.divergence.logits import (
    IMPOSSIBLE,
    LARGE,
    LONG_ROWS,
    MASKED,
    NEARLY_EQUAL,
    NOTHING_LEFT,
    ONE_ROW,
    SEQUENCES,
    UNDERFLOWING,
    bad_logits,
    rows_of_logits,
    two_models,
)
from llm_math_tests.exercises.divergence.promises import gradient_survives
from llm_math_tests.exercises.divergence.slips import in_helper
from llm_math_tests.truths import divergence as truth
from llm_math_tests.truths.softmax import probabilities


def _unchanged_by_constants(answer: Answer, inputs: Inputs) -> None:
    moved = {**inputs, "student_logits": inputs["student_logits"] + 32.0}
    moved["teacher_logits"] = inputs["teacher_logits"] + np.array([[-8.0], [64.0], [0.5]])
    for asked in (inputs, moved):
        expect_truth(answer, answer(asked), truth.distillation_loss(**asked), "float64")


unchanged_by_constants = Check(
    "unchanged_by_constants",
    "core",
    "adding a constant to a row of either changes nothing",
    _unchanged_by_constants,
    (Case("float64", lambda rng: two_models(rng, "float64", (3,))),),
)


def _is_a_mean_of_divergences(
    answer: Answer, inputs: Inputs, softmax: Answer, kl_divergence: Answer
) -> None:
    t = inputs.get("temperature", 2.0)
    q, p = (
        softmax({"logits": inputs[name], "temperature": t})
        for name in ("student_logits", "teacher_logits")
    )
    divergences = extended(kl_divergence({"p": p, "q": q}))
    expect_same(
        answer, answer(inputs), np.asarray(t * t * divergences.mean()),
        truth.distillation_loss(**inputs).scale,
        "T^2 times the mean of sum p (1 + |log p| + |log q|)",
        terms=plain(p).size,
    )  # fmt: skip


def _slopes(student_logits: np.ndarray, teacher_logits: np.ndarray) -> dict[str, np.ndarray]:
    q, p = probabilities(student_logits / 2), probabilities(teacher_logits / 2)
    ratio = truth.logarithm(p) - truth.logarithm(np.where(p == 0, 1, q))
    divergence = (p * ratio).sum(axis=-1, keepdims=True)
    each = 2 / np.prod(p.shape[:-1])
    return {"student_logits": each * (q - p), "teacher_logits": each * p * (ratio - divergence)}


_helper = partial(in_helper, "_log_softmax")
"""An edit of the logarithms that both sides share."""


_LOSS = "loss = temperature**2 * (rows.sum() / rows.size)"
_P = "p = np.exp(log_p)"
_NOTHING = "np.copyto(terms, 0, where=p == 0)"
_LOG_Q = "log_q = _log_softmax(student_logits, temperature)"
_LOG_P = "log_p = _log_softmax(teacher_logits, temperature)"
_TORCH_TERMS = "(log_p - log_q).masked_fill_(p == 0, 0).mul_(p)"

EXERCISE = Exercise(
    name="distillation_loss",
    topic="divergence",
    signature="distillation_loss(student_logits, teacher_logits, temperature=2.0)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "T^2 times KL(teacher || student) at temperature T",
            truth.distillation_loss,
            (
                ONE_ROW,
                *(given(two_models, "temperature", temperature) for temperature in (1.0, 4.0, 0.5)),
            ),
            points=2,
        ),
        values(
            "averages_over_rows",
            "core",
            "the mean over all rows, whatever axes they stand on",
            truth.distillation_loss,
            ordinary(two_models, SEQUENCES),
        ),
        unchanged_by_constants,
        relation(
            "is_a_mean_of_divergences",
            "it is T^2 times the mean of one's own kl_divergence of one's own softmax",
            ("softmax", "kl_divergence"),
            _is_a_mean_of_divergences,
            (*ordinary(two_models), given(two_models, "temperature", 4.0)),
        ),
        gradient_flows(
            truth.distillation_loss,
            (*ordinary(two_models, SEQUENCES), given(two_models, "temperature", 0.5)),
            through=["student_logits", "teacher_logits"],
        ),
        values(
            "survives_large_logits",
            "stable",
            "large logits do not overflow, nor lose their differences",
            truth.distillation_loss,
            LARGE,
        ),
        values(
            "counts_underflowing_classes_in_full",
            "stable",
            "a class whose probability underflows for the student costs its full price",
            truth.distillation_loss,
            UNDERFLOWING,
        ),
        values(
            "cancels_within_rounding",
            "stable",
            "two models that nearly agree, up to the rounding of the terms",
            truth.distillation_loss,
            NEARLY_EQUAL,
        ),
        values(
            "survives_extreme_temperatures",
            "stable",
            "low temperatures do not overflow, high ones keep the factor T^2",
            truth.distillation_loss,
            tuple(given(two_models, "temperature", temperature) for temperature in (1e-3, 1e3)),
        ),
        values(
            "leaves_masked_classes_out",
            "stable",
            "where the teacher has -inf nothing is added",
            truth.distillation_loss,
            MASKED,
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "+inf where only the student has -inf, NaN for a row with nothing left",
            truth.distillation_loss,
            (IMPOSSIBLE, NOTHING_LEFT),
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of classes and of rows",
            truth.distillation_loss,
            LONG_ROWS,
        ),
        gradient_survives(
            "gradient_survives_masked_classes",
            "a class masked for both, or for the teacher, sends no NaN back",
            truth.distillation_loss,
            _slopes,
            MASKED,
        ),
        *contract(
            two_models,
            truth.distillation_loss,
            refusals=(
                refused(two_models, "temperature", 0.0),
                refused(two_models, "temperature", -2.0),
                *bad_logits(),
            ),
        ),
    ),
    scaled=("student_logits", "teacher_logits"),
    hints=(
        "You need log p and log q of both softened rows: which function gives them from logits "
        "without ever forming a probability?",
        "The teacher weighs: sum p (log p - log q) over the last axis gives one number for each "
        "row. Take the mean of those, whatever axes the rows stand on, and multiply by T^2.",
        "Where p is 0, -inf - -inf or 0 * inf may wait: choose 0 there, in torch before "
        "multiplying, so that no NaN comes back.",
    ),
    mistakes=(
        habits.SUMMED_IN_HALF,
        habits.ADDED_UP_IN_HALF,
        Mistake(
            "t_squared_forgotten",
            "left out the factor T^2",
            "temperature**2 * ",
            "",
        ),
        Mistake(
            "t_for_t_squared",
            "multiplied by T, not by T^2",
            "temperature**2",
            "temperature",
        ),
        Mistake(
            "arguments_swapped",
            "computed KL(student || teacher): the teacher is the truth",
            _LOG_Q,
            "log_q = _log_softmax(teacher_logits, temperature)",
            also=((_LOG_P, "log_p = _log_softmax(student_logits, temperature)"),),
        ),
        Mistake(
            "cross_entropy_returned",
            "left out the teacher's own entropy: that is the cross-entropy",
            "terms = np.subtract(log_p, log_q, out=log_p)",
            "terms = np.negative(log_q, out=log_p)",
        ),
        Mistake(
            "averaged_over_every_score",
            "took the mean over rows and classes (reduction='mean'), not over rows",
            _LOSS,
            "loss = temperature**2 * (rows.sum() / p.size)",
        ),
        Mistake(
            "divided_by_the_first_axis",
            "divided by the size of the first axis only, as reduction='batchmean' does",
            _LOSS,
            "loss = temperature**2 * (rows.sum() / rows.dtype.type(p.shape[0]))",
        ),
        Mistake(
            "summed_over_rows",
            "summed over the rows and did not divide by their number",
            _LOSS,
            "loss = temperature**2 * rows.sum()",
        ),
        Mistake(
            "one_loss_per_row",
            "returned one loss for each row, not their mean",
            _LOSS,
            "loss = temperature**2 * rows",
        ),
        Mistake(
            "zero_for_no_rows",
            "returned 0 for an empty batch, as if the two agreed; the mean of nothing is NaN",
            _LOSS,
            "loss = temperature**2 * (rows.sum() / rows.dtype.type(max(rows.size, 1)))",
        ),
        Mistake(
            "only_the_teacher_softened",
            "divided only the teacher's logits by T",
            _LOG_Q,
            "log_q = _log_softmax(student_logits, 1.0)",
        ),
        Mistake(
            "only_the_student_softened",
            "divided only the student's logits by T",
            _LOG_P,
            "log_p = _log_softmax(teacher_logits, 1.0)",
        ),
        Mistake(
            "temperature_ignored_in_the_logits",
            "left the temperature out of the logits",
            _LOG_Q,
            "log_q = _log_softmax(student_logits, 1.0)",
            also=((_LOG_P, "log_p = _log_softmax(teacher_logits, 1.0)"),),
        ),
        Mistake(
            "temperature_multiplied",
            "multiplied the logits by the temperature instead of dividing",
            edit=_helper(("out /= temperature", "out *= temperature")),
        ),
        Mistake(
            "no_maximum_subtracted",
            "exponentiated before subtracting the row's largest logit",
            edit=_helper(("scores - scores.max(axis=-1, keepdims=True)", "scores.copy()")),
        ),
        Mistake(
            "logarithm_of_a_probability",
            "took the logarithm of the softmax: of a probability that underflowed it is -inf",
            edit=_helper(
                (
                    "out -= np.log(np.exp(out).sum(axis=-1, keepdims=True))",
                    "out = np.exp(out)\n    out = np.log(out / out.sum(axis=-1, keepdims=True))",
                )
            ),
        ),
        Mistake(
            "small_number_in_the_logarithm",
            "took log(softmax + 1e-8), which ends at -18.4",
            edit=_helper(
                (
                    "out -= np.log(np.exp(out).sum(axis=-1, keepdims=True))",
                    "out = np.exp(out)\n"
                    "    out = np.log(out / out.sum(axis=-1, keepdims=True) + 1e-8)",
                )
            ),
        ),
        Mistake(
            "largest_logit_added_again",
            "subtracted logsumexp from the logits: next to 10000 their digits are gone",
            edit=_helper(
                (
                    "return out",
                    "top = scores.max(axis=-1, keepdims=True) / scores.dtype.type(temperature)\n"
                    "    log_sum = np.log(np.exp(scores / scores.dtype.type(temperature) - top)\n"
                    "        .sum(axis=-1, keepdims=True))\n"
                    "    return scores / scores.dtype.type(temperature) - (top + log_sum)",
                )
            ),
        ),
        Mistake(
            "softmax_over_the_first_axis",
            "normalized over the first axis, not over the classes",
            edit=_helper(
                ("scores.max(axis=-1", "scores.max(axis=0"), ("sum(axis=-1", "sum(axis=0")
            ),
        ),
        Mistake(
            "masked_classes_are_nan",
            "let 0 * (-inf + inf) be NaN where the teacher has -inf",
            _NOTHING,
            "",
        ),
        Mistake(
            "nan_replaced_by_zero",
            "replaced every NaN by 0, which hides a row with nothing left",
            _NOTHING,
            "np.copyto(terms, 0, where=np.isnan(terms))",
        ),
        Mistake(
            "infinity_left_out",
            "left out the classes that the student rules out, which cost +inf",
            _NOTHING,
            "np.copyto(terms, 0, where=(p == 0) | np.isinf(terms))",
        ),
        Mistake(
            "squared_difference",
            "took the mean squared difference of the logits",
            "loss = temperature**2 * (rows.sum() / rows.size)",
            "wide = _widened(_as_float(student_logits)) - _widened(_as_float(teacher_logits))\n"
            "        loss = (wide * wide).mean()",
        ),
        Mistake(
            "teacher_detached",
            "detached the teacher: whoever calls decides whether it learns",
            "log_p = _log_softmax(teacher_logits, temperature)",
            "log_p = _log_softmax(teacher_logits.detach(), temperature)",
            track="torch",
        ),
        Mistake(
            "chosen_after_multiplying",
            "put 0 for NaN after multiplying: NaN has already entered the gradient",
            _TORCH_TERMS,
            "(p * (log_p - log_q)).masked_fill(p == 0, 0)",
            track="torch",
        ),
        Mistake(
            "loss_read_on_the_host",
            "made a new tensor of the loss with .item(), where the device has to stop",
            "rows = terms.sum(dim=-1)",
            "rows = terms.sum(dim=-1)\n    rows = rows if rows.sum().item() == 0 else rows + 0",
            track="torch",
        ),
    ),
    # A mean has no axes that could come back flattened, and a 0-d tensor may be on the CPU.
    not_broken_by=("leading_axes_flattened", "made_on_the_cpu"),
    bench=matrix_bench(
        rows_of_logits,
        2,
        12,
        yardsticks.DISTILLATION_LOSS,
        compositions=yardsticks.DISTILLATION_LOSS_COMPOSED,
    ),
)
