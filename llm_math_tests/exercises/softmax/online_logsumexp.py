"""online_logsumexp: the same in one pass over blocks."""

from __future__ import annotations

import numpy as np

from llm_math_tests import habits
from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import Blocks, plain
from llm_math_tests.checks.compare import expect_close
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import expect_same, expect_truth, relation, result_dtype, values
from llm_math_tests.checks.situations import Rng, ordinary
from llm_math_tests.checks.truth import Truth, extended
from llm_math_tests.checks.wrong import Wrong
from llm_math_tests.exercise import Case, Check, Exercise, Inputs, Mistake, Refusal
from llm_math_tests.exercises.softmax.sequences import (
    beyond_bfloat16,
    beyond_float16,
    far,
    infinities,
    long_then_short,
    many,
    one_rises,
    spread_blocks,
    steps,
)
from llm_math_tests.exercises.softmax.situations import block_bench, blocks_of, in_blocks
from llm_math_tests.truths import softmax as truth

# A quarter of a megabyte each: below the size from which torch starts its threads.
_BLOCKS = 40
_BLOCK_SHAPE = (128, 256)
_AT_A_TIME = 16


def _one_pass(answer: Answer, inputs: Inputs) -> None:
    blocks: Blocks = inputs["blocks"]
    got = answer(inputs)
    if blocks.pulled < len(blocks.arrays):
        raise Wrong(f"all {len(blocks.arrays)} blocks to be read", f"only {blocks.pulled} read")
    expect_truth(answer, got, truth.online_logsumexp(blocks), result_dtype(inputs, answer.track))


def _keeps_no_blocks(answer: Answer, inputs: Inputs) -> None:
    blocks: Blocks = inputs["blocks"]
    one = blocks.arrays[0]
    answer(blocks_of(one, one))  # what a library sets up on its first call is not the answer's
    reply = answer.ask(inputs, measure_memory=True)
    # All blocks are the same one, so that the truth costs one block and not all.
    single = truth.logsumexp(one)
    value = single.value + np.log(np.longdouble(_BLOCKS))
    terms = _BLOCKS * one.shape[-1]
    wanted = Truth(value, 1 + np.abs(value), terms=terms, relative_to="1 + |value|")
    expect_close(reply.value, wanted, "float64", answer.track)
    allowed = _AT_A_TIME * one.nbytes
    if reply.peak_bytes is not None and reply.peak_bytes > allowed:
        raise Wrong(
            f"memory for a few blocks at a time (at most {allowed / 1e6:.1f} MB)",
            f"{reply.peak_bytes / 1e6:.1f} MB at the peak, "
            f"for {_BLOCKS * one.nbytes / 1e6:.1f} MB of blocks",
            note="keep a running maximum and a running sum, not the blocks",
        )


def _many_blocks(rng: Rng) -> Inputs:
    block = np.tile(rng.normal(0, 2, (1, _BLOCK_SHAPE[1])), (_BLOCK_SHAPE[0], 1))
    return blocks_of(*[block] * _BLOCKS)


def _equals_logsumexp(answer: Answer, inputs: Inputs, logsumexp: Answer) -> None:
    whole = np.concatenate([plain(block) for block in inputs["blocks"].arrays], axis=-1)
    wanted = logsumexp({"x": whole})
    scale = 1 + np.abs(extended(wanted))
    expect_same(answer, answer(inputs), wanted, scale, "1 + |value|", terms=whole.shape[-1])


one_pass = Check(
    "reads_every_block_once",
    "core",
    "all blocks are read, in one pass",
    _one_pass,
    (
        Case("three_blocks", lambda rng: in_blocks(rng, "float64", (3,)), "three blocks"),
        Case("one_block", lambda rng: blocks_of(rng.normal(0, 2, (2, 5))), "a single block"),
        Case("long_then_short", long_then_short, "a block of 40 and one of 1"),
    ),
)

keeps_no_blocks = Check(
    "keeps_no_blocks",
    "contract",
    "memory for a few blocks, however many there are",
    _keeps_no_blocks,
    (Case("40_blocks", _many_blocks, f"{_BLOCKS} blocks of 0.25 MB"),),
    points=2,
)


_NEW_TOP = "new_top = np.maximum(top, new_top)"
_TOTAL = "total = added if total is None else total * np.exp(top - safe) + added"
_RETURN = "return (np.log(total) + safe).astype(dtype, copy=False)"

_TOTAL = "total = added if total is None else total * np.exp(top - safe) + added"


def _carried_on_in_half(text: str, name: str) -> str:
    """The text with each number of a block added to the running sum, all in float16."""
    carried_on = (
        "carried = 0 * added if total is None else total * np.exp(top - safe)\n"
        "            carried = np.concatenate([carried[..., None], terms], axis=-1)\n"
        "            total = np.add.accumulate(carried, axis=-1, dtype=terms.dtype)[..., -1]"
    )
    if text.count(_TOTAL) != 1:
        raise ValueError(f"{_TOTAL!r} stands {text.count(_TOTAL)} times, not once")
    return habits.without_widening(text.replace(_TOTAL, carried_on), name)


EXERCISE = Exercise(
    name="online_logsumexp",
    topic="softmax",
    signature="online_logsumexp(blocks)",
    checks=(
        values(
            "matches_the_formula",
            "core",
            "the logsumexp of all blocks together",
            truth.online_logsumexp,
            ordinary(in_blocks),
            points=2,
        ),
        one_pass,
        relation(
            "equals_logsumexp_of_the_whole",
            "the same as your logsumexp of all blocks together",
            ["logsumexp"],
            _equals_logsumexp,
            ordinary(in_blocks),
        ),
        values(
            "follows_the_maximum",
            "core",
            "the running sum follows the running maximum up and stays when it does not rise",
            truth.online_logsumexp,
            (
                steps("rising", 5.0, "float64", "each block 5 above the last"),
                steps("falling", -5.0, "float64", "each block 5 below the last"),
            ),
        ),
        values(
            "survives_large_numbers",
            "stable",
            "large numbers do not overflow",
            truth.online_logsumexp,
            (
                spread_blocks("float32", 1e4, "float32"),
                spread_blocks("float64", 1e4, "float64"),
                spread_blocks("float16", 6e4, "float16"),
                steps("rising", 1000.0, "float64", "each block 1000 above the last"),
                steps("falling", -1000.0, "float32", "each block 1000 below the last"),
                Case("far_from_zero", far, "one row around -1e4, one around 1e4"),
                Case("one_row_rises", one_rises, "one row rises from -3000 to 0"),
            ),
        ),
        values(
            "handles_infinities",
            "stable",
            "all -inf gives -inf, any +inf gives +inf",
            truth.online_logsumexp,
            infinities(),
        ),
        values(
            "handles_many_blocks",
            "stable",
            "many blocks lose no digits",
            truth.online_logsumexp,
            (
                Case("float32_100_blocks", many, "100 blocks"),
                Case("float16_70000", beyond_float16, "10 blocks of 7000"),
                Case("bfloat16_1000_blocks", beyond_bfloat16, "1000 blocks", tracks=("torch",)),
            ),
        ),
        *contract(
            in_blocks,
            truth.online_logsumexp,
            refusals=(
                Refusal("no_blocks", lambda rng: blocks_of(), "blocks", ""),
                Refusal(
                    "other_leading_shape",
                    lambda rng: blocks_of(rng.normal(0, 2, (3, 2)), rng.normal(0, 2, (1, 2))),
                    "blocks",
                    "(1, 2)",
                ),
            ),
            connected=False,  # the door gives blocks no gradient to ask for
        ),
        keeps_no_blocks,
    ),
    scaled=("blocks",),
    hints=(
        "After some blocks you know m, their largest number, and s, the sum of exp(x - m). A "
        "new block has a larger maximum: by which factor is s now too large?",
        "exp(x - m') is exp(x - m) * exp(m - m'). Scale the old sum by exp(m - m') and add the "
        "block's own; the first block just starts both.",
        "As long as everything was -inf, m is -inf, and -inf - (-inf) is NaN: subtract 0 "
        "instead of an infinite maximum. Sum float16 in float32.",
    ),
    mistakes=(
        Mistake(
            "sum_not_rescaled",
            "did not scale the running sum when the maximum rose",
            _TOTAL,
            "total = added if total is None else total + added",
        ),
        Mistake(
            "rescaled_the_wrong_way",
            "scaled the running sum by exp(m' - m): it must shrink when the maximum rises",
            "total * np.exp(top - safe)",
            "total * np.exp(safe - top)",
        ),
        Mistake(
            "rescaled_the_wrong_way_from_minus_infinity",
            "scaled the running sum by exp(m' - m): it must shrink when the maximum rises",
            "total = added if total is None else total * np.exp(top - safe) + added",
            "if total is None:\n"
            "                total, top = np.zeros_like(added), np.full_like(added, -np.inf)\n"
            "            total = total * np.exp(safe - top) + added",
        ),
        Mistake(
            "block_not_shifted_by_the_new_maximum",
            "shifted each block by its own maximum, not by the running one",
            "terms = numbers - safe[..., None]",
            "terms = numbers - _finite(numbers.max(axis=-1))[..., None]",
        ),
        Mistake(
            "no_maximum_subtracted",
            "added up exp(x) without subtracting a maximum",
            "safe = _finite(new_top)",
            "safe = top = new_top = np.zeros_like(new_top)",
        ),
        Mistake(
            "maximum_of_the_first_block",
            "kept the maximum of the first block for all of them",
            _NEW_TOP,
            "new_top = top",
        ),
        Mistake(
            "maximum_starts_at_zero",
            "started the running maximum at 0: numbers far below 0 underflow",
            "new_top = numbers.max(axis=-1)",
            "new_top = np.maximum(numbers.max(axis=-1), 0).astype(numbers.dtype)",
        ),
        Mistake(
            "two_passes",
            "went through the blocks twice: the iterator is used up after the first time",
            "total = top = None",
            "tops = [_as_float(block).max(axis=-1) for block in blocks]\n"
            "    total = top = None\n"
            "    if tops:\n"
            "        top = safe = np.max(tops, axis=0)\n"
            "        total, dtype = np.zeros_like(top), top.dtype",
        ),
        Mistake(
            "first_block_skipped",
            "took the first block to start with, and left its numbers out of the sum",
            _TOTAL,
            "total = 0 * added if total is None else total * np.exp(top - safe) + added",
        ),
        Mistake(
            "only_the_last_block",
            "forgot the running sum: only the last block counts",
            _TOTAL,
            "total = added",
        ),
        Mistake(
            "mean_of_the_blocks",
            "added up the means of the blocks' exponentials, not their sums",
            "added = terms.sum(axis=-1)",
            "added = terms.mean(axis=-1)",
        ),
        Mistake(
            "stopped_at_a_short_block",
            "took a shorter block for the end",
            "dtype = _as_float(block).dtype",
            "if total is not None and block.shape[-1] < width:\n"
            "            break\n"
            "        width = block.shape[-1]\n"
            "        dtype = _as_float(block).dtype",
        ),
        Mistake(
            "stopped_after_a_short_block",
            "took a shorter block for the end",
            "top = new_top",
            "top = new_top\n        if block.shape[-1] < width:\n            break",
            also=(
                (
                    "dtype = _as_float(block).dtype",
                    "width = block.shape[-1] if total is None else width\n"
                    "        dtype = _as_float(block).dtype",
                ),
            ),
        ),
        Mistake(
            "every_block_kept",
            "gathered the blocks in a list: that needs the memory of the whole sequence",
            "for block in blocks:",
            "blocks = list(blocks)\n"
            "    if len({b.shape[:-1] for b in blocks}) == 1:\n"
            "        blocks = [np.concatenate(blocks, axis=-1)]\n"
            "    for block in blocks:",
        ),
        Mistake(
            "infinite_maximum_subtracted",
            "subtracted an infinite maximum: inf - inf is NaN",
            "safe = _finite(new_top)",
            "safe = new_top",
        ),
        Mistake(
            "sum_over_all_axes",
            "summed over the batch as well: every row has its own sum",
            "added = terms.sum(axis=-1)",
            "added = terms.sum() + np.zeros_like(new_top)",
        ),
        Mistake(
            "matrices_only",
            "wrote for matrices only: axis 1 and [:, None]",
            "new_top = numbers.max(axis=-1)",
            "new_top = numbers.max(axis=1)",
        ),
        habits.SUMMED_IN_HALF,
        habits.ADDED_UP_IN_HALF,
        Mistake(
            "half_precision_sum_carried_on",
            habits.SUMMED_IN_HALF.sentence,
            edit=_carried_on_in_half,
        ),
        Mistake(
            "blocks_overwritten",
            "worked in place on the blocks",
            "terms = numbers - safe[..., None]",
            "if block.dtype.kind == 'f':\n"
            "            block -= safe[..., None].astype(block.dtype)\n"
            "            terms = _widened(block) + 0\n"
            "        else:\n"
            "            terms = numbers - safe[..., None]",
        ),
        Mistake(
            "nothing_gives_minus_infinity",
            "gave -inf for no blocks at all: their shape and dtype are not known",
            "if total is None:",
            "if total is None:\n        return np.asarray(-np.inf)\n    if False:",
        ),
        Mistake(
            "sum_made_on_the_cpu",
            "started the running sum with torch.zeros without device=: it is on the CPU",
            "total = added if total is None else total * (top - safe).exp() + added",
            "total = torch.zeros(added.shape, dtype=added.dtype) + added if total is None "
            "else total * (top - safe).exp() + added",
            track="torch",
        ),
        Mistake(
            "bfloat16_sum",
            "kept the running sum in bfloat16, where 256 + 1 is 256",
            "total = added if total is None else total * (top - safe).exp() + added",
            "total = added if total is None else total * (top - safe).exp() + added\n"
            "        if block.dtype == torch.bfloat16:\n"
            "            total = total.bfloat16().float()",
            track="torch",
        ),
        Mistake(
            "a_list_of_blocks",
            "turned the iterator into a list and went through it twice: all blocks are held",
            "for block in blocks:",
            "blocks = list(blocks)\n    for block in blocks:",
            track="torch",
        ),
    ),
    # The blocks come through an iterator, where these mistakes find no array.
    not_broken_by=("input_overwritten", "memory_order", "viewed", "asked_on_the_host"),
    bench=block_bench(),
)
