"""Topic 1, softmax: from scores to probabilities, without overflowing on the way."""

from llm_math_tests.exercises.softmax import (
    log_softmax,
    logsumexp,
    online_logsumexp,
    softmax,
    softmax_backward,
    softmax_jacobian,
)

EXERCISES = (
    softmax.EXERCISE,
    log_softmax.EXERCISE,
    logsumexp.EXERCISE,
    softmax_backward.EXERCISE,
    softmax_jacobian.EXERCISE,
    online_logsumexp.EXERCISE,
)
