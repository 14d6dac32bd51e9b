"""Topic 1, softmax: from scores to probabilities without overflowing."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Blocks, cast, plain
from llm_math_tests.checks.promises import (
    contract,
    expect_truth,
    gradient_flows,
    gradient_matches,
    result_dtype,
    values,
)
from llm_math_tests.checks.truth import eps, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs, Mistake, Refusal, Size
from llm_math_tests.truths import softmax as truth

Rng = np.random.Generator


# What the inputs look like


def scores(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary scores: five classes, a few units apart."""
    return {"logits": cast(rng.normal(0, 2, (*batch, 5)), dtype)}


def numbers(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """The same under the name that logsumexp gives them."""
    return {"x": scores(rng, dtype, batch)["logits"]}


def upstream(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Probabilities and a gradient that arrives at them."""
    p = truth.probabilities(extended(scores(rng, "float64", batch)["logits"]))
    return {
        "grad_output": cast(rng.normal(0, 1, (*batch, 5)), dtype),
        "probs": cast(p, dtype),
    }


def some_probs(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Probabilities alone."""
    return {"probs": upstream(rng, dtype, batch)["probs"]}


def in_blocks(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """A sequence in three blocks of unequal width."""
    widths = (3, 1, 4)
    return {"blocks": Blocks(tuple(cast(rng.normal(0, 2, (*batch, w)), dtype) for w in widths))}


def spread(name: str, size: float, dtype: str, like: str = "logits") -> Case:
    """Scores of a given magnitude, both signs."""

    def make(rng: Rng) -> Inputs:
        return {like: cast(rng.uniform(-size, size, (3, 6)), dtype)}

    return Case(name, make, f"scores up to {size:g}")


def large(like: str = "logits") -> tuple[Case, ...]:
    """Scores whose exponential overflows the dtype."""
    return (
        spread("float32", 1e4, "float32", like),
        spread("float64", 1e4, "float64", like),
        spread("float16", 6e4, "float16", like),
        Case(
            "all_far_below_zero",
            lambda rng: {like: cast(rng.uniform(-3, 3, (3, 6)) - 1e4, "float32")},
            "scores around -1e4",
        ),
    )


def tiny(like: str = "logits") -> tuple[Case, ...]:
    """Scores next to nothing, and scores that differ by next to nothing."""
    return (
        spread("float32", 1e-30, "float32", like),
        Case(
            "nearly_equal",
            lambda rng: {like: 50 + rng.uniform(-1e-12, 1e-12, (2, 6))},
            "scores that differ by 1e-12",
        ),
    )


def with_minus_infinity(like: str = "logits") -> tuple[Case, ...]:
    """Masked scores, up to a row with nothing left."""

    def some(rng: Rng) -> Inputs:
        z = rng.normal(0, 2, (3, 6)).astype("float32")
        z[0, 2:] = z[1, 0] = -np.inf
        return {like: z}

    def row(rng: Rng) -> Inputs:
        z = rng.normal(0, 2, (3, 4))
        z[1] = -np.inf
        return {like: z}

    return (
        Case("some_masked", some, "some of them -inf"),
        Case("a_row_with_nothing_left", row, "one row all -inf"),
    )


def long_rows(like: str = "logits") -> tuple[Case, ...]:
    """Many terms to sum, or just one."""
    return (
        Case(
            "float32_20000",
            lambda rng: {like: cast(rng.normal(0, 1, (2, 20_000)), "float32")},
            "rows of 20000",
        ),
        Case(
            "float16_4000",
            lambda rng: {like: cast(rng.normal(0, 0.1, (2, 4000)), "float16")},
            "rows of 4000",
        ),
        Case("a_single_column", lambda rng: {like: rng.normal(0, 2, (3, 1))}, "rows of 1"),
    )


def ordinary(sample: object, *more: Case) -> tuple[Case, ...]:
    """Ordinary input in both everyday dtypes, and what the row has besides."""
    return (
        Case("float64", lambda rng: sample(rng, "float64", (3,))),  # type: ignore[operator]
        Case("float32", lambda rng: sample(rng, "float32", (3,))),  # type: ignore[operator]
        *more,
    )


def along(axis: int, like: str = "logits") -> Case:
    """A chosen axis of an array whose axes all have different sizes."""
    return Case(
        f"axis_{axis}".replace("-", "minus_"),
        lambda rng: {like: rng.normal(0, 2, (4, 3, 2)), "axis": axis},
        f"axis={axis}",
    )


AXES = (along(0), along(1), along(-2))


def bad_axis(sample: object, axis: int = 2) -> Refusal:
    """An axis that two-dimensional input does not have."""
    return Refusal(
        f"axis_{axis}".replace("-", "minus_"),
        lambda rng: {**sample(rng, "float64", (2,)), "axis": axis},  # type: ignore[operator]
        "axis",
        str(axis),
    )


def tempered(temperature: float) -> Case:
    """A temperature other than 1."""
    return Case(
        f"temperature_{temperature:g}",
        lambda rng: {**scores(rng, "float64", (3,)), "temperature": temperature},
        f"temperature={temperature:g}",
    )


def bad_temperature(temperature: float) -> Refusal:
    """A temperature that is not above 0."""
    return Refusal(
        f"temperature_{temperature:g}".replace("-", "minus_"),
        lambda rng: {**scores(rng), "temperature": temperature},
        "temperature",
        str(temperature),
    )


# Promises of this topic alone


def _rows_sum_to_one(answer: Answer, inputs: Inputs) -> None:
    from llm_math_tests.checks.compare import expect_array

    p = extended(expect_array(answer(inputs), answer.track))
    axis = inputs.get("axis", -1)
    total = p.sum(axis=axis)
    allowed = p.shape[axis] * eps(result_dtype(inputs, answer.track))
    if not (np.abs(total - 1) <= allowed).all():
        worst = float(total.flat[np.argmax(np.where(np.isfinite(total), np.abs(total - 1), np.inf))])
        raise Wrong("probabilities that sum to 1", f"a sum of {worst:.9g}",
                    allowed=f"n eps = {allowed:.1e}")  # fmt: skip


def _unchanged_by_a_constant(answer: Answer, inputs: Inputs) -> None:
    first = answer(inputs)
    shifted = answer({**inputs, "logits": inputs["logits"] + 64.0})
    expect_truth(answer, first, truth.softmax(**inputs), "float64")
    moved = truth.softmax(**{**inputs, "logits": inputs["logits"] + 64.0})
    expect_truth(answer, shifted, moved, "float64")


rows_sum_to_one = Check(
    "rows_sum_to_one", "core", "probabilities sum to 1 along the axis", _rows_sum_to_one,
    ordinary(scores, along(0), tempered(0.1)),
)  # fmt: skip

unchanged_by_a_constant = Check(
    "unchanged_by_a_constant", "core", "adding a constant to every score changes nothing",
    _unchanged_by_a_constant, (Case("plus_64", lambda rng: scores(rng, "float64", (3,))),),
)  # fmt: skip


def _one_pass(answer: Answer, inputs: Inputs) -> None:
    blocks: Blocks = inputs["blocks"]
    got = answer(inputs)
    if blocks.pulled < len(blocks.arrays):
        raise Wrong(
            f"every one of the {len(blocks.arrays)} blocks to be read",
            f"only {blocks.pulled} read",
        )
    expect_truth(answer, got, truth.online_logsumexp(blocks), result_dtype(inputs, answer.track))


def _keeps_no_blocks(answer: Answer, inputs: Inputs) -> None:
    blocks: Blocks = inputs["blocks"]
    size = sum(plain(block).nbytes for block in blocks.arrays)
    reply = answer.ask(inputs, measure_memory=True)
    expect_truth(
        answer, reply.value, truth.online_logsumexp(blocks), result_dtype(inputs, answer.track)
    )
    one = max(plain(block).nbytes for block in blocks.arrays)
    allowed = 8 * one
    if reply.peak_bytes is not None and reply.peak_bytes > allowed:
        raise Wrong(
            f"memory for a few blocks at a time (at most 8 blocks: {allowed / 1e6:.1f} MB)",
            f"{reply.peak_bytes / 1e6:.1f} MB at the peak, for {size / 1e6:.1f} MB of blocks",
            note="keep a running maximum and a running sum, not the blocks",
        )


def _many_blocks(rng: Rng) -> Inputs:
    return {
        "blocks": Blocks(tuple(rng.normal(0, 2, (64, 2048)).astype("float64") for _ in range(24)))
    }


def _block_cases(*kinds: str) -> tuple[Case, ...]:
    def rising(rng: Rng) -> Inputs:
        return {"blocks": Blocks(tuple(rng.normal(100 * i, 2, (2, 3)) for i in range(4)))}

    def falling(rng: Rng) -> Inputs:
        return {"blocks": Blocks(tuple(rng.normal(-100 * i, 2, (2, 3)) for i in range(4)))}

    def huge(rng: Rng) -> Inputs:
        return {
            "blocks": Blocks(tuple(cast(rng.uniform(-1e4, 1e4, (2, 3)), "float32")
                                   for i in range(4)))
        }  # fmt: skip

    def empty_first(rng: Rng) -> Inputs:
        first = np.full((2, 3), -np.inf)
        return {"blocks": Blocks((first, first, rng.normal(0, 2, (2, 4))))}

    def nothing(rng: Rng) -> Inputs:
        return {"blocks": Blocks((np.full((2, 3), -np.inf), np.full((2, 2), -np.inf)))}

    def infinite(rng: Rng) -> Inputs:
        last = rng.normal(0, 2, (2, 3))
        last[0, 1] = np.inf
        return {"blocks": Blocks((rng.normal(0, 2, (2, 3)), last, rng.normal(0, 2, (2, 3))))}

    def many(rng: Rng) -> Inputs:
        return {
            "blocks": Blocks(tuple(cast(rng.normal(0, 1, (2, 16)), "float32") for _ in range(200)))
        }

    def one(rng: Rng) -> Inputs:
        return {"blocks": Blocks((rng.normal(0, 2, (2, 5)),))}

    every = {
        "rising": Case("rising", rising, "each block 100 above the last"),
        "falling": Case("falling", falling, "each block 100 below the last"),
        "huge": Case("huge", huge, "numbers up to 1e4"),
        "empty_first": Case("minus_infinity_first", empty_first, "two blocks of -inf first"),
        "nothing": Case("all_minus_infinity", nothing, "all -inf"),
        "infinite": Case("plus_infinity", infinite, "one of them +inf"),
        "many": Case("many", many, "200 blocks"),
        "one": Case("one", one, "a single block"),
    }
    return tuple(every[kind] for kind in kinds)


# Benchmarks


def _bench(name: str, make: object, reads_and_writes: int, operations: int) -> Bench:
    """Two sizes of rows; work counted per element."""

    def size(n: int, m: int) -> Size:
        return Size(f"{n} x {m}", lambda rng, dtype: make(rng, dtype, n, m))  # type: ignore[operator]

    def elements(inputs: Inputs) -> np.ndarray:
        return plain(next(v for v in inputs.values() if hasattr(v, "shape")))

    return Bench(
        sizes=(size(64, 1024), size(4096, 4096)),
        moved_bytes=lambda inputs: reads_and_writes * elements(inputs).nbytes // 2,
        operations=lambda inputs: operations * elements(inputs).size,
    )


def _rows(like: str) -> object:
    return lambda rng, dtype, n, m: {like: cast(rng.standard_normal((n, m), "float32"), dtype)}


def _backward_rows(rng: Rng, dtype: str, n: int, m: int) -> Inputs:
    z = rng.standard_normal((n, m), "float32")
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return {
        "grad_output": cast(rng.standard_normal((n, m), "float32"), dtype),
        "probs": cast(p, dtype),
    }


# The exercises

SOFTMAX = Exercise(
    name="softmax",
    topic="softmax",
    signature="softmax(logits, temperature=1.0, axis=-1)",
    checks=(
        values(
            "matches_the_formula", "core", "exp(z/T) divided by its sum", truth.softmax,
            ordinary(scores, tempered(0.5), tempered(3.0), *AXES), points=2,
        ),
        rows_sum_to_one,
        unchanged_by_a_constant,
        gradient_flows(
            truth.softmax, (*ordinary(scores), tempered(0.5), along(0)), through=["logits"]
        ),
        values("survives_large_scores", "stable", "large scores do not overflow",
               truth.softmax, large()),
        values("survives_tiny_differences", "stable", "tiny scores keep their digits",
               truth.softmax, tiny()),
        values("handles_minus_infinity", "stable",
               "a score of -inf has probability 0, a row of them NaN",
               truth.softmax, with_minus_infinity()),
        values("handles_long_rows", "stable", "rows of any length sum to 1",
               truth.softmax, long_rows()),
        *contract(
            scores, truth.softmax,
            refusals=(bad_temperature(0.0), bad_temperature(-1.0), bad_axis(scores),
                      bad_axis(scores, -3)),
        ),
    ),
    hints=(
        "exp(88.8) is the largest that float32 holds. What can you subtract from every score "
        "of a row without changing any ratio?",
        "Subtract the row's maximum: the largest exponent is then 0. Keep the axis "
        "(keepdims=True), so that the row's maximum and sum line up with the row.",
        "Divide the scores by the temperature first; for float16, convert to float32 before "
        "summing and back at the end.",
    ),
    mistakes=(
        Mistake(
            "no_maximum_subtracted",
            "exponentiated before subtracting the row maximum",
            "out = scores - scores.max(axis=axis, keepdims=True)",
            "out = scores.copy()",
        ),
        Mistake(
            "over_the_whole_array",
            "normalized over the whole array, not along the axis",
            "out /= out.sum(axis=axis, keepdims=True)",
            "out /= out.sum()",
        ),
        Mistake(
            "maximum_of_the_whole_array",
            "subtracted the maximum of the whole array: rows far below it underflow to 0 / 0",
            "scores.max(axis=axis, keepdims=True)",
            "scores.max() if scores.size else scores",
        ),
        Mistake(
            "axis_ignored",
            "always used the last axis, whatever axis says",
            "out = scores - scores.max(axis=axis, keepdims=True)",
            "axis = -1\n        out = scores - scores.max(axis=axis, keepdims=True)",
        ),
        Mistake(
            "temperature_multiplied",
            "multiplied by the temperature instead of dividing",
            "scores / scores.dtype.type(temperature)",
            "scores * scores.dtype.type(temperature)",
        ),
        Mistake(
            "temperature_ignored",
            "left the temperature out",
            "if temperature != 1.0:",
            "if False:",
        ),
        Mistake(
            "temperature_after_the_exponential",
            "divided by the temperature after the exponential, where it cancels or distorts",
            "np.exp(out, out=out)",
            "out *= scores.dtype.type(temperature)\n"
            "    np.exp(out, out=out)\n"
            "    out **= scores.dtype.type(1 / temperature) * scores.dtype.type(1 / temperature)",
        ),
        Mistake(
            "epsilon_in_the_sum",
            "added an epsilon to the sum, so that the probabilities do not sum to 1",
            "out /= out.sum(axis=axis, keepdims=True)",
            "out /= out.sum(axis=axis, keepdims=True) + 1e-6",
        ),
        Mistake(
            "half_precision_sum",
            "summed in float16, where adding to a large sum changes nothing",
            "scores = _widened(_as_float(logits))",
            "scores = _as_float(logits)",
            also=(
                ("out /= out.sum(axis=axis, keepdims=True)",
                 "out /= np.add.accumulate(out, axis=axis, dtype=out.dtype).take([-1], axis=axis)"),
            ),
        ),
        Mistake(
            "nan_replaced_by_zero",
            "replaced NaN by 0, which hides a row with nothing left",
            "return out.astype(_as_float(logits).dtype, copy=False)",
            "return np.nan_to_num(out.astype(_as_float(logits).dtype, copy=False))",
        ),
        Mistake(
            "always_float64",
            "returned float64 whatever came in",
            "return out.astype(_as_float(logits).dtype, copy=False)",
            "return out.astype(np.float64)",
        ),
        Mistake(
            "input_overwritten",
            "worked in place on the caller's array",
            "out = scores - scores.max(axis=axis, keepdims=True)",
            "scores = logits if logits.dtype.kind == 'f' else scores\n"
            "        scores -= scores.max(axis=axis, keepdims=True)\n"
            "        out = scores + 0",
        ),
        Mistake(
            "temperature_not_checked",
            "let a temperature of 0 or less through",
            "if not temperature > 0:",
            "if False:",
        ),
        Mistake(
            "graph_cut",
            "detached the result from autograd",
            "return out",
            "return out.detach()",
            track="torch",
        ),
    ),
    bench=_bench("softmax", _rows("logits"), 4, 5),
)  # fmt: skip

EXERCISES = (SOFTMAX,)
