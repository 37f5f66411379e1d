"""Versions of the code and of the stored format; imports nothing, as every start-up reads it."""

from __future__ import annotations

__all__ = ["SCHEMA_VERSION", "__version__"]

__version__ = "0.1.0"

#: Rises with every change of a table in ``schema.py`` or of the database's own in ``ddl.py``
#: or behind them, see ``mapped_arrays.py``.
SCHEMA_VERSION = 12
