"""Embeddings, by scikit-learn's encoder and by torch's own layer, optimizer and autograd."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.outside import Outside


def _encoded(token_ids: Any, vocab_size: int) -> Any:
    from sklearn.preprocessing import OneHotEncoder

    if not token_ids.size:
        return np.zeros((*token_ids.shape, vocab_size))  # scikit-learn refuses to encode nothing
    encoder = OneHotEncoder(categories=[np.arange(vocab_size)], sparse_output=False)
    rows = encoder.fit_transform(token_ids.reshape(-1, 1).astype(np.int64))
    return rows.reshape(*token_ids.shape, vocab_size)


def _embedded(table: Any, token_ids: Any) -> Any:
    import torch

    layer = torch.nn.Embedding.from_pretrained(torch.from_numpy(table))
    return layer(torch.from_numpy(token_ids.astype(np.int64))).numpy()


def _differentiated(grad_output: Any, token_ids: Any, vocab_size: int) -> Any:
    import torch

    table = torch.zeros((vocab_size, grad_output.shape[-1]), dtype=torch.float64)
    table.requires_grad_()
    ids = torch.from_numpy(token_ids.astype(np.int64))
    vectors = torch.nn.functional.embedding(ids, table)
    return torch.autograd.grad(vectors, table, torch.from_numpy(grad_output))[0].numpy()


def _stepped(table: Any, grad_output: Any, token_ids: Any, lr: float) -> Any:
    import torch

    layer = torch.nn.Embedding.from_pretrained(
        torch.from_numpy(table.copy()), freeze=False, sparse=True
    )
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    layer(torch.from_numpy(token_ids.astype(np.int64))).backward(torch.from_numpy(grad_output))
    optimizer.step()
    return layer.weight.detach().numpy()


def _zipf(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "grad_output": rng.normal(0, 1, (40, 25, 6)),
        "token_ids": np.minimum(rng.zipf(1.3, (40, 25)), 300) - 1,
        "vocab_size": 300,
    }


def _zipf_step(rng: np.random.Generator) -> dict[str, Any]:
    back = _zipf(rng)
    table = rng.normal(0, 1, (back.pop("vocab_size"), 6))
    return {"table": table, **back, "lr": 0.05}


ROWS: tuple[Outside, ...] = (
    Outside("one_hot", "sklearn.preprocessing.OneHotEncoder", _encoded),
    Outside("embedding_lookup", "torch.nn.Embedding", _embedded),
    Outside(
        "embedding_backward",
        "torch.autograd of torch.nn.functional.embedding",
        _differentiated,
        more=(_zipf,),
    ),
    Outside(
        "embedding_sgd_step",
        "torch.optim.SGD on a sparse torch.nn.Embedding",
        _stepped,
        more=(_zipf_step,),
    ),
)
