"""n2gdb: every neuron of a language model as a searchable graph of token patterns."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from n2gdb.version import __version__

if TYPE_CHECKING:
    from n2gdb.answer import Answer
    from n2gdb.builder import (
        QueryBuilder,
        TokenQueryBuilder,
        activating_on,
        any_token,
        field,
        firing_on,
        kind,
        matching,
        mentioning,
        neurons,
        one_of,
        patterns,
        regex,
        similar_to,
        subset_of,
        superset_of,
        tok,
        tokens_activating,
        tokens_in_context_of,
        var,
    )
    from n2gdb.counting import GroupCount
    from n2gdb.database import Database
    from n2gdb.database import open_database as open
    from n2gdb.errors import N2gdbError
    from n2gdb.fired_tokens import FiredNeuron, FiredToken
    from n2gdb.graph import NeuronGraph, Pattern, Step
    from n2gdb.hits import Evidence, Hit
    from n2gdb.neuron import NeuronName
    from n2gdb.path import PathStep
    from n2gdb.pattern_hits import PatternHit
    from n2gdb.pictures.reading import Reading, ReadToken
    from n2gdb.session import Stage
    from n2gdb.similar_neurons import NeuronPair, SimilarNeuron
    from n2gdb.stored_neuron import Example, Neuron, NeuronPattern
    from n2gdb.token_hits import TokenHit
    from n2gdb.tokenizer import Tokenizer

__all__ = [
    "Answer",
    "Database",
    "Evidence",
    "Example",
    "FiredNeuron",
    "FiredToken",
    "GroupCount",
    "Hit",
    "N2gdbError",
    "Neuron",
    "NeuronGraph",
    "NeuronName",
    "NeuronPair",
    "NeuronPattern",
    "PathStep",
    "Pattern",
    "PatternHit",
    "QueryBuilder",
    "ReadToken",
    "Reading",
    "SimilarNeuron",
    "Stage",
    "Step",
    "TokenHit",
    "TokenQueryBuilder",
    "Tokenizer",
    "__version__",
    "activating_on",
    "any_token",
    "field",
    "firing_on",
    "kind",
    "matching",
    "mentioning",
    "neurons",
    "one_of",
    "open",
    "patterns",
    "patterns_of",
    "regex",
    "similar_to",
    "subset_of",
    "superset_of",
    "tok",
    "tokens_activating",
    "tokens_in_context_of",
    "var",
]

# A name is imported when first used: numpy alone takes longer than a query.
_HOMES = {
    "n2gdb.answer": ("Answer",),
    "n2gdb.builder": (
        "QueryBuilder",
        "TokenQueryBuilder",
        "activating_on",
        "any_token",
        "field",
        "firing_on",
        "kind",
        "matching",
        "mentioning",
        "neurons",
        "one_of",
        "patterns",
        "patterns_of",
        "regex",
        "similar_to",
        "subset_of",
        "superset_of",
        "tok",
        "tokens_activating",
        "tokens_in_context_of",
        "var",
    ),
    "n2gdb.counting": ("GroupCount",),
    "n2gdb.database": ("Database",),
    "n2gdb.errors": ("N2gdbError",),
    "n2gdb.fired_tokens": ("FiredNeuron", "FiredToken"),
    "n2gdb.graph": ("NeuronGraph", "Pattern", "Step"),
    "n2gdb.hits": ("Evidence", "Hit"),
    "n2gdb.neuron": ("NeuronName",),
    "n2gdb.path": ("PathStep",),
    "n2gdb.pattern_hits": ("PatternHit",),
    "n2gdb.pictures.reading": ("ReadToken", "Reading"),
    "n2gdb.session": ("Stage",),
    "n2gdb.similar_neurons": ("NeuronPair", "SimilarNeuron"),
    "n2gdb.stored_neuron": ("Example", "Neuron", "NeuronPattern"),
    "n2gdb.token_hits": ("TokenHit",),
    "n2gdb.tokenizer": ("Tokenizer",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # else every misspelt name would pass for one of these

    def __getattr__(name: str) -> object:
        if name == "open":
            home, attribute = "n2gdb.database", "open_database"
        elif name in _HOME_OF:
            home, attribute = _HOME_OF[name], name
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = getattr(import_module(home), attribute)
        return globals()[name]


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
