"""The engine alone: what n2gdb/storage/shapes.py keeps away from is still answered wrongly.

A test that fails here tells that another version of the engine has mended a trap, and which that is.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import kuzu
import numpy as np
import pyarrow as pa
import pytest

from n2gdb.storage.build.loading import GROUP_NEURONS

NEURONS, NAMING, NAMES, TOKENS = 5000, 48, 1500, 49_152
STATES = ("dead", "live", "unpredicted")
EVERY = "MATCH (n:Namer)-[c:NAMES]->(t:Token) RETURN n.id, t.id, c.root, c.depth"


class Engine:
    """A database of the engine, opened to read."""

    def __init__(self, path: Path, *, read_only: bool = True, memory: int = 0) -> None:
        self.path = path
        self.database = kuzu.Database(
            str(path), read_only=read_only, max_db_size=1 << 30, buffer_pool_size=memory
        )
        self.connection = kuzu.Connection(self.database)

    def rows(self, cypher: str, **parameters: object) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(cypher, parameters).get_all()]

    def close(self) -> None:
        self.connection.close()
        self.database.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Neurons in words of three kinds, of which some name tokens of a large vocabulary."""
    path = tmp_path_factory.mktemp("traps") / "engine"
    building = Engine(path, read_only=False)
    building.rows("CALL threads=1")
    building.rows(
        "CREATE NODE TABLE Neuron(id INT64 PRIMARY KEY, state STRING, score DOUBLE, small FLOAT,"
        " firings INT64, layer INT64)"
    )
    building.rows("CREATE NODE TABLE Namer(id INT64 PRIMARY KEY, score DOUBLE)")
    building.rows("CREATE NODE TABLE Token(id INT64 PRIMARY KEY)")
    building.rows("CREATE REL TABLE NAMES(FROM Namer TO Token, root INT64, depth INT64)")
    random = np.random.default_rng(5)
    tokens = np.minimum(TOKENS - 1, random.pareto(0.8, NAMES) * 20).astype(int)
    owners = np.sort(random.integers(0, NAMING, NAMES))
    roots = np.minimum(TOKENS - 1, random.pareto(0.8, NAMES) * 20).astype(int)
    tables = {
        "Namer": pa.table(
            {"id": np.arange(NAMING), "score": [at / NAMING if at % 3 else None for at in range(NAMING)]}
        ),
        "Token": pa.table({"id": np.arange(TOKENS)}),
        "NAMES": pa.table(
            {
                "neuron": owners,
                "token": tokens,
                "root": roots,
                "depth": random.integers(1, 12, NAMES),
            }
        ),
        "Neuron": pa.table(
            {
                "id": np.arange(NEURONS),
                "state": np.array(STATES)[random.choice(3, NEURONS, p=[0.05, 0.9, 0.05])],
                "score": pa.array(random.random(NEURONS), mask=np.arange(NEURONS) % 3 == 0),
                "small": random.choice([0.1, 0.5, 0.9], NEURONS).astype(np.float32),
                "firings": random.integers(0, 200, NEURONS),
                "layer": np.arange(NEURONS) % 6,
            }
        ),
    }
    for table in ("Neuron", "Namer", "Token", "NAMES"):
        building.rows(f"COPY {table} FROM $rows", rows=tables[table])
    building.rows("CHECKPOINT")
    building.close()
    opened = Engine(path)
    yield opened
    opened.close()


def asked(engine: Engine, condition: str) -> int:
    """Ask 100 times for relationships of some tokens and some roots; return how often the answer is wrong."""
    every, random, wrong = engine.rows(EVERY), Random(1), 0
    tokens, roots = (list(dict.fromkeys(row[place] for row in every)) for place in (1, 2))
    for _ in range(100):
        some, few = (random.sample(values, 40) for values in (tokens, roots))
        given = {"roots": few} if "$roots" in condition else {f"r{at}": each for at, each in enumerate(few)}
        equal = " OR ".join(f"c.root = $r{at}" for at in range(len(few)))
        cypher = (
            "MATCH (n:Namer)-[c:NAMES]->(t:Token)"
            f" WHERE t.id IN $tokens AND ({condition.format(equal=equal)})"
            " RETURN n.id, t.id, c.root, c.depth"
        )
        wanted = [row for row in every if row[1] in some and row[2] in few]
        wrong += sorted(engine.rows(cypher, tokens=some, **given)) != sorted(wanted)
    return wrong


def test_in_on_a_relationship_that_another_filter_has_seen_reads_other_relationships(engine: Engine) -> None:
    assert asked(engine, "c.root IN $roots") > 0
    assert asked(engine, "{equal}") == 0


def test_a_copy_ends_at_an_empty_batch_without_a_word(tmp_path: Path) -> None:
    building = Engine(tmp_path / "engine", read_only=False)
    building.rows("CALL threads=1")  # of several, another may read on
    building.rows("CREATE NODE TABLE Neuron(id INT64 PRIMARY KEY)")
    ids = pa.chunked_array([pa.array([], pa.int64()), pa.array([1, 2, 3])])
    building.rows("COPY Neuron FROM $rows", rows=pa.table({"id": ids}))
    assert building.rows("MATCH (n:Neuron) RETURN count(*)") == [(0,)]
    building.close()


def test_a_string_sort_key_with_keys_behind_it_is_not_sorted(engine: Engine) -> None:
    cypher = (
        "MATCH (n:Neuron) RETURN n.state, n.firings, n.layer, n.id, n.score"
        " ORDER BY n.state IS NULL, {state}, n.firings IS NULL, n.firings DESC, n.layer, n.id"
    )

    def is_sorted(state: str) -> bool:
        rows = engine.rows(cypher.format(state=state))
        return rows == sorted(rows, key=lambda row: (row[0], -row[1], row[2], row[3]))

    assert not all(is_sorted("n.state") for _ in range(30))  # it depends on which thread is first
    ranked = "CASE n.state WHEN 'dead' THEN 0 WHEN 'live' THEN 1 WHEN 'unpredicted' THEN 2 END"
    assert all(is_sorted(ranked) for _ in range(30))


def test_skip_past_the_last_block_ends_the_process(engine: Engine) -> None:
    def ends_well(skipped: int) -> bool:
        code = (
            "import kuzu, sys\n"
            "c = kuzu.Connection(kuzu.Database(sys.argv[1], read_only=True, max_db_size=1 << 30))\n"
            "c.execute('MATCH (n:Neuron) RETURN n.id ORDER BY n.score IS NULL, n.score DESC, n.layer,"
            f" n.firings, n.id SKIP {skipped} LIMIT 5').get_all()"
        )
        done = subprocess.run([sys.executable, "-c", code, str(engine.path)], capture_output=True)
        return done.returncode == 0

    assert ends_well(NEURONS - 2)
    assert not all(ends_well(skipped) for skipped in (6143, 6144, 6241, 7000, 9000, 15_000))
    assert len(engine.rows("MATCH (n:Neuron) RETURN n.id ORDER BY n.score, n.id LIMIT 1000000")) == NEURONS


def test_a_subquery_that_mentions_a_column_outside_loses_rows_where_that_is_null(engine: Engine) -> None:
    score = dict(engine.rows("MATCH (n:Namer) RETURN n.id, n.score"))
    condition = "t.id = 3 AND (c.depth > 2 OR n.score > 0.5)"
    wanted = {
        neuron
        for neuron, token, _, depth in engine.rows(EVERY)
        if token == 3 and (depth > 2 or (score[neuron] or 0) > 0.5)
    }
    pattern = "MATCH (n)-[c:NAMES]->(t:Token)"
    ((inside,),) = engine.rows(
        f"MATCH (n:Namer) WHERE EXISTS {{ {pattern} WHERE {condition} }} RETURN count(*)"
    )
    joined = engine.rows(f"MATCH (n:Namer)-[c:NAMES]->(t:Token) WHERE {condition} RETURN DISTINCT n.id")
    assert {neuron for (neuron,) in joined} == wanted
    assert inside < len(wanted)


def test_a_subquery_over_two_parts_is_a_cross_product_that_fills_the_memory(engine: Engine) -> None:
    parts = "MATCH (n)-[c:NAMES]->(), (m:Neuron) WHERE m.id = n.id AND c.depth > m.score"
    small = Engine(engine.path, memory=64 << 20)
    try:
        with pytest.raises(RuntimeError, match="Buffer manager exception"):
            small.rows(f"MATCH (n:Namer) WHERE EXISTS {{ {parts} }} RETURN count(*)")
        ((joined,),) = small.rows(f"MATCH (n:Namer) {parts} RETURN count(DISTINCT n.id)")
        assert joined > 0
    finally:
        small.close()


def test_a_32_bit_real_is_not_the_decimal_that_it_was_written_as(engine: Engine) -> None:
    ((near,), (equal,), (least,)) = (
        engine.rows(f"MATCH (n:Neuron) WHERE n.small {condition} RETURN count(*)")[0]
        for condition in ("> 0.8", "= 0.9", ">= 0.9")
    )
    assert near > 0 == equal == least


def test_a_parameter_that_is_not_bound_is_null_without_a_word(engine: Engine) -> None:
    ((bound,),) = engine.rows("MATCH (n:Neuron) WHERE n.score > $least RETURN count(*)", least=0.5)
    ((unbound,),) = engine.rows("MATCH (n:Neuron) WHERE n.score > $least RETURN count(*)")
    assert unbound not in (bound, 0)  # the condition is dropped: every row


def test_columns_are_copied_by_position(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "copied", read_only=False)
    engine.rows("CREATE NODE TABLE Pair(id INT64 PRIMARY KEY, first INT64, second INT64)")
    engine.rows("COPY Pair FROM $rows", rows=pa.table({"id": [1], "second": [20], "first": [10]}))
    assert engine.rows("MATCH (p:Pair) RETURN p.first, p.second") == [(20, 10)]
    engine.close()


def test_a_copy_gives_each_group_of_nodes_the_space_of_the_largest_before_it(tmp_path: Path) -> None:
    owners, each = GROUP_NEURONS + 10, 4
    owner = np.repeat(np.arange(owners), each)
    rows = pa.table(
        {"from": owner, "to": np.zeros(len(owner), np.int64), "value": np.arange(len(owner)) % 99}
    )
    pages = []
    for name, parts in (
        ("whole", [rows]),
        ("parts", [rows[: GROUP_NEURONS * each], rows[GROUP_NEURONS * each :]]),
    ):
        engine = Engine(tmp_path / name, read_only=False)
        engine.rows("CALL threads=1")
        engine.rows("CREATE NODE TABLE Owner(id INT64 PRIMARY KEY)")
        engine.rows("COPY Owner FROM $rows", rows=pa.table({"id": np.arange(owners)}))
        engine.rows("CREATE REL TABLE OWNS(FROM Owner TO Owner, value INT64) WITH (storage_direction='fwd')")
        for part in parts:
            engine.rows("COPY OWNS FROM $rows", rows=part)
        engine.rows("CHECKPOINT")
        stored = "CALL storage_info('OWNS') WHERE column_name = 'fwd_value' AND num_values > 0"
        pages.append([count for (count,) in engine.rows(f"{stored} RETURN num_pages ORDER BY node_group_id")])
        engine.close()
    (first, wasted), (same, own) = pages
    assert first == same == wasted > 10 * own
