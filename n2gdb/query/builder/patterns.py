"""Patterns in Python: ``tok("the").before(...)``, what MATCHING takes."""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import NoReturn, TypeAlias

from n2gdb.core import arguments
from n2gdb.core.arguments import shown
from n2gdb.errors import ArgumentError, QuerySyntaxError, UnknownNameError
from n2gdb.grammar.ast import (
    AllOf,
    AnyToken,
    LikeVariable,
    Link,
    Negated,
    OneOf,
    OtherVariable,
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
from n2gdb.grammar.fields import nearest
from n2gdb.grammar.unparse import written_formula, written_step

__all__ = [
    "DIGIT",
    "LOWER",
    "PIECE",
    "PUNCT",
    "SPACE",
    "START",
    "TITLE",
    "UPPER",
    "WORD",
    "Steps",
    "Stepwise",
    "TokenStep",
    "all_of",
    "any_token",
    "kind",
    "like",
    "one_of",
    "other_than",
    "pattern_of",
    "regex",
    "test_of",
    "tok",
    "var",
]


@dataclass(frozen=True, slots=True, repr=False)
class Steps:
    """Steps in text order; the last one is the activating token.

    Wherever steps are taken, a plain string is a token as ``tok`` has it, and Python's ``...`` is any token
    (as the last step) or any tokens, one or more.

    >>> print(tok("the").before("end", within=3).then(...))
    'the' BEFORE/3 'end' THEN ...
    """

    pattern: TokenPattern

    def before(self, later: Stepwise, within: int | None = None, at_least: int = 1) -> Steps:
        """Let ``later`` stand anywhere after this: from ``at_least`` to ``within`` positions on.

        >>> print(tok("the").before("end"), "|", tok("the").before("end", within=3))
        'the' BEFORE 'end' | 'the' BEFORE/3 'end'
        """
        return _joined(self, Link(at_least, within), _steps(later))

    def then(self, later: Stepwise) -> Steps:
        """Let ``later`` stand at the very next position.

        >>> print(tok("of").then("the").then(...))
        'of' THEN 'the' THEN ...
        """
        return _joined(self, Link(1, 1), _steps(later))

    def after(self, earlier: Stepwise, within: int | None = None, at_least: int = 1) -> Steps:
        """Let ``earlier`` stand anywhere before this: from ``at_least`` to ``within`` positions back.

        >>> print(tok("end").after("the"))
        'the' BEFORE 'end'
        """
        return _joined(_steps(earlier), Link(at_least, within), self)

    def near(self, other: Stepwise, within: int | None = None, at_least: int = 1) -> Steps:
        """Let ``other`` stand on either side of this, from ``at_least`` to ``within`` positions off.

        The last step of the one is paired with the first of the other, both of them tokens or variables.

        >>> print(tok("on").near("the", within=2))
        'on' NEAR/2 'the'
        """
        return _joined(self, Link(at_least, within, either=True), _steps(other))

    def __or__(self, other: object) -> NoReturn:
        _refuse(self, "be one of several")

    def __ror__(self, other: object) -> NoReturn:
        _refuse(self, "be one of several")

    def __invert__(self) -> NoReturn:
        _refuse(self, "be negated")

    def __str__(self) -> str:
        return _pattern_text(self.pattern)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


@dataclass(frozen=True, slots=True, repr=False)
class TokenStep(Steps):
    """What is asked of one token: steps of their own, which ``|`` joins and ``~`` negates."""

    test: TokenTest

    def __or__(self, other: str | TokenStep) -> TokenStep:  # type: ignore[override]
        return one_of(self, other)

    def __ror__(self, other: str | TokenStep) -> TokenStep:  # type: ignore[override]
        return one_of(other, self)

    def __invert__(self) -> TokenStep:  # type: ignore[override]
        return _step(Negated(self.test))

    def __and__(self, other: str | TokenStep) -> TokenStep:
        return all_of(self, other)

    def __rand__(self, other: str | TokenStep) -> TokenStep:
        return all_of(other, self)


#: What stands for one step or several.
Stepwise: TypeAlias = str | EllipsisType | Steps


def tok(text: str, *, exact: bool = False) -> TokenStep:
    """Return the token that reads ``text``, case and leading space aside; to the letter where ``exact``.

    >>> print(tok("the"), tok(" The", exact=True), tok("dog") | "cat", ~tok("end"))
    'the' " The" ('dog' | 'cat') !'end'
    """
    return _step(TokenLiteral(arguments.text("a token", text), bool(exact)))


def regex(source: str, *, ignore_case: bool = False) -> TokenStep:
    """Return any token that a regular expression (RE2) matches whole, with or without its leading space.

    >>> print(regex("bark(s|ed)?", ignore_case=True))
    /bark(s|ed)?/i
    """
    return _step(TokenExpression(arguments.text("an expression", source), bool(ignore_case)))


def one_of(*alternatives: str | TokenStep) -> TokenStep:
    """Return a token that is one of the alternatives: what ``|`` joins.

    >>> print(one_of("dog", "cat", kind("digit")))
    ('dog' | 'cat' | <digit>)
    """
    tests: list[TokenTest] = []
    for each in alternatives:
        test = test_of(each)
        tests += test.alternatives if isinstance(test, OneOf) else (test,)
    if not tests:
        raise QuerySyntaxError("one_of() names no token: give one or more, as in one_of('dog', 'cat')")
    return _step(tests[0] if len(tests) == 1 else OneOf(tuple(tests)))


def all_of(*tests: str | TokenStep) -> TokenStep:
    """Return a token that every test takes: what ``&`` joins.

    >>> print(all_of(kind("title"), ~tok("The")))
    (<title> & !'The')
    """
    joined: list[TokenTest] = []
    for each in tests:
        test = test_of(each)
        joined += test.tests if isinstance(test, AllOf) else (test,)
    if not joined:
        raise QuerySyntaxError("all_of() names no test: give one or more, as in all_of(TITLE, ~tok('The'))")
    return _step(joined[0] if len(joined) == 1 else AllOf(tuple(joined)))


def kind(name: str) -> TokenStep:
    """Return any token of a class.

    That is digit, punct, upper, lower, title, word, space, start, piece or start of text.
    Raises UnknownNameError for any other name.

    >>> print(tok("chapter").then(kind("digit")))
    'chapter' THEN <digit>
    """
    names = tuple(each.value for each in TokenKind)
    if arguments.text("a token class", name) not in names:
        near = nearest(name, names)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
        raise UnknownNameError(f"no token class {name}: {hint}", (near,) if near else ())
    return _step(TokenClass(TokenKind(name)))


def var(name: str) -> Steps:
    """Return a token named ``name``: the same token wherever the name stands in the pattern.

    >>> print(var("x").before(var("x")))
    $x BEFORE $x
    """
    return Steps(TokenPattern((Variable(arguments.text("a variable", name).lower()),)))


def like(name: str) -> Steps:
    """Return a token that reads like the variable's, case and leading space aside.

    >>> print(var("x").before(like("x")))
    $x BEFORE ~$x
    """
    return Steps(TokenPattern((LikeVariable(arguments.text("a variable", name).lower()),)))


def other_than(name: str) -> Steps:
    """Return a named token that is not the variable's.

    >>> print(var("x").before(other_than("x")))
    $x BEFORE !$x
    """
    return Steps(TokenPattern((OtherVariable(arguments.text("a variable", name).lower()),)))


#: Exactly one position, whatever stands there.
any_token = Steps(TokenPattern((AnyToken(),)))


def pattern_of(steps: Stepwise) -> TokenPattern:
    """Return the pattern that steps make."""
    return _steps(steps).pattern


def test_of(step: str | TokenStep) -> TokenTest:
    """Return what a step asks of its token; raise QuerySyntaxError if it is more than a single token."""
    if isinstance(step, TokenStep):
        return step.test
    if not isinstance(step, str):
        _refuse(_steps(step), "stand where a single token does")
    return TokenLiteral(step)


def _step(test: TokenTest) -> TokenStep:
    return TokenStep(TokenPattern((test,)), test)


def _steps(given: Stepwise) -> Steps:
    if isinstance(given, Steps):
        return given
    if isinstance(given, str):
        return tok(given)
    if isinstance(given, EllipsisType):
        return Steps(TokenPattern((Run(),)))
    raise ArgumentError(f"a step is a string, ... or what tok() and its like return, not {shown(given)}")


def _joined(left: Steps, link: Link, right: Steps) -> Steps:
    if link.most is not None and arguments.whole("within", link.most, -arguments.LARGEST) < 1:
        raise QuerySyntaxError(f"within={link.most}: a distance is a whole number from 1 up")
    if arguments.whole("at_least", link.least, -arguments.LARGEST) < 1:
        raise QuerySyntaxError(f"at_least={link.least}: a distance is a whole number from 1 up")
    if link.most is not None and link.most < link.least:
        raise QuerySyntaxError(f"within={link.most} is less than at_least={link.least}")
    first, second = left.pattern, right.pattern
    return Steps(TokenPattern(first.steps + second.steps, (*first.links, link, *second.links)))


def _refuse(steps: Steps, what: str) -> NoReturn:
    first: Step = steps.pattern.steps[0]
    if len(steps.pattern.steps) > 1:
        raise QuerySyntaxError(f"{steps} is several steps: it cannot {what}")
    if isinstance(first, Variable):
        raise QuerySyntaxError(
            f"{written_step(first)} stands for one token of the whole pattern: it cannot {what}, "
            "write it as a step of its own"
        )
    raise QuerySyntaxError(f"{written_step(first)} is any token: it cannot {what}")


def _pattern_text(pattern: TokenPattern) -> str:
    from n2gdb.grammar.ast import Matching

    return written_formula(Matching(pattern)).removeprefix("MATCHING ")


DIGIT = kind("digit")
PUNCT = kind("punct")
UPPER = kind("upper")
TITLE = kind("title")
WORD = kind("word")
LOWER = kind("lower")
START = kind("start")
PIECE = kind("piece")
SPACE = kind("space")
