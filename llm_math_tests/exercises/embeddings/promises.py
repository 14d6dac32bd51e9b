"""Promises that several exercises of this topic make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, dtype_name, plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.promises import TruthOf, expect_truth, result_dtype, values
from llm_math_tests.checks.situations import Rng, Sample
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Inputs
from llm_math_tests.exercises.embeddings.situations import any_width


def takes_ids_of_any_width(sample: Sample, truth: TruthOf) -> Check:
    """Token ids may be integers of any width."""
    return values(
        "takes_ids_of_any_width",
        "contract",
        "token ids are integers of any width",
        truth,
        any_width(sample),
    )


def with_tokens(inputs: Inputs) -> Inputs:
    """Two tokens in place of none."""
    some: Inputs = {**inputs, "token_ids": np.array([2, 5])}
    if "grad_output" in inputs:
        d = inputs["grad_output"].shape[-1]
        some["grad_output"] = np.arange(1.0, 1 + 2 * d).reshape(2, d)
    return some


def without_overflow(inputs: Inputs) -> Inputs:
    """The same gradients with a number where inf or NaN stood."""
    clean = np.nan_to_num(inputs["grad_output"], nan=2.0, posinf=2.0, neginf=-2.0)
    return {**inputs, "grad_output": clean}


def expect_same_bits(got: Value, want: Value, what: str, names: np.ndarray) -> None:
    """Rows equal to the last bit (any NaN is a NaN); ``names`` are what the rows are called."""
    if dtype_name(got) != dtype_name(want):
        raise Wrong(f"{what} in {dtype_name(want)}", dtype_name(got))
    have, right = np.ascontiguousarray(plain(got)), np.ascontiguousarray(plain(want))
    bits = f"u{have.itemsize}"
    same = (have.view(bits) == right.view(bits)) | (np.isnan(have) & np.isnan(right))
    if not same.all():
        row, column = (int(i) for i in np.argwhere(~same)[0])
        raise Wrong(
            f"{what}, bit for bit: {right[row, column]!s} in row {names[row]}",
            f"{have[row, column]!s}",
        )


def keeps_other_rows(answer: Answer, inputs: Inputs) -> None:
    """The rows of tokens that did not come are the old table's, to the last bit."""
    got = expect_array(answer(inputs), answer.track)
    table = inputs["table"]
    expect_shape(got, plain(table).shape)
    others = np.setdiff1d(np.arange(len(plain(table))), inputs["token_ids"])
    expect_same_bits(_rows(got, others), _rows(table, others), "rows left as they were", others)


def _rows(table: Value, chosen: np.ndarray) -> Value:
    return type(table)(table.values[chosen]) if hasattr(table, "values") else table[chosen]


def copies_every_bit(answer: Answer, inputs: Inputs) -> None:
    """The rows asked for are the table's, to the last bit."""
    got = expect_array(answer(inputs), answer.track)
    token_ids = inputs["token_ids"]
    wanted = _rows(inputs["table"], token_ids)
    expect_shape(got, plain(wanted).shape)
    expect_same_bits(got, wanted, "rows as they stand in the table", token_ids)


def builds_no_one_hot(
    truth: TruthOf, make: Callable[[Rng, int, int], Inputs], tokens: int, vocab: int
) -> Check:
    """Memory grows with what comes in and goes out, not with tokens times vocabulary."""

    def run(answer: Answer, inputs: Inputs) -> None:
        answer(inputs)  # what a library sets up on its first call is not the answer's
        reply = answer.ask(inputs, measure_memory=True)
        expect_truth(answer, reply.value, truth(**inputs), result_dtype(inputs, answer.track))
        allowed = tokens * vocab * 8 // 5
        if reply.peak_bytes is not None and reply.peak_bytes > allowed:
            raise Wrong(
                f"memory for {tokens} rows and a table of {vocab} (at most {allowed / 1e6:.0f} "
                "MB, a fifth of the one-hot matrix in float64)",
                f"{reply.peak_bytes / 1e6:.0f} MB at the peak",
                note="one_hot and a matrix product say what is computed, not how",
            )

    case = Case(
        f"{tokens}_tokens_of_{vocab}",
        lambda rng: make(rng, tokens, vocab),
        f"{tokens} tokens of a vocabulary of {vocab}",
    )
    return Check(
        "builds_no_one_hot",
        "contract",
        "memory does not grow with tokens times vocabulary",
        run,
        (case,),
    )
