"""From a pattern as it was written to its normal form: named tokens, and how far apart they lie.

    'a' BEFORE/2 ... THEN 'b' BEFORE ...    →    a  --[2, any]-->  b  --[1, any]-->  activating token

Every meaning of the language's steps and links is decided here, once, for all that runs a query.
"""

from __future__ import annotations

from dataclasses import dataclass

from n2gdb.errors import QueryError
from n2gdb.grammar.ast import Link, Pattern, Run, TokenLiteral

__all__ = ["HERE", "MOST_ANCHORS", "Lowered", "lower"]

#: The engine plans joins in a time that grows steeply with their number: seconds beyond this one.
MOST_ANCHORS = 12

#: The distance of the activating token from itself.
HERE = Link(0, 0)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A pattern's normal form.

    ``anchors`` are the named tokens in text order; ``gaps[i]`` is the distance from anchor i to the
    next, the last one's to the activating token, HERE when that is the last anchor itself.
    ``reach`` is how many positions the stored pattern must go back beyond its first anchor, or beyond
    the activating token when there is no anchor.
    """

    anchors: tuple[TokenLiteral, ...]
    gaps: tuple[Link, ...]
    reach: int

    @property
    def context(self) -> tuple[TokenLiteral, ...]:
        """The anchors that stand before the activating token."""
        return self.anchors[:-1] if self.activating else self.anchors

    @property
    def activating(self) -> TokenLiteral | None:
        """The anchor on the activating token, if it is named."""
        return self.anchors[-1] if self.anchors and self.gaps[-1] == HERE else None


def lower(pattern: Pattern) -> Lowered:
    """Return the normal form of ``pattern``; raise QueryError where it names too many tokens."""
    named = sum(not isinstance(step, Run) for step in pattern.steps)
    if named > MOST_ANCHORS:
        raise QueryError(f"a pattern names {named} tokens: name at most {MOST_ANCHORS}")
    anchors: list[TokenLiteral] = []
    gaps: list[Link] = []
    reach = 0
    gap = HERE  # from the last anchor, or from the first position of all, to the step at hand
    last = len(pattern.steps) - 1
    for place, step in enumerate(pattern.steps):
        if place:
            gap = _sum(gap, pattern.links[place - 1])
        if isinstance(step, Run) and place != last:
            gap = Link(gap.least, None)  # a run is as long as it likes
        elif isinstance(step, Run) and not anchors:
            reach = gap.least
        elif isinstance(step, Run):
            gaps.append(gap)
        else:
            if anchors:
                gaps.append(gap)
            else:
                reach = gap.least
            anchors.append(step)
            gap = HERE
    if anchors and not isinstance(pattern.steps[-1], Run):
        gaps.append(HERE)
    return Lowered(tuple(anchors), tuple(gaps), reach)


def _sum(first: Link, second: Link) -> Link:
    unbounded = first.most is None or second.most is None
    return Link(first.least + second.least, None if unbounded else (first.most or 0) + (second.most or 0))
