"""One MATCHING clause as Cypher: the nodes and relationships of a match, and what holds among them.

A pattern is a root-to-end path of a neuron's trie. Its context tokens are CONTEXT relationships, which
lie on one path when their preorder intervals nest; `act_token` names the path's activating token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from n2gdb.conditions import MatchFields, condition_text, grows_with_activation
from n2gdb.grammar.ast import Condition, Formula, Link, Matching, TokenLiteral
from n2gdb.lowering import Lowered, lower
from n2gdb.parameters import Parameters
from n2gdb.tokens import normalise, text_key

__all__ = ["ClauseMatch", "literal_key", "match_clause"]


@dataclass(frozen=True, slots=True)
class ClauseMatch:
    """A clause in Cypher, around the variable ``n`` of the neuron.

    ``paths`` and ``conditions`` are the parts of a MATCH and of its WHERE, ``filters`` the conditions on
    the activation and importance of what it finds, ``hint`` the order of joins or empty. ``activation``
    is the largest of the patterns that a row stands for, of the one pattern when it was asked for exactly;
    then ``end`` is the preorder index of its end. ``depths`` are where the anchors stand, in text order.
    """

    paths: tuple[str, ...]
    conditions: tuple[str, ...]
    filters: tuple[str, ...]
    hint: str
    activation: str
    importance: str | None
    end: str
    depths: tuple[str, ...]

    @property
    def text(self) -> str:
        """MATCH and WHERE, for a place where ``n`` is bound."""
        conditions = " AND ".join(self.conditions + self.filters)
        return f"MATCH {', '.join(self.paths)}{' WHERE ' if conditions else ''}{conditions}{self.hint}"


def match_clause(
    clause: Matching,
    name: str,
    restrictions: Sequence[Formula[Condition]],
    parameters: Parameters,
    *,
    exactly: bool = False,
) -> ClauseMatch:
    """Return ``clause`` in Cypher, its variables ending in ``name``.

    ``restrictions`` are the conditions of WHERE on a match. With ``exactly`` each row is one pattern, of
    few neurons; without, a row may stand for all the patterns below one node, where that finds the same
    neurons.
    """
    lowered = lower(clause.pattern)
    rows = _Rows(lowered, name, few_neurons=exactly)
    rows.add_anchors(parameters)
    rows.add_tail(exactly or not grows_with_activation(restrictions))
    importance = _least([f"c{place}{name}.importance" for place in rows.context])
    fields = MatchFields(rows.activation, importance)
    rows.filters += [f"({condition_text(each, fields, parameters)})" for each in restrictions]
    return ClauseMatch(
        tuple(rows.paths),
        tuple(rows.conditions),
        tuple(rows.filters),
        rows.hint(),
        fields.activation,
        fields.importance,
        rows.end,
        tuple(f"c{place}{name}.depth" for place in rows.context) + (("0",) if lowered.activating else ()),
    )


class _Rows:
    """The parts of a clause's MATCH while they are gathered."""

    def __init__(self, lowered: Lowered, name: str, *, few_neurons: bool) -> None:
        self.lowered = lowered
        self.name = name
        self.context = range(len(lowered.context))
        self.paths: list[str] = []
        self.conditions: list[str] = []
        self.filters: list[str] = []
        self.chained = len(self.context) > (2 if few_neurons else 1)
        self.has_tail = False
        self.activation = ""
        self.end = ""

    def add_anchors(self, parameters: Parameters) -> None:
        for place, token in enumerate(self.lowered.context):
            self.paths.append(f"(n)-[c{place}{self.name}:CONTEXT]->(u{place}{self.name}:Token)")
            self.conditions.append(_reads(f"u{place}{self.name}", token, parameters))
        for deeper, nearer in pairwise(f"c{place}{self.name}" for place in self.context):
            self.conditions.append(f"{deeper}.pre > {nearer}.pre AND {deeper}.pre <= {nearer}.last")
        for place in self.context[:-1]:
            distance = f"c{place}{self.name}.depth - c{place + 1}{self.name}.depth"
            self.conditions += _within(distance, self.lowered.gaps[place])
        if self.context:
            nearest = self.context[-1]
            self.conditions += _within(f"c{nearest}{self.name}.depth", self.lowered.gaps[nearest])
        self._add_activating(parameters)

    def _add_activating(self, parameters: Parameters) -> None:
        token = self.lowered.activating
        if token is not None:
            self.conditions.append(_reads(f"t{self.name}", token, parameters))
        if token is not None and self.context:
            self.conditions.append(f"c{self.context[-1]}{self.name}.act_token = t{self.name}.id")
        if token is not None and self.context and not self.chained:
            # The path's root is known by its token alone: a join with ACTIVATES_ON is spared.
            self.paths.append(f"(t{self.name}:Token)")
        elif token is not None:
            self.paths.append(f"(n)-[a{self.name}:ACTIVATES_ON]->(t{self.name}:Token)")

    def add_tail(self, exactly: bool) -> None:
        """Add the end of the pattern, or take the deepest anchor for all the patterns through it."""
        deepest = self._deepest()
        reach = self.lowered.reach
        if deepest is not None and not reach and not exactly:
            self.activation, self.end = f"{deepest}.activation", f"{deepest}.pre"
            return
        tail, self.has_tail = f"e{self.name}", True
        self.paths.append(f"(n)-[{tail}:{self._tail_kinds(exactly)}]->(v{self.name}:Token)")
        if deepest is not None:
            below = ">" if reach else ">="
            self.conditions.append(f"{tail}.pre {below} {deepest}.pre AND {tail}.pre <= {deepest}.last")
        if reach:
            start = f"{deepest}.depth + " if self.context else ""
            self.conditions.append(f"{tail}.depth >= {start}{reach}")
        if exactly:
            self.filters.append(f"{tail}.`end` IS NOT NULL")
        self.activation = f"{tail}.`end`" if exactly else f"{tail}.activation"
        self.end = f"{tail}.pre"

    def hint(self) -> str:
        """Return the order of joins: from the activating token back, where the engine would choose badly.

        It joins the frequent tokens of a long pattern first, a hundred times slower.
        """
        if not self.chained:
            return ""
        pairs = [f"u{place}{self.name} JOIN c{place}{self.name}" for place in reversed(self.context)]
        if self.lowered.activating:
            pairs.insert(0, f"t{self.name} JOIN a{self.name}")
        if self.has_tail:
            pairs.append(f"v{self.name} JOIN e{self.name}")
        joined = f"(({pairs[0]}) JOIN n)"
        for pair in pairs[1:]:
            joined = f"({joined} JOIN ({pair}))"
        return f" HINT {joined}"

    def _tail_kinds(self, exactly: bool) -> str:
        if self.context or self.lowered.reach:
            return "CONTEXT"
        return "ACTIVATES_ON|CONTEXT" if exactly else "ACTIVATES_ON"

    def _deepest(self) -> str | None:
        if self.context:
            return f"c0{self.name}"
        return f"a{self.name}" if self.lowered.activating else None


def literal_key(token: TokenLiteral) -> int:
    """The number that ``text_key`` of a token that a literal means, or else ``norm_key``, must be."""
    return text_key(token.text if token.exact else normalise(token.text))


def _reads(node: str, token: TokenLiteral, parameters: Parameters) -> str:
    return f"{node}.{'text_key' if token.exact else 'norm_key'} = {parameters.bind(literal_key(token))}"


def _within(distance: str, gap: Link) -> list[str]:
    if gap.least == gap.most:
        return [f"{distance} = {gap.least}"]
    least = [f"{distance} >= {gap.least}"] if gap.least > 1 else []  # nested intervals are apart by one
    return least + ([f"{distance} <= {gap.most}"] if gap.most is not None else [])


def _least(expressions: Sequence[str]) -> str | None:
    """Return Cypher for the smallest of ``expressions``; None when there is none."""
    if not expressions:
        return None
    first, *rest = expressions
    if not rest:
        return first
    smaller = " AND ".join(f"{first} <= {other}" for other in rest)
    return f"CASE WHEN {smaller} THEN {first} ELSE {_least(rest)} END"
