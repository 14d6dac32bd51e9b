"""What a run says of answers that leaned on ours, where an earlier exercise is not started."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from llm_math_tests.wording import WIDTH


def used_ours_lines(records: Iterable[dict[str, Any]]) -> list[str]:
    """``used ours, as yours is not started: log_softmax (in cross_entropy)``; none if none."""
    users: dict[str, dict[str, None]] = {}
    for record in records:
        for name in filter(None, record.get("leaned_on", "").split(", ")):
            users.setdefault(name, {})[record["exercise"]] = None
    if not users:
        return []
    said = "; ".join(f"{name} (in {', '.join(by)})" for name, by in users.items())
    text = f"used ours, as yours is not started: {said}"
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * 6)
