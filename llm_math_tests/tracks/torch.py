"""The torch track: tensors that share the neutral arrays' memory, and autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from llm_math_tests.answers.door import Fact
from llm_math_tests.answers.values import ARRAY_DTYPES, Bfloat16, Given, Value
from llm_math_tests.tracks import ProvedBy
from llm_math_tests.tracks.given_in_torch import given_in_torch


class _StorageWatch(TorchDispatchMode):  # type: ignore[misc, no-untyped-call, unused-ignore]
    """Counts the bytes of every storage that torch operations make, while it is alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._alive: Any = WeakIdKeyDictionary()
        self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, torch.Tensor):
                self._alive.setdefault(tensor.untyped_storage(), 0)
        out = func(*args, **kwargs)
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._alive.setdefault(storage, storage.nbytes())
        self.peak = max(self.peak, sum(self._alive.values()))
        return out


class TorchTrack:
    """PyTorch on the CPU, and on an accelerator where a check asks for one."""

    name = "torch"
    library = "PyTorch"
    array_type = "torch.Tensor"
    half_dtypes: tuple[str, ...] = ("float16", "bfloat16")
    differentiates = True

    def proved_by(self) -> ProvedBy:
        """Ordinary checks run on the CPU, also where there is a GPU."""
        return "cpu"

    def device(self) -> str | None:
        """The first CUDA device (ROCm builds call theirs so too), if there is one."""
        return "cuda" if torch.cuda.is_available() else None

    @contextmanager
    def loading(self) -> Iterator[None]:
        """PyTorch's usual settings inside, and what was set before afterwards.

        One thread: on small tensors a pool only waits, for seconds on a loaded machine.
        """
        threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
        grad = torch.is_grad_enabled()
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)

    def hand(self, array: Value) -> torch.Tensor:
        """A tensor on the array's own memory, so that a change in place shows there."""
        if isinstance(array, Bfloat16):
            return torch.from_numpy(array.to_bits().view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    def to_device(self, array: Any) -> Any:
        """Copy to the accelerator, where there is one."""
        device = self.device()
        return array if device is None else array.to(device)

    def given(
        self,
        given: Given,
        neutral: Callable[..., tuple[Value, ...]],
        own: Callable[[Value], Any],
    ) -> Callable[..., Any]:
        """A function of the trusted side, on tensors; autograd goes through it."""
        return given_in_torch(given, neutral, own)

    def take(self, obj: Any) -> tuple[Value, Fact] | None:
        """Accept plain tensors and parameters."""
        if type(obj) not in (torch.Tensor, torch.nn.Parameter):
            return None
        dtype = str(obj.dtype).removeprefix("torch.")
        if dtype not in (*ARRAY_DTYPES, "bfloat16") or obj.layout is not torch.strided:
            return None
        if obj.is_nested or obj.is_meta:
            return None  # no rectangle of numbers to take
        fact = Fact(f"torch.{type(obj).__name__}", dtype, obj.device.type, obj.requires_grad)
        host = obj.detach().resolve_neg().cpu()
        if dtype == "bfloat16":
            return Bfloat16.from_bits(host.contiguous().view(torch.int16).numpy()), fact
        return np.array(host.numpy()), fact

    def watched(self, told: Callable[[str], None]) -> AbstractContextManager[None]:
        """The fake accelerator sees this itself."""
        return nullcontext()

    def vjp(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any],
        cotangents: tuple[Value, ...],
    ) -> tuple[Any, tuple[Any, ...]]:  # fmt: skip
        """Autograd through the answer's own forward; None where nothing is connected."""
        args, kwargs = list(args), dict(kwargs)
        leaves = []
        places: list[tuple[Any, Any]] = []
        tops: tuple[tuple[Any, Any], ...] = (
            *((args, i) for i in range(len(args))),
            *((kwargs, name) for name in kwargs),
        )
        for holder, key in tops:
            if isinstance(holder[key], dict):
                holder[key] = dict(holder[key])
                places += [(holder[key], name) for name in holder[key]]
            else:
                places.append((holder, key))
        for holder, key in places:
            given = holder[key]
            if isinstance(given, torch.Tensor) and given.is_floating_point():
                holder[key] = given.detach().requires_grad_()
                leaves.append(holder[key])
        with torch.enable_grad():
            result = function(*args, **kwargs)
        outputs = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        pairs = [
            (output, self.hand(cotangent).to(output.dtype).to(output.device))
            for output, cotangent in zip(outputs, cotangents, strict=False)
            if output.requires_grad and tuple(output.shape) == np.shape(_numbers(cotangent))
        ]
        if not pairs:
            return result, tuple(None for _ in leaves)
        grads = torch.autograd.grad(
            [output for output, _ in pairs],
            leaves,
            [cotangent for _, cotangent in pairs],
            allow_unused=True,
        )
        return result, tuple(grads)

    @contextmanager
    def peak_memory(self) -> Iterator[Callable[[], int]]:
        """Storages made by torch operations (tracemalloc does not see them)."""
        with _StorageWatch() as watch:
            yield lambda: watch.peak


def _numbers(value: Value) -> Any:
    return value.values if isinstance(value, Bfloat16) else value


TRACK = TorchTrack()
