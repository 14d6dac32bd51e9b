"""What this topic's inputs look like, easy and hard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Value, cast, dtype_name, plain
from llm_math_tests.checks.situations import Rng, Sample, case_name
from llm_math_tests.exercise import Bench, Case, Inputs, Refusal, Size, Yardstick

VOCAB, WIDTH = 7, 3


def ids(rng: Rng, shape: tuple[int, ...], vocab: int = VOCAB) -> np.ndarray:
    """Token ids of any size in the vocabulary."""
    drawn: np.ndarray = rng.integers(0, vocab, shape, dtype="int64")
    return drawn


def tokens(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary token ids of a small vocabulary, four to a sequence."""
    return {"token_ids": ids(rng, (*batch, 4)), "vocab_size": VOCAB}


def looked_up(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """An ordinary table, and token ids."""
    return {
        "table": cast(rng.normal(0, 1, (VOCAB, WIDTH)), dtype),
        "token_ids": ids(rng, (*batch, 4)),
    }


def upstream(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Gradients of the vectors of ordinary tokens; one token comes twice."""
    token_ids = ids(rng, (*batch, 4))
    token_ids[..., 3] = token_ids[..., 0]
    return {
        "grad_output": cast(rng.normal(0, 1, (*batch, 4, WIDTH)), dtype),
        "token_ids": token_ids,
        "vocab_size": VOCAB,
    }


def before_a_step(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """A table, such gradients, and a learning rate."""
    back = upstream(rng, dtype, batch)
    return {
        "table": cast(rng.normal(0, 1, (VOCAB, WIDTH)), dtype),
        "grad_output": back["grad_output"],
        "token_ids": back["token_ids"],
        "lr": 0.1,
    }


def stepping(make: Callable[[Rng], Inputs], lr: float = 0.1) -> Callable[[Rng], Inputs]:
    """The same gradients as part of a step, and a table of about their size."""

    def inputs(rng: Rng) -> Inputs:
        back = make(rng)
        dtype = dtype_name(back["grad_output"])
        shape = (back["vocab_size"], back["grad_output"].shape[-1])
        size = 0.5 * float(np.abs(back["grad_output"]).max(initial=0))
        table = cast(rng.uniform(-size, size, shape), dtype)
        return {
            "table": table,
            "grad_output": back["grad_output"],
            "token_ids": back["token_ids"],
            "lr": lr,
        }

    return inputs


def in_steps(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Cases of gradients as cases of a step."""
    return tuple(replace(case, make=stepping(case.make)) for case in cases)


def with_ids(sample: Sample, name: str, note: str, token_ids: Any) -> Case:
    """Ordinary inputs with these token ids, and gradients of their shape."""
    given = np.array(token_ids, "int64")

    def make(rng: Rng) -> Inputs:
        inputs = {**sample(rng, "float64", ()), "token_ids": given.copy()}
        if "grad_output" in inputs:
            inputs["grad_output"] = rng.normal(0, 1, (*given.shape, WIDTH))
        return inputs

    return Case(name, make, note)


def shapes(sample: Sample) -> tuple[Case, ...]:
    """Other shapes of ids than a list of sequences."""
    return (
        with_ids(sample, "one_sequence", "one sequence", [4, 0, 6]),
        with_ids(sample, "a_single_id", "token_ids a 0-d array", 5),
    )


def repeated(sample: Sample) -> tuple[Case, ...]:
    """Tokens that come more than once."""
    return (
        with_ids(sample, "twice_in_a_row", "one token twice in a row", [2, 5, 5, 1]),
        with_ids(sample, "far_apart", "a token at both ends", [3, 0, 6, 1, 3]),
        with_ids(sample, "across_sequences", "a token in two sequences", [[1, 4], [4, 2]]),
        with_ids(sample, "always_the_same", "six times the same token", [[2, 2, 2], [2, 2, 2]]),
    )


def no_tokens(sample: Sample) -> tuple[Case, ...]:
    """Batches without a token."""
    return (
        with_ids(sample, "no_tokens", "no tokens", []),
        with_ids(sample, "empty_sequences", "two empty sequences", [[], []]),
    )


def edges(sample: Sample) -> tuple[Case, ...]:
    """The first and the last token, alone and together."""
    return (
        with_ids(sample, "first_and_last", "the first and the last id", [0, VOCAB - 1]),
        with_ids(sample, "only_the_first", "the id 0 alone", [0]),
        with_ids(sample, "only_the_last", "the last id alone", [VOCAB - 1]),
    )


def any_width(sample: Sample) -> tuple[Case, ...]:
    """Ids of narrower and of unsigned dtypes."""

    def narrow(dtype: str) -> Case:
        def make(rng: Rng) -> Inputs:
            inputs = sample(rng, "float64", (2,))
            return {**inputs, "token_ids": inputs["token_ids"].astype(dtype)}

        return Case(dtype, make, f"{dtype} token_ids")

    return tuple(narrow(dtype) for dtype in ("int64", "int32", "int16", "uint8"))


def gradients(name: str, note: str, make: Callable[[Rng], tuple[Any, Any]], dtype: str) -> Case:
    """A case of these gradients and token ids."""

    def inputs(rng: Rng) -> Inputs:
        grad, token_ids = make(rng)
        return {
            "grad_output": cast(grad, dtype),
            "token_ids": np.asarray(token_ids, "int64"),
            "vocab_size": VOCAB,
        }

    return Case(name, inputs, note)


def sized(size: float, *shape: int) -> Callable[[Rng], tuple[Any, Any]]:
    """Gradients up to a size, for tokens of all kinds."""
    return lambda rng: (rng.uniform(-size, size, (*shape, 2)), ids(rng, shape))


LARGE = (
    gradients("float32_large", "gradients up to 1e4", sized(1e4, 9), "float32"),
    gradients("float64_large", "gradients up to 1e4", sized(1e4, 9), "float64"),
    gradients(
        "float16_beyond",
        "three gradients of 6e4, 6e4 and -6e4 for one token",
        lambda rng: ([[6e4, 1.0], [6e4, 2.0], [-6e4, -4.0]], [1, 1, 1]),
        "float16",
    ),
)
TINY = (
    gradients("float32_tiny", "gradients up to 1e-30", sized(1e-30, 9), "float32"),
    gradients("float64_tiny", "gradients up to 1e-30", sized(1e-30, 9), "float64"),
)


def _opposite(rng: Rng) -> tuple[Any, Any]:
    big = rng.uniform(1e3, 1e4, (4, 2))
    small = rng.uniform(-1e-3, 1e-3, (4, 2))
    return np.concatenate([big, -big + small]), [0, 1, 2, 2, 0, 1, 2, 2]


CANCELLING = (
    gradients("float64_opposite", "gradients of 1e4 that all but cancel", _opposite, "float64"),
    gradients("float32_opposite", "gradients of 1e4 that all but cancel", _opposite, "float32"),
)
MANY = (
    gradients(
        "float32_10000",
        "10000 tokens of three kinds",
        lambda rng: (rng.uniform(0, 1, (10_000, 2)), ids(rng, (10_000,), 3)),
        "float32",
    ),
    gradients(
        "float16_5000",
        "5000 small gradients of one token",
        lambda rng: (rng.uniform(0, 0.1, (5000, 2)), np.full(5000, 4)),
        "float16",
    ),
)


def overflowed(make: Callable[[Rng], Inputs], poison: float, dtype: str) -> Case:
    """The gradient of the second token is no number."""

    def inputs(rng: Rng) -> Inputs:
        made = make(rng)
        made["grad_output"] = np.array(made["grad_output"], dtype)
        if "table" in made:
            made["table"] = made["table"].astype(dtype)
        made["token_ids"] = np.array([5, 2, 5, 0])
        made["grad_output"][1] = poison
        return made

    name = {np.inf: "inf", -np.inf: "minus_inf"}.get(poison, "nan")
    return Case(f"{name}_{dtype}", inputs, f"one token's gradient {poison}")


def poisoned(sample: Sample) -> tuple[Case, ...]:
    """One token's gradient overflowed, as happens in mixed precision."""

    def make(rng: Rng) -> Inputs:
        return sample(rng, "float64", ())

    return (
        overflowed(make, np.inf, "float32"),
        overflowed(make, -np.inf, "float64"),
        overflowed(make, np.nan, "float32"),
    )


def special(dtype: str) -> np.ndarray:
    """Rows whose bits are easily lost: signed zeros, the smallest numbers, no numbers."""
    least = np.finfo(dtype).smallest_subnormal
    most = np.finfo(dtype).max
    tiny = np.finfo(dtype).tiny
    rows = [
        [-0.0, 0.0, -0.0],
        [least, -least, tiny],
        [np.inf, -np.inf, most],
        [np.nan, 1.0, -0.0],
        [1 / 3, -2 / 3, 1e-3],
        [-0.0, -1.0, 0.1],
        [-most, tiny, 3.0],
    ]
    return np.array(rows, np.float64 if dtype == "float64" else np.float32).astype(dtype)


# Bad arguments


def id_out_of_range(sample: Sample) -> tuple[Refusal, ...]:
    """Ids that are no token: below 0, one too many, and far beyond."""

    def holding(value: int) -> Refusal:
        def make(rng: Rng) -> Inputs:
            inputs = sample(rng, "float64", (2,))
            ids = inputs["token_ids"]
            ids[ids == value % VOCAB] = 1  # the row that value may end in is nobody else's
            ids[1, 2] = value
            return inputs

        return Refusal(case_name("id", value), make, "token_ids", str(value), looks_at_values=True)

    return tuple(holding(value) for value in (-2, -VOCAB, VOCAB, 1000))


def no_ids(sample: Sample) -> tuple[Refusal, ...]:
    """Ids of a dtype that is no integer."""

    def of(dtype: str) -> Refusal:
        def make(rng: Rng) -> Inputs:
            inputs = sample(rng, "float64", (2,))
            return {**inputs, "token_ids": (inputs["token_ids"] % 2).astype(dtype)}

        return Refusal(f"{dtype}_ids", make, "token_ids", dtype)

    return (of("float64"), of("float32"), of("bool"))


def vocab_too_small(sample: Sample) -> tuple[Refusal, ...]:
    """A vocabulary of no tokens, or fewer; no id is there to be out of range."""

    def of(value: int) -> Refusal:
        def make(rng: Rng) -> Inputs:
            return {**sample(rng, "float64", (0,)), "vocab_size": value}

        return Refusal(case_name("vocab_size", value), make, "vocab_size", str(value))

    return (of(0), of(-3))


def no_table(sample: Sample) -> tuple[Refusal, ...]:
    """A table of one axis, or of three."""

    def of(name: str, shape: tuple[int, ...]) -> Refusal:
        def make(rng: Rng) -> Inputs:
            return {**sample(rng, "float64", (2,)), "table": rng.normal(0, 1, shape)}

        return Refusal(name, make, "table", str(shape))

    return (of("a_vector_for_a_table", (VOCAB,)), of("three_axes", (VOCAB, 4, WIDTH)))


def other_gradients(sample: Sample, *more: tuple[str, tuple[int, ...]]) -> tuple[Refusal, ...]:
    """Gradients that do not fit the ids, though some would broadcast."""

    def of(name: str, shape: tuple[int, ...]) -> Refusal:
        def make(rng: Rng) -> Inputs:
            return {**sample(rng, "float64", (2,)), "grad_output": rng.normal(0, 1, shape)}

        return Refusal(name, make, "grad_output", str(shape))

    return (
        of("one_for_all_sequences", (1, 4, WIDTH)),
        of("the_tokens_of_another_batch", (2, 5, WIDTH)),
        of("no_axis_of_numbers", (2, 4)),
        *(of(name, shape) for name, shape in more),
    )


# Benchmarks

Make = Callable[[Rng, str, int, int, int], Inputs]
"""``make(rng, dtype, vocab, d, n)``: inputs for ``n`` tokens."""


def as_in_text(rng: Rng, vocab: int, n: int) -> np.ndarray:
    """Ids as text has them: the token of rank r comes 1/r as often as the first."""
    often = 1 / np.arange(1, vocab + 1)
    return rng.choice(vocab, n, p=often / often.sum())


def some_numbers(rng: Rng, dtype: str, *shape: int) -> Value:
    """Normal numbers, made in float32."""
    return cast(rng.standard_normal(shape, "float32"), dtype)


def token_bench(
    make: Make,
    moved_bytes: Callable[[Inputs], int],
    operations: Callable[[Inputs], int],
    yardsticks: dict[str, Yardstick],
    compositions: dict[str, Yardstick],
    sizes: tuple[tuple[int, int, int], ...] = ((8000, 256, 1024), (50_000, 768, 4096)),
) -> Bench:
    """A small table and few tokens, and a language model's of both."""

    def size(vocab: int, d: int, n: int) -> Size:
        width = f" x {d}" if d > 1 else ""
        name = f"{vocab}{width}, {n} tokens"
        return Size(name, lambda rng, dtype: make(rng, dtype, vocab, d, n))

    return Bench(
        sizes=tuple(size(*one) for one in sizes),
        moved_bytes=moved_bytes,
        operations=operations,
        yardsticks=yardsticks,
        compositions=compositions,
    )


def nbytes(inputs: Inputs, *names: str) -> int:
    """Bytes of these arguments."""
    return sum(plain(inputs[name]).nbytes for name in names)
