"""Topic 10, spectral: the directions in which data varies and matrices act."""

from llm_math_tests.exercises.spectral import (
    covariance,
    effective_rank,
    explained_variance_ratio,
    low_rank_approximation,
    pca,
    pca_project,
    pca_reconstruct,
    power_iteration,
)

EXERCISES = (
    covariance.EXERCISE,
    pca.EXERCISE,
    pca_project.EXERCISE,
    pca_reconstruct.EXERCISE,
    explained_variance_ratio.EXERCISE,
    low_rank_approximation.EXERCISE,
    power_iteration.EXERCISE,
    effective_rank.EXERCISE,
)
