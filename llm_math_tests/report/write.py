"""All files of a run's report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from llm_math_tests.report import html, markdown


def report(folder: Path, table: pd.DataFrame, environment: dict[str, Any]) -> Path:
    """Write the four files into the folder; the path of the page that people open."""
    # Line endings and digits are fixed, so that a file reads the same everywhere.
    table.to_csv(folder / "timings.csv", index=False, lineterminator="\n", float_format="%.9g")
    text = json.dumps(environment, indent=1, ensure_ascii=False)
    _write(folder / "environment.json", text + "\n")
    _write(folder / "summary.md", markdown.summary(table, environment))
    page = folder / "report.html"
    _write(page, html.page(table, environment))
    return page


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
