"""Cypher constructs that the engine answers wrongly, and functions that avoid them.

Each was found on kuzu 0.11.3 and is pinned by a test against the bare engine, in
tests/storage/test_engine_traps.py:

    IN on a relationship    ``c.act_token IN $list`` filters wrongly after another filter on ``c``: it reads
                            other relationships' properties. So ``relationship_in`` writes equalities.
    string sort key         ``ORDER BY n.state, n.f1`` gives sorted runs that are not merged. So ``order_key``
                            sorts a word by its place among those that the field can be, and ``word_key`` by
                            its place among those that are there.
    SKIP                    ``ORDER BY ... SKIP s LIMIT k``, s past the last block of rows, kills the process.
                            So ``Page`` asks for the first s + k rows and leaves the s out itself.
    EXISTS over two parts   ``EXISTS { MATCH (n)-[c]->(), (m:Neuron) WHERE m.id = n.id }`` is a cross product,
                            which fills the memory; one that mentions a column of ``n`` loses the rows where
                            that is null. So no subquery mentions one: a plain join asks instead.
    32-bit reals            0.9 in 32 bits is less than 0.9. So there are none: reals.py.
    unbound parameter       It is silently null. So ``Connection`` compares the names.
    literal null            Arithmetic on it gives numbers. So what is always null is a typed null.
    sum of reals            Threads add them in any order, so their last digits vary between runs, and with
                            them the order of ties. So ``settled`` rounds them.
    filter without column   ``WHERE false`` after a join is dropped by some plans. So it is evaluated before.
    COPY                    Columns are filled by position, not by name. tables.py and rows.py keep one order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from n2gdb.grammar.records import dataclass
from n2gdb.storage.parameters import Parameters

__all__ = ["NO_NUMBER", "Page", "node_in", "order_key", "relationship_in", "settled", "word_key"]

#: A typed null: a literal null has no type.
NO_NUMBER = 'CAST(NULL, "DOUBLE")'

Row = TypeVar("Row")


def node_in(column: str, values: Sequence[int] | Sequence[float] | Sequence[str], given: Parameters) -> str:
    """Return Cypher for: a column of a node is one of ``values``."""
    return f"{column} IN {given.bind(values)}"


def relationship_in(column: str, values: Sequence[int] | Sequence[float], given: Parameters) -> str:
    """Return Cypher for: a column of a relationship is one of ``values``."""
    truths = " OR ".join(f"{column} = {given.bind(value)}" for value in values)
    return f"({truths})" if len(values) > 1 else truths or "false"


def order_key(expression: str, choices: Sequence[str] = (), *, descending: bool) -> str:
    """Return the keys of ORDER BY for one field, with null last.

    ``choices`` are the words that the field can be, if it takes words.
    """
    value = expression
    if choices:
        places = "".join(f" WHEN '{word}' THEN {place}" for place, word in enumerate(sorted(choices)))
        value = f"CASE {expression}{places} END"
    return f"{expression} IS NULL, {value}{' DESC' if descending else ''}"


def word_key(expression: str, words: Sequence[str], given: Parameters, *, descending: bool) -> str:
    """Return the keys of ORDER BY for a field of arbitrary words; ``words`` are all its values here."""
    place = f"list_position({given.bind(sorted(words))}, {expression})"
    return f"{expression} IS NULL, {place}{' DESC' if descending else ''}"


def settled(expression: str) -> str:
    """Return Cypher that rounds a sum or mean of reals to nine digits, the same in every run."""
    return f"round({expression}, 9)"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of ordered rows: ``limit`` rows (all if None) after the first ``offset``."""

    offset: int
    limit: int | None

    @classmethod
    def of(cls, offset: int | None, limit: int | None) -> Page:
        """Take OFFSET and LIMIT of a query."""
        return cls(offset or 0, limit)

    @property
    def stop(self) -> int | None:
        """The number of rows up to the end of the page; None for all."""
        return None if self.limit is None else self.offset + self.limit

    def clause(self, given: Parameters) -> str:
        """Return the LIMIT of a statement for these rows and those before them."""
        return "" if self.stop is None else f"LIMIT {given.bind(min(self.stop, _MOST_ROWS))}"

    @property
    def slice(self) -> slice:
        """Where these rows are among all rows in order, or among those that ``clause`` gave."""
        return slice(self.offset, self.stop)

    def cut(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the page out of ordered rows, all of them or those of ``clause``."""
        return rows[self.slice]


#: The engine's integers have 64 bits.
_MOST_ROWS = 2**62
