"""Outcomes and timings as text, tables and files; nothing here is computed.

``llm_math_tests.report.load("reports/...")`` gives a run's timings as a pandas frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    import pandas as pd


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The timings of a run as a pandas frame, one row for each thing that was to be timed.

    Args:
        path: The run's folder (``reports/2026-01-31_12-00-00``) or its ``timings.csv``.
            Of a folder that holds runs, the latest.

    Returns:
        A frame with the columns of :data:`llm_math_tests.report.frame.COLUMNS`. What was
        not measured is NaN in the columns of numbers; ``reason`` says why, and is empty
        for a row that was timed. What the run was made on is in
        ``frame.attrs["environment"]``.

    Raises:
        FileNotFoundError: There is no run there.
    """
    from llm_math_tests.report.frame import read

    return read(path)
