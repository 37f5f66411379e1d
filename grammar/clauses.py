"""Clause nodes: what a query requires of a neuron's patterns, its graph, or what it writes."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import ClassVar, TypeAlias

from n2gdb.grammar.patterns import (
    START,
    LikeVariable,
    NeuronRef,
    OtherVariable,
    Position,
    TokenPattern,
    TokenTest,
    Variable,
)
from n2gdb.grammar.records import dataclass

__all__ = [
    "DEFAULT_METRIC",
    "LEAST_SIMILARITY",
    "Clause",
    "ContainedIn",
    "Contains",
    "Effect",
    "FiringOn",
    "Influence",
    "Influenced",
    "Listed",
    "Matching",
    "Mentioning",
    "Metric",
    "Predictor",
    "Showing",
    "SimilarTo",
    "Writing",
    "WrittenVariable",
]


class Metric(Enum):
    """What two neurons are compared by; the value is the word after USING."""

    COFIRING = "cofiring"
    GRAPH = "graph"
    TOKENS = "tokens"
    SUBSET = "subset"


#: What neurons are compared by where nothing is said.
DEFAULT_METRIC = Metric.GRAPH

#: The least similarity where none is said.
LEAST_SIMILARITY = {Metric.COFIRING: 0.02, Metric.GRAPH: 0.05, Metric.TOKENS: 0.1, Metric.SUBSET: 0.5}


class Effect(Enum):
    """Which way a neuron moves a token's logit; the value is the word that a query says it with."""

    PROMOTING = "PROMOTING"
    SUPPRESSING = "SUPPRESSING"

    @property
    def field(self) -> str:
        """The field of the logits that it asks about."""
        return "promoted" if self is Effect.PROMOTING else "suppressed"


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
    variable: Variable | LikeVariable | OtherVariable


class Influence(Enum):
    """Which way a token moves the odds that a neuron fires; the value is what a query says it with."""

    EXCITED = "EXCITED BY"
    INHIBITED = "INHIBITED BY"


@dataclass(frozen=True, slots=True)
class Influenced:
    """By its evidence, the neuron is likelier or less likely to fire where such a token stands.

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
    """The neuron has a pattern that matches; of its variables it writes those of ``written``.

    With ``only`` every pattern of the neuron matches.
    """

    has_matches: ClassVar[bool] = True

    pattern: TokenPattern
    written: tuple[WrittenVariable, ...] = ()
    only: bool = False
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
class Showing:
    """A stored example of the neuron contains the text: to the letter where ``exact``, else in any case."""

    has_matches: ClassVar[bool] = False

    text: str
    exact: bool = False
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Listed:
    """``IN (L3N45, L4N12)``: the neuron is one of these, or ``IN $mine``, of a saved set."""

    has_matches: ClassVar[bool] = False

    neurons: tuple[NeuronRef, ...]
    saved: str = ""
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class SimilarTo:
    """The neuron is like another, by ``above`` or more, None the metric's own; both share ``sharing``."""

    has_matches: ClassVar[bool] = False

    neuron: NeuronRef
    metric: Metric = DEFAULT_METRIC
    above: float | None = None
    sharing: int = 1
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)

    @property
    def least(self) -> float:
        """The least similarity."""
        return LEAST_SIMILARITY[self.metric] if self.above is None else self.above


@dataclass(frozen=True, slots=True)
class ContainedIn:
    """``SUBSET OF``: at least ``above`` of the neuron's tokens, in each role, are the other's too."""

    has_matches: ClassVar[bool] = False

    neuron: NeuronRef
    above: float = 0.9
    sharing: int = 1
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Contains:
    """``SUPERSET OF``: at least ``above`` of the other's tokens, in each role, are the neuron's too."""

    has_matches: ClassVar[bool] = False

    neuron: NeuronRef
    above: float = 0.9
    sharing: int = 1
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


#: ``has_matches`` tells that a clause holds by patterns, which have an activation, and not of neurons alone.
Clause: TypeAlias = (
    Matching
    | Mentioning
    | Writing
    | Influenced
    | FiringOn
    | Showing
    | Listed
    | SimilarTo
    | ContainedIn
    | Contains
)
