"""Backpropagation in extended precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llm_math_tests.answers.values import Given, Value, plain
from llm_math_tests.checks.truth import Extended, Truth, extended

Layers = Sequence[tuple[Given, Given]]


def _rows(x: np.ndarray) -> np.ndarray:
    """All batch axes as one (none is a single row)."""
    rows = int(np.prod(x.shape[:-1], dtype=int))
    return x.reshape(rows, x.shape[-1])


def _product(
    a: np.ndarray, b: np.ndarray, sizes: tuple[np.ndarray, np.ndarray], terms: int, what: str
) -> Truth:
    """A matrix product, relative to the product of its factors' sizes."""
    return Truth(a @ b, sizes[0] @ sizes[1], terms=max(1, terms), relative_to=what)


def _shaped(truth: Truth, shape: tuple[int, ...]) -> Truth:
    return Truth(
        truth.value.reshape(shape), truth.scale.reshape(shape), truth.steps, truth.terms,
        truth.relative_to,
    )  # fmt: skip


def linear(x: Value, w: Value, b: Value) -> Truth:
    """``x w + b``: what linear_backward is the backward of."""
    x, w, b = extended(x), extended(w), extended(b)
    return Truth(x @ w + b, np.abs(x) @ np.abs(w) + np.abs(b), terms=len(w) + 1)


def linear_backward(grad_output: Value, x: Value, w: Value) -> tuple[Truth, Truth, Truth]:
    """``g w^T``, ``x^T g`` and the sum of g."""
    g, rows, weights = _rows(extended(grad_output)), _rows(extended(x)), extended(w)
    sizes = np.abs(g), np.abs(rows), np.abs(weights)
    dx = _product(g, weights.T, (sizes[0], sizes[2].T), g.shape[1], "|g| |w|^T")
    dw = _product(rows.T, g, (sizes[1].T, sizes[0]), len(g), "|x|^T |g|")
    db = Truth(
        g.sum(axis=0), sizes[0].sum(axis=0), terms=max(1, len(g)), relative_to="the sum of |g|"
    )
    return _shaped(dx, plain(x).shape), dw, db


def hidden_layer(x: Value, w1: Value) -> np.ndarray:
    """``x w1``, before the ReLU, in rows."""
    result: np.ndarray = _rows(extended(x)) @ extended(w1)
    return result


def two_layer_forward(x: Value, w1: Value, w2: Value) -> Truth:
    """``relu(x w1) w2``, relative to ``|x| |w1| |w2|``: ReLU makes no error larger."""
    hidden = np.maximum(hidden_layer(x, w1), 0)
    size = np.abs(_rows(extended(x))) @ np.abs(extended(w1))
    second = extended(w2)
    terms = len(extended(w1)) + len(second)
    y = _product(hidden, second, (size, np.abs(second)), terms, "|x| |w1| |w2|")
    return _shaped(y, (*plain(x).shape[:-1], second.shape[1]))


def two_layer_backward(grad_y: Value, x: Value, w1: Value, w2: Value) -> tuple[Truth, Truth, Truth]:
    """The gradients of x, w1 and w2; each relative to the same products of magnitudes."""
    g, rows = _rows(extended(grad_y)), _rows(extended(x))
    first, second = extended(w1), extended(w2)
    before = rows @ first
    open_ = before > 0
    dh = (g @ second.T) * open_
    dh_size = (np.abs(g) @ np.abs(second).T) * open_
    hidden_size = (np.abs(rows) @ np.abs(first)) * open_
    n_out, (n_in, n_hidden) = g.shape[1], first.shape
    dx = _product(
        dh, first.T, (dh_size, np.abs(first).T), n_out + n_hidden, "|g| |w2|^T |w1|^T, where open"
    )
    dw1 = _product(
        rows.T, dh, (np.abs(rows).T, dh_size), len(g) + n_out, "|x|^T |g| |w2|^T, where open"
    )
    dw2 = _product(
        np.maximum(before, 0).T, g, (hidden_size.T, np.abs(g)), len(g) + n_in,
        "(|x| |w1|)^T |g|, where open",
    )  # fmt: skip
    return _shaped(dx, plain(x).shape), dw1, dw2


def accumulate_gradients(grad_fn: Given, batches: Sequence[Value]) -> Truth:
    """The weighted mean of the gradients, each as grad_fn gives it in its own dtype."""
    full = [batch for batch in batches if len(plain(batch))]
    examples = sum(len(plain(batch)) for batch in full)
    gradients = [extended(grad_fn.function(batch)) for batch in full]
    shares = [Extended(len(plain(batch))) / examples for batch in full]
    value = sum(s * g for s, g in zip(shares, gradients, strict=True))
    scale = sum(s * np.abs(g) for s, g in zip(shares, gradients, strict=True))
    return Truth(
        np.asarray(value), np.asarray(scale), terms=len(full),
        relative_to="the weighted mean of the batches' |gradient|",
    )  # fmt: skip


def through_layers(layers: Layers, x: Value) -> Truth:
    """What the layers make of x, in extended precision."""
    out = extended(x)
    for forward, _ in layers:
        out = forward.function(out)
    return Truth(out, np.abs(out))


def layer_inputs(layers: Layers, x: Value) -> list[Value]:
    """The input of each layer, exactly as the layers' functions make it."""
    inputs = []
    for forward, _ in layers:
        inputs.append(x)
        x = forward.function(x)
    return inputs


def checkpointed_backward(layers: Layers, x: Value, grad_output: Value) -> Truth:
    """The input's gradient, in the inputs' own dtype: the layers do all arithmetic."""
    gradient = grad_output
    for (_, backward), at in zip(reversed(layers), reversed(layer_inputs(layers, x)), strict=True):
        gradient = backward.function(gradient, at)
    value = extended(gradient)
    scale = np.full(value.shape, np.abs(value).max(initial=0))
    return Truth(value, scale, steps=4, relative_to="the largest number")


def unscale_gradients(grads: Sequence[Value], scale: float) -> tuple[Truth, ...]:
    """The gradients divided by the scale, then found_inf: a tuple without the list in it."""
    parts = []
    found = False
    for grad in grads:
        value = extended(grad) / Extended(scale)
        with np.errstate(over="ignore"):
            found |= not np.isfinite(value.astype("float32")).all()
        size = np.where(np.isfinite(value), np.abs(value), 0)
        parts.append(Truth(value, size, steps=4))
    return *parts, Truth(np.asarray(found), 0)


def update_loss_scale(
    scale: float, found_inf: Any, good_steps: int, growth_interval: int = 2000
) -> tuple[Truth, Truth]:
    """Halved, doubled or kept; and the steps since. Both exact."""
    if bool(found_inf):
        new, steps = scale / 2, 0
    elif good_steps + 1 == growth_interval:
        new, steps = scale * 2, 0
    else:
        new, steps = scale, good_steps + 1
    return Truth(np.asarray(new, Extended), 0), Truth(np.asarray(steps), 0)
