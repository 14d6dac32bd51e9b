"""flash_attention: the same result, without ever holding the score matrix."""

from __future__ import annotations

import numpy as np

from llm_math_tests.answers.answer import Answer
from llm_math_tests.answers.values import cast, plain
from llm_math_tests.checks.compare import expect_array, expect_shape
from llm_math_tests.checks.contract import contract
from llm_math_tests.checks.promises import (
    expect_same,
    expect_truth,
    gradient_flows,
    relation,
    values,
)
from llm_math_tests.checks.situations import Rng, given, misshapen, ordinary, refused
from llm_math_tests.checks.wrong import NotRun, Wrong
from llm_math_tests.exercise import Bench, Case, Check, Exercise, Inputs
from llm_math_tests.exercises.attention import yardsticks
from llm_math_tests.exercises.attention.mistakes_in_flash_attention import MISTAKES
from llm_math_tests.exercises.attention.situations import (
    CUBE,
    E,
    Make,
    N,
    attending,
    dims,
    large,
    long_rows,
    minus_infinity,
    rows,
    tiny,
)
from llm_math_tests.truths import attention as truth

SCRATCH = 4
"""How many times (n + m) (d + block_size) numbers an answer may hold: the docstring's figure."""


def _in_blocks(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Four keys in blocks of three: the last block is short."""
    return {**attending(rng, dtype, batch), "block_size": 3}


def _sized(n: int, m: int, block_size: int, *, causal: bool = False) -> Case:
    def make(rng: Rng) -> Inputs:
        return {
            "q": rng.normal(0, 1, (n, 4)),
            "k": rng.normal(0, 1, (m, 4)),
            "v": rng.normal(0, 1, (m, E)),
            "block_size": block_size,
            "causal": causal,
        }

    name = f"{n}_queries_{m}_keys" if causal else f"{m}_keys"
    return Case(f"{name}_in_blocks_of_{block_size}", make, f"{m} keys in blocks of {block_size}")


def _blocked(cases: tuple[Case, ...], block_size: int) -> tuple[Case, ...]:
    """The same situations, cut into small blocks."""

    def cut(case: Case) -> Make:
        return lambda rng: {**case.make(rng), "block_size": block_size}

    return tuple(Case(case.name, cut(case), case.note) for case in cases)


def _as_float32(inputs: Inputs) -> Inputs:
    return {name: cast(x, "float32") if name in "qkv" else x for name, x in inputs.items()}


def _steps(name: str, levels: tuple[float, ...]) -> Case:
    """Blocks of two keys whose scores lie far apart from block to block."""

    def make(rng: Rng) -> Inputs:
        k = rng.normal(0, 1, (2 * len(levels), 4))
        k[:, 0] = np.repeat(levels, 2) + rng.uniform(-1, 1, 2 * len(levels))
        q = np.concatenate([np.full((N, 1), 2.0), rng.normal(0, 0.5, (N, 3))], axis=1)
        v = rng.normal(0, 1, (2 * len(levels), E))
        return _as_float32({"q": q, "k": k, "v": v, "block_size": 2})

    return Case(name, make, "scores far apart from block to block")


def _many_blocks(rng: Rng) -> Inputs:
    """Equal weights, and large values at both ends that cancel.

    A running mixture in float16 is 128 after the first block, and then loses all that follow.
    """
    v = rng.uniform(0.007, 0.0077, (3000, E))
    v[:8], v[-8:] = 16, -15.6
    return {
        "q": np.zeros((2, 4), "float16"),
        "k": cast(rng.normal(0, 1, (3000, 4)), "float16"),
        "v": cast(v, "float16"),
        "block_size": 8,
    }


def _many_blocks_in_bfloat16(rng: Rng) -> Inputs:
    """Equal weights: a running sum in bfloat16 stops at 2048, long before the values change."""
    v = rng.uniform(0.9, 1.1, (3000, E))
    v[1500:] += 2
    return {
        "q": cast(np.zeros((2, 4)), "bfloat16"),
        "k": cast(rng.normal(0, 1, (3000, 4)), "bfloat16"),
        "v": cast(v, "bfloat16"),
        "block_size": 8,
    }


def _both_signs(rng: Rng) -> Inputs:
    """One query whose scores are far above zero, and one whose scores are far below."""
    k = rng.normal(0, 1, (5, 4))
    k[:, 0] += 300
    q = np.array([[4.0, 0, 0, 0], [-4.0, 0, 0, 0]])
    return {"q": q, "k": k, "v": rng.normal(0, 1, (5, E)), "block_size": 2}


def _never_holds_the_score_matrix(answer: Answer, inputs: Inputs) -> None:
    q, v = plain(inputs["q"]), plain(inputs["v"])
    n, m, d, block = len(q), len(v), q.shape[-1], inputs["block_size"]
    # A library's own start-up (threads, packing buffers) is not the answer's scratch.
    answer({**inputs, "q": q[:192], "k": inputs["k"][:192], "v": v[:192]})
    reply = answer.ask(inputs, measure_memory=True)
    if reply.peak_bytes is None:
        raise NotRun("peak memory cannot be measured here")
    few = [0, n // 3, n - 1]
    keep = truth.causal_keep(n, m)[few] if inputs["causal"] else None
    wanted = truth.scaled_dot_product_attention(q[few], inputs["k"], v, keep)
    got = plain(reply.value)
    if got.shape != (n, v.shape[-1]):
        raise Wrong(f"the result of shape {(n, v.shape[-1])}", f"shape {got.shape}")
    expect_truth(answer, got[few], wanted, "float32")
    unit = (n + m) * (d + block) * q.itemsize
    limit = SCRATCH * unit + got.nbytes
    if reply.peak_bytes > limit:
        raise Wrong(
            f"at most {limit / 1e6:.1f} MB at a time",
            f"{reply.peak_bytes / 1e6:.1f} MB, {reply.peak_bytes / (n * m * q.itemsize):.2g} "
            "times the score matrix",
            allowed=f"{SCRATCH} (n + m) (d + block_size) numbers, and the result",
            note="an array of n x m numbers or booleans must not exist, the mask's included",
        )


def _long(block_size: int, *, causal: bool) -> Case:
    """Causal in narrower blocks: there a mask of all pairs, a byte each, must stand out."""

    def make(rng: Rng) -> Inputs:
        arrays = {name: rng.standard_normal((2048, 16), "float32") for name in ("q", "k", "v")}
        return {**arrays, "block_size": block_size, "causal": causal}

    name = "causal" if causal else "every_key"
    return Case(name, make, f"2048 queries, 2048 keys, blocks of {block_size}")


def _equals_attention(
    answer: Answer, inputs: Inputs, attention: Answer, causal_mask: Answer
) -> None:
    """Where there are more keys than queries, or fewer, the larger square's corner is meant."""
    n, m = len(inputs["q"]), len(inputs["k"])
    square = causal_mask({"n": max(n, m)})
    expect_shape(square, (max(n, m), max(n, m)))
    mask = plain(expect_array(square, answer.track))[:n, :m]
    wanted = attention({**{name: inputs[name] for name in "qkv"}, "mask": mask})
    true = truth.flash_attention(**inputs)
    expect_same(answer, answer(inputs), wanted, true.scale, true.relative_to, terms=true.terms)


_CAUSAL = tuple(
    _sized(n, m, size, causal=True)
    for n, m, size in ((5, 5, 2), (5, 5, 1), (5, 5, 64), (3, 7, 2), (7, 3, 2), (7, 4, 3), (1, 5, 2))
)

EXERCISE = Exercise(
    name="flash_attention",
    topic="attention",
    signature="flash_attention(q, k, v, block_size=64, causal=False)",
    checks=(
        values(
            "matches_plain_attention",
            "core",
            "the same as softmax(q k^T / sqrt(d)) v",
            truth.flash_attention,
            ordinary(attending, given(attending, "block_size", 2), CUBE),
            points=2,
        ),
        values(
            "equal_for_every_block_size",
            "core",
            "the block size changes nothing, whether it divides the keys or not",
            truth.flash_attention,
            tuple(_sized(3, 7, size) for size in (1, 2, 3, 6, 7, 8, 100)),
            points=2,
        ),
        values(
            "causal_counts_from_the_top_left",
            "core",
            "query i sees keys j <= i, whatever n, m and the block size are",
            truth.flash_attention,
            _CAUSAL,
            points=2,
        ),
        relation(
            "equals_attention",
            "the same as your attention with your causal mask",
            ["scaled_dot_product_attention", "causal_mask"],
            _equals_attention,
            (_CAUSAL[0], *_CAUSAL[3:5]),
        ),
        gradient_flows(
            truth.flash_attention,
            (
                Case("float64", lambda rng: _in_blocks(rng, "float64", (2,))),
                Case("float32", lambda rng: _in_blocks(rng, "float32", (2,))),
                Case(
                    "causal",
                    lambda rng: {
                        **_in_blocks(rng, "float64", (2,)),
                        "block_size": 2,
                        "causal": True,
                    },
                    "causal=True",
                ),
            ),
            through=["q", "k", "v"],
        ),
        values(
            "survives_scores_that_grow_and_fall",
            "stable",
            "a block far above or below the ones before it",
            truth.flash_attention,
            (
                _steps("growing", (-200, 0, 200)),
                _steps("falling", (200, 0, -200)),
                _steps("up_and_down", (0, 300, -300, 299)),
                _steps("all_far_below_zero", (-300, -301, -299)),
                Case("both_signs", lambda rng: _as_float32(_both_signs(rng)), "scores of +-600"),
            ),
        ),
        values(
            "survives_large_scores",
            "stable",
            "large scores do not overflow",
            truth.flash_attention,
            _blocked(large(), 2),
        ),
        values(
            "handles_minus_infinity",
            "stable",
            "a score of -inf has weight 0, also where a whole block of them comes first",
            truth.flash_attention,
            _blocked(minus_infinity(), 2),
        ),
        values(
            "survives_tiny_numbers",
            "stable",
            "tiny and equal scores and tiny values keep their digits",
            truth.flash_attention,
            _blocked(tiny(), 2),
        ),
        values(
            "handles_many_keys_and_one",
            "stable",
            "any number of keys and of blocks",
            truth.flash_attention,
            (
                *long_rows(),
                Case("float16_375_blocks", _many_blocks, "3000 keys in blocks of 8"),
                Case(
                    "bfloat16_375_blocks",
                    _many_blocks_in_bfloat16,
                    "3000 keys in blocks of 8",
                    tracks=("torch",),
                ),
            ),
        ),
        Check(
            "never_holds_the_score_matrix",
            "contract",
            "memory grows with n + m, not with n m",
            _never_holds_the_score_matrix,
            (_long(64, causal=False), _long(32, causal=True)),
            points=3,
        ),
        *contract(
            _in_blocks,
            truth.flash_attention,
            refusals=(
                misshapen(attending, "k", (3, 4, 17), "k_of_another_width"),
                misshapen(attending, "v", (3, 17, 2), "v_of_another_length"),
                refused(attending, "block_size", 0),
                refused(attending, "block_size", -4),
            ),
        ),
    ),
    scaled=("q",),
    hints=(
        "Start with the sums alone: how do you get exp(s - max) summed over two blocks when the "
        "second block raises the maximum? (online_logsumexp is this step.)",
        "Everything that was weighted with the old maximum is too large by exp(t' - t): multiply "
        "the running sum and the running mixture by exp(t - t') before you add the new block.",
        "With causal, build the mask of one block only, from the numbers of its rows and columns. "
        "A maximum of -inf must not be subtracted: put 0 in its place.",
    ),
    mistakes=MISTAKES,
    bench=Bench(
        sizes=(rows(1024, 64, ("q", "k", "v"), heads=1), rows(1024, 64, ("q", "k", "v"), heads=4)),
        moved_bytes=lambda inputs: 4 * plain(inputs["q"]).nbytes,
        operations=lambda inputs: dims(inputs)[0] * dims(inputs)[1] * (4 * dims(inputs)[2] + 5),
        yardsticks=yardsticks.FLASH,
    ),
)
