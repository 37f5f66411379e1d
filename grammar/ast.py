"""What a query says, as plain data: frozen nodes that are equal when they mean the same.

A position in the source never counts in a comparison, so a test writes the tree it expects.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

__all__ = [
    "And",
    "Between",
    "Comparison",
    "Condition",
    "Formula",
    "Key",
    "Link",
    "Matching",
    "Not",
    "Operator",
    "Or",
    "Pattern",
    "Position",
    "Query",
    "Run",
    "Step",
    "TokenLiteral",
]

Leaf = TypeVar("Leaf")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the source text; both count from 1."""

    line: int
    column: int


_START = Position(1, 1)


@dataclass(frozen=True, slots=True)
class TokenLiteral:
    """A quoted token: ``exact`` in double quotes, else compared without case and leading space."""

    text: str
    exact: bool = False
    at: Position = dataclasses.field(default=_START, compare=False, repr=False, kw_only=True)

    def __str__(self) -> str:
        return f'"{self.text}"' if self.exact else f"'{self.text}'"


@dataclass(frozen=True, slots=True)
class Run:
    """``...``: the activating token as a last step, one or more positions elsewhere."""

    at: Position = dataclasses.field(default=_START, compare=False, repr=False, kw_only=True)


#: What stands on one position of a pattern, or on a run of them.
Step: TypeAlias = TokenLiteral | Run


@dataclass(frozen=True, slots=True)
class Link:
    """How far the next step lies behind this one: ``least`` to ``most`` positions, None for any number."""

    least: int = 1
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Steps in text order, whichever way they were written, and the links between neighbours."""

    steps: tuple[Step, ...]
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Matching:
    """One clause: the neuron has a pattern that matches."""

    pattern: Pattern
    at: Position = dataclasses.field(default=_START, compare=False, repr=False, kw_only=True)


class Operator(Enum):
    """A comparison; the value is its sign in Cypher."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    LESS_EQUAL = "<="
    MORE = ">"
    MORE_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field against a value."""

    field: str
    operator: Operator
    value: int | float | str
    at: Position = dataclasses.field(default=_START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Between:
    """A field within a range, both ends included."""

    field: str
    least: int | float
    most: int | float
    at: Position = dataclasses.field(default=_START, compare=False, repr=False, kw_only=True)


Condition: TypeAlias = Comparison | Between


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
class Key:
    """One key of the order; nulls come last either way."""

    field: str
    descending: bool = False
    at: Position = dataclasses.field(default=_START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Query:
    """``neurons``, with what they match, what holds of them, and which of them are returned."""

    clauses: Formula[Matching] | None = None
    where: Formula[Condition] | None = None
    order: tuple[Key, ...] = ()
    limit: int | None = None
    offset: int | None = None
