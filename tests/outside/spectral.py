"""Topic 10, spectral: scikit-learn, SciPy and torch beside our truths."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.outside import Outside


def _pointing(vectors: np.ndarray) -> np.ndarray:
    """Each row with its largest number positive: a sign that both sides can agree on."""
    largest = np.abs(vectors).argmax(axis=-1)[..., None]
    return vectors * np.sign(np.take_along_axis(vectors, largest, axis=-1))


def _covariance(x: np.ndarray) -> np.ndarray:
    from sklearn.covariance import empirical_covariance

    return empirical_covariance(x - x.mean(axis=0), assume_centered=True) * len(x) / (len(x) - 1)


def _pca(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.decomposition import PCA

    fitted = PCA(n_components=k, svd_solver="full").fit(x)
    return _pointing(fitted.components_), fitted.explained_variance_


def _project(x: np.ndarray, components: np.ndarray) -> np.ndarray:
    from sklearn.preprocessing import StandardScaler

    leading = x.shape[:-2]
    components = np.broadcast_to(components, (*leading, *components.shape[-2:]))
    out = np.zeros((*x.shape[:-1], components.shape[-2]))
    for index in np.ndindex(leading):
        centred = StandardScaler(with_std=False).fit_transform(x[index])
        out[index] = np.tensordot(centred, components[index], axes=(1, 1))
    return out


def _reconstruct(z: np.ndarray, components: np.ndarray, mean: np.ndarray) -> Any:
    import torch

    z, components, mean = (torch.from_numpy(np.array(one)) for one in (z, components, mean))
    if z.ndim == 2:
        return torch.addmm(mean, z, components).numpy()
    components = components.expand(*z.shape[:-2], *components.shape[-2:])
    return torch.baddbmm(mean.expand(len(z), -1)[:, None], z, components).numpy()


def _ratio(x: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA

    return PCA(svd_solver="full").fit(x).explained_variance_ratio_


def _low_rank(w: np.ndarray, rank: int) -> np.ndarray:
    from scipy.linalg import svd

    out = np.zeros(w.shape)
    for index in np.ndindex(w.shape[:-2]):
        u, sigma, vt = svd(w[index], full_matrices=False, lapack_driver="gesvd")
        out[index] = (u[:, :rank] * sigma[:rank]) @ vt[:rank]
    return out


def _dominant(a: np.ndarray, start: np.ndarray, steps: int = 100) -> tuple[Any, np.ndarray]:
    from scipy.linalg import eigh

    values, vectors = eigh(a, driver="evr")
    i = np.abs(values).argmax()
    return values[i], _pointing(vectors[:, i])


def _effective_rank(w: np.ndarray) -> np.ndarray:
    from scipy.linalg import svdvals
    from scipy.stats import entropy

    out = np.zeros(w.shape[:-2])
    for index in np.ndindex(out.shape):
        sigma = svdvals(w[index])
        out[index] = np.exp(entropy(sigma)) if sigma[0] > 0 else 0
    return out


def _wide_table(rng: np.random.Generator) -> dict[str, Any]:
    return {"x": rng.normal(1, 2, (6, 30))}


def _tall_table(rng: np.random.Generator) -> dict[str, Any]:
    return {"x": rng.normal(-3, 2, (400, 5)) * np.array([1, 2, 3, 4, 5])}


ROWS: tuple[Outside, ...] = (
    Outside(
        "covariance",
        "sklearn.covariance.empirical_covariance",
        _covariance,
        more=(_wide_table, _tall_table),
    ),
    Outside(
        "pca",
        "sklearn.decomposition.PCA",
        _pca,
        more=(
            lambda rng: {**_tall_table(rng), "k": 5},
            lambda rng: {**_wide_table(rng), "k": 4},
        ),
    ),
    Outside(
        "pca_project",
        "sklearn.preprocessing.StandardScaler, then a tensor product",
        _project,
    ),
    Outside("pca_reconstruct", "torch.addmm and torch.baddbmm", _reconstruct),
    Outside(
        "explained_variance_ratio",
        "sklearn.decomposition.PCA",
        _ratio,
        more=(_tall_table, _wide_table),
    ),
    Outside(
        "low_rank_approximation",
        "scipy.linalg.svd (gesvd)",
        _low_rank,
        more=(lambda rng: {"w": rng.normal(0, 1, (12, 20)), "rank": 5},),
    ),
    Outside("power_iteration", "scipy.linalg.eigh (evr)", _dominant),
    Outside(
        "effective_rank",
        "scipy.linalg.svdvals and scipy.stats.entropy",
        _effective_rank,
        more=(lambda rng: {"w": rng.normal(0, 1, (30, 12))},),
    ),
)
