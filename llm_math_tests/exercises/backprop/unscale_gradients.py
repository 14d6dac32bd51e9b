"""unscale_gradients: divide by the loss scale, and see whether anything overflowed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, arrays_in, cast, dtype_name, plain, spelled
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import (
    TRACKS,
    Bench,
    Case,
    Check,
    Exercise,
    Inputs,
    Level,
    Mistake,
    Refusal,
    Size,
)
from llm_math_tests.exercises.backprop import yardsticks
from llm_math_tests.exercises.backprop.views import seen
from llm_math_tests.truths import backprop as truth

SHAPES: tuple[tuple[int, ...], ...] = ((3, 4), (5,))


def _flat(value: Value) -> Value:
    """``(grads, found_inf)`` as one tuple, for checks that compare tuples."""
    if (
        not isinstance(value, (tuple, list))
        or len(value) != 2
        or not isinstance(value[0], (tuple, list))
    ):
        raise Wrong("a tuple: the list of gradients, and found_inf", spelled(value))
    return *value[0], value[1]


def _scaled(rng: Rng, dtype: str = "float32", batch: tuple[int, ...] = ()) -> Inputs:
    """Gradients of a scaled loss: a matrix and a vector."""
    shapes = ((*batch, *SHAPES[0]), SHAPES[1])
    return {"grads": [cast(rng.normal(0, 100, s), dtype) for s in shapes], "scale": 1024.0}


def _in_float32(rng: Rng, dtype: str = "float32", batch: tuple[int, ...] = ()) -> Inputs:
    """The same, always in float32: the results are float32 whatever comes in."""
    return _scaled(rng, "float32", batch)


def _of_dtype(dtype: str, tracks: tuple[str, ...] = TRACKS) -> Case:
    return Case(dtype, lambda rng: _scaled(rng, dtype), f"gradients of {dtype}", tracks)


def _mixed(rng: Rng) -> Inputs:
    dtypes = ("float16", "float64", "float32")
    return {"grads": [cast(rng.normal(0, 100, 4), dtype) for dtype in dtypes], "scale": 256.0}


def _divided_by(scale: float) -> Case:
    return Case(
        f"scale_{scale:g}", lambda rng: {**_scaled(rng), "scale": scale}, f"scale={scale:g}"
    )


def _of_shapes(name: str, *shapes: tuple[int, ...]) -> Case:
    def make(rng: Rng) -> Inputs:
        return {
            "grads": [cast(rng.normal(0, 100, shape), "float32") for shape in shapes],
            "scale": 1024.0,
        }

    shown = ", ".join(map(str, shapes)) or "no gradients"
    return Case(name, make, f"shapes {shown}" if shapes else shown)


def _with(name: str, first: Sequence[float], last: Sequence[float]) -> Case:
    """Two gradients with such numbers."""

    def make(rng: Rng) -> Inputs:
        return {"grads": [np.array(first, "float32"), np.array(last, "float32")], "scale": 1024.0}

    return Case(name, make, f"with {', '.join(map(str, (*first, *last)))}")


def _filled(name: str, number: float, scale: float, dtype: str, note: str) -> Case:
    def make(rng: Rng) -> Inputs:
        return {
            "grads": [cast(rng.uniform(0.5, 1, (2, 3)) * number, dtype)],
            "scale": scale,
        }

    return Case(name, make, note)


def _unscaled(
    name: str, level: Level, promise: str, cases: tuple[Case, ...], points: int = 1
) -> Check:
    """The values, which are float32's whatever came in."""

    def run(answer: Answer, inputs: Inputs) -> None:
        # Beside a gradient that did overflow: what found_inf says of each belongs together.
        beside = {**inputs, "grads": [*inputs["grads"], np.array([math.inf], "float32")]}
        for given, got in [(given, answer(given)) for given in (inputs, beside)]:
            expect_truth(answer, got, truth.unscale_gradients(**given), "float32")

    return Check(name, level, promise, run, cases, points, truth=truth.unscale_gradients)


def _float32_out(answer: Answer, inputs: Inputs) -> None:
    value = answer(inputs)
    flat = _flat(value)
    for number, grad in enumerate(flat[:-1]):
        found = dtype_name(grad) if list(arrays_in(grad)) else spelled(grad)
        if found != "float32":
            given = dtype_name(inputs["grads"][number])
            raise Wrong(f"float32 for a gradient of {given}", found)


comes_back_in_float32 = Check(
    "comes_back_in_float32",
    "contract",
    "every gradient comes back in float32",
    _float32_out,
    (
        _of_dtype("float16"),
        _of_dtype("bfloat16", ("torch",)),
        _of_dtype("float32"),
        _of_dtype("float64"),
        Case("mixed", _mixed, "float16, float64 and float32"),
    ),
)


def _bad_scale(scale: float) -> Refusal:
    return Refusal(
        f"scale_{scale:g}".replace("-", "minus_"),
        lambda rng: {**_scaled(rng), "scale": scale},
        "scale",
        str(scale),
    )


def _size(count: int, n: int, m: int) -> Size:
    def make(rng: Rng, dtype: str) -> Inputs:
        grads = [cast(rng.standard_normal((n, m), "float32"), dtype) for _ in range(count)]
        return {"grads": grads, "scale": 1024.0}

    return Size(f"{count} of {n} x {m}", make)


def _numbers(grads: Sequence[Value]) -> int:
    return sum(plain(grad).size for grad in grads)


_DIVIDE = "(_widened(grad) / scale).astype(np.float32, copy=False)"
_FOUND = "found_inf = found_inf | ~np.isfinite(out).all()"
_RETURN = "return unscaled, found_inf"

EXERCISE = Exercise(
    name="unscale_gradients",
    topic="backprop",
    signature="unscale_gradients(grads, scale)",
    checks=(
        *seen(
            (
                _unscaled(
                    "divides_by_the_scale",
                    "core",
                    "every gradient is divided by the scale",
                    (
                        _of_dtype("float32"),
                        _divided_by(65536.0),
                        _divided_by(3.0),
                        _divided_by(1.0),
                        _of_shapes("four_gradients", (2, 3), (4,), (1, 2), (3,)),
                    ),
                    points=2,
                ),
                _unscaled(
                    "finds_overflow",
                    "core",
                    "found_inf is True for inf, -inf and NaN in any gradient",
                    (
                        _with("inf", [1.0, 2.0], [math.inf]),
                        _with("minus_inf", [1.0, 2.0], [-math.inf]),
                        _with("nan", [1.0, 2.0], [math.nan]),
                        _with("among_others", [1.0], [3.0, math.inf, math.nan, 2.0]),
                        _with("in_the_first", [math.nan, math.inf, -math.inf], [1.0, 2.0]),
                        _with("none", [1.0, 1e30], [-1e30, 0.0]),
                    ),
                    points=2,
                ),
                _unscaled(
                    "keeps_small_gradients",
                    "stable",
                    "what float16 cannot hold after the division, float32 can",
                    (
                        _filled("float16", 1e-4, 65536.0, "float16", "float16 around 1e-4"),
                        _filled("float32", 1e-30, 1024.0, "float32", "float32 around 1e-30"),
                    ),
                ),
                _unscaled(
                    "is_not_alarmed_by_large_numbers",
                    "stable",
                    "large numbers are no overflow",
                    (
                        _filled("float16", 65504.0, 2.0, "float16", "float16 up to 65504"),
                        _filled("float32", 3e38, 2.0, "float32", "float32 up to 3e38"),
                        _filled("float64", 1e40, 2.0**16, "float64", "float64 up to 1e40"),
                    ),
                ),
                _unscaled(
                    "finds_what_overflows_in_float32",
                    "stable",
                    "a float64 number that float32 cannot hold is an overflow, too",
                    (_filled("float64", 1e300, 1024.0, "float64", "float64 around 1e300"),),
                ),
                _unscaled(
                    "takes_any_shapes",
                    "contract",
                    "gradients of any shapes, in their order, and none at all",
                    (
                        _of_shapes("numbers", (), (), ()),
                        _of_shapes("many_axes", (2, 1, 3, 2), (3,)),
                        _of_shapes("an_empty_one", (0, 3), (2,)),
                        _of_shapes("only_empty_ones", (0,), (2, 0)),
                        _of_shapes("no_gradients"),
                    ),
                ),
                *contract(
                    _in_float32,
                    truth.unscale_gradients,
                    floating=False,
                    halves=False,
                    batched=False,
                    connected=False,
                    refusals=(_bad_scale(0.0), _bad_scale(-2.0), _bad_scale(math.nan)),
                ),
            ),
            out=_flat,
        ),
        comes_back_in_float32,
    ),
    hints=(
        "Half of the point is where the division happens: 1e-4 / 65536 is 0 in float16. "
        "Convert first.",
        "isfinite is False for inf, -inf and NaN alike. Look at every gradient, and combine "
        "the answers with | so that they stay an array.",
        "A Python bool, or an if on an array, needs the number on the host. Begin with a 0-d "
        "array of False on the device of the gradients.",
    ),
    mistakes=(
        Mistake(
            "multiplied_by_the_scale",
            "multiplied by the scale: the gradients have been multiplied already",
            "(_widened(grad) / scale)",
            "(_widened(grad) * scale)",
        ),
        Mistake(
            "not_divided",
            "only looked for overflow, and left the gradients scaled",
            "(_widened(grad) / scale)",
            "(_widened(grad) / 1)",
        ),
        Mistake(
            "divided_in_half",
            "divided in float16, where a small gradient becomes 0, and converted afterwards",
            "(_widened(grad) / scale)",
            "(grad / grad.dtype.type(scale))",
        ),
        Mistake(
            "converted_float64_first",
            "converted float64 to float32 before dividing, where 1e40 becomes inf",
            _DIVIDE,
            "grad.astype(np.float32) / np.float32(scale)",
        ),
        Mistake(
            "nan_overlooked",
            "looked for inf only: NaN is an overflow as well (inf - inf)",
            "~np.isfinite(out).all()",
            "np.isinf(out).any()",
        ),
        Mistake(
            "minus_inf_overlooked",
            "looked for +inf and NaN only, not for -inf",
            "~np.isfinite(out).all()",
            "(np.isnan(out) | (out == np.inf)).any()",
        ),
        Mistake(
            "nan_only",
            "looked for NaN only",
            "~np.isfinite(out).all()",
            "np.isnan(out).any()",
        ),
        Mistake(
            "last_gradient_only",
            "forgot what was found in the gradients before the last",
            _FOUND,
            "found_inf = ~np.isfinite(out).all()",
        ),
        Mistake(
            "all_must_overflow",
            "asked whether all numbers are infinite, not whether any is",
            "~np.isfinite(out).all()",
            "(~np.isfinite(out)).all()",
        ),
        Mistake(
            "finite_for_infinite",
            "returned whether all is well: found_inf is the opposite",
            _RETURN,
            "return unscaled, ~found_inf",
        ),
        Mistake(
            "sum_looked_at",
            "looked at the sum of the numbers: it overflows where none of them does",
            "~np.isfinite(out).all()",
            "~np.isfinite(out.sum(dtype=np.float32))",
        ),
        Mistake(
            "overflow_replaced",
            "replaced inf and NaN by 0: the step must be skipped, not mended",
            "unscaled.append(out)",
            "unscaled.append(np.where(np.isfinite(out), out, np.float32(0)))",
        ),
        Mistake(
            "given_dtype_kept",
            "returned each gradient in the dtype it came in",
            "unscaled.append(out)",
            "unscaled.append(out.astype(grad.dtype))",
        ),
        Mistake(
            "looked_before_dividing",
            "looked at the gradients that came in: float64 may overflow on the way to float32",
            "~np.isfinite(out).all()",
            "~np.isfinite(grad).all()",
        ),
        Mistake(
            "flattened",
            "flattened the gradients",
            "unscaled.append(out)",
            "unscaled.append(out.reshape(-1))",
        ),
        Mistake(
            "found_inf_first",
            "returned found_inf before the gradients",
            _RETURN,
            "return found_inf, unscaled",
        ),
        Mistake(
            "found_inf_for_each",
            "returned a flag for each gradient, not one for all",
            _FOUND,
            "found_inf = np.append(found_inf, ~np.isfinite(out).all())",
            also=(("np.zeros((), dtype=np.bool_)", "np.zeros(0, dtype=np.bool_)"),),
        ),
        Mistake(
            "flag_on_the_cpu",
            "made found_inf on the CPU: it belongs on the device of the gradients",
            "torch.zeros((), dtype=torch.bool, device=device)",
            "torch.tensor(False)",
            also=(
                (
                    "found_inf | ~out.isfinite().all()",
                    "found_inf.logical_or(torch.tensor(bool(~out.isfinite().all())))",
                ),
            ),
            track="torch",
        ),
        Mistake(
            "asked_with_if",
            "asked with if whether a gradient overflowed: the GPU has to stop for the answer",
            "found_inf = found_inf | ~out.isfinite().all()",
            "if not out.isfinite().all():\n"
            "            found_inf = torch.ones((), dtype=torch.bool, device=device)",
            track="torch",
        ),
    ),
    bench=Bench(
        sizes=(_size(16, 64, 64), _size(8, 1024, 1024)),
        moved_bytes=lambda inputs: (
            sum(plain(grad).nbytes for grad in inputs["grads"]) + 4 * _numbers(inputs["grads"])
        ),
        operations=lambda inputs: 2 * _numbers(inputs["grads"]),
        compositions=yardsticks.UNSCALE_GRADIENTS,
    ),
)
