"""Matches normal forms over columns of tries: every assignment of their anchors to nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array, IntArray, IntegerArray, distinct, is_in
from n2gdb.core.deadline import check_time
from n2gdb.grammar.ast import Effect, Link
from n2gdb.query.columnar.tries import TrieColumns, expanded
from n2gdb.query.columnar.writes import Writes, loosely_written
from n2gdb.query.semantics.normal_form import Anchor, Lowered
from n2gdb.query.semantics.token_sets import Among, AnyOf, Reads, TokenSet, mask

__all__ = ["FormMatches", "Scope", "ends_of", "found_patterns", "units_of"]

#: Rows above which a walk asks only whether nodes hold, where that is all that is wanted.
_MANY = 20_000
#: Tokens that are looked up one by one.
_FEW = 1_000


@dataclass(frozen=True, eq=False)
class Scope:
    """What is walked: the units of ``inside``, or where they are few the nodes ``rows`` of some units."""

    tries: TrieColumns
    inside: BoolArray | None = None  # (units,)
    rows: IntArray | None = None  # rising

    def narrowed(self, rows: IntArray) -> IntArray:
        """Leave the rows of units inside."""
        return rows if self.inside is None else rows[self.inside[self.tries.owner[rows]]]


@dataclass(frozen=True, eq=False)
class FormMatches:
    """Matches of a normal form: where its anchors stand, in text order, and where the pattern ends."""

    anchors: IntArray  # (matches, anchors) rows
    end: IntArray  # (matches,) rows


def found_patterns(scope: Scope, form: Lowered, writes: Writes) -> list[FormMatches]:
    """Return the matches of a form: of each way to read its texts."""
    return [_found(scope, each, writes) for each in form.unfolded()]


def units_of(scope: Scope, form: Lowered, writes: Writes) -> BoolArray:
    """Return which units have a match of a form: (units,)."""
    inside = np.zeros(len(scope.tries.first) - 1, np.bool_)
    for each in form.unfolded():
        inside |= _units_of(scope, each, writes)
    return inside


def ends_of(scope: Scope, form: Lowered, writes: Writes) -> IntArray:
    """Return the rows where patterns with a match of a form end, each once for each way to read its texts."""
    return np.concatenate([_ends_of(scope, each, writes) for each in form.unfolded()])


def _ends_of(scope: Scope, form: Lowered, writes: Writes) -> IntArray:
    if form.anchors and not form.reach:
        anchors, tries = _anchors(scope, form), scope.tries
        if _is_wide(scope, form, anchors):
            rows = np.sort(_holding(scope, form, anchors))
            last = np.maximum.accumulate(tries.last[rows])  # of what is below nodes so far
            above = np.searchsorted(rows, tries.ends, "right") - 1
            return tries.ends[(above >= 0) & (np.append(last, -1)[above] >= tries.ends)]
    return distinct(_found(scope, form, writes).end)


def _is_wide(scope: Scope, form: Lowered, anchors: Sequence[_Placed]) -> bool:
    """Whether nodes are many, and may be asked one by one whether they hold."""
    plain = _is_plain(form) and len(anchors) > 1 and scope.rows is None
    return plain and min(anchor.count for anchor in anchors) > _MANY


def _units_of(scope: Scope, form: Lowered, writes: Writes) -> BoolArray:
    tries = scope.tries
    inside = np.zeros(len(tries.first) - 1, np.bool_)
    if not form.anchors:
        inside[tries.owner[_ends_anywhere(scope, form.reach)]] = True
        return inside
    anchors = _anchors(scope, form)
    if _is_wide(scope, form, anchors):
        inside[tries.owner[_holding(scope, form, anchors)]] = True
        return inside
    deepest = _assigned(scope, form, anchors, writes)[:, 0]
    if form.reach:
        deepest = deepest[_reaching(tries, deepest, form.reach)]
    inside[tries.owner[deepest]] = True
    return inside


def _found(scope: Scope, form: Lowered, writes: Writes) -> FormMatches:
    tries = scope.tries
    if not form.anchors:
        ends = _ends_anywhere(scope, form.reach)
        return FormMatches(np.zeros((len(ends), 0), np.int32), ends)
    anchors = _assigned(scope, form, _anchors(scope, form), writes)
    deepest = anchors[:, 0]
    lowest = np.searchsorted(tries.ends, deepest)
    highest = np.searchsorted(tries.ends, tries.last[deepest], "right")
    match, place = expanded(lowest, highest)
    end = tries.ends[place]
    if form.reach:
        kept = tries.depth[end] - tries.depth[deepest[match]] >= form.reach
        match, end = match[kept], end[kept]
    return FormMatches(anchors[match], end)


def _ends_anywhere(scope: Scope, reach: int) -> IntArray:
    tries = scope.tries
    ends = tries.ends if scope.rows is None else scope.rows[is_in(scope.rows, tries.ends)]
    ends = scope.narrowed(ends)
    return ends[tries.depth[ends] >= reach] if reach else ends


def _reaching(tries: TrieColumns, rows: IntArray, reach: int) -> BoolArray:
    """Return below which rows some pattern ends ``reach`` or more positions further back."""
    different, place = np.unique(rows, return_inverse=True)
    match, below = expanded(different.astype(np.int64), tries.last[different].astype(np.int64) + 1)
    far = tries.depth[below] - tries.depth[different[match]] >= reach
    found = np.zeros(len(different), np.bool_)
    found[match[far]] = True
    return found[place]


# -- anchors


def _is_plain(form: Lowered) -> bool:
    """Tell whether anchors are asked for their tokens alone, none for another's or for what is written."""
    names = [anchor.variable for anchor in form.anchors if anchor.variable is not None]
    compared = any(anchor.is_compared or anchor.effects for anchor in form.anchors)
    return not compared and len(set(names)) == len(names)


@dataclass(frozen=True, eq=False)
class _Placed:
    """An anchor of a form, and which rows it may stand on by its own token and place alone."""

    scope: Scope
    anchor: Anchor
    is_activating: bool
    repeats: bool  # its token stands again nearer to the activating token
    gap: Link | None  # to the activating token, where that is no anchor and this the last
    listed: Int64Array | None  # rows of the vocabulary, where its tokens are few
    inside: BoolArray | None  # which tokens of the vocabulary it takes; None for any
    count: int  # rows of these tokens, or of fewer

    def fits(self, rows: IntArray) -> BoolArray:
        """Return which rows it may stand on."""
        tries = self.scope.tries
        fits: BoolArray = tries.is_root[rows] == self.is_activating
        if self.inside is not None:
            fits &= self.inside[tries.token[rows]]
        return fits & self._placed_well(rows) if self.is_placed else fits

    @property
    def is_placed(self) -> bool:
        """Whether more is asked than the token, and whether it activates."""
        scoped = self.scope.inside is not None
        return scoped or self.gap is not None or self.repeats or bool(self.anchor.effects)

    def _placed_well(self, rows: IntArray) -> BoolArray:
        tries, fits = self.scope.tries, np.ones(len(rows), np.bool_)
        if self.scope.inside is not None:
            fits &= self.scope.inside[tries.owner[rows]]
        if self.gap is not None:
            fits &= _within(tries.depth[rows], self.gap)
        if self.repeats:
            fits &= tries.repeats[rows]
        for effect in self.anchor.effects:
            written = tries.written[rows]
            fits &= written > 0 if effect is Effect.PROMOTING else written < 0
        return fits

    def activates(self, rows: IntArray) -> BoolArray:
        """Return on whose paths it may be the activating token."""
        tries = self.scope.tries
        if self.is_placed:
            return self.fits(tries.root[rows])
        if self.inside is None:
            return np.ones(len(rows), np.bool_)
        return self.inside[tries.activating[rows]]

    def rows(self) -> IntArray:
        """Return all rows that it may stand on, rising."""
        tries = self.scope.tries
        if self.scope.rows is not None:
            return self.scope.rows[self.fits(self.scope.rows)]
        if self.listed is not None:
            rows = tries.rows_of(self.listed)
            return rows[self.fits(rows)]
        if self.repeats:
            return tries.repeated[self.fits(tries.repeated)]
        if not self.is_activating:
            rows = tries.context_among(self.inside, 1, None)
        elif self.inside is None:
            rows = tries.roots
        else:
            rows = tries.roots[self.inside[tries.root_tokens]]
        return rows[self._placed_well(rows)] if self.is_placed else rows

    def rows_within(self, gap: Link) -> IntArray:
        """Return the rows of context that it may stand on so far from the activating token, in any order."""
        tries = self.scope.tries
        if self.listed is not None or self.repeats:
            rows = self.rows()
            return rows if gap == Link() else rows[_within(tries.depth[rows], gap)]
        rows = tries.context_within(self.inside, gap.least, gap.most)
        return rows[self._placed_well(rows)] if self.is_placed else rows


def _anchors(scope: Scope, form: Lowered) -> list[_Placed]:
    tries, last = scope.tries, len(form.anchors) - 1
    placed = []
    for place, anchor in enumerate(form.anchors):
        is_activating = form.activating is not None and place == last
        later = [each.variable for each in form.anchors[place + 1 :]]
        repeats = anchor.variable is not None and anchor.variable in later
        gap = form.gaps[-1] if place == last and not is_activating else None
        listed = inside = None
        count = len(tries.roots) if is_activating else len(tries.repeated) if repeats else len(tries)
        if anchor.tokens is not None:
            listed = _listed(tries, anchor.tokens)
            if listed is None:
                inside = mask(anchor.tokens, tries.vocabulary)
            else:
                inside = np.zeros(len(tries.vocabulary), np.bool_)
                inside[listed] = True
            count = min(count, int(tries.counts[inside].sum()))
        placed.append(_Placed(scope, anchor, is_activating, repeats, gap, listed, inside, count))
    return placed


def _listed(tries: TrieColumns, tokens: TokenSet) -> Int64Array | None:
    """Return the rows of the vocabulary of tokens that are named one by one; None where they are not."""
    match tokens:
        case Reads(tokens=ids) | Among(ids):
            return tries.vocabulary_rows(ids) if len(ids) <= _FEW else None
        case AnyOf(sets):
            parts = [_listed(tries, each) for each in sets]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            return np.unique(np.concatenate([np.zeros(0, np.int64), *known]))
        case _:
            return None


def _assigned(scope: Scope, form: Lowered, anchors: Sequence[_Placed], writes: Writes) -> IntArray:
    """Return every way that the anchors stand on nodes of one path: (ways, anchors) rows."""
    tries = scope.tries
    start = min(range(len(anchors)), key=lambda place: anchors[place].count)
    rows = anchors[start].rows()
    ways = np.zeros((len(rows), len(anchors)), np.int32)
    ways[:, start] = rows
    placed = [start]
    ways = _compared(tries, form, ways, placed, writes)
    for place in [*range(start + 1, len(anchors)), *range(start - 1, -1, -1)]:
        check_time()
        if place > start:
            ways = _ascended(tries, ways, place, anchors[place], form.gaps[place - 1])
        else:
            ways = _descended(tries, ways, place, anchors[place], form.gaps[place])
        placed.append(place)
        ways = _compared(tries, form, ways, placed, writes)
    return ways


def _ascended(tries: TrieColumns, ways: IntArray, place: int, anchor: _Placed, gap: Link) -> IntArray:
    """Put the next anchor on nodes above the last."""
    below = ways[:, place - 1]
    if anchor.is_activating:
        above = tries.root[below]
        kept = _within(tries.depth[below], gap) & anchor.fits(above)
        ways = ways[kept]
        ways[:, place] = above[kept]
        return ways
    parts, way, above = [], np.arange(len(ways)), tries.parent[below]
    while len(way):
        on_path = above >= 0
        way, above = way[on_path], above[on_path]
        fits = _within(tries.depth[below[way]] - tries.depth[above], gap) & anchor.fits(above)
        part = ways[way[fits]]
        part[:, place] = above[fits]
        parts.append(part)
        above = tries.parent[above]
    return np.concatenate(parts) if parts else ways


def _descended(tries: TrieColumns, ways: IntArray, place: int, anchor: _Placed, gap: Link) -> IntArray:
    """Put the anchor before the first on nodes below it."""
    above = ways[:, place + 1]
    last = tries.last[above].astype(np.int64)
    if anchor.listed is not None and anchor.scope.rows is None and anchor.count < (last - above).sum():
        candidates = anchor.rows()
        way, which = expanded(
            np.searchsorted(candidates, above, "right"), np.searchsorted(candidates, last, "right")
        )
        below = candidates[which]
        kept = _within(tries.depth[below] - tries.depth[above[way]], gap)
    else:
        way, rows = expanded(above.astype(np.int64) + 1, last + 1)
        below = rows.astype(np.int32)
        kept = _within(tries.depth[below] - tries.depth[above[way]], gap) & anchor.fits(below)
    found = ways[way[kept]]
    found[:, place] = below[kept]
    return found


def _compared(
    tries: TrieColumns, form: Lowered, ways: IntArray, placed: Sequence[int], writes: Writes
) -> IntArray:
    """Drop the ways in which the anchor placed last is not as another that is placed demands."""
    newest = placed[-1]
    token = tries.token
    for other in placed[:-1]:
        for one, two in ((newest, other), (other, newest)):
            anchor, named = form.anchors[one], form.anchors[two].variable
            if named is None:
                continue
            first, second = token[ways[:, one]], token[ways[:, two]]
            if anchor.variable == named and one < two:
                ways = ways[first == second]
            elif anchor.like == named:
                ways = ways[tries.alike[first] == tries.alike[second]]
            elif anchor.other == named:
                ways = ways[first != second]
    for effect, alike in form.anchors[newest].loose_effects:
        ways = ways[_writes_so(tries, ways[:, newest], writes, effect, alike)]
    return ways


def _writes_so(tries: TrieColumns, rows: IntArray, writes: Writes, effect: Effect, alike: bool) -> BoolArray:
    """Return which nodes' units write a token like the node's, or another than it."""
    found = np.zeros(len(rows), np.bool_)
    found[loosely_written(tries, rows, writes.of(effect), alike)[0]] = True
    return found


# -- whether nodes hold, and no more


def _holding(scope: Scope, form: Lowered, anchors: Sequence[_Placed]) -> IntArray:
    """Return the rows of the first anchor from which all others stand above, as they must."""
    tries, place = scope.tries, len(anchors) - 1
    if form.activating is not None:
        place -= 1
        rows = anchors[place].rows_within(form.gaps[place])
        rows = rows[anchors[-1].activates(rows)]
    else:
        rows = anchors[place].rows_within(Link())
    for each in range(place - 1, -1, -1):
        check_time()
        holds = np.zeros(len(tries), np.bool_)
        holds[rows] = True
        rows = _below(tries, anchors[each].rows_within(Link()), holds, form.gaps[each])
    return rows[_reaching(tries, rows, form.reach)] if form.reach else rows


def _below(tries: TrieColumns, rows: IntArray, holds: BoolArray, gap: Link) -> IntArray:
    """Return the rows that have a row above them, at the distance of ``gap``, that holds."""
    if gap.least == 1 and gap.most is None:
        return rows[_covered(tries, rows, holds)]
    if gap.most == 1:
        above = tries.parent[rows]
        beside = (above >= 0) & holds[above] & (tries.depth[rows] - tries.depth[above] == 1)
        nearest: IntArray = rows[beside]
        return nearest
    found = np.zeros(len(tries), np.bool_)
    left, above = rows, tries.parent[rows]
    while len(left):
        on_path = above >= 0
        left, above = left[on_path], above[on_path]
        fits = holds[above] & _within(tries.depth[left] - tries.depth[above], gap)
        found[left[fits]] = True
        left, above = left[~fits], tries.parent[above[~fits]]
    return np.flatnonzero(found).astype(np.int32)


def _covered(tries: TrieColumns, rows: IntArray, holds: BoolArray) -> BoolArray:
    """Return which rows have a row that holds above them: one before whose subtree reaches so far."""
    reached = np.maximum.accumulate(np.where(holds, tries.last, np.int32(-1)))
    covered: BoolArray = (rows > 0) & (reached[rows - 1] >= rows)
    return covered


def _within(distance: IntegerArray, gap: Link) -> BoolArray:
    near = distance >= gap.least
    return near if gap.most is None else near & (distance <= gap.most)
