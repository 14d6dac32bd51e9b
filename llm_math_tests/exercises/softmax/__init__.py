"""Topic 1, softmax: from scores to probabilities, without overflowing on the way."""

from llm_math_tests.exercises.softmax import softmax

EXERCISES = (softmax.EXERCISE,)
