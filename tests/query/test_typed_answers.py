"""What a type checker knows of an answer: this file is checked by mypy, and run."""

from __future__ import annotations

from typing import Any, assert_type

import pyarrow as pa

import n2gdb
from n2gdb import (
    Answer,
    GroupCount,
    Hit,
    Neuron,
    NeuronGraph,
    NeuronName,
    PatternHit,
    Stage,
    TokenHit,
    neurons,
    patterns,
    patterns_of,
    tok,
    tokens_activating,
    tokens_in_context_of,
)


def test_an_answer_is_of_the_kind_that_is_asked_for(small: n2gdb.Database) -> None:
    found = neurons().matching(tok("dog").before(...)).where(layer=0).order_by("-f1").limit(3)
    hits = assert_type(small.query(found), Answer[Hit])
    assert all(isinstance(hit, Hit) for hit in hits)
    for hit in hits:
        assert_type(hit, Hit)
        assert_type(hit.neuron, NeuronName)
        assert_type(hit.layer, int)
        assert_type(hit.f1, float | None)
    of_patterns = assert_type(small.query(patterns().mentioning("dog")), Answer[PatternHit])
    assert all(isinstance(hit, PatternHit) for hit in of_patterns)
    assert_type(small.query(patterns_of(found)), Answer[PatternHit])
    counts = assert_type(small.query(neurons().count(by="layer").limit(2)), Answer[GroupCount])
    assert all(isinstance(each, GroupCount) for each in counts)
    assert_type(small.query(patterns().count()), Answer[GroupCount])
    tokens = assert_type(small.query(tokens_activating("L0N1").limit(5)), Answer[TokenHit])
    assert all(isinstance(each, TokenHit) for each in tokens)
    assert_type(small.query(tokens_in_context_of("L0N1")), Answer[TokenHit])


def test_an_explained_query_answers_with_stages(small: n2gdb.Database) -> None:
    for stages in (
        assert_type(small.query(neurons().explain()), Answer[Stage]),
        assert_type(small.query(patterns().limit(1).profile()), Answer[Stage]),
        assert_type(small.query(neurons().count().explain()), Answer[Stage]),
        assert_type(small.query(neurons().explain().count(by="layer")), Answer[Stage]),
        assert_type(small.query(tokens_activating("L0N1").explain()), Answer[Stage]),
    ):
        assert len(stages) and all(isinstance(stage, Stage) for stage in stages)


def test_the_answer_to_a_text_is_of_any_kind(small: n2gdb.Database) -> None:
    assert_type(small.query("neurons"), Answer[Any])
    assert_type(small.query(neurons().query), Answer[Any])


def test_a_database_is_a_typed_collection(small: n2gdb.Database) -> None:
    assert_type(small["L0N1"], Neuron)
    assert_type(small[0, 1], Neuron)
    assert_type([neuron.f1 for neuron in small], list[float | None])
    name, graph = next(small.graphs())
    assert_type(name, NeuronName)
    plain: NeuronGraph = graph
    assert len(plain) >= 0
    table: pa.Table = small.nodes()
    assert table.num_rows
    answer = small.query(neurons())
    assert_type(answer["f1"], list[Any])
    assert_type(answer[0], Hit)
    assert_type(answer[:2], tuple[Hit, ...])
    assert_type(answer.to_csv(), str)
