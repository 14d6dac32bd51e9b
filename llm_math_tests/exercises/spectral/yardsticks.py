"""The libraries' own functions and their best compositions, timed beside the answers."""

from __future__ import annotations

from typing import Any

from llm_math_tests.exercise import Yardstick
from llm_math_tests.exercises.benches import ahead, library


def _fitted(pca_class: Any, x: Any, k: int) -> Any:
    # For wide data it would choose random projections, which are only roughly right.
    fitted = pca_class(n_components=k, svd_solver="full").fit(x)
    return fitted.components_, fitted.explained_variance_


def _torch_pca(function: Any, x: Any, k: int) -> Any:
    # More columns than asked and several passes: with fewer it is only roughly right.
    _, sigma, v = function(x, q=min(k + 6, *x.shape), niter=4)
    return v[:, :k].mT, sigma[:k] ** 2 / (x.shape[0] - 1)


def _numpy_pca(x: Any, k: int) -> Any:
    import numpy as np

    n, d = x.shape
    rows = x - x.mean(axis=0)
    # Without it the squares of 1e-30 would be 0 in float32: the contract asks for the directions.
    top = np.abs(rows).max()
    rows /= top
    if n < d:
        # Several times faster than svd, and as accurate as the contract asks: n eps lambda_1.
        values, u = np.linalg.eigh(rows @ rows.T)
        components = np.linalg.qr(rows.T @ u[:, : -k - 1 : -1])[0].T
        return components, values[: -k - 1 : -1] / (n - 1) * top * top
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return vectors[:, : -k - 1 : -1].T, values[: -k - 1 : -1] / (n - 1) * top * top


def _torch_pca_primitives(x: Any, k: int) -> Any:
    import torch

    n, d = x.shape
    rows = x - x.mean(dim=0)
    top = rows.abs().amax()
    rows = rows / top
    if n < d:
        values, u = torch.linalg.eigh(rows @ rows.mT)
        components = torch.linalg.qr(rows.mT @ u.flip(1)[:, :k])[0].mT
        return components, values.flip(0)[:k] / (n - 1) * top * top
    values, vectors = torch.linalg.eigh(rows.mT @ rows)
    return vectors.flip(1)[:, :k].mT, values.flip(0)[:k] / (n - 1) * top * top


def _cut(svd: Any, w: Any, rank: int) -> Any:
    u, sigma, vt = svd(w, full_matrices=False)
    return (u[..., :rank] * sigma[..., None, :rank]) @ vt[..., :rank, :]


COVARIANCE = {
    "numpy": library("numpy.cov", lambda cov, x: cov(x, rowvar=False, dtype=x.dtype)),
    "torch": library("torch.cov", lambda cov, x: cov(x.T)),
    "cupy": library("cupy.cov", lambda cov, x: cov(x, rowvar=False)),
}
PCA = {
    "numpy": library("sklearn.decomposition.PCA", _fitted),
    "torch": ahead(
        library("torch.pca_lowrank", _torch_pca),
        "it looks for k directions only, by random projections",
    ),
}
PCA_COMPOSED = {
    "numpy": Yardstick("numpy.linalg.eigh (and qr), composed", _numpy_pca),
    "torch": Yardstick("torch.linalg.eigh (and qr), composed", _torch_pca_primitives),
}
LOW_RANK_COMPOSED = {
    "numpy": library("numpy.linalg.svd", _cut),
    "torch": library("torch.linalg.svd", _cut),
    "cupy": library("cupy.linalg.svd", _cut),
}
EXPLAINED_VARIANCE_RATIO = {
    "numpy": library(
        "sklearn.decomposition.PCA",
        lambda pca_class, x: pca_class().fit(x).explained_variance_ratio_,
    ),
}
DOMINANT = {
    "numpy": library("numpy.linalg.eigh", lambda eigh, a, start, steps=100: eigh(a)),
    "torch": ahead(
        library("torch.linalg.eigh", lambda eigh, a, start, steps=100: eigh(a)),
        "one call, where a hundred products are a hundred: that shows on small matrices",
    ),
    "cupy": library("cupy.linalg.eigh", lambda eigh, a, start, steps=100: eigh(a)),
}
