"""The libraries' own functions, and the best that can be put together, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import library


def _numpy_one_hot(token_ids: Any, vocab_size: int) -> Any:
    import numpy as np

    return (token_ids[..., None] == np.arange(vocab_size)).astype(np.float32)


def _torch_one_hot(token_ids: Any, vocab_size: int) -> Any:
    import torch

    return (token_ids[..., None] == torch.arange(vocab_size, device=token_ids.device)).float()


def _cupy_one_hot(token_ids: Any, vocab_size: int) -> Any:
    import cupy

    return (token_ids[..., None] == cupy.arange(vocab_size)).astype(cupy.float32)


def _checked_rows(table: Any, token_ids: Any) -> Any:
    """Indexing alone would let negative ids count from the end."""
    if token_ids.min() < 0 or token_ids.max() >= len(table):
        raise ValueError("token_ids out of range")
    return table[token_ids]


def _flat(g: Any, token_ids: Any) -> tuple[Any, Any]:
    """Where each number of g goes in a flat table: ufunc.at is fast for one axis only."""
    import numpy as np

    d = g.shape[-1]
    return (token_ids[..., None] * d + np.arange(d)).reshape(-1), g.reshape(-1)


def _numpy_backward(grad_output: Any, token_ids: Any, vocab_size: int) -> Any:
    import numpy as np

    grad = np.zeros((vocab_size, grad_output.shape[-1]), grad_output.dtype)
    np.add.at(grad.reshape(-1), *_flat(grad_output, token_ids))
    return grad


def _scipy_backward(grad_output: Any, token_ids: Any, vocab_size: int) -> Any:
    import numpy as np
    from scipy.sparse import csc_array

    n = token_ids.size
    ones, ends = np.ones(n, grad_output.dtype), np.arange(n + 1)
    picked = csc_array((ones, token_ids.reshape(-1), ends), shape=(vocab_size, n))
    return picked @ grad_output.reshape(n, -1)


def _torch_backward(grad_output: Any, token_ids: Any, vocab_size: int) -> Any:
    import torch

    return torch.ops.aten.embedding_dense_backward(grad_output, token_ids, vocab_size, -1, False)


def _torch_put(grad_output: Any, token_ids: Any, vocab_size: int) -> Any:
    grad = grad_output.new_zeros(vocab_size, grad_output.shape[-1])
    return grad.index_put_((token_ids,), grad_output, accumulate=True)


def _numpy_step(table: Any, grad_output: Any, token_ids: Any, lr: float) -> Any:
    import numpy as np

    out = table.copy()
    np.subtract.at(out.reshape(-1), *_flat(lr * grad_output, token_ids))
    return out


def _torch_step(table: Any, grad_output: Any, token_ids: Any, lr: float) -> Any:
    return table.clone().index_put_((token_ids,), grad_output * -lr, accumulate=True)


ONE_HOT = {
    "torch": library("torch.nn.functional.one_hot", lambda of, ids, v: of(ids, v).float()),
}
ONE_HOT_COMPOSED = {
    "numpy": Yardstick("ids == np.arange", _numpy_one_hot),
    "torch": Yardstick("ids == torch.arange", _torch_one_hot),
    "cupy": Yardstick("ids == cupy.arange", _cupy_one_hot),
}
LOOKUP = {
    "numpy": library("numpy.take", lambda of, table, ids: of(table, ids, axis=0)),
    "torch": library("torch.nn.functional.embedding", lambda of, table, ids: of(ids, table)),
    "cupy": library("cupy.take", lambda of, table, ids: of(table, ids, axis=0)),
}
LOOKUP_COMPOSED = {
    "numpy": Yardstick("table[ids], looked at", _checked_rows),
    "torch": Yardstick("table[ids], looked at", _checked_rows),
    "cupy": Yardstick("table[ids]", lambda table, token_ids: table[token_ids]),
}
BACKWARD = {
    "numpy": Yardstick(
        "scipy.sparse.csc_array @",
        _scipy_backward,
        ahead="one compiled loop, where NumPy needs a call for each repeated token: that shows "
        "while a table is small",
    ),
    "torch": Yardstick("torch.ops.aten.embedding_dense_backward", _torch_backward),
}
BACKWARD_COMPOSED = {
    "numpy": Yardstick("numpy.add.at, flat", _numpy_backward),
    "torch": Yardstick("index_put_, accumulating", _torch_put),
}
STEP_COMPOSED = {
    "numpy": Yardstick("numpy.subtract.at, flat", _numpy_step),
    "torch": Yardstick("index_put_, accumulating", _torch_step),
}
