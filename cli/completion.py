"""What the user's shell offers after TAB where a name of the database is due."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

__all__ = ["complete_models", "complete_neurons", "neuron_names"]

_MOST = 100
_BEGUN = re.compile(r"L(?P<layer>\d+)N(?P<index>\d*)", re.IGNORECASE)

Rows = Callable[[str, dict[str, object]], list[tuple[Any, ...]]]


def complete_neurons(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of neurons that begin so: first the layers, then the neurons of one."""
    return _asked(ctx, lambda rows: neuron_names(rows, incomplete))


def complete_models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of models that begin so."""
    return _asked(ctx, lambda rows: [name for name in _model_names(rows) if name.startswith(incomplete)])


def neuron_names(rows: Rows, begun: str) -> list[str]:
    """Return what the name of a neuron may go on to, ``L3N`` or ``L3N45``: a hundred at most.

    ``rows`` runs a statement with its parameters.
    """
    found = _BEGUN.fullmatch(begun)
    if found is None:
        layers = rows("MATCH (n:Neuron) RETURN DISTINCT n.layer ORDER BY n.layer", {})
        names = [f"L{layer}N" for (layer,) in layers if f"l{layer}n".startswith(begun.lower())]
        if len(names) == 1:  # alone, a shell would take it for the whole name
            return neuron_names(rows, names[0])
    else:
        indices = rows(
            "MATCH (n:Neuron) WHERE n.layer = $layer AND starts_with(CAST(n.`index`, 'STRING'), $begun)"
            f" RETURN DISTINCT n.`index` ORDER BY n.`index` LIMIT {_MOST}",
            {"layer": int(found["layer"]), "begun": found["index"]},
        )
        names = [f"L{found['layer']}N{index}" for (index,) in indices]
    return [begun + name[len(begun) :] for name in names if name.lower().startswith(begun.lower())]


def _model_names(rows: Rows) -> list[str]:
    return [name for (name,) in rows("MATCH (m:Model) RETURN m.name ORDER BY m.name", {})]


def _asked(ctx: typer.Context, ask: Callable[[Rows], list[str]]) -> list[str]:
    """Ask the database that the command line names so far; offer nothing where it cannot be read."""
    from n2gdb.database import default_path
    from n2gdb.errors import N2gdbError
    from n2gdb.store import Connection

    named = ctx.params.get("db")
    try:
        with Connection.open(Path(named) if named else default_path()) as connection:
            return ask(connection.rows)
    except N2gdbError:  # the command itself will say it; a message here would stand in the prompt
        return []
