"""Cross-entropy and its gradients, by torch's own losses in float64 and by its autograd."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.outside import Outside


def _loss(logits: Any, targets: Any, **how: Any) -> tuple[Any, Any]:
    """The logits as the leaf of a graph, and torch's own loss of all tokens."""
    import torch

    leaf = torch.tensor(logits, requires_grad=True)
    flat = torch.from_numpy(targets.astype(np.int64)).reshape(-1)
    rows = leaf.reshape(targets.size, logits.shape[-1])
    return leaf, torch.nn.functional.cross_entropy(rows, flat, **how)


def _cross_entropy(logits: Any, targets: Any, ignore_index: int = -100) -> Any:
    return _loss(logits, targets, ignore_index=ignore_index)[1].detach().numpy()


def _backward(logits: Any, targets: Any, ignore_index: int = -100) -> Any:
    import torch

    leaf, loss = _loss(logits, targets, ignore_index=ignore_index)
    return torch.autograd.grad(loss, leaf)[0].numpy()


def _smoothed(logits: Any, targets: Any, smoothing: float = 0.1) -> Any:
    return _loss(logits, targets, label_smoothing=smoothing)[1].detach().numpy()


def _perplexity(logits: Any, targets: Any) -> Any:
    return _loss(logits, targets)[1].exp().detach().numpy()


def _mse_backward(logits: Any, targets: Any) -> Any:
    import torch

    leaf = torch.tensor(logits, requires_grad=True)
    hot = torch.nn.functional.one_hot(torch.from_numpy(targets.astype(np.int64)), logits.shape[-1])
    loss = torch.nn.functional.mse_loss(torch.softmax(leaf, -1), hot.double())
    return torch.autograd.grad(loss, leaf)[0].numpy()


def _none_kept(rng: np.random.Generator) -> dict[str, Any]:
    return {"logits": rng.normal(0, 1, (2, 3)), "targets": np.array([-100, -100])}


def _no_tokens(rng: np.random.Generator) -> dict[str, Any]:
    return {"logits": np.zeros((0, 3)), "targets": np.zeros(0, np.int64)}


_LOSS = "torch.nn.functional.cross_entropy"

ROWS: tuple[Outside, ...] = (
    Outside("cross_entropy", _LOSS, _cross_entropy, more=(_none_kept, _no_tokens)),
    Outside("cross_entropy_backward", f"torch.autograd of {_LOSS}", _backward),
    Outside("label_smoothing_cross_entropy", _LOSS, _smoothed),
    Outside("perplexity", f"exp of {_LOSS}", _perplexity),
    Outside("mse_backward", "torch.autograd of mse_loss of softmax", _mse_backward),
)
