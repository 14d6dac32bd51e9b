"""The rules of a CUDA device, applied to everything that one run does."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from llm_math_tests.tracks.fake_device.frames import called_by_torch, same_path
from llm_math_tests.tracks.fake_device.operations import (
    among,
    backward_of,
    is_mask,
    is_sized,
    plain_operation,
    same_objects,
    written_arguments,
)
from llm_math_tests.tracks.fake_device.sentences import (
    BY_NAME,
    LEFT,
    MADE_ON_CPU,
    MIXED,
    NUMPY_NAMES,
    READ_NAMES,
    READS,
    TO_NUMPY,
)
from llm_math_tests.tracks.fake_device.tensor import (
    NAME,
    RUNS,
    GpuTensor,
    detached_host,
    follow_inside,
    host_of,
    layout_of,
    on_cpu,
    on_fake,
    wrap,
)

if TYPE_CHECKING:
    from llm_math_tests.tracks.fake_device.modes import Functions

_PRINT_NAMES = {"__repr__", "__str__", "__format__"}
_ENGINE_NAMES = {"backward", "grad"}

# Operations that take no CPU number among GPU tensors (most do, a kernel argument).
_NO_CPU_NUMBERS = {
    "addmm", "addmv", "baddbmm", "bmm", "cat", "dot", "embedding", "gather", "index_add",
    "index_copy", "index_select", "mm", "mv", "scatter", "scatter_add", "scatter_reduce",
    "stack", "take", "take_along_dim", "vdot",
}  # fmt: skip
_INDEXING = {"index", "index_put", "_index_put_impl", "_unsafe_index", "_unsafe_index_put"}
_READ_OPERATIONS = {"_local_scalar_dense", "equal", "allclose", "is_nonzero"}


class LeftDeviceError(RuntimeError):
    """Stops the function at its first mistake; the run has noted which."""


class Run:
    """One run of one function: the rules, and what was seen."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problem: tuple[str, int | None] | None = None
        self.notes: dict[str, None] = {}  # a set that keeps the order
        self.trusted = 0  # depth of calls into functions that were arguments
        self.trusted_memory: dict[int, object] = {}
        self.calling: list[str] = []  # names of the torch functions under way
        self.moved = False  # something was put on the fake device
        self.leaves: list[GpuTensor] = []
        self.in_backward = False

    # Where and what -------------------------------------------------------------------

    def is_source(self, filename: str) -> bool:
        """Whether a file is the student's."""
        return filename == self.source or (
            os.path.basename(filename) == os.path.basename(self.source)
            and same_path(filename, self.source)
        )

    def line_now(self) -> int | None:
        """The student's line under way in this thread (autograd has its own)."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if self.is_source(frame.f_code.co_filename):
                return frame.f_lineno
            frame = frame.f_back
        return None

    def line_of(self, trace: TracebackType | None) -> int | None:
        """The student's line in a traceback, the innermost one."""
        line = None
        while trace is not None:
            if self.is_source(trace.tb_frame.f_code.co_filename):
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def stop(self, problem: str, line: int | None = None) -> None:
        """End the function at its mistake."""
        if self.problem is None:  # the first one: a student may catch it and go on
            self.problem = (problem, line or self.line_now())
        raise LeftDeviceError(problem)

    def note(self, text: str) -> None:
        """Keep what works on a GPU and is worth knowing."""
        line = self.line_now()
        if line is not None:
            text = f"{text} (line {line})"
        elif self.in_backward:
            return  # the backward of something that its forward has noted
        self.notes[text] = None

    # Torch functions, as the student calls them ---------------------------------------

    def function(self, mode: Functions, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Apply the rules to a torch function, then call it."""
        name = getattr(func, "__name__", "")
        if self.trusted:
            if name in NUMPY_NAMES or name in _PRINT_NAMES or name == "tolist":
                args = tree_map(detached_host, args)
            return func(*args, **kwargs)
        if name == "__get__":
            if getattr(func, "__self__", None) is torch.Tensor.is_cuda and on_fake(args[0]):
                return True
            return func(*args, **kwargs)
        args, kwargs = self.without_cuda(name, args, kwargs)
        if name == "cuda" and on_fake(args[0]):
            self.note(BY_NAME)
            return args[0].to(args[0].device)
        if any(map(on_fake, args)):
            if name in READ_NAMES and called_by_torch():
                self.note("a value that torch itself reads synchronizes")
            elif name in READ_NAMES:
                self.stop(READS.format(READ_NAMES[name]))
            if name in NUMPY_NAMES:
                self.stop(TO_NUMPY.format(NUMPY_NAMES[name]))
            if name in _PRINT_NAMES:
                self.note("printing a GPU tensor synchronizes")
                return func(*tree_map(detached_host, args), **kwargs)
        self.calling.append(name)
        try:
            if func is torch.Tensor.backward:
                # With the mode on again: the student's own backward runs in there.
                with mode:
                    return backward_of(*args, **kwargs)
            return func(*args, **kwargs)
        finally:
            self.calling.pop()

    def without_cuda(self, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Read ``"cuda"`` as the fake device: on a computer with a GPU it works."""

        def named(x: object, text: bool) -> bool:
            if isinstance(x, torch.device):
                return x.type == "cuda"
            return text and isinstance(x, str) and x.split(":")[0] == "cuda"

        def swap(x: Any, text: bool) -> Any:
            if named(x, text):
                self.note(BY_NAME)
                return torch.device(NAME, 0)
            return x

        args = tuple(swap(x, name == "to") for x in args)
        return args, {k: swap(v, k == "device") for k, v in kwargs.items()}

    # Operations, as torch carries them out --------------------------------------------

    def operation(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply the rules to an operation, then carry it out on the CPU."""
        if not isinstance(func, torch._ops.OpOverload):
            return func(*args, **kwargs)
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        fakes = [x for x in tensors if isinstance(x, GpuTensor)]
        others = [x for x in tensors if not isinstance(x, GpuTensor)]
        device = kwargs.get("device")
        device = None if device is None else torch.device(device).type
        operation = func._schema.name.split("::")[1].rstrip("_")
        written = written_arguments(func, args, kwargs)

        if self.trusted:
            # Autograd keeps these and mixes them again in backward, where we are not.
            for x in others if fakes else ():
                self.trusted_memory[x.untyped_storage()._cdata] = x.untyped_storage()
        else:
            foreign = [x for x in others if not self.is_trusted(x)] if fakes else []
            self.check_leaving(operation, args, fakes, device)
            self.check_mixing(operation, args, foreign, written)
            self.remark(func, operation, args, kwargs, fakes, others, device)

        host_args, host_kwargs = tree_map(host_of, (args, kwargs))
        if device == NAME:
            host_kwargs["device"] = torch.device("cpu")
        out = plain_operation(func)(*host_args, **host_kwargs)

        for x in written:
            if isinstance(x, GpuTensor) and layout_of(x) != layout_of(x.host):
                follow_inside(x)
        to_fake = device == NAME or (bool(fakes) and device is None)
        if to_fake:
            self.moved = True
            out = tree_map(lambda x: wrap(x) if on_cpu(x) else x, out)
        elif not self.trusted:
            made = not others or bool(fakes) or operation == "lift_fresh"  # torch.tensor
            self.remember_where(out, others, made)
        return same_objects(func, args, kwargs, out)

    def is_trusted(self, x: torch.Tensor) -> bool:
        """Whether a tensor's memory came from a function that was an argument."""
        return x.untyped_storage()._cdata in self.trusted_memory

    def remember_where(self, out: Any, inputs: list[torch.Tensor], made: bool) -> None:
        """Keep with each CPU tensor the line that made it: that line is to mend."""
        known = (getattr(x, "_made_on_line", None) for x in inputs)
        line = self.line_now() if made else next((n for n in known if n is not None), None)
        if line is not None:
            for x in tree_leaves(out):
                if on_cpu(x) and getattr(x, "_made_on_line", None) is None:
                    x._made_on_line = line

    def check_leaving(
        self, operation: str, args: Any, fakes: list[GpuTensor], device: str | None
    ) -> None:
        """Stop where values go to the host."""
        if not fakes:
            return
        if operation == "_to_copy" and device not in (None, NAME):
            name = self.calling[-1] if self.calling else "to"
            self.stop(LEFT.format(f".{name}()"))
        if operation == "copy" and not isinstance(args[0], GpuTensor):
            self.stop(LEFT.format("writing to a CPU tensor"))
        if operation in _READ_OPERATIONS:
            # Seen here, not by name: either inside a torch function, a note; or in a
            # student's backward, called by the engine, where torch hides the names.
            if not self.calling or self.calling[-1] in _ENGINE_NAMES:
                if self.line_now() is not None:
                    self.stop(READS.format("a tensor as a number"))
            elif self.calling[-1] in ("__getitem__", "__setitem__"):
                self.note("an index or slice bound that is a GPU tensor synchronizes")
            else:
                self.note(f"torch.{self.calling[-1]} reads GPU values and synchronizes")

    def check_mixing(
        self,
        operation: str,
        args: Any,
        foreign: list[torch.Tensor],
        written: list[Any],
    ) -> None:
        """Stop where CUDA would say: expected all tensors to be on the same device."""
        if operation in ("copy", "_to_copy", "_copy_from", "_foreach_copy"):
            return  # a transfer is what they are for
        for x in foreign:
            if operation in _INDEXING and x is not args[0] and among(x, args[1]):
                self.note("a CPU index is copied to the GPU")
                continue
            number = x.dim() == 0 and operation not in _NO_CPU_NUMBERS
            if number and not any(x is y for y in written):
                continue
            self.stop_mixing(x)

    def stop_mixing(self, x: torch.Tensor) -> None:
        """Say which line made the CPU tensor that meets the GPU."""
        made, here = getattr(x, "_made_on_line", None), self.line_now()
        if made is None:
            self.stop(MIXED)
        elif here is None or made == here:
            self.stop(MADE_ON_CPU, made)
        else:
            self.stop(
                f"made a CPU tensor that meets the GPU on line {here}: pass device=x.device", made
            )

    def remark(
        self,
        func: Any,
        operation: str,
        args: Any,
        kwargs: Any,
        fakes: list[GpuTensor],
        others: list[torch.Tensor],
        device: str | None,
    ) -> None:
        """Note what works on a GPU and costs something there."""
        if not fakes:
            arrived = operation == "_to_copy" and device == NAME and any(x.dim() for x in others)
            if arrived and self.calling[-1:] == ["to"]:  # not torch.tensor(..., device=)
                self.note("copies from the CPU to the GPU; pass device=x.device instead")
            return
        if operation in _INDEXING:
            masks = [x for x in tree_leaves(args[1]) if is_mask(x)]
            # One number written through one mask is a masked_fill, which does not wait.
            if masks and not (operation != "index" and len(args) > 2 and args[2].numel() == 1):
                self.note("a boolean index synchronizes")
        elif torch.Tag.dynamic_output_shape in func.tags and not is_sized(func, kwargs):
            name = self.calling[-1] if self.calling else operation.strip("_")
            if name in ("__getitem__", "__setitem__"):
                self.note("a boolean index synchronizes")
            else:
                self.note(f"torch.{name} synchronizes: its size depends on values")
        elif operation == "copy" and others and any(x.dim() for x in others):
            self.note("copies from the CPU to the GPU")

    @contextlib.contextmanager
    def trust(self) -> Iterator[None]:
        """Within, no rule holds."""
        self.trusted += 1
        try:
            yield
        finally:
            self.trusted -= 1


def _nobody() -> Run:
    run = Run("")
    run.trusted = 1
    return run


RUNS.append(_nobody())
