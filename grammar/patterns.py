"""Pattern nodes: tests of single tokens, and the distances between them."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import TypeAlias

from n2gdb.grammar.records import dataclass
from n2gdb.grammar.unit_names import UnitText, write_unit

__all__ = [
    "START",
    "AllOf",
    "AnyToken",
    "LikeVariable",
    "Link",
    "Negated",
    "NeuronRef",
    "OneOf",
    "OtherVariable",
    "Position",
    "Run",
    "Step",
    "TokenClass",
    "TokenExpression",
    "TokenKind",
    "TokenLiteral",
    "TokenPattern",
    "TokenTest",
    "TokensOf",
    "Variable",
]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the source text; both count from 1."""

    line: int
    column: int


START = Position(1, 1)


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


@dataclass(frozen=True, slots=True)
class TokenLiteral:
    """A quoted token: ``exact`` in double quotes, else compared without case and leading space."""

    text: str
    exact: bool = False
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)

    def __str__(self) -> str:
        return f'"{self.text}"' if self.exact else f"'{self.text}'"


@dataclass(frozen=True, slots=True)
class TokenExpression:
    """``/bark(s|ed)?/i``: RE2 that the whole token matches, with or without its leading space."""

    source: str
    ignore_case: bool = False
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


class TokenKind(Enum):
    """What ``<digit>`` and its like stand for; the value is the word between the brackets."""

    DIGIT = "digit"
    PUNCT = "punct"
    UPPER = "upper"
    TITLE = "title"
    WORD = "word"
    SPACE = "space"
    LOWER = "lower"
    START = "start"
    PIECE = "piece"
    START_OF_TEXT = "start of text"


@dataclass(frozen=True, slots=True)
class TokenClass:
    """``<digit>``: a token of this kind."""

    kind: TokenKind
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class TokensOf:
    """``<L1N453>``: a token that the neuron fires on; ``<context L1N453>``, one that it needs before."""

    neuron: NeuronRef
    in_context: bool = False
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class AllOf:
    """``(<title> & !'The')``: a token that each of two or more tests takes."""

    tests: tuple[TokenTest, ...]
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class OneOf:
    """``('dog' | 'cat')``: a token that one of two or more alternatives takes."""

    alternatives: tuple[TokenTest, ...]
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Negated:
    """``!'x'``: a named token that the test does not take; an any-token is never one."""

    test: TokenTest
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


#: What is asked of one named token.
TokenTest: TypeAlias = TokenLiteral | TokenExpression | TokenClass | TokensOf | AllOf | OneOf | Negated


@dataclass(frozen=True, slots=True)
class Variable:
    """``$x``: any named token, the same one wherever the name stands in the pattern."""

    name: str
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class LikeVariable:
    """``~$x``: a named token that reads like the one of ``$x``, case and leading space aside."""

    name: str
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class OtherVariable:
    """``!$x``: a named token that is not the one of ``$x``."""

    name: str
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class AnyToken:
    """``_``: exactly one position, whatever stands there; the activating token as a last step."""

    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Run:
    """``...``: the activating token as a last step, one or more positions elsewhere."""

    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


#: What stands on one position of a pattern, or on a run of them.
Step: TypeAlias = TokenTest | Variable | LikeVariable | OtherVariable | AnyToken | Run


@dataclass(frozen=True, slots=True)
class Link:
    """How far the next step lies after this one: ``least`` to ``most`` positions, None for any number.

    ``either`` is NEAR: the two steps, both of them tests or variables, may stand in either order.
    """

    least: int = 1
    most: int | None = None
    either: bool = False


@dataclass(frozen=True, slots=True)
class TokenPattern:
    """Steps in text order, whichever way they were written, and the links between neighbours."""

    steps: tuple[Step, ...]
    links: tuple[Link, ...] = ()
