"""What the language leaves to a decision, as grammar/README.md says it was decided."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.storage.build.database import build_database
from tests.support.small_run import WORDS, write_run

THE, END, DOG = WORDS.index(" the"), WORDS.index("end"), WORDS.index(" dog")


def pattern(activation: float, *tokens: tuple[int, int, float]) -> Pattern:
    return Pattern(tuple(Step(*token) for token in tokens), activation)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """L0N0 has three patterns, L0N1 one without context, L0N2 none, L0N3 one with context, L0N4 no scores."""
    graphs = {
        NeuronName(0, 0): [
            pattern(0.9, (0, END, 1.0), (1, THE, 0.8), (3, DOG, 0.6)),
            pattern(0.7, (0, END, 1.0), (2, DOG, 0.5)),
            pattern(0.6, (0, DOG, 1.0)),
        ],
        NeuronName(0, 1): [pattern(0.8, (0, END, 1.0))],
        NeuronName(0, 2): [],
        NeuronName(0, 3): [pattern(0.8, (0, END, 1.0), (1, DOG, 0.9))],
        NeuronName(0, 4): [pattern(0.8, (0, THE, 1.0))],
    }
    folder = tmp_path_factory.mktemp("decided")
    run = write_run(folder / "run", {name: NeuronGraph.from_patterns(each) for name, each in graphs.items()})
    build_database(folder / "x.n2gdb", [run])
    with n2gdb.open(folder / "x.n2gdb") as opened:
        yield opened


def neurons(database: n2gdb.Database, query: str) -> list[str]:
    return [str(hit.neuron) for hit in database.query(query)]


def activations(database: n2gdb.Database, query: str) -> list[float]:
    return [row.activation for row in database.query(query)]


def test_not_of_a_missing_value_is_unknown(database: n2gdb.Database) -> None:
    assert neurons(database, "neurons WHERE f1 IS MISSING ORDER BY index") == ["L0N2", "L0N4"]
    known = set(neurons(database, "neurons WHERE f1 IS NOT MISSING"))
    assert known == {"L0N0", "L0N1", "L0N3"}
    both = neurons(database, "neurons WHERE f1 > 0.5") + neurons(database, "neurons WHERE NOT f1 > 0.5")
    assert set(both) == known
    assert neurons(database, "neurons MATCHING ... WHERE importance IS MISSING ORDER BY index") == [
        *("L0N0", "L0N1", "L0N4"),
    ]


def test_a_clause_of_patterns_holds_of_the_pattern_itself(database: n2gdb.Database) -> None:
    assert activations(database, "patterns MATCHING 'dog' BEFORE ... AND MATCHING 'end'") == [0.9, 0.8, 0.7]
    assert activations(database, "patterns MATCHING 'dog' AND MATCHING 'end'") == []
    assert activations(database, "patterns NOT MENTIONING 'dog'") == [0.8, 0.8]
    assert activations(database, "patterns NOT MATCHING 'end'") == [0.8, 0.6]
    assert activations(database, "patterns MATCHING 'the' BEFORE ... OR MATCHING 'dog'") == [0.9, 0.6]
    assert database.count("patterns NOT MATCHING 'end'") == 2
    grouped = {
        row.group: row.count for row in database.query("COUNT patterns NOT MATCHING 'end' BY activating")
    }
    assert grouped == {" dog": 1, " the": 1}


def test_patterns_of_neurons_are_all_of_theirs(database: n2gdb.Database) -> None:
    assert activations(database, "patterns OF neurons MATCHING 'dog'") == [0.9, 0.7, 0.6]
    assert activations(database, "patterns OF neurons MATCHING 'end' WHERE activation > 0.8") == [
        0.9,
        0.7,
        0.6,
    ]
    assert activations(database, "patterns MATCHING 'end' WHERE activation > 0.8") == [0.9]
    assert database.count("patterns OF neurons NOT MATCHING 'end'") == 1


def test_importance_falls_back_to_the_least_of_the_patterns_context(database: n2gdb.Database) -> None:
    (hit,) = database.query("neurons MATCHING 'end' WHERE index = 0")
    assert (hit.evidence[0].activation, hit.evidence[0].importance) == (0.9, 0.6)
    assert hit.importance == 0.6
    importances = [row.importance for row in database.query("patterns OF neurons WHERE index = 0")]
    assert importances == [0.6, 0.5, None]
    named = database.query("patterns MATCHING 'the' THEN 'end'")
    assert [row.importance for row in named] == [0.8]
    assert neurons(database, "neurons MATCHING 'end' ORDER BY importance DESC") == ["L0N3", "L0N0", "L0N1"]
    least = neurons(database, "neurons MATCHING 'end' WHERE importance > 0.55")
    assert set(least) == {"L0N0", "L0N3"}


def test_gaps_reach_as_far_as_the_stored_pattern(database: n2gdb.Database) -> None:
    assert activations(database, "patterns MATCHING _ BEFORE 'the' THEN 'end'") == [0.9]
    assert activations(database, "patterns MATCHING ... BEFORE 'dog' BEFORE 'end'") == []
    assert activations(database, "patterns MATCHING 'dog' THEN _ THEN 'the' THEN 'end'") == [0.9]


def test_nothing_over_nothing_is_one(database: n2gdb.Database) -> None:
    """L0N1 has no context: none of it is missing in L0N0 and L0N3, and the other way round for ``subset``."""
    assert set(neurons(database, "neurons SUBSET OF L0N0")) == {"L0N1", "L0N3"}
    assert set(neurons(database, "neurons SIMILAR TO L0N1 USING subset")) == {"L0N0", "L0N3"}
    assert set(neurons(database, "neurons SUPERSET OF L0N1")) == {"L0N0", "L0N3"}
    assert neurons(database, "neurons SIMILAR TO L0N1 USING tokens ABOVE 0.9") == []
    pairs = {(str(pair.first), str(pair.second)) for pair in database.pairs("subset", sharing=1)}
    assert pairs == {("L0N0", "L0N1"), ("L0N0", "L0N3"), ("L0N1", "L0N3")}


def test_the_order_of_a_word_and_a_number_is_the_order_of_both(database: n2gdb.Database) -> None:
    assert neurons(database, "neurons ORDER BY state, n_patterns DESC, index DESC") == [
        *("L0N2", "L0N0", "L0N4", "L0N3", "L0N1"),
    ]
    assert neurons(database, "neurons ORDER BY state DESC, index LIMIT 2 OFFSET 3") == ["L0N4", "L0N2"]
