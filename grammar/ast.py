"""Syntax tree: frozen nodes that compare equal when they mean the same.

A position in the source never counts in a comparison, so a test writes the tree it expects.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Generic, TypeAlias, TypeVar

from n2gdb.grammar.conditions import (
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
    AnyToken,
    Link,
    Negated,
    OneOf,
    Position,
    Run,
    Step,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    TokenTest,
    Variable,
)
from n2gdb.grammar.unit_names import UnitText, write_unit

__all__ = [
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
    "Grouping",
    "InList",
    "Influence",
    "Influenced",
    "Key",
    "Link",
    "Matching",
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
    "Position",
    "Predictor",
    "Query",
    "RankBy",
    "Role",
    "Run",
    "SimilarTo",
    "Statement",
    "Step",
    "Subject",
    "TokenClass",
    "TokenExpression",
    "TokenKind",
    "TokenLiteral",
    "TokenPattern",
    "TokenQuery",
    "TokenTest",
    "Variable",
    "Writing",
    "WrittenVariable",
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


@dataclass(frozen=True, slots=True)
class NeuronRef:
    """A unit by its name; ``model`` where the query names it: ``L4N137 OF 'gpt2'``."""

    layer: int
    index: int
    model: str | None = None
    side: str = "+"
    latent: bool = False
    source: str = ""
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)
    model_at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)

    def __str__(self) -> str:
        return write_unit(UnitText(self.layer, self.index, self.side, self.latent, self.source))


class Metric(Enum):
    """How two neuron graphs are compared; the value is the word after USING."""

    GRAPH = "graph"
    TOKENS = "tokens"
    SUBSET = "subset"


class Effect(Enum):
    """Which way a neuron moves a token's logit; the value is the word that a query says it with."""

    PROMOTING = "PROMOTING"
    SUPPRESSING = "SUPPRESSING"


@dataclass(frozen=True, slots=True)
class Writing:
    """The neuron promotes such a token, or suppresses it: it is among its strongest effects on the logits."""

    has_matches: ClassVar[bool] = False

    effect: Effect
    test: TokenTest
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class WrittenVariable:
    """The neuron promotes, or suppresses, the token that a variable of the pattern stands for."""

    effect: Effect
    variable: Variable


class Influence(Enum):
    """Which way a token moves the odds that a neuron fires; the value is what a query says it with."""

    EXCITED = "EXCITED BY"
    INHIBITED = "INHIBITED BY"


@dataclass(frozen=True, slots=True)
class Influenced:
    """By its evidence, the neuron fires sooner, or less soon, where such a token stands.

    ``nearest`` and ``farthest`` are positions back from the activating token, which is 0 back; None is any.
    """

    has_matches: ClassVar[bool] = False

    influence: Influence
    test: TokenTest
    nearest: int = 1
    farthest: int | None = None
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Matching:
    """The neuron has a pattern that matches; of its variables it writes those of ``written``."""

    has_matches: ClassVar[bool] = True

    pattern: TokenPattern
    written: tuple[WrittenVariable, ...] = ()
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Mentioning:
    """The neuron has a pattern that names such a token, activating or as context."""

    has_matches: ClassVar[bool] = True

    test: TokenTest
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


class Predictor(Enum):
    """What predicts where a neuron fires; the value is the word after USING.

    Evidence does where a neuron has it, its graph where it has none; GRAPH is the graph of every neuron.
    """

    EVIDENCE = "evidence"
    GRAPH = "graph"


@dataclass(frozen=True, slots=True)
class FiringOn:
    """The neuron is predicted to fire on the text: at one token (negative: from the end), or at any."""

    has_matches: ClassVar[bool] = True

    text: str
    token: int | None = None
    by: Predictor = Predictor.EVIDENCE
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)
    token_at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class SimilarTo:
    """The neuron's graph is like another's, by ``above`` or more."""

    has_matches: ClassVar[bool] = False

    neuron: NeuronRef
    metric: Metric = Metric.GRAPH
    above: float = 0.9
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class ContainedIn:
    """``SUBSET OF``: at least ``above`` of the neuron's tokens, in each role, are the other's too."""

    has_matches: ClassVar[bool] = False

    neuron: NeuronRef
    above: float = 0.9
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Contains:
    """``SUPERSET OF``: at least ``above`` of the other's tokens, in each role, are the neuron's too."""

    has_matches: ClassVar[bool] = False

    neuron: NeuronRef
    above: float = 0.9
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


#: ``has_matches`` tells that a clause holds by patterns, which have an activation, and not of neurons alone.
Clause: TypeAlias = (
    Matching | Mentioning | Writing | Influenced | FiringOn | SimilarTo | ContainedIn | Contains
)


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
    metric: Metric = Metric.GRAPH
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
    """What a count is parted by; the value is the word after BY."""

    MODEL = "model"
    LAYER = "layer"
    STATE = "state"
    ACTIVATING = "activating"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Count:
    """``COUNT``: how many there are, in all or in each group."""

    by: Grouping | None = None


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
    of_neurons: bool = False  # all patterns of the neurons that the rest finds
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


Statement: TypeAlias = Query | TokenQuery
