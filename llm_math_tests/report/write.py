"""All files of a run's report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from llm_math_tests.report import html, markdown


def report(
    folder: Path,
    table: pd.DataFrame,
    environment: dict[str, Any],
    claims: Sequence[dict[str, Any]] = (),
    pictures: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write the files into the folder; the path of the page that people open."""
    # Line endings and digits are fixed, so that a file reads the same everywhere.
    table.to_csv(folder / "timings.csv", index=False, lineterminator="\n", float_format="%.9g")
    for name, facts in (("environment", environment), ("claims", claims), ("pictures", pictures)):
        if facts:
            text = json.dumps(facts, indent=1, ensure_ascii=False)
            _write(folder / f"{name}.json", text + "\n")
    _write(folder / "summary.md", markdown.summary(table, environment, claims))
    page = folder / "report.html"
    _write(page, html.page(table, environment, claims, pictures))
    return page


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
