"""Questions about what excites and inhibits neurons, on neurons whose evidence is known."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

import n2gdb
from n2gdb import excited_by, inhibited_by, matching, neurons, tok
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.errors import QueryError
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.query.completion import candidates
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from n2gdb.storage.shards import RunFolder
from tests.generators.unit_sets import mlp_unit
from tests.support.small_run import WORDS, model_table, write_run

THE, END, DOG, CAT, OF = (WORDS.index(word) for word in (" the", " end", " dog", " cat", " of"))
#: A class of tokens: *dog* and *cat*.
ANIMALS = len(WORDS)

#: By neuron: the weight of each token at a depth; below zero, anywhere in so many positions before.
NEURONS: dict[str, dict[tuple[int, int], float]] = {
    "L0N0": {(0, END): 2.0, (1, THE): 1.0, (2, OF): -1.5},
    "L0N1": {(0, END): 1.0, (0, DOG): -0.5, (3, THE): -2.0, (-8, CAT): 3.0},
    "L0N2": {(0, THE): 1.0, (2, ANIMALS): -1.0, (1, CAT): 0.5},
    "L0N3": {(0, CAT): 1.0},
}
#: A neuron without evidence.
PLAIN = "L0N4"


def build(folder: Path, weights: dict[str, dict[tuple[int, int], float]] = NEURONS) -> Path:
    graph = NeuronGraph.from_patterns([Pattern((Step(0, END, 1.0), Step(1, THE, 0.9)), 0.75)])
    graphs = {NeuronName.parse(name): graph for name in (*NEURONS, PLAIN)}
    made = write_run(folder / "made", graphs)
    run = RunFolder.create(folder / "demo")
    (row,) = model_table("demo", graphs, len(WORDS)).to_pylist()
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<eos>"))
    words.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_next")
    run.write_model(pa.Table.from_pylist([row | {"tokenizer": words.to_str()}], schema=schema.MODEL))
    run.write_tokens(made.tokens())
    run.write_windows(made.windows())
    kind = {"class": ANIMALS, "kind": "sense", "name": "animals", "tokens": [DOG, CAT]}
    run.write_classes(pa.Table.from_pylist([kind], schema=schema.CLASSES))
    (shard,) = made.shards()
    rows = made.neurons().to_pylist()
    for each in rows:
        name = f"L{each['layer']}N{each['index']}"
        known = name in weights
        each |= {"base": -1.0 if known else None, "evidence_threshold": 0.0 if known else None}
        each |= {"graph_weight": 0.5 if known else None}
    evidence = [
        {"unit": mlp_unit(NeuronName.parse(name)), "token": token, "depth": depth, "weight": weight}
        for name, own in weights.items()
        for (depth, token), weight in own.items()
    ]
    run.write_shard(
        shard.name,
        pa.Table.from_pylist(rows, schema=schema.NEURONS),
        made.nodes(),
        pq.read_table(shard / "examples.parquet"),
        evidence=pa.Table.from_pylist(evidence, schema=schema.EVIDENCE),
    )
    build_database(folder / "demo.n2gdb", [run])
    shutil.rmtree(made.path)
    return folder / "demo.n2gdb"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    with n2gdb.open(build(tmp_path_factory.mktemp("influence"))) as opened:
        yield opened


ANSWERS = [
    ("EXCITED BY 'the'", "L0N0"),
    ('EXCITED BY "the"', ""),
    ("EXCITED BY 'the' AT 1", "L0N0"),
    ("EXCITED BY 'the' AT 2", ""),
    ("EXCITED BY 'end'", ""),  # of context alone
    ("EXCITED BY 'end' AT 0", "L0N0 L0N1"),
    ("INHIBITED BY 'dog' AT 0", "L0N1"),
    ("INHIBITED BY 'the'", "L0N1"),
    ("INHIBITED BY 'the' WITHIN 2", ""),
    ("INHIBITED BY 'the' WITHIN 3", "L0N1"),
    ("EXCITED BY 'cat'", "L0N1 L0N2"),
    ("EXCITED BY 'cat' AT 5", "L0N1"),  # anywhere within 8
    ("EXCITED BY 'cat' AT 8", "L0N1"),
    ("EXCITED BY 'cat' AT 9", ""),
    ("EXCITED BY 'cat' WITHIN 1", "L0N1 L0N2"),
    ("EXCITED BY 'cat' AT 0", "L0N3"),
    ("INHIBITED BY 'cat'", "L0N2"),  # as an animal
    ("INHIBITED BY 'dog' AT 2", "L0N2"),
    ("INHIBITED BY 'dog' AT 1", ""),
    ("INHIBITED BY ('dog' | 'the')", "L0N1 L0N2"),
    ("EXCITED BY /c.t/", "L0N1 L0N2"),
    ("EXCITED BY !'cat'", "L0N0"),
    ("EXCITED BY <word>", "L0N0 L0N1 L0N2"),
    ("NOT EXCITED BY 'cat'", "L0N0 L0N3 L0N4"),
    ("EXCITED BY 'cat' AND INHIBITED BY 'cat'", "L0N2"),
    ("EXCITED BY 'the' AND MATCHING 'the' THEN 'end'", "L0N0"),
]


@pytest.mark.parametrize(("clauses", "names"), ANSWERS, ids=[clauses for clauses, _ in ANSWERS])
def test_neurons_are_found_by_their_weights(clauses: str, names: str, database: n2gdb.Database) -> None:
    hits = database.query(f"neurons {clauses} ORDER BY layer, index")
    assert " ".join(str(hit.neuron) for hit in hits) == names
    assert database.count(f"neurons {clauses}") == len(names.split())


def test_patterns_are_those_of_the_neurons(database: n2gdb.Database) -> None:
    hits = database.query("patterns EXCITED BY 'the'")
    assert [(str(hit.neuron), hit.path) for hit in hits] == [("L0N0", "·the · ·end")]


def test_a_text_of_several_tokens_is_refused(database: n2gdb.Database) -> None:
    with pytest.raises(QueryError, match="EXCITED BY takes one token, and 'the end' is 2") as caught:
        database.query("neurons EXCITED BY 'the end'")
    assert caught.value.column == 20


def test_a_database_without_evidence_refuses_the_clauses(tmp_path: Path) -> None:
    with n2gdb.open(build(tmp_path, {})) as plain:
        for clause in ("EXCITED BY 'the'", "NOT INHIBITED BY 'the' AT 2"):
            with pytest.raises(QueryError, match="does not hold what excites and inhibits"):
                plain.query(f"neurons {clause}")
        neuron = plain.neuron("L0N0")
        assert (neuron.evidence, neuron.excited_by, neuron.inhibited_by) == (None, (), ())
        assert neuron.predict(" the end").tolist() == [0, 0.75]


def test_the_builder_writes_the_same() -> None:
    assert str(neurons(excited_by("of", at=2) & ~inhibited_by(tok("a") | "b", within=4))) == (
        "neurons EXCITED BY 'of' AT 2 AND NOT INHIBITED BY ('a' | 'b') WITHIN 4"
    )
    both = neurons(matching("end")).excited_by("the").inhibited_by("dog", at=0)
    assert str(both) == "neurons MATCHING 'end' AND EXCITED BY 'the' AND INHIBITED BY 'dog' AT 0"
    with pytest.raises(QueryError, match="at and within exclude each other"):
        excited_by("the", at=1, within=2)


def test_words_are_completed(database: n2gdb.Database) -> None:
    def offered(text: str) -> list[str]:
        return [each.text for each in candidates(database.connection.rows, text)[1]]

    assert "EXCITED BY" in offered("neurons EXC")
    assert {"AT", "WITHIN", "AND"} <= set(offered("neurons INHIBITED BY 'the' "))
    assert "dog'" in offered("neurons INHIBITED BY 'd")
    assert offered('neurons FIRING ON "the" USING ') == ["evidence", "graph"]
    assert "graph" in offered("neurons SIMILAR TO L0N0 USING ")


def test_a_neuron_says_what_excites_and_inhibits_it(database: n2gdb.Database) -> None:
    neuron = database.neuron("L0N1")
    assert isinstance(neuron.evidence, UnitEvidence)
    assert [(str(each), each.place, each.weight) for each in neuron.excited_by] == [("·cat", "WITHIN 8", 3.0)]
    assert [(str(each), each.place) for each in neuron.inhibited_by] == [("·the", "AT 3")]
    assert [str(each) for each in neuron.activating_tokens] == ["·end", "·dog"]
    assert [str(each) for each in database.neuron("L0N2").inhibited_by] == ["<animals>"]


def test_a_firing_adds_up_what_stands_there(database: n2gdb.Database) -> None:
    text = " of the end"  # base -1, end 2, of -1.5, the 1, and the graph's pattern 0.5
    assert database.neuron("L0N0").predict(text)[2] == pytest.approx(1 / (1 + np.exp(-1.0)))
    (hit,) = database.query(f'neurons FIRING ON "{text}" WHERE index = 0')
    assert (hit.path, hit.activation) == ("·the · ·end", pytest.approx(0.7310586))
    assert (hit.importance, hit.support, hit.confidence) == (None, None, None)
    reading = database.neuron("L0N0").read(text)
    assert (reading.tokens[2].at, reading.tokens[2].against, reading.by) == ((1, 2), (0,), "evidence")
    assert database.neuron("L0N0").predict(text, by="graph").tolist() == [0, 0, 0.75]


def test_by_graph_every_neuron_fires_by_its_graph(database: n2gdb.Database) -> None:
    by_graph = database.firing(" the end", at=-1, by="graph")[0].neurons
    assert {str(each.neuron): each.activation for each in by_graph} == dict.fromkeys((*NEURONS, PLAIN), 0.75)
    by_evidence = {str(each.neuron) for each in database.firing(" the end", at=-1)[0].neurons}
    assert by_evidence == {"L0N0", "L0N1", PLAIN}
    with pytest.raises(QueryError, match="no by 'trie': there are evidence, graph"):
        database.firing(" the end", by="trie")
