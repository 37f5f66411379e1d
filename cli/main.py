"""The `n2gdb` command; a query alone is answered without what reads the options of all commands."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from n2gdb.cli.endings import ended, exit_code

if TYPE_CHECKING:
    from n2gdb.cli.app import app

__all__ = ["app", "exit_code", "run"]


if not TYPE_CHECKING:  # else every misspelt name would pass for it

    def __getattr__(name: str) -> object:
        if name != "app":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from n2gdb.cli.app import app  # it loads typer, which a plain query needs not

        return app


def _open_standard_streams() -> None:
    """Let standard streams that the caller has closed lead nowhere.

    A file that is opened later would take their numbers, and get what is meant for them.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (for good)


def _plain_query(words: Sequence[str]) -> Callable[[], bool] | None:
    """Return what answers a command line that holds a query, and perhaps --db, and nothing else."""
    match words:
        case ["query", text] | ["query", text, "--db", _] | ["query", "--db", _, text]:
            if text.startswith("-"):
                return None
            from n2gdb.cli.asking import ask

            named = [Path(after) for word, after in pairwise(words) if word == "--db"]
            return partial(ask, [text], *named)
    return None


def run() -> None:
    """Run the command line; what the terminal's encoding has no character for is written as an escape."""
    _open_standard_streams()
    # Start-up makes many objects and no garbage: collecting less often saves a tenth of a query's time.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")
    atexit.register(gc.freeze)  # the last collection would look at all that the end frees anyway
    if (query := _plain_query(sys.argv[1:])) is not None:
        sys.exit(ended(query))
    from n2gdb.cli.app import app

    app()
