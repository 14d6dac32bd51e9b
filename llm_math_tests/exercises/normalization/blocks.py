"""What transformer_block's inputs look like, easy and hard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_math_tests.answers.values import Value, cast, plain
from llm_math_tests.checks.situations import Rng, changed
from llm_math_tests.exercise import Case, Inputs, Refusal
from llm_math_tests.exercises.attention.situations import N, padding

D = 4
NORMS = ("norm1_weight", "norm1_bias", "norm2_weight", "norm2_bias")
HEADS = ("w_q", "w_k", "w_v", "w_o")


def shapes_of(d: int) -> dict[str, tuple[int, ...]]:
    """The shape of every array of params."""
    return {
        "norm1_weight": (d,), "norm1_bias": (d,), **dict.fromkeys(HEADS, (d, d)),
        "norm2_weight": (d,), "norm2_bias": (d,),
        "w1": (d, 4 * d), "b1": (4 * d,), "w2": (4 * d, d), "b2": (d,),
    }  # fmt: skip


def parameters(rng: Rng, dtype: str, d: int = D, size: float = 1.0) -> dict[str, Value]:
    """Parameters as training may leave them."""
    found = {}
    for name, shape in shapes_of(d).items():
        spread = size / np.sqrt(shape[0]) if len(shape) == 2 else 0.5
        found[name] = cast(rng.normal(name.endswith("weight"), spread, shape), dtype)
    return found


def unmasked(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Three tokens of width 4, two heads."""
    return {
        "x": cast(rng.normal(0.5, 1, (*batch, N, D)), dtype),
        "params": parameters(rng, dtype),
        "num_heads": 2,
    }


def masked(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """The same with a padding mask."""
    return {**unmasked(rng, dtype, batch), "mask": padding(rng, batch, N)}


def whole(rng: Rng, kind: str) -> Inputs:
    """The same in whole numbers, the parameters too."""
    inputs = masked(rng)

    def rounded(value: Value) -> Value:
        numbers = np.round(plain(value) * 2).astype("int64")
        return numbers > 0 if kind == "bool" else numbers

    params = {name: rounded(value) for name, value in inputs["params"].items()}
    return {**inputs, "x": rounded(inputs["x"]), "params": params}


def tokens(
    n: int,
    d: int,
    heads: int,
    dtype: str = "float64",
    *,
    name: str = "",
    mean: float = 0.5,
    spread: float = 1.0,
    size: float = 1.0,
) -> Case:
    """Two sequences of n tokens of width d; the weights' spread is ``size / sqrt(d)``."""

    def make(rng: Rng) -> Inputs:
        x = cast(rng.normal(mean, spread, (2, n, d)), dtype)
        return {"x": x, "params": parameters(rng, dtype, d, size), "num_heads": heads}

    name = name or f"{dtype}_{n}_tokens_{heads}_heads_of_width_{d // heads}"
    note = f"{n} tokens around {mean:g}, give or take {spread:g}; {heads} heads"
    return Case(name, make, note)


def without(*names: str) -> Callable[[Rng], Inputs]:
    """Ordinary inputs with some parameters all 0."""

    def make(rng: Rng) -> Inputs:
        inputs = masked(rng, "float64", (2,))
        zeros = {name: np.zeros_like(inputs["params"][name]) for name in names}
        return {**inputs, "params": {**inputs["params"], **zeros}}

    return make


def bad_params() -> tuple[Refusal, ...]:
    """A key that is missing, and arrays of other shapes."""

    def lacking(name: str) -> Refusal:
        def make(rng: Rng) -> Inputs:
            inputs = unmasked(rng, "float64", (3,))
            kept = {key: value for key, value in inputs["params"].items() if key != name}
            return {**inputs, "params": kept}

        return Refusal(f"without_{name}", make, name, "")

    def misshapen(name: str, shape: tuple[int, ...]) -> Refusal:
        def make(rng: Rng) -> Inputs:
            inputs = unmasked(rng, "float64", (3,))
            return {**inputs, "params": {**inputs["params"], name: np.ones(shape)}}

        return Refusal(f"{name}_of_another_shape", make, name, str(shape))

    return (
        *(lacking(name) for name in shapes_of(D)),
        *(misshapen(name, (17,)) for name in (*NORMS, "b1")),
        misshapen("b2", (1,)),
        *(misshapen(name, (4, 17)) for name in (*HEADS, "w1")),
        misshapen("w2", (17, 4)),
        Refusal("num_heads_3", changed(unmasked, num_heads=3), "num_heads", "3"),
        Refusal("num_heads_0", changed(unmasked, num_heads=0), "num_heads", "0"),
        Refusal("num_heads_minus_2", changed(unmasked, num_heads=-2), "num_heads", "-2"),
    )
