"""Faults that the code once had, or that would bring a trap of the engine back, to be put into it again.

What each does is told in n2gdb/storage/shapes.py. The first three are as the code was while 100,500 pairs of
small worlds agreed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from n2gdb.grammar.ast import Expression, FieldValue
from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.query.cypher import where
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import node_in

__all__ = ["FAULTS", "Fault"]


@dataclass(frozen=True)
class Fault:
    """What is put in which place of the code, by dotted name, and the kind of world that shows it.

    From ``seed`` on it is shown soon.
    """

    world: str
    seed: int
    code: Mapping[str, object]

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """Have the fault in this process, until the end."""
        with ExitStack() as stack:
            for place, old in self.code.items():
                stack.enter_context(patch(place, old))
            yield


def _unmerged(
    expression: str, words: Sequence[str] = (), given: Parameters | None = None, *, descending: bool
) -> str:
    """Sort words as the strings that they are: the keys behind them come in runs that are not merged."""
    return f"{expression} IS NULL, {expression}{' DESC' if descending else ''}"


_COMPUTED: Callable[..., str] = where._computed


def _in_32_bits(expression: Expression, fields: where.MatchFields | None, parameters: Parameters) -> str:
    """Compute with what a column of 32 bits holds, as if it were what was written."""
    if isinstance(expression, FieldValue) and FIELDS[expression.field].kind is Kind.REAL:
        return f'CAST(CAST({where._expression(expression.field, fields)}, "FLOAT"), "DOUBLE")'
    return _COMPUTED(expression, fields, parameters)


_CYPHER = "n2gdb.query.cypher"

FAULTS: Mapping[str, Fault] = {
    "FIRING ON filters by IN": Fault(
        "smollm",
        108,
        {
            "n2gdb.prediction.firing.relationship_in": node_in,
            "n2gdb.prediction.firing.MOST_COMPARED": 1 << 30,
        },
    ),
    "ORDER BY state as a string": Fault("long", 0, {f"{_CYPHER}.compiler.order_key": _unmerged}),
    "arithmetic in 32 bits": Fault("small", 0, {f"{_CYPHER}.where._computed": _in_32_bits}),
    "ORDER BY source as a string": Fault("long", 1, {f"{_CYPHER}.compiler.word_key": _unmerged}),
    "activating tokens by IN": Fault("smollm", 1, {f"{_CYPHER}.match.relationship_in": node_in}),
    "numbers compared as written": Fault("small", 1000, {f"{_CYPHER}.where.as_stored": float}),
    "columns in another order": Fault(
        "small",
        0,
        {
            "n2gdb.storage.build.rows._ACTIVATES_ON": [
                *("neuron", "token_key", "pre", "last", "end", "activation"),
                *("written", "support", "confidence"),
            ]
        },
    ),
}
