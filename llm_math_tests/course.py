"""Where the course lies: the stubs and references, in a checkout or in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

CHECKOUT = _PACKAGE.parent
"""The folder above the package: the repository's top, in a checkout."""

SUITE = _PACKAGE / "suite"


def folder(name: str) -> Path:
    """The course's own ``reference`` or ``student`` folder.

    A wheel carries them inside the package; in a checkout they stand at the top.
    """
    inside = _PACKAGE / "course" / name
    return inside if inside.is_dir() else CHECKOUT / name
