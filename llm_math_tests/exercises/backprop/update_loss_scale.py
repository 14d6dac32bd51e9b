"""update_loss_scale: the next step's loss scale."""

from __future__ import annotations

import math

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, cast, is_array, plain, spelled
from llm_math_tests.checks.promises import relation, values
from llm_math_tests.checks.refusals import refuses_bad_arguments
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Level, Mistake, Refusal
from llm_math_tests.exercises.backprop.views import seen
from llm_math_tests.truths import backprop as truth

NAMES = ("scale", "good_steps")


def _after(
    name: str, scale: float, found_inf: Value, good_steps: int, interval: int | None = None
) -> Case:
    inputs: Inputs = {"scale": scale, "found_inf": found_inf, "good_steps": good_steps}
    if interval is not None:
        inputs["growth_interval"] = interval
    note = f"after {good_steps} good steps" + (", with overflow" if bool(found_inf) else "")
    return Case(name, lambda rng: dict(inputs), note)


def _two(answer: Answer, inputs: Inputs) -> tuple[Value, Value]:
    got = answer(inputs)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Wrong("a tuple (scale, good_steps)", spelled(got))
    return got[0], got[1]


def _as_arrays(value: Value) -> Value:
    """Python numbers as 0-d arrays, so that they can be compared in every track."""
    if not isinstance(value, (tuple, list)):
        return value
    return tuple(np.asarray(one) if type(one) in (int, float) else one for one in value)


def _updated(
    name: str, level: Level, promise: str, cases: tuple[Case, ...], points: int = 1
) -> Check:
    check = values(name, level, promise, truth.update_loss_scale, cases, points=points, names=NAMES)
    return seen((check,), out=_as_arrays)[0]


def _plain_numbers(answer: Answer, inputs: Inputs) -> None:
    for name, got, kind in zip(NAMES, _two(answer, inputs), (float, int), strict=True):
        if type(got) is not kind:
            raise Wrong(
                f"{name} as a Python {kind.__name__}",
                spelled(got) if is_array(got) else f"{got!r}, a {type(got).__name__}",
                note="the scale is a number of the host's: it goes into the next loss",
            )


returns_plain_numbers = Check(
    "returns_plain_numbers",
    "contract",
    "the scale is a Python float, good_steps an int",
    _plain_numbers,
    (
        _after("kept", 1024.0, False, 3),
        _after("halved", 1024.0, True, 3),
        _after("doubled", 1024.0, False, 4, 5),
        _after("halved_by_an_array", 1024.0, np.array(True), 3),
    ),
)


def _whole_run(answer: Answer, inputs: Inputs) -> None:
    scale, steps = inputs["scale"], inputs["good_steps"]
    interval = inputs["growth_interval"]
    for number, found in enumerate(inputs["found_inf"]):
        given = {
            "scale": scale,
            "found_inf": found,
            "good_steps": steps,
            "growth_interval": interval,
        }
        got = _two(answer, given)
        right = truth.update_loss_scale(**given)
        wanted = (float(right[0].value), int(right[1].value))
        have = tuple(plain(one).item() for one in got)
        if have != wanted:
            raise Wrong(f"{wanted} after step {number}", f"{have}")
        scale, steps = wanted


def _run(rng: Rng) -> Inputs:
    """Twelve steps, the fifth and the sixth of which overflow, and growth every three."""
    found = [False] * 12
    found[4] = found[5] = True
    return {"scale": 1024.0, "found_inf": found, "good_steps": 0, "growth_interval": 3}


follows_a_whole_run = Check(
    "follows_a_whole_run",
    "core",
    "step after step, the scale goes down at once and up in time",
    _whole_run,
    (Case("twelve_steps", _run, "two overflows among twelve steps"),),
)


def _training(answer: Answer, inputs: Inputs, unscale: Answer) -> None:
    scale, steps = inputs["scale"], 0
    before = scale
    for number, grads in enumerate(inputs["grads"]):
        value = unscale({"grads": grads, "scale": scale})
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise Wrong("a tuple (grads, found_inf) of unscale_gradients", spelled(value))
        given = {"scale": scale, "found_inf": value[1], "good_steps": steps}
        new, counted = _two(answer, given)
        scale, steps = float(plain(new)), int(plain(counted))
        # What came in decides, so that a wrong found_inf shows as well.
        overflowed = not all(np.isfinite(plain(grad)).all() for grad in grads)
        if scale != (before / 2 if overflowed else before):
            wanted = before / 2 if overflowed else before
            what = "overflowed" if overflowed else "did not overflow"
            raise Wrong(f"a scale of {wanted:g} after step {number}, which {what}", f"{scale:g}")
        before = scale
    if scale != inputs["scale"] / 2 or steps != 2:
        raise Wrong(
            f"one halving, to {inputs['scale'] / 2:g}, and 2 good steps since",
            f"a scale of {scale:g} and {steps} good steps",
        )


def _some_steps(rng: Rng) -> Inputs:
    """Five steps' gradients, the third with a NaN in it."""
    grads = [[cast(rng.normal(0, 1, (2, 3)), "float16")] for _ in range(5)]
    grads[2][0][1, 1] = math.nan
    return {"scale": 65536.0, "grads": grads}


def _bad(argument: str, value: float) -> Refusal:
    inputs: Inputs = {
        "scale": 1024.0, "found_inf": False, "good_steps": 3, "growth_interval": 2000,
        argument: value,
    }  # fmt: skip
    name = f"{argument}_{value:g}".replace("-", "minus_")
    return Refusal(name, lambda rng: dict(inputs), argument, str(value))


_HALVED = "return scale / 2, 0"
_DOUBLED = "return scale * 2, 0"

EXERCISE = Exercise(
    name="update_loss_scale",
    topic="backprop",
    signature="update_loss_scale(scale, found_inf, good_steps, growth_interval=2000)",
    checks=(
        _updated(
            "halves_on_overflow",
            "core",
            "an overflow halves the scale and starts the count anew",
            (
                _after("at_once", 65536.0, True, 0),
                _after("after_some_steps", 65536.0, True, 17),
                _after("when_growth_was_due", 65536.0, True, 1999),
            ),
        ),
        _updated(
            "doubles_after_the_interval",
            "core",
            "so many good steps in a row, this one counted, double the scale",
            (
                _after("default_interval", 65536.0, False, 1999),
                _after("one_too_few", 65536.0, False, 1998),
                _after("interval_3", 1024.0, False, 2, 3),
                _after("interval_3_one_too_few", 1024.0, False, 1, 3),
            ),
            points=2,
        ),
        _updated(
            "counts_good_steps",
            "core",
            "any other step keeps the scale and is counted",
            (
                _after("the_first", 65536.0, False, 0),
                _after("the_eighth", 65536.0, False, 7),
                _after("a_long_interval", 65536.0, False, 2500, 5000),
            ),
        ),
        follows_a_whole_run,
        _updated(
            "handles_extreme_scales",
            "stable",
            "below 1 and far above, halving and doubling are exact",
            (
                _after("one_halved", 1.0, True, 3),
                _after("a_fraction_halved", 2.0**-20, True, 3),
                _after("a_fraction_doubled", 0.75, False, 1, 2),
                _after("no_power_of_two", 1000.1, True, 3),
                _after("large_doubled", 2.0**100, False, 1, 2),
            ),
        ),
        _updated(
            "handles_an_interval_of_1",
            "stable",
            "with an interval of 1 every good step doubles",
            (_after("good", 1024.0, False, 0, 1), _after("overflow", 1024.0, True, 0, 1)),
        ),
        _updated(
            "takes_found_inf_as_an_array",
            "contract",
            "found_inf may be a 0-d boolean array",
            (
                _after("true", 1024.0, np.array(True), 5),
                _after("false", 1024.0, np.array(False), 5),
                _after("false_when_growth_is_due", 1024.0, np.array(False), 1999),
            ),
        ),
        returns_plain_numbers,
        refuses_bad_arguments(
            (
                _bad("scale", 0.0),
                _bad("scale", -1024.0),
                _bad("scale", math.nan),
                _bad("good_steps", -1),
                _bad("growth_interval", 0),
                _bad("growth_interval", -5),
            )
        ),
        relation(
            "halves_once_for_one_bad_step",
            "with your unscale_gradients, one step that overflows halves the scale once",
            ("unscale_gradients",),
            _training,
            (Case("five_steps", _some_steps, "five steps, the third with a NaN"),),
        ),
    ),
    hints=(
        "Three cases, in this order: an overflow, a step that completes the interval, any "
        "other step. Two numbers come back from each.",
        "good_steps does not count this step yet: add 1 before you compare with the interval. "
        "After a halving or a doubling the count starts at 0.",
    ),
    mistakes=(
        Mistake(
            "off_by_one",
            "compared before counting this step: the scale doubles one step late",
            "if good_steps >= growth_interval:",
            "if good_steps - 1 >= growth_interval:",
        ),
        Mistake(
            "one_step_early",
            "doubled one step before the interval was full",
            "if good_steps >= growth_interval:",
            "if good_steps >= growth_interval - 1:",
        ),
        Mistake(
            "not_reset_on_growth",
            "went on counting after a doubling: the next step doubles again",
            _DOUBLED,
            "return scale * 2, good_steps",
        ),
        Mistake(
            "not_reset_on_overflow",
            "kept the count through an overflow: the scale grows back too early",
            _HALVED,
            "return scale / 2, good_steps",
        ),
        Mistake(
            "overflow_counted",
            "counted the step that overflowed as a good one",
            _HALVED,
            "return scale / 2, 1",
        ),
        Mistake(
            "growth_counted",
            "began the new count at 1 after a doubling: this step was counted already",
            _DOUBLED,
            "return scale * 2, 1",
        ),
        Mistake(
            "step_not_counted",
            "returned good_steps without this step",
            "return scale, good_steps",
            "return scale, good_steps - 1",
        ),
        Mistake(
            "growth_checked_first",
            "asked for growth before overflow: a step that overflowed may double the scale",
            "if found_inf:",
            "if good_steps + 1 >= growth_interval:\n        return scale * 2, 0\n    if found_inf:",
        ),
        Mistake(
            "halved_when_good",
            "took found_inf for its opposite",
            "if found_inf:",
            "if not found_inf:",
        ),
        Mistake(
            "never_halved",
            "never halved: the same step overflows again and again",
            _HALVED,
            "return scale, 0",
        ),
        Mistake(
            "divided_by_ten",
            "divided by 10 instead of 2",
            _HALVED,
            "return scale / 10, 0",
        ),
        Mistake(
            "interval_fixed",
            "took 2000 for the interval, whatever growth_interval says",
            "good_steps += 1",
            "good_steps += 1\n    growth_interval = 2000",
        ),
        Mistake(
            "not_below_one",
            "kept the scale from falling below 1",
            _HALVED,
            "return max(scale / 2, 1.0), 0",
        ),
        Mistake(
            "whole_numbers",
            "halved with //, which cuts off what is behind the point",
            _HALVED,
            "return scale // 2, 0",
        ),
        Mistake(
            "compared_with_true",
            "asked whether found_inf is True: an array holding True is another object",
            "if found_inf:",
            "if found_inf is True:",
        ),
        Mistake(
            "returned_arrays",
            "returned arrays: the scale and the count are plain numbers",
            "return scale, good_steps",
            "return np.asarray(scale), np.asarray(good_steps)",
            also=((_HALVED, "return np.asarray(scale / 2), np.asarray(0)"),),
        ),
    ),
    no_bench="a few comparisons of Python numbers: there is nothing to time",
)
