"""Columns for queries in memory: units, tries and effects of a database, read once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array, IntArray, distinct, is_in
from n2gdb.core.units import token_key
from n2gdb.grammar.ast import Effect
from n2gdb.query.columnar.example_texts import ExampleTexts
from n2gdb.query.columnar.tries import Table, TrieColumns, outlined_tries, read_tries
from n2gdb.query.columnar.units import Units, read_units
from n2gdb.query.columnar.walk import Scope, ends_of
from n2gdb.query.columnar.writes import Writes, Written
from n2gdb.query.cypher.match import WRITES
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.vocabulary import Vocabulary
from n2gdb.storage.read.outline import Outline

__all__ = ["Columns"]


@dataclass(frozen=True, eq=False)
class Activating:
    """What units fire on: a unit by its place and a text by its code, (pairs,) each and no pair twice."""

    owner: Int64Array
    code: Int64Array
    texts: tuple[str, ...]
    units: int
    _of_classes: dict[object, tuple[BoolArray, BoolArray]] = field(default_factory=dict)

    def of_class(self, of: Hashable, holds: Callable[[str, Any], bool]) -> tuple[BoolArray, BoolArray]:
        """Return which texts are of a class, as ``holds`` says, and which units fire on such; kept."""
        if of not in self._of_classes:
            texts = np.array([holds(text, of) for text in self.texts], np.bool_)
            units = np.zeros(self.units, np.bool_)
            units[self.owner[texts[self.code]]] = True
            self._of_classes[of] = texts, units
        return self._of_classes[of]


class Columns:
    """The columns of a database; each is read when it is first asked for, and kept.

    Of a database with an outline only the shape of its tries is kept of all units, and what matches are shown
    with is read of some.
    """

    def __init__(
        self,
        table: Table,
        vocabulary: Vocabulary,
        outline: Outline | None = None,
        among: Sequence[int] = (),
    ) -> None:
        """Read through ``table``, which runs a statement with its parameters and returns columns.

        ``among`` are the only units, by Neuron.id; all where there are none.
        """
        self._table, self._outline, self._among = table, outline, among
        self.vocabulary = vocabulary
        if outline is None and not among:
            vocabulary.hold_by(lambda tokens: self.tries.holds(tokens))
        self.writes = Writes(self._written)
        self._some: tuple[frozenset[int], Columns] | None = None
        self._walked: tuple[Sequence[Lowered], IntArray] | None = None

    def ends_anywhere(self, forms: Sequence[Lowered]) -> IntArray:
        """Return the rows where patterns of some forms end in any unit, rising.

        The latest are kept: who looks at an answer asks for its total, its pictures and its facets.
        """
        kept = self._walked
        if kept is None or kept[0] != forms:
            ends = ends_of(Scope(self.tries), forms, self.writes)
            ends.flags.writeable = False
            self._walked = kept = forms, ends
        return kept[1]

    @cached_property
    def units(self) -> Units:
        """All units."""
        return read_units(self._table, self._among)

    @cached_property
    def tries(self) -> TrieColumns:
        """The tries of all units."""
        vocabulary, ids = self.vocabulary.table, self.units.ids
        if self._outline is not None:
            return outlined_tries(self._outline, self._table, vocabulary, ids)
        return read_tries(self._table, vocabulary, ids, self._among)

    @property
    def is_outlined(self) -> bool:
        """Whether only the shape of tries is kept."""
        return self._outline is not None

    def of(self, units: Iterable[int]) -> Columns:
        """Return what knows all of some units, by Neuron.id: itself, or the same of them alone."""
        if self._outline is None:
            return self
        wanted = frozenset(units)
        if self._some is None or not wanted <= self._some[0]:
            self._some = wanted, Columns(self._table, self.vocabulary, among=sorted(wanted))
        return self._some[1]

    @cached_property
    def activating(self) -> Activating:
        """What each unit fires on."""
        found = self._table(
            "MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) RETURN n.id AS unit, offset(id(t)) AS token", {}
        )
        owner = np.searchsorted(self.units.ids, found["unit"].to_numpy())
        known, token = np.unique(found["token"].to_numpy(), return_inverse=True)
        texts = self.vocabulary.table["text"].take(known).combine_chunks().dictionary_encode()
        pair = distinct(owner * (len(known) + 1) + texts.indices.to_numpy()[token])
        owner, code = np.divmod(pair, len(known) + 1)
        return Activating(owner, code, tuple(texts.dictionary.to_pylist()), len(self.units))

    @cached_property
    def windows(self) -> ExampleTexts:
        """The stored examples."""
        return ExampleTexts(self._table, token_key)

    def among(self, ids: Mapping[int, object] | frozenset[int]) -> BoolArray:
        """Return which units are among some, by their ids: (units,)."""
        return is_in(self.units.ids, np.array(sorted(ids), np.int64))

    def count_steps(self, unit: int) -> int:
        """Count the steps of a unit's graph, by Neuron.id, with case and space aside."""
        tries = self.tries
        rows = tries.rows_in(self.units.places([unit]))
        activating, token = tries.alike[tries.token[tries.root[rows]]], tries.alike[tries.token[rows]]
        return len(set(zip(activating.tolist(), tries.depth[rows].tolist(), token.tolist(), strict=True)))

    def _written(self, effect: Effect) -> Written:
        chosen = " AND n.id IN $among" if self._among else ""
        found = self._table(
            f"MATCH (n:Neuron)-[w:WRITES]->(t:Token) WHERE w.logit {WRITES[effect]}{chosen}"
            " RETURN n.id AS unit, offset(id(t)) AS token, w.logit AS logit",
            {"among": list(self._among)} if self._among else {},
        )
        owner = np.searchsorted(self.units.ids, found["unit"].to_numpy())
        order = np.argsort(owner, kind="stable")
        places = np.arange(len(self.units))
        token, logit = (found[name].to_numpy()[order] for name in ("token", "logit"))
        first = np.searchsorted(owner[order], places, "left")
        return Written(token, logit, first, np.searchsorted(owner[order], places, "right"))
