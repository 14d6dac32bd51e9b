"""The tensor that claims to live on the fake accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llm_math_tests.tracks.fake_device.operations import aten

if TYPE_CHECKING:
    from llm_math_tests.tracks.fake_device.rules import Run

NAME = "fake"  # the device type a student's code sees; must not be "cpu"

RUNS: list[Run] = []  # the last is under way; the first serves tensors that outlive theirs


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
        return RUNS[-1].operation(func, args, kwargs or {})


def wrap(host: torch.Tensor) -> GpuTensor:
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


def host_of(x: Any) -> Any:
    """The CPU tensor inside, or what is none of ours as it is."""
    return x.host if isinstance(x, GpuTensor) else x


def detached_host(x: Any) -> Any:
    """The CPU tensor inside, without its history."""
    return x.host.detach() if isinstance(x, GpuTensor) else x


def on_fake(x: object) -> bool:
    """Whether it is a tensor on the fake accelerator."""
    return isinstance(x, torch.Tensor) and x.device.type == NAME


def on_cpu(x: object) -> bool:
    """Whether it is a tensor on the CPU."""
    return isinstance(x, torch.Tensor) and x.device.type == "cpu"


def copy_to_fake(x: torch.Tensor) -> GpuTensor:
    """Same values and strides in memory of its own, so that the caller's is safe."""
    x = x.detach()
    twin = torch.empty(0, dtype=x.dtype)
    memory: Any = x.untyped_storage()
    twin.set_(memory.clone(), x.storage_offset(), x.size(), x.stride())
    return wrap(twin)


def layout_of(x: torch.Tensor) -> tuple[object, object, object]:
    """Sizes, strides and offset."""
    return tuple(x.size()), tuple(x.stride()), x.storage_offset()


def follow_inside(x: GpuTensor) -> None:
    """After unsqueeze_, t_ and their kind: give the outside the shape of the inside."""
    host = x.host
    with torch._C._DisableTorchDispatch():
        aten.as_strided_.default(x, host.size(), host.stride(), host.storage_offset())
