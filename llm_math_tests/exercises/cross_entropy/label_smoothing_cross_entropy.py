"""label_smoothing_cross_entropy: a target that is not quite sure of itself."""

from __future__ import annotations

from dataclasses import replace

from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import beside_the_usual, gradient_flows, values
from llm_math_tests.checks.situations import Rng, given, ordinary, refused
from llm_math_tests.exercise import Case, Exercise, Inputs, Mistake
from llm_math_tests.exercises.benches import matrix_bench
from llm_math_tests.exercises.cross_entropy import yardsticks
from llm_math_tests.exercises.cross_entropy.promises import (
    bad_targets,
    clean,
    some_tokens,
    takes_integers_of_any_width,
)
from llm_math_tests.exercises.cross_entropy.situations import (
    LARGE,
    LONG_ROWS,
    MANY_TOKENS,
    NO_TOKEN,
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
    ZERO_WITHOUT_TOKENS,
    half_precision_sum,
    of_every_answer,
)
from llm_math_tests.truths import cross_entropy as truth

_RATES = tuple(given(tokens, "smoothing", value) for value in (0.3, 1.0))


def _with(smoothing: float, cases: tuple[Case, ...], suffix: str = "") -> tuple[Case, ...]:
    """The same cases with a smoothing."""

    def add(case: Case) -> Case:
        def make(rng: Rng) -> Inputs:
            return {**case.make(rng), "smoothing": smoothing}

        note = f"{case.note}, smoothing={smoothing:g}" if case.note else f"smoothing={smoothing:g}"
        return replace(case, name=case.name + suffix, make=make, note=note)

    return tuple(add(case) for case in cases)


EXERCISE = Exercise(
    name="label_smoothing_cross_entropy",
    topic="cross_entropy",
    signature="label_smoothing_cross_entropy(logits, targets, smoothing=0.1)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "cross-entropy against (1 - s) one_hot + s/V",
            truth.label_smoothing_cross_entropy,
            ordinary(tokens, SEQUENCES, *_RATES),
            points=2,
        ),
        values(
            "equals_cross_entropy_at_zero",
            "core",
            "smoothing=0 is the plain cross-entropy",
            truth.label_smoothing_cross_entropy,
            _with(0.0, ordinary(tokens, SEQUENCES)),
        ),
        gradient_flows(
            truth.label_smoothing_cross_entropy,
            (*ordinary(tokens, SEQUENCES), *_RATES, given(tokens, "smoothing", 0.0)),
            through=["logits"],
        ),
        values(
            "survives_large_logits",
            "stable",
            "large logits do not overflow",
            truth.label_smoothing_cross_entropy,
            LARGE,
        ),
        values(
            "survives_tiny_logits",
            "stable",
            "logits next to nothing cost log V",
            truth.label_smoothing_cross_entropy,
            TINY,
        ),
        values(
            "counts_unlikely_classes_in_full",
            "stable",
            "classes whose probability underflows cost their full price",
            truth.label_smoothing_cross_entropy,
            (*SURE_AND_WRONG, *_with(0.0, SURE_AND_WRONG[:3], "_unsmoothed")),
        ),
        values(
            "charges_for_being_sure",
            "stable",
            "a sure and right prediction still pays for the classes that it rules out",
            truth.label_smoothing_cross_entropy,
            (*SURE_AND_RIGHT, *_with(0.0, SURE_AND_RIGHT, "_unsmoothed")),
        ),
        beside_the_usual(
            "handles_minus_infinity",
            "stable",
            "above s = 0 any -inf costs +inf; at s = 0 only the target's (0 * inf = 0)",
            truth.label_smoothing_cross_entropy,
            lambda inputs: {**clean(inputs), "smoothing": 0.1},
            (
                *minus_infinity(),
                *_with(0.0, minus_infinity(), "_unsmoothed"),
                *_with(1.0, minus_infinity(), "_fully_smoothed"),
            ),
        ),
        beside_the_usual(
            "gives_nan_without_tokens",
            "stable",
            "the mean of no token is NaN",
            truth.label_smoothing_cross_entropy,
            some_tokens,
            NO_TOKEN,
        ),
        values(
            "handles_long_rows",
            "stable",
            "any number of classes, one included",
            truth.label_smoothing_cross_entropy,
            LONG_ROWS,
        ),
        values(
            "averages_many_tokens",
            "stable",
            "the mean of many tokens keeps its digits",
            truth.label_smoothing_cross_entropy,
            MANY_TOKENS,
        ),
        *contract(
            tokens,
            truth.label_smoothing_cross_entropy,
            refusals=(
                refused(tokens, "smoothing", -0.25),
                refused(tokens, "smoothing", 1.5),
                *bad_targets(-100),
            ),
        ),
        takes_integers_of_any_width(truth.label_smoothing_cross_entropy),
    ),
    scaled=("logits",),
    hints=(
        "A cross-entropy against q is the sum of q_i times -log p_i. Split q into its two "
        "parts: what is the sum for the one-hot, and what for the same mass everywhere?",
        "(1 - s) times the plain loss plus s times the mean over all V classes of -log p_i. "
        "The true class is one of the V.",
        "0 * inf is nan in floating point, and should be 0 here: leave a part out when its "
        "weight is 0.",
    ),
    mistakes=(
        *of_every_answer(),
        Mistake(
            "shared_among_the_others",
            "gave s / (V - 1) to the other classes and none of it to the true one",
            "average = shifted.mean(axis=-1)",
            "average = (shifted.sum(axis=-1) - picked) / (shifted.shape[-1] - 1)",
        ),
        Mistake(
            "true_class_left_out",
            "gave the true class 1 - s and no share of s / V: the mass does not sum to 1",
            "average = shifted.mean(axis=-1)",
            "average = (shifted.sum(axis=-1) - picked) / shifted.shape[-1]",
        ),
        Mistake(
            "mass_not_taken_from_the_target",
            "added s / V everywhere and left 1 on the true class",
            "losses = losses - (1 - smoothing) * picked",
            "losses = losses - picked",
        ),
        Mistake(
            "smoothing_swapped",
            "gave s to the true class and 1 - s to the others",
            "losses = losses - (1 - smoothing) * picked",
            "losses = losses - smoothing * picked",
            also=(
                (
                    "losses = losses - smoothing * average",
                    "losses = losses - (1 - smoothing) * average",
                ),
            ),
        ),
        Mistake(
            "summed_over_the_classes",
            "weighed every class with s, not with s / V",
            "average = shifted.mean(axis=-1)",
            "average = shifted.sum(axis=-1)",
        ),
        Mistake(
            "smoothing_ignored",
            "left the smoothing out",
            "losses = np.log(shifted.sum(axis=-1))",
            "smoothing = 0\n        losses = np.log(shifted.sum(axis=-1))",
        ),
        Mistake(
            "default_smoothing_only",
            "smoothed by 0.1, whatever smoothing says",
            "losses = np.log(shifted.sum(axis=-1))",
            "smoothing = 0.1\n        losses = np.log(shifted.sum(axis=-1))",
        ),
        Mistake(
            "logits_smoothed",
            "averaged the scores themselves: smoothing is of the target, not of the logits",
            "losses = np.log(shifted.sum(axis=-1))",
            "losses = np.log(shifted.sum(axis=-1))\n"
            "        losses = losses + smoothing * (average - losses)",
            also=(("losses = losses - smoothing * average", "pass"),),
        ),
        Mistake(
            "zero_times_infinity",
            "multiplied -inf by a weight of 0, which is NaN and should be 0",
            "if smoothing < 1:",
            "if True:",
            also=(("if smoothing > 0:", "if True:"),),
        ),
        Mistake(
            "epsilon_in_the_logarithm",
            "took log(p + 1e-12): a small probability then costs 27.6 and never more",
            "picked = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]",
            "shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))\n"
            "        shifted = np.log(np.exp(shifted) + shifted.dtype.type(1e-12))\n"
            "        picked = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]",
            also=(("np.log(shifted.sum(axis=-1))", "shifted.sum(axis=-1) * 0"),),
        ),
        Mistake(
            "logarithm_of_the_probability",
            "took the logarithm of probabilities that had underflowed to 0",
            "picked = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]",
            "shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))\n"
            "        shifted = np.log(np.exp(shifted))\n"
            "        picked = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]",
            also=(("np.log(shifted.sum(axis=-1))", "np.log(shifted.sum(axis=-1)) * 0"),),
        ),
        Mistake(
            "summed_not_averaged",
            "summed the losses and did not divide by the number of tokens",
            "mean = losses.sum() / losses.size",
            "mean = losses.sum()",
        ),
        Mistake(
            "mean_over_the_first_axis",
            "averaged over the first axis only, which leaves a loss for each place",
            "mean = losses.sum() / losses.size",
            "mean = np.mean(losses, axis=0) if losses.ndim else losses",
        ),
        ZERO_WITHOUT_TOKENS,
        half_precision_sum(),
        Mistake(
            "smoothing_not_checked",
            "let a smoothing outside [0, 1] through",
            "if not 0 <= smoothing <= 1:",
            "if False:",
        ),
    ),
    # A scalar has no axes to flatten, and one on the CPU may meet a tensor on the GPU.
    not_broken_by=("leading_axes_flattened", "made_on_the_cpu"),
    bench=matrix_bench(rows, 1, 5, yardsticks.LABEL_SMOOTHING, SIZES),
)
