"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DatabaseOption"]

DatabaseOption = Annotated[
    Path | None, typer.Option(envvar="N2GDB_DB", help="Database file.", show_default="neurons.n2gdb")
]
