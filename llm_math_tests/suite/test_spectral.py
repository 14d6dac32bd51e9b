"""Topic 10, spectral: the directions in which data varies and matrices act.

Write your answers in student/spectral/, then: pytest -k spectral
"""

import pytest


@pytest.mark.exercise("covariance")
def test_covariance(answer, promise):
    """How the columns of a table vary together."""
    promise(answer)


@pytest.mark.exercise("pca")
def test_pca(answer, promise):
    """The directions along which data varies most."""
    promise(answer)


@pytest.mark.exercise("pca_project")
def test_pca_project(answer, promise):
    """Rows become coordinates along the components."""
    promise(answer)


@pytest.mark.exercise("pca_reconstruct")
def test_pca_reconstruct(answer, promise):
    """Coordinates become rows again; what was left out is lost."""
    promise(answer)


@pytest.mark.exercise("explained_variance_ratio")
def test_explained_variance_ratio(answer, promise):
    """Which share of the variance each component explains."""
    promise(answer)


@pytest.mark.exercise("low_rank_approximation")
def test_low_rank_approximation(answer, promise):
    """The closest matrix of a given rank."""
    promise(answer)


@pytest.mark.exercise("power_iteration")
def test_power_iteration(answer, promise):
    """The dominant eigenvalue, by multiplying again and again."""
    promise(answer)


@pytest.mark.exercise("effective_rank")
def test_effective_rank(answer, promise):
    """How many dimensions a matrix really uses."""
    promise(answer)
