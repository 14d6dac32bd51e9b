"""A function's arguments, put on the fake accelerator."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from llm_math_tests.tracks.fake_device.tensor import NAME, copy_to_fake, on_cpu, on_fake

if TYPE_CHECKING:
    from llm_math_tests.tracks.fake_device.rules import Run


def place(run: Run, value: Any, memo: dict[int, Any], backward: bool, key: str = "") -> Any:
    """The same value with its tensors, also those still to come, on the device."""
    inner = functools.partial(place, run, memo=memo, backward=backward)
    if isinstance(value, torch.Tensor):
        if id(value) not in memo:
            with run.trust(), torch.no_grad():
                placed = copy_to_fake(value)
            if backward and (value.is_floating_point() or value.is_complex()):
                placed.requires_grad_()
                run.leaves.append(placed)
            run.moved = True
            memo[id(value)] = (placed, value)  # the value too: its id stays its own
        return memo[id(value)][0]
    if isinstance(value, torch.device) or (key == "device" and isinstance(value, str)):
        run.moved = True
        return torch.device(NAME, 0)
    if isinstance(value, tuple):
        items = [inner(x) for x in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [inner(x) for x in value]
    if isinstance(value, Mapping):
        return {k: inner(v, key=str(k)) for k, v in value.items()}
    if isinstance(value, Iterator):
        return _place_iterator(run, value, inner)
    if callable(value) and not isinstance(value, (type, torch.Generator)):
        return _place_function(run, value, inner)
    return value


def _place_iterator(run: Run, values: Iterator[Any], place: Callable[[Any], Any]) -> Iterator[Any]:
    while True:
        with run.trust():
            try:
                value = next(values)
            except StopIteration:
                return
        yield place(value)


def _place_function(
    run: Run, function: Callable[..., Any], place: Callable[[Any], Any]
) -> Callable[..., Any]:
    """A function given as an argument is ours: no rule holds inside it."""

    def called(*args: Any, **kwargs: Any) -> Any:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        fakes = [x for x in given if on_fake(x)]
        for x in given:
            if fakes and on_cpu(x) and x.dim() and not run.is_trusted(x):
                run.stop_mixing(x)
        with run.trust():
            out = function(*args, **kwargs)
        if given and not fakes:  # called with CPU tensors: the result is one, too
            run.remember_where(out, given, made=False)
            return out
        return tree_map(lambda x: place(x) if on_cpu(x) else x, out)

    with contextlib.suppress(AttributeError, TypeError):
        functools.update_wrapper(called, function)
    return called
