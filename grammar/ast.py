"""Syntax tree: frozen nodes that compare equal when they mean the same.

A position in the source never counts in a comparison, so a test writes the tree it expects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from n2gdb.grammar.clauses import (
    DEFAULT_METRIC,
    LEAST_SIMILARITY,
    Clause,
    ContainedIn,
    Contains,
    Effect,
    FiringOn,
    Influence,
    Influenced,
    Listed,
    Matching,
    Mentioning,
    Metric,
    Predictor,
    Showing,
    SimilarTo,
    Writing,
    WrittenVariable,
)
from n2gdb.grammar.conditions import (
    Absolute,
    Arithmetic,
    Between,
    Comparison,
    Computed,
    Condition,
    Expression,
    FieldValue,
    InList,
    Missing,
    Number,
    Operator,
)
from n2gdb.grammar.patterns import (
    START,
    AllOf,
    AnyToken,
    LikeVariable,
    Link,
    Negated,
    NeuronRef,
    OneOf,
    OtherVariable,
    Position,
    Run,
    Step,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    TokensOf,
    TokenTest,
    Variable,
)
from n2gdb.grammar.records import dataclass

__all__ = [
    "DEFAULT_METRIC",
    "LEAST_SIMILARITY",
    "Absolute",
    "AllOf",
    "And",
    "AnyToken",
    "Arithmetic",
    "Between",
    "Clause",
    "Comparison",
    "Computed",
    "Condition",
    "ContainedIn",
    "Contains",
    "Count",
    "Effect",
    "Expression",
    "FieldValue",
    "FiringOn",
    "Formula",
    "GroupBy",
    "Grouping",
    "InList",
    "Influence",
    "Influenced",
    "Key",
    "LikeVariable",
    "Link",
    "Listed",
    "Matching",
    "Measure",
    "Mentioning",
    "Metric",
    "Missing",
    "Mode",
    "Negated",
    "NeuronRef",
    "Not",
    "Number",
    "OneOf",
    "Operator",
    "Or",
    "OtherVariable",
    "Position",
    "Predictor",
    "Query",
    "RankBy",
    "Role",
    "Run",
    "Showing",
    "SimilarTo",
    "Statement",
    "Statistic",
    "Step",
    "Subject",
    "TokenClass",
    "TokenExpression",
    "TokenKind",
    "TokenLiteral",
    "TokenPattern",
    "TokenQuery",
    "TokenSetQuery",
    "TokenTerm",
    "TokenTest",
    "TokensOf",
    "Variable",
    "Writing",
    "WrittenVariable",
    "signed",
]

Leaf = TypeVar("Leaf")


@dataclass(frozen=True, slots=True)
class And(Generic[Leaf]):
    """All of two or more operands."""

    operands: tuple[Formula[Leaf], ...]


@dataclass(frozen=True, slots=True)
class Or(Generic[Leaf]):
    """Any of two or more operands."""

    operands: tuple[Formula[Leaf], ...]


@dataclass(frozen=True, slots=True)
class Not(Generic[Leaf]):
    """The opposite of its operand."""

    operand: Formula[Leaf]


#: A truth over leaves: clauses on one side of WHERE, conditions on the other.
Formula: TypeAlias = Leaf | And[Leaf] | Or[Leaf] | Not[Leaf]


def signed(formula: Formula[Leaf] | None, positive: bool = True) -> Iterator[tuple[Leaf, bool]]:
    """Yield each leaf, and whether it stands under an even number of NOTs."""
    match formula:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from signed(operand, positive)
        case Not(operand):
            yield from signed(operand, not positive)
        case None:
            return
        case _:
            yield formula, positive


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the order; nulls come last either way."""

    field: str
    descending: bool = False
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class RankBy:
    """``RANK BY SIMILARITY TO``: the most similar first; in place of an order."""

    neuron: NeuronRef
    metric: Metric = DEFAULT_METRIC
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


class Subject(Enum):
    """What the rows of an answer are; the value is the word that the query starts with."""

    NEURONS = "neurons"
    LATENTS = "latents"
    UNITS = "units"
    PATTERNS = "patterns"


class Mode(Enum):
    """Whether to answer, to show how one would, or to do both with times."""

    ANSWER = ""
    EXPLAIN = "EXPLAIN"
    PROFILE = "PROFILE"


class Grouping(Enum):
    """What a count is grouped by; the value is the word after BY."""

    MODEL = "model"
    LAYER = "layer"
    STATE = "state"
    ACTIVATING = "activating"
    CONTEXT = "context"


class Statistic(Enum):
    """What is said of a field's values in a group; the value is the word that the query starts with."""

    AVG = "AVG"
    MIN = "MIN"
    MAX = "MAX"
    MEDIAN = "MEDIAN"
    SUM = "SUM"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """One of several groups: the model or a field of the neuron, in steps of ``width`` where it has one."""

    name: str
    width: int | float | None = None
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Measure:
    """``AVG f1 OF``: a statistic of the values that a field has."""

    statistic: Statistic
    field: str
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Count:
    """``COUNT``: how many there are, in all or in each group.

    ``by`` is one group that is no histogram; any others are ``groups``. With ``measure``, a statistic of a
    field stands in place of the number.
    """

    by: Grouping | None = None
    groups: tuple[GroupBy, ...] = ()
    measure: Measure | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Neurons, or their patterns, with what they match, what holds of them, and which are returned."""

    clauses: Formula[Clause] | None = None
    where: Formula[Condition] | None = None
    order: tuple[Key, ...] = ()
    limit: int | None = None
    offset: int | None = None
    subject: Subject = Subject.NEURONS
    model: str | None = None
    rank: RankBy | None = None
    count: Count | None = None
    returns: tuple[str, ...] = ()
    mode: Mode = Mode.ANSWER
    owners: Subject | None = None  # of patterns: all those of the units that the rest finds
    sample: int | None = None  # so many of the rows, drawn by the seed
    seed: int = 0
    units_at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)
    model_at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)
    source: str = dataclasses.field(default="", compare=False, repr=False, kw_only=True)
    """The text that positions are places of; empty where it was built without one."""


class Role(Enum):
    """A token's part in a neuron's patterns; the value is how a query says it."""

    ACTIVATING = "ACTIVATING"
    CONTEXT = "IN CONTEXT OF"


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """``tokens ACTIVATING L3N45``: the tokens that have this role in a neuron's graph, strongest first."""

    role: Role
    neuron: NeuronRef
    limit: int | None = None
    offset: int | None = None
    mode: Mode = Mode.ANSWER
    source: str = dataclasses.field(default="", compare=False, repr=False, kw_only=True)
    """As of a Query."""


@dataclass(frozen=True, slots=True)
class TokenTerm:
    """The tokens that have a role in the graph of any of some units, or, negated, that have it in none."""

    role: Role
    units: Query
    negated: bool = False


@dataclass(frozen=True, slots=True)
class TokenSetQuery:
    """``tokens ACTIVATING neurons ... AND NOT ACTIVATING neurons ...``: the tokens that meet every term."""

    terms: tuple[TokenTerm, ...]
    limit: int | None = None
    offset: int | None = None
    mode: Mode = Mode.ANSWER
    source: str = dataclasses.field(default="", compare=False, repr=False, kw_only=True)
    """As of a Query."""


Statement: TypeAlias = Query | TokenQuery | TokenSetQuery
