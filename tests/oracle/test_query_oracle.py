"""The database answers as the evaluator does: the same rows in the same order, on the same evidence.

A long run of the same is ``python -m tests.oracle.run``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

import n2gdb
from n2gdb.database import Database
from n2gdb.errors import QueryError
from n2gdb.grammar.ast import Metric, Mode, NeuronRef, Query, RankBy, Subject
from n2gdb.query.parse import read_query
from tests.generators.statements import Job
from tests.generators.worlds import asked, missing
from tests.oracle.check import check
from tests.oracle.random.queries import random_statement
from tests.oracle.run import tallies
from tests.oracle.tally import total_of
from tests.oracle.world import World
from tests.support.worlds import build_world

#: Worlds of each kind, and the statements that each is asked: most pairs are small, some answers are long.
STATEMENTS = {"small": (6, 260), "smollm": (2, 200), "long": (2, 55), "wide": (2, 15), "demo": (2, 100)}
#: The same of texts that graphs are run on: each is asked in about sixteen ways.
TEXTS = {"small": (6, 100), "smollm": (2, 300), "long": (2, 80), "wide": (2, 40), "demo": (2, 120)}

#: What has to be asked for, and found, to say that everything was.
CONSTRUCTS = {
    *(
        "AnyToken",
        "BEFORE",
        "BEFORE/k",
        "Between",
        "Comparison",
        "Computed",
        "ContainedIn",
        "Contains",
        "Count",
    ),
    *("FiringOn", "Grouping.ACTIVATING", "Grouping.CONTEXT", "Grouping.LAYER", "Grouping.MODEL"),
    *("Grouping.STATE", "InList", "Matching", "Mentioning", "Metric.COFIRING", "Metric.GRAPH"),
    *("Metric.SUBSET", "Metric.TOKENS"),
    *("NEAR", "Negated", "Not", "OneOf", "Or", "RankBy", "Run", "SimilarTo", "Subject.PATTERNS", "THEN"),
    *(
        "TokenClass",
        "TokenExpression",
        "TokenQuery",
        "Variable",
        "exact literal",
        "literal of several tokens",
    ),
    *("Influence.EXCITED", "Influence.INHIBITED", "Influenced", "Predictor.EVIDENCE", "Predictor.GRAPH"),
    *("Effect.PROMOTING", "Effect.SUPPRESSING", "Writing", "WrittenVariable"),
    *("Subject.LATENTS", "Subject.UNITS", "latent", "latent of a set", "negative side", "owners"),
    *("limit", "loose literal", "model", "offset", "order", "returns", "variable twice"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, World]]:
    path, world = build_world(tmp_path_factory.mktemp("world"), seed=0)
    assert len(world.models) == 3
    with n2gdb.open(path) as database:
        yield database, world


@pytest.mark.parametrize("kind", STATEMENTS)
def test_the_database_answers_as_the_evaluator_does(kind: str) -> None:
    total = total_of(tallies(_jobs(kind, STATEMENTS), _children()))
    assert total.is_right, total.wrong()
    assert total.found >= 0.4 * total.pairs
    if kind == "small":
        assert {name for name, found in total.had_and_found.items() if found} >= CONSTRUCTS


@pytest.mark.parametrize("kind", TEXTS)
def test_graphs_predict_the_same_in_every_way(kind: str) -> None:
    total = total_of(tallies(_jobs(kind, TEXTS), _children(), predictions=True))
    assert total.is_right, total.wrong()
    assert total.found >= 0.4 * total.pairs


def _jobs(kind: str, asked: dict[str, tuple[int, int]]) -> list[Job]:
    if why := missing(kind):
        pytest.skip(why)
    worlds, number = asked[kind]
    return [Job(kind, seed, number) for seed in range(worlds)]


def _children() -> int:
    return min(2, os.cpu_count() or 1)


def test_one_query_over_several_models_finds_neurons_of_all(world: tuple[Database, World]) -> None:
    database, models = world
    hits = database.query("neurons MATCHING ...")
    assert {hit.model for hit in hits} == {model.name for model in models.models}


def test_limit_and_offset_cut_the_same_order(world: tuple[Database, World]) -> None:
    database, _ = world
    query = read_query("neurons MATCHING ... ORDER BY activation DESC")
    assert isinstance(query, Query)
    whole = [hit.neuron for hit in database.query(query)]
    part = database.query(replace(query, limit=5, offset=3))
    assert [hit.neuron for hit in part] == whole[3:8]
    assert part.total == len(whole) > 8


@pytest.mark.parametrize("metric", Metric)
def test_every_neuron_comes_first_of_those_ranked_by_it(
    metric: Metric, world: tuple[Database, World]
) -> None:
    database, held = world
    for neuron in held.neurons:
        name = neuron.name
        ref = NeuronRef(name.layer, name.index, neuron.model.name, name.side, name.latent, name.source)
        ranked = Query(rank=RankBy(ref, metric), subject=Subject.UNITS)
        check(ranked, database, held)
        first = database.query(ranked)[0]
        assert (first.neuron, first.model, first.similarity) == (neuron.name, neuron.model.name, 1)


@pytest.mark.parametrize(
    "query",
    [
        Query(rank=RankBy(NeuronRef(0, 0))),
        Query(rank=RankBy(NeuronRef(9, 0, "model-0"))),
        Query(rank=RankBy(NeuronRef(0, 0, "model-9"))),
        Query(model="model-9"),
    ],
)
def test_both_refuse_names_that_are_not_clear(query: Query, world: tuple[Database, World]) -> None:
    assert check(query, *world) is None


def test_estimates_hold_of_random_statements() -> None:
    bounded = exact = 0
    with asked("small", 11) as world:
        random = Random(11)
        for _ in range(80):
            statement = replace(random_statement(random, world.known), mode=Mode.PROFILE)
            try:
                stages = list(world.database.query(statement))
            except QueryError:  # the other tests hold that it is right to refuse it
                continue
            for stage in stages:
                if stage.estimate is not None and stage.rows is not None:
                    assert stage.estimate.least <= stage.rows <= stage.estimate.most, (statement, stage)
                    bounded += 1
                    exact += stage.estimate.least == stage.estimate.most
    assert bounded > 100 and exact > 10
