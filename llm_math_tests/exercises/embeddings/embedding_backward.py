"""embedding_backward: the gradients of looked-up vectors, brought back to their rows."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Value, plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    beside_the_usual,
    gradient_flows,
    gradient_matches,
    values,
)
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Check, Exercise, Inputs, Mistake
from llm_math_tests.exercises.embeddings import yardsticks
from llm_math_tests.exercises.embeddings.promises import (
    builds_no_one_hot,
    takes_ids_of_any_width,
    with_tokens,
    without_overflow,
)
from llm_math_tests.exercises.embeddings.situations import (
    CANCELLING,
    LARGE,
    MANY,
    TINY,
    as_in_text,
    edges,
    id_out_of_range,
    ids,
    nbytes,
    no_ids,
    no_tokens,
    other_gradients,
    poisoned,
    repeated,
    shapes,
    some_numbers,
    token_bench,
    upstream,
    vocab_too_small,
)
from llm_math_tests.exercises.embeddings.slips import of_every_sum
from llm_math_tests.truths import embeddings as truth


def _table_at(inputs: Inputs) -> tuple[Inputs, Value]:
    """The lookup is linear in the table, so that any table will do."""
    table = np.zeros((inputs["vocab_size"], plain(inputs["grad_output"]).shape[-1]))
    return {"table": table, "token_ids": inputs["token_ids"]}, inputs["grad_output"]


def _leaves_others_zero(answer: Answer, inputs: Inputs) -> None:
    got = plain(expect_array(answer(inputs), answer.track))
    expect_shape(got, (inputs["vocab_size"], plain(inputs["grad_output"]).shape[-1]))
    others = np.setdiff1d(np.arange(len(got)), inputs["token_ids"])
    moved = others[(got[others] != 0).any(axis=1)]
    if moved.size:
        worst = got[moved[0]].flat[int(np.argmax(np.abs(got[moved[0]])))]
        raise Wrong(
            f"0 in row {moved[0]}, whose token did not come, to the last bit", f"{worst:.3g}"
        )


def _large(rng: Rng, tokens: int, vocab: int) -> Inputs:
    return {
        "grad_output": rng.normal(0, 1, (tokens, 4)),
        "token_ids": ids(rng, (tokens,), vocab),
        "vocab_size": vocab,
    }


def _many(rng: Rng, dtype: str, vocab: int, d: int, n: int) -> Inputs:
    return {
        "grad_output": some_numbers(rng, dtype, n, d),
        "token_ids": as_in_text(rng, vocab, n),
        "vocab_size": vocab,
    }


def _read_and_written(inputs: Inputs) -> int:
    g = plain(inputs["grad_output"])
    written: int = inputs["vocab_size"] * g.shape[-1] * g.itemsize
    return nbytes(inputs, "grad_output", "token_ids") + written


_GRAD = "grad = np.zeros((vocab_size, grad_output.shape[-1]), grad_output.dtype)"
_SUMMED = "_sums_of_each(token_ids, _widened(grad_output))"
_LINE = "grad[ids] = sums"
_RETURN = "return grad"
_RANGE = "_check_range(token_ids, vocab_size)"
_SHAPES = "if grad_output.ndim == 0 or grad_output.shape[:-1] != token_ids.shape:"

EXERCISE = Exercise(
    name="embedding_backward",
    topic="embeddings",
    signature="embedding_backward(grad_output, token_ids, vocab_size)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "each row gets the gradients of its token",
            truth.embedding_backward,
            ordinary(upstream, *shapes(upstream)),
            points=2,
        ),
        values(
            "adds_repeated_tokens_up",
            "core",
            "a token that comes twice gets both gradients",
            truth.embedding_backward,
            repeated(upstream),
            points=2,
        ),
        Check(
            "leaves_other_rows_zero",
            "core",
            "rows of tokens that did not come are exactly 0",
            _leaves_others_zero,
            (*ordinary(upstream), *repeated(upstream)),
        ),
        gradient_matches(
            truth.embedding_lookup,
            _table_at,
            ["table"],
            (*ordinary(upstream), *repeated(upstream)),
        ),
        gradient_flows(
            truth.embedding_backward,
            (*ordinary(upstream), *repeated(upstream)[:2]),
            through=["grad_output"],
        ),
        values(
            "reaches_the_edges",
            "stable",
            "the first and the last row are rows like others",
            truth.embedding_backward,
            edges(upstream),
        ),
        values(
            "survives_large_and_tiny_gradients",
            "stable",
            "gradients of any size arrive, and a sum may pass what float16 holds",
            truth.embedding_backward,
            (*LARGE, *TINY),
        ),
        values(
            "keeps_what_cancellation_leaves",
            "stable",
            "what is left of gradients that all but cancel is right",
            truth.embedding_backward,
            CANCELLING,
        ),
        values(
            "adds_up_thousands",
            "stable",
            "a frequent token's gradients all count",
            truth.embedding_backward,
            MANY,
        ),
        beside_the_usual(
            "keeps_an_overflow_in_its_row",
            "stable",
            "inf or NaN in one token's gradient reaches that token's row alone",
            truth.embedding_backward,
            without_overflow,
            poisoned(upstream),
        ),
        beside_the_usual(
            "handles_no_tokens",
            "stable",
            "no tokens give a gradient of zeros",
            truth.embedding_backward,
            with_tokens,
            no_tokens(upstream),
        ),
        *contract(
            upstream,
            truth.embedding_backward,
            refusals=(
                *id_out_of_range(upstream),
                *no_ids(upstream),
                *vocab_too_small(upstream),
                *other_gradients(upstream),
            ),
        ),
        takes_ids_of_any_width(upstream, truth.embedding_backward),
        builds_no_one_hot(truth.embedding_backward, _large, 1500, 4000),
    ),
    scaled=("grad_output",),
    hints=(
        "The lookup reads one row for each token. If row 5 is read twice, in how many places "
        "does the loss depend on it, and what does the chain rule do with both?",
        "Start from zeros and add each gradient to its token's row. Try "
        "grad[ids] += g with a repeated id, and look at what arrives: then read about "
        "np.add.at, or sort the tokens so that equal ones stand side by side.",
        "Flatten ids and gradients to one list of tokens first. Sum float16 in float32 and "
        "convert back at the end.",
    ),
    mistakes=(
        *of_every_sum(_SUMMED, _LINE, _RANGE),
        Mistake(
            "looked_up_instead",
            "picked rows of the gradient by id: that is the lookup once more, not its derivative",
            _LINE,
            "flat = grad_output.reshape(-1, grad_output.shape[-1])\n        grad[ids] = flat[ids]",
        ),
        Mistake(
            "looked_up_where_there_is_a_row",
            "picked rows of the gradient by id: that is the lookup once more, not its derivative",
            "return grad",
            "flat = grad_output.reshape(-1, grad_output.shape[-1])\n"
            "    ids = np.unique(token_ids)\n"
            "    ids = ids[ids < len(flat)]\n"
            "    grad[...] = 0\n"
            "    grad[ids] = flat[ids]\n"
            "    return grad",
        ),
        Mistake(
            "one_row_for_each_token",
            "returned a row for each token that came, not for each of the vocabulary",
            _RETURN,
            "return grad[np.unique(token_ids)]",
        ),
        Mistake(
            "transposed",
            "returned the gradient of the transposed table",
            _RETURN,
            "return grad.T",
        ),
        Mistake(
            "as_long_as_the_largest_id",
            "made as many rows as the largest id asks for, whatever vocab_size says",
            _GRAD,
            "vocab_size = int(token_ids.max(initial=0)) + 1\n    " + _GRAD,
        ),
        Mistake(
            "sign_turned",
            "returned the step downhill: the minus belongs to the optimizer",
            _LINE,
            "grad[ids] = -sums",
        ),
        Mistake(
            "started_from_a_small_number",
            "started from 1e-8, not from 0",
            "return grad",
            "return grad + grad.dtype.type(1e-8)",
        ),
        Mistake(
            "multiplied_by_one_hot",
            "multiplied by a one-hot matrix: it needs memory for tokens times vocabulary, and "
            "0 * inf is NaN",
            _RETURN,
            "g = _widened(grad_output).reshape(-1, grad_output.shape[-1])\n"
            "    picked = token_ids.reshape(-1) == np.arange(vocab_size)[:, None]\n"
            "    return (picked.astype(g.dtype) @ g).astype(grad_output.dtype)",
        ),
        Mistake(
            "one_hot_built",
            "built a matrix of tokens times vocabulary: one-hot rows, or the like",
            _GRAD,
            _GRAD + "\n    hot = np.eye(vocab_size)[token_ids]\n"
            "    token_ids = hot.argmax(axis=-1)",
        ),
        Mistake(
            "differences_of_running_sums",
            "summed all gradients up and took differences: the small ones drown in the large",
            _RETURN,
            "order = np.argsort(token_ids, axis=None, kind='stable')\n"
            "    g = _widened(grad_output).reshape(order.size, grad_output.shape[-1])[order]\n"
            "    each, counts = np.unique(token_ids, return_counts=True)\n"
            "    running = np.cumsum(g, axis=0)[np.cumsum(counts) - 1]\n"
            "    grad[each] = np.diff(running, axis=0, prepend=np.zeros_like(running[:1]))\n"
            "    return grad",
        ),
        Mistake(
            "shapes_not_compared",
            "did not compare the shapes of grad_output and token_ids",
            _SHAPES,
            "if False:",
            also=(
                (
                    _SUMMED,
                    "_sums_of_each(token_ids, np.resize(_widened(grad_output), "
                    "(*token_ids.shape, grad_output.shape[-1])))",
                ),
            ),
        ),
        Mistake(
            "detached_on_the_way",
            "copied the gradients' data: autograd does not follow",
            "_widened(grad_output).reshape",
            "_widened(grad_output).data.reshape",
            track="torch",
        ),
        Mistake(
            "zeros_on_the_host",
            "made the zeros on the CPU, whatever the device of the gradients",
            "dtype=g.dtype, device=g.device",
            "dtype=g.dtype",
            track="torch",
        ),
    ),
    # The gradient has the table's two axes, whatever the batch's.
    not_broken_by=("leading_axes_flattened",),
    bench=token_bench(
        _many,
        _read_and_written,
        lambda inputs: plain(inputs["grad_output"]).size,
        yardsticks.BACKWARD,
        yardsticks.BACKWARD_COMPOSED,
    ),
)
