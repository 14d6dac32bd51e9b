"""What the chapter claims about cost, measured on this machine."""

import pytest


@pytest.mark.claim("backward_costs_twice_forward")
def bench_backward_costs_twice_forward(claim):
    """A layer's backward pass has twice the matrix products of its forward pass."""
    claim()


@pytest.mark.claim("checkpointing_trades_time_for_memory")
def bench_checkpointing_trades_time_for_memory(claim):
    """Computing activations again instead of keeping them."""
    claim()


@pytest.mark.claim("flash_memory_grows_with_n")
def bench_flash_memory_grows_with_n(claim):
    """Attention with and without its matrix of scores."""
    claim()


@pytest.mark.claim("sparse_update_beats_dense")
def bench_sparse_update_beats_dense(claim):
    """Updating the rows of a batch, or the whole embedding table."""
    claim()
