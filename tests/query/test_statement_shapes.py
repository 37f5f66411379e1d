"""No statement that is issued has a shape that the engine answers wrongly: see n2gdb/storage/shapes.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import n2gdb
from n2gdb.errors import N2gdbError
from n2gdb.grammar.unparse import written
from n2gdb.storage.connection import Connection
from tests.oracle.random.queries import known_of, random_statement
from tests.support.worlds import build_world

ROOT = Path(__file__).parents[2]
FIXTURES = sorted((ROOT / "tests" / "fixtures" / "compiler").glob("*.txt"))
SOURCES = sorted(
    path for folder in ("n2gdb", "cli", "ingest", "grammar") for path in (ROOT / folder).rglob("*.py")
)


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


@pytest.mark.parametrize("seed", [1, 2])
def test_no_statement_of_random_queries_has_such_a_shape(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, world = build_world(tmp_path, seed)
    seen: set[str] = set()
    answered = Connection._answered

    def watched(connection: Connection, cypher: str, *rest: Any) -> Any:
        seen.add(cypher)
        return answered(connection, cypher, *rest)

    monkeypatch.setattr(Connection, "_answered", watched)
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
