"""What the numbers of a wrong answer show, whatever the exercise and whatever the code.

Known mistakes name what was done; a pattern only says what can be seen to be true of the
results, beside those of the reference: half as large, transposed, right for two axes only.
So it cannot name the wrong thing, and nothing need be written for an exercise to have it.
"""

from __future__ import annotations

import warnings

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.diagnosis.evidence import TooLong, of_the_case, ordinary, within
from llm_math_tests.diagnosis.patterns import (
    calls,
    cases,
    exceptions,
    places,
    precision,
    shapes,
    values,
)
from llm_math_tests.diagnosis.patterns.pair import Pair, pairs_of, parts_of

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")

_DETECTORS = (
    shapes.another_shape,
    values.nothing_done,
    values.turned,
    values.sign,
    values.factor,
    values.offset,
    calls.argument_left_out,
    calls.arguments_swapped,
    calls.argument_off_by_one,
    calls.another_axis,
    values.by_row,
    values.reordered,
    values.another_function,
    places.where_nothing_is_finite,
    places.where_it_differs,
    precision.digits_lost,
)
"""From what explains the whole to what only says where."""

_NEARLY_RIGHT = (precision.digits_lost,)

_SECONDS = 0.7


def pattern_of(answer: Answer) -> str:
    """A sentence that is true of what came in a failed case; empty if none stands out."""
    try:
        with within(_SECONDS, answer), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ours: a student's are kept where they arise
            return _pattern(answer)
    except TooLong:
        return ""


def _pattern(answer: Answer) -> str:
    asked = of_the_case(answer)
    failed = pairs_of(answer, asked)
    if failed and all(pair.is_right for pair in failed):
        return _besides_the_values(failed)
    if not failed and any(reply.ended == "raised" for _, reply in asked):
        said = exceptions.meaning_of(next(r.problem for _, r in asked if r.ended == "raised"))
        return said or cases.right_only_for(answer)
    return _of_values(answer, failed) or cases.right_only_for(answer)


def _besides_the_values(failed: list[Pair]) -> str:
    """What else is amiss where every value is right."""
    changed = list(dict.fromkeys(name for pair in failed for name in pair.reply.changed))
    if changed:
        return f"the values are right, but {' and '.join(changed)} was written to"
    if any(pair.dtype != pair.right_dtype for pair in failed):
        return "the values are right: only the dtype is not"
    return ""


def _of_values(answer: Answer, failed: list[Pair]) -> str:
    wrong = {pair.part for pair in failed if not pair.is_right}
    if not wrong:
        return ""
    besides = pairs_of(answer, ordinary(answer))
    said = set()
    for part in wrong:
        here = [pair for pair in failed if pair.part == part and not pair.is_right]
        others = [pair for pair in besides if pair.part == part]
        said.add(_first(answer, here, others))
    if len(said) != 1:
        return ""
    (sentence,) = said
    count = parts_of(failed)
    if not sentence or count == len(wrong) or count == 1:
        return sentence
    if max(wrong) >= len(_ORDINALS):
        return ""
    names = [_ORDINALS[part] for part in sorted(wrong)]
    return f"in the {' and the '.join(names)} of the {count} results, {sentence}"


def _first(answer: Answer, here: list[Pair], others: list[Pair]) -> str:
    """The first pattern that holds in every call; else the first that holds in this case."""
    everywhere = here + others
    tries = [everywhere] if any(not pair.is_right for pair in others) else []
    for pairs in (*tries, here):
        if all(pair.is_right for pair in pairs):
            continue
        for detector in _DETECTORS:
            # Digits are lost only if they are few in every call.
            sentence = detector(answer, everywhere if detector in _NEARLY_RIGHT else pairs)
            if sentence:
                return sentence
    return ""
