"""From a query to Cypher: the statements, written out, and what never becomes part of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from n2gdb.core.reals import as_stored
from n2gdb.core.tokens import text_key
from n2gdb.grammar.ast import Link, Matching, Query, TokenLiteral, TokenPattern
from n2gdb.query.cypher.breadth import is_scanned, needs_columns
from n2gdb.query.cypher.compiler import (
    Compiled,
    compile_evidence,
    compile_joined,
    compile_query,
    compile_ranks,
    compile_rows,
)
from n2gdb.query.cypher.match import match_clause
from n2gdb.query.cypher.where import compares_match_with_neuron
from n2gdb.query.parse import read_query
from n2gdb.query.semantics.binder import positive_clauses, settle
from n2gdb.query.semantics.normal_form import lower
from n2gdb.storage.columns import STORED_COLUMNS
from n2gdb.storage.parameters import Parameters
from tests.oracle.random.queries import queries
from tests.support.fast import examples
from tests.support.few_words import few_words

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "compiler").glob("*.txt"))
A, B = TokenLiteral("a"), TokenLiteral("b")

#: What every answer returns, which fixtures write as {columns}.
COLUMNS = ", ".join("n.`index`" if name == "index" else f"n.{name}" for name in STORED_COLUMNS)


def query_from(text: str) -> Query:
    query = read_query(text)
    assert isinstance(query, Query)
    return query


def compiled_from(text: str) -> Compiled:
    """Compile a query against the tokens of FEW_WORDS; its only clause where that is asked by a join."""
    settled = settle(query_from(text), few_words())
    if compares_match_with_neuron(settled.query.where):
        (clause,) = settled.matched
        (compiled,) = compile_joined(settled, clause)
        return compiled
    return compile_query(settled)


@pytest.mark.parametrize("fixture", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_a_query_compiles_to(fixture: Path) -> None:
    query, cypher, parameters = fixture.read_text("utf-8").rstrip("\n").split("\n\n")
    compiled = compiled_from(query)
    assert compiled.cypher == cypher.replace("{columns}", COLUMNS)
    assert compiled.parameters == json.loads(parameters)


def test_there_are_fixtures() -> None:
    assert len(FIXTURES) >= 35


def placeholders(cypher: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", cypher))


@settings(max_examples=examples(300), suppress_health_check=list(HealthCheck))
@given(queries())
def test_every_placeholder_is_bound_and_every_value_used(query: Query) -> None:
    settled = settle(query, few_words())
    assume(not needs_columns(settled))  # no statement says what columns alone know
    evidence = [each for clause in settled.matched for each in compile_evidence(settled, clause, [1, 2])]
    for compiled in (compile_rows(settled, None, ("id",), [1]), *compile_ranks(settled), *evidence):
        assert placeholders(compiled.cypher) == set(compiled.parameters)
        assert {type(value) for value in compiled.parameters.values()} <= {int, float, str, list}


@pytest.mark.parametrize("quote", ["'", '"'])
def test_user_text_never_becomes_cypher(quote: str) -> None:
    hostile = "x'}) DETACH DELETE n; MATCH (n {`$p0"
    escaped = hostile.replace(quote, f"\\{quote}")
    compiled = compiled_from(f"neurons MATCHING !{quote}{escaped}{quote} BEFORE ...")
    assert list(compiled.parameters.values()) == [text_key(hostile.casefold() if quote == "'" else hostile)]
    assert "DELETE" not in compiled.cypher


def test_positive_clauses_are_those_under_an_even_number_of_nots() -> None:
    query = query_from("neurons NOT (MATCHING 'x' OR NOT MATCHING 'a') AND MATCHING 'b'")
    assert positive_clauses(query.clauses) == (Matching(TokenPattern((A,))), Matching(TokenPattern((B,))))
    assert positive_clauses(None) == ()


def test_an_exact_match_names_the_end_of_its_pattern() -> None:
    (form,) = lower(Matching(TokenPattern((A, B), (Link(),))), few_words())
    roughly = match_clause(form, "", (), Parameters())
    exactly = match_clause(form, "", (), Parameters(), exactly=True)
    assert (roughly.end, roughly.fields.activation) == ("c0.pre", "c0.activation")
    assert (exactly.end, exactly.fields.activation) == ("e.pre", "e.`end`")
    assert exactly.depths == ("c0.depth", "0")


def test_each_normal_form_ranks_its_neurons() -> None:
    settled = settle(
        query_from("neurons MATCHING 'a' NEAR 'b' WHERE f1 > 0.5 ORDER BY activation"), few_words()
    )
    first, second = compile_ranks(settled)
    assert first.cypher.splitlines()[-1] == (
        'RETURN n.id, max(c0.activation) AS activation, max(CAST(NULL, "DOUBLE")) AS importance,'
        ' max(CAST(NULL, "DOUBLE")) AS support, max(CAST(NULL, "DOUBLE")) AS confidence'
    )
    assert first.cypher.splitlines()[1].startswith("WHERE (n.f1 > $p2) AND u0.norm_key = $p0")
    assert first != second


def test_real_numbers_are_rounded_as_they_are_stored() -> None:
    assert as_stored(0.6) == 0.6
    assert as_stored(2 / 3) == 0.6666667
    assert as_stored(3) == 3.0
    assert as_stored(-1e300) == float("-inf")
    assert as_stored(1e300) == float("inf")
    assert isinstance(as_stored(1), float)


def test_an_answer_holds_every_statistic() -> None:
    returned = re.search(r"^RETURN (.*)$", compiled_from("neurons").cypher, re.MULTILINE)
    assert returned is not None
    assert tuple(name.strip("`").removeprefix("n.").strip("`") for name in returned[1].split(", ")) == (
        STORED_COLUMNS
    )


def test_only_patterns_of_several_broad_steps_are_walked() -> None:
    def walked(text: str) -> bool:
        settled = settle(query_from(f"neurons MATCHING {text}"), few_words())
        (clause,) = settled.matched
        return is_scanned(settled, clause)

    assert walked("<word> BEFORE <word> BEFORE ...")
    assert walked("'the' BEFORE <word> BEFORE !'a' BEFORE ...")
    assert not walked("<word> BEFORE <word>")
    assert not walked("'the' BEFORE <word> BEFORE ...")
    assert not walked("$x BEFORE $y BEFORE $x BEFORE ...")
    assert not walked("<word> BEFORE <word> BEFORE ... WHERE activation > 0.5")
