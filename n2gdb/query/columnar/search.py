"""Evaluates clauses and conditions over columns: the units and patterns they hold of, and the matches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, IntArray, IntegerArray, distinct, is_in
from n2gdb.core.deadline import check_time
from n2gdb.grammar.ast import Clause, Effect, FiringOn, Formula
from n2gdb.grammar.fields import FIELDS, WRITTEN
from n2gdb.query.columnar.columns import Columns
from n2gdb.query.columnar.logits import logits_of
from n2gdb.query.columnar.tries import TrieColumns
from n2gdb.query.columnar.units import Column, Words, holding, stored_reals
from n2gdb.query.columnar.walk import Scope, ends_of, found_patterns
from n2gdb.query.cypher.where import mentions, split
from n2gdb.query.semantics.binder import Settled, fold
from n2gdb.query.semantics.normal_form import is_of_patterns

__all__ = ["Loose", "Matches", "Search"]

#: For each clause that Cypher or Python works out elsewhere, the units that it holds of: (units,).
OfUnits: TypeAlias = Mapping[Clause, BoolArray]
#: For each FIRING ON, the patterns by which units fire: (firings,) rows of nodes.
OfFirings: TypeAlias = Mapping[Clause, IntArray]


@dataclass(frozen=True, eq=False)
class Matches:
    """Matches of a clause: the row where the pattern ends, and the least importance that the clause names.

    ``anchors`` are the rows of the nodes that it names, -1 where a form names fewer: (matches, anchors).
    Without ``weigh`` the importance is the least of the context among them, or else of the whole path.
    """

    tries: TrieColumns
    end: IntArray  # (matches,)
    anchors: IntArray
    weigh: Callable[[IntArray], Float64Array] | None = None  # returns the importance at ends

    @classmethod
    def of_ends(
        cls, tries: TrieColumns, end: IntArray, weigh: Callable[[IntArray], Float64Array] | None = None
    ) -> Matches:
        """Return matches that name no nodes, with what tells their importance, or that of their paths."""
        return cls(tries, end, np.zeros((len(end), 0), np.int32), weigh)

    def __len__(self) -> int:
        return len(self.end)

    @cached_property
    def importance(self) -> Float64Array:
        """NaN where no context is on the path: (matches,)."""
        if self.weigh is not None:
            return self.weigh(self.end)
        tries, least = self.tries, np.full(len(self), np.nan)
        for rows in self.anchors.T:  # of no row, -1, as of an activating token there is none
            least = np.fmin(least, np.where(rows < 0, np.nan, tries.importance[rows]))
        bare = np.flatnonzero(np.isnan(least))
        least[bare] = tries.least[self.end[bare]]
        return least

    def kept(self, inside: BoolArray | Int64Array) -> Matches:
        """Return some of them."""
        return Matches(self.tries, self.end[inside], self.anchors[inside], self.weigh)


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
        self._ends: dict[Clause, IntArray] = {}
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
        inside: BoolArray = self.columns.tries.per_unit(self.ends(clause)) > 0
        if (loose := self.loose(clause)) is not None:
            inside[loose.place] = True
        return inside

    def ends(self, clause: Clause) -> IntArray:
        """Return the rows where patterns end that a clause and WHERE hold of, each once, rising."""
        if clause not in self._ends:
            if any(mentions(each, "importance") for each in self.conditions.match):
                ends = distinct(self._meeting(self.every_match(clause)).end)
            else:
                ends = self._meeting(Matches.of_ends(self.columns.tries, self.every_end(clause))).end
            self._ends[clause] = self._whole(clause, ends)
        return self._ends[clause]

    def every_end(self, clause: Clause) -> IntArray:
        """Return the rows where patterns of a clause end, whatever WHERE says of matches; rising."""
        check_time()
        if isinstance(clause, FiringOn):
            return distinct(self._fired[clause])
        assert is_of_patterns(clause)
        forms = self.settled.forms[clause]
        if self.scope.is_whole:
            return self.columns.ends_anywhere(forms)
        return ends_of(self.scope, forms, self.columns.writes)

    def _whole(self, clause: Clause, ends: IntArray) -> IntArray:
        """Return those of some ends that count: of ONLY those in units that have no others."""
        if not getattr(clause, "only", False):
            return ends
        tries = self.columns.tries
        counted = tries.per_unit(ends)
        whole: IntArray = ends[np.repeat(counted == tries.patterns, counted)]
        return whole

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

    def matches(self, clause: Clause) -> Matches:
        """Return the matches of a clause on patterns that WHERE lets count."""
        found = self._meeting(self.every_match(clause))
        return found.kept(is_in(found.end, self.ends(clause))) if getattr(clause, "only", False) else found

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

    def patterns(self) -> Matches:
        """Return every pattern that a query for patterns holds of, once and rising."""
        clauses, tries = self.settled.query.clauses, self.columns.tries

        def leaf(clause: Clause) -> BoolArray:
            if not clause.has_matches:
                return np.repeat(self.of_clause(clause), tries.patterns)
            inside = np.zeros(len(tries.ends), np.bool_)
            inside[np.searchsorted(tries.ends, self._whole(clause, self.every_end(clause)))] = True
            return inside

        if clauses is None:
            ends = self.scope.narrowed(tries.ends)
        elif is_of_patterns(clauses):
            ends = self._whole(clauses, self.every_end(clauses))
        else:
            holds = fold(clauses, leaf, np.logical_and.reduce, np.logical_or.reduce, np.logical_not)
            ends = tries.ends[holds & np.repeat(self.meeting, tries.patterns)]
        return self._meeting(Matches.of_ends(tries, ends, self._weighed))

    def _weighed(self, end: IntArray) -> Float64Array:
        """Return the largest importance of the matches on patterns, or else that of their paths."""
        rising, place = np.unique(end, return_inverse=True)
        best = np.full(len(rising), np.nan)
        for clause in dict.fromkeys(self.settled.positive):
            if is_of_patterns(clause):  # by a text a pattern is as important as its path
                found = self.every_match(clause)
                found = found.kept(is_in(found.end, rising))
                np.fmax.at(best, np.searchsorted(rising, found.end), found.importance)
        return np.where(np.isnan(best), self.columns.tries.least[rising], best)[place]

    def shown(self, found: Matches) -> Matches:
        """Return the same patterns as found in columns that know all of their units."""
        tries, ids = self.columns.tries, self.columns.units.ids
        owner = tries.owner[found.end]
        part = self.columns.of(ids[owner].tolist())
        places = part.units.places(ids[owner])
        rows = (part.tries.first[places] + found.end - tries.first[owner]).astype(np.int32)
        search = Search(part, self.settled, {}, {}, {}, distinct(places))
        return Matches.of_ends(part.tries, rows, None if found.weigh is None else search._weighed)

    def meeting_ends(self) -> IntArray:
        """Return the rows where patterns end that the conditions on matches hold of, rising."""
        tries = self.columns.tries
        return self._meeting(Matches.of_ends(tries, self.scope.narrowed(tries.ends))).end

    def _meeting(self, found: Matches) -> Matches:
        if not self.conditions.match or not len(found):
            return found
        read = self.reader(found)
        inside = np.ones(len(found), np.bool_)
        for condition in self.conditions.match:
            inside &= holding(condition, read, len(found))
        return found.kept(inside)

    def reader(self, found: Matches) -> Callable[[str], Column]:
        """Return what gives the fields of matches, those of their units among them: (matches,) each."""

        def read(name: str) -> Column:
            if FIELDS[name].of_match:
                return self.field(name, found)
            return self.taken(name, self.columns.tries.owner[found.end])

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
        counts = tries.per_unit(distinct(found.end))
        owner = tries.owner[found.end]
        if name == "matches":
            return counts[owner].astype(np.float64)
        return stored_reals(counts[owner] / tries.patterns[owner])

    def largest(self, name: str, clauses: Sequence[Clause]) -> Float64Array:
        """Return the largest value of a field over the matches of clauses, of each unit; NaN: (units,)."""
        tries, best = self.columns.tries, np.full(len(self.columns.units), np.nan)
        for clause in clauses:
            ends = self.ends(clause)
            if name in ("matches", "share") and self.conditions.match:
                # Counted whatever WHERE says, of units that it leaves a match.
                left = tries.per_unit(ends) > 0
                ends = self.every_end(clause)
                ends = ends[left[tries.owner[ends]]]
            found = self.matches(clause) if name == "importance" else Matches.of_ends(tries, ends)
            np.fmax.at(best, tries.owner[found.end], self.field(name, found))
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
