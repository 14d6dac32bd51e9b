"""The private part: what torch must be told so that there is a device called ``fake``."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch

from llm_math_tests.tracks.fake_device.operations import aten
from llm_math_tests.tracks.fake_device.tensor import NAME, RUNS, host_of, wrap


@functools.cache
def register() -> None:
    """Tell torch that a device called ``fake`` exists. Once a process, for good.

    Everything private is here: ``_setup_privateuseone_for_python_backend`` (torch
    2.10 on; names the device, and gives autograd's engine a device guard, without
    which backward aborts) and ``torch._C._acc``, on which it stands.
    ``_set_only_lift_cpu_tensors`` is what FakeTensorMode uses so that
    ``torch.tensor(..., device=...)`` reaches Python; see `lifting`.
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
def lifting() -> Iterator[None]:
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
        return wrap(torch.empty_strided(size, stride, dtype=dtype, device="cpu"))

    def empty(size: list[int], dtype: torch.dtype | None = None, **_: object) -> torch.Tensor:
        return wrap(torch.empty(size, dtype=dtype, device="cpu"))

    def copy_from(source: Any, target: Any, non_blocking: bool = False) -> torch.Tensor:
        host_of(target).copy_(host_of(source))
        return target  # type: ignore[no-any-return]

    def read(x: Any) -> Any:
        return RUNS[-1].operation(aten._local_scalar_dense.default, (x,), {})

    # Autocast has nothing registered for a private device and would stop every call.
    everything: Any = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")  # type: ignore[no-untyped-call]
    everything.fallback(torch.library.fallthrough_kernel)
    _KEPT.append(everything)

    library.impl("empty_strided", empty_strided)
    library.impl("empty.memory_format", empty)
    library.impl("_copy_from", copy_from)
    library.impl("_local_scalar_dense", read)


_KEPT: list[Any] = []
