"""accumulate_gradients: one large batch's gradient, in batches that fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Given, Value, cast, plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract, expect_dtypes
from llm_math_tests.checks.promises import expect_truth, values
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.checks.wrong import NotRun, Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.backprop.situations import (
    accumulated,
    batches_of,
    in_dtype_of,
    mean_gradient,
)
from llm_math_tests.habits import SUMMED_IN_HALF
from llm_math_tests.truths import backprop as truth

NUMBERS = 2**18
"""So many numbers has a gradient whose memory is measured: 1 MB."""
MOST_HELD = 8
"""Arrays of the gradient's size that an answer may hold: the docstring's figure."""


def _sizes(name: str, *sizes: int, note: str, dtype: str = "float64") -> Case:
    def make(rng: Rng) -> Inputs:
        return {"grad_fn": mean_gradient(), "batches": batches_of(rng, sizes, dtype)}

    return Case(name, make, note)


def _magnitude(name: str, size: float, dtype: str, batches: Sequence[int] = (3, 1, 2)) -> Case:
    """Gradients of a given magnitude, one sign: their sum is larger than each."""

    def make(rng: Rng) -> Inputs:
        sums = [cast(rng.uniform(0.9, 1, (n, 4)) * size, dtype) for n in batches]
        return {"grad_fn": _plain_mean(), "batches": sums}

    return Case(name, make, f"gradients around {size:g}")


def _plain_mean() -> Given:
    """A gradient that is the mean of the examples themselves."""

    def mean(batch: Value) -> Value:
        return in_dtype_of(batch, plain(batch).astype(float).mean(axis=0))

    return Given("grad_fn", mean)


def _whole(inputs: Inputs) -> Inputs:
    """The same examples in one batch."""
    together = np.concatenate([plain(batch) for batch in inputs["batches"]])
    return {**inputs, "batches": [together]}


def _equals_one_large_batch(answer: Answer, inputs: Inputs) -> None:
    whole = _whole(inputs)
    right = extended(inputs["grad_fn"].function(whole["batches"][0]))
    size = truth.accumulate_gradients(**inputs).scale
    expect_truth(answer, answer(inputs), Truth(right, size, terms=16), "float64")
    expect_truth(answer, answer(whole), Truth(right, size, terms=16), "float64")


def _calls_once(answer: Answer, inputs: Inputs) -> None:
    grad_fn: Given = inputs["grad_fn"]
    seen: list[int] = []

    def noted(batch: Value) -> Value:
        seen.append(len(plain(batch)))
        return grad_fn.function(batch)

    got = answer({**inputs, "grad_fn": Given("grad_fn", noted)})
    wanted = [len(plain(batch)) for batch in inputs["batches"] if len(plain(batch))]
    if sorted(seen) != sorted(wanted):
        shown = ", ".join(map(str, seen)) or "none"
        raise Wrong(
            f"one call of grad_fn for each batch that has examples: {len(wanted)} calls, "
            f"of {', '.join(map(str, wanted))} examples",
            f"{len(seen)} calls, of {shown}",
        )
    expect_truth(answer, got, truth.accumulate_gradients(**inputs), "float64")


def _keeps_the_gradients_dtype(answer: Answer, inputs: Inputs) -> None:
    dtype = answer.case.expects
    reply = answer.ask(inputs)
    expect_dtypes(answer, reply.value, dtype, f"gradients of {dtype}, and batches of int64, as")
    expect_truth(answer, reply.value, truth.accumulate_gradients(**inputs), dtype)


def _of_tokens(dtype: str, tracks: tuple[str, ...] = ("numpy", "torch", "cupy")) -> Case:
    """Batches of whole numbers, as token ids are; the gradients are floating."""

    def make(rng: Rng) -> Inputs:
        batches = [rng.integers(0, 5, (n, 3)) for n in (4, 1, 2)]
        return {"grad_fn": mean_gradient(dtype=dtype), "batches": batches}

    return Case(f"tokens_{dtype}", make, f"batches of int64, gradients of {dtype}", tracks, dtype)


def _holds_few_gradients(answer: Answer, inputs: Inputs) -> None:
    # A library's own start-up is not the answer's scratch.
    answer({**inputs, "batches": inputs["batches"][:2]})
    reply = answer.ask(inputs, measure_memory=True)
    if reply.peak_bytes is None:
        raise NotRun("peak memory cannot be measured here")
    # The truth of a few numbers is enough: of all of them it would take longer than the answer.
    batches, every = inputs["batches"], 4096
    few = Given("grad_fn", lambda batch: inputs["grad_fn"].function(batch)[::every])
    got = expect_array(reply.value, answer.track)
    expect_shape(got, (NUMBERS,))
    right = truth.accumulate_gradients(few, batches)
    expect_truth(answer, plain(got)[::every], right, "float32")
    one = 4 * NUMBERS
    if reply.peak_bytes > MOST_HELD * one:
        raise Wrong(
            f"at most {MOST_HELD} arrays of the gradient's size, {MOST_HELD * one / 1e6:.1f} MB, "
            "at a time",
            f"{reply.peak_bytes / 1e6:.1f} MB, {reply.peak_bytes / one:.3g} arrays "
            f"for {len(inputs['batches'])} batches",
            note="add each gradient to a running sum and let go of it",
        )


def _large(rng: Rng) -> Inputs:
    """Twenty-four batches whose gradients hold 1 MB each."""
    base = rng.standard_normal(NUMBERS, "float32")

    def gradient(batch: Value) -> Value:
        return base * np.float32(plain(batch).mean())

    batches = [rng.normal(1, 1, (1 + number % 3, 1)).astype("float32") for number in range(24)]
    return {"grad_fn": Given("grad_fn", gradient), "batches": batches}


def _without_examples(name: str, *sizes: int) -> Refusal:
    def make(rng: Rng) -> Inputs:
        return {"grad_fn": mean_gradient(), "batches": batches_of(rng, sizes)}

    return Refusal(name, make, "batches", "")


_PART = "part = _widened(gradient) * (len(batch) / examples)"
_TOTAL = "total = part if total is None else total + part"
_RETURN = "return total.astype(dtype, copy=False)"

EXERCISE = Exercise(
    name="accumulate_gradients",
    topic="backprop",
    signature="accumulate_gradients(grad_fn, batches)",
    checks=(
        values(
            "weighs_by_the_examples",
            "core",
            "each batch's gradient counts by its number of examples",
            truth.accumulate_gradients,
            (
                Case("float64", lambda rng: accumulated(rng, "float64")),
                Case("float32", lambda rng: accumulated(rng, "float32")),
                _sizes("a_short_last_batch", 4, 4, 1, note="batches of 4, 4 and 1"),
                _sizes("equal_sizes", 3, 3, note="batches of 3 and 3"),
                _sizes("a_single_batch", 5, note="one batch"),
            ),
            points=2,
        ),
        Check(
            "equals_one_large_batch",
            "core",
            "the same gradient as all examples in one batch",
            _equals_one_large_batch,
            (
                Case("unequal", lambda rng: accumulated(rng)),
                _sizes("many", *range(1, 9), note="batches of 1 to 8"),
            ),
        ),
        Check(
            "calls_grad_fn_once_a_batch",
            "contract",
            "grad_fn is called once for each batch that has examples",
            _calls_once,
            (
                Case("three_batches", lambda rng: accumulated(rng)),
                _sizes("with_empty_ones", 0, 3, 0, 2, 0, note="batches of 0, 3, 0, 2 and 0"),
            ),
        ),
        values(
            "ignores_empty_batches",
            "stable",
            "a batch of no examples counts for nothing",
            truth.accumulate_gradients,
            (
                _sizes("first", 0, 3, 2, note="batches of 0, 3 and 2"),
                _sizes("last", 3, 2, 0, note="batches of 3, 2 and 0"),
            ),
        ),
        values(
            "survives_large_gradients",
            "stable",
            "the sum on the way does not overflow",
            truth.accumulate_gradients,
            (_magnitude("float32", 1e4, "float32"), _magnitude("float16", 6e4, "float16")),
        ),
        values(
            "survives_tiny_gradients",
            "stable",
            "tiny gradients are not lost",
            truth.accumulate_gradients,
            (
                _magnitude("float32", 1e-30, "float32"),
                _magnitude("float16", 1e-6, "float16", (1,) * 100),
            ),
        ),
        values(
            "handles_many_batches",
            "stable",
            "a sum over many batches keeps its digits",
            truth.accumulate_gradients,
            (
                _magnitude("float16", 1.0, "float16", (5000, *(1,) * 150)),
                _magnitude("float32", 1.0, "float32", (5000, *(1,) * 150)),
            ),
        ),
        *contract(
            accumulated,
            truth.accumulate_gradients,
            integers=False,
            batched=False,
            connected=False,
            refusals=(
                _without_examples("no_batches"),
                _without_examples("empty_batches_only", 0, 0),
            ),
        ),
        Check(
            "keeps_the_gradients_dtype",
            "contract",
            "the result has the dtype of the gradients, whatever that of the batches",
            _keeps_the_gradients_dtype,
            (
                _of_tokens("float32"),
                _of_tokens("float64"),
                _of_tokens("float16"),
                _of_tokens("bfloat16", ("torch",)),
            ),
        ),
        Check(
            "holds_few_gradients_at_a_time",
            "contract",
            "only a running sum is kept, not every batch's gradient",
            _holds_few_gradients,
            (Case("24_batches", _large, "24 gradients of 1 MB"),),
        ),
    ),
    hints=(
        "The loss is a mean over all N examples. What does one batch's mean have to be "
        "multiplied by to become its part of that?",
        "By its share of the examples. Count those of all batches first, then add each part to "
        "a running sum and forget the gradient.",
        "Skip batches without examples before calling grad_fn: their mean is NaN, and NaN times "
        "0 is NaN. Keep the running sum in float32 where the gradients are float16.",
    ),
    mistakes=(
        Mistake(
            "mean_of_the_means",
            "took the plain mean over the batches: small batches then count too much",
            "(len(batch) / examples)",
            "(1 / sum(len(b) > 0 for b in batches))",
        ),
        Mistake(
            "sum_of_the_means",
            "added the batches' gradients up and did not divide",
            "(len(batch) / examples)",
            "1",
        ),
        Mistake(
            "not_divided",
            "weighed by the number of examples and did not divide by their sum",
            "(len(batch) / examples)",
            "len(batch)",
        ),
        Mistake(
            "divided_by_the_number_of_batches",
            "weighed by the number of examples, and divided by the number of batches",
            "(len(batch) / examples)",
            "(len(batch) / len(batches))",
        ),
        Mistake(
            "first_batch_size_for_all",
            "took every batch to be as large as the first",
            "(len(batch) / examples)",
            "(len(batches[0]) / examples)",
        ),
        Mistake(
            "last_batch_only",
            "kept the last batch's part only: the gradient was zeroed for each batch",
            _TOTAL,
            "total = part",
        ),
        Mistake(
            "short_batches_dropped",
            "left out batches that are shorter than the first",
            "if len(batch) == 0:",
            "if len(batch) < len(batches[0]) or len(batch) == 0:",
        ),
        Mistake(
            "one_large_batch_after_all",
            "put all batches together again: it is memory that they were cut for",
            _PART,
            "part = _widened(gradient) * (len(batch) / examples)\n    "
            "    batch = np.concatenate([b for b in batches])\n        "
            "part = _widened(grad_fn(batch))",
            also=(
                (_TOTAL, "total = part\n        break"),
                (
                    "gradient = grad_fn(batch)",
                    "gradient = grad_fn(np.concatenate([b for b in batches]))",
                ),
            ),
        ),
        Mistake(
            "called_twice",
            "called grad_fn twice for each batch, once to see its dtype",
            "gradient = grad_fn(batch)",
            "dtype = grad_fn(batch).dtype\n        gradient = grad_fn(batch)",
        ),
        Mistake(
            "empty_batches_called",
            "called grad_fn with an empty batch: NaN, and NaN times 0 is NaN",
            "if len(batch) == 0:",
            "if False:",
        ),
        Mistake(
            "all_gradients_kept",
            "kept every batch's gradient and added them up at the end",
            _TOTAL,
            "total = (total or []) + [part]",
            also=((_RETURN, "return sum(total).astype(dtype, copy=False)"),),
        ),
        Mistake(
            "dtype_of_the_batches",
            "returned the dtype of the batches, not that of the gradients",
            "dtype = gradient.dtype",
            "dtype = batch.dtype",
        ),
        Mistake(
            "small_gradients_cut",
            "treated small gradients as 0",
            _PART,
            "part = _widened(gradient) * (len(batch) / examples)\n"
            "        part = np.where(np.abs(part) < 1e-9, 0 * part, part)",
        ),
        Mistake(
            "weighed_in_half",
            "multiplied by the number of examples in float16, where 6e4 * 3 is inf",
            _PART,
            "part = gradient * gradient.dtype.type(len(batch))",
            also=((_RETURN, "return (total / examples).astype(dtype, copy=False)"),),
        ),
        SUMMED_IN_HALF,
        Mistake(
            "zeros_on_the_cpu",
            "began with zeros made on the CPU: new tensors need device=gradient.device",
            "total = part if total is None else total + part",
            "total = (torch.zeros(part.shape, dtype=part.dtype) if total is None else total) "
            "+ part",
            track="torch",
        ),
    ),
    no_bench="the time is that of grad_fn: what is added to it is one sum a batch",
)
