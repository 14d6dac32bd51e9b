"""Learn, check and time the mathematics of language models."""

__version__ = "0.1.0"
