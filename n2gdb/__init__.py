"""n2gdb: every neuron of a language model as a searchable graph of token patterns."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from n2gdb.version import __version__

if TYPE_CHECKING:
    from n2gdb.answer import Answer
    from n2gdb.database import Database
    from n2gdb.database import open_database as open
    from n2gdb.errors import N2gdbError
    from n2gdb.graph import NeuronGraph, Pattern, Step
    from n2gdb.hits import Hit
    from n2gdb.neuron import NeuronName
    from n2gdb.stored_neuron import Example, Neuron

__all__ = [
    "Answer",
    "Database",
    "Example",
    "Hit",
    "N2gdbError",
    "Neuron",
    "NeuronGraph",
    "NeuronName",
    "Pattern",
    "Step",
    "__version__",
    "open",
]

# A name is imported when first used: numpy alone takes longer than a query.
_HOMES = {
    "Answer": ("n2gdb.answer", "Answer"),
    "Database": ("n2gdb.database", "Database"),
    "Example": ("n2gdb.stored_neuron", "Example"),
    "Hit": ("n2gdb.hits", "Hit"),
    "N2gdbError": ("n2gdb.errors", "N2gdbError"),
    "Neuron": ("n2gdb.stored_neuron", "Neuron"),
    "NeuronGraph": ("n2gdb.graph", "NeuronGraph"),
    "NeuronName": ("n2gdb.neuron", "NeuronName"),
    "Pattern": ("n2gdb.graph", "Pattern"),
    "Step": ("n2gdb.graph", "Step"),
    "open": ("n2gdb.database", "open_database"),
}


if not TYPE_CHECKING:  # else every misspelt name would pass for one of these

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _HOMES[name]
        globals()[name] = getattr(import_module(module), attribute)
        return globals()[name]


def __dir__() -> list[str]:
    return sorted(globals().keys() | _HOMES.keys())
