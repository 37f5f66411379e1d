"""n2gdb: every neuron of a language model as a searchable graph of token patterns.

    import n2gdb
    from n2gdb import neurons, tok

    with n2gdb.open("neurons.n2gdb") as db:
        for hit in db.query(neurons().matching(tok("the").before(...)).limit(5)):
            print(hit.neuron, hit.f1, hit.path)

In the examples of the docstrings the names of this module are imported, ``db`` is an open database and
``neuron`` is ``db.neuron("L4N358")``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from n2gdb.errors import (
    ArgumentError,
    CorpusError,
    DatabaseError,
    DatabaseFormatError,
    DatabaseLockedError,
    DatabaseNotFoundError,
    FigureError,
    IngestError,
    MissingDependencyError,
    ModelError,
    N2gdbError,
    QueryCancelledError,
    QueryError,
    QuerySyntaxError,
    QueryTimeoutError,
    RebuildError,
    SelectionError,
    StorageError,
    UnknownNameError,
    UsageError,
)
from n2gdb.version import __version__

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph, Pattern, Step
    from n2gdb.core.paths import PathStep
    from n2gdb.core.readings import Example, NeuronExamples, ReadToken
    from n2gdb.core.tokenizer import Tokenizer
    from n2gdb.core.units import NeuronName
    from n2gdb.database import Database
    from n2gdb.database import open_database as open
    from n2gdb.evidence.influences import WeighedToken
    from n2gdb.evidence.quality import Quality
    from n2gdb.evidence.weights import UnitEvidence
    from n2gdb.neuron import Neuron
    from n2gdb.neuron_parts import NeuronPattern, NeuronToken
    from n2gdb.prediction.fired_tokens import FiredNeuron, FiredToken
    from n2gdb.prediction.reading import Reading
    from n2gdb.query.answer import Answer
    from n2gdb.query.builder.queries import (
        CountQuery,
        NeuronQuery,
        PatternQuery,
        QueryBuilder,
        StageQuery,
        TokenQueryBuilder,
        TokenSetBuilder,
        TokenStageQuery,
        activating_on,
        all_of,
        any_token,
        excited_by,
        field,
        firing_on,
        inhibited_by,
        kind,
        like,
        matching,
        mentioning,
        neurons,
        one_of,
        other_than,
        patterns,
        patterns_of,
        promoting,
        regex,
        showing,
        similar_to,
        subset_of,
        superset_of,
        suppressing,
        tok,
        tokens_activating,
        tokens_in_context_of,
        tokens_of,
        var,
    )
    from n2gdb.query.execution.context import Stage
    from n2gdb.query.execution.counts import GroupCount
    from n2gdb.query.execution.hits import Evidence, Hit
    from n2gdb.query.execution.patterns import PatternHit
    from n2gdb.query.execution.tokens import TokenHit
    from n2gdb.similarity.neurons import NeuronPair, SimilarNeuron
    from n2gdb.storage.read.bulk import TokenMatrix
    from n2gdb.storage.read.catalog import Inventory, ModelInfo
    from n2gdb.storage.read.effects import WrittenToken
    from n2gdb.storage.read.records import ActivationHistogram
    from n2gdb.storage.read.scores import LayerScores

__all__ = [
    "ActivationHistogram",
    "Answer",
    "ArgumentError",
    "CorpusError",
    "CountQuery",
    "Database",
    "DatabaseError",
    "DatabaseFormatError",
    "DatabaseLockedError",
    "DatabaseNotFoundError",
    "Evidence",
    "Example",
    "FigureError",
    "FiredNeuron",
    "FiredToken",
    "GroupCount",
    "Hit",
    "IngestError",
    "Inventory",
    "LayerScores",
    "MissingDependencyError",
    "ModelError",
    "ModelInfo",
    "N2gdbError",
    "Neuron",
    "NeuronExamples",
    "NeuronGraph",
    "NeuronName",
    "NeuronPair",
    "NeuronPattern",
    "NeuronQuery",
    "NeuronToken",
    "PathStep",
    "Pattern",
    "PatternHit",
    "PatternQuery",
    "Quality",
    "QueryBuilder",
    "QueryCancelledError",
    "QueryError",
    "QuerySyntaxError",
    "QueryTimeoutError",
    "ReadToken",
    "Reading",
    "RebuildError",
    "SelectionError",
    "SimilarNeuron",
    "Stage",
    "StageQuery",
    "Step",
    "StorageError",
    "TokenHit",
    "TokenMatrix",
    "TokenQueryBuilder",
    "TokenSetBuilder",
    "TokenStageQuery",
    "Tokenizer",
    "UnitEvidence",
    "UnknownNameError",
    "UsageError",
    "WeighedToken",
    "WrittenToken",
    "__version__",
    "activating_on",
    "all_of",
    "any_token",
    "excited_by",
    "field",
    "firing_on",
    "inhibited_by",
    "kind",
    "like",
    "matching",
    "mentioning",
    "neurons",
    "one_of",
    "open",
    "other_than",
    "patterns",
    "patterns_of",
    "promoting",
    "regex",
    "showing",
    "similar_to",
    "subset_of",
    "superset_of",
    "suppressing",
    "tok",
    "tokens_activating",
    "tokens_in_context_of",
    "tokens_of",
    "var",
]

# A name is imported when first used: loading numpy takes longer than a query. All names that are not here are
# of the query builder.
_HOMES = {
    "n2gdb.query.answer": ("Answer",),
    "n2gdb.query.execution.counts": ("GroupCount",),
    "n2gdb.database": ("Database",),
    "n2gdb.prediction.fired_tokens": ("FiredNeuron", "FiredToken"),
    "n2gdb.core.graph": ("NeuronGraph", "Pattern", "Step"),
    "n2gdb.query.execution.hits": ("Evidence", "Hit"),
    "n2gdb.core.units": ("NeuronName",),
    "n2gdb.core.paths": ("PathStep",),
    "n2gdb.query.execution.patterns": ("PatternHit",),
    "n2gdb.prediction.reading": ("Reading",),
    "n2gdb.query.execution.context": ("Stage",),
    "n2gdb.similarity.neurons": ("NeuronPair", "SimilarNeuron"),
    "n2gdb.evidence.influences": ("WeighedToken",),
    "n2gdb.evidence.quality": ("Quality",),
    "n2gdb.core.readings": ("Example", "NeuronExamples", "ReadToken"),
    "n2gdb.evidence.weights": ("UnitEvidence",),
    "n2gdb.storage.read.records": ("ActivationHistogram",),
    "n2gdb.neuron": ("Neuron",),
    "n2gdb.neuron_parts": ("NeuronPattern", "NeuronToken"),
    "n2gdb.storage.read.bulk": ("TokenMatrix",),
    "n2gdb.storage.read.catalog": ("Inventory", "ModelInfo"),
    "n2gdb.storage.read.effects": ("WrittenToken",),
    "n2gdb.storage.read.scores": ("LayerScores",),
    "n2gdb.query.execution.tokens": ("TokenHit",),
    "n2gdb.core.tokenizer": ("Tokenizer",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # else every misspelt name would pass for one of these

    def __getattr__(name: str) -> object:
        if name == "open":
            home, attribute = "n2gdb.database", "open_database"
        elif name in __all__:
            home, attribute = _HOME_OF.get(name, "n2gdb.query.builder.queries"), name
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = getattr(import_module(home), attribute)
        return globals()[name]


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
