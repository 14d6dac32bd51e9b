"""embedding_lookup: token ids to rows of a table."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast, plain
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    beside_the_usual,
    expect_same,
    gradient_flows,
    relation,
    values,
)
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import TRACKS, Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.embeddings import yardsticks
from llm_math_tests.exercises.embeddings.promises import (
    builds_no_one_hot,
    copies_every_bit,
    takes_ids_of_any_width,
    with_tokens,
)
from llm_math_tests.exercises.embeddings.situations import (
    VOCAB,
    as_in_text,
    edges,
    id_out_of_range,
    ids,
    looked_up,
    nbytes,
    no_ids,
    no_table,
    no_tokens,
    repeated,
    shapes,
    some_numbers,
    special,
    token_bench,
)
from llm_math_tests.truths import embeddings as truth


def _is_one_hot_times_table(answer: Answer, inputs: Inputs, one_hot: Answer) -> None:
    table = inputs["table"]
    rows = one_hot({"token_ids": inputs["token_ids"], "vocab_size": len(plain(table))})
    product = (extended(rows) @ extended(table)).astype(table.dtype)
    got = answer(inputs)
    expect_same(answer, got, product, np.abs(product), "each number, by one_hot @ table")


def _bits(dtype: str) -> Case:
    def make(rng: Rng) -> Inputs:
        table = cast(special("float32" if dtype == "bfloat16" else dtype), dtype)
        return {"table": table, "token_ids": np.r_[rng.permutation(VOCAB), 0, 3]}

    tracks = ("torch",) if dtype == "bfloat16" else TRACKS
    return Case(dtype, make, "signed zeros, inf, NaN and the smallest numbers", tracks)


def _with_bad_rows(poison: float) -> Case:
    """Rows that nobody asks for hold no numbers."""

    def make(rng: Rng) -> Inputs:
        table = rng.normal(0, 1, (VOCAB, 3))
        table[[1, 4]] = poison
        return {"table": table, "token_ids": np.array([[0, 2], [6, 0]])}

    name = "nan" if np.isnan(poison) else "inf"
    return Case(name, make, f"{poison} in rows that are not asked for")


def _good_rows(inputs: Inputs) -> Inputs:
    return {**inputs, "table": np.nan_to_num(inputs["table"], nan=1.0, posinf=1.0)}


def _large(rng: Rng, tokens: int, vocab: int) -> Inputs:
    return {"table": rng.normal(0, 1, (vocab, 4)), "token_ids": ids(rng, (tokens,), vocab)}


def _many(rng: Rng, dtype: str, vocab: int, d: int, n: int) -> Inputs:
    return {"table": some_numbers(rng, dtype, vocab, d), "token_ids": as_in_text(rng, vocab, n)}


def _read_and_written(inputs: Inputs) -> int:
    table = plain(inputs["table"])
    rows: int = inputs["token_ids"].size * table.shape[1] * table.itemsize
    return 2 * rows + nbytes(inputs, "token_ids")


_ROWS = "rows = _as_float(table[token_ids.reshape(-1)])"
_RETURN = "return rows.reshape(*token_ids.shape, table.shape[1])"
_RANGE = "_check_range(token_ids, table.shape[0])"

EXERCISE = Exercise(
    name="embedding_lookup",
    topic="embeddings",
    signature="embedding_lookup(table, token_ids)",
    checks=(
        values(
            "picks_the_rows",
            "core",
            "the vector of a token is its row of the table",
            truth.embedding_lookup,
            ordinary(looked_up, *shapes(looked_up), *repeated(looked_up)),
            points=2,
        ),
        gradient_flows(
            truth.embedding_lookup,
            (*ordinary(looked_up), *repeated(looked_up)),
            through=["table"],
        ),
        relation(
            "is_one_hot_times_table",
            "a lookup is one_hot(token_ids) @ table",
            ["one_hot"],
            _is_one_hot_times_table,
            ordinary(looked_up),
        ),
        values(
            "reaches_the_edges",
            "stable",
            "the first and the last row are rows like others",
            truth.embedding_lookup,
            edges(looked_up),
        ),
        Check(
            "copies_every_bit",
            "stable",
            "a row comes over to the last bit, -0.0, inf and NaN too",
            copies_every_bit,
            tuple(_bits(dtype) for dtype in ("float64", "float32", "float16", "bfloat16")),
        ),
        beside_the_usual(
            "never_reads_other_rows",
            "stable",
            "rows that are not asked for change nothing, NaN and inf included",
            truth.embedding_lookup,
            _good_rows,
            (_with_bad_rows(np.nan), _with_bad_rows(np.inf)),
        ),
        beside_the_usual(
            "handles_no_tokens",
            "stable",
            "no tokens give no vectors",
            truth.embedding_lookup,
            with_tokens,
            no_tokens(looked_up),
        ),
        *contract(
            looked_up,
            truth.embedding_lookup,
            refusals=(
                *id_out_of_range(looked_up),
                *no_ids(looked_up),
                *no_table(looked_up),
            ),
        ),
        takes_ids_of_any_width(looked_up, truth.embedding_lookup),
        builds_no_one_hot(truth.embedding_lookup, _large, 1500, 4000),
    ),
    hints=(
        "one_hot(t) @ table adds up vocab rows, all but one of them multiplied by 0. Which "
        "numbers of the table does the result hold in the end?",
        "Indexing the first axis with an array of ids copies those rows, and the shape of the "
        "ids comes out in front of d.",
        "Negative ids index from the end without an error: look for them, and for ids that are "
        "too large, before. An empty array of ids has no smallest and no largest one.",
    ),
    mistakes=(
        Mistake(
            "columns_picked",
            "picked columns of the table: tokens are its rows",
            _ROWS,
            "return _as_float(table[:, token_ids])",
        ),
        Mistake(
            "columns_picked_as_rows",
            "picked columns of the table: tokens are its rows",
            _ROWS,
            "return _as_float(table.T[token_ids])",
        ),
        Mistake(
            "counts_from_one",
            "took the tokens to count from 1: id 0 is the first row",
            _ROWS,
            "rows = _as_float(table[token_ids.reshape(-1).astype(int) - 1])",
        ),
        Mistake(
            "each_token_once",
            "looked up each token once, in sorted order: a sequence repeats its tokens",
            _ROWS,
            "rows = np.resize(_as_float(table[np.unique(token_ids)]), "
            "(token_ids.size, table.shape[1]))",
        ),
        Mistake(
            "summed_over_the_tokens",
            "added up the vectors of a sequence: that is a bag of words",
            _RETURN,
            "out = rows.reshape(*token_ids.shape, table.shape[1])\n"
            "    return out.sum(axis=-2) if token_ids.ndim else out",
        ),
        Mistake(
            "flattened",
            "left the vectors in one long list, without the shape of token_ids",
            _RETURN,
            "return rows",
        ),
        Mistake(
            "axes_swapped",
            "put the axis of the vectors' numbers before that of the tokens",
            _RETURN,
            "out = rows.reshape(*token_ids.shape, table.shape[1])\n"
            "    return np.moveaxis(out, -1, max(0, token_ids.ndim - 1))",
        ),
        Mistake(
            "multiplied_by_one_hot",
            "multiplied by a one-hot matrix: it needs memory for tokens times vocabulary, and "
            "0 * inf is NaN",
            _ROWS,
            "picked = token_ids.reshape(-1)[:, None] == np.arange(table.shape[0])\n"
            "    rows = picked.astype(_as_float(table).dtype) @ _as_float(table)",
        ),
        Mistake(
            "one_hot_built",
            "built a matrix of tokens times vocabulary: one-hot rows, or the like",
            _ROWS,
            "picked = (token_ids.reshape(-1)[:, None] == np.arange(table.shape[0])).astype(float)\n"
            "    rows = _as_float(table[picked.argmax(axis=1)])",
        ),
        Mistake(
            "scaled_by_the_root_of_d",
            "multiplied by sqrt(d), which the transformer does after the lookup",
            _RETURN,
            "rows = rows * np.sqrt(table.shape[1]).astype(rows.dtype)\n    " + _RETURN,
        ),
        Mistake(
            "normalized",
            "brought the vectors to length 1: nothing but a copy is asked for",
            _RETURN,
            "length = np.sqrt((rows.astype(float) ** 2).sum(-1, keepdims=True))\n"
            "    rows = (rows / length).astype(rows.dtype)\n    " + _RETURN,
        ),
        Mistake(
            "zero_is_padding",
            "gave token 0 a vector of zeros, as if it were padding: no padding index is asked for",
            _RETURN,
            "rows[token_ids.reshape(-1) == 0] = 0\n    " + _RETURN,
        ),
        Mistake(
            "added_to_zeros",
            "added the rows to zeros: 0.0 + -0.0 is 0.0",
            _RETURN,
            "rows = rows + np.zeros_like(rows)\n    " + _RETURN,
        ),
        Mistake(
            "through_float32",
            "went through float32 on the way",
            _RETURN,
            "rows = rows.astype(np.float32).astype(rows.dtype)\n    " + _RETURN,
        ),
        Mistake(
            "counted_from_the_end",
            "let an id below 0 count from the end: -1 is no token",
            _RANGE,
            "if (token_ids >= table.shape[0]).any():\n"
            "        raise ValueError(f'token_ids has {token_ids.max()}')",
        ),
        Mistake(
            "clipped",
            "clipped ids to the range: a strange id gets the vector of another token",
            _RANGE,
            "token_ids = token_ids.clip(0, table.shape[0] - 1)",
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
            _RANGE + "\n    assert token_ids.max() < table.shape[0]",
        ),
        Mistake(
            "int64_only",
            "refused integer ids that are not int64",
            "_check_ids(token_ids)",
            "_check_ids(token_ids)\n"
            "    if token_ids.dtype != np.int64:\n"
            "        raise TypeError('token_ids must be int64')",
        ),
        Mistake(
            "indexed_with_bytes",
            "indexed with uint8 ids as they came: torch takes them for a mask",
            "rows = table.index_select(0, token_ids.long().reshape(-1))",
            "rows = table[token_ids.reshape(-1)]",
            track="torch",
        ),
        Mistake(
            "made_of_a_list",
            "made a new tensor of the rows: torch.tensor(...) cuts the graph",
            "return _as_float(rows)",
            "rows = torch.tensor(rows.tolist(), dtype=rows.dtype).reshape(rows.shape)\n"
            "    return _as_float(rows)",
            track="torch",
        ),
        Mistake(
            "values_read_on_the_device",
            "looked at the ids' values on the device, which has to stop for it",
            'if token_ids.device.type == "cpu":',
            "if True:",
            track="torch",
        ),
    ),
    bench=token_bench(
        _many,
        _read_and_written,
        lambda inputs: 0,
        yardsticks.LOOKUP,
        yardsticks.LOOKUP_COMPOSED,
    ),
)
