"""Topic 6, the Jacobian: all derivatives of a vector function, and what can be had for less.

Write your answers in student/jacobian/, then: pytest -k jacobian
"""

import pytest


@pytest.mark.exercise("numerical_jacobian")
def test_numerical_jacobian(answer, promise):
    """Every derivative by moving each input a little, both ways."""
    promise(answer)


@pytest.mark.exercise("jacobian")
def test_jacobian(answer, promise):
    """Every derivative, to many digits: by autograd, or by refined differences."""
    promise(answer)


@pytest.mark.exercise("jvp")
def test_jvp(answer, promise):
    """How the outputs change along one direction, without the Jacobian."""
    promise(answer)


@pytest.mark.exercise("vjp")
def test_vjp(answer, promise):
    """What a backward pass does to one gradient."""
    promise(answer)


@pytest.mark.exercise("condition_number")
def test_condition_number(answer, promise):
    """How unevenly a matrix stretches."""
    promise(answer)
