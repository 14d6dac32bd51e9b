"""What an operation of torch says of itself, and a result that follows it."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


def among(x: torch.Tensor, items: Any) -> bool:
    """Whether a tensor itself, not its equal, is one of the items."""
    return any(x is y for y in tree_leaves(items))


def is_mask(x: object) -> bool:
    """Whether it is a tensor that selects by truth."""
    return isinstance(x, torch.Tensor) and x.dtype in (torch.bool, torch.uint8)


def is_sized(func: Any, kwargs: Any) -> bool:
    """repeat_interleave with output_size= does not look at values."""
    return "repeat_interleave" in str(func) and kwargs.get("output_size") is not None


def plain_operation(func: Any) -> Any:
    """The same operation, with a result that is computed and not only marked.

    Torch settles the marks (zero, conjugate, negative) before an operation comes
    here, so a marked tensor inside ours would be read as it is, or crash.
    """
    return {
        aten._efficientzerotensor.default: aten.zeros.default,
        aten._conj.default: aten._conj_physical.default,
        aten._neg_view.default: aten.neg.default,
    }.get(func, func)


def written_arguments(func: Any, args: Any, kwargs: Any) -> list[Any]:
    """The arguments that an operation writes into."""
    found: list[Any] = []
    for i, a in enumerate(func._schema.arguments):
        if a.alias_info is not None and a.alias_info.is_write:
            found += tree_leaves(args[i] if i < len(args) else kwargs.get(a.name))
    return found


def same_objects(func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """An operation in place returns its argument, not a new tensor like it."""
    returns = func._schema.returns
    if not any(r.alias_info is not None and r.alias_info.is_write for r in returns):
        return out
    values = list(out) if len(returns) > 1 else [out]
    for k, r in enumerate(returns):
        if r.alias_info is None or not r.alias_info.is_write:
            continue
        for i, a in enumerate(func._schema.arguments):
            if a.alias_info and a.alias_info.before_set & r.alias_info.before_set:
                values[k] = args[i] if i < len(args) else kwargs.get(a.name)
    return tuple(values) if len(returns) > 1 else values[0]


def backward_of(
    tensor: torch.Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """``tensor.backward()`` as torch does it."""
    torch.autograd.backward(tensor, gradient, retain_graph, create_graph, inputs=inputs)
