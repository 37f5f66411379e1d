"""Home directories: expands ``~`` in paths."""

from __future__ import annotations

from pathlib import Path

__all__ = ["at_home"]


def at_home(path: str | Path) -> Path:
    """Return a path with ``~`` as the home that it stands for; as it is where there is no such home.

    >>> at_home("~nobody-of-this-name/x")
    PosixPath('~nobody-of-this-name/x')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user, or one without a home
        return Path(path)
