"""What this topic's inputs look like: layers, batches, and gradients of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from llm_math_tests.answers.values import Bfloat16, Given, Value, cast, plain
from llm_math_tests.checks.situations import Rng
from llm_math_tests.exercise import Case, Inputs

Make = Callable[[Rng], Inputs]

IN, HIDDEN, OUT = 4, 5, 3
"""Widths of the layers: all different, so that a transpose shows."""


def linear(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """A linear layer's input and weights, and a gradient of its output."""
    return {
        "grad_output": cast(rng.normal(0, 1, (*batch, OUT)), dtype),
        "x": cast(rng.normal(0, 1, (*batch, IN)), dtype),
        "w": cast(rng.normal(0, 1, (IN, OUT)), dtype),
    }


def two_layers(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Two layers and an input that leaves no hidden number next to 0.

    There ReLU has a kink: rounding decides whether it is open, and both are right.
    """
    while True:
        x = cast(rng.normal(0, 1, (*batch, IN)), dtype)
        w1 = cast(rng.normal(0, 1, (IN, HIDDEN)), dtype)
        if np.abs(plain(x).astype(float) @ plain(w1).astype(float)).min(initial=1) > 0.05:
            w2 = cast(rng.normal(0, 1, (HIDDEN, OUT)), dtype)
            return {"x": x, "w1": w1, "w2": w2}


def two_layers_back(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """The same with a gradient of the output."""
    forward = two_layers(rng, dtype, batch)
    return {"grad_y": cast(rng.normal(0, 1, (*batch, OUT)), dtype), **forward}


def scaled(sample: Callable[..., Inputs], dtype: str, **sizes: float) -> Make:
    """A sample with some arrays made larger or smaller: ``scaled(linear, "float32", w=1e4)``."""

    def make(rng: Rng) -> Inputs:
        inputs = sample(rng, "float64", (3,))
        return {name: cast(value * sizes.get(name, 1.0), dtype) for name, value in inputs.items()}

    return make


def in_dtype_of(like: Value, array: np.ndarray) -> Value:
    """An array rounded to the dtype of another (extended precision is one, too)."""
    if isinstance(like, Bfloat16):
        return Bfloat16.of(array)
    return np.asarray(array).astype(like.dtype)


def mean_gradient(width: int = 3, dtype: str | None = None) -> Given:
    """``grad_fn``: the gradient of mean (a . w - 1)^2 / 2 at w = (1, 2, ...), for examples a.

    In the dtype of its batch unless told otherwise, computed wide and rounded once; NaN for
    an empty batch, as the mean of nothing is.
    """
    w = np.arange(1.0, width + 1)

    def gradient(batch: Value) -> Value:
        a = plain(batch).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = ((a @ w - 1)[:, None] * a).sum(axis=0) / np.float64(len(a))
        return in_dtype_of(batch, found) if dtype is None else cast(found, dtype)

    return Given("grad_fn", gradient)


def batches_of(
    rng: Rng, sizes: Sequence[int], dtype: str = "float64", width: int = 3
) -> list[Value]:
    """Batches of so many examples each, and no two of the same distribution."""
    return [
        cast(rng.normal(0.5 * number, 1, (size, width)), dtype) for number, size in enumerate(sizes)
    ]


def accumulated(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Three batches of unequal size."""
    return {"grad_fn": mean_gradient(), "batches": batches_of(rng, (4, 1, 2), dtype)}


Layer = tuple[Callable[..., Value], Callable[..., Value]]


def _in_own_dtype(function: Callable[..., np.ndarray]) -> Callable[..., Value]:
    """bfloat16 is computed in float32 and rounded; every other dtype as it is."""

    def made(*args: Value) -> Value:
        return in_dtype_of(args[0], function(*(plain(arg) for arg in args)))

    return made


def bent(shift: float) -> Layer:
    """``x + sin(x + shift) / 2``, each number one place on: no two layers may change places."""

    def forward(x: np.ndarray) -> np.ndarray:
        on: np.ndarray = np.roll(x + np.sin(x + x.dtype.type(shift)) / 2, 1, -1)
        return on

    def backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        back: np.ndarray = np.roll(g, -1, -1) * (1 + np.cos(x + x.dtype.type(shift)) / 2)
        return back

    return _in_own_dtype(forward), _in_own_dtype(backward)


def widened_by(more: int) -> Layer:
    """Repeats the last axis's first numbers: the next layer's input has another shape."""

    def back(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        out = g[..., : x.shape[-1]].copy()
        out[..., :more] += g[..., x.shape[-1] :]
        return out

    return _in_own_dtype(lambda x: np.concatenate([x, x[..., :more]], -1)), _in_own_dtype(back)


def pairs(layers: Sequence[Layer]) -> list[tuple[Given, Given]]:
    """The layers as an answer is handed them."""
    return [
        (Given(f"forward_{i}", forward), Given(f"backward_{i}", backward))
        for i, (forward, backward) in enumerate(layers)
    ]


Call = tuple[str, int, tuple[Value, ...]]
"""``("backward", 3, (grad, layer_input))``: which function of which layer, and its arguments."""


def recorded(layers: Sequence[tuple[Given, Given]]) -> tuple[list[tuple[Given, Given]], list[Call]]:
    """The same layers, which write down what they are called with; and where they do."""
    calls: list[Call] = []

    def noting(kind: str, number: int, given: Given) -> Callable[..., Value]:
        def noted(*args: Value) -> Value:
            calls.append((kind, number, args))
            return given.function(*args)

        return noted

    watched = [
        (noting("forward", i, forward), noting("backward", i, backward))
        for i, (forward, backward) in enumerate(layers)
    ]
    return pairs(watched), calls


def bent_layers(count: int) -> list[tuple[Given, Given]]:
    """So many layers, no two alike."""
    return pairs([bent(0.37 * i) for i in range(count)])


def layered(count: int, shape: tuple[int, ...] = (2, 3), dtype: str = "float64") -> Make:
    """A network of so many layers, its input and a gradient of its output."""

    def make(rng: Rng) -> Inputs:
        return {
            "layers": bent_layers(count),
            "x": cast(rng.normal(0, 1, shape), dtype),
            "grad_output": cast(rng.normal(0, 1, shape), dtype),
        }

    return make


def depth(count: int, dtype: str = "float64") -> Case:
    """A network of so many layers, as a case."""
    name = "one_layer" if count == 1 else f"{count or 'no'}_layers"
    return Case(name, layered(count, dtype=dtype), f"{count} layers")


def some_layers(rng: Rng, dtype: str = "float64", batch: tuple[int, ...] = ()) -> Inputs:
    """Five layers: neither a square nor a multiple of its root."""
    return layered(5, (*batch, 3), dtype)(rng)


def most_alive(count: int) -> int:
    """The layer inputs that may be alive: ``2 ceil(sqrt(L)) + 2``."""
    return 2 * math.ceil(math.sqrt(count)) + 2
