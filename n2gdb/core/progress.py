"""Progress callbacks of an ingest's stages."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Report", "silent"]

#: Called with a stage's name, how much of it is done, and how much there is (None: unknown).
Report = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
