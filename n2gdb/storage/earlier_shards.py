"""Shards of earlier versions, read as current ones: missing columns are filled in, or unknown.

Before units had sides and sources they were positive sides of MLP neurons. Before there were records all
examples were top ones, all scores of the test half of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from n2gdb.core.units import MLP, POSITIVE, unit_key
from n2gdb.storage import schema

__all__ = ["as_present", "mlp_sources"]


def mlp_sources(model: Mapping[str, Any], sides: str = POSITIVE) -> pa.Table:
    """Return a row for the MLP of every layer of a model: ``schema.SOURCES``; ``model`` is its row."""
    rows = [
        {
            "layer": layer,
            "number": 0,
            "name": MLP,
            "kind": MLP,
            "site": model["site"].format(layer=layer),
            "width": model["d_mlp"],
            "sides": sides,
            "architecture": model["activation_function"],
            "origin": "",
            "revision": "",
            "fingerprint": model["model_fingerprint"],
        }
        for layer in range(model["n_layers"])
    ]
    return pa.Table.from_pylist(rows, schema.SOURCES)


def as_present(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Return a shard's table as ``wanted``, where it may be from before there were some of the columns."""
    count = len(table)
    known = {name: table[name] for name in table.column_names}
    if "unit" not in known:
        layer, index = table["layer"].to_numpy(), table["index"].to_numpy()
        known["unit"] = pa.array(unit_key(0, layer, index))
    if table.column_names == wanted.names:
        return table
    for field in wanted:
        if field.name not in known:
            value = _BEFORE.get(field.name)
            known[field.name] = pa.repeat(pa.scalar(value, field.type), count)
    return pa.table({name: known[name] for name in wanted.names}).cast(wanted)


#: What the columns say that earlier shards had not; null where nothing is said here.
_BEFORE = {"source": MLP, "kind": MLP, "side": POSITIVE, "text": "test", "band": "top"}
