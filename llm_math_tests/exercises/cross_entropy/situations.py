"""What this topic's inputs look like, easy and hard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Value, cast
from llm_math_tests.checks.situations import Rng
from llm_math_tests.exercise import Case, Inputs

IGNORED = -100


def tokens(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Ordinary logits of five classes, and a target for each token."""
    return aimed(rng, cast(rng.normal(0, 2, (*batch, 5)), dtype))


def aimed(rng: Rng, logits: Value) -> Inputs:
    """Logits with random targets."""
    *batch, classes = logits.shape
    return {"logits": logits, "targets": np.asarray(rng.integers(0, classes, batch), "int64")}


def case(name: str, note: str, logits: Callable[[Rng], Any], **more: Value) -> Case:
    """A case of the logits that ``logits(rng)`` makes, with random targets."""
    return Case(name, lambda rng: {**aimed(rng, logits(rng)), **more}, note)


def exactly(name: str, note: str, logits: Any, targets: Any, dtype: str = "float64") -> Case:
    """A case of these logits and targets."""
    return Case(
        name,
        lambda rng: {
            "logits": cast(np.array(logits), dtype),
            "targets": np.array(targets, "int64"),
        },
        note,
    )


SEQUENCES = Case("sequences", lambda rng: tokens(rng, "float64", (2, 4)), "two sequences of four")


def _with_marked(
    rng: Rng, batch: tuple[int, ...], mark: int, where: tuple[int, ...], dtype: str = "float64"
) -> Inputs:
    inputs = tokens(rng, dtype, batch)
    inputs["targets"].flat[list(where)] = mark
    return inputs


def _marked_by(value: int) -> Case:
    def make(rng: Rng) -> Inputs:
        return {**_with_marked(rng, (6,), value, (0, 3)), "ignore_index": value}

    name = f"ignore_index_{value}".replace("-", "minus_")
    return Case(name, make, f"ignore_index={value}")


MARKED = (
    Case(
        "padding", lambda rng: _with_marked(rng, (6,), IGNORED, (1, 4)), "two of six tokens ignored"
    ),
    Case(
        "sequences_of_unequal_length",
        lambda rng: _with_marked(rng, (2, 4), IGNORED, (2, 3, 5, 6, 7)),
        "two and one token kept of two sequences",
    ),
    *(_marked_by(value) for value in (-1, 0, 2, 255)),
    Case(
        "float32",
        lambda rng: _with_marked(rng, (6,), IGNORED, (2,), "float32"),
        "one of six tokens ignored",
    ),
)
"""Tokens that are left out, by the default mark and by others, in [0, V) too."""


def _poisoned(rng: Rng, poison: float) -> Inputs:
    inputs = _with_marked(rng, (5,), IGNORED, (1, 3))
    inputs["logits"][1] = poison
    inputs["logits"][3, 2] = poison
    return inputs


POISONED = (
    Case("nan", lambda rng: _poisoned(rng, np.nan), "NaN among the logits of ignored tokens"),
    Case("inf", lambda rng: _poisoned(rng, np.inf), "+inf among the logits of ignored tokens"),
    Case("minus_inf", lambda rng: _poisoned(rng, -np.inf), "an ignored row all -inf"),
)
"""Ignored tokens whose logits are no numbers."""

NO_TOKEN = (
    Case("no_tokens_at_all", lambda rng: tokens(rng, "float64", (0,)), "an empty batch"),
    Case("empty_sequences", lambda rng: tokens(rng, "float32", (2, 0)), "two empty sequences"),
)
NONE_KEPT = (
    Case(
        "all_ignored",
        lambda rng: _with_marked(rng, (3,), IGNORED, (0, 1, 2)),
        "every token ignored",
    ),
    *NO_TOKEN,
)

LARGE = (
    case(
        "float32", "logits up to 1e4", lambda rng: cast(rng.uniform(-1e4, 1e4, (3, 6)), "float32")
    ),
    case("float64", "logits up to 1e4", lambda rng: rng.uniform(-1e4, 1e4, (3, 6))),
    case("float16", "logits up to 6e4", lambda rng: cast(rng.uniform(0, 6e4, (3, 6)), "float16")),
    case(
        "all_far_above_zero",
        "logits around 1e4",
        lambda rng: cast(rng.uniform(-3, 3, (3, 6)) + 1e4, "float32"),
    ),
    case(
        "all_far_below_zero",
        "logits around -1e4",
        lambda rng: cast(rng.uniform(-3, 3, (3, 6)) - 1e4, "float32"),
    ),
)
"""Logits whose exponential overflows, or all underflow."""

TINY = (
    case(
        "float32", "logits up to 1e-30", lambda rng: cast(rng.normal(0, 1e-30, (3, 6)), "float32")
    ),
    case("equal", "all logits equal", lambda rng: np.full((3, 6), 7.0)),
    case("nearly_equal", "logits that differ by 1e-12", lambda rng: rng.normal(0, 1e-12, (3, 6))),
)
"""Logits next to nothing, ties, and differences next to nothing."""

SURE_AND_WRONG = (
    exactly("float64_by_1000", "the target 1000 below", [[0.0, -1000.0, 1.0]], [1]),
    exactly("float64_by_40", "the target 40 below", [[0.0, 40.0, 1.0], [40.0, 0.0, 0.0]], [0, 1]),
    exactly("float32_by_200", "the target 200 below", [[0.0, -200.0, 1.0]], [1], "float32"),
    exactly(
        "float32_one_of_four",
        "one target 200 below, three sure ones",
        [[0.0, -200.0, 1.0], [50.0, 0.0, 0.0], [0.0, 60.0, 1.0], [0.0, 1.0, 70.0]],
        [1, 0, 1, 2],
        "float32",
    ),
    exactly("float32_by_20", "the target 20 below", [[-20.0, 0.0, 1.0]], [0], "float32"),
)
"""Targets whose probability is tiny, or underflows."""

SURE_AND_RIGHT = (
    exactly("float64", "the target 40 above the others", [[40.0, 0.0, 1.0]], [0]),
    exactly("float64_by_1000", "the target 1000 above", [[0.0, 1.0, 1000.0]], [2]),
    exactly("float32", "the target 20 above the others", [[0.0, 20.0, 1.0]], [1], "float32"),
)
"""Targets whose probability is 1 as far as the dtype can tell."""

LONG_ROWS = (
    case(
        "float32_20000", "20000 classes", lambda rng: cast(rng.normal(0, 1, (2, 20_000)), "float32")
    ),
    case(
        "float16_4000", "4000 classes", lambda rng: cast(rng.normal(0, 0.1, (2, 4000)), "float16")
    ),
    case(
        "float16_one_likely_class",
        "one likely class and 4000 unlikely ones",
        lambda rng: cast(np.r_[8.5, rng.normal(0, 0.1, 4000)][None], "float16"),
    ),
    case("a_single_class", "one class", lambda rng: rng.normal(0, 2, (3, 1))),
)

LONG_GRADIENTS = (
    case("float32_2500", "2500 classes", lambda rng: cast(rng.normal(0, 1, (2, 2500)), "float32")),
    case(
        "float16_2500", "2500 classes", lambda rng: cast(rng.normal(0, 0.1, (2, 2500)), "float16")
    ),
    case(
        "float16_one_likely_class",
        "one likely class and 2500 unlikely ones",
        lambda rng: cast(np.r_[8.5, rng.normal(0, 0.1, 2500)][None], "float16"),
    ),
    LONG_ROWS[-1],
)
"""No more classes than this: an answer that builds the Jacobian is right too."""

MANY_TOKENS = (
    case(
        "float32_30000", "30000 tokens", lambda rng: cast(rng.normal(0, 3, (30_000, 3)), "float32")
    ),
    case(
        "float16_20000", "20000 tokens", lambda rng: cast(rng.normal(0, 4, (20_000, 4)), "float16")
    ),
)
"""Losses whose sum is far beyond what float16 holds."""


SHIFTED = (
    *LARGE[3:],
    case(
        "each_row_elsewhere",
        "rows around -1e4, 0 and 1e4",
        lambda rng: cast(rng.uniform(-3, 3, (3, 6)) + [[-1e4], [0], [1e4]], "float32"),
    ),
    case("float64_by_1000", "logits around 1000", lambda rng: rng.uniform(-3, 3, (3, 6)) + 1000),
    case(
        "float16_by_30000",
        "logits around 30000",
        lambda rng: cast(rng.choice([0, 1, 2], (3, 6)) * 16 + 3e4, "float16"),
    ),
)
"""Large logits with small differences within a row."""

GUESSES = (
    case("two_classes", "two classes", lambda rng: np.zeros((3, 2))),
    case("1000_classes", "1000 classes", lambda rng: np.full((2, 1000), 0.5, "float32")),
    case("one_class", "one class", lambda rng: np.full((4, 1), -1.5)),
)
"""Equal logits: nothing is known."""

PERPLEXED = (
    exactly("float32", "a loss of 88", [[0.0, 88.0], [88.0, 0.0]], [0, 1], "float32"),
    exactly("float64", "a loss of 700", [[0.0, 700.0]], [0]),
    exactly("float16", "a loss of 10.8", [[0.0, 10.8]], [0], "float16"),
    exactly("beyond_float16", "a loss of 12", [[0.0, 12.0]], [0], "float16"),
    exactly("beyond_float32", "a loss of 200", [[0.0, 200.0]], [0], "float32"),
)
"""Perplexities as large as the dtype, and larger."""


def minus_infinity(*more: Case) -> tuple[Case, ...]:
    """Impossible classes: others, the target, and a row with nothing left."""
    return (
        exactly(
            "others", "other classes at -inf", [[1.0, -np.inf, 0.5], [-np.inf, 2.0, 3.0]], [0, 2]
        ),
        exactly(
            "the_target", "the target at -inf", [[1.0, -np.inf, 0.5], [0.1, 2.0, 3.0]], [1, 0],
            "float32",
        ),
        exactly("nothing_left", "one row all -inf", [[-np.inf] * 3, [0.0, 1.0, 2.0]], [1, 1]),
        *more,
    )  # fmt: skip


def rows(rng: Rng, dtype: str, n: int, classes: int) -> Inputs:
    """A benchmark's logits and targets."""
    return aimed(rng, cast(rng.standard_normal((n, classes), "float32"), dtype))


SIZES = ((64, 1024), (1024, 16_384))
"""A few short rows, and a batch over a vocabulary."""
