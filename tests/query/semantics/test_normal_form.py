"""The normal forms of clauses: what every step and link of the language comes to."""

from __future__ import annotations

import pytest

from n2gdb.core.tokens import text_key
from n2gdb.errors import QueryError
from n2gdb.grammar.ast import (
    AnyToken,
    Link,
    Matching,
    Mentioning,
    Negated,
    OneOf,
    Run,
    Step,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    Variable,
)
from n2gdb.query.semantics.normal_form import HERE, Anchor, Lowered, lower
from n2gdb.query.semantics.token_sets import Among, AnyOf, NotA, OfKind, Reads, is_broad, is_keyed, members
from n2gdb.query.semantics.vocabulary import Vocabulary
from tests.support.few_words import FEW_WORDS, few_words

ANY, NEXT = Link(), Link(1, 1)
NEW, YORK = TokenLiteral("New"), TokenLiteral("york")


def ids(*texts: str) -> tuple[int, ...]:
    return tuple(sorted(FEW_WORDS.index(text) for text in texts))


def loose(norm: str) -> Anchor:
    """The anchor of a single-quoted token, by its normalised text."""
    found = (text for text in FEW_WORDS if text.removeprefix(" ").casefold() == norm)
    return Anchor(Reads(text_key(norm), False, ids(*found)))


def exactly(text: str) -> Anchor:
    return Anchor(Among(ids(text)))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return few_words()


def forms(vocabulary: Vocabulary, *steps: Step | Link) -> tuple[Lowered, ...]:
    """Lower the pattern of ``steps``, each followed by its link, or else by BEFORE."""
    links: list[Link] = []
    slots: list[Step] = []
    for step in steps:
        if isinstance(step, Link):
            links[-1] = step
        else:
            links.append(ANY)
            slots.append(step)
    return lower(Matching(TokenPattern(tuple(slots), tuple(links[:-1]))), vocabulary)


A, B, X, GAP = TokenLiteral("a"), TokenLiteral("b"), TokenLiteral("x"), AnyToken()
a, b, x = loose("a"), loose("b"), loose("x")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((A,), Lowered((a,), (HERE,), 0)),
        ((A, B), Lowered((a, b), (ANY, HERE), 0)),
        ((A, NEXT, B), Lowered((a, b), (NEXT, HERE), 0)),
        ((A, Link(1, 3), Run()), Lowered((a,), (Link(1, 3),), 0)),
        ((A, Run(), B), Lowered((a, b), (Link(2), HERE), 0)),
        ((A, Link(1, 2), Run(), NEXT, B), Lowered((a, b), (Link(2), HERE), 0)),
        ((A, Run(), Link(1, 2), Run(), B), Lowered((a, b), (Link(3), HERE), 0)),
        ((A, Link(1, 2), Run(), Run()), Lowered((a,), (Link(2),), 0)),
        ((Run(), NEXT, A), Lowered((a,), (HERE,), 1)),
        ((Run(), Run(), A, B), Lowered((a, b), (ANY, HERE), 2)),
        ((Run(),), Lowered((), (), 0)),
        ((Run(), Link(1, 2), Run()), Lowered((), (), 1)),
        ((GAP,), Lowered((), (), 0)),
        ((A, NEXT, GAP), Lowered((a,), (NEXT,), 0)),
        ((A, NEXT, GAP, NEXT, B), Lowered((a, b), (Link(2, 2), HERE), 0)),
        ((A, Link(1, 3), GAP, NEXT, GAP, Link(1, 2), B), Lowered((a, b), (Link(3, 6), HERE), 0)),
        ((GAP, NEXT, GAP, NEXT, A), Lowered((a,), (HERE,), 2)),
        ((GAP, NEXT, GAP), Lowered((), (), 1)),
        ((Variable("x"), B), Lowered((Anchor(None, "x"), b), (ANY, HERE), 0)),
        ((Negated(A), B), Lowered((Anchor(NotA(a.tokens)), b), (ANY, HERE), 0)),  # type: ignore[arg-type]
        ((OneOf((A, B)),), Lowered((Anchor(AnyOf((a.tokens, b.tokens))),), (HERE,), 0)),  # type: ignore[arg-type]
        ((TokenClass(TokenKind.DIGIT),), Lowered((Anchor(OfKind(1)),), (HERE,), 0)),
        (
            (TokenExpression("bark(s|ed)", True),),
            Lowered((Anchor(Among(ids(" barks", "barked"))),), (HERE,), 0),
        ),
        (
            (TokenLiteral(" New York", exact=True),),
            Lowered((exactly(" New"), exactly(" York")), (NEXT, HERE), 0),
        ),
    ],
)
def test_the_normal_form_of_a_pattern(
    steps: tuple[Step | Link, ...], expected: Lowered, vocabulary: Vocabulary
) -> None:
    assert forms(vocabulary, *steps) == (expected,)


def test_near_is_both_orders(vocabulary: Vocabulary) -> None:
    near = Link(1, 3, either=True)
    assert forms(vocabulary, A, near, B) == (
        Lowered((a, b), (Link(1, 3), HERE), 0),
        Lowered((b, a), (Link(1, 3), HERE), 0),
    )
    assert forms(vocabulary, X, NEXT, A, near, B, Run()) == (
        Lowered((x, a, b), (NEXT, Link(1, 3), ANY), 0),
        Lowered((x, b, a), (NEXT, Link(1, 3), ANY), 0),
    )
    with pytest.raises(QueryError, match="NEAR joins two tokens"):
        forms(vocabulary, A, near, B, near, X)


def test_mentioning_is_either_role(vocabulary: Vocabulary) -> None:
    assert lower(Mentioning(A), vocabulary) == (Lowered((a,), (HERE,), 0), Lowered((a,), (ANY,), 0))


def test_a_text_of_several_tokens_stands_on_adjacent_positions(vocabulary: Vocabulary) -> None:
    found = forms(vocabulary, TokenLiteral("new york"), Link(1, 2), B)
    assert found == (Lowered((exactly(" New"), exactly(" York"), b), (NEXT, Link(1, 2), HERE), 0),)


def test_a_text_of_several_tokens_may_be_one_of_several(vocabulary: Vocabulary) -> None:
    found = forms(vocabulary, OneOf((TokenLiteral("New York"), A)), Run())
    assert found == (
        Lowered((a,), (ANY,), 0),
        Lowered((exactly(" New"), exactly(" York")), (NEXT, ANY), 0),
    )


def test_a_text_that_cannot_be_cut_has_no_form(vocabulary: Vocabulary) -> None:
    assert forms(vocabulary, TokenLiteral("zebra"), Run()) == ()


def test_too_many_tokens_and_too_many_readings_are_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(QueryError, match="names 13 tokens: name at most 12"):
        forms(vocabulary, *[A] * 13)
    either = OneOf((TokenLiteral("New York"), A))
    near = Link(1, None, either=True)
    with pytest.raises(QueryError, match="more than 64 ways"):
        lower(Matching(TokenPattern((either, B) * 4, (near, ANY) * 3 + (near,))), vocabulary)


def test_an_expression_that_is_none_is_refused(vocabulary: Vocabulary) -> None:
    for source in ("(", "a)(b", "*", "[z-a]", "a\\"):
        with pytest.raises(QueryError, match="is not a regular expression"):
            forms(vocabulary, TokenExpression(source))
    with pytest.raises(QueryError, match="at most 1000"):
        forms(vocabulary, TokenExpression("a" * 1001))


def test_an_expression_matches_the_whole_token_with_or_without_its_space(vocabulary: Vocabulary) -> None:
    def matched(source: str) -> tuple[int, ...]:
        tokens = vocabulary.settle(TokenExpression(source))
        assert isinstance(tokens, Among)
        return tokens.tokens

    assert matched("the") == ids(" the", "the")
    assert matched(" the") == ids(" the")
    assert matched("he") == ()
    assert matched("b|barked") == ids("b", "barked")
    assert matched(".") == ids(" a", "a", "b", " c", "x", "7", ",")


def test_sets_know_how_broad_they_are(vocabulary: Vocabulary) -> None:
    few, digits = vocabulary.settle(OneOf((A, B))), vocabulary.settle(TokenClass(TokenKind.DIGIT))
    assert members(few) == ids(" a", "a", "b")
    assert members(digits) is None
    assert [is_keyed(each) for each in (a.tokens, few, digits) if each is not None] == [True, False, False]
    assert [is_broad(each) for each in (a.tokens, few, digits, None, NotA(few))] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_a_literal_says_what_it_reads(vocabulary: Vocabulary) -> None:
    def said(text: str) -> str:
        return vocabulary.describe(TokenLiteral(text)).split(" (key")[0]

    assert said("the") == "'the' reads ·The, ·the, the"
    assert said("new york") == "'new york' reads ·New ·York"
    assert said("zebra") == "'zebra' reads no token"
