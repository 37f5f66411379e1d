"""Every construct of the language, read: the tree that each form stands for."""

from __future__ import annotations

import pytest

from n2gdb.grammar.ast import (
    And,
    AnyToken,
    Arithmetic,
    Between,
    Clause,
    Comparison,
    Computed,
    Condition,
    ContainedIn,
    Contains,
    Count,
    FieldValue,
    FiringOn,
    Formula,
    Grouping,
    InList,
    Key,
    Link,
    Matching,
    Mentioning,
    Metric,
    Mode,
    Negated,
    NeuronRef,
    Not,
    Number,
    OneOf,
    Operator,
    Query,
    RankBy,
    Role,
    Run,
    SimilarTo,
    Statement,
    Step,
    Subject,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    TokenQuery,
    Variable,
)
from n2gdb.grammar.parsing.parser import parse

A, B, C = (TokenLiteral(text) for text in "abc")
X = Variable("x")
F1, LAYER = FieldValue("f1"), FieldValue("layer")
L3N45 = NeuronRef(3, 45)

STEPS: list[tuple[str, Step]] = [
    ("('dog' | \"cat\")", OneOf((TokenLiteral("dog"), TokenLiteral("cat", exact=True)))),
    ("('a')", A),
    ("('a' | ('b' | 'c'))", OneOf((A, OneOf((B, C))))),
    ("/bark(s|ed)?/", TokenExpression("bark(s|ed)?")),
    ("/bark(s|ed)?/i", TokenExpression("bark(s|ed)?", ignore_case=True)),
    (r"/a\/b\d/", TokenExpression(r"a/b\d")),
    ("<digit>", TokenClass(TokenKind.DIGIT)),
    ("<PUNCT>", TokenClass(TokenKind.PUNCT)),
    ("!'a'", Negated(A)),
    ("! ! 'a'", Negated(Negated(A))),
    ("!('a' | <digit>)", Negated(OneOf((A, TokenClass(TokenKind.DIGIT))))),
    ("!/a/i", Negated(TokenExpression("a", ignore_case=True))),
    ("_", AnyToken()),
    ("...", Run()),
    ("$x", X),
    ("'New York'", TokenLiteral("New York")),
]


@pytest.mark.parametrize(("text", "step"), STEPS)
def test_steps(text: str, step: Step) -> None:
    assert parse(f"neurons MATCHING {text}") == Query(Matching(TokenPattern((step,))))


@pytest.mark.parametrize("kind", TokenKind)
def test_every_class_of_tokens_has_its_name(kind: TokenKind) -> None:
    assert parse(f"neurons MATCHING <{kind.value}>") == Query(Matching(TokenPattern((TokenClass(kind),))))


PATTERNS = [
    ("'a' NEAR 'b'", TokenPattern((A, B), (Link(either=True),))),
    ("'a' near/3 'b'", TokenPattern((A, B), (Link(1, 3, either=True),))),
    ("'c' AFTER 'b' NEAR/2 'a'", TokenPattern((A, B, C), (Link(1, 2, either=True), Link()))),
    ("$x BEFORE $x", TokenPattern((X, X), (Link(),))),
    ("... BEFORE 'a' THEN _", TokenPattern((Run(), A, AnyToken()), (Link(), Link(1, 1)))),
    ("'a' THEN ... THEN 'b'", TokenPattern((A, Run(), B), (Link(1, 1), Link(1, 1)))),
    ("'a' BEFORE /b/", TokenPattern((A, TokenExpression("b")), (Link(),))),
    ("'a' BEFORE/2 /b/ THEN'c'", TokenPattern((A, TokenExpression("b"), C), (Link(1, 2), Link(1, 1)))),
    ("'a'BEFORE('b'|'c')", TokenPattern((A, OneOf((B, C))), (Link(),))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "pattern"), PATTERNS)
def test_patterns(text: str, pattern: TokenPattern) -> None:
    assert parse(f"neurons MATCHING {text}") == Query(Matching(pattern))


CLAUSES: list[tuple[str, Formula[Clause]]] = [
    ("MENTIONING 'a'", Mentioning(A)),
    ("mentioning !<digit>", Mentioning(Negated(TokenClass(TokenKind.DIGIT)))),
    ("ACTIVATING ON ('a' | 'b')", Matching(TokenPattern((OneOf((A, B)),)))),
    ('FIRING ON "Everyone except"', FiringOn("Everyone except")),
    ("FIRING ON 'Everyone except' AT -1", FiringOn("Everyone except", -1)),
    ("FIRING ON 'a' AT 0", FiringOn("a", 0)),
    ("SIMILAR TO L4N137", SimilarTo(NeuronRef(4, 137))),
    ("SIMILAR TO 4/137", SimilarTo(NeuronRef(4, 137))),
    ("SIMILAR TO blocks.4.mlp/137", SimilarTo(NeuronRef(4, 137))),
    ("similar to l4n137 of 'gpt2'", SimilarTo(NeuronRef(4, 137, "gpt2"))),
    ("SIMILAR TO L3N45 USING tokens ABOVE 0.8", SimilarTo(L3N45, Metric.TOKENS, 0.8)),
    ("SIMILAR TO L3N45 ABOVE 1", SimilarTo(L3N45, above=1)),
    ("SUBSET OF L3N45", ContainedIn(L3N45)),
    ("SUBSET OF L3N45 ABOVE 0.5", ContainedIn(L3N45, 0.5)),
    ('SUPERSET OF L3N45 OF "it\'s" ABOVE 0.5', Contains(NeuronRef(3, 45, "it's"), 0.5)),
    (
        "NOT (FIRING ON 'a' AND SUBSET OF L3N45)",
        Not(And((FiringOn("a"), ContainedIn(L3N45)))),
    ),
]


@pytest.mark.parametrize(("text", "clauses"), CLAUSES)
def test_clauses(text: str, clauses: Formula[Clause]) -> None:
    assert parse(f"neurons {text}") == Query(clauses)


CONDITIONS: list[tuple[str, Formula[Condition]]] = [
    ("layer IN (0, 2)", InList("layer", (0, 2))),
    ("layer IN [0]", InList("layer", (0,))),
    ("state IN ('live', 'Dead')", InList("state", ("live", "dead"))),
    ("layer NOT IN [0, 2]", Not(InList("layer", (0, 2)))),
    ("layer NOT IN 0..2", Not(Between("layer", 0, 2))),
    ("f1 IN -1..-0.5", Between("f1", -1, -0.5)),
    ("0.5 <= f1", Comparison("f1", Operator.MORE_EQUAL, 0.5)),
    ("(f1) > (0.5)", Comparison("f1", Operator.MORE, 0.5)),
    ("f1 > -0.5", Comparison("f1", Operator.MORE, -0.5)),
    ("precision > recall", Computed(FieldValue("precision"), Operator.MORE, FieldValue("recall"))),
    ("f1 -1 > 0 - layer", Computed(
        Arithmetic("-", F1, Number(1)), Operator.MORE, Arithmetic("-", Number(0), LAYER))),
    ("f1 + layer * 2 > 1", Computed(
        Arithmetic("+", F1, Arithmetic("*", LAYER, Number(2))), Operator.MORE, Number(1))),
    ("(f1 + layer) / 2 - 1 = 1", Computed(
        Arithmetic("-", Arithmetic("/", Arithmetic("+", F1, LAYER), Number(2)), Number(1)),
        Operator.EQUAL, Number(1))),
    ("-f1 < layer", Computed(Arithmetic("-", Number(0), F1), Operator.LESS, LAYER)),
    ("NOT (f1 + 1) > 2", Not(Computed(Arithmetic("+", F1, Number(1)), Operator.MORE, Number(2)))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where"), CONDITIONS)
def test_conditions(text: str, where: Formula[Condition]) -> None:
    assert parse(f"neurons WHERE {text}") == Query(where=where)


RANK = RankBy(NeuronRef(4, 137))
STATEMENTS: list[tuple[str, Statement]] = [
    ("patterns", Query(subject=Subject.PATTERNS)),
    ("neurons IN MODEL 'gpt2'", Query(model="gpt2")),
    ("neurons RANK BY SIMILARITY TO L4N137", Query(rank=RANK)),
    ("neurons RANK BY SIMILARITY TO L4N137 USING subset", Query(
        rank=RankBy(NeuronRef(4, 137), Metric.SUBSET))),
    ("neurons RANK BY SIMILARITY TO L4N137 OF 'm'", Query(rank=RankBy(NeuronRef(4, 137, "m")))),
    ("neurons RETURN neuron, F1 LIMIT 3", Query(returns=("neuron", "f1"), limit=3)),
    ("neurons LIMIT 3 OFFSET 2 RETURN path ORDER BY f1", Query(
        order=(Key("f1"),), limit=3, offset=2, returns=("path",))),
    ("COUNT neurons", Query(count=Count())),
    ("COUNT patterns BY layer LIMIT 2", Query(
        subject=Subject.PATTERNS, count=Count(Grouping.LAYER), limit=2)),
    ("EXPLAIN neurons", Query(mode=Mode.EXPLAIN)),
    ("profile count neurons", Query(count=Count(), mode=Mode.PROFILE)),
    ("patterns WHERE activation > 1 ORDER BY importance", Query(
        where=Comparison("activation", Operator.MORE, 1), order=(Key("importance"),),
        subject=Subject.PATTERNS)),
    ("tokens ACTIVATING L3N45", TokenQuery(Role.ACTIVATING, L3N45)),
    ("EXPLAIN tokens IN CONTEXT OF 3/45 OF 'm' LIMIT 5 OFFSET 1", TokenQuery(
        Role.CONTEXT, NeuronRef(3, 45, "m"), 5, 1, Mode.EXPLAIN)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "statement"), STATEMENTS)
def test_statements(text: str, statement: Statement) -> None:
    assert parse(text) == statement


@pytest.mark.parametrize("group", Grouping)
def test_every_group_has_its_name(group: Grouping) -> None:
    assert parse(f"COUNT neurons BY {group.value}") == Query(count=Count(group))


@pytest.mark.parametrize(
    "text",
    [
        "neurons -- all of them\n",
        "-- all\nneurons",
        "neurons--",
        "neurons -- MATCHING 'a'",
        "neurons --\n-- 'never closed",
    ],
)
def test_a_comment_says_nothing(text: str) -> None:
    assert parse(text) == Query()


def test_two_dashes_within_a_literal_are_no_comment() -> None:
    assert parse("neurons MATCHING '--' BEFORE /--/ BEFORE 'b'") == Query(
        Matching(TokenPattern((TokenLiteral("--"), TokenExpression("--"), B), (Link(), Link())))
    )


def test_keywords_are_free_as_names_elsewhere() -> None:
    assert parse("neurons SIMILAR TO L3N45 USING tokens RETURN model") == Query(
        SimilarTo(L3N45, Metric.TOKENS), returns=("model",)
    )
    assert parse("COUNT neurons BY model") == Query(count=Count(Grouping.MODEL))
    assert parse("neurons MATCHING $neurons BEFORE $Neurons") == Query(
        Matching(TokenPattern((Variable("neurons"), Variable("neurons")), (Link(),)))
    )
