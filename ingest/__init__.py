"""Learning graphs from a model: the pipeline from a model and a corpus to a database.

It takes torch and transformer-lens, which the library itself does without: the extra ``n2gdb[ingest]``.
"""

from __future__ import annotations

from importlib.util import find_spec

from n2gdb.errors import MissingDependencyError

__all__: list[str] = []

#: What the extra brings, by the names that are imported.
_NEEDED = {"torch": "torch", "transformer_lens": "transformer-lens", "safetensors": "safetensors"}

_missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
if _missing:
    raise MissingDependencyError(
        f"reading a model needs {', '.join(_missing)}: "
        'pip install "n2gdb[ingest]", or ".[ingest]" in a checkout of n2gdb'
    )
