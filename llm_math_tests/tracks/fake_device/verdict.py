"""What happened in a run, in words."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves

from llm_math_tests.tracks.fake_device.sentences import (
    MADE_ON_CPU,
    RESULT_ON_CPU,
    TO_NUMPY,
    fit,
    said_by,
)
from llm_math_tests.tracks.fake_device.tensor import NAME, on_fake

if TYPE_CHECKING:
    from llm_math_tests.tracks.fake_device.rules import Run


@dataclass(frozen=True)
class FakeRun:
    """What happened when a function ran on the fake accelerator.

    Attributes:
        ok: It ran and nothing left the device.
        device: Where the outputs live: ``"fake"``, else the first other device;
            None when it raised or returned no tensor.
        outputs: ``(dtype name, shape)`` of every output tensor, in order.
        problem: One sentence for the student. None with ``ok`` False means that
            this stand-in could not tell (the reason is in ``notes``).
        line: Line of the student's file to look at.
        text: That line, stripped.
        notes: Things that work on a GPU and are worth knowing.
        error: Type name of what the function raised by itself, else None.
    """

    ok: bool
    device: str | None
    outputs: tuple[tuple[str, tuple[int, ...]], ...]
    problem: str | None
    line: int | None
    text: str | None
    notes: tuple[str, ...]
    error: str | None = None


# What an exception says when this stand-in, and not the student, is at its limit.
_OUR_LIMITS = (
    "not compiled with cuda",
    "not linked with support for cuda",
    "nvidia driver",
    "no cuda gpus",
    "privateuse1",
    f"'{NAME}' backend",
    f"for {NAME}",
)


def verdict(run: Run, out: Any, error: BaseException | None) -> FakeRun:
    """Put into words what a run has seen."""
    problem, line, name = None, None, None
    notes = list(run.notes)
    tensors = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
    elsewhere = [x for x in tensors if not on_fake(x)]
    if run.problem is not None:
        problem, line = run.problem
    elif error is not None:
        line, name = run.line_of(error.__traceback__), type(error).__name__
        said = said_by(error)
        if "numpy() is not supported for tensor subclasses" in str(error):
            problem, name = TO_NUMPY.format(".numpy()"), None
        elif any(limit in str(error).lower() for limit in _OUR_LIMITS):
            notes.append(fit(f"not checked, the stand-in stops here: {said}"))
        else:
            problem = fit(f"on the GPU it raised {said}")
    elif elsewhere and run.moved:
        line = next((n for x in elsewhere if (n := getattr(x, "_made_on_line", None))), None)
        problem = RESULT_ON_CPU if line is None else MADE_ON_CPU
    raised = error is not None
    device = tensors[0].device.type if tensors and not raised else None
    if elsewhere and not raised:
        device = elsewhere[0].device.type
    shapes = ((str(x.dtype).removeprefix("torch."), tuple(x.shape)) for x in tensors)
    return FakeRun(
        ok=problem is None and not raised,
        device=device,
        outputs=() if raised else tuple(shapes),
        problem=problem,
        line=line,
        text=(linecache.getline(run.source, line).strip() or None) if line else None,
        notes=tuple(notes),
        error=name,
    )
