"""one_hot: a token id as a row of zeros with a single 1."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import dtype_name, plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_truth, values
from llm_math_tests.checks.situations import Rng
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.embeddings import yardsticks
from llm_math_tests.exercises.embeddings.situations import (
    any_width,
    as_in_text,
    edges,
    id_out_of_range,
    ids,
    nbytes,
    no_ids,
    no_tokens,
    repeated,
    shapes,
    token_bench,
    tokens,
    vocab_too_small,
)
from llm_math_tests.truths import embeddings as truth


def _can_be_read_back(answer: Answer, inputs: Inputs) -> None:
    """Each row holds one number, a 1, and where it stands is the token again."""
    rows = plain(expect_array(answer(inputs), answer.track))
    token_ids = inputs["token_ids"]
    expect_shape(rows, (*token_ids.shape, inputs["vocab_size"]))
    counts = (rows != 0).sum(axis=-1)
    if (counts != 1).any():
        wrong = int(counts[counts != 1][0])
        raise Wrong("a single number that is not 0 in each row", f"{wrong} of them")
    if (back := rows.argmax(axis=-1)).tolist() != token_ids.tolist():
        first = tuple(int(i) for i in np.argwhere(back != token_ids)[0])
        raise Wrong(f"token {token_ids[first]} at {list(first)}", f"token {back[first]}")


def _is_float32(answer: Answer, inputs: Inputs) -> None:
    got = expect_array(answer(inputs), answer.track)
    if dtype_name(got) != "float32":
        raise Wrong(
            f"float32, whatever token_ids are ({inputs['token_ids'].dtype} here)",
            dtype_name(got),
            note="a matrix product with a table wants its dtype, and half the memory of float64",
        )
    expect_truth(answer, got, truth.one_hot(**inputs), "float32")


def _of(name: str, note: str, vocab: int, dtype: str, *more: int) -> Case:
    """Some tokens of a vocabulary, the first and the last of it among them."""

    def make(rng: Rng) -> Inputs:
        drawn = np.r_[0, ids(rng, (3,), vocab), vocab - 1, more].astype(dtype)
        return {"token_ids": drawn, "vocab_size": vocab}

    return Case(name, make, note)


def _many(rng: Rng, dtype: str, vocab: int, d: int, n: int) -> Inputs:
    return {"token_ids": as_in_text(rng, vocab, n), "vocab_size": vocab}


_OUT = "out = np.zeros((ids.size, vocab_size), np.float32)"
_ONES = "out[np.arange(ids.size), ids] = 1"
_RETURN = "return out.reshape(*token_ids.shape, vocab_size)"
_RANGE = "_check_range(token_ids, vocab_size)"

EXERCISE = Exercise(
    name="one_hot",
    topic="embeddings",
    signature="one_hot(token_ids, vocab_size)",
    checks=(
        values(
            "marks_each_token",
            "core",
            "1 in the token's column, 0 elsewhere",
            truth.one_hot,
            (
                Case("sequences", lambda rng: tokens(rng, batch=(3,)), "three sequences of four"),
                *shapes(tokens),
            ),
            points=2,
        ),
        Check(
            "can_be_read_back",
            "core",
            "each row holds a single 1, and its place is the token",
            _can_be_read_back,
            (*repeated(tokens), _of("of_ten", "a vocabulary of 10", 10, "int64")),
        ),
        values(
            "reaches_the_edges",
            "stable",
            "the first and the last token are tokens like others",
            truth.one_hot,
            edges(tokens),
        ),
        values(
            "handles_small_and_large_vocabularies",
            "stable",
            "a vocabulary of one token, of more than 255, of thousands",
            truth.one_hot,
            (
                _of("one_token", "a vocabulary of 1", 1, "int64"),
                Case(
                    "more_than_uint8",
                    lambda rng: {
                        "token_ids": np.array([0, 44, 255, 128], "uint8"),
                        "vocab_size": 300,
                    },
                    "uint8 token_ids, a vocabulary of 300",
                ),
                _of("more_than_int16", "int32 token_ids, a vocabulary of 40000", 40_000, "int32"),
            ),
        ),
        values(
            "handles_no_tokens",
            "stable",
            "no tokens give no rows",
            truth.one_hot,
            no_tokens(tokens),
        ),
        Check(
            "is_float32",
            "contract",
            "the result is float32, whatever integers came in",
            _is_float32,
            any_width(tokens),
        ),
        *contract(
            tokens,
            truth.one_hot,
            floating=False,
            halves=False,
            connected=False,
            refusals=(
                *id_out_of_range(tokens),
                *no_ids(tokens),
                *vocab_too_small(tokens),
            ),
        ),
    ),
    hints=(
        "Each token needs one place in its own row. How would you name that place, with the "
        "number of the row and the number of the column?",
        "Start from zeros of float32. Two lists of equal length, all row numbers and all token "
        "ids, name one place each when you index with both. Comparing each id with all column "
        "numbers is another way.",
        "Flatten the ids first and give the result their shape back at the end; -1 would name "
        "the last column, so look for ids below 0 before.",
    ),
    mistakes=(
        Mistake(
            "counts_from_one",
            "took the tokens to count from 1: id 0 is the first column",
            _ONES,
            "out[np.arange(ids.size), ids.astype(int) - 1] = 1",
        ),
        Mistake(
            "whole_columns",
            "set whole columns, in every row: out[:, ids] pairs each id with all "
            "rows, not with its own",
            _ONES,
            "out[:, ids] = 1",
        ),
        Mistake(
            "vocabulary_first",
            "put the vocabulary on the first axis, not on the last",
            _RETURN,
            "return np.moveaxis(out.reshape(*token_ids.shape, vocab_size), -1, 0)",
        ),
        Mistake(
            "as_wide_as_the_largest_id",
            "made the rows as wide as the largest id in the batch, whatever vocab_size says",
            _OUT,
            "vocab_size = int(ids.max(initial=0)) + 1\n    " + _OUT,
        ),
        Mistake(
            "id_for_one",
            "wrote the id where the 1 belongs",
            _ONES,
            "out[np.arange(ids.size), ids] = ids",
        ),
        Mistake(
            "zeros_and_one_swapped",
            "wrote a 0 among ones",
            _ONES,
            "out[...] = 1\n    out[np.arange(ids.size), ids] = 0",
        ),
        Mistake(
            "flattened",
            "left the tokens in one long list, without the shape of token_ids",
            _RETURN,
            "return out",
        ),
        Mistake(
            "float64_rows",
            "returned NumPy's default dtype, which is float64",
            _OUT,
            "out = np.zeros((ids.size, vocab_size))",
        ),
        Mistake(
            "integer_rows",
            "returned integers, as torch.nn.functional.one_hot does",
            _RETURN,
            "return out.reshape(*token_ids.shape, vocab_size).astype(np.int64)",
        ),
        Mistake(
            "dtype_of_the_ids",
            "gave the rows the dtype of the ids",
            _RETURN,
            "return out.reshape(*token_ids.shape, vocab_size).astype(token_ids.dtype)",
        ),
        Mistake(
            "counted_from_the_end",
            "let an id below 0 count from the end: -1 is no token",
            _RANGE,
            "if (token_ids >= vocab_size).any():\n"
            "        raise ValueError(f'token_ids has {token_ids.max()}')",
        ),
        Mistake(
            "no_row_for_a_strange_id",
            "compared with every column: a strange id gives a row without a 1, and no error",
            _RANGE,
            "return (token_ids[..., None] == np.arange(vocab_size)).astype(np.float32)",
        ),
        Mistake(
            "floats_for_ids",
            "turned float ids into integers: 2.7 is no token",
            "_check_ids(token_ids)",
            "token_ids = token_ids.astype(int)",
        ),
        Mistake(
            "asked_for_the_largest_of_none",
            "asked for the largest id where there may be none",
            _RANGE,
            _RANGE + "\n    assert token_ids.max() < vocab_size",
        ),
        Mistake(
            "last_column_cut_off",
            "made one column too few",
            _RETURN,
            "return out.reshape(*token_ids.shape, vocab_size)[..., : vocab_size - 1]",
        ),
        Mistake(
            "ids_as_bytes",
            "converted the ids to 8 bits: 300 becomes 44",
            "ids = token_ids.reshape(-1)",
            "ids = token_ids.reshape(-1).astype(np.uint8).astype(int) % vocab_size",
        ),
        Mistake(
            "ids_not_widened",
            "indexed with the ids as they came: scatter wants int64",
            "token_ids.long()[..., None]",
            "token_ids[..., None]",
            track="torch",
        ),
        Mistake(
            "values_read_on_the_device",
            "looked at the ids' values on the device, which has to stop for it",
            'if token_ids.device.type == "cpu":',
            "if True:",
            track="torch",
        ),
        Mistake(
            "zeros_on_the_host",
            "made the zeros on the CPU, whatever the device of the ids",
            "dtype=torch.float32, device=token_ids.device",
            "dtype=torch.float32",
            track="torch",
        ),
    ),
    bench=token_bench(
        _many,
        lambda inputs: (
            4 * inputs["token_ids"].size * inputs["vocab_size"] + nbytes(inputs, "token_ids")
        ),
        # Nothing is computed: every number is written once.
        lambda inputs: inputs["token_ids"].size * inputs["vocab_size"],
        yardsticks.ONE_HOT,
        yardsticks.ONE_HOT_COMPOSED,
        sizes=((1000, 1, 256), (50_000, 1, 512)),
    ),
)
