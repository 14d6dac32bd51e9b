"""Topic 10, spectral: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("covariance")
def bench_covariance(timing):
    """Time covariance: one pass to centre, one matrix product."""
    timing()


@pytest.mark.exercise("pca")
def bench_pca(timing):
    """Time pca: many rows, and many columns."""
    timing()


@pytest.mark.exercise("pca_project")
def bench_pca_project(timing):
    """Time pca_project: it reads everything and writes little."""
    timing()


@pytest.mark.exercise("pca_reconstruct")
def bench_pca_reconstruct(timing):
    """Time pca_reconstruct: it reads little and writes everything."""
    timing()


@pytest.mark.exercise("explained_variance_ratio")
def bench_explained_variance_ratio(timing):
    """Time explained_variance_ratio: eigenvalues without eigenvectors."""
    timing()


@pytest.mark.exercise("low_rank_approximation")
def bench_low_rank_approximation(timing):
    """Time low_rank_approximation: a whole SVD for a few of its triples."""
    timing()


@pytest.mark.exercise("power_iteration")
def bench_power_iteration(timing):
    """Time power_iteration: a hundred products, beside the whole decomposition."""
    timing()


@pytest.mark.exercise("effective_rank")
def bench_effective_rank(timing):
    """Time effective_rank: singular values without vectors."""
    timing()
