"""embedding_sgd_step: the rows of the tokens in a batch take a step, the others stay."""

from __future__ import annotations

from collections.abc import Callable

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
from llm_math_tests.checks.situations import Rng, given, ordinary, refused
from llm_math_tests.checks.truth import extended
from llm_math_tests.exercise import TRACKS, Case, Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.embeddings import yardsticks
from llm_math_tests.exercises.embeddings.promises import (
    builds_no_one_hot,
    keeps_other_rows,
    takes_ids_of_any_width,
    with_tokens,
    without_overflow,
)
from llm_math_tests.exercises.embeddings.situations import (
    CANCELLING,
    LARGE,
    MANY,
    TINY,
    VOCAB,
    WIDTH,
    as_in_text,
    before_a_step,
    edges,
    id_out_of_range,
    ids,
    in_steps,
    nbytes,
    no_ids,
    no_table,
    no_tokens,
    other_gradients,
    poisoned,
    repeated,
    shapes,
    some_numbers,
    special,
    token_bench,
)
from llm_math_tests.exercises.embeddings.slips import of_every_sum
from llm_math_tests.truths import embeddings as truth


def _is_a_dense_step(answer: Answer, inputs: Inputs, backward: Answer) -> None:
    table, lr = inputs["table"], inputs["lr"]
    grad = backward(
        {
            "grad_output": inputs["grad_output"],
            "token_ids": inputs["token_ids"],
            "vocab_size": len(plain(table)),
        }
    )
    whole = extended(table) - lr * extended(grad)
    scale = np.abs(extended(table)) + lr * np.abs(extended(grad)).max()
    got = answer(inputs)
    expect_same(answer, got, whole.astype(table.dtype), scale, "|table| + lr times the gradients")


def _bits(dtype: str, *tokens: int) -> Case:
    """A table whose rows are easily changed by touching them, and few tokens or none."""

    def make(rng: Rng) -> Inputs:
        table = cast(special("float32" if dtype == "bfloat16" else dtype), dtype)
        # A gradient below 0 would turn -0.0 into 0.0, and one above 0 would not.
        grad = rng.choice([-1, 1], (len(tokens), WIDTH)) * rng.uniform(0.5, 1, (1, WIDTH))
        return {
            "table": table,
            "grad_output": cast(grad, dtype),
            "token_ids": np.array(tokens, "int64"),
            "lr": 0.1,
        }

    note = "signed zeros, inf, NaN and the smallest numbers in rows that did not come"
    tracks = ("torch",) if dtype == "bfloat16" else TRACKS
    return Case(f"{dtype}_{len(tokens)}_tokens", make, note, tracks)


def _rare(dtype: str) -> Case:
    def make(rng: Rng) -> Inputs:
        inputs = before_a_step(rng, dtype)
        return {**inputs, "token_ids": np.array([1, 6, 1, 6])}

    return Case(f"{dtype}_ordinary", make, "two tokens of seven")


def _small_steps(rng: Rng) -> Inputs:
    """Each step is less than half of what float16 can tell from 1, all together are not."""
    return {
        "table": cast(np.ones((2, 2)), "float16"),
        "grad_output": cast(rng.uniform(0.5, 1.5, (800, 2)), "float16"),
        "token_ids": np.zeros(800, "int64"),
        "lr": 1e-4,
    }


def _weighted(name: str, note: str, size: float, dtype: str) -> Case:
    """A table much larger or smaller than the gradients."""

    def make(rng: Rng) -> Inputs:
        inputs = before_a_step(rng, dtype, (3,))
        return {**inputs, "table": cast(rng.uniform(-size, size, (VOCAB, WIDTH)), dtype)}

    return Case(name, make, note)


def _usual(change: Callable[[Inputs], Inputs]) -> Callable[[Inputs], Inputs]:
    def usual(inputs: Inputs) -> Inputs:
        some = change(inputs)
        return {**some, "grad_output": some["grad_output"].astype(inputs["table"].dtype)}

    return usual


def _large(rng: Rng, tokens: int, vocab: int) -> Inputs:
    return {
        "table": rng.normal(0, 1, (vocab, 4)),
        "grad_output": rng.normal(0, 1, (tokens, 4)),
        "token_ids": ids(rng, (tokens,), vocab),
        "lr": 0.1,
    }


def _many(rng: Rng, dtype: str, vocab: int, d: int, n: int) -> Inputs:
    return {
        "table": some_numbers(rng, dtype, vocab, d),
        "grad_output": some_numbers(rng, dtype, n, d),
        "token_ids": as_in_text(rng, vocab, n),
        "lr": 0.1,
    }


_OUT = "out = _as_float(table).copy()"
_SUMMED = "_sums_of_each(token_ids, _widened(_as_float(grad_output)))"
_LINE = "out[ids] -= lr * sums"
_RETURN = "return out"
_RANGE = "_check_range(token_ids, table.shape[0])"
_SHAPES = "if grad_output.shape != (*token_ids.shape, table.shape[1]):"

EXERCISE = Exercise(
    name="embedding_sgd_step",
    topic="embeddings",
    signature="embedding_sgd_step(table, grad_output, token_ids, lr)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "each row moves by lr times the sum of its token's gradients",
            truth.embedding_sgd_step,
            ordinary(
                before_a_step,
                given(before_a_step, "lr", 1.0),
                given(before_a_step, "lr", 0.003),
                *shapes(before_a_step),
            ),
            points=2,
        ),
        values(
            "adds_repeated_tokens_up",
            "core",
            "a token that comes twice moves its row twice",
            truth.embedding_sgd_step,
            repeated(before_a_step),
            points=2,
        ),
        gradient_flows(
            truth.embedding_sgd_step,
            (*ordinary(before_a_step), *repeated(before_a_step)[:2]),
            through=["table", "grad_output"],
        ),
        relation(
            "is_a_step_along_the_dense_gradient",
            "the step is table - lr * embedding_backward",
            ["embedding_backward"],
            _is_a_dense_step,
            ordinary(before_a_step),
        ),
        Check(
            "keeps_other_rows_bit_for_bit",
            "stable",
            "rows of tokens that did not come keep their exact bits",
            keeps_other_rows,
            (
                _rare("float64"),
                _rare("float32"),
                _bits("float64", 4),
                _bits("float32", 4, 2, 4),
                _bits("float16", 4),
                _bits("bfloat16", 4),
                _bits("float32"),
            ),
            points=2,
        ),
        values(
            "reaches_the_edges",
            "stable",
            "the first and the last row are rows like others",
            truth.embedding_sgd_step,
            edges(before_a_step),
        ),
        values(
            "survives_large_and_tiny_numbers",
            "stable",
            "gradients and tables of any size keep their digits",
            truth.embedding_sgd_step,
            (
                *in_steps((*LARGE, *TINY)),
                _weighted("a_large_table", "a table of 1e4", 1e4, "float32"),
                _weighted("a_tiny_table", "a table of 1e-30", 1e-30, "float32"),
                given(before_a_step, "lr", 0.0),
                given(before_a_step, "lr", 1e-12),
            ),
        ),
        values(
            "adds_up_before_it_rounds",
            "stable",
            "small steps of a repeated token add up before float16 loses them",
            truth.embedding_sgd_step,
            (
                Case("float16_800_small", _small_steps, "800 steps of 1e-4 from 1.0"),
                *in_steps((*MANY, *CANCELLING)),
            ),
        ),
        beside_the_usual(
            "keeps_an_overflow_in_its_row",
            "stable",
            "inf or NaN in one token's gradient reaches that token's row alone",
            truth.embedding_sgd_step,
            without_overflow,
            poisoned(before_a_step),
        ),
        beside_the_usual(
            "handles_no_tokens",
            "stable",
            "no tokens leave the table as it was",
            truth.embedding_sgd_step,
            _usual(with_tokens),
            no_tokens(before_a_step),
        ),
        *contract(
            before_a_step,
            truth.embedding_sgd_step,
            refusals=(
                *id_out_of_range(before_a_step),
                *no_ids(before_a_step),
                *no_table(before_a_step),
                *other_gradients(before_a_step, ("one_number_for_a_row", (2, 4, 1))),
                refused(before_a_step, "lr", -0.5),
                refused(before_a_step, "lr", float("nan")),
            ),
        ),
        takes_ids_of_any_width(before_a_step, truth.embedding_sgd_step),
        builds_no_one_hot(truth.embedding_sgd_step, _large, 1500, 4000),
    ),
    hints=(
        "Which rows of the table does the loss depend on at all? What does a step along a "
        "gradient of 0 do to the others?",
        "Copy the table, then subtract lr times a sum from each row whose token came. "
        "out[ids] -= lr * g sees each repeated token once only: add its gradients up before.",
        "Sum float16 in float32, subtract there too, and round once at the end: a step that is "
        "less than half of the last digit is lost on its own.",
    ),
    mistakes=(
        *of_every_sum(_SUMMED, _LINE, _RANGE),
        Mistake(
            "uphill",
            "added the gradient: a step goes down, against it",
            _LINE,
            "out[ids] += lr * sums",
        ),
        Mistake(
            "learning_rate_left_out",
            "left out the learning rate",
            _LINE,
            "out[ids] -= sums",
        ),
        Mistake(
            "gradient_for_the_table",
            "returned the gradient's step alone, without the table that it changes",
            _OUT,
            "out = np.zeros_like(_as_float(table))",
        ),
        Mistake(
            "old_table_changed",
            "changed the table that came in: a new one is asked for",
            _OUT,
            "out = table if table.dtype.kind == 'f' else _as_float(table)",
        ),
        Mistake(
            "decayed",
            "let the weights decay as well: rows that did not come move too",
            _OUT,
            "out = (_as_float(table) * (1 - 1e-2 * lr)).astype(_as_float(table).dtype)",
        ),
        Mistake(
            "added_to_zeros",
            "built the new table by adding to zeros: 0.0 + -0.0 is 0.0",
            _OUT,
            "out = _as_float(table) + np.zeros_like(_as_float(table))",
        ),
        Mistake(
            "cleaned_up",
            "replaced NaN and inf by numbers in rows that nobody asked about",
            _OUT,
            "out = np.nan_to_num(_as_float(table))",
        ),
        Mistake(
            "other_rows_moved_a_little",
            "kept a gradient of 1e-8 for tokens that did not come, not of 0",
            _OUT,
            "out = _as_float(table) - _as_float(table).dtype.type(lr * 1e-8)",
        ),
        Mistake(
            "multiplied_by_one_hot",
            "multiplied by a one-hot matrix: it needs memory for tokens times vocabulary, and "
            "0 * inf is NaN",
            _RETURN,
            "wide = _widened(_as_float(table))\n"
            "    g = _widened(_as_float(grad_output)).reshape(-1, table.shape[1])\n"
            "    picked = token_ids.reshape(-1) == np.arange(table.shape[0])[:, None]\n"
            "    return (wide - lr * (picked.astype(g.dtype) @ g)).astype(out.dtype)",
        ),
        Mistake(
            "one_hot_built",
            "built a matrix of tokens times vocabulary: one-hot rows, or the like",
            _OUT,
            _OUT + "\n    token_ids = np.eye(table.shape[0])[token_ids].argmax(axis=-1)",
        ),
        Mistake(
            "subtracted_in_float16",
            "subtracted each small step from a float16 table, which does not notice",
            _RETURN,
            "out = _as_float(table).copy()\n"
            "    rows = (lr * _as_float(grad_output)).reshape(-1, table.shape[1])\n"
            "    for i, row in zip(token_ids.reshape(-1), rows, strict=True):\n"
            "        out[i] -= row.astype(out.dtype)\n"
            "    return out",
        ),
        Mistake(
            "negative_rate_taken",
            "took a learning rate below 0, or NaN",
            "if not lr >= 0:",
            "if False:",
        ),
        Mistake(
            "shapes_not_compared",
            "did not compare the shapes of grad_output and token_ids: some would broadcast",
            _SHAPES,
            "if False:",
            also=(
                (
                    _SUMMED,
                    "_sums_of_each(token_ids, np.resize(_widened(_as_float(grad_output)), "
                    "(*token_ids.shape, table.shape[1])))",
                ),
            ),
        ),
        Mistake(
            "table_detached",
            "cloned the table's data: autograd does not follow",
            "wide = _widened(table)",
            "wide = _widened(table).data",
            track="torch",
        ),
        Mistake(
            "in_place_in_torch",
            "used index_add_ on the table itself: its underscore says that it changes it",
            "wide.index_add(",
            "wide.data.index_add_(",
            track="torch",
        ),
    ),
    # The new table has its own two axes, whatever the batch's.
    not_broken_by=("leading_axes_flattened",),
    bench=token_bench(
        _many,
        lambda inputs: 2 * nbytes(inputs, "table") + nbytes(inputs, "grad_output", "token_ids"),
        lambda inputs: 2 * plain(inputs["grad_output"]).size,
        {},
        yardsticks.STEP_COMPOSED,
    ),
)
