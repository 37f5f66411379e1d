"""Questions about what neurons write, on neurons whose effects are known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from typer.testing import CliRunner

import n2gdb
from n2gdb import matching, mentioning, neurons, promoting, suppressing, tok, var
from n2gdb.cli.main import app
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.errors import QueryError
from n2gdb.query.completion import candidates
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from tests.generators.unit_sets import mlp_unit
from tests.support.small_run import WORDS, model_table, write_run

THE, END, DOG, CAT, OF = (WORDS.index(word) for word in (" the", " end", " dog", " cat", " of"))

#: By neuron: its patterns, each as tokens in text order, and the logits that it writes.
NEURONS: dict[str, tuple[list[tuple[int, ...]], dict[int, float]]] = {
    "L0N0": ([(END,)], {END: 2.0, DOG: 1.0, CAT: -1.5}),  # copies what it fires on
    "L0N1": ([(THE, END)], {THE: 1.0, END: -2.0}),  # copies its context, suppresses what it fires on
    "L0N2": ([(THE, DOG)], {CAT: 3.0}),
    "L0N3": ([(OF, DOG), (CAT, END)], {END: 1.0, OF: 2.0}),  # END and OF, on different patterns
    "L1N0": ([(DOG,)], {}),
}


def build(folder: Path, with_effects: bool = True) -> Path:
    graphs = {
        NeuronName.parse(name): NeuronGraph.from_patterns(
            Pattern(
                tuple(Step(depth, token, 0.9 if depth else 1.0) for depth, token in enumerate(path[::-1])),
                0.75,
            )
            for path in paths
        )
        for name, (paths, _) in NEURONS.items()
    }
    run = write_run(folder / "demo", graphs)
    (row,) = model_table("demo", graphs, len(WORDS)).to_pylist()
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<eos>"))
    words.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_next")
    run.write_model(pa.Table.from_pylist([row | {"tokenizer": words.to_str()}], schema=schema.MODEL))
    if with_effects:  # layer 1 stays without a file of its own
        rows = [
            {"unit": mlp_unit(NeuronName.parse(name)), "token": token, "rank": 0, "logit": logit}
            for name, (_, written) in NEURONS.items()
            for token, logit in written.items()
        ]
        run.write_effects(run.shards()[0], pa.Table.from_pylist(rows, schema=schema.EFFECTS))
    build_database(folder / "demo.n2gdb", [run])
    return folder / "demo.n2gdb"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("writing"))


@pytest.fixture(scope="module")
def database(path: Path) -> Iterator[n2gdb.Database]:
    with n2gdb.open(path) as opened:
        yield opened


ANSWERS = [
    ("PROMOTING 'end'", "L0N0 L0N3"),
    ('PROMOTING "end"', ""),
    ('PROMOTING " end"', "L0N0 L0N3"),
    ("SUPPRESSING 'end'", "L0N1"),
    ("NOT PROMOTING 'end'", "L0N1 L0N2 L1N0"),
    ("PROMOTING ('end' | 'cat')", "L0N0 L0N2 L0N3"),
    ("PROMOTING !'end'", "L0N0 L0N1 L0N2 L0N3"),
    ("PROMOTING !('end' | 'of' | 'the' | 'dog')", "L0N2"),
    ("PROMOTING /c.t/", "L0N2"),
    ("PROMOTING /.*/", "L0N0 L0N1 L0N2 L0N3"),
    ("SUPPRESSING <word>", "L0N0 L0N1"),
    ("PROMOTING 'end' OR SUPPRESSING 'end'", "L0N0 L0N1 L0N3"),
    ("PROMOTING 'end' AND NOT PROMOTING 'of'", "L0N0"),
    ("MATCHING 'dog' PROMOTING 'cat'", "L0N2"),
    ("MATCHING 'dog' AND PROMOTING 'cat'", "L0N2"),
    ("MATCHING 'dog' AND NOT PROMOTING 'cat'", "L0N3 L1N0"),
    ("NOT MATCHING 'dog' PROMOTING 'cat'", "L0N0 L0N1 L0N3 L1N0"),
    ("MATCHING $x PROMOTING $x", "L0N0 L0N3"),
    ("MATCHING $x SUPPRESSING $x", "L0N1"),
    ("MATCHING $x BEFORE ... PROMOTING $x", "L0N1 L0N3"),
    ("MATCHING $x BEFORE $y PROMOTING $x SUPPRESSING $y", "L0N1"),
    ("MATCHING $x BEFORE $y PROMOTING $x PROMOTING $y", ""),  # of one pattern, not of two
    ("MATCHING 'the' BEFORE $x SUPPRESSING $x", "L0N1"),
    ("MATCHING $x BEFORE $y PROMOTING $x PROMOTING 'end'", "L0N3"),
    ("MATCHING $x PROMOTING $x SUPPRESSING $x", ""),
    ("MATCHING $x PROMOTING $x AND MENTIONING 'of'", "L0N3"),
    ("NOT MATCHING $x PROMOTING $x", "L0N1 L0N2 L1N0"),
    ("MATCHING $x PROMOTING $x WHERE activation > 0.8", ""),
    ("MATCHING $x BEFORE ... PROMOTING $x WHERE importance > 0.5 AND index = 3", "L0N3"),
    ("PROMOTING 'end' AND FIRING ON \" end\" USING graph", "L0N0"),
]


@pytest.mark.parametrize(("asked", "expected"), ANSWERS, ids=[asked for asked, _ in ANSWERS])
def test_a_question_is_answered(asked: str, expected: str, database: n2gdb.Database) -> None:
    answer = database.query(f"neurons {asked}")
    assert sorted(str(hit.neuron) for hit in answer) == expected.split()
    clauses, _, where = asked.partition(" WHERE ")
    counted = f"COUNT neurons {clauses}" + (f" WHERE {where}" if where else "")
    assert [row.count for row in database.query(counted)] == [len(expected.split())]


def test_patterns_are_those_of_the_neuron_or_those_that_it_writes(database: n2gdb.Database) -> None:
    def found(asked: str) -> list[tuple[str, str]]:
        return sorted((str(hit.neuron), hit.path) for hit in database.query(f"patterns {asked}"))

    assert len(found("PROMOTING 'of'")) == 2
    assert found("MATCHING $x BEFORE ... PROMOTING $x") == [("L0N1", "·the · ·end"), ("L0N3", "·of · ·dog")]
    assert found("PROMOTING 'of' AND MATCHING 'dog'") == [("L0N3", "·of · ·dog")]
    assert len(found("OF neurons PROMOTING 'of'")) == 2


def test_a_hit_shows_the_pattern_whose_token_is_written(database: n2gdb.Database) -> None:
    (hit,) = database.query("neurons MATCHING $x PROMOTING $x WHERE index = 3")
    assert hit.path == "·cat · ·end"
    assert [row.group for row in database.query("COUNT neurons MATCHING $x PROMOTING $x BY activating")] == [
        " end"
    ]


#: What is asked, and the logits that the rows have, in order.
LOGITS = [
    ("PROMOTING 'end' ORDER BY promoted DESC", "L0N0 2.0 None, L0N3 1.0 None"),
    ("PROMOTING 'end' WHERE promoted > 1", "L0N0 2.0 None"),
    ("PROMOTING /.*/ WHERE promoted >= 2 ORDER BY promoted", "L0N0 2.0 None, L0N3 2.0 None, L0N2 3.0 None"),
    ("PROMOTING 'end' AND SUPPRESSING !'the' RETURN promoted, suppressed", "L0N0 2.0 -1.5"),
    ("SUPPRESSING 'end' OR PROMOTING 'cat' WHERE suppressed < -1", "L0N1 None -2.0"),
    (
        "SUPPRESSING 'end' OR PROMOTING 'cat' WHERE suppressed IS MISSING AND promoted > index",
        "L0N2 3.0 None",
    ),
    ("MATCHING $x PROMOTING $x ORDER BY promoted", "L0N3 1.0 None, L0N0 2.0 None"),
    ("MATCHING $x BEFORE ... PROMOTING !$x ORDER BY promoted, index", "L0N3 2.0 None, L0N2 3.0 None"),
    ("MATCHING $x BEFORE ... PROMOTING ~$x WHERE promoted + activation > 2", "L0N3 2.0 None"),
    ("MATCHING 'end' PROMOTING 'of' AND NOT PROMOTING 'dog' WHERE promoted > 0", "L0N3 2.0 None"),
    ("IN (L0N3) PROMOTING ('end' | 'of') WHERE promoted > 0", "L0N3 2.0 None"),
]


@pytest.mark.parametrize(("asked", "expected"), LOGITS, ids=[asked for asked, _ in LOGITS])
def test_the_logits_of_what_is_named_are_fields(asked: str, expected: str, path: Path) -> None:
    for before in range(2):
        with n2gdb.open(path) as database:
            assert before == sum(len(database.query("neurons LIMIT 1")) for _ in range(before))
            text = asked.partition(" RETURN ")[0]
            answer = database.query(f"neurons {text} RETURN neuron, promoted, suppressed".replace("  ", " "))
            rows = [f"{row['neuron']} {row['promoted']} {row['suppressed']}" for row in answer.to_dicts()]
            shown = [each.rsplit(" ", 2)[0] for each in rows]
            assert shown == [str(hit.neuron) for hit in database.query(f"neurons {text}")]
            assert ", ".join(rows) == expected
            clauses = text.partition(" ORDER BY ")[0]
            assert database.count(f"neurons {clauses}") == len(rows)
            assert {str(hit.neuron) for hit in database.query(f"patterns OF neurons {clauses}")} == {*shown}


def test_logits_are_grouped_and_measured(database: n2gdb.Database) -> None:
    grouped = database.query("COUNT neurons SUPPRESSING /.*/ BY suppressed / 1")
    assert [(each.group, each.count) for each in grouped] == [(-2.0, 2)]
    assert database.query("MAX promoted OF neurons PROMOTING /.*/")["max"] == [3.0]
    hits = database.query("patterns PROMOTING 'of' WHERE promoted > 1 RETURN neuron, promoted")
    assert [(str(hit.neuron), hit.promoted) for hit in hits] == [("L0N3", 2.0)] * 2
    assert str(neurons(promoting("end")).where(promoted__ge=1).order_by("-promoted")) == (
        "neurons PROMOTING 'end' WHERE promoted >= 1 ORDER BY promoted DESC"
    )


@pytest.mark.parametrize(
    ("asked", "column"),
    [
        ("neurons WHERE promoted > 1", 15),
        ("neurons NOT PROMOTING 'end' WHERE promoted > 1", 35),
        ("neurons PROMOTING 'end' ORDER BY suppressed", 34),
        ("patterns MATCHING $x PROMOTING $x WHERE index > suppressed", 41),
        ("COUNT neurons BY promoted / 2", 18),
        ("AVG promoted OF neurons", 5),
    ],
)
def test_a_logit_needs_a_token_that_is_named(asked: str, column: int, database: n2gdb.Database) -> None:
    with pytest.raises(QueryError, match="is the logit of a token that ") as caught:
        database.query(asked)
    assert (caught.value.line, caught.value.column) == (1, column)


def test_several_tokens_are_refused_with_a_caret(database: n2gdb.Database) -> None:
    with pytest.raises(QueryError, match="PROMOTING takes one token, and 'the end' is 2") as caught:
        database.query("neurons PROMOTING 'the end'")
    assert (caught.value.line, caught.value.column) == (1, 19)
    with pytest.raises(QueryError, match="SUPPRESSING takes one token"):
        database.query("neurons MATCHING 'the' AND SUPPRESSING !('dog' | 'the end')")


def test_a_token_that_no_model_has_is_said(database: n2gdb.Database) -> None:
    answer = database.query("neurons PROMOTING 'xyzzy'")
    assert not list(answer)
    assert any("xyzzy" in notice for notice in answer.notices)


@pytest.mark.parametrize("asked", ["PROMOTING 'end'", "MATCHING $x SUPPRESSING $x", "NOT PROMOTING 'end'"])
def test_a_database_without_effects_says_so(asked: str, tmp_path: Path) -> None:
    with n2gdb.open(build(tmp_path, with_effects=False)) as database:
        assert len(database.query("neurons")) == 5
        assert database.neuron("L0N0").promotes == ()
        for subject in ("neurons", "patterns", "COUNT neurons"):
            with pytest.raises(QueryError, match="add it with n2gdb effects"):
                database.query(f"{subject} {asked}")


def test_without_strings() -> None:
    assert str(neurons(promoting("end") & ~suppressing(tok("a") | "b"))) == (
        "neurons PROMOTING 'end' AND NOT SUPPRESSING ('a' | 'b')"
    )
    joined = neurons().matching(var("x").before(...), suppressing=var("x"))
    assert str(joined) == "neurons MATCHING $x BEFORE ... SUPPRESSING $x"
    assert joined.query.clauses == matching(var("x").before(...), suppressing=var("x")).formula
    both = neurons(matching("New", promoting="York") & mentioning("a")).promoting("b").suppressing("c")
    assert str(both) == (
        "neurons MATCHING 'New' AND PROMOTING 'York' AND MENTIONING 'a' AND PROMOTING 'b' AND SUPPRESSING 'c'"
    )


def test_completion_offers_the_words_and_then_tokens(database: n2gdb.Database) -> None:
    def offered(text: str) -> list[str]:
        return [each.text for each in candidates(database.connection.rows, text)[1]]

    assert "PROMOTING" in offered("neurons PRO")
    assert "SUPPRESSING" in offered("neurons MATCHING 'a' SUP")
    assert "dog'" in offered("neurons PROMOTING 'd")


def test_explain_shows_the_statement(database: n2gdb.Database) -> None:
    steps = database.query("EXPLAIN neurons PROMOTING 'end'")
    assert any("WRITES" in (step.cypher or "") for step in steps)


def test_a_neuron_shows_what_it_writes(database: n2gdb.Database, path: Path) -> None:
    neuron = database.neuron("L0N0")
    assert [(each.text, each.logit) for each in neuron.promotes] == [(" end", 2.0), (" dog", 1.0)]
    assert [(each.token, each.logit) for each in neuron.suppresses] == [(CAT, -1.5)]
    assert neuron.as_dict()["suppresses"] == [{"token": CAT, "text": " cat", "logit": -1.5}]
    shown = CliRunner().invoke(app, ["show", "L0N0", "L1N0", "--db", str(path)]).stdout
    assert shown.count("promotes") == shown.count("suppresses") == 1
    assert "promotes ·end ·dog" in shown and "suppresses ·cat" in shown


def test_lines_of_an_export_hold_what_neurons_write(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    result = CliRunner().invoke(app, ["export", str(out), "--db", str(path)])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    written = {
        row["neuron"]: {each["token"]: each["logit"] for each in row["promotes"] + row["suppresses"]}
        for row in rows
    }
    assert written == {name: logits for name, (_, logits) in NEURONS.items()}
