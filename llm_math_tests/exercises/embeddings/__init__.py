"""Topic 5, embeddings: from token ids to rows of a table, and the gradient back to them."""

from llm_math_tests.exercises.embeddings import (
    embedding_backward,
    embedding_lookup,
    embedding_sgd_step,
    one_hot,
)

EXERCISES = (
    one_hot.EXERCISE,
    embedding_lookup.EXERCISE,
    embedding_backward.EXERCISE,
    embedding_sgd_step.EXERCISE,
)
