"""Learn, check and time the mathematics of language models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_math_tests.notebook import check

__all__ = ["__version__", "check"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # The plugin imports this package in every run of pytest: nothing may be loaded with it.
    if name == "check":
        from llm_math_tests.notebook import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
