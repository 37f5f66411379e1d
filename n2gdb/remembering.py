"""What an open database keeps between queries: vocabulary, columns, and saved sets."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from n2gdb.core.deadline import seconds_left
from n2gdb.errors import ArgumentError, QuerySyntaxError
from n2gdb.storage.read.catalog import count_nodes, read_held

if TYPE_CHECKING:
    from n2gdb.core.tokenizer import Cutter, Tokenizer
    from n2gdb.core.units import HeldUnits
    from n2gdb.grammar.ast import NeuronRef
    from n2gdb.query.columnar.columns import Columns
    from n2gdb.query.semantics.vocabulary import Vocabulary
    from n2gdb.similarity.columns import SimilarityColumns
    from n2gdb.similarity.kept_pairs import KeptPairs
    from n2gdb.storage.connection import Connection
    from n2gdb.storage.read.catalog import ModelInfo
    from n2gdb.storage.read.outline import Outline

__all__ = ["Remembering"]

#: Nodes of all tries that are kept as columns: 60 bytes each; and the seconds to read one, on a busy machine.
_MOST_NODES, _READING = 5_000_000, 2e-6
#: Of more nodes their outline is kept: so many bytes each, in up to this share of the machine's memory.
_OUTLINED, _SHARE = 60, 0.25


class Remembering(ABC):
    """What a ``Database`` keeps in memory between queries, and its saved sets."""

    _asked = 0

    @property
    @abstractmethod
    def path(self) -> Path:
        """The file."""

    @property
    @abstractmethod
    def connection(self) -> Connection:
        """The open file."""

    @property
    @abstractmethod
    def _models(self) -> tuple[ModelInfo, ...]: ...

    @abstractmethod
    def _tokenizer(self, number: int) -> Tokenizer | None: ...

    @cached_property
    def _held(self) -> tuple[HeldUnits, ...]:
        return read_held(self.connection)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        from n2gdb.query.semantics.vocabulary import Vocabulary

        cutters = {model.number: partial(self._cutter, model.number) for model in self._models}
        return Vocabulary(self.connection.rows, self.connection.table, cutters)

    def _cutter(self, number: int) -> Cutter | None:
        """What cuts the texts of patterns, which stand inside other text."""
        tokenizer = self._tokenizer(number)
        return None if tokenizer is None else tokenizer.inside

    def _saved(self, name: str) -> tuple[NeuronRef, ...]:
        from n2gdb.grammar.ast import Listed, Query
        from n2gdb.query.parse import read_query
        from n2gdb.storage.saved_sets import saved_set, sets_file

        units = saved_set(self.path, name)
        try:
            listed = read_query(f"neurons IN ({', '.join(units)})")
        except QuerySyntaxError as error:
            raise sets_file(self.path).unsound(f"${name}: {error.message}") from error
        match listed:
            case Query(clauses=Listed(neurons)) if listed == Query(Listed(neurons)):
                return neurons
        raise sets_file(self.path).unsound(f"${name} is more than a list of neurons")

    def sets(self) -> dict[str, tuple[str, ...]]:
        """Return the saved sets, by name: units as queries write them.

        >>> db.sets()
        {}
        """
        from n2gdb.storage.saved_sets import read_sets

        return read_sets(self.path)

    def save_set(self, name: str, units: Iterable[object]) -> None:
        """Save units under a name, in a file beside the database: ``neurons IN $name`` asks for them.

        ``units`` are names, neurons, or the hits of an answer; with none of them the name is removed. Raises
        ArgumentError for anything else.

        >>> db.save_set("mine", db.query("neurons MATCHING 'an' BEFORE 'other'"))
        >>> db.count("neurons IN $mine")
        1
        >>> db.save_set("mine", [])
        """
        from n2gdb.query.parameters import unit_text
        from n2gdb.storage.saved_sets import write_set

        listed = []
        for unit in units:
            if (text := unit_text(unit)) is None:
                raise ArgumentError(f"a set holds neurons, their names, or hits, not {unit!r}")
            listed.append(text)
        write_set(self.path, name, listed)

    #: Questions that statements answer, before columns are read for those that follow; None: all of them.
    _by_statements: int | None = 1

    def _is_warm(self) -> bool:
        """Count a question, and tell whether columns answer it, which takes the time to read them first."""
        self._asked += 1
        if self._by_statements is None or self._asked <= self._by_statements:
            return False
        if self._nodes > _MOST_NODES:
            return False
        left = seconds_left()
        return "tries" in vars(self._columns) or left is None or left > self._nodes * _READING

    def read_ahead(self) -> None:
        """Read the columns that answer questions quickly; until they are there, statements answer all.

        It takes seconds of a large database: a server calls it in a thread of its own. Of a very large one
        only the shape of all graphs is read, and how strong each pattern is.

        >>> db.read_ahead()
        """
        before, self._by_statements = self._by_statements, None
        if self._nodes <= _MOST_NODES:
            self._columns.tries.read_ahead()
            before = 0
        elif self._outline is not None:
            self._columns.tries.read_ahead()
        self._by_statements = before

    @cached_property
    def _outline(self) -> Outline | None:
        """The shape of all tries, of a database that is too large for columns; None where it has none."""
        if self._nodes <= _MOST_NODES or self._nodes * _OUTLINED > _memory() * _SHARE:
            return None
        from n2gdb.storage.read.mapped_arrays import read_arrays
        from n2gdb.storage.read.outline import Outline

        return read_arrays(self.path, Outline)

    def _outlined(self) -> frozenset[str] | None:
        """Return the fields of matches that were read beside the outline; None where there is none."""
        if self._outline is None:
            return None
        tries = vars(self._columns).get("tries")
        return frozenset({"activation"} if tries is not None and "end" in vars(tries) else ())

    @cached_property
    def _nodes(self) -> int:
        return count_nodes(self.connection)

    @cached_property
    def _likeness(self) -> SimilarityColumns:
        from n2gdb.similarity.columns import SimilarityColumns
        from n2gdb.storage.read.shared_steps import SharedSteps

        return SimilarityColumns(self.connection.table, self._models, SharedSteps.read(self.path))

    @cached_property
    def _pairs(self) -> KeptPairs:
        from n2gdb.similarity.kept_pairs import KeptPairs

        return KeptPairs(self._likeness)

    def read_likeness_ahead(self) -> None:
        """Read what tells which neurons fire together, where other columns were read ahead.

        >>> db.read_likeness_ahead()
        """
        if "tries" in vars(self._columns):
            _ = self._likeness.firings

    @cached_property
    def _columns(self) -> Columns:
        from n2gdb.query.columnar.columns import Columns

        return Columns(self.connection.table, self._vocabulary, self._outline)


def _memory() -> float:
    """Return the bytes of the machine's memory; where nothing tells, as much as anyone asks for."""
    if not hasattr(os, "sysconf"):
        return float("inf")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
