"""A query that does not parse is answered with what to write instead, and a caret under the fault."""

from __future__ import annotations

import pytest

from n2gdb.errors import QueryError, QuerySyntaxError
from n2gdb.grammar.ast import (
    Clause,
    Comparison,
    Formula,
    Key,
    Matching,
    Not,
    Operator,
    Query,
    Run,
    TokenPattern,
)
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.parsing.parser import parse
from n2gdb.grammar.unparse import written
from n2gdb.query.parse import read_query

FIELDS = (
    "layer, index, source, kind, side, density, state, max_activation, precision, recall, f1, true_firings, "
    "predicted_firings, heldout_precision, heldout_recall, heldout_f1, heldout_firings, "
    "n_patterns, n_nodes, n_activating, n_context, polysemy, max_depth, activation, "
    "importance, support, confidence, matches, share, depth, named, promoted, suppressed"
)

# A query with a ^ before the fault, and what is said.
CASES = [
    ("^", "an empty query: write for example neurons MATCHING 'the' BEFORE ..."),
    (
        "^foo",
        "a query starts with neurons, patterns, tokens or COUNT, as in neurons MATCHING 'the' BEFORE ...",
    ),
    ("^neuron MATCHING 'a'", "unexpected neuron: did you mean neurons?"),
    ("neurons ^MATCHNG 'a'", "unexpected MATCHNG: did you mean MATCHING?"),
    ("neurons ^'the'", "MATCHING is missing before 'the': write MATCHING 'the'"),
    (
        "neurons MATCHING 'a' AND ^'b'",
        "AND joins clauses: write AND MATCHING 'b', or BEFORE 'b' for the same pattern",
    ),
    ("neurons MATCHING ^'the", "this ' is never closed: end the token with ' on the same line"),
    ('neurons MATCHING ^"the', 'this " is never closed: end the token with " on the same line'),
    ("neurons MATCHING ^“a”", "“ is a typographic quote: write ' or \""),
    ("neurons MATCHING 'it'^'s'", r"two quotes in a row: a quote inside a token is written \'"),
    (
        "neurons MATCHING '^\\q'",
        r"\q is not an escape: there are \' \" \\ \n \r \t, and \\ stands for a backslash",
    ),
    ("neurons MATCHING ^''", "an empty token: write the token between the quotes, or ... for any"),
    ("neurons MATCHING ^the", "the token the needs quotes: write 'the'"),
    ("neurons MATCHING 'a' BEFORE ^the", "the token the needs quotes: write 'the'"),
    (
        "neurons MATCHING^",
        "MATCHING with nothing after it: a token in quotes or ... follows, as in MATCHING 'the'",
    ),
    (
        "neurons MATCHING 'the' BEFORE^  ",
        "BEFORE with nothing after it: a token in quotes or ... follows, as in BEFORE 'the'",
    ),
    (
        "neurons MATCHING 'a' BEFORE ^WHERE f1 > 3",
        "unexpected WHERE after BEFORE: expected a token in quotes or ...",
    ),
    ("neurons MATCHING ^L3.45", "L3.45 is not a neuron's name: write L3N45"),
    ("neurons WHERE ^L3.45", "L3.45 is not a neuron's name: write L3N45"),
    (
        "neurons MATCHING ^L3N45",
        "L3N45 is a neuron, not a token: write WHERE layer = 3 AND index = 45",
    ),
    ("neurons MATCHING 'a' ^BEFRE 'b'", "unexpected BEFRE: did you mean BEFORE?"),
    (
        "neurons MATCHING 'a' ^'b'",
        "two tokens in a row: write BEFORE 'b', or THEN 'b' for the very next position",
    ),
    (
        "neurons MATCHING 'a' BEFORE 'b' ^AFTER 'c'",
        "AFTER after BEFORE in one pattern: keep to one direction, AFTER throughout or BEFORE and THEN "
        "throughout",
    ),
    (
        "neurons MATCHING 'a' AFTER 'b' ^THEN 'c'",
        "THEN after AFTER in one pattern: keep to one direction, AFTER throughout or BEFORE and THEN "
        "throughout",
    ),
    (
        "neurons MATCHING 'a' BEFORE^/ 'b'",
        "BEFORE/ takes a whole number of positions, written together, as in BEFORE/3",
    ),
    (
        "neurons MATCHING 'a' BEFORE ^/3 'b'",
        "BEFORE/ takes a whole number of positions, written together, as in BEFORE/3",
    ),
    ("neurons MATCHING 'a' BEFORE^/0 'b'", "BEFORE/0: a distance is a whole number from 1 up"),
    (
        "neurons MATCHING 'a' THEN^/3 'b'",
        "THEN takes no distance, it means the very next position: write BEFORE/3",
    ),
    ("neurons (MATCHING 'a'^", "the query ends too early: expected )"),
    ("neurons WHERE ^f2 > 3", "no field f2: did you mean f1?"),
    ("neurons WHERE ^activaton > 3", "no field activaton: did you mean activation?"),
    ("neurons WHERE ^zzz > 3", f"no field zzz: there are {FIELDS}"),
    ("neurons ORDER BY ^lyer", "no field lyer: did you mean layer?"),
    ("neurons WHERE^", "the query ends too early: expected a field, a number, NOT or ("),
    (
        "neurons WHERE layer^",
        "the query ends too early: expected a comparison such as >=, arithmetic, IN, IS MISSING or NOT",
    ),
    ("neurons WHERE layer IN ^3..0", "the range 3..0 runs backwards: write 0..3"),
    (
        "neurons WHERE layer IN 0^",
        "a range is written with two dots, as in 0..3, and a list in parentheses, as in (1, 2)",
    ),
    ("neurons WHERE f1 = ^'a'", "f1 is a number: compare it with a number, without quotes"),
    ("neurons WHERE state = ^'ded'", "no state 'ded': there are 'live', 'unpredicted', 'dead', 'dense'"),
    ("neurons WHERE ^state < 'dead'", "state is a word: compare it with = or !="),
    ("neurons WHERE state IN ^0..1", "state is a word: write state = 'live'"),
    ("neurons WHERE layer = ^99999999999999999999", "99999999999999999999 is too large a number"),
    ("neurons WHERE ^activation > 3", "activation is a field of a match: it needs a MATCHING clause"),
    (
        "neurons NOT MATCHING 'a' ORDER BY ^importance",
        "importance is a field of a match: it needs a MATCHING clause that is not negated",
    ),
    (
        "neurons WHERE f1 > 1 ^MATCHING 'a'",
        "MATCHING stands before WHERE, ORDER BY and LIMIT: move it there",
    ),
    ("neurons ORDER ^f1", "BY is missing after ORDER: write ORDER BY f1"),
    ("neurons LIMIT^", "LIMIT takes a whole number, as in LIMIT 20"),
    ("neurons LIMIT ^ten", "LIMIT takes a whole number, as in LIMIT 20"),
    ("neurons LIMIT ^1.5", "LIMIT takes a whole number from 0 up, not 1.5"),
    ("neurons OFFSET ^-3", "OFFSET takes a whole number from 0 up, not -3"),
    ("neurons LIMIT 3 ^LIMIT 4", "LIMIT stands here twice: once is enough"),
    ("neurons\nMATCHING 'a'\n BEFORE ^b", "the token b needs quotes: write 'b'"),
]


@pytest.mark.parametrize(("marked", "message"), CASES, ids=[marked for marked, _ in CASES])
def test_an_error_points_and_says_what_to_write(marked: str, message: str) -> None:
    before, _, after = marked.partition("^")
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(before + after)
    assert caught.value.message == message
    assert caught.value.line == before.count("\n") + 1
    assert caught.value.column == len(before.rpartition("\n")[2]) + 1


@pytest.mark.parametrize(
    "text",
    [
        "neurons WHERE " + "NOT " * 1000 + "f1 > 0.5",
        "neurons " + "NOT " * 1000 + "MATCHING 'a'",
        "neurons WHERE " + "NOT (f1 > 0.5 AND " * 200 + "f1 > 0.5" + ")" * 200,
    ],
)
def test_nesting_has_an_end(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match="deep"):
        read_query(text)


def test_parentheses_alone_do_not_nest() -> None:
    assert read_query("neurons WHERE " + "(" * 1000 + "f1 > 0.5" + ")" * 1000) == read_query(
        "neurons WHERE f1 > 0.5"
    )


def test_the_caret_stands_under_the_fault() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        read_query("neurons\n  MATCHING the")
    assert str(caught.value).splitlines() == [
        "the token the needs quotes: write 'the'",
        "    MATCHING the",
        "             ^",
    ]


def test_the_grammar_raises_an_error_of_its_own() -> None:
    with pytest.raises(GrammarError) as caught:
        parse("neurons MATCHING the")
    assert (caught.value.line, caught.value.column) == (1, 18)


def test_what_is_written_of_a_tree_is_held_to_the_rules_of_text() -> None:
    activation = Comparison("activation", Operator.MORE, 0.5)
    with pytest.raises(QueryError, match="MATCHING"):
        read_query(written(Query(where=activation)))
    negated: Formula[Clause] = Not(Matching(TokenPattern((Run(),))))
    with pytest.raises(QueryError, match="not negated"):
        read_query(written(Query(negated, order=(Key("activation"),))))


@pytest.mark.parametrize(
    "text",
    [
        "neurons MATCHING " + "a" * 100_000,
        "neurons MATCHING L" + "3" * 100_000 + ".4",
        "neurons MATCHING " + "(" * 100_000,
        "neurons WHERE " + "x" * 100_000,
        "neurons WHERE f1 " + "=" * 100_000,
        "neurons LIMIT " + "9" * 100_000,
        "neurons MATCHING 'a' BEFORE/" + "9" * 100_000,
    ],
    ids=["word", "name", "parentheses", "field", "sign", "number", "distance"],
)
def test_a_message_repeats_little_of_what_was_written(text: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(text)
    assert len(caught.value.message) <= 400
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "neurons MATCHING " + "!" * 1000 + "'a'",
        "neurons MATCHING " + "(('a' | 'b') | " * 200 + "'a'" + ")" * 200,
        "neurons WHERE f1 > " + "(1 + " * 1000 + "f1" + ")" * 1000,
        "neurons WHERE f1 > " + "- " * 1000 + "f1",
    ],
    ids=["negations", "alternatives", "sums", "minuses"],
)
def test_steps_and_sums_nest_only_so_deep(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match="deep"):
        read_query(text)
