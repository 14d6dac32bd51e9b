"""A function of the trusted side, called from torch: autograd goes through it.

Reverse mode asks the function's ``vjp``, forward mode its ``jvp``, and the derivative of
the ``vjp`` with respect to the incoming gradient (how ``torch.autograd.functional.jvp``
works) is the ``jvp`` again. ``torch.func``'s ``vmap`` calls once for each row; the older
batching of ``torch.autograd.grad(is_grads_batched=True)`` asks no function's rule and
cannot go through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from llm_math_tests.answers.values import Given, Value

Neutral = Callable[..., tuple[Value, ...]]
Own = Callable[[Value], Any]


def given_in_torch(given: Given, neutral: Neutral, own: Own) -> Callable[..., Any]:
    """The function as an answer calls it, on tensors of any device."""

    def ask(part: Given, *tensors: Any) -> Any:
        fake = any(_is_fake(x) for x in tensors)
        value = own(part(*neutral(*(_on_the_host(x) for x in tensors))))
        return _on_the_fake(value) if fake else value

    vjp, jvp = given.vjp, given.jvp
    if vjp is None:
        return lambda *tensors: ask(given, *tensors)
    pullback, pushforward = vjp, jvp

    class Pushforward(torch.autograd.Function):
        """The directional derivative: the arguments, then a tangent for each."""

        @staticmethod
        def forward(*tensors: Any) -> Any:
            if pushforward is None:
                raise NotImplementedError(f"{given.name} cannot be differentiated forwards")
            return ask(pushforward, *tensors)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            pass

        @staticmethod
        def vmap(info: Any, in_dims: Any, *tensors: Any) -> Any:
            return _row_by_row(Pushforward.apply, info.batch_size, in_dims, tensors)

    def along(tensors: Any, tangents: Any) -> Any:
        filled = [torch.zeros_like(x) if t is None else t
                  for x, t in zip(tensors, tangents, strict=True)]  # fmt: skip
        return _apply(Pushforward, *tensors, *filled)

    class Pullback(torch.autograd.Function):
        """The gradients with respect to the arguments: linear in what comes in."""

        @staticmethod
        def forward(gradient: Any, *tensors: Any) -> Any:
            found = ask(pullback, gradient, *tensors)
            return found if isinstance(found, tuple) else (found,)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs[1:])

        @staticmethod
        def backward(ctx: Any, *tangents: Any) -> Any:
            return along(ctx.saved_tensors, tangents), *(None for _ in tangents)

        @staticmethod
        def vmap(info: Any, in_dims: Any, *tensors: Any) -> Any:
            return _row_by_row(Pullback.apply, info.batch_size, in_dims, tensors)

    class Forward(torch.autograd.Function):
        """The function itself."""

        @staticmethod
        def forward(*tensors: Any) -> Any:
            return ask(given, *tensors)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return _apply(Pullback, gradient, *ctx.saved_tensors)

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            return along(ctx.saved_tensors, tangents)

        @staticmethod
        def vmap(info: Any, in_dims: Any, *tensors: Any) -> Any:
            return _row_by_row(Forward.apply, info.batch_size, in_dims, tensors)

    return lambda *tensors: _apply(Forward, *tensors)


def _apply(function: Any, *tensors: Any) -> Any:
    return function.apply(*tensors)


def _is_fake(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.device.type == "fake"


def _on_the_host(x: Any) -> Any:
    from llm_math_tests.tracks.fake_device.tensor import detached_host

    return detached_host(x) if _is_fake(x) else x


def _on_the_fake(value: Any) -> Any:
    from llm_math_tests.tracks.fake_device.tensor import copy_to_fake

    if isinstance(value, tuple):
        return tuple(copy_to_fake(one) for one in value)
    return copy_to_fake(value)


def _row_by_row(
    function: Callable[..., Any], rows: int, in_dims: Any, tensors: tuple[Any, ...]
) -> tuple[Any, Any]:
    found = [
        function(*(x if dim is None else x.select(dim, row)
                   for x, dim in zip(tensors, in_dims, strict=True)))
        for row in range(rows)
    ]  # fmt: skip
    if isinstance(found[0], tuple):
        return tuple(torch.stack(column) for column in zip(*found, strict=True)), (0,) * len(
            found[0]
        )
    return torch.stack(found), 0
