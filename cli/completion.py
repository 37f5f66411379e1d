"""Shell completion: the values that TAB offers for arguments and options.

A function offers what a value that was begun may go on to; where it offers nothing, the shell offers files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from n2gdb.query.completion import Rows


__all__ = [
    "AUGMENTING",
    "DEVICES",
    "PRECISIONS",
    "SITES",
    "WEIGHTS",
    "complete_databases",
    "complete_each",
    "complete_ingested",
    "complete_layers",
    "complete_metrics",
    "complete_models",
    "complete_neurons",
    "complete_query",
    "complete_releases",
    "complete_sets",
    "complete_words",
]

#: The values of options of ingest: it loads torch, so they stand here too.
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("float32", "tf32", "bfloat16")
WEIGHTS = ("float32", "bfloat16")
SITES = ("resid_pre", "resid_mid", "resid_post", "attn_z", "attn_out", "mlp_in", "mlp_out")
AUGMENTING = ("model", "embedding", "form", "masked", "none")

Complete = Callable[[str], list[str]]


def complete_words(*words: str) -> Complete:
    """Return a function that offers the words that begin so."""

    return lambda incomplete: _beginning(words, incomplete)


def complete_each(*words: str) -> Complete:
    """Return a function that does the same for the last of several, separated by commas."""

    def complete(incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",")
        named = before.split(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(begun) and word not in named]

    return complete


def complete_neurons(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of neurons that begin so: first the layers, then the neurons of one."""
    from n2gdb.query.completion import neuron_names  # it loads the parser

    return _asked(ctx, lambda rows: neuron_names(rows, incomplete))


def complete_metrics(incomplete: str) -> list[str]:
    """Return the measures of similarity that begin so."""
    from n2gdb.grammar.ast import Metric

    return _beginning((metric.value for metric in Metric), incomplete)


def complete_models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of models that begin so."""
    from n2gdb.query.completion import model_names

    return _asked(ctx, lambda rows: _beginning(model_names(rows), incomplete))


def complete_layers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the layers that have neurons."""
    from n2gdb.query.completion import layers_of

    return _asked(ctx, lambda rows: _beginning(map(str, layers_of(rows)), incomplete))


def complete_query(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return a query whose last word is finished: a keyword, field, class, token, neuron or model."""
    from n2gdb.query.completion import candidates

    def ask(rows: Rows) -> list[str]:
        start, found = candidates(rows, incomplete)
        return [f"{incomplete[:start]}{each.text}" for each in found]

    return _asked(ctx, ask)


def complete_sets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of saved sets that begin so."""
    from n2gdb.errors import StorageError
    from n2gdb.storage.saved_sets import read_sets

    try:
        return _beginning(sorted(read_sets(_database(ctx))), incomplete)
    except StorageError:  # as in ``_asked``
        return []


def complete_databases(incomplete: str) -> list[str]:
    """Return the databases of the folder that is begun; where it has none, the shell offers files."""
    folder, slash, begun = incomplete.rpartition("/")
    try:
        there = sorted(Path(f"{folder}{slash}" or ".").expanduser().glob("*.n2gdb"))
    except OSError:
        return []
    names = [each.name for each in there if each.is_file() and each.name.startswith(begun)]
    return [f"{folder}{slash}{name}" for name in names]


def complete_ingested(incomplete: str) -> list[str]:
    """Return what models can be ingested by a name of their own; the shell offers directories."""
    return _beginning(("demo", *(f"solu-{layers}l" for layers in (1, 2, 3, 4, 6, 8, 10, 12))), incomplete)


def complete_releases(incomplete: str) -> list[str]:
    """Return releases of SAEs and transcoders, as SAELens calls them."""
    from n2gdb.ingest.sources.releases import release_names

    before, equals, begun = incomplete.rpartition("=")
    return [f"{before}{equals}{name}" for name in _beginning(release_names(), begun)]


def _beginning(words: Iterable[str], begun: str) -> list[str]:
    return [word for word in words if word.startswith(begun)]


def _database(ctx: typer.Context) -> Path:
    """Return the database that the command line names so far."""
    from n2gdb.database import default_path

    named = ctx.params.get("db")
    return Path(named) if named else default_path()


def _asked(ctx: typer.Context, ask: Callable[[Rows], list[str]]) -> list[str]:
    """Ask the database that the command line names so far; offer nothing if it cannot be read."""
    from n2gdb.errors import N2gdbError
    from n2gdb.storage.connection import Connection

    try:
        with Connection.open(_database(ctx)) as connection:
            return ask(connection.rows)
    except N2gdbError:  # the command itself will say it; a message here would stand in the prompt
        return []
