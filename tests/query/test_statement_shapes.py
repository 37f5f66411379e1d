"""No statement that is issued has a shape that the engine answers wrongly: see n2gdb/storage/shapes.py."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import n2gdb
from n2gdb.errors import N2gdbError, QueryError
from n2gdb.grammar.unparse import written
from n2gdb.storage.connection import Connection
from tests.oracle.random.known import known_of
from tests.oracle.random.queries import random_statement
from tests.support.worlds import build_world

ROOT = Path(__file__).parents[2]
FIXTURES = sorted((ROOT / "tests" / "fixtures" / "compiler").glob("*.txt"))
SOURCES = sorted(
    path for folder in ("n2gdb", "cli", "ingest", "grammar") for path in (ROOT / folder).rglob("*.py")
)

#: Joins that the engine plans in no time; a dozen take it seconds, in which nothing can stop it.
_MOST_UNHINTED = 4


def faults(cypher: str) -> Iterator[str]:
    """Yield what is wrong with the shape of a statement."""
    if re.search(r"\bSKIP\b", cypher):
        yield "SKIP"
    for relationship in re.findall(r"\[(\w+):", cypher):
        if re.search(rf"\b{relationship}\.`?\w+`? IN\b", cypher):
            yield f"IN on the relationship {relationship}"
    for keys in re.findall(r"\bORDER BY (.+?)(?:\bLIMIT\b|\n|$)", cypher):
        bare = re.sub(r"CASE .+? END", "", keys)
        if re.search(r"(?:n\.state|by_state)(?! IS NULL)", bare):
            yield "a string sort key"
    for inside in re.findall(r"EXISTS \{(.+?)\}", cypher, re.DOTALL):
        if re.search(r"\bn\.", inside):
            yield "a subquery that mentions a column of the neuron"
        if re.search(r"\(m\w*:Neuron\)", inside):
            yield "a subquery over neurons of its own"
    for match in re.split(r"\bMATCH\b", cypher):
        if len(re.findall(r"\[\w+:", match)) > _MOST_UNHINTED and "HINT" not in match:
            yield "joins whose order the engine chooses"
    if re.search(r"(?<!round\()\bavg\(", cypher):
        yield "a mean of reals that is not settled"
    if "FLOAT" in cypher:
        yield "32-bit reals"


def test_the_check_knows_each_shape() -> None:
    wrong = {
        "MATCH (n:Neuron) RETURN n.id ORDER BY n.id SKIP $p0 LIMIT $p1": "SKIP",
        "MATCH (n)-[c:CONTEXT]->(t) WHERE c.act_token IN $p0 RETURN n.id": "IN on the relationship c",
        "MATCH (n:Neuron) RETURN n.id ORDER BY n.state IS NULL, n.state DESC, n.f1": "a string sort key",
        "MATCH (n:Neuron) WHERE EXISTS { MATCH (n)-[c:CONTEXT]->() WHERE c.activation > n.f1 } RETURN n.id": (
            "a subquery that mentions a column of the neuron"
        ),
        f"MATCH (n:Neuron), {', '.join(f'(n)-[c{place}:CONTEXT]->()' for place in range(5))} RETURN n.id": (
            "joins whose order the engine chooses"
        ),
        "MATCH (n:Neuron) RETURN avg(n.f1)": "a mean of reals that is not settled",
        "RETURN CAST(NULL, 'FLOAT')": "32-bit reals",
    }
    assert {cypher: next(faults(cypher)) for cypher in wrong} == wrong


@pytest.mark.parametrize("fixture", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_no_compiled_statement_has_such_a_shape(fixture: Path) -> None:
    _, cypher, _ = fixture.read_text("utf-8").split("\n\n", 2)
    assert not list(faults(cypher))


@pytest.mark.parametrize("source", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_no_written_statement_has_such_a_shape(source: Path) -> None:
    if source.name in ("shapes.py", "cypher.py"):  # the one names them, the other shows a user's statement
        return
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "MATCH (" in node.value:
            assert not list(faults(node.value)), node.value


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The statements that are issued."""
    issued: set[str] = set()
    answered = Connection._answered

    def watched(connection: Connection, cypher: str, *rest: Any) -> Any:
        issued.add(cypher)
        return answered(connection, cypher, *rest)

    monkeypatch.setattr(Connection, "_answered", watched)
    return issued


@pytest.mark.parametrize("seed", [1, 2])
def test_no_statement_of_random_queries_has_such_a_shape(seed: int, tmp_path: Path, seen: set[str]) -> None:
    path, world = build_world(tmp_path, seed)
    random, known = Random(seed), known_of(world)
    with n2gdb.open(path) as database:
        database._by_statements = None
        for _ in range(150):
            try:
                answer = database.query(written(random_statement(random, known)))
                list(answer[:5])
            except N2gdbError:
                continue
    assert len(seen) > 150
    assert not {fault: cypher for cypher in seen for fault in faults(cypher)}


STEPS = ("$x", "<word>", "!'the'", "_ THEN 'the'", "('the' | 'of')", "/.*/")
KINDS_OF_QUESTION = (
    "neurons {}",
    "patterns {}",
    "COUNT patterns {} BY activating",
    "neurons {} WHERE activation > f1",
    "neurons {} ORDER BY importance DESC LIMIT 3",
    "patterns {} WHERE importance > 0.5",
    "neurons {} PROMOTING 'the'",
    "neurons NOT {}",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    with n2gdb.open(build_world(tmp_path_factory.mktemp("world"), 1)[0]) as database:
        yield database


@pytest.mark.parametrize("kind", KINDS_OF_QUESTION)
@pytest.mark.parametrize("step", STEPS)
def test_long_patterns_are_planned_in_no_time(
    world: n2gdb.Database, kind: str, step: str, seen: set[str]
) -> None:
    """What the engine plans can be stopped by nothing: neither by a time limit nor by Ctrl-C."""
    for number, link in ((5, "BEFORE"), (6, "THEN"), (12, "BEFORE/2"), (12, "THEN")):
        text = kind.format(f"MATCHING {f' {link} '.join([step] * number)}")
        before = time.process_time()
        list(world.query(text))
        assert time.process_time() - before < 1.5, text
    assert not {fault: cypher for cypher in seen for fault in faults(cypher)}


def test_clauses_that_the_engine_would_plan_for_seconds_are_refused(small: n2gdb.Database) -> None:
    clause = f"MATCHING {' THEN '.join(['$x'] * 12)}"
    small.query(f"neurons {' AND '.join([clause] * 23)}")
    with pytest.raises(QueryError, match="more than 256 context tokens together"):
        small.query(f"neurons {' AND '.join([clause] * 24)}")
