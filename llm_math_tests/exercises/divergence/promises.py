"""Promises that several exercises of this topic make."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import plain
from llm_math_tests.checks.promises import (
    TruthOf,
    expect_arrived,
    expect_gradient,
    expect_truth,
    result_dtype,
)
from llm_math_tests.checks.truth import extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs

Slopes = Callable[..., dict[str, np.ndarray]]
"""Takes the inputs in extended precision; gives the derivative of each row's value, or of
the one value, with respect to each differentiable argument, NaN where any finite number
will do."""


def gradient_survives(
    name: str, promise: str, truth: TruthOf, slopes: Slopes, cases: Sequence[Case]
) -> Check:
    """Autograd gives the formula's gradient, and finite numbers where there is none (torch).

    A NaN that a masked class sends back reaches every weight of a model.
    """

    def run(answer: Answer, inputs: Inputs) -> None:
        wanted = truth(**inputs)
        dtype = result_dtype(inputs, answer.track)
        cotangent = np.linspace(0.5, 1.5, wanted.value.size).reshape(wanted.value.shape)
        cotangent = np.asarray(cotangent, dtype)
        got, grads = answer.vjp(inputs, [cotangent])
        expect_truth(answer, got, wanted, dtype)
        arrays = {name: extended(value) for name, value in inputs.items() if np.ndim(value)}
        for argument, slope in slopes(**arrays).items():
            expect_arrived(grads[argument], argument)
            weight = extended(cotangent)[..., None] if cotangent.ndim else extended(cotangent)
            have = plain(grads[argument])
            anything = np.isnan(slope)
            if not np.isfinite(have[anything]).all():
                odd = have[anything][~np.isfinite(have[anything])][0]
                raise Wrong(
                    f"a finite gradient with respect to {argument} where it is 0",
                    f"{odd:g}",
                    note="0 * inf is nan, also on the way back: mask before log, not after",
                )
            expected = np.where(anything, have, slope * weight)
            expect_gradient(answer, grads[argument], expected, [cotangent], dtype, argument)

    return Check(name, "stable", promise, run, tuple(cases), tracks=("torch",))
