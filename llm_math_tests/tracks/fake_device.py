"""Would this torch function work on a GPU? Asked on a computer that has none.

Every tensor the function receives claims to live on an accelerator called ``fake``
and carries an ordinary CPU tensor inside, which does the arithmetic. Torch's own
Python code, dispatcher and autograd see the claimed device; this file sees every
operation and applies the rules a CUDA device has: tensors of two devices do not mix
(single numbers may), values are not read on the host, nothing leaves the device.

A tensor that carries its values, and not torch's FakeTensor, because a FakeTensor
cannot run a boolean index or a function that looks at values inside torch
(``one_hot`` without ``num_classes``): both work on a GPU and only synchronize, so
both must run here and leave a note. It also lets a function that was passed as an
argument do what it likes, on the CPU, without being blamed on the student.

What it cannot see: ``x.device.type == "cuda"`` is false here (``x.is_cuda`` is true),
speed, and kernels that only CUDA has or lacks. ``torch.autocast`` changes no dtype;
``torch.Generator(device=x.device)`` and ``torch.cuda`` end as "not checked".

The registration of a backend lasts as long as the process: import this file in a
child process. It imports nothing from the rest of the package.
"""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "fake"  # the device type a student's code sees; must not be "cpu"
WIDTH = 80

aten = torch.ops.aten


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


# The private part ---------------------------------------------------------------------


@functools.cache
def _register() -> None:
    """Tell torch that a device called ``fake`` exists. Once a process, for good.

    Everything private is here: ``_setup_privateuseone_for_python_backend`` (torch
    2.10 on; names the device, and gives autograd's engine a device guard, without
    which backward aborts) and ``torch._C._acc``, on which it stands.
    ``_set_only_lift_cpu_tensors`` is what FakeTensorMode uses so that
    ``torch.tensor(..., device=...)`` reaches Python; see `_lifting`.
    """
    from torch.utils.backend_registration import (
        _DummyBackendModule,
        _setup_privateuseone_for_python_backend,
    )

    class Module(_DummyBackendModule):  # becomes torch.fake
        def get_amp_supported_dtype(self) -> list[torch.dtype]:
            return [torch.float16, torch.bfloat16]  # torch.autocast asks for it

        def synchronize(self, device: object = None) -> None:
            pass

    taken = torch._C._get_privateuse1_backend_name()
    if taken != "privateuseone":
        raise RuntimeError(f"this process has another private backend, {taken!r}")
    _setup_privateuseone_for_python_backend(NAME, Module())
    _serve_calls_below_python()


@contextlib.contextmanager
def _lifting() -> Iterator[None]:
    """Within, ``torch.tensor(..., device="fake")`` passes through Python."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        yield
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


def _serve_calls_below_python() -> None:
    """Answer the few calls that torch makes with Python switched off.

    ``x[[0, 1]]`` and ``torch.tensor([x0, x1])`` build tensors and read numbers in
    C++ with dispatch modes off, so the backend itself must have these kernels.
    """
    library: Any = torch.library.Library("aten", "IMPL", "PrivateUse1")  # type: ignore[no-untyped-call]
    _KEPT.append(library)  # a library that is collected takes its kernels away

    def empty_strided(
        size: list[int], stride: list[int], dtype: torch.dtype | None = None, **_: object
    ) -> torch.Tensor:
        return _wrap(torch.empty_strided(size, stride, dtype=dtype, device="cpu"))

    def empty(size: list[int], dtype: torch.dtype | None = None, **_: object) -> torch.Tensor:
        return _wrap(torch.empty(size, dtype=dtype, device="cpu"))

    def copy_from(source: Any, target: Any, non_blocking: bool = False) -> torch.Tensor:
        _host(target).copy_(_host(source))
        return target  # type: ignore[no-any-return]

    def read(x: Any) -> Any:
        return _RUNS[-1].operation(aten._local_scalar_dense.default, (x,), {})

    # Autocast has nothing registered for a private device and would stop every call.
    everything: Any = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")  # type: ignore[no-untyped-call]
    everything.fallback(torch.library.fallthrough_kernel)
    _KEPT.append(everything)

    library.impl("empty_strided", empty_strided)
    library.impl("empty.memory_format", empty)
    library.impl("_copy_from", copy_from)
    library.impl("_local_scalar_dense", read)


_KEPT: list[Any] = []


# The tensor ---------------------------------------------------------------------------


class GpuTensor(torch.Tensor):
    """A tensor that says it lives on ``fake`` and computes with ``host`` on the CPU."""

    host: torch.Tensor
    # Without this, torch would turn every result into this class by itself.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Serve operations while the mode is off, as it is inside torch's own code."""
        del types
        return _RUNS[-1].operation(func, args, kwargs or {})


def _wrap(host: torch.Tensor) -> GpuTensor:
    """A tensor on the fake accelerator with these values, layout and dtype."""
    out: GpuTensor = torch.Tensor._make_wrapper_subclass(
        GpuTensor,
        host.size(),
        strides=host.stride(),
        storage_offset=host.storage_offset(),  # autograd's in-place-on-view asks for it
        dtype=host.dtype,
        device=torch.device(NAME, 0),
    )
    out.host = host
    return out


def _host(x: Any) -> Any:
    return x.host if isinstance(x, GpuTensor) else x


def _on_fake(x: object) -> bool:
    return isinstance(x, torch.Tensor) and x.device.type == NAME


def _on_cpu(x: object) -> bool:
    return isinstance(x, torch.Tensor) and x.device.type == "cpu"


def _copy_to_fake(x: torch.Tensor) -> GpuTensor:
    """Same values and strides in memory of its own, so that the caller's is safe."""
    x = x.detach()
    twin = torch.empty(0, dtype=x.dtype)
    memory: Any = x.untyped_storage()
    twin.set_(memory.clone(), x.storage_offset(), x.size(), x.stride())
    return _wrap(twin)


# The rules ----------------------------------------------------------------------------

MADE_ON_CPU = "made a tensor on the CPU, the input is on the GPU: pass device=x.device"
MIXED = "mixes a CPU tensor with one on the GPU: make it with device=x.device"
RESULT_ON_CPU = "returned a CPU tensor for a GPU input: stay on x.device"
TO_NUMPY = "called {} on a GPU tensor: NumPy cannot see it, use torch"
READS = "{} reads a value on the host: the GPU stops; use tensors"
LEFT = "left the GPU: {} copies to the host; compute on x.device"

BY_NAME = "asks for 'cuda' by name; x.device works everywhere"

# Names of torch functions by which student code reads values on the host.
_READ_NAMES = {
    "item": ".item()",
    "tolist": ".tolist()",
    "__bool__": "if or bool() of a tensor",
    "__float__": "float() of a tensor",
    "__int__": "int() of a tensor",
    "__index__": "a tensor as a Python int",
    "__complex__": "complex() of a tensor",
    "__contains__": "'in' with a tensor",
    "is_nonzero": "torch.is_nonzero",
    "equal": "torch.equal",
    "allclose": "torch.allclose",
}
_NUMPY_NAMES = {"numpy": ".numpy()", "__array__": "a NumPy function", "__dlpack__": "DLPack"}
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


class _LeftDeviceError(RuntimeError):
    """Stops the function at its first mistake; the run has noted which."""


class _Run:
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
        return filename == self.source or (
            os.path.basename(filename) == os.path.basename(self.source)
            and _same_path(filename, self.source)
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
        line = None
        while trace is not None:
            if self.is_source(trace.tb_frame.f_code.co_filename):
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def stop(self, problem: str, line: int | None = None) -> None:
        if self.problem is None:  # the first one: a student may catch it and go on
            self.problem = (problem, line or self.line_now())
        raise _LeftDeviceError(problem)

    def note(self, text: str) -> None:
        line = self.line_now()
        if line is not None:
            text = f"{text} (line {line})"
        elif self.in_backward:
            return  # the backward of something that its forward has noted
        self.notes[text] = None

    # Torch functions, as the student calls them ---------------------------------------

    def function(self, mode: _Functions, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        name = getattr(func, "__name__", "")
        if self.trusted:
            if name in _NUMPY_NAMES or name in _PRINT_NAMES or name == "tolist":
                args = tree_map(_detached_host, args)
            return func(*args, **kwargs)
        if name == "__get__":
            if getattr(func, "__self__", None) is torch.Tensor.is_cuda and _on_fake(args[0]):
                return True
            return func(*args, **kwargs)
        args, kwargs = self.without_cuda(name, args, kwargs)
        if name == "cuda" and _on_fake(args[0]):
            self.note(BY_NAME)
            return args[0].to(args[0].device)
        if any(map(_on_fake, args)):
            if name in _READ_NAMES and _called_by_torch():
                self.note("a value that torch itself reads synchronizes")
            elif name in _READ_NAMES:
                self.stop(READS.format(_READ_NAMES[name]))
            if name in _NUMPY_NAMES:
                self.stop(TO_NUMPY.format(_NUMPY_NAMES[name]))
            if name in _PRINT_NAMES:
                self.note("printing a GPU tensor synchronizes")
                return func(*tree_map(_detached_host, args), **kwargs)
        self.calling.append(name)
        try:
            if func is torch.Tensor.backward:
                # With the mode on again: the student's own backward runs in there.
                with mode:
                    return _backward(*args, **kwargs)
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
        if not isinstance(func, torch._ops.OpOverload):
            return func(*args, **kwargs)
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        fakes = [x for x in tensors if isinstance(x, GpuTensor)]
        others = [x for x in tensors if not isinstance(x, GpuTensor)]
        device = kwargs.get("device")
        device = None if device is None else torch.device(device).type
        operation = func._schema.name.split("::")[1].rstrip("_")
        written = _written(func, args, kwargs)

        if self.trusted:
            # Autograd keeps these and mixes them again in backward, where we are not.
            for x in others if fakes else ():
                self.trusted_memory[x.untyped_storage()._cdata] = x.untyped_storage()
        else:
            foreign = [x for x in others if not self.is_trusted(x)] if fakes else []
            self.check_leaving(operation, args, fakes, device)
            self.check_mixing(operation, args, foreign, written)
            self.remark(func, operation, args, kwargs, fakes, others, device)

        host_args, host_kwargs = tree_map(_host, (args, kwargs))
        if device == NAME:
            host_kwargs["device"] = torch.device("cpu")
        out = _plain(func)(*host_args, **host_kwargs)

        for x in written:
            if isinstance(x, GpuTensor) and _layout(x) != _layout(x.host):
                _follow(x)
        to_fake = device == NAME or (bool(fakes) and device is None)
        if to_fake:
            self.moved = True
            out = tree_map(lambda x: _wrap(x) if _on_cpu(x) else x, out)
        elif not self.trusted:
            made = not others or bool(fakes) or operation == "lift_fresh"  # torch.tensor
            self.remember_where(out, others, made)
        return _same_objects(func, args, kwargs, out)

    def is_trusted(self, x: torch.Tensor) -> bool:
        return x.untyped_storage()._cdata in self.trusted_memory

    def remember_where(self, out: Any, inputs: list[torch.Tensor], made: bool) -> None:
        """Keep with each CPU tensor the line that made it: that line is to mend."""
        known = (getattr(x, "_made_on_line", None) for x in inputs)
        line = self.line_now() if made else next((n for n in known if n is not None), None)
        if line is not None:
            for x in tree_leaves(out):
                if _on_cpu(x) and getattr(x, "_made_on_line", None) is None:
                    x._made_on_line = line

    def check_leaving(
        self, operation: str, args: Any, fakes: list[GpuTensor], device: str | None
    ) -> None:
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
            if operation in _INDEXING and x is not args[0] and _among(x, args[1]):
                self.note("a CPU index is copied to the GPU")
                continue
            number = x.dim() == 0 and operation not in _NO_CPU_NUMBERS
            if number and not any(x is y for y in written):
                continue
            self.stop_mixing(x)

    def stop_mixing(self, x: torch.Tensor) -> None:
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
            masks = [x for x in tree_leaves(args[1]) if _is_mask(x)]
            # One number written through one mask is a masked_fill, which does not wait.
            if masks and not (operation != "index" and len(args) > 2 and args[2].numel() == 1):
                self.note("a boolean index synchronizes")
        elif torch.Tag.dynamic_output_shape in func.tags and not _sized(func, kwargs):
            name = self.calling[-1] if self.calling else operation.strip("_")
            if name in ("__getitem__", "__setitem__"):
                self.note("a boolean index synchronizes")
            else:
                self.note(f"torch.{name} synchronizes: its size depends on values")
        elif operation == "copy" and others and any(x.dim() for x in others):
            self.note("copies from the CPU to the GPU")

    # Arguments ------------------------------------------------------------------------

    @contextlib.contextmanager
    def trust(self) -> Iterator[None]:
        self.trusted += 1
        try:
            yield
        finally:
            self.trusted -= 1

    def place(self, value: Any, memo: dict[int, Any], backward: bool, key: str = "") -> Any:
        """The same value with its tensors, also those still to come, on the device."""
        place = functools.partial(self.place, memo=memo, backward=backward)
        if isinstance(value, torch.Tensor):
            if id(value) not in memo:
                with self.trust(), torch.no_grad():
                    placed = _copy_to_fake(value)
                if backward and (value.is_floating_point() or value.is_complex()):
                    placed.requires_grad_()
                    self.leaves.append(placed)
                self.moved = True
                memo[id(value)] = (placed, value)  # the value too: its id stays its own
            return memo[id(value)][0]
        if isinstance(value, torch.device) or (key == "device" and isinstance(value, str)):
            self.moved = True
            return torch.device(NAME, 0)
        if isinstance(value, tuple):
            items = [place(x) for x in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, list):
            return [place(x) for x in value]
        if isinstance(value, Mapping):
            return {k: place(v, key=str(k)) for k, v in value.items()}
        if isinstance(value, Iterator):
            return self.place_iterator(value, place)
        if callable(value) and not isinstance(value, (type, torch.Generator)):
            return self.place_function(value, place)
        return value

    def place_iterator(self, values: Iterator[Any], place: Callable[[Any], Any]) -> Iterator[Any]:
        while True:
            with self.trust():
                try:
                    value = next(values)
                except StopIteration:
                    return
            yield place(value)

    def place_function(
        self, function: Callable[..., Any], place: Callable[[Any], Any]
    ) -> Callable[..., Any]:
        """A function given as an argument is ours: no rule holds inside it."""

        def called(*args: Any, **kwargs: Any) -> Any:
            given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
            fakes = [x for x in given if _on_fake(x)]
            for x in given:
                if fakes and _on_cpu(x) and x.dim() and not self.is_trusted(x):
                    self.stop_mixing(x)
            with self.trust():
                out = function(*args, **kwargs)
            if given and not fakes:  # called with CPU tensors: the result is one, too
                self.remember_where(out, given, made=False)
                return out
            return tree_map(lambda x: place(x) if _on_cpu(x) else x, out)

        with contextlib.suppress(AttributeError, TypeError):
            functools.update_wrapper(called, function)
        return called


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, run: _Run) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.run = run

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        del types
        return self.run.operation(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    def __init__(self, run: _Run) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        del types
        return self.run.function(self, func, args, kwargs or {})


def _backward(
    tensor: torch.Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    torch.autograd.backward(tensor, gradient, retain_graph, create_graph, inputs=inputs)


def _detached_host(x: Any) -> Any:
    return x.host.detach() if isinstance(x, GpuTensor) else x


@functools.cache
def _same_path(a: str, b: str) -> bool:
    return os.path.normcase(os.path.abspath(a)) == os.path.normcase(os.path.abspath(b))


def _called_by_torch() -> bool:
    """Whether torch's own Python code asks (a distribution that checks its input)."""
    frame: FrameType | None = sys._getframe(1)
    # Skip this file, and the file of the modes' machinery.
    while frame is not None and frame.f_code.co_filename in (__file__, _OVERRIDES):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(_TORCH + os.sep)


_TORCH = os.path.dirname(torch.__file__)
_OVERRIDES = os.path.join(_TORCH, "overrides.py")


def _among(x: torch.Tensor, items: Any) -> bool:
    return any(x is y for y in tree_leaves(items))


def _is_mask(x: object) -> bool:
    return isinstance(x, torch.Tensor) and x.dtype in (torch.bool, torch.uint8)


def _sized(func: Any, kwargs: Any) -> bool:
    """repeat_interleave with output_size= does not look at values."""
    return "repeat_interleave" in str(func) and kwargs.get("output_size") is not None


def _plain(func: Any) -> Any:
    """The same operation, with a result that is computed and not only marked.

    Torch settles the marks (zero, conjugate, negative) before an operation comes
    here, so a marked tensor inside ours would be read as it is, or crash.
    """
    return {
        aten._efficientzerotensor.default: aten.zeros.default,
        aten._conj.default: aten._conj_physical.default,
        aten._neg_view.default: aten.neg.default,
    }.get(func, func)


def _written(func: Any, args: Any, kwargs: Any) -> list[Any]:
    found: list[Any] = []
    for i, a in enumerate(func._schema.arguments):
        if a.alias_info is not None and a.alias_info.is_write:
            found += tree_leaves(args[i] if i < len(args) else kwargs.get(a.name))
    return found


def _same_objects(func: Any, args: Any, kwargs: Any, out: Any) -> Any:
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


def _layout(x: torch.Tensor) -> tuple[object, object, object]:
    return tuple(x.size()), tuple(x.stride()), x.storage_offset()


def _follow(x: GpuTensor) -> None:
    """After unsqueeze_, t_ and their kind: give the outside the shape of the inside."""
    host = x.host
    with torch._C._DisableTorchDispatch():
        aten.as_strided_.default(x, host.size(), host.stride(), host.storage_offset())


def _nobody() -> _Run:
    run = _Run("")
    run.trusted = 1
    return run


_RUNS = [_nobody()]  # the last is under way; the first serves tensors that outlive theirs


# The two functions that are for others ------------------------------------------------


@functools.cache
def available() -> str | None:
    """None if this torch can play the accelerator, else the reason. Never raises.

    Registers the device in this process for good.
    """
    try:
        _register()
        x = torch.arange(6.0).reshape(2, 3)
        run = fake_run(lambda x: torch.softmax(x, -1)[:, [0]], (x,), {}, source="", backward=True)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"torch {torch.__version__} cannot play a GPU: {_said(error)}"
    if not run.ok:
        why = run.problem or "; ".join(run.notes)
        return f"torch {torch.__version__} cannot play a GPU: {why}"
    return None


def fake_run(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    source: str,
    backward: bool = False,
) -> FakeRun:
    """Call ``function`` with its tensors on the fake accelerator and say what happened.

    Args:
        function: The student's function.
        args: Its arguments: CPU tensors in tuples, lists, dicts and iterators are put
            on the device, functions are called back without any rule inside them, a
            device (or a string called ``device``) becomes the fake one.
        kwargs: Its keyword arguments, likewise.
        source: The student's file, as its code objects name it.
        backward: Let the floating inputs require gradients and run the backward, too.
    """
    _register()
    run = _Run(source)
    error: BaseException | None = None
    out: Any = None
    _RUNS.append(run)
    try:
        memo: dict[int, Any] = {}
        args = run.place(tuple(args), memo, backward)
        kwargs = run.place(dict(kwargs), memo, backward)
        with warnings.catch_warnings(), _lifting(), torch.enable_grad():
            warnings.simplefilter("ignore")
            with _Functions(run), _Operations(run):
                out = function(*args, **kwargs)
                if isinstance(out, Iterator):
                    out = list(out)
                if backward and run.problem is None:
                    run.in_backward = True
                    _run_backward(run, out)
    except KeyboardInterrupt:
        raise
    except BaseException as caught:
        error = caught
    finally:
        _RUNS.remove(run)
    return _verdict(run, out, error)


def _run_backward(run: _Run, out: Any) -> None:
    ends = [x for x in tree_leaves(out) if _on_fake(x) and x.requires_grad]
    if not ends:
        if run.leaves:
            run.notes["no output is connected to autograd"] = None
        return
    torch.autograd.backward(ends, [torch.ones_like(x) for x in ends])


def _verdict(run: _Run, out: Any, error: BaseException | None) -> FakeRun:
    problem, line, name = None, None, None
    notes = list(run.notes)
    tensors = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
    elsewhere = [x for x in tensors if not _on_fake(x)]
    if run.problem is not None:
        problem, line = run.problem
    elif error is not None:
        line, name = run.line_of(error.__traceback__), type(error).__name__
        said = _said(error)
        if "numpy() is not supported for tensor subclasses" in str(error):
            problem, name = TO_NUMPY.format(".numpy()"), None
        elif any(limit in str(error).lower() for limit in _OUR_LIMITS):
            notes.append(_fit(f"not checked, the stand-in stops here: {said}"))
        else:
            problem = _fit(f"on the GPU it raised {said}")
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


def _said(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _fit(text: str) -> str:
    plain = text.encode("ascii", "replace").decode()
    return textwrap.shorten(plain, WIDTH, placeholder=" ...")
