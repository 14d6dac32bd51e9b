"""A function of the trusted side, called from torch: autograd goes through it.

Reverse mode asks the function's ``vjp``, forward mode its ``jvp``, and the derivative of
the ``vjp`` with respect to the incoming gradient (how ``torch.autograd.functional.jvp``
works) is the ``jvp`` again. ``torch.func``'s ``vmap`` calls once for each row; the older
batching of ``torch.autograd.grad(is_grads_batched=True)`` asks no function's rule and
cannot go through.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from llm_math_tests.answers.leaning import NotLent
from llm_math_tests.answers.values import Given, Odd, Value

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


def lent_in_torch(
    ask: Callable[[tuple[Value, ...]], Value], table: Any, given: Value, results: Value, call: Any
) -> tuple[Any, Any]:
    """One stretch of a function of ours, asked of the trusted side; autograd goes through it.

    What it asks for is of an order: 0 is the function, and each order the gradients of the
    one before with respect to everything that it takes. Its result, or the arguments of the
    function that it calls, and which that is.
    """
    places = {x.device for x in (*call.leaves, *call.others) if x.dim()}
    if len(places) > 1:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            + " and ".join(sorted(map(str, places)))
        )
    place = next(iter(places), None) or call.device
    fake = str(place).partition(":")[0] == "fake"
    said: list[Any] = []

    def neutral(tensors: Any) -> tuple[Value, ...]:
        return tuple(table.take(_on_the_host(x), []) for x in tensors)

    def own(value: Value) -> Any:
        return _everywhere(_on_the_fake, table.own(value)) if fake else table.own(value)

    class Lent(torch.autograd.Function):
        """The function of some order, of the arrays that autograd follows."""

        @staticmethod
        def forward(order: int, outputs: int, *tensors: Any) -> Any:
            reply = ask((order, outputs, given, results, neutral(tensors)))
            if order == 0:
                said[:] = reply[:2]
                reply = reply[2]
            return own(reply)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.order, ctx.outputs = inputs[:2]
            ctx.like = [torch.zeros_like(x) for x in output]
            ctx.save_for_backward(*inputs[2:])
            ctx.save_for_forward(*inputs[2:])

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            outputs = len(gradients) if ctx.order == 0 else ctx.outputs
            found = _apply(Lent, ctx.order + 1, outputs, *gradients, *ctx.saved_tensors)
            return None, None, *found

        @staticmethod
        def jvp(ctx: Any, order: Any, outputs: Any, *tangents: Any) -> Any:
            # Gradients are linear in what comes in: their derivative by it is the way forwards.
            outputs = len(ctx.like) if ctx.order == 0 else ctx.outputs
            along = [torch.zeros_like(x) if t is None else t
                     for x, t in zip(ctx.saved_tensors, tangents, strict=True)]  # fmt: skip
            found = _apply(
                Lent, ctx.order + 2, outputs, *along, *ctx.like, *ctx.saved_tensors
            )  # fmt: skip
            return tuple(found[: len(ctx.like)])

        @staticmethod
        def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
            return _row_by_row(Lent.apply, info.batch_size, in_dims, inputs)

    found = _apply(Lent, 0, 0, *call.leaves) if call.leaves else Lent.forward(0, 0)
    called, template = said
    return called, _put_together(template, found, own)


def as_an_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """On the fake accelerator no rule holds inside a function of ours."""
    if "llm_math_tests.tracks.fake_device" not in sys.modules:
        return function  # not the process that has one
    from llm_math_tests.tracks.fake_device.arguments import place
    from llm_math_tests.tracks.fake_device.tensor import RUNS

    if len(RUNS) == 1:
        return function  # the first is nobody's
    placed: Callable[..., Any] = place(RUNS[-1], function, {}, False)
    return placed


def _everywhere(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(_everywhere(change, item) for item in value)
    if isinstance(value, dict):
        return {key: _everywhere(change, item) for key, item in value.items()}
    return change(value) if isinstance(value, torch.Tensor) else value


def _put_together(template: Value, tensors: Any, own: Own) -> Any:
    """A result, from the part of it that autograd does not follow and the part that it does."""
    if isinstance(template, Odd):
        return tensors[int(template.looks)]
    if isinstance(template, (tuple, list)):
        return type(template)(_put_together(item, tensors, own) for item in template)
    if isinstance(template, dict):
        return {key: _put_together(item, tensors, own) for key, item in template.items()}
    return own(template)


def carried_out(replay: Any, order: int, outputs: int, leaves: Any) -> Value:
    """The trusted side of :func:`lent_in_torch`: ours, or its gradients of some order."""
    if type(order) is not int or not 0 <= order <= _MOST_ORDERS:
        raise ValueError("derivatives of an order that nobody needs")
    tensors = [replay.table.hand(leaf, "") for leaf in leaves]
    if order == 0:
        with torch.no_grad():
            called, value = replay.run(tensors)
        found: list[Any] = []
        template = _apart(value, found, replay.table)
        if called is not None and any(x.requires_grad for x in found):
            raise NotLent("ours differentiates the function it is handed, which only works on "
                          "one that you were handed yourself")  # fmt: skip
        return called, template, tuple(replay.table.take(x, []) for x in found)
    tensors = [x.requires_grad_() for x in tensors]
    sizes = [replay.leaves, replay.leaves + outputs]
    while len(sizes) <= order:
        sizes.append(sizes[-2] + sizes[-1])
    if len(tensors) != sizes[order]:
        raise ValueError("another number of arrays than these derivatives take")

    def gradients(order: int, tensors: list[Any], again: bool) -> list[Any]:
        if order == 0:
            outs: list[Any] = []
            _apart(replay.run(tensors)[1], outs, replay.table)
            return outs
        many = outputs if order == 1 else sizes[order - 2]
        coming, rest = tensors[:many], tensors[many:]
        pairs = [
            (out, gradient)
            for out, gradient in zip(gradients(order - 1, rest, True), coming, strict=True)
            if out.requires_grad
        ]
        if not pairs:
            return [torch.zeros_like(x) for x in rest]
        found = torch.autograd.grad(
            [out for out, _ in pairs], rest, [gradient for _, gradient in pairs],
            create_graph=again, allow_unused=True,
        )  # fmt: skip
        return [torch.zeros_like(x) if g is None else g
                for x, g in zip(rest, found, strict=True)]  # fmt: skip

    with torch.enable_grad():
        return tuple(replay.table.take(x, []) for x in gradients(order, tensors, False))


def _apart(value: Any, found: list[Any], table: Any) -> Value:
    """A neutral value with a mark for each tensor that autograd may follow."""
    if isinstance(value, (tuple, list)):
        return type(value)(_apart(item, found, table) for item in value)
    if isinstance(value, dict):
        return {key: _apart(item, found, table) for key, item in value.items()}
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        found.append(value)
        return Odd("tensor", str(len(found) - 1))
    return table.take(value, [])


_MOST_ORDERS = 5


def _apply(function: Any, *tensors: Any) -> Any:
    return function.apply(*tensors)


def _is_fake(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.device.type == "fake"


def _on_the_host(x: Any) -> Any:
    if not _is_fake(x):
        return x
    from llm_math_tests.tracks.fake_device.tensor import detached_host

    return detached_host(x)


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
