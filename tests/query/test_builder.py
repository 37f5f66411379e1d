"""Queries without strings: the same tree as the text's, the text as what is printed, the same errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import cast

import pytest

from n2gdb.core.units import NeuronName
from n2gdb.errors import ArgumentError, N2gdbError, QueryError, QuerySyntaxError, UnknownNameError
from n2gdb.grammar.parsing.parser import parse
from n2gdb.query.builder.queries import (
    DIGIT,
    SPACE,
    QueryBuilder,
    TokenQueryBuilder,
    TokenSetBuilder,
    TokenStageQuery,
    TokenStep,
    activating_on,
    any_token,
    field,
    firing_on,
    kind,
    matching,
    mentioning,
    neurons,
    one_of,
    patterns,
    regex,
    similar_to,
    subset_of,
    superset_of,
    tok,
    tokens_activating,
    tokens_in_context_of,
    var,
)
from n2gdb.query.parse import read_query

X = var("x")

PATTERNS = [
    (tok("the"), "'the'"),
    ("the", "'the'"),
    (tok(" the", exact=True), '" the"'),
    (tok("it's"), r"'it\'s'"),
    (..., "..."),
    (any_token, "_"),
    (X, "$x"),
    (DIGIT, "<digit>"),
    (kind("punct"), "<punct>"),
    (regex("bark(s|ed)?", ignore_case=True), "/bark(s|ed)?/i"),
    (regex("a/b"), r"/a\/b/"),
    (one_of("dog", "cat"), "('dog' | 'cat')"),
    (tok("dog") | "cat" | DIGIT, "('dog' | 'cat' | <digit>)"),
    ("dog" | tok("cat"), "('dog' | 'cat')"),
    (~tok("x"), "!'x'"),
    (~(tok("a") | SPACE), "!('a' | <space>)"),
    (tok("the").before("end"), "'the' BEFORE 'end'"),
    (tok("the").before(...), "'the' BEFORE ..."),
    (tok("the").before("end", 3), "'the' BEFORE/3 'end'"),
    (tok("of").then("the"), "'of' THEN 'the'"),
    (tok("end").after("the"), "'end' AFTER 'the'"),
    (tok("end").after("the", within=2), "'end' AFTER/2 'the'"),
    (tok("a").near("b"), "'a' NEAR 'b'"),
    (tok("a").near("b", within=3), "'a' NEAR/3 'b'"),
    (X.before(X), "$x BEFORE $x"),
    (X.before(any_token).then(X), "$x BEFORE _ THEN $x"),
    (tok("a").then(tok("b").before("c")), "'a' THEN 'b' BEFORE 'c'"),
    (tok("c").after(tok("a").then("b")), "'a' THEN 'b' BEFORE 'c'"),
    (tok("a").before(...).then("b"), "'a' BEFORE ... THEN 'b'"),
]


@pytest.mark.parametrize(("steps", "text"), PATTERNS, ids=[text for _, text in PATTERNS])
def test_patterns_meet_in_the_same_tree(steps: object, text: str) -> None:
    built = neurons().matching(steps)  # type: ignore[arg-type]
    assert built.query == parse(f"neurons MATCHING {text}")


A, B = matching("a"), mentioning("b")

Built = QueryBuilder | TokenQueryBuilder | TokenStageQuery

QUERIES: list[tuple[Built, str]] = [
    (neurons(), "neurons"),
    (patterns(), "patterns"),
    (neurons(A), "neurons MATCHING 'a'"),
    (neurons().matching("a").matching("c"), "neurons MATCHING 'a' AND MATCHING 'c'"),
    (neurons(A & ~B), "neurons MATCHING 'a' AND NOT MENTIONING 'b'"),
    (neurons(A | B | matching("c")), "neurons MATCHING 'a' OR MENTIONING 'b' OR MATCHING 'c'"),
    (neurons((A | B) & ~A), "neurons (MATCHING 'a' OR MENTIONING 'b') AND NOT MATCHING 'a'"),
    (neurons(A | B).mentioning("c"), "neurons (MATCHING 'a' OR MENTIONING 'b') AND MENTIONING 'c'"),
    (neurons(~(A & B)), "neurons NOT (MATCHING 'a' AND MENTIONING 'b')"),
    (neurons(A, B), "neurons MATCHING 'a' AND MENTIONING 'b'"),
    (neurons().having(A).having(~B), "neurons MATCHING 'a' AND NOT MENTIONING 'b'"),
    (neurons().activating_on(DIGIT), "neurons ACTIVATING ON <digit>"),
    (neurons(activating_on("a")), "neurons ACTIVATING ON 'a'"),
    (neurons().firing_on("Everyone except"), 'neurons FIRING ON "Everyone except"'),
    (neurons().firing_on('say "no"\n', at=-1), r'neurons FIRING ON "say \"no\"\n" AT -1'),
    (neurons().similar_to("L4N137"), "neurons SIMILAR TO L4N137"),
    (
        neurons().similar_to(NeuronName(4, 137), metric="tokens", above=0.8, model="gpt2"),
        "neurons SIMILAR TO L4N137 OF 'gpt2' USING tokens ABOVE 0.8",
    ),
    (neurons().subset_of("4/12", above=0.5), "neurons SUBSET OF L4N12 ABOVE 0.5"),
    (neurons().subset_of("4/12", sharing=3), "neurons SUBSET OF L4N12 SHARING 3"),
    (
        neurons().similar_to("L4N137", metric="cofiring", above=0.2, sharing=2),
        "neurons SIMILAR TO L4N137 USING cofiring ABOVE 0.2 SHARING 2",
    ),
    (neurons().among("$mine").activating_on("a"), "neurons IN $mine ACTIVATING ON 'a'"),
    (neurons().superset_of("L1N7"), "neurons SUPERSET OF L1N7"),
    (
        neurons(similar_to("L4N1") | subset_of("L4N1") | superset_of("L4N1") | firing_on("a")),
        "neurons SIMILAR TO L4N1 OR SUBSET OF L4N1 OR SUPERSET OF L4N1 OR FIRING ON 'a'",
    ),
    (
        neurons().matching("a").where(activation__gt=0.5).order_by("-activation", "layer").offset(5),
        "neurons MATCHING 'a' WHERE activation > 0.5 ORDER BY activation DESC, layer OFFSET 5",
    ),
    (neurons().in_model("gpt2").limit(0), "neurons IN MODEL 'gpt2' LIMIT 0"),
    (neurons().returning("neuron", "F1", "path"), "neurons RETURN neuron, f1, path"),
    (
        neurons().rank_by_similarity("L4N137", metric="subset"),
        "neurons RANK BY SIMILARITY TO L4N137 USING subset",
    ),
    (neurons().matching("a").count(), "COUNT neurons MATCHING 'a'"),
    (patterns().matching("a").count(by="layer").limit(3), "COUNT patterns MATCHING 'a' BY layer LIMIT 3"),
    (neurons().explain(), "EXPLAIN neurons"),
    (neurons().profile(), "PROFILE neurons"),
    (tokens_activating("L3N45").limit(5), "tokens ACTIVATING L3N45 LIMIT 5"),
    (
        tokens_in_context_of("L3N45", model="gpt2").offset(2).explain(),
        "EXPLAIN tokens IN CONTEXT OF L3N45 OF 'gpt2' OFFSET 2",
    ),
    (tokens_activating("L3N45").profile(), "PROFILE tokens ACTIVATING L3N45"),
]


@pytest.mark.parametrize(("built", "text"), QUERIES, ids=[text for _, text in QUERIES])
def test_queries_meet_in_the_same_tree(built: Built, text: str) -> None:
    assert built.query == parse(text)
    assert parse(str(built)) == built.query


F1, LAYER = field("f1"), field("layer")

CONDITIONS = [
    (neurons().where(layer=3), "layer = 3"),
    (neurons().where(layer=range(1, 3)), "layer IN 1..2"),
    (neurons().where(layer__in=range(2, 3)), "layer IN 2..2"),
    (neurons().where(layer=[0, 2]), "layer IN (0, 2)"),
    (neurons().where(layer__in={2, 0}), "layer IN (0, 2)"),
    (neurons().where(layer__not_in=(0, 2)), "layer NOT IN (0, 2)"),
    (neurons().where(layer__not_in=range(1, 3)), "layer NOT IN 1..2"),
    (neurons().where(state="live"), "state = 'live'"),
    (neurons().where(state__ne="dead"), "state != 'dead'"),
    (neurons().where(state=["live", "dead"]), "state IN ('live', 'dead')"),
    (neurons().where(f1__ge=0.6), "f1 >= 0.6"),
    (neurons().where(f1__gt=0.6), "f1 > 0.6"),
    (neurons().where(f1__le=0.6), "f1 <= 0.6"),
    (neurons().where(f1__lt=-0.6), "f1 < -0.6"),
    (neurons().where(f1__eq=1), "f1 = 1"),
    (neurons().where(f1__between=(0.2, 0.5)), "f1 IN 0.2..0.5"),
    (neurons().where(layer=1, f1__ge=0.6), "layer = 1 AND f1 >= 0.6"),
    (neurons().where(layer=1).where(f1__ge=0.6), "layer = 1 AND f1 >= 0.6"),
    (neurons().where(F1 > 0.6), "f1 > 0.6"),
    (neurons().where(0.6 < F1), "f1 > 0.6"),  # noqa: SIM300
    (neurons().where((F1 < 0.6) | (LAYER == 0)), "f1 < 0.6 OR layer = 0"),
    (neurons().where((F1 <= 0.6) & ~(LAYER != 0), index=3), "f1 <= 0.6 AND NOT layer != 0 AND index = 3"),
    (neurons().where((F1 < 0.6) | (LAYER == 0), index=3), "(f1 < 0.6 OR layer = 0) AND index = 3"),
    (neurons().where(field("state") == "dead"), "state = 'dead'"),
    (neurons().where(field("precision") > 2 * field("recall")), "precision > 2 * recall"),
    (neurons().where((F1 + 1) * 2 - LAYER / 3 >= 1 - F1), "(f1 + 1) * 2 - layer / 3 >= 1 - f1"),
    (neurons().where(-F1 + 1 < 1 / LAYER), "0 - f1 + 1 < 1 / layer"),
    (neurons().where(1 + F1 > LAYER), "1 + f1 > layer"),
    (neurons().where(LAYER.within(range(3))), "layer IN 0..2"),
    (neurons().where(LAYER.within([1, 2])), "layer IN (1, 2)"),
    (neurons().where(F1.between(0.2, 0.5)), "f1 IN 0.2..0.5"),
]


@pytest.mark.parametrize(("built", "text"), CONDITIONS, ids=[text for _, text in CONDITIONS])
def test_conditions_meet_in_the_same_tree(built: QueryBuilder, text: str) -> None:
    assert built.query == parse(f"neurons WHERE {text}")


def test_a_query_prints_as_its_text() -> None:
    built = (
        neurons()
        .matching(tok("the").before(...))
        .where(layer=range(1, 3), f1__ge=0.6)
        .order_by("-f1")
        .limit(20)
    )
    text = "neurons MATCHING 'the' BEFORE ... WHERE layer IN 1..2 AND f1 >= 0.6 ORDER BY f1 DESC LIMIT 20"
    assert str(built) == text
    assert repr(built) == f"<QueryBuilder {text}>"
    assert repr(tok("the").before(...)) == "<Steps 'the' BEFORE ...>"
    assert repr(matching("a") & ~mentioning(DIGIT)) == "<MATCHING 'a' AND NOT MENTIONING <digit>>"
    assert repr((field("f1") + 1) * 2) == "<(f1 + 1) * 2>"
    assert repr(tokens_activating("3/45")) == "<TokenQueryBuilder tokens ACTIVATING L3N45>"


def test_a_builder_never_changes() -> None:
    every = neurons().matching("a")
    every.where(layer=3).limit(1).explain()
    assert every.query == parse("neurons MATCHING 'a'")
    assert hash(every) == hash(neurons().matching("a"))


NAMES = [
    (lambda: neurons().where(f2=1), "no field f2: did you mean f1?", ("f1",)),
    (lambda: neurons().where(f1__gte=1), "no comparison __gte: there are", None),
    (lambda: neurons().order_by("-lyer"), "no field lyer: did you mean layer?", ("layer",)),
    (lambda: field("similarity"), "similarity is not a field: order by it with RANK BY", ()),
    (lambda: neurons().count(by="layers"), "no group layers: did you mean layer?", ("layer",)),
    (lambda: neurons().returning("nuron"), "no column nuron: did you mean neuron?", ("neuron",)),
    (lambda: neurons().similar_to("L3N4", metric="graphs"), "no metric graphs: did you mean", ("graph",)),
    (lambda: neurons().similar_to("L3.4"), "'L3.4' is not a neuron's name", ()),
    (lambda: kind("digits"), "no token class digits: did you mean digit?", ("digit",)),
]


@pytest.mark.parametrize(("build", "message", "near"), NAMES, ids=[message for _, message, _ in NAMES])
def test_an_unknown_name_is_told_at_once(build: object, message: str, near: tuple[str, ...] | None) -> None:
    with pytest.raises(UnknownNameError) as caught:
        build()  # type: ignore[operator]
    assert str(caught.value).startswith(message)
    assert near is None or caught.value.near == near


FAULTS = [
    (lambda: X | "a", "$x stands for one token of the whole pattern: it cannot be one of several"),
    (lambda: "a" | X, "$x stands for one token of the whole pattern: it cannot be one of several"),
    (lambda: ~X, "$x stands for one token of the whole pattern: it cannot be negated"),
    (lambda: ~any_token, "_ is any token: it cannot be negated"),
    (
        lambda: mentioning(cast(TokenStep, X)),
        "$x stands for one token of the whole pattern: it cannot stand where",
    ),
    (
        lambda: one_of("a", cast(TokenStep, tok("b").then("c"))),
        "'b' THEN 'c' is several steps: it cannot stand where",
    ),
    (lambda: one_of(), "one_of() names no token"),
    (lambda: tok("a").before("b", 0), "within=0: a distance is a whole number from 1 up"),
    (lambda: neurons().where(layer=range(3, 0)), "layer within range(3, 0): write a range of step 1"),
    (lambda: neurons().where(layer=range(0, 6, 2)), "layer within range(0, 6, 2): write a range of step 1"),
    (lambda: neurons().where(layer=[]), "layer within an empty list"),
    (lambda: neurons().where(state__in="live"), "state within 'live': write a list of values"),
    (lambda: neurons().where(layer=True), "True is not a number to compare with"),
    (lambda: neurons().where(f1__ge=float("nan")), "nan is not a number to compare with"),
    (lambda: (field("f1") + 1).between(0, 1), "only a single field can stand before IN"),
]


@pytest.mark.parametrize(("build", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_what_makes_no_sense_is_told_at_once(build: object, message: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        build()  # type: ignore[operator]
    assert str(caught.value).startswith(message)


LATE = [
    (neurons().where(activation__gt=1), "activation is a field of a match: it needs a MATCHING clause"),
    (neurons().where(state="ded"), "no state 'ded': there are 'live', 'unpredicted', 'dead'"),
    (neurons().where(f1="a"), "f1 is a number: compare it with a number, without quotes"),
    (neurons().where(f1__between=(1, 0)), "the range 1..0 runs backwards: write 0..1"),
    (neurons().matching(tok("")), "an empty token: write the token between the quotes, or ... for any"),
    (neurons().matching(tok("a").near(...)), "NEAR joins two tokens, neither of them ... or _"),
    (neurons().similar_to("L3N4", above=2), "ABOVE takes a similarity from 0 to 1, not 2"),
    (neurons().limit(-1), "LIMIT takes a whole number from 0 up, not -1"),
    (neurons().order_by("f1").rank_by_similarity("L3N4"), "RANK BY SIMILARITY is an order"),
    (neurons().order_by("f1").count(), "COUNT has nothing but its counts"),
    (neurons().matching(regex("a\\")), "a regular expression cannot be empty or end in a backslash"),
]


@pytest.mark.parametrize(("built", "message"), LATE, ids=[message for _, message in LATE])
def test_the_tree_is_held_to_the_rules_of_text(built: QueryBuilder, message: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        _ = built.query
    assert caught.value.message.startswith(message)


def test_an_error_of_the_tree_shows_its_text() -> None:
    with pytest.raises(QueryError) as caught:
        _ = neurons().where(state="ded").query
    assert str(caught.value).splitlines()[1:] == ["  neurons WHERE state = 'ded'", " " * 24 + "^"]


def test_and_or_not_of_python_are_refused() -> None:
    with pytest.raises(TypeError, match=r"join clauses and conditions by & \| ~"):
        bool(matching("a"))
    with pytest.raises(TypeError, match="a step is a string"):
        neurons().matching(3)  # type: ignore[arg-type]


def test_building_needs_neither_numpy_nor_the_engine() -> None:
    code = (
        "import sys\nfrom n2gdb.query.builder.queries import neurons\n"
        "neurons().matching('a').where(f1__ge=0.5)\n"
        "print(*{'numpy', 'kuzu', 'torch', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


TOKEN_SETS: list[tuple[TokenSetBuilder, str]] = [
    (tokens_activating(neurons().where(layer=4)), "tokens ACTIVATING neurons WHERE layer = 4"),
    (
        tokens_activating(neurons().where(layer=4)) & ~tokens_activating(neurons().where(layer__lt=4)),
        "tokens ACTIVATING neurons WHERE layer = 4 AND NOT ACTIVATING neurons WHERE layer < 4",
    ),
    (
        tokens_in_context_of("L4N1")
        & tokens_activating("L4N2")
        & ~tokens_in_context_of(neurons().matching("a")),
        "tokens IN CONTEXT OF L4N1 AND ACTIVATING L4N2 AND NOT IN CONTEXT OF neurons MATCHING 'a'",
    ),
    (
        (tokens_activating("L4N1") & ~~tokens_activating("L4N2")).limit(5).offset(2),
        "tokens ACTIVATING L4N1 AND ACTIVATING L4N2 LIMIT 5 OFFSET 2",
    ),
]


@pytest.mark.parametrize(("query", "text"), TOKEN_SETS, ids=[text for _, text in TOKEN_SETS])
def test_tokens_over_sets_of_units_are_built(query: TokenSetBuilder, text: str) -> None:
    assert str(query) == text
    assert query.query == read_query(text)
    assert str(query.explain()) == f"EXPLAIN {text}"


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: ~(tokens_activating("L0N1") & tokens_activating("L0N2")), "write ~ before each"),
        (lambda: tokens_activating("L0N1").limit(2) & tokens_activating("L0N2"), "join first"),
        (lambda: tokens_activating(patterns()), "tokens are asked of a neuron or of a query for neurons"),
        (lambda: tokens_activating(neurons(), model="a"), "names its model itself"),  # type: ignore[call-overload]
    ],
)
def test_tokens_that_cannot_be_built_are_refused(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        ask()


def test_a_set_of_tokens_does_not_begin_with_what_is_left_out() -> None:
    with pytest.raises(N2gdbError):
        _ = (~tokens_activating("L0N1")).query
