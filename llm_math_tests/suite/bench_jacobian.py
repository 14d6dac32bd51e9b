"""Topic 6, the Jacobian: how long the answers take, beside the libraries' own functions."""

import pytest


@pytest.mark.exercise("condition_number")
def bench_condition_number(timing):
    """Time condition_number: the singular values are all of it."""
    timing()
