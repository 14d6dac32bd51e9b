"""The search for the simplest inputs that still fail, by Hypothesis's shrinker.

Hypothesis is used from the middle on: the failing inputs are known, so nothing has to be
generated. They are laid into a database in memory, and ``hypothesis.find`` starts from
them. Its own generate phase would cost a hundred calls of the answer before the shrinker
begins, and would read the whole checkout for constants on the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from llm_math_tests.diagnosis.smallest.simpler import Chosen


@dataclass(frozen=True)
class Budget:
    """How long one failure may be looked at, whichever ends first."""

    tries: int = 150
    seconds: float = 0.25


_HYPOTHESIS = 0.001
"""Seconds that Hypothesis takes for one try; its import is once, and on nobody's budget."""


class _Enough(BaseException):
    """Ends the search from inside; no ``Exception``, which Hypothesis would take for a failure."""


def simplest(
    starts: tuple[Chosen, ...],
    as_it_was: Chosen,
    fails: Callable[[Chosen], bool],
    budget: Budget,
) -> Chosen:
    """The simplest choices found for which ``fails`` holds; it does for ``as_it_was``."""
    left = budget.seconds
    known: dict[Chosen, bool] = {as_it_was: True}

    def tried(chosen: Chosen) -> bool:
        nonlocal left
        if chosen not in known:
            if len(known) > budget.tries or left <= 0:
                raise _Enough
            started = time.perf_counter()
            known[chosen] = fails(chosen)
            left -= time.perf_counter() - started + _HYPOTHESIS
        return known[chosen]

    try:
        start = next((chosen for chosen in starts if tried(chosen)), as_it_was)
        if any(start):
            _shrink(start, tried)
    except _Enough:
        pass
    # Hypothesis's order: the first part counts most.
    return min(chosen for chosen, failed in known.items() if failed)


def _shrink(start: Chosen, fails: Callable[[Chosen], bool]) -> None:
    from hypothesis import HealthCheck, Phase, Verbosity, find, settings
    from hypothesis import strategies as st
    from hypothesis.database import InMemoryExampleDatabase

    database = InMemoryExampleDatabase()
    usual = settings(
        database=database,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        max_examples=1,
    )

    def found(strategy: st.SearchStrategy[Chosen], holds: Callable[[Chosen], bool],
              *phases: Phase) -> None:  # fmt: skip
        find(strategy, holds, settings=settings(usual, phases=phases), database_key=b"smallest")

    above = [i for i, n in enumerate(start) if n]

    def whole(some: Chosen) -> Chosen:
        chosen = dict(zip(above, some, strict=True))
        return tuple(chosen.get(i, 0) for i in range(len(start)))

    # The simplest tuple of numbers that are at least the start's is the start. One number too
    # many makes it another example than those searched next: an exact one counts as shrunk.
    laid = st.tuples(*(st.integers(start[i], start[i] + 1) for i in above), st.integers(0, 1))
    found(laid, lambda chosen: True, Phase.generate)
    searched = st.tuples(*(st.integers(0, start[i]) for i in above)).map(whole)
    found(searched, fails, Phase.reuse, Phase.shrink)
