"""Would this torch function work on a GPU? Asked on a computer that has none.

Every tensor the function receives claims to live on an accelerator called ``fake``
and carries an ordinary CPU tensor inside, which does the arithmetic. Torch's own
Python code, dispatcher and autograd see the claimed device; this package sees every
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

The registration of a backend lasts as long as the process: import this package in a
child process. It imports nothing from the rest of ``llm_math_tests``.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from llm_math_tests.tracks.fake_device.arguments import place
from llm_math_tests.tracks.fake_device.backend import lifting, register
from llm_math_tests.tracks.fake_device.modes import Functions, Operations
from llm_math_tests.tracks.fake_device.rules import Run
from llm_math_tests.tracks.fake_device.sentences import said_by
from llm_math_tests.tracks.fake_device.tensor import RUNS, on_fake
from llm_math_tests.tracks.fake_device.verdict import FakeRun, verdict


@functools.cache
def available() -> str | None:
    """None if this torch can play the accelerator, else the reason. Never raises.

    Registers the device in this process for good.
    """
    try:
        register()
        x = torch.arange(6.0).reshape(2, 3)
        run = fake_run(lambda x: torch.softmax(x, -1)[:, [0]], (x,), {}, source="", backward=True)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"torch {torch.__version__} cannot play a GPU: {said_by(error)}"
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
    register()
    run = Run(source)
    error: BaseException | None = None
    out: Any = None
    RUNS.append(run)
    try:
        memo: dict[int, Any] = {}
        args = place(run, tuple(args), memo, backward)
        kwargs = place(run, dict(kwargs), memo, backward)
        with warnings.catch_warnings(), lifting(), torch.enable_grad():
            warnings.simplefilter("ignore")
            with Functions(run), Operations(run):
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
        RUNS.remove(run)
    return verdict(run, out, error)


def _run_backward(run: Run, out: Any) -> None:
    ends = [x for x in tree_leaves(out) if on_fake(x) and x.requires_grad]
    if not ends:
        if run.leaves:
            run.notes["no output is connected to autograd"] = None
        return
    torch.autograd.backward(ends, [torch.ones_like(x) for x in ends])
