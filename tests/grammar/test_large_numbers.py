"""Numbers beyond 64 bits, in names, queries and arguments: read as they are written, or refused as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import n2gdb
from n2gdb.errors import ArgumentError, N2gdbError, QuerySyntaxError, UnknownNameError
from n2gdb.query.builder.queries import field, neurons, tok

LARGE = "9" * 20


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"L{LARGE}N1", f"no layer {LARGE}:"),
        (f"{LARGE}/1", f"no layer {LARGE}:"),
        (f"blocks.{LARGE}.mlp/1", f"no layer {LARGE}:"),
        (f"{LARGE}-res-jb/1", f"no layer {LARGE}:"),
        (f"L1N{LARGE}-", f"L1N{LARGE}-:"),
        (f"L1F{LARGE}@res-jb", f"L1F{LARGE}@res-jb:"),
    ],
)
@pytest.mark.parametrize("query", ["patterns OF {}", "neurons MATCHING <{}>", "neurons IN (L0N0, {})"])
def test_a_name_is_repeated_as_it_was_written(
    query: str, name: str, message: str, small: n2gdb.Database
) -> None:
    with pytest.raises(UnknownNameError) as refused:
        small.query(query.format(name))
    assert message in refused.value.message
    with pytest.raises(UnknownNameError) as refused:
        small.neuron(name)
    assert message in refused.value.message


@pytest.mark.parametrize("digits", [50, 5_000])
def test_no_name_has_hundreds_of_digits(digits: int, small: n2gdb.Database) -> None:
    name = f"L{'7' * digits}N1"
    with pytest.raises(QuerySyntaxError, match="is no neuron: no model has so large a number"):
        small.query(f"patterns OF {name}")
    with pytest.raises(UnknownNameError, match="is not a neuron's name"):
        small.neuron(name)


@pytest.mark.parametrize(
    ("zeros", "plain"),
    [
        ("patterns OF L{}1N{}3", "patterns OF L1N3"),
        ("neurons WHERE layer = {}2 AND index < {}", "neurons WHERE layer = 2 AND index < 0"),
        ("neurons LIMIT {}4 OFFSET {}2", "neurons LIMIT 4 OFFSET 2"),
        ("neurons MATCHING ... BEFORE/{}2..{}3 ...", "neurons MATCHING ... BEFORE/2..3 ..."),
        ("neurons WHERE index > -{}1", "neurons WHERE index > -1"),
    ],
)
@pytest.mark.parametrize("count", [30, 5_000])
def test_zeros_before_a_number_are_nothing(zeros: str, plain: str, count: int, small: n2gdb.Database) -> None:
    found, wanted = small.query(zeros.replace("{}", "0" * count)), small.query(plain)
    assert list(found) == list(wanted)


@pytest.mark.parametrize(
    "query",
    [
        *("neurons LIMIT {}", "neurons OFFSET {}", "neurons SAMPLE 2 SEED {}", "neurons WHERE layer < {}"),
        *("neurons WHERE f1 < -{}", "neurons WHERE layer IN 0..{}", "neurons FIRING ON 'the' AT {}"),
        *("neurons MATCHING 'the' BEFORE/{} 'end'", "neurons MATCHING 'the' NEAR/1..{} 'end'"),
        *("neurons MATCHING 'the' THEN _/{} THEN 'end'", "neurons SIMILAR TO L0N0 SHARING {}"),
    ],
)
def test_a_number_in_a_query_is_called_too_large(query: str, small: n2gdb.Database) -> None:
    for large in (LARGE, str(2**63), "9" * 5_000):
        with pytest.raises(QuerySyntaxError, match="is too large a number"):
            small.query(query.format(large))


@pytest.mark.parametrize(
    "large", [10**20, -(10**20), 10**400, 10**5_000], ids=["20", "minus 20", "400", "5000"]
)
def test_arguments_are_refused_for_their_size(large: int, small: n2gdb.Database) -> None:
    anything: Any = large
    calls: list[Callable[[], object]] = [
        lambda: neurons().limit(large),
        lambda: neurons().where(layer=large),
        lambda: neurons().where(field("f1") < large),
        lambda: neurons().where(layer=[large]),
        lambda: tok("a").before("b", within=large),
        lambda: small.query("neurons WHERE layer = :layer", {"layer": large}),
        lambda: small.query("neurons", timeout=large),
        lambda: small.texts([large]),
        lambda: small.neurons(layer=large),
        lambda: small[large, 1],
    ]
    for call in calls:
        with pytest.raises(ArgumentError, match=r"up to |from -?\d+ up|above 0"):
            call()
    for name in (anything, n2gdb.NeuronName(10**5_000, 1)):
        with pytest.raises(N2gdbError, match="is not a neuron's name"):
            small.neuron(name)
