"""A database as a collection of neurons: by name, in order, whole models at once, and sent elsewhere."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.errors import (
    ArgumentError,
    DatabaseNotFoundError,
    MissingDependencyError,
    QueryError,
    UnknownNameError,
)
from n2gdb.storage.build.database import build_database
from n2gdb.storage.read import bulk
from tests.support.cli_world import build_cli_world
from tests.support.small_run import WORDS, random_graphs, write_run

Graphs = dict[NeuronName, NeuronGraph]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """Two models, whose second has other words and a neuron more."""
    folder = tmp_path_factory.mktemp("two")
    graphs = [random_graphs(seed, layers=2, neurons=5 + seed) for seed in (0, 1)]
    runs = [
        write_run(folder / "one", graphs[0]),
        write_run(folder / "two", graphs[1], [word + "!" for word in WORDS]),
    ]
    build_database(folder / "two.n2gdb", runs)
    with n2gdb.open(folder / "two.n2gdb") as database:
        yield database


@pytest.fixture(params=[2048, 7, 1])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of these many neurons."""
    monkeypatch.setattr(bulk, "_TOGETHER", request.param)


@pytest.mark.parametrize("query", ["neurons", "patterns"])
def test_a_neuron_is_had_for_every_record_of_it(two: n2gdb.Database, query: str) -> None:
    for hit in two.query(query):
        neuron = two[hit]
        assert (str(neuron.name), neuron.model) == (str(hit.neuron), hit.model)
        assert two[neuron] == two.neuron(neuron) == neuron
        assert neuron in two
        assert hit in two
    other = two.neuron("L0N1", "two")
    assert two.similar(other).columns == two.similar("L0N1", model="two").columns
    assert list(two.similar(other)) == list(two.similar("L0N1", model="two"))
    assert f"{other.name:>6}|{other.name}" == "  L0N1|L0N1"


def test_an_answer_without_similar_neurons_has_the_same_columns(small: n2gdb.Database) -> None:
    none, some = small.similar("L1N3", above=1.0, sharing=10**6), small.similar("L1N3")
    assert (len(none), none.columns) == (0, some.columns)
    assert "heldout_f1" in none.columns
    assert none.to_arrow().schema == some.to_arrow().schema


def test_builders_take_every_record_of_a_neuron(two: n2gdb.Database) -> None:
    neuron = two.neuron("L0N1", "two")
    hit, *others = two.query("neurons IN MODEL 'two' LIMIT 3")
    named = f"{hit.neuron} OF 'two'"
    assert str(n2gdb.similar_to(neuron)) == "SIMILAR TO L0N1 OF 'two'"
    assert str(n2gdb.neurons().rank_by_similarity(hit)) == f"neurons RANK BY SIMILARITY TO {named}"
    assert str(n2gdb.tokens_activating(hit)) == f"tokens ACTIVATING {named}"
    assert str(n2gdb.tokens_of(neuron).before(...)) == "<L0N1> BEFORE ..."  # a class is of the model asked
    assert str(n2gdb.patterns_of(hit)) == f"patterns IN ({named})"
    among = n2gdb.neurons().among((1, 2), [hit, *others, hit], neuron, "L0N0")
    assert str(among).startswith(f"neurons IN (L1N2, {named}, ")
    assert len(two.query(n2gdb.neurons().among(two.query("neurons")))) == len(two)
    with pytest.raises(ArgumentError, match="names no unit"):
        n2gdb.neurons().among([])


def test_a_neuron_is_had_by_its_name_or_place(small: n2gdb.Database) -> None:
    neuron = small.neuron("L1N3")
    assert small["L1N3"] == small["1/3"] == small[1, 3] == small[NeuronName(1, 3)] == neuron
    assert small[np.int64(1), np.int32(3)] == neuron  # type: ignore[index]
    assert (neuron.layer, neuron.index) == (1, 3)


@pytest.mark.parametrize("name", ["L9N9", "L0N999", "x", (9, 9), (1,), (1, 2, 3), 5, None])
def test_a_neuron_that_is_not_there_is_said_to_be_missing(small: n2gdb.Database, name: object) -> None:
    assert name not in small
    with pytest.raises(UnknownNameError):
        small[name]  # type: ignore[index]


@pytest.mark.parametrize("name", [(-1, 2), ("1", "2"), (1.0, 2), (True, 2)])
def test_a_place_is_two_whole_numbers(small: n2gdb.Database, name: object) -> None:
    assert name not in small
    with pytest.raises(QueryError, match="whole number"):
        small[name]  # type: ignore[index]


def test_a_database_knows_what_it_holds(small: n2gdb.Database, two: n2gdb.Database) -> None:
    assert (len(small), len(two)) == (60, 22)
    assert "L2N19" in small and (2, 19) in small and NeuronName(2, 19) in small
    assert "L1N5" in two, "the second model has it"
    assert [str(neuron.name) for neuron in two] == [
        *(f"L{layer}N{index}" for layer in (0, 1) for index in range(5)),
        *(f"L{layer}N{index}" for layer in (0, 1) for index in range(6)),
    ]
    assert [neuron.model for neuron in two] == ["one"] * 10 + ["two"] * 12
    assert bool(small)


def test_of_several_models_a_name_alone_is_not_enough(two: n2gdb.Database) -> None:
    with pytest.raises(UnknownNameError, match="several models"):
        two["L0N0"]


def test_all_neurons_are_those_read_one_by_one(
    small: n2gdb.Database, two: n2gdb.Database, block: None
) -> None:
    for database, model in ((small, "small"), (two, "one"), (two, "two")):
        neurons = list(database.neurons(model))
        assert neurons == [database.neuron(each.name, model) for each in neurons]
        assert all(list(each.statistics) == list(neurons[0].statistics) for each in neurons)
        assert neurons[-1].graph == database.neuron(neurons[-1].name, model).graph
    assert list(small.neurons(layer=1)) == [small[1, index] for index in range(20)]


def test_all_graphs_are_those_that_were_stored(
    small: n2gdb.Database, small_graphs: Graphs, two: n2gdb.Database, block: None
) -> None:
    assert dict(small.graphs()) == small_graphs
    assert dict(small.graphs(layer=2)) == {n: g for n, g in small_graphs.items() if n.layer == 2}
    assert dict(two.graphs("two")) == random_graphs(1, layers=2, neurons=6)
    _, graph = next(each for each in two.graphs("two") if len(each[1]))
    assert all(text.endswith("!") for text in graph.texts(graph.token.tolist()).values())


def test_nodes_are_the_columns_of_all_graphs(
    small: n2gdb.Database, small_graphs: Graphs, two: n2gdb.Database
) -> None:
    for table, graphs, words in (
        (small.nodes(), small_graphs, list(WORDS)),
        (two.nodes("two"), random_graphs(1, layers=2, neurons=6), [word + "!" for word in WORDS]),
    ):
        expected = [
            {
                "neuron": str(name),
                "layer": name.layer,
                "index": name.index,
                "role": "context" if graph.depth[node] else "activating",
                "pre": node,
                "parent": int(graph.parent[node]),
                "depth": int(graph.depth[node]),
                "token": int(graph.token[node]),
                "text": words[graph.token[node]],
                "importance": pytest.approx(float(graph.importance[node])),
                "activation": pytest.approx(float(graph.best[node])),
                "end": None if np.isnan(graph.end[node]) else pytest.approx(float(graph.end[node])),
            }
            for name, graph in sorted(graphs.items())
            for node in range(len(graph))
        ]
        assert table.to_pylist() == expected
        assert table.schema.equals(small.nodes(layer=0).schema)
    assert set(small.nodes(layer=1)["layer"].to_pylist()) == {1}


def test_a_model_without_nodes_has_a_table_without_rows(tmp_path: Path) -> None:
    graphs = {NeuronName(0, 0): NeuronGraph.empty()}
    build_database(tmp_path / "dead.n2gdb", [write_run(tmp_path / "dead", graphs)])
    with n2gdb.open(tmp_path / "dead.n2gdb") as database:
        assert database.nodes().num_rows == 0
        assert database.nodes().schema.field("end").type == "double"
        assert [len(graph) for _, graph in database.graphs()] == [0]
        matrix = database.token_matrix()
        assert (matrix.shape, len(matrix.data)) == ((1, len(WORDS)), 0)
        assert len(database["L0N0"].tokens()) == 0


@pytest.mark.parametrize("method", ["neurons", "graphs", "nodes"])
def test_a_layer_that_is_not_there_is_refused_at_once(small: n2gdb.Database, method: str) -> None:
    with pytest.raises(UnknownNameError, match="has no layer 3"):
        getattr(small, method)(layer=3)


@pytest.mark.parametrize("role", ["activating", "context"])
def test_a_token_matrix_holds_every_token_of_a_role(
    small: n2gdb.Database, small_graphs: Graphs, role: str
) -> None:
    matrix = small.token_matrix(role)  # type: ignore[arg-type]
    dense = np.zeros(matrix.shape)
    for row in range(len(matrix.neurons)):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        assert (np.diff(matrix.indices[entries]) > 0).all()
        dense[row, matrix.indices[entries]] = matrix.data[entries]
    expected = np.zeros_like(dense)
    for row, (_, graph) in enumerate(sorted(small_graphs.items())):
        for node in range(len(graph)):
            if (graph.depth[node] > 0) == (role == "context"):
                token = graph.token[node]
                expected[row, token] = max(expected[row, token], graph.best[node])
    assert np.allclose(dense, expected)
    assert matrix.neurons == tuple(sorted(small_graphs))
    assert matrix.texts == WORDS
    assert small.token_matrix(role, layer=1).neurons == matrix.neurons[20:40]  # type: ignore[arg-type]


def test_a_token_matrix_goes_to_scipy(small: n2gdb.Database) -> None:
    pytest.importorskip("scipy")
    matrix = small.token_matrix("context")
    sparse = matrix.to_scipy()
    assert sparse.shape == matrix.shape and sparse.nnz == len(matrix.data)
    assert sparse[0].sum() == pytest.approx(matrix.data[: matrix.indptr[1]].sum())


def test_scipy_is_named_where_it_is_missing(small: n2gdb.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'n2gdb\[scipy\]'"):
        small.token_matrix().to_scipy()
    with pytest.raises(QueryError, match="no role 'both': there are activating, context"):
        small.token_matrix("both")  # type: ignore[arg-type]


def test_the_tokens_of_a_neuron_are_those_that_a_query_finds(small: n2gdb.Database) -> None:
    for neuron in small:
        tokens = neuron.tokens()
        for role, query in (("activating", "tokens ACTIVATING"), ("context", "tokens IN CONTEXT OF")):
            found = small.query(f"{query} {neuron.name}").to_dicts()
            own = [each.as_dict() for each in tokens if each.role == role]
            assert own == [{"role": role, **each} for each in found]


def test_the_report_is_a_table(small: n2gdb.Database, two: n2gdb.Database) -> None:
    whole = small.report()
    assert set(whole["text"]) == {"test", "active", "heldout"}
    report = [each for each in whole if (each.text, each.predictor) == ("test", "n2g")]
    assert [each.layer for each in report] == [0, 1, 2, None]
    layers = small.info().layers
    assert [each.f1 for each in report[:3]] == pytest.approx([layer.mean_f1 for layer in layers])
    judged = [layer.judged for layer in layers]
    assert [each.neurons for each in report] == [*judged, sum(judged)]
    assert {each.model for each in two.report("two")} == {"two"}
    with pytest.raises(UnknownNameError, match="several models"):
        two.report()


def test_everything_shows_itself_on_a_short_line(small: n2gdb.Database, small_path: Path) -> None:
    neuron = small["L1N3"]
    f1 = f", F1 {neuron.heldout_f1:.2f} on held-out text"
    assert repr(neuron) == f"<Neuron L1N3 of small: {neuron.state}{f1}, {neuron.n_patterns} patterns>"
    assert repr(neuron.graph) == f"<StoredGraph {neuron.n_patterns} patterns, {neuron.n_nodes} nodes>"
    assert repr(NeuronGraph.empty()) == "<NeuronGraph 0 patterns, 0 nodes>"
    assert repr(small.token_matrix()).startswith("<TokenMatrix activating: 60 units, 13 tokens, ")
    assert repr(neuron.name) == "NeuronName('L1N3')" and eval(repr(neuron.name)) == neuron.name
    with n2gdb.open(small_path) as other:
        assert repr(other) == f"<Database {small_path}, small: 60 neurons>"
    with n2gdb.open(small_path) as unasked:
        unasked.close()
        assert repr(unasked) == f"<Database {small_path}, closed>"


#: What people look at in a notebook or at a prompt, and how it begins there.
SHOWN = [
    ("db.tokenizer()", "<Tokenizer "),
    ("db.model()", "<ModelInfo world: 6 layers of "),
    ("db.info()", "<Inventory "),
    ("neuron.graph", "<StoredGraph 3 patterns, 4 nodes>"),
    ("neuron.patterns()[0]", "<NeuronPattern activation 1.00: ·the · ·other>"),
    ("neuron.tokens()[0]", "<NeuronToken activating ·other activation 1.00>"),
    ("neuron.examples", "<NeuronExamples 2 top, 4 of other strengths>"),
    ("neuron.examples[0]", "<Example top 0, "),
    ("neuron.histogram", "<ActivationHistogram 162 of 1,000 positions, maximum 4>"),
    ("neuron.evidence", "<UnitEvidence "),
    ("neuron.excited_by[0]", "<WeighedToken ·an AT 4 +2.50>"),
    ("neuron.promotes[0]", "<WrittenToken "),
    ("neuron.picture()", "<Picture L4N358 of world>"),
    ("neuron.read(' on the other')", "<Reading L4N358 of world: its evidence fires on 1 of 3 tokens>"),
    ("neuron.similar()[0]", "<SimilarNeuron L4N137 similarity 0.41, size 2>"),
    ("db.pairs('subset', sharing=2)[0]", "<NeuronPair L3N45 L4N12 similarity 1.00, size 2>"),
    ("db.firing(' the other')[1]", "<FiredToken "),
    ("db.firing(' the other')[1].neurons[0]", "<FiredNeuron L4N137 activation 1.00>"),
    ("db.query('tokens ACTIVATING L4N12')[0]", "<TokenHit ·other activation 1.00>"),
    ("db.query('COUNT neurons')[0]", "<GroupCount count 7>"),
    ("db.query('COUNT neurons BY layer')[0]", "<GroupCount group 0: count 1>"),
    ("db.query('COUNT neurons BY layer, state')[0]", "<GroupCount layer 0, state 'live': count 1>"),
    ("db.query('AVG n_nodes OF neurons')[0]", "<GroupCount avg 2.29, count 7>"),
    ("db.query('EXPLAIN neurons')[0]", "<Stage find and order the neurons, 7 rows expected>"),
    ("db.query('PROFILE neurons')[0]", "<Stage find and order the neurons, 7 rows expected, 7 found in "),
    ("db.query('neurons IN (L4N12)')[0]", "<Hit L4N12 f1 0.86>"),
    ("db.query('patterns OF L4N12')[0]", "<PatternHit L4N12 activation 1.00: ·the · ·other>"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    with n2gdb.open(build_cli_world(tmp_path_factory.mktemp("shown"))) as database:
        yield database


@pytest.mark.parametrize(("expression", "begins"), SHOWN)
def test_every_record_shows_what_it_is(expression: str, begins: str, world: n2gdb.Database) -> None:
    shown = repr(eval(expression, {"db": world, "neuron": world["L4N358"]}))
    assert shown.startswith(begins) and "\n" not in shown and len(shown) < 160 + len(str(world.path))


def test_a_pickled_neuron_needs_its_database_no_more(tmp_path: Path, small_graphs: Graphs) -> None:
    path = tmp_path / "small.n2gdb"
    build_database(path, [write_run(tmp_path / "small", small_graphs)])
    name = next(name for name, graph in small_graphs.items() if graph.n_patterns > 1)
    with n2gdb.open(path) as database:
        neuron = database.neuron(name)
        sent, patterns, tokens = pickle.dumps(neuron), neuron.patterns(), list(neuron.tokens())
        plain, picture = neuron.as_dict(), neuron.to_dot()
        similar = list(neuron.similar())
        read = pickle.loads(sent)
        assert list(read.similar()) == similar, "what it lacks it asks the database"
    path.rename(tmp_path / "elsewhere.n2gdb")
    for kept in (pickle.loads(sent), pickle.loads(pickle.dumps(pickle.loads(sent)))):
        assert kept == neuron and hash(kept) == hash(neuron)
        assert kept.graph == small_graphs[name]
        assert kept.patterns() == patterns and list(kept.tokens()) == tokens
        assert (kept.as_dict(), kept.to_dot()) == (plain, picture)
        assert kept.fire_threshold == neuron.fire_threshold
        assert kept.examples == neuron.examples and kept.n_patterns == neuron.n_patterns
        with pytest.raises(DatabaseNotFoundError):
            kept.similar()


def test_graphs_are_pickled_with_the_texts_of_their_tokens(small: n2gdb.Database) -> None:
    name, graph = next(each for each in small.graphs() if len(each[1]))
    for kept in (pickle.loads(pickle.dumps(graph)), copy.deepcopy(graph), small[str(name)].graph):
        assert kept == graph and np.array_equal(kept.best, graph.best)
        assert kept.texts(kept.token.tolist()) == graph.texts(graph.token.tolist())
        assert kept._repr_svg_() == graph._repr_svg_()
    plain = NeuronGraph.from_patterns(graph.patterns())
    assert pickle.loads(pickle.dumps(plain)) == plain


def test_a_database_is_pickled_as_its_file(small: n2gdb.Database) -> None:
    with pickle.loads(pickle.dumps(small)) as other:
        assert other.path == small.path and len(other) == len(small)
