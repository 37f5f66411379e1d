"""The words for units: neurons, latents and units, in every place that a statement has for one."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

import n2gdb
from n2gdb.errors import QueryError, QuerySyntaxError, UnknownNameError
from n2gdb.query.builder.queries import neurons, patterns_of
from n2gdb.storage.build.database import build_database
from tests.generators.unit_sets import UnitSet, UnitSets
from tests.support.small_run import random_graph, write_run

SETS = UnitSets(
    (
        UnitSet(0, 0, "mlp", "mlp", 3, "+-"),
        UnitSet(0, 1, "res-jb", "sae", 3),
        UnitSet(0, 2, "tc", "transcoder", 2),
        UnitSet(0, 3, "resid_post", "residual", 2, "+-"),
        UnitSet(1, 1, "res-jb", "sae", 3),
    )
)
#: What each word means, by the kinds of units.
KINDS = {
    "neurons": {"mlp"},
    "latents": {"sae", "transcoder"},
    "units": {"mlp", "sae", "transcoder", "residual"},
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    folder = tmp_path_factory.mktemp("words")
    random = Random(5)
    graphs = {name: random_graph(random) for _, name in SETS.names()}
    build_database(folder / "x.n2gdb", [write_run(folder / "run", graphs, sets=SETS)])
    with n2gdb.open(folder / "x.n2gdb") as opened:
        yield opened


@pytest.fixture(scope="module")
def owned(database: n2gdb.Database) -> dict[str, list[str]]:
    """The names of the units of each kind that have patterns, one for each pattern."""
    rows = database.query("patterns RETURN neuron, kind").to_dicts()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["kind"], []).append(row["neuron"])
    assert found.keys() == KINDS["units"]
    return found


@pytest.mark.parametrize("word", KINDS)
def test_patterns_of_units_are_those_of_the_word(
    word: str, database: n2gdb.Database, owned: dict[str, list[str]]
) -> None:
    wanted = sorted(name for kind in KINDS[word] for name in owned[kind])
    rows = database.query(f"patterns OF {word}")
    assert sorted(str(row.neuron) for row in rows) == wanted
    assert database.count(f"patterns OF {word}") == len(wanted)
    assert str(rows[0].neuron) in wanted
    explained = database.query(f"PROFILE patterns OF {word} MATCHING ...")
    assert explained[0].rows <= len(wanted)


@pytest.mark.parametrize("word", KINDS)
def test_tokens_of_units_are_those_of_the_word(word: str, database: n2gdb.Database) -> None:
    wanted = {
        row.token
        for kind in KINDS[word]
        for unit in database.query(f"units WHERE kind = '{kind}'")
        for row in database.query(f"tokens ACTIVATING {unit.neuron}")
    }
    assert {row.token for row in database.query(f"tokens ACTIVATING {word}")} == wanted


def test_patterns_of_a_built_query_are_those_of_its_units(
    database: n2gdb.Database, owned: dict[str, list[str]]
) -> None:
    assert sorted(str(row.neuron) for row in database.query(patterns_of(neurons()))) == sorted(owned["mlp"])


@pytest.mark.parametrize("word", KINDS)
def test_what_needs_a_match_is_refused_of_every_word(word: str, database: n2gdb.Database) -> None:
    for clauses in ("", "NOT MATCHING 'the' "):
        with pytest.raises(QuerySyntaxError, match="needs a MATCHING clause"):
            database.query(f"{word} {clauses}ORDER BY activation")


@pytest.fixture(scope="module")
def of_latents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """A database whose model has MLPs, of which no neuron was ingested."""
    folder = tmp_path_factory.mktemp("latents")
    random = Random(6)
    sets = UnitSets((UnitSet(0, 0, "mlp", "mlp", 3), UnitSet(0, 1, "res-jb", "sae", 3)))
    graphs = {name: random_graph(random) for _, name in sets.names() if name.latent}
    build_database(folder / "x.n2gdb", [write_run(folder / "run", graphs, sets=sets)])
    with n2gdb.open(folder / "x.n2gdb") as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("neurons MATCHING 'the'", "neurons"),
        ("COUNT neurons BY layer", "neurons"),
        ("patterns OF neurons", "neurons"),
        ("tokens ACTIVATING latents AND ACTIVATING neurons WHERE layer = 0", "neurons"),
        ("EXPLAIN neurons", "neurons"),
        ("AVG f1 OF neurons", "neurons"),
    ],
)
def test_a_word_of_which_there_are_no_units_is_refused_where_it_stands(
    query: str, place: str, of_latents: n2gdb.Database
) -> None:
    with pytest.raises(QueryError) as refused:
        of_latents.query(query)
    assert refused.value.message == (
        "the database holds no neurons: it holds latents; units finds all that it holds"
    )
    assert (refused.value.line, refused.value.column) == (1, query.index(place) + 1)
    assert of_latents.count(query.replace("neurons", "units").replace("EXPLAIN ", "")) > 0


def test_a_database_without_latents_says_so(small: n2gdb.Database) -> None:
    with pytest.raises(QueryError, match="holds no latents: it holds neurons"):
        small.query("latents")
    assert small.count("units") == small.count("neurons")


@pytest.mark.parametrize("condition", ["= 'res-jp'", "<> 'res-jp'", "IN ('mlp', 'res-jp')"])
def test_a_source_that_there_is_not_is_refused(condition: str, database: n2gdb.Database) -> None:
    query = f"units WHERE layer = 0 AND NOT (f1 < 2 OR source {condition})"
    with pytest.raises(UnknownNameError) as refused:
        database.query(query)
    assert "holds no source 'res-jp': it holds mlp, res-jb, resid_post, tc" in str(refused.value)
    assert (refused.value.near, refused.value.column) == (("res-jb",), query.index("source") + 1)
    assert database.count(query.replace("res-jp", "res-jb")) == 0
