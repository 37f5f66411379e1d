"""Deeper patterns: those with a token of context more than another, found by counting where a unit fires."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from n2gdb.core.arrays import IndexArray
from n2gdb.core.graph import Step
from n2gdb.ingest.evidence.revision_rows import Located, Path, RevisionRows

__all__ = ["Deeper"]

#: A depth and a token are one number; tokens are fewer than this.
_TOKENS = 1 << 32


class Deeper:
    """Patterns with one token of context more than another, or with ``more`` besides."""

    def __init__(self, own: RevisionRows, found: Located, more: int) -> None:
        self._own, self._found, self._more = own, found, more

    def at_least(self, level: float) -> list[Located]:
        """Those that are right often enough and hit most, each in two places at least that are new."""
        own = self._own
        chosen: list[Located] = []
        hit = np.zeros(len(own.fires), np.bool_)
        left = own.config.tried if self._more else 0
        for child in self._children:
            if len(chosen) >= own.config.children:
                break
            if not own.are_apart(child.fired[~hit[child.fired]]):
                continue
            if child.confidence >= level:
                taken = [child.located]
            elif left:
                left -= 1
                taken = child.deeper.at_least(level)
            else:
                continue
            chosen += taken
            for each in taken:
                hit[own.fired(each.rows)] = True
        return chosen

    @cached_property
    def _children(self) -> list[_Extended]:
        """One token more, those with most hits first; each fires twice outside of what was read."""
        own = self._own
        fired = own.fired(self._found.rows)
        named = {step.depth for step in self._found.steps}
        depths = [depth for depth in range(1, own.config.depth + 1) if depth not in named]
        if not depths or np.count_nonzero(own.importance[fired]) < 2:
            return []
        fired = fired[np.argsort(own.place[fired], kind="stable")]
        token = np.stack([own.before(depth)[fired] for depth in depths])  # (depth, fired)
        known = token >= 0
        key = (np.array(depths)[:, None] * _TOKENS + token)[known]
        row = np.broadcast_to(fired, token.shape)[known]
        order = np.argsort(key, kind="stable")
        key, row = key[order], row[order]
        start = np.flatnonzero(np.diff(key, prepend=-1))
        if not len(start):
            return []
        place, importance = own.place[row], own.importance[row]
        enters = np.diff(place, prepend=-1) != 0
        enters[start] = True
        places = np.add.reduceat(enters, start, dtype=np.intp)
        weighs = np.add.reduceat(importance > 0, start, dtype=np.intp)
        hits = np.add.reduceat(importance, start) * ((places - 1) / places)
        stop = np.append(start[1:], len(key))
        children = [
            _Extended(
                own,
                self._found,
                self._more,
                *divmod(int(key[start[at]]), _TOKENS),
                row[start[at] : stop[at]],
                float(hits[at]),
            )
            for at in np.flatnonzero((places > 1) & (weighs > 1)).tolist()
        ]
        children.sort(key=lambda child: (-child.hits, child.path))
        return children


@dataclass(frozen=True, eq=False)
class _Extended:
    """A pattern with one token of context more than ``found``; worked out only where it is asked for."""

    own: RevisionRows
    found: Located
    more: int
    depth: int
    token: int
    fired: IndexArray  # rows that it matches on which the unit fires
    hits: float

    @property
    def path(self) -> Path:
        return tuple(sorted((*self.found.path, (self.depth, self.token))))

    @cached_property
    def located(self) -> Located:
        own, rows = self.own, self.found.rows
        matches = own.before(self.depth)[rows] == self.token
        there, elsewhere = rows[matches], rows[~matches]
        lost = 1 - own.mean(elsewhere) / max(own.mean(there), 1e-9)
        step = Step(self.depth, self.token, min(max(lost, 0.0), 1.0))
        steps = sorted((*self.found.steps, step), key=lambda each: each.depth)
        return own.counted(tuple(steps), there)

    @cached_property
    def confidence(self) -> float:
        return self.own.confidence(self.located)

    @cached_property
    def deeper(self) -> Deeper:
        return Deeper(self.own, self.located, self.more - 1)
