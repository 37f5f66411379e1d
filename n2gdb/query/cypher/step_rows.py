"""What the rows of a step are, so that their number can be estimated before it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from n2gdb.grammar.ast import Clause, Condition, Formula
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.token_sets import TokenSet

__all__ = [
    "ComparedRows",
    "Finds",
    "GroupRows",
    "NeuronRows",
    "NodeRows",
    "OwnRows",
    "PatternRows",
    "StatedRows",
]


@dataclass(frozen=True, slots=True)
class NeuronRows:
    """The rows are neurons that meet WHERE and a formula, or one normal form; the first ``limit`` are kept.

    ``is_count`` says that the rows are only counted, ``is_narrowed`` that a list may leave fewer of them.
    """

    settled: Settled
    clauses: Formula[Clause] | None = None
    form: Lowered | None = None
    limit: int | None = None
    is_count: bool = False
    is_narrowed: bool = False


@dataclass(frozen=True, slots=True)
class PatternRows:
    """The rows are patterns that meet ``conditions``, in neurons that meet WHERE.

    They are those of a normal form, or where that is None those that the formula of the query holds of.
    """

    settled: Settled
    form: Lowered | None
    conditions: Sequence[Formula[Condition]] = ()
    limit: int | None = None
    is_narrowed: bool = False


@dataclass(frozen=True, slots=True)
class NodeRows:
    """The rows are nodes of a kind, on ``tokens`` (on any where None), in neurons that meet WHERE.

    ``kind`` is a relationship, or the sign of the logit (``WRITES``) of what neurons write. ``is_whole`` says
    that all such nodes are rows; else there may be fewer.
    """

    settled: Settled
    kind: str
    tokens: Sequence[TokenSet | None] | None
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class GroupRows:
    """The rows are groups of what meets WHERE: by a field of neurons, or by the tokens of a relationship."""

    settled: Settled
    by: str


@dataclass(frozen=True, slots=True)
class OwnRows:
    """The rows are the nodes of a kind of one neuron, or its patterns where ``kind`` is None."""

    neuron: int  # Neuron.id
    kind: str | None


@dataclass(frozen=True, slots=True)
class ComparedRows:
    """The rows are a neuron's nodes or tokens, or neurons that share some of them."""

    neuron: int  # Neuron.id


@dataclass(frozen=True, slots=True)
class StatedRows:
    """The rows are those of a statement that is cheap to count, since it reads few relationships."""

    cypher: str
    parameters: Mapping[str, object]

    @property
    def counting(self) -> str:
        """The statement that counts the neurons, and the rows."""
        return f"{self.cypher.rpartition('RETURN')[0]}RETURN count(DISTINCT n.id), count(*)"


#: What the rows of a step are, so that they can be estimated.
Finds: TypeAlias = NeuronRows | PatternRows | NodeRows | GroupRows | OwnRows | ComparedRows | StatedRows
