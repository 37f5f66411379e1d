"""Matches normal forms over columns of tries: every assignment of their anchors to nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array, IntArray, IntegerArray, distinct, expanded, is_in
from n2gdb.core.deadline import check_time
from n2gdb.grammar.ast import Effect, Link
from n2gdb.query.columnar.tries import TrieColumns
from n2gdb.query.columnar.writes import Writes, loosely_written
from n2gdb.query.semantics.normal_form import Anchor, Lowered
from n2gdb.query.semantics.token_sets import Among, AnyOf, Reads, TokenSet, mask

__all__ = ["FormMatches", "Scope", "ends_of", "found_patterns"]

#: The share of all nodes, one in so many, from which on nodes are asked one by one whether they hold.
_DENSE = 16
#: Nodes that are asked at once: what is worked out of them stays in the processor's cache.
_TOGETHER = 65_536
#: Tokens that are looked up one by one.
_FEW = 1_000


@dataclass(frozen=True, eq=False)
class Scope:
    """What is walked: the units of ``inside``, or where they are few the nodes ``rows`` of some units."""

    tries: TrieColumns
    inside: BoolArray | None = None  # (units,)
    rows: IntArray | None = None  # rising

    @property
    def is_whole(self) -> bool:
        """Whether all units are walked."""
        return self.inside is None and self.rows is None

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


def ends_of(scope: Scope, forms: Sequence[Lowered], writes: Writes) -> IntArray:
    """Return the rows where patterns with a match of one of some forms end, each once, rising."""
    parts = [_ends_of(scope, each, writes) for form in forms for each in form.unfolded()]
    return parts[0] if len(parts) == 1 else distinct(np.concatenate([np.zeros(0, np.int32), *parts]))


def _ends_of(scope: Scope, form: Lowered, writes: Writes) -> IntArray:
    if not form.anchors:
        return _ends_anywhere(scope, form.reach)
    anchors = _anchors(scope, form)
    fewest = min(anchor.count for anchor in anchors)
    if scope.rows is not None or not _is_plain(form) or fewest * _DENSE < len(scope.tries):
        return distinct(_found(scope, form, writes).end)
    return np.concatenate([np.zeros(0, np.int32), *_ends_by_part(scope, form, anchors)])


def _ends_by_part(scope: Scope, form: Lowered, anchors: Sequence[_Placed]) -> Iterator[IntArray]:
    """Yield the rows where patterns with a match of a plain form end, of some units after others."""
    first = scope.tries.first
    places = np.searchsorted(first, np.arange(0, first[-1] + _TOGETHER, _TOGETHER))
    for here, stop in pairwise(np.unique(places.clip(max=len(first) - 1)).tolist()):
        if scope.inside is None or scope.inside[here:stop].any():
            check_time()
            yield _ends_within(form, anchors, int(first[here]), int(first[stop]))


def _ends_within(form: Lowered, anchors: Sequence[_Placed], start: int, stop: int) -> IntArray:
    """Return these rows among the nodes of whole units."""
    tries, here = anchors[0].scope.tries, slice(start, stop)
    place = max(len(form.context) - 1, 0)
    holds = anchors[place].fits(here)
    if place < len(anchors) - 1:
        roots = _rows_between(tries.roots, start, stop)
        holds &= np.repeat(anchors[-1].fits(roots), np.diff(roots, append=stop))
        holds &= _within(tries.depth[here], form.gaps[place])
    for each in range(place - 1, -1, -1):
        rows = start + np.flatnonzero(anchors[each].fits(here))
        rows = rows[_below(tries, start, rows, holds, form.gaps[each])]
        holds = np.zeros(stop - start, np.bool_)
        holds[rows - start] = True
    ends = _rows_between(tries.ends, start, stop)
    if form.reach:
        return ends[_below(tries, start, ends, holds, Link(form.reach))]
    return ends[_beyond(tries, start, holds)[ends - start] > ends]


def _rows_between(rising: IntArray, start: int, stop: int) -> IntArray:
    first, last = np.searchsorted(rising, np.array([start, stop], rising.dtype))
    return rising[first:last]


def _beyond(tries: TrieColumns, start: int, holds: BoolArray) -> IntArray:
    """Return for each node the row up to which nodes are at or below one that holds, of those so far.

    ``holds`` is of all nodes of some units, from row ``start`` on.
    """
    beyond: IntArray = np.maximum.accumulate((tries.last[start : start + len(holds)] + 1) * holds)
    return beyond


def _below(tries: TrieColumns, start: int, rows: IntegerArray, holds: BoolArray, gap: Link) -> BoolArray:
    """Return which rows have a row above them, at the distance of ``gap``, that holds."""
    if gap.least == 1 and gap.most is None:
        return np.append(_beyond(tries, start, holds), 0)[rows - start - 1] > rows
    found = np.zeros(len(rows), np.bool_)
    left, above = np.arange(len(rows)), tries.parent[rows]
    while len(left):
        on_path = above >= 0
        left, above = left[on_path], above[on_path]
        distance = tries.depth[rows[left]] - tries.depth[above]
        found[left] = holds[above - start] & _within(distance, gap)
        goes_on = ~found[left] if gap.most is None else ~found[left] & (distance < gap.most)
        left, above = left[goes_on], tries.parent[above[goes_on]]
    return found


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

    def fits(self, rows: IntArray | slice) -> BoolArray:
        """Return which rows it may stand on."""
        tries = self.scope.tries
        fits: BoolArray = tries.is_root[rows] == self.is_activating
        if self.inside is not None:
            fits &= self.inside.take(tries.token[rows], mode="clip")
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

    def rows(self) -> IntArray:
        """Return all rows that it may stand on, rising."""
        tries = self.scope.tries
        if self.scope.rows is not None:
            rows = self.scope.rows
        elif self.listed is not None:
            rows = tries.rows_of(self.listed)
        elif self.repeats:
            rows = tries.repeated
        elif self.is_activating:
            rows = tries.roots
        else:
            return np.flatnonzero(self.fits(slice(None))).astype(np.int32)
        return rows[self.fits(rows)]


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


def _within(distance: IntegerArray, gap: Link) -> BoolArray:
    near = distance >= gap.least
    return near if gap.most is None else near & (distance <= gap.most)
