"""Evaluates clauses and conditions over columns: the units and patterns they hold of, and the matches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, IntArray, IntegerArray, distinct
from n2gdb.core.deadline import check_time
from n2gdb.grammar.ast import Clause, Condition, Effect, FiringOn, Formula
from n2gdb.grammar.fields import FIELDS, WRITTEN
from n2gdb.query.columnar.columns import Columns
from n2gdb.query.columnar.logits import logits_of
from n2gdb.query.columnar.tries import TrieColumns
from n2gdb.query.columnar.units import Column, Words, holding, stored_reals
from n2gdb.query.columnar.walk import Scope, ends_of, found_patterns, units_of
from n2gdb.query.cypher.where import split
from n2gdb.query.semantics.binder import Settled, fold
from n2gdb.query.semantics.normal_form import PatternClause, is_of_patterns

__all__ = ["Loose", "Matches", "Search"]

#: For each clause that Cypher or Python works out elsewhere, the units that it holds of: (units,).
OfUnits: TypeAlias = Mapping[Clause, BoolArray]
#: For each FIRING ON, the patterns by which units fire: (firings,) rows of nodes.
OfFirings: TypeAlias = Mapping[Clause, IntArray]


@dataclass(frozen=True, eq=False)
class Matches:
    """Matches of a clause: the row where the pattern ends, and the least importance that the clause names.

    ``anchors`` are the rows of the nodes that it names, -1 where a form names fewer: (matches, anchors).
    Without ``known`` the importance is the least of the context among them, or else of the whole path.
    """

    tries: TrieColumns
    end: IntArray  # (matches,)
    anchors: IntArray
    known: Float64Array | None = None  # (matches,)

    @classmethod
    def of_ends(cls, tries: TrieColumns, end: IntArray, importance: Float64Array | None = None) -> Matches:
        """Return matches that name no nodes, with their importance, or that of their paths."""
        return cls(tries, end, np.zeros((len(end), 0), np.int32), importance)

    def __len__(self) -> int:
        return len(self.end)

    @cached_property
    def importance(self) -> Float64Array:
        """NaN where no context is on the path: (matches,)."""
        if self.known is not None:
            return self.known
        tries, least = self.tries, np.full(len(self), np.nan)
        for rows in self.anchors.T:  # of no row, -1, as of an activating token there is none
            least = np.fmin(least, np.where(rows < 0, np.nan, tries.importance[rows]))
        bare = np.flatnonzero(np.isnan(least))
        least[bare] = tries.least[self.end[bare]]
        return least

    def kept(self, inside: BoolArray) -> Matches:
        """Return some of them."""
        known = None if self.known is None else self.known[inside]
        return Matches(self.tries, self.end[inside], self.anchors[inside], known)


@dataclass(frozen=True, eq=False)
class Loose:
    """Firings without a pattern, those by evidence: they have an activation, and no other field of a match.

    ``steps`` are depth and Token.id of what excites each, by rising depth.
    """

    place: Int64Array  # of the unit: (firings,)
    activation: Float64Array  # (firings,)
    steps: tuple[tuple[tuple[int, int], ...], ...]

    def __len__(self) -> int:
        return len(self.place)

    def kept(self, inside: BoolArray) -> Loose:
        """Return some of them."""
        steps = tuple(each for each, stays in zip(self.steps, inside.tolist(), strict=True) if stays)
        return Loose(self.place[inside], self.activation[inside], steps)


class Search:
    """One query over columns; ``places`` are the only units to look in, where they are few and known."""

    def __init__(
        self,
        columns: Columns,
        settled: Settled,
        known: OfUnits,
        fired: OfFirings,
        loose: Mapping[Clause, Loose],
        places: Int64Array | None = None,
    ) -> None:
        self.columns = columns
        self.settled = settled
        self.conditions = split(settled.query.where)
        self._known = known
        self._fired = fired
        self._loose = loose
        self._places = None if places is None else np.sort(places)
        self._matches: dict[Clause, Matches] = {}
        self._logits: dict[str, Float64Array] = {}

    @cached_property
    def meeting(self) -> BoolArray:
        """Which units are of the model and meet the conditions that are on units: (units,)."""
        units = self.columns.units
        inside = np.ones(len(units), np.bool_)
        if self.settled.model is not None:
            inside &= units.models == self.settled.model
        for condition in self.conditions.neuron:
            inside &= holding(condition, self.of_units, len(units))
        return inside

    @cached_property
    def scope(self) -> Scope:
        """Where patterns are looked for."""
        tries = self.columns.tries
        if self._places is not None:
            return Scope(tries, None, tries.rows_in(self._places))
        return Scope(tries, None if self.meeting.all() else self.meeting)

    def units(self, clauses: Formula[Clause] | None) -> BoolArray:
        """Return which units meet WHERE and clauses: (units,)."""
        if clauses is None:
            return self.meeting
        holds: BoolArray = fold(
            clauses, self.of_clause, np.logical_and.reduce, np.logical_or.reduce, np.logical_not
        )
        return holds & self.meeting

    def of_clause(self, clause: Clause) -> BoolArray:
        """Return which units a clause holds of; outside ``meeting`` any may be wrong: (units,)."""
        if clause in self._known:
            return self._known[clause]
        check_time()
        units = self.columns.units
        inside = np.zeros(len(units), np.bool_)
        only = getattr(clause, "only", False)
        if is_of_patterns(clause) and not only and not self.conditions.match:
            for form in self.settled.forms[clause]:
                inside |= units_of(self.scope, form, self.columns.writes)
            return inside
        inside[self.columns.tries.owner[self.matches(clause).end]] = True
        if (loose := self.loose(clause)) is not None:
            inside[loose.place] = True
        return inside

    def matches(self, clause: Clause) -> Matches:
        """Return the matches of a clause on patterns that WHERE lets count."""
        if clause not in self._matches:
            found = self.every_match(clause)
            kept = self._meeting(found, self.conditions.match)
            self._matches[clause] = self.whole(kept) if getattr(clause, "only", False) else kept
        return self._matches[clause]

    def ends(self, clause: Clause) -> IntArray:
        """Return the rows where the patterns of ``matches`` end, without working out more of them."""
        is_narrowed = clause in self._matches or self.conditions.match or getattr(clause, "only", False)
        if is_narrowed or not is_of_patterns(clause):
            return self.matches(clause).end
        forms = self.settled.forms[clause]
        parts = [ends_of(self.scope, form, self.columns.writes) for form in forms]
        return np.concatenate([np.zeros(0, np.int32), *parts])

    def loose(self, clause: Clause) -> Loose | None:
        """Return the firings of a clause without a pattern that WHERE lets count; None where it has none."""
        found, conditions = self._loose.get(clause), self.conditions.match
        if found is None or not len(found) or not conditions:
            return found
        known = found

        def read(name: str) -> Column:
            if name == "activation":
                return known.activation
            if FIELDS[name].of_match:
                return np.full(len(known), np.nan)
            return self.taken(name, known.place)

        holds = [holding(each, read, len(known)) for each in conditions]
        return known.kept(np.logical_and.reduce(holds))

    def whole(self, found: Matches) -> Matches:
        """Return the matches in units of which every pattern matches."""
        tries = self.columns.tries
        counted = np.bincount(tries.owner[distinct(found.end)], minlength=len(tries.patterns))
        return found.kept((counted == tries.patterns)[tries.owner[found.end]])

    def every_match(self, clause: Clause) -> Matches:
        """Return the matches of a clause on patterns, whatever WHERE says of matches."""
        tries = self.columns.tries
        check_time()
        if isinstance(clause, FiringOn):
            return Matches.of_ends(tries, self._fired[clause])
        assert is_of_patterns(clause)
        forms = self.settled.forms[clause]
        parts = [each for form in forms for each in found_patterns(self.scope, form, self.columns.writes)]
        width = max((each.anchors.shape[1] for each in parts), default=0)
        anchors = [np.zeros((0, width), np.int32)]
        for each in parts:
            padding = np.full((len(each.end), width - each.anchors.shape[1]), -1, np.int32)
            anchors.append(np.concatenate([each.anchors, padding], axis=1))
        end = np.concatenate([np.zeros(0, np.int32), *(each.end for each in parts)])
        return Matches(tries, end, np.concatenate(anchors))

    def meeting_rows(self, rows: Matches) -> Matches:
        """Return the rows, a pattern each, that the conditions on matches hold of."""
        return self._meeting(rows, self.conditions.match)

    def each_pattern(self, clause: PatternClause) -> Matches:
        """Return every pattern that a clause holds of, once, with the largest importance of its matches."""
        found = self.every_match(clause)
        ends, place = np.unique(found.end, return_inverse=True)
        importance = np.full(len(ends), np.nan)
        np.fmax.at(importance, place, found.importance)
        tries = self.columns.tries
        return Matches.of_ends(tries, ends, np.where(np.isnan(importance), tries.least[ends], importance))

    def every_end(self) -> Matches:
        """Return every pattern of the units in scope that the conditions on matches hold of."""
        tries = self.columns.tries
        return self.meeting_rows(Matches.of_ends(tries, self.scope.narrowed(tries.ends)))

    def _meeting(self, found: Matches, conditions: Sequence[Formula[Condition]]) -> Matches:
        if not conditions or not len(found.end):
            return found
        read = self.reader(found)
        inside = np.ones(len(found.end), np.bool_)
        for condition in conditions:
            inside &= holding(condition, read, len(found.end))
        return found.kept(inside)

    def reader(self, found: Matches) -> Callable[[str], Column]:
        """Return what gives the fields of matches, those of their units among them: (matches,) each."""
        owner = self.columns.tries.owner[found.end]

        def read(name: str) -> Column:
            if FIELDS[name].of_match:
                return self.field(name, found)
            return self.taken(name, owner)

        return read

    def of_units(self, name: str) -> Column:
        """Return a field of all units; of what they write, to the tokens that the query names."""
        if name not in WRITTEN:
            return self.columns.units.column(name)
        if name not in self._logits:
            tries = self.columns.tries
            rows = None if self._places is None else tries.rows_in(self._places)
            effect = next(each for each in Effect if each.field == name)
            self._logits[name] = logits_of(self.columns, self.settled, Scope(tries, None, rows), effect)
        return self._logits[name]

    def taken(self, name: str, places: IntegerArray) -> Column:
        """Return a field of some units."""
        whole = self.of_units(name)
        return Words(whole.codes[places], whole.names) if isinstance(whole, Words) else whole[places]

    def field(self, name: str, found: Matches) -> Float64Array:
        """Return a field of matches; NaN of none: (matches,)."""
        check_time()  # of a million matches each field takes tenths of a second
        tries = self.columns.tries
        match name:
            case "activation":
                return tries.end[found.end]
            case "importance":
                return found.importance
            case "support":
                return tries.support[found.end]
            case "confidence":
                return tries.confidence[found.end]
            case "depth":
                return tries.depth[found.end].astype(np.float64)
            case "named":
                return tries.level[found.end].astype(np.float64)
        owner = tries.owner[found.end]
        counted = np.bincount(tries.owner[distinct(found.end)], minlength=len(tries.patterns))[owner]
        if name == "matches":
            return counted.astype(np.float64)
        return stored_reals(counted / tries.patterns[owner])

    def largest(self, name: str, clauses: Sequence[Clause]) -> Float64Array:
        """Return the largest value of a field over the matches of clauses, of each unit; NaN: (units,)."""
        best = np.full(len(self.columns.units), np.nan)
        for clause in clauses:
            found = self.matches(clause)
            every = (
                self.every_match(clause) if name in ("matches", "share") and self.conditions.match else found
            )
            owner = self.columns.tries.owner[found.end]
            values = self.field(name, every)
            if every is not found:  # counted whatever WHERE says, of units that it leaves a match
                inside = np.isin(self.columns.tries.owner[every.end], owner)
                owner, values = self.columns.tries.owner[every.end][inside], values[inside]
            np.fmax.at(best, owner, values)
            if name == "activation" and (loose := self.loose(clause)) is not None:
                np.fmax.at(best, loose.place, loose.activation)
        return best

    def rows(self, clause: Clause) -> Iterator[tuple[Any, ...]]:
        """Yield the matches of a clause: Neuron.id, end, OF_MATCH, then depths in text order.

        Of a firing without a pattern, its steps stand in place of the end.
        """
        tries, found = self.columns.tries, self.matches(clause)
        owner = tries.owner[found.end]
        depths = np.where(found.anchors >= 0, tries.depth[found.anchors].astype(np.int64), -1)
        columns = (
            self.columns.units.ids[owner],
            found.end - tries.first[owner],
            tries.end[found.end],
            found.importance,
            tries.support[found.end],
            tries.confidence[found.end],
            depths,
        )
        for unit, end, activation, *known, at in zip(*(each.tolist() for each in columns), strict=True):
            importance, support, confidence = (None if each != each else each for each in known)
            counted = None if support is None else int(support)
            yield unit, end, activation, importance, counted, confidence, *(each for each in at if each >= 0)
        if (loose := self.loose(clause)) is not None:
            ids = self.columns.units.ids[loose.place].tolist()
            for unit, steps, activation in zip(ids, loose.steps, loose.activation.tolist(), strict=True):
                yield unit, steps, activation, None, None, None
