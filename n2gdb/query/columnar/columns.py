"""Columns for queries in memory: units, tries and effects of a database, read once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array, distinct
from n2gdb.core.units import token_key
from n2gdb.grammar.ast import Effect
from n2gdb.query.columnar.example_texts import ExampleTexts
from n2gdb.query.columnar.tries import Table, TrieColumns, read_tries
from n2gdb.query.columnar.units import Units, read_units
from n2gdb.query.columnar.writes import Writes, Written
from n2gdb.query.cypher.match import WRITES
from n2gdb.query.semantics.vocabulary import Vocabulary

__all__ = ["Columns"]


class Columns:
    """The columns of a database; each is read when it is first asked for, and kept."""

    def __init__(self, table: Table, vocabulary: Vocabulary) -> None:
        """Read through ``table``, which runs a statement with its parameters and returns columns."""
        self._table = table
        self.vocabulary = vocabulary
        vocabulary.hold_by(lambda tokens: self.tries.holds(tokens))
        self.writes = Writes(self._written)

    @cached_property
    def units(self) -> Units:
        """All units."""
        return read_units(self._table)

    @cached_property
    def tries(self) -> TrieColumns:
        """The tries of all units."""
        return read_tries(self._table, self.vocabulary.table, self.units.ids)

    @cached_property
    def activating(self) -> tuple[Int64Array, Int64Array, tuple[str, ...]]:
        """What each unit fires on: units by place, codes of texts, no pair twice; the texts."""
        found = self._table(
            "MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) RETURN n.id AS unit, offset(id(t)) AS token", {}
        )
        owner = np.searchsorted(self.units.ids, found["unit"].to_numpy())
        known, token = np.unique(found["token"].to_numpy(), return_inverse=True)
        texts = self.vocabulary.table["text"].take(known).combine_chunks().dictionary_encode()
        pair = distinct(owner * (len(known) + 1) + texts.indices.to_numpy()[token])
        owner, code = np.divmod(pair, len(known) + 1)
        return owner, code, tuple(texts.dictionary.to_pylist())

    @cached_property
    def windows(self) -> ExampleTexts:
        """The stored examples."""
        return ExampleTexts(self._table, token_key)

    def among(self, ids: Mapping[int, object] | frozenset[int]) -> BoolArray:
        """Return which units are among some, by their ids: (units,)."""
        inside = np.zeros(len(self.units), np.bool_)
        inside[self.units.places(sorted(ids))] = True
        return inside

    def count_steps(self, unit: int) -> int:
        """Count the steps of a unit's graph, by Neuron.id, with case and space aside."""
        tries = self.tries
        rows = tries.rows_in(self.units.places([unit]))
        activating, token = tries.alike[tries.activating[rows]], tries.alike[tries.token[rows]]
        return len(set(zip(activating.tolist(), tries.depth[rows].tolist(), token.tolist(), strict=True)))

    def _written(self, effect: Effect) -> Written:
        found = self._table(
            f"MATCH (n:Neuron)-[w:WRITES]->(t:Token) WHERE w.logit {WRITES[effect]}"
            " RETURN n.id AS unit, offset(id(t)) AS token, w.logit AS logit",
            {},
        )
        owner = np.searchsorted(self.units.ids, found["unit"].to_numpy())
        order = np.argsort(owner, kind="stable")
        places = np.arange(len(self.units))
        token, logit = (found[name].to_numpy()[order] for name in ("token", "logit"))
        first = np.searchsorted(owner[order], places, "left")
        return Written(token, logit, first, np.searchsorted(owner[order], places, "right"))
