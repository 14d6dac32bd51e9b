"""The course's tests: what `pytest` runs on your answers, one file a topic."""
