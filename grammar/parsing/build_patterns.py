"""Tree builder for patterns: one method per rule of the section *patterns* of query.lark."""

# A method is named after its rule, which query.lark explains.
# ruff: noqa: D102

from __future__ import annotations

import re
from itertools import pairwise

from n2gdb.grammar.errors import shortened
from n2gdb.grammar.mistakes.class_words import meant_class
from n2gdb.grammar.patterns import (
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
from n2gdb.grammar.tokens import Token
from n2gdb.grammar.unit_names import read_unit
from n2gdb.grammar.values import fail, position_of, unescaped, whole_of

__all__ = ["PatternBuilder"]

#: Positions of one ``_/4``: no stored pattern goes back further.
_MOST_GAP = 64


@dataclass(frozen=True, slots=True)
class _Connector:
    word: str
    link: Link
    at: Position


@dataclass(frozen=True, slots=True)
class _Gap:
    """``_/4``: so many positions side by side, ``most`` of them or fewer."""

    least: int
    most: int | None
    at: Position


class PatternBuilder:
    """Builds steps and patterns bottom-up."""

    def pattern(self, *written: Step | _Gap | _Connector) -> TokenPattern:
        parts = [part for each in written for part in (_spread(each) if isinstance(each, _Gap) else (each,))]
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

    def token_class(self, written: Token) -> TokenClass | TokensOf:
        word = " ".join(written[1:-1].lower().split())
        context, _, unit = written[1:-1].strip().rpartition(" ")
        if (found := read_unit(unit)) is not None:
            ref = NeuronRef(
                found.layer,
                found.index,
                side=found.side,
                latent=found.latent,
                source=found.source,
                at=position_of(written),
            )
            return TokensOf(ref, bool(context.strip()), at=position_of(written))
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

    def all_of(self, *tests: TokenTest) -> TokenTest:
        return tests[0] if len(tests) == 1 else AllOf(tests, at=tests[0].at)

    def misplaced_variable(self, name: Token) -> TokenTest:
        fail(
            f"{name} stands for one token of the whole pattern, so it cannot be one of several or negated: "
            f"write it as a step of its own, as in {name} BEFORE {name}",
            position_of(name),
        )

    def variable(self, name: Token) -> Variable:
        return Variable(name[1:].lower(), at=position_of(name))

    def like_variable(self, name: Token) -> LikeVariable:
        return LikeVariable(name.partition("$")[2].lower(), at=position_of(name))

    def other_variable(self, name: Token) -> OtherVariable:
        return OtherVariable(name.partition("$")[2].lower(), at=position_of(name))

    def any_token(self, mark: Token, number: Token | None = None) -> AnyToken | _Gap:
        at = position_of(mark)
        if number is None:
            return AnyToken(at=at)
        least, most = _distance("_", number)
        least = most if ".." not in number and most is not None else least
        if least == 1 and most != 1:
            fail(f"_{number}: a run from one position up is ..., or a distance, as in BEFORE/4", at)
        if least > _MOST_GAP:
            fail(f"_{number[:20]}: name at most {_MOST_GAP} positions so", at)
        return _Gap(least, most, at)

    def run(self, dots: Token) -> Run:
        return Run(at=position_of(dots))

    def connector(self, keyword: Token, distance: Token | None = None) -> _Connector:
        word, near = keyword.upper(), keyword.upper() == "NEAR"
        if distance is None:
            link = Link(1, 1) if word == "THEN" else Link(either=near)
            return _Connector(word, link, position_of(keyword))
        least, most = _distance(word, distance)
        return _Connector(word, Link(least, most, near), position_of(keyword))


def _distance(word: str, written: Token) -> tuple[int, int | None]:
    """Return the least and the most positions of ``/3``, ``/2..5`` or ``/3..``."""
    at = position_of(written)
    first, dots, last = written[1:].partition("..")
    numbers = []
    for digits in (first, last) if last else (first,):
        if (number := whole_of(digits)) is None:
            fail(f"{word}{shortened(written, 30)}: {shortened(digits)} is too large a number", at)
        if not number:
            fail(f"{word}{shortened(written, 30)}: a distance is a whole number from 1 up", at)
        numbers.append(number)
    if not dots:
        return 1, numbers[0]
    if last and numbers[0] > numbers[1]:
        fail(f"the range {first}..{last} runs backwards: write {word}/{last}..{first}", at)
    return numbers[0], numbers[1] if last else None


def _spread(gap: _Gap) -> list[AnyToken | _Connector]:
    """Write a gap as single positions; where their number is open, the last two lie so far apart."""
    parts: list[AnyToken | _Connector] = [AnyToken(at=gap.at)]
    for _ in range(gap.least - 1):
        parts += [_Connector("THEN", Link(1, 1), gap.at), AnyToken(at=gap.at)]
    if gap.most != gap.least:
        parts[-2] = _Connector(
            "BEFORE", Link(1, None if gap.most is None else gap.most - gap.least + 1), gap.at
        )
    return parts


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
