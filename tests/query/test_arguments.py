"""The Python interface: an argument that makes no sense is told in one line, never in the engine's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

import n2gdb
from n2gdb.errors import ArgumentError, N2gdbError, QueryError
from n2gdb.query.builder import queries as builder
from n2gdb.query.builder.queries import neurons

#: Of every kind that an argument may be and mostly should not.
VALUES: tuple[Any, ...] = (
    *(None, -1, 0, 1.5, True, "x", "", [1, 2], (1,), {1}, {}, float("nan"), float("inf"), 10**30, -(10**30)),
    *(b"x", object(), "\ud800", np.int64(1), np.float32(0.5), n2gdb.NeuronName(-1, 5), range(3)),
    n2gdb.NeuronName(10**40, 5),
)

CALLS: dict[str, Callable[[n2gdb.Database, Any], object]] = {
    "neurons layer": lambda small, value: list(small.neurons(layer=value)),
    "neurons model": lambda small, value: list(small.neurons(model=value)),
    "similar neuron": lambda small, value: list(small.similar(value)),
    "similar k": lambda small, value: list(small.similar("L0N0", k=value)),
    "similar metric": lambda small, value: list(small.similar("L0N0", metric=value)),
    "similar above": lambda small, value: list(small.similar("L0N0", above=value)),
    "similar within": lambda small, value: list(small.similar("L0N0", within=value)),
    "pairs metric": lambda small, value: len(small.pairs(value)),
    "pairs above": lambda small, value: len(small.pairs(above=value)),
    "pairs sharing": lambda small, value: len(small.pairs(sharing=value)),
    "similar sharing": lambda small, value: list(small.similar("L0N0", sharing=value)),
    "firing text": lambda small, value: small.firing(value),
    "neuron": lambda small, value: small.neuron(value),
    "model": lambda small, value: small.model(value),
    "text": lambda small, value: small.text(value),
    "texts": lambda small, value: small.texts(value),
    "query": lambda small, value: list(small.query(value)),
    "count": lambda small, value: small.count(value),
    "timeout": lambda small, value: list(small.query("neurons LIMIT 1", timeout=value)),
    "predict": lambda small, value: small.neuron("L0N0").predict(value),
    "predict ids": lambda small, value: small.neuron("L0N0").predict([value]),
    "read true": lambda small, value: small.neuron("L0N0").read([1, 2], value),
    "picture": lambda small, value: small.neuron("L0N0").picture(value),
    "limit": lambda _, value: neurons().limit(value).query,
    "offset": lambda _, value: neurons().offset(value).query,
    "matching": lambda _, value: neurons().matching(value).query,
    "mentioning": lambda _, value: neurons().mentioning(value).query,
    "tok": lambda _, value: neurons().matching(builder.tok(value)).query,
    "regex": lambda _, value: neurons().matching(builder.regex(value)).query,
    "kind": lambda _, value: builder.kind(value),
    "within": lambda _, value: neurons().matching(builder.tok("a").before("b", within=value)).query,
    "where real": lambda _, value: neurons().where(f1=value).query,
    "where whole": lambda _, value: neurons().where(layer=value).query,
    "where word": lambda _, value: neurons().where(state=value).query,
    "where in": lambda _, value: neurons().where(f1__in=value).query,
    "where between": lambda _, value: neurons().where(f1__between=value).query,
    "where missing": lambda _, value: neurons().where(f1__missing=value).query,
    "condition": lambda _, value: neurons().where(value).query,
    "clause": lambda _, value: neurons().having(value).query,
    "field": lambda _, value: builder.field(value),
    "order": lambda _, value: neurons().order_by(value).query,
    "columns": lambda _, value: neurons().returning(value).query,
    "group": lambda _, value: neurons().count(by=value).query,
    "above": lambda _, value: neurons().similar_to("L0N0", above=value).query,
    "metric": lambda _, value: neurons().similar_to("L0N0", metric=value).query,
    "in_model": lambda _, value: neurons().in_model(value).query,
    "firing_on": lambda _, value: neurons().firing_on(value).query,
    "at": lambda _, value: neurons().firing_on("a", at=value).query,
    "patterns_of": lambda _, value: builder.patterns_of(value).query,
}


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_of_any_kind_is_taken_or_refused_in_our_words(name: str, small: n2gdb.Database) -> None:
    refused = 0
    for value in VALUES:
        try:
            CALLS[name](small, value)
        except N2gdbError as error:
            refused += 1
            assert "exception" not in str(error).lower(), (value, error)
            assert str(error).count("\n") in (0, 2), (value, error)
            assert type(error) is not QueryError or "tokenizer" in str(error), (value, error)
    assert refused > 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda small: small.neurons(layer=[1, 2]), r"layer must be a whole number from 0 up, not \[1, 2\]"),
        (lambda small: small.neurons(layer=3), "small has no layer 3: its layers are 0 to 2"),
        (lambda small: small.similar("L0N0", k=-1), "k must be a whole number from 0 up, not -1"),
        (lambda small: small.similar("L0N0", above=2), "above must be between 0 and 1, not 2"),
        (lambda small: small.pairs(sharing=0.5), "sharing must be a whole number from 1 up, not 0.5"),
        (lambda small: small.texts([1, "2"]), "each of tokens must be a whole number, not '2'"),
        (lambda small: small.query("neurons", timeout=0), "timeout must be a number of seconds above 0"),
        (lambda small: small.query(5), "a query must be text, a builder or a syntax tree, not int"),
    ],
)
def test_the_message_names_the_argument(
    call: Callable[[n2gdb.Database], object], message: str, small: n2gdb.Database
) -> None:
    with pytest.raises(QueryError, match=message) as refused:
        call(small)
    assert isinstance(refused.value, n2gdb.UnknownNameError if "no layer" in message else ArgumentError)


@pytest.mark.parametrize("plain", [ArgumentError, QueryError, TypeError, ValueError])
def test_a_wrong_argument_is_caught_as_python_has_it(plain: type[Exception], small: n2gdb.Database) -> None:
    for call in (lambda: small.neurons(layer=cast(Any, "x")), lambda: neurons().limit(cast(Any, None))):
        with pytest.raises(plain):
            call()
    for name, value in (("LIMIT $rows", {}), ("LIMIT 1", {"rows": 1})):
        with pytest.raises(plain, match="rows"):
            small.connection.rows(f"MATCH (n:Neuron) RETURN n.id {name}", value)


def test_numbers_of_numpy_are_numbers(small: n2gdb.Database) -> None:
    one, two = cast(Any, np.int64(1)), cast(Any, np.int64(2))
    assert len(list(small.neurons(layer=one))) == 20
    assert len(small.similar("L0N0", k=two)) <= 2
    assert small.count(neurons().where(f1__ge=np.float32(0.5))) == small.count("neurons WHERE f1 >= 0.5")
