"""Random statements have everything that the language has: every node, every option of it, every field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import Enum
from random import Random
from typing import Any

from n2gdb.grammar import ast
from n2gdb.grammar.fields import FIELDS, GROUPS, RETURNED, Kind
from tests.oracle.random.conditions import Values
from tests.oracle.random.known import Known
from tests.oracle.random.queries import random_statement

_DRAWN = 16_000
_NUMBERS = {name for name, field in FIELDS.items() if field.kind is not Kind.CHOICE}
_OF_UNITS = {name for name, field in FIELDS.items() if not field.of_match}
#: What no statement at random has, and why.
_LEFT_OUT = {
    *("Mode.EXPLAIN", "Mode.PROFILE"),  # they answer with steps, not with rows: tests/query/test_plan.py
    "Listed.saved some",  # a file beside the database holds it: tests/cli/test_query_files.py
    "Position",  # where a node stands in a text, which counts in no comparison
}


def test_everything_that_the_language_has_is_drawn() -> None:
    random = Random(5)
    latents = (ast.NeuronRef(1, 0, latent=True), ast.NeuronRef(2, 3, None, "-", True, "tc"))
    values = Values(words={"kind": ("mlp", "sae"), "source": ("mlp", "tc")})
    known = Known(
        neurons=(ast.NeuronRef(0, 1), ast.NeuronRef(1, 2, None, "-"), *latents),
        has_windows=True,
        values=values,
    )
    named = dataclasses.replace(known, neurons=(ast.NeuronRef(0, 1, "small"),))
    drawn: set[str] = set()
    for number in range(_DRAWN):
        drawn.update(_parts(random_statement(random, known if number % 9 else named)))
    assert sorted(_language() - drawn - _LEFT_OUT) == []
    assert sorted(_LEFT_OUT & drawn) == []


def _language() -> set[str]:
    """Name every node of the syntax tree, every choice of its options, and every field in every place."""
    names: set[str] = set()
    for name in ast.__all__:
        node: Any = getattr(ast, name)
        if dataclasses.is_dataclass(node):
            names |= {name, *_options(name, node)}
        elif isinstance(node, type) and issubclass(node, Enum):
            names |= {f"{name}.{member.name}" for member in node}
    for place in ("Comparison", "Between", "InList", "FieldValue"):
        words = _NUMBERS if place in ("Between", "FieldValue") else set(FIELDS)
        names |= {f"{place} of {field}" for field in words}
    names |= {f"Missing of {field}" for field in FIELDS} | {f"Key of {field}" for field in FIELDS}
    names |= {f"GroupBy of {group}" for group in {*GROUPS} - {"activating", "context"}}
    names |= {f"Measure of {field}" for field in _NUMBERS}
    names |= {f"RETURN {column}" for column in RETURNED}
    return names | {f"Arithmetic {sign}" for sign in "+-*/%"}


def _options(name: str, node: Any) -> Iterator[str]:
    for option in dataclasses.fields(node):
        kind = str(option.type)
        if option.compare and kind == "bool":
            yield from (f"{name}.{option.name} {value}" for value in (True, False))
        elif option.compare and "None" in kind:
            yield from (f"{name}.{option.name} {value}" for value in ("some", "None"))
        elif option.compare and ((kind == "str" and option.default == "") or kind.startswith("tuple")):
            yield f"{name}.{option.name} some"


def _parts(node: Any) -> Iterator[str]:
    """Name what a tree has, as ``_language`` does."""
    if isinstance(node, Enum):
        yield f"{type(node).__name__}.{node.name}"
    if not dataclasses.is_dataclass(node):
        return
    name = type(node).__name__
    yield name
    if isinstance(node, ast.Arithmetic):
        yield f"Arithmetic {node.sign}"
    for option in dataclasses.fields(node):
        value = getattr(node, option.name)
        if not option.compare:
            continue
        yield f"{name}.{option.name} {value if value in (True, False, None) else 'some' if value else ''}"
        if isinstance(value, str) and option.name in ("field", "name"):
            yield f"{name} of {value}"
        if isinstance(node, ast.Query) and option.name == "returns":
            yield from (f"RETURN {column}" for column in node.returns)
        for each in value if isinstance(value, tuple) else (value,):
            yield from _parts(each)
