"""What this topic's inputs look like, easy and hard.

All lengths and widths differ (3 queries, 4 keys, width 6, values of width 2),
so that no two axes can be mistaken for each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.values import Value, cast, plain
from llm_math_tests.checks.situations import Rng, changed
from llm_math_tests.exercise import Case, Inputs, Refusal, Size

N, M, D, E = 3, 4, 6, 2

Make = Callable[[Rng], Inputs]


def queries_and_keys(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Three queries and four keys of width 6."""
    return {
        "q": cast(rng.normal(0, 1, (*batch, N, D)), dtype),
        "k": cast(rng.normal(0, 1, (*batch, M, D)), dtype),
    }


def attending(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Queries, keys, and values of width 2."""
    return {
        **queries_and_keys(rng, dtype, batch),
        "v": cast(rng.normal(0, 1, (*batch, M, E)), dtype),
    }


def _cube(rng: Rng) -> Inputs:
    return {
        "q": rng.normal(0, 1, (4, N, 4)),
        "k": rng.normal(0, 1, (4, 4, 4)),
        "v": rng.normal(0, 1, (4, 4, 4)),
    }


CUBE = Case("all_axes_of_one_length", _cube, "sequences, keys and widths all 4")
"""Here a transpose of the wrong axes still fits, and must give other numbers."""


def padding(rng: Rng, batch: tuple[int, ...], keys: int) -> np.ndarray:
    """True for the first few keys of each sequence: at least one, and not always all."""
    lengths = rng.integers(1, keys, (*batch, 1, 1))
    return np.arange(keys) < lengths


def padded(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """The same with a padding mask, one for each sequence."""
    return {**attending(rng, dtype, batch), "mask": padding(rng, batch, M)}


def projected(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Three tokens of width 4 and four weights for two heads."""
    x = {"x": cast(rng.normal(0, 1, (*batch, N, 4)), dtype)}
    weights = {
        name: cast(rng.normal(0, 0.7, (4, 4)), dtype) for name in ("w_q", "w_k", "w_v", "w_o")
    }
    return {**x, **weights, "num_heads": 2}


def projected_and_padded(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """The same with a padding mask."""
    return {**projected(rng, dtype, batch), "mask": padding(rng, batch, N)}


def with_mask(name: str, shape: tuple[int, ...], make: Make = attending) -> Case:
    """Two sequences and a random mask of a shape, each query left with its first key."""

    def masked(rng: Rng) -> Inputs:
        mask = rng.random(shape) < 0.6
        mask[..., 0] = True
        return {**make(rng, "float64", (2,)), "mask": mask}  # type: ignore[call-arg]

    return Case(name, masked, f"a mask of shape {shape}")


def masks(keys: int, make: Make = attending) -> tuple[Case, ...]:
    """Every way that a mask may broadcast."""
    return (
        Case(
            "causal_mask",
            lambda rng: {
                **make(rng, "float64", (2,)),  # type: ignore[call-arg]
                "mask": np.tril(np.ones((N, keys), bool)),
            },
            "a causal mask",
        ),
        with_mask("mask_for_each_pair", (N, keys), make),
        with_mask("mask_for_each_key", (keys,), make),
        with_mask("padding_mask", (2, 1, keys), make),
        with_mask("mask_for_each_sequence", (2, N, keys), make),
    )


def nothing_left(keys: int, make: Make = attending) -> tuple[Case, ...]:
    """Masks that leave some query without any key."""

    def case(name: str, mask: Callable[[], np.ndarray], note: str) -> Case:
        return Case(
            name,
            lambda rng: {**make(rng, "float32", (2,)), "mask": mask()},  # type: ignore[call-arg]
            note,
        )

    def one_row() -> np.ndarray:
        # The other queries miss a key too, or masking with 0 would look like masking with -1e9.
        mask = np.ones((N, keys), bool)
        mask[1] = mask[2, 1] = False
        return mask

    def one_sequence() -> np.ndarray:
        mask = np.ones((2, 1, keys), bool)
        mask[0] = mask[1, 0, 1:] = False
        return mask

    return (
        case("one_query", one_row, "one query sees no key"),
        case("one_sequence", one_sequence, "one sequence is all padding"),
        case("nobody", lambda: np.zeros(keys, bool), "every key left out"),
    )


def minus_infinity(keys: int = 5) -> tuple[Case, ...]:
    """Scores of -inf: a key that holds -inf where the queries are above 0."""

    def make(lost: slice) -> Make:
        def inputs(rng: Rng) -> Inputs:
            q, k = rng.uniform(0.5, 1.5, (N, 4)), rng.normal(0, 1, (keys, 4))
            k[lost, 0] = -np.inf
            return {
                "q": cast(q, "float32"),
                "k": cast(k, "float32"),
                "v": cast(rng.normal(0, 1, (keys, E)), "float32"),
            }

        return inputs

    return (
        Case("some_keys", make(slice(1, 3)), "two keys of score -inf"),
        Case("the_first_keys", make(slice(0, 3)), "the first three keys of score -inf"),
        Case("every_key", make(slice(None)), "every key of score -inf"),
    )


def lattice(rng: Rng, shape: tuple[int, ...], size: float, dtype: str) -> Value:
    """Large numbers whose products and sums are exact, so that no order of sums matters.

    With d = 4 the root is 2 and exact too: the right weights are then exactly 0,
    1, or equal shares, in every dtype.
    """
    step = 2.0 ** np.floor(np.log2(size / 64))
    return cast(rng.integers(-64, 65, shape) * step, dtype)


def large() -> tuple[Case, ...]:
    """Scores whose exponential overflows the dtype."""

    def exact(size: float, dtype: str) -> Make:
        return lambda rng: {
            "q": lattice(rng, (2, N, 4), size, dtype),
            "k": lattice(rng, (2, M, 4), size, dtype),
            "v": cast(rng.uniform(-size, size, (2, M, E)), dtype),
        }

    def around(rng: Rng) -> Inputs:
        inputs = attending(rng, "float32", (2,))
        q, k = plain(inputs["q"]) * 50, plain(inputs["k"]) * 200
        return {**inputs, "q": q, "k": k}

    def shifted(by: float) -> Make:
        def make(rng: Rng) -> Inputs:
            inputs = attending(rng, "float32", (2,))
            q, k = plain(inputs["q"]).copy(), plain(inputs["k"]).copy()
            q[..., 0], k[..., 0] = 100, by / 100 * np.sqrt(D)
            return {**inputs, "q": q, "k": k}

        return make

    def some_beyond_half(rng: Rng) -> Inputs:
        """One query's scores are above 65504, the other's below; all are exact in float32."""
        return {
            "q": cast(np.outer([2000, 10], np.ones(4)), "float16"),
            "k": cast(rng.integers(30, 60, (M, 4)), "float16"),
            "v": cast(rng.normal(0, 1, (M, E)), "float16"),
        }

    return (
        Case("float32", exact(1e4, "float32"), "numbers up to 1e4"),
        Case("float16", exact(6e4, "float16"), "numbers up to 6e4"),
        Case("float16_scores", some_beyond_half, "scores above 65504 and scores below"),
        Case("scores_of_1e4", around, "scores up to about 1e4"),
        Case("all_far_above_zero", shifted(1e3), "scores around 1e3"),
        Case("all_far_below_zero", shifted(-1e3), "scores around -1e3"),
    )


def _hidden_scores_are_highest(rng: Rng) -> Inputs:
    """Keys that would win by far, were they not masked."""
    inputs = padded(rng, "float32", (2,))
    hidden = ~inputs["mask"].swapaxes(-1, -2)
    q = np.abs(inputs["q"]) + 1
    return {**inputs, "q": q, "k": np.where(hidden, np.float32(2e3), -np.abs(inputs["k"]))}


HIGHEST_MASKED = Case("highest_scores_masked", _hidden_scores_are_highest, "masked scores far up")
"""Where the maximum is taken before masking, every kept weight underflows."""


def tiny() -> tuple[Case, ...]:
    """Numbers next to nothing: in the scores they vanish, in the values they must not."""

    def make(size: float) -> Make:
        return lambda rng: {
            "q": cast(rng.uniform(-size, size, (N, 4)), "float32"),
            "k": cast(rng.uniform(-size, size, (M, 4)), "float32"),
            "v": cast(rng.uniform(-1e-30, 1e-30, (M, E)), "float32"),
        }

    return (
        Case("all_1e_minus_30", make(1e-30), "numbers up to 1e-30"),
        Case("values_1e_minus_30", make(1.0), "values up to 1e-30"),
        Case(
            "nearly_equal_scores",
            lambda rng: {
                **attending(rng),
                "q": np.full((N, D), 10.0),
                "k": 1 + rng.uniform(-1e-12, 1e-12, (M, D)),
            },
            "scores that differ by 1e-11",
        ),
        Case(
            "equal_scores",
            lambda rng: {**attending(rng, "float32"), "k": np.ones((M, D), "float32")},
            "all scores of a query equal",
        ),
    )


def long_rows() -> tuple[Case, ...]:
    """Many keys to sum over, or just one."""

    def keys(m: int, dtype: str) -> Make:
        return lambda rng: {
            "q": cast(rng.normal(0, 0.1, (2, 4)), dtype),
            "k": cast(rng.normal(0, 0.1, (m, 4)), dtype),
            "v": cast(rng.uniform(0.5, 1.5, (m, E)), dtype),
        }

    return (
        Case("float32_5000_keys", keys(5000, "float32"), "5000 keys"),
        Case("float16_4000_keys", keys(4000, "float16"), "4000 keys"),
        Case("a_single_key", keys(1, "float64"), "one key"),
    )


def upstream(cases: tuple[Case, ...], size: float = 1.0) -> tuple[Case, ...]:
    """The same situations for the backward pass, with a gradient that arrives."""

    def with_gradient(case: Case) -> Make:
        def make(rng: Rng) -> Inputs:
            inputs = case.make(rng)
            shape = (*plain(inputs["q"]).shape[:-1], plain(inputs["v"]).shape[-1])
            dtype = str(plain(inputs["q"]).dtype)
            return {"grad_output": cast(rng.normal(0, size, shape), dtype), **inputs}

        return make

    return tuple(Case(case.name, with_gradient(case), case.note, case.tracks) for case in cases)


def bad_masks(sample: Make, queries: int, keys: int) -> tuple[Refusal, ...]:
    """Masks that are no masks, and masks that do not fit; the sample has batch (3,)."""

    def given(name: str, mask: np.ndarray, value: str) -> Refusal:
        return Refusal(name, changed(sample, mask=mask), "mask", value)

    return (
        given("mask_of_floats", np.zeros((queries, keys)), "float64"),
        given("mask_of_integers", np.ones((queries, keys), "int64"), "int64"),
        given("mask_of_too_many_keys", np.ones((queries, 17), bool), str((queries, 17))),
        given("mask_of_another_batch", np.ones((17, 1, keys), bool), str((17, 1, keys))),
        given(
            "mask_that_adds_an_axis",
            np.ones((17, 3, queries, keys), bool),
            str((17, 3, queries, keys)),
        ),
    )


def rows(n: int, d: int, names: tuple[str, ...], heads: int = 8) -> Size:
    """A benchmark size: ``heads`` times n rows of width d, for each of the names."""
    return Size(
        f"{heads} x {n} x {d}",
        lambda rng, dtype: {
            name: cast(rng.standard_normal((heads, n, d), "float32"), dtype) for name in names
        },
    )


def dims(inputs: Inputs) -> tuple[int, int, int, int]:
    """``(batch * n, m, d, bytes of a number)`` of attention's benchmark inputs."""
    q, k = plain(inputs["q"]), plain(inputs["k"])
    return q.size // q.shape[-1], k.shape[-2], q.shape[-1], q.itemsize
