"""Reads shards written before units had sides and sources: every unit is the + side of an MLP neuron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from n2gdb.core.units import MLP, POSITIVE, unit_key
from n2gdb.storage import schema

__all__ = ["mlp_sources", "with_units"]


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


def with_units(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Return a shard's table as ``wanted``, where it may be from before units had sides and sources.

    Its neurons are positive sides then.
    """
    if "unit" in table.column_names:
        return table
    layer, index = table["layer"].to_numpy(), table["index"].to_numpy()
    count = len(table)
    known = {name: table[name] for name in table.column_names} | {
        "unit": pa.array(unit_key(0, layer, index)),
        "source": pa.repeat(pa.scalar(MLP), count),
        "kind": pa.repeat(pa.scalar(MLP), count),
        "side": pa.repeat(pa.scalar(POSITIVE), count),
        "density": pa.nulls(count, pa.float32()),
    }
    return pa.table({name: known[name] for name in wanted.names}).cast(wanted)
