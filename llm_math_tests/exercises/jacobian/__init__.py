"""Topic 6, the Jacobian: all derivatives of a vector function, and what can be had for less."""

from llm_math_tests.exercises.jacobian import (
    condition_number,
    jacobian,
    jvp,
    numerical_jacobian,
    vjp,
)

EXERCISES = (
    numerical_jacobian.EXERCISE,
    jacobian.EXERCISE,
    jvp.EXERCISE,
    vjp.EXERCISE,
    condition_number.EXERCISE,
)
