"""The chapter's pictures, each made from the functions that a student wrote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_math_tests.answers.values import Given, Value, plain
from llm_math_tests.pictures.picture import (
    Asked,
    Bars,
    HeatMap,
    Lines,
    NotDrawn,
    Panel,
    Picture,
    Series,
    floats,
)

_DEPTH = 50


def _temperatures(ask: Asked) -> Sequence[Panel]:
    logits = np.array([2.0, 1.2, 0.4, -0.3, -1.0, -2.0])
    words = tuple(range(1, len(logits) + 1))
    series = tuple(
        Series(f"T = {t:g}", floats(words), floats(ask("softmax", logits=logits, temperature=t)))
        for t in (0.25, 0.5, 1.0, 2.0, 8.0)
    )
    return [Lines("Probability of six tokens", "token, best first", "probability", series)]


def _softmax_jacobian(ask: Asked) -> Sequence[Panel]:
    p = ask("softmax", logits=np.array([2.0, 1.0, 0.5, 0.0, -1.0, -2.0]))
    jacobian = ask("softmax_jacobian", probs=p)
    rows = tuple(floats(row) for row in jacobian)
    return [HeatMap("d p_i / d z_j", "score j", "probability i", rows)]


_ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "silu")


def _activations(ask: Asked) -> Sequence[Panel]:
    x = np.linspace(-5, 5, 121)
    ones = np.ones_like(x)
    values = tuple(Series(n, floats(x), floats(ask(n, x=x))) for n in _ACTIVATIONS)
    slopes = tuple(
        Series(n, floats(x), floats(ask(f"{n}_backward", grad_output=ones, x=x)))
        for n in _ACTIVATIONS
    )
    # All of tanh and sigmoid is within -1 and 1: the others' right ends would hide it.
    near = tuple(Series(s.label, s.x, tuple(min(y, 3.0) for y in s.y)) for s in values)
    return [
        Lines("Activations (cut off at 3)", "x", "f(x)", near),
        Lines("Their derivatives", "x", "f'(x)", slopes),
    ]


def _through_depth(ask: Asked) -> Sequence[Panel]:
    """The product of the derivatives, layer by layer, at one pre-activation."""
    depths = (1, 2, 5, 10, 15, 20, 30, 40, _DEPTH)
    x = np.array([0.5])
    series = []
    for name in ("relu", "gelu", "silu", "tanh", "sigmoid"):
        slope = ask(f"{name}_backward", grad_output=np.ones(1), x=x)

        def derivative(at: Value, slope: np.ndarray = slope) -> Value:
            return np.broadcast_to(slope, np.shape(plain(at))).copy()

        left = [
            ask("gradient_through_depth", derivative=Given("derivative", derivative), x=x, depth=d)
            for d in depths
        ]
        series.append(Series(name, floats(depths), floats(np.concatenate(left))))
    return [
        Lines("What is left of a gradient at x = 0.5", "layers", "gradient", tuple(series),
              log_y=True)
    ]  # fmt: skip


def _residual_paths(ask: Asked) -> Sequence[Panel]:
    """A gradient on its way back through pre-norm blocks, with and without their x +."""
    rng = np.random.default_rng(7)
    d = 32
    weights = [rng.normal(0, 0.5 / np.sqrt(d), (d, d)) for _ in range(_DEPTH)]
    ones, zeros = np.ones(d), np.zeros(d)
    x = rng.normal(0, 1, (4, d))
    start = rng.normal(0, 1, (4, d))
    with_path, without = [1.0], [1.0]
    g = h = start
    for w in weights:

        def vjp(normed: Value, grad: Value, w: np.ndarray = w) -> Value:
            return plain(grad) @ w.T

        def back(grad: np.ndarray, vjp: object = vjp) -> np.ndarray:
            return ask(
                "pre_norm_block_backward", grad_output=grad, x=x,
                sublayer_vjp=Given("sublayer_vjp", vjp), weight=ones, bias=zeros,  # type: ignore[arg-type]
            )  # fmt: skip

        g = back(g)
        # What the block gives without its residual path: the path adds the gradient itself.
        h = back(h) - h
        with_path.append(float(np.linalg.norm(g) / np.linalg.norm(start)))
        without.append(float(np.linalg.norm(h) / np.linalg.norm(start)))
    layers = floats(range(_DEPTH + 1))
    series = (
        Series("with residual paths", layers, floats(with_path)),
        Series("without", layers, floats(without)),
    )
    return [
        Lines("Norm of the gradient, relative to where it started", "blocks passed", "norm",
              series, log_y=True)
    ]  # fmt: skip


def _spectrum(ask: Asked) -> Sequence[Panel]:
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.normal(0, 1, (12, 12)))[0]
    spread = np.array([6.0, 4.0, 2.5] + [0.6] * 9)
    x = rng.normal(0, 1, (200, 12)) * spread @ directions.T
    found = ask.value("pca", x=x, k=12)
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise NotDrawn("pca did not return components and variances")
    variances = plain(found[1]).astype("float64")
    ratio = ask("explained_variance_ratio", x=x)
    numbers = floats(range(1, len(ratio) + 1))
    return [
        Bars("Variance along each component", "component", "variance",
             tuple(f"{int(n)}" for n in numbers), floats(variances)),
        Lines("Explained variance, added up", "components kept", "share",
              (Series("explained", numbers, floats(np.cumsum(ratio))),)),
    ]  # fmt: skip


def _embedding_rows(ask: Asked) -> Sequence[Panel]:
    rng = np.random.default_rng(5)
    vocab, tokens, d = 64, 48, 8
    # Words as frequent as in a text: the n-th most frequent about 1/n as often as the first.
    share = 1 / np.arange(1, vocab + 1)
    ids = rng.choice(vocab, tokens, p=share / share.sum())
    grad = rng.normal(0, 1, (tokens, d))
    table = ask("embedding_backward", grad_output=grad, token_ids=ids, vocab_size=vocab)
    norms = np.linalg.norm(table.reshape(vocab, -1), axis=1)
    counts = np.bincount(ids, minlength=vocab)
    rows = tuple(floats(row) for row in norms.reshape(4, 16))
    touched = int((norms > 0).sum())
    return [
        HeatMap(f"Norm of each row's gradient: {touched} of {vocab} rows received one",
                "row, 16 to a line", "", rows),
        Lines("Norm of the gradient, by row", "row of the table", "norm or count", (
            Series("norm of the gradient", floats(range(vocab)), floats(norms)),
            Series("times in the batch", floats(range(vocab)), floats(counts)),
        )),
    ]  # fmt: skip


PICTURES = (
    Picture(
        "softmax_at_temperatures",
        "Softmax at temperatures",
        "A low temperature sharpens the distribution towards the best token, a high one "
        "flattens it towards 1/6.",
        ("softmax",),
        _temperatures,
    ),
    Picture(
        "softmax_jacobian",
        "The Jacobian of a softmax",
        "Positive on the diagonal, negative beside it, and every row and column sums to 0: "
        "probability that one token gains, the others lose.",
        ("softmax", "softmax_jacobian"),
        _softmax_jacobian,
    ),
    Picture(
        "activations",
        "Activations and their derivatives",
        "Where a derivative is near 0 no gradient comes through: on both sides of sigmoid and "
        "tanh, on the left of relu. Sigmoid's is never above 1/4.",
        tuple(part for name in _ACTIVATIONS for part in (name, f"{name}_backward")),
        _activations,
    ),
    Picture(
        "gradient_survival",
        "How a gradient survives depth",
        "A gradient through many layers is multiplied by a derivative in each: sigmoid's takes "
        "at least three quarters of it every time.",
        ("gradient_through_depth",
         *(f"{name}_backward" for name in ("relu", "gelu", "silu", "tanh", "sigmoid"))),
        _through_depth,
    ),
    Picture(
        "residual_paths",
        "With and without residual paths",
        "The same blocks with small weights: through x + f(norm(x)) the gradient keeps its "
        "size, through f(norm(x)) alone it vanishes.",
        ("pre_norm_block_backward",),
        _residual_paths,
    ),
    Picture(
        "spectrum",
        "Spectrum and explained variance",
        "Data of twelve features that mostly vary in three directions: three components hold "
        "nearly all of the variance.",
        ("pca", "explained_variance_ratio"),
        _spectrum,
    ),
    Picture(
        "embedding_rows",
        "Which embedding rows received gradient",
        "Only tokens of the batch have a row to update, and frequent ones get more: the rest "
        "of the table is exactly zero.",
        ("embedding_backward",),
        _embedding_rows,
    ),
)  # fmt: skip
