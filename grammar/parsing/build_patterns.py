"""Tree builder for patterns: one method per rule of the section *patterns* of query.lark."""

# A method is named after its rule, which query.lark explains.
# ruff: noqa: D102

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from lark import Token, Transformer, v_args

from n2gdb.grammar.ast import Statement
from n2gdb.grammar.errors import shortened
from n2gdb.grammar.mistakes.class_words import meant_class
from n2gdb.grammar.patterns import (
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
from n2gdb.grammar.values import LARGEST, fail, position_of, unescaped

__all__ = ["PatternBuilder"]


@dataclass(frozen=True, slots=True)
class _Connector:
    word: str
    link: Link
    at: Position


@v_args(inline=True)
class PatternBuilder(Transformer[Token, Statement]):
    """Builds steps and patterns bottom-up."""

    def pattern(self, *parts: Step | _Connector) -> TokenPattern:
        steps = tuple(part for part in parts if not isinstance(part, _Connector))
        connectors = [part for part in parts if isinstance(part, _Connector)]
        _check_near(steps, connectors)
        directed = [connector for connector in connectors if connector.word != "NEAR"]
        backwards = [connector.word == "AFTER" for connector in directed]
        if any(backwards) and not all(backwards):
            first = next(at for at, flag in enumerate(backwards) if flag != backwards[0])
            fail(
                f"{directed[first].word} after {directed[0].word} in one pattern: keep to one direction, "
                "AFTER throughout or BEFORE and THEN throughout",
                directed[first].at,
            )
        links = tuple(connector.link for connector in connectors)
        return TokenPattern(steps[::-1], links[::-1]) if any(backwards) else TokenPattern(steps, links)

    def loose_token(self, literal: Token) -> TokenLiteral:
        return TokenLiteral(_token_text(literal), exact=False, at=position_of(literal))

    def exact_token(self, literal: Token) -> TokenLiteral:
        return TokenLiteral(_token_text(literal), exact=True, at=position_of(literal))

    def expression(self, written: Token) -> TokenExpression:
        ignore_case = written.endswith("i")
        source = written[1 : -2 if ignore_case else -1]
        return TokenExpression(re.sub(r"\\(.)", _unslashed, source), ignore_case, at=position_of(written))

    def token_class(self, written: Token) -> TokenClass:
        word = " ".join(written[1:-1].lower().split())
        names = tuple(kind.value for kind in TokenKind)
        if word not in names:
            near = meant_class(word)
            hint = near or f"there are {', '.join(f'<{name}>' for name in names)}"
            fail(f"no token class {shortened(written)}: {hint}", position_of(written))
        return TokenClass(TokenKind(word), at=position_of(written))

    def negated(self, bang: Token, test: TokenTest) -> Negated:
        return Negated(test, at=position_of(bang))

    def one_of(self, *alternatives: TokenTest) -> TokenTest:
        return alternatives[0] if len(alternatives) == 1 else OneOf(alternatives, at=alternatives[0].at)

    def misplaced_variable(self, name: Token) -> TokenTest:
        fail(
            f"{name} stands for one token of the whole pattern, so it cannot be one of several or negated: "
            f"write it as a step of its own, as in {name} BEFORE {name}",
            position_of(name),
        )

    def variable(self, name: Token) -> Variable:
        return Variable(name[1:].lower(), at=position_of(name))

    def any_token(self, mark: Token) -> AnyToken:
        return AnyToken(at=position_of(mark))

    def run(self, dots: Token) -> Run:
        return Run(at=position_of(dots))

    def connector(self, keyword: Token, distance: Token | None = None) -> _Connector:
        word, near = keyword.upper(), keyword.upper() == "NEAR"
        if distance is None:
            link = Link(1, 1) if word == "THEN" else Link(either=near)
            return _Connector(word, link, position_of(keyword))
        most = int(distance[1:]) if len(distance) < 20 else LARGEST + 1
        if not 1 <= most <= LARGEST:
            fail(f"{word}{distance[:30]}: a distance is a whole number from 1 up", position_of(distance))
        return _Connector(word, Link(1, most, near), position_of(keyword))


def _token_text(literal: Token) -> str:
    text = unescaped(literal)
    if not text:
        fail("an empty token: write the token between the quotes, or ... for any", position_of(literal))
    return text


def _unslashed(escape: re.Match[str]) -> str:
    return "/" if escape[1] == "/" else escape[0]


def _check_near(steps: tuple[Step, ...], connectors: list[_Connector]) -> None:
    """Refuse NEAR where the order that it leaves open would have no meaning."""
    for place, connector in enumerate(connectors):
        if connector.word == "NEAR" and any(
            isinstance(step, AnyToken | Run) for step in steps[place : place + 2]
        ):
            fail("NEAR joins two tokens, neither of them ... or _: write BEFORE or AFTER", connector.at)
    for left, right in pairwise(connectors):
        if left.word == right.word == "NEAR":
            fail("NEAR joins two tokens: write a chain of them as clauses joined by AND", right.at)
