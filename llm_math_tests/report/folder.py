"""A folder for each run, named by date and time."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path


class Unwritable(Exception):
    """The reports' folder cannot be written; the message says which and why."""


def new_folder(reports: Path, now: datetime | None = None) -> Path:
    """Make ``reports/<date-time>``; a second run in the same second gets a number."""
    stem = (now or datetime.now()).strftime("%Y-%m-%d_%H-%M-%S")
    for number in count(1):
        folder = reports / (stem if number == 1 else f"{stem}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not reports.is_dir():
                raise Unwritable(f"{reports} is not a folder") from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Unwritable(f"{reports} cannot be written ({why})") from None
        else:
            return folder
    raise AssertionError("unreachable")
