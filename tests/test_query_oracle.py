"""The database answers as the evaluator does: the same neurons in the same order, on the same evidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from n2gdb.compiler import compile_count, compile_query, read_query
from n2gdb.grammar.ast import Query
from n2gdb.graph import NeuronGraph
from n2gdb.hits import Evidence, Hit, find_hits
from n2gdb.neuron import NeuronName
from n2gdb.shards import RunFolder
from n2gdb.store import Connection, build_database
from tests import oracle
from tests.query_text import queries, written
from tests.small_run import WORDS, random_graphs, write_run

#: Distinct (graphs, query) pairs that are compared.
PAIRS = 2000
DATABASES = 8


@dataclass(frozen=True, eq=False)
class Small:
    """A small database, and what went into it."""

    connection: Connection
    neurons: list[oracle.Neuron]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Small]]:
    with ExitStack() as stack:
        folders = [tmp_path_factory.mktemp(f"graphs{seed}") for seed in range(DATABASES)]
        yield [_built(stack, folder, seed) for seed, folder in enumerate(folders)]


def _built(stack: ExitStack, folder: Path, seed: int) -> Small:
    """Every fourth database holds two models, whose token ids differ."""
    vocabularies = [WORDS, (WORDS[0], *reversed(WORDS[1:]))] if seed % 4 == 3 else [WORDS]
    runs, neurons = [], []
    for model, words in enumerate(vocabularies):
        graphs = random_graphs(seed * 10 + model, layers=3, neurons=12)
        run = write_run(folder / f"model{model}", graphs, words, seed)
        runs.append(run)
        neurons += _as_written(model, run, graphs, words)
    build_database(folder / "db.n2gdb", runs)
    return Small(stack.enter_context(Connection.open(folder / "db.n2gdb")), neurons)


def _as_written(
    model: int, run: RunFolder, graphs: dict[NeuronName, NeuronGraph], words: tuple[str, ...]
) -> list[oracle.Neuron]:
    rows = run.neurons().to_pylist()
    names = [NeuronName(row["layer"], row["index"]) for row in rows]
    return [
        oracle.Neuron(model, name, row, graphs[name], words) for name, row in zip(names, rows, strict=True)
    ]


def test_the_database_answers_as_the_evaluator_does(databases: list[Small]) -> None:
    pairs: set[tuple[int, str]] = set()

    @settings(
        max_examples=PAIRS + PAIRS // 5,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(query=queries(), number=st.integers(0, DATABASES - 1))
    def same(query: Query, number: int) -> None:
        text = written(query)
        pairs.add((number, text))
        assert read_query(text) == query
        check(query, databases[number])

    same()
    assert len(pairs) >= PAIRS


def check(query: Query, small: Small) -> None:
    expected = oracle.answer(query, small.neurons)
    compiled = compile_count(query)
    assert small.connection.rows(compiled.cypher, compiled.parameters) == [(len(expected),)]
    skipped = query.offset or 0
    limited = expected[skipped:][: query.limit] if query.limit is not None else expected[skipped:]
    hits = find_hits(small.connection.rows, query)
    assert [(hit.model, hit.neuron) for hit in hits] == [(neuron.model, neuron.name) for neuron in limited]
    for hit, neuron in zip(hits, limited, strict=True):
        assert hit.statistics == neuron.statistics
        check_evidence(hit, query, neuron)


def check_evidence(hit: Hit, query: Query, neuron: oracle.Neuron) -> None:
    matches = [oracle.matches(clause.pattern, query, neuron) for clause in oracle.positive(query.clauses)]
    assert [found.clause for found in hit.evidence] == [at for at, each in enumerate(matches) if each]
    assert hit.activation == oracle.best("activation", query, neuron)
    assert hit.importance == oracle.best("importance", query, neuron)
    for found in hit.evidence:
        strongest = max(match.pattern.activation for match in matches[found.clause])
        assert found.activation == strongest
        assert as_match(found, neuron) in matches[found.clause]


def as_match(found: Evidence, neuron: oracle.Neuron) -> oracle.Match:
    """Find the pattern that an evidence shows."""
    shown = [(step.depth, step.token, step.importance) for step in found.path if step.text is not None]
    (pattern,) = (
        pattern
        for pattern in neuron.patterns
        if [(step.depth, step.token) for step in pattern.steps]
        == [(depth, token) for depth, token, _ in shown[::-1]]
    )
    for step, (_, token, importance) in zip(pattern.steps[1:], shown[-2::-1], strict=True):
        assert step.importance == importance
        assert neuron.texts[step.token] == neuron.texts[token or 0]
    assert [step.depth for step in found.path] == list(range(pattern.depth, -1, -1))
    return oracle.Match(pattern, tuple(step.depth for step in found.path if step.matched))


def test_one_query_over_two_models_finds_neurons_of_both(databases: list[Small]) -> None:
    hits = find_hits(databases[3].connection.rows, read_query("neurons MATCHING ..."))
    assert {hit.model for hit in hits} == {0, 1}


def test_limit_and_offset_cut_the_same_order(databases: list[Small]) -> None:
    query = read_query("neurons MATCHING ... ORDER BY activation DESC")
    rows = databases[0].connection.rows
    whole = compile_query(query)
    part = compile_query(replace(query, limit=5, offset=3))
    everything = rows(whole.cypher, whole.parameters)
    assert rows(part.cypher, part.parameters) == everything[3:8]
    assert len(everything) > 8
