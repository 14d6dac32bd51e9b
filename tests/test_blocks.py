"""What an iterator of arrays keeps of its promises on the way through the door."""

import numpy as np
import pytest

from llm_math_tests.answers.door import Request, Where
from llm_math_tests.answers.in_process import InProcess
from llm_math_tests.answers.values import Blocks
from llm_math_tests.answers.worker import Worker

ANSWER = """
import numpy as np


def changes(blocks):
    for block in blocks:
        block += 1
    return block


def changes_the_last(blocks):
    last = next(blocks)
    last += 1
    return 0


def only_looks(blocks):
    return sum(block.sum() for block in blocks)


def layouts(blocks):
    return [(b.flags.c_contiguous, b.flags.f_contiguous, b.flags.writeable) for b in blocks]


def keeps(blocks):
    return len([block for block in blocks])


def keeps_one(blocks):
    return sum(1 for block in blocks)
"""


@pytest.fixture(scope="module", params=[InProcess, Worker])
def ask(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("student")
    path = root / "softmax" / "with_numpy.py"
    path.parent.mkdir()
    path.write_text(ANSWER, encoding="utf-8")
    where = Where("softmax", "numpy", path, root)
    room = request.param()
    yield lambda name, *arrays, **more: room.call(
        where, Request(name, (Blocks(arrays),), **more), 10.0
    )
    room.close()


def test_a_changed_block_is_seen(ask):
    blocks = [np.zeros((2, 3)), np.zeros((2, 1))]
    assert ask("changes", *blocks).changed == ("0",)
    assert ask("changes_the_last", *blocks).changed == ("0",)
    assert ask("only_looks", *blocks).changed == ()
    assert not any(block.any() for block in blocks)  # the trusted side's own are out of reach


def test_nan_is_no_change(ask):
    assert ask("only_looks", np.full((2, 2), np.nan)).changed == ()


def test_blocks_arrive_as_they_are_laid_out(ask):
    read_only = np.zeros((3, 4))
    read_only.flags.writeable = False
    columns = np.asfortranarray(np.zeros((3, 4)))
    strided = np.zeros((3, 8))[:, ::2]
    got = ask("layouts", read_only, columns, strided).value
    assert got == [(True, False, False), (False, True, True), (False, False, True)]


def test_blocks_that_are_kept_count_as_memory(ask):
    block = np.zeros((64, 1024))
    ask("keeps_one", block, block)
    kept = ask("keeps", *[block] * 24, measure_memory=True).peak_bytes
    passed = ask("keeps_one", *[block] * 24, measure_memory=True).peak_bytes
    assert kept >= 24 * block.nbytes * 0.9
    assert passed <= 8 * block.nbytes
