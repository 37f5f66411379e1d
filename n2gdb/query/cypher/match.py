"""Compiles a normal form to MATCH: the nodes and relationships of a match, and the conditions on them.

A pattern is a root-to-end path of a neuron's trie. Its context tokens are CONTEXT relationships, which
lie on one path when their preorder intervals nest; `act_token` names the path's activating token.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from n2gdb.grammar.ast import Condition, Effect, Formula, Link
from n2gdb.grammar.fields import OF_MATCH
from n2gdb.grammar.records import dataclass
from n2gdb.query.cypher.where import MatchFields, condition_text, grows_with_activation, mentions
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.token_sets import TokenSet, is_broad, is_keyed, members, reads
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import NO_NUMBER, relationship_in

__all__ = ["WRITES", "ClauseMatch", "match_clause"]

#: The fields that a pattern alone has, and not what stands for several.
_OF_PATTERN = frozenset({"support", "confidence"})

#: What holds of the logit that a neuron writes.
WRITES = {Effect.PROMOTING: "> 0.0", Effect.SUPPRESSING: "< 0.0"}


@dataclass(frozen=True, slots=True)
class ClauseMatch:
    """A normal form in Cypher, around the variable ``n`` of the neuron.

    ``paths`` and ``conditions`` are the parts of a MATCH and of its WHERE, ``filters`` the conditions on
    the fields of what it finds, ``hint`` the order of joins or empty. ``fields.activation`` is the largest
    of the patterns that a row stands for, of the one pattern when it was asked for exactly; then ``end`` is
    the preorder index of its end. ``depths`` are where the anchors stand, in text order.
    """

    paths: tuple[str, ...]
    conditions: tuple[str, ...]
    filters: tuple[str, ...]
    hint: str
    fields: MatchFields
    end: str
    depths: tuple[str, ...]

    @property
    def text(self) -> str:
        """MATCH and WHERE, for a place where ``n`` is bound."""
        conditions = " AND ".join(self.conditions + self.filters)
        return f"MATCH {', '.join(self.paths)}{' WHERE ' if conditions else ''}{conditions}{self.hint}"


def match_clause(
    form: Lowered,
    name: str,
    restrictions: Sequence[Formula[Condition]],
    parameters: Parameters,
    *,
    exactly: bool = False,
    few_neurons: bool = False,
    asked: Collection[str] = (),
) -> ClauseMatch:
    """Return one normal form of a clause in Cypher; its variables end in ``name``.

    ``restrictions`` are the conditions of WHERE on a match; in a subquery none may look at the neuron. With
    ``exactly`` each row is one pattern; without, a row may stand for all the patterns below one node, where
    that finds the same neurons. ``few_neurons`` tells that ``n`` is held to a list, ``asked`` which fields of
    the match are asked for: a pattern alone has a support and a confidence, and where the form is without
    context an importance.
    """
    rows = _Rows(form, name, few_neurons=few_neurons)
    rows.add_context(parameters)
    rows.add_activating(parameters)
    rows.add_adjacent(parameters)
    looked_at = {name for name in OF_MATCH if any(mentions(each, name) for each in restrictions)}
    of_pattern = not _OF_PATTERN.isdisjoint({*looked_at, *asked})
    of_pattern |= "importance" in {*looked_at, *asked} and not form.context
    rows.add_tail(exactly or of_pattern or not grows_with_activation(restrictions))
    named = [f"c{place}{name}.importance" for place in rows.context]
    fields = MatchFields(
        rows.activation, _least(named) if named else rows.least, rows.support, rows.confidence
    )
    rows.filters += [f"({condition_text(each, fields, parameters)})" for each in restrictions]
    return ClauseMatch(
        tuple(rows.paths),
        tuple(rows.conditions),
        tuple(rows.filters),
        rows.hint(),
        fields,
        rows.end,
        tuple(f"c{place}{name}.depth" for place in rows.context) + (("0",) if form.activating else ()),
    )


class _Rows:
    """The parts of a clause's MATCH while they are collected."""

    def __init__(self, form: Lowered, name: str, *, few_neurons: bool) -> None:
        self.form = form
        self.name = name
        self.few_neurons = few_neurons
        self.context = range(len(form.context))
        self.paths: list[str] = []
        self.conditions: list[str] = []
        self.filters: list[str] = []
        self.has_root = False
        self.has_tail = False
        self.has_value_join = False
        self.activation = ""
        self.least = self.support = self.confidence = NO_NUMBER
        self.end = ""

    def add_context(self, parameters: Parameters) -> None:
        name = self.name
        for place, anchor in enumerate(self.form.context):
            self.paths.append(f"(n)-[c{place}{name}:CONTEXT]->(u{place}{name}:Token)")
            if anchor.tokens is not None:
                self.conditions.append(reads(f"u{place}{name}", anchor.tokens, parameters))
            self._add_effects(f"c{place}{name}", anchor.effects)
        for deeper, nearer in pairwise(f"c{place}{name}" for place in self.context):
            self.conditions.append(f"{deeper}.pre > {nearer}.pre AND {deeper}.pre <= {nearer}.last")
        for place in self.context[:-1]:
            distance = f"c{place}{name}.depth - c{place + 1}{name}.depth"
            self.conditions += _within(distance, self.form.gaps[place])
        if self.context:
            nearest = self.context[-1]
            self.conditions += _within(f"c{nearest}{name}.depth", self.form.gaps[nearest])
        self._add_repeats()

    def _add_repeats(self) -> None:
        """Require one token for all anchors of a variable; the stored flag ``repeats`` narrows the join."""
        places: dict[str, list[int]] = {}
        for place, anchor in enumerate(self.form.anchors):
            if anchor.variable is not None:
                places.setdefault(anchor.variable, []).append(place)
        for deeper, nearer in (pair for found in places.values() for pair in pairwise(found)):
            self.conditions.append(f"c{deeper}{self.name}.repeats")
            token = f"u{deeper}{self.name}.id"
            if nearer == len(self.context):
                self.conditions.append(f"c{deeper}{self.name}.act_token = {token}")
            else:
                self.conditions.append(f"u{nearer}{self.name}.id = {token}")

    def add_activating(self, parameters: Parameters) -> None:
        tokens = self.form.activating.tokens if self.form.activating else None
        root, node = f"a{self.name}", f"t{self.name}"
        if self.form.activating and self.form.activating.effects:
            self._add_effects(root, self.form.activating.effects)
            if self.context:
                self.paths.append(f"(n)-[{root}:ACTIVATES_ON]->({node}:Token)")
                self.conditions.append(f"c{self.context[-1]}{self.name}.act_token = {node}.id")
                self.has_root, self.has_value_join = True, not self._is_long()
                return
        if not self.context:
            if self.form.activating:
                self.paths.append(f"(n)-[{root}:ACTIVATES_ON]->({node}:Token)")
                self.has_root = True
            if tokens is not None:
                self.conditions.append(reads(node, tokens, parameters))
        elif tokens is not None:
            self._add_activating_of_context(tokens, parameters)

    def _add_effects(self, relationship: str, effects: Sequence[Effect]) -> None:
        self.conditions += [f"{relationship}.written {WRITES[effect]}" for effect in effects]

    def _add_activating_of_context(self, tokens: TokenSet, parameters: Parameters) -> None:
        """Test the path's root by its token alone, which every context node stores, to save a join."""
        known = f"c{self.context[-1]}{self.name}.act_token"
        listed = members(tokens)
        if listed is not None:
            self.conditions.append(relationship_in(known, listed, parameters))
        else:
            node = f"t{self.name}"
            self.conditions += [reads(node, tokens, parameters), f"{known} = {node}.id"]
            if self.few_neurons or self._is_chained() or self._is_long():
                self.paths.append(f"(n)-[a{self.name}:ACTIVATES_ON]->({node}:Token)")
                self.has_root = True
            else:
                self.paths.append(f"({node}:Token)")
                self.has_value_join = True

    def add_adjacent(self, parameters: Parameters) -> None:
        """Require the anchors of a text to be one of its tokenizations."""
        for run in self.form.runs:
            if not run.is_free:
                ways = (self._read_as(run.start, tokens, parameters) for tokens in run.sequences)
                self.conditions.append(f"({' OR '.join(ways)})")

    def _read_as(self, start: int, tokens: Sequence[int], parameters: Parameters) -> str:
        read = []
        for place, token in enumerate(tokens, start):
            known = (
                f"c{place - 1}{self.name}.act_token"
                if place == len(self.context)
                else f"u{place}{self.name}.id"
            )
            read.append(f"{known} = {parameters.bind(token)}")
        return f"({' AND '.join(read)})"

    def add_tail(self, exactly: bool) -> None:
        """Add the end of the pattern, or let the deepest anchor represent all patterns through it."""
        deepest = self._deepest()
        reach = self.form.reach
        if deepest is not None and not reach and not exactly:
            self.activation, self.end = f"{deepest}.activation", f"{deepest}.pre"
            return
        tail, self.has_tail = f"e{self.name}", True
        node = f"(v{self.name}:Token)" if self._is_hinted() else "()"  # named only where a hint needs it
        self.paths.append(f"(n)-[{tail}:{self._tail_kinds(exactly)}]->{node}")
        if deepest is not None:
            below = ">" if reach else ">="
            self.conditions.append(f"{tail}.pre {below} {deepest}.pre AND {tail}.pre <= {deepest}.last")
        if reach:
            start = f"{deepest}.depth + " if self.context else ""
            self.conditions.append(f"{tail}.depth >= {start}{reach}")
        if exactly:
            self.filters.append(f"{tail}.`end` IS NOT NULL")
            self.support, self.confidence = f"{tail}.support", f"{tail}.confidence"
        self.activation = f"{tail}.`end`" if exactly else f"{tail}.activation"
        self.least = f"{tail}.least"
        self.end = f"{tail}.pre"

    def hint(self) -> str:
        """Return the order of joins if the engine would choose a bad one.

        Without a hint it starts from the neurons unless exactly one token is given, and joins the frequent
        tokens of a long pattern first: ten to a hundred times slower. Starting from few neurons it chooses
        well, but takes a second to plan seven joins.
        """
        if not self._is_hinted():
            return ""
        name = self.name
        breadths = [(self._breadth(anchor.tokens), place) for place, anchor in enumerate(self.form.context)]
        ordered = sorted(breadths, key=lambda each: (each[0], -each[1]))
        joins = [(f"c{place}{name}", f"u{place}{name}") for _, place in ordered]
        if self.has_root:
            tokens = self.form.activating.tokens if self.form.activating else None
            first = not ordered or self._breadth(tokens) < ordered[0][0]
            joins.insert(0 if first else len(joins), (f"a{name}", f"t{name}"))
        tail = [(f"e{name}", f"v{name}")] if self.has_tail else []
        if self._starts_at_tokens():
            return f" HINT {_reached(_from_tokens(joins), tail)}"
        return f" HINT {_reached('n', [*joins, *tail])}"

    def _is_hinted(self) -> bool:
        if self.has_value_join:  # which a hint cannot say
            return False
        return self._is_long() or self._starts_at_tokens()

    def _starts_at_tokens(self) -> bool:
        if self.few_neurons:
            return False
        return self._is_chained() or (len(self.context) < 2 and bool(self.form.anchors))

    def _is_long(self) -> bool:
        """Whether there are more joins than the engine plans in no time: twelve take it ten seconds."""
        return len(self.context) > 2

    def _is_chained(self) -> bool:
        """Whether several context tokens are joined, at least one of them narrow."""
        narrow = [anchor.tokens for anchor in self.form.context if not is_broad(anchor.tokens)]
        return bool(narrow) and len(self.context) > 1

    @staticmethod
    def _breadth(tokens: TokenSet | None) -> int:
        return 2 if is_broad(tokens) else 0 if tokens is not None and is_keyed(tokens) else 1

    def _tail_kinds(self, exactly: bool) -> str:
        if self.context or self.form.reach:
            return "CONTEXT"
        return "ACTIVATES_ON|CONTEXT" if exactly else "ACTIVATES_ON"

    def _deepest(self) -> str | None:
        if self.context:
            return f"c0{self.name}"
        return f"a{self.name}" if self.form.activating else None


def _reached(joined: str, joins: Sequence[tuple[str, str]]) -> str:
    """Extend a join along relationships of its neurons."""
    for relationship, node in joins:
        joined = f"(({joined} JOIN {relationship}) JOIN {node})"
    return joined


def _from_tokens(joins: Sequence[tuple[str, str]]) -> str:
    """Start from the tokens of the first join, and join the others through the neuron."""
    pairs = [f"{node} JOIN {relationship}" for relationship, node in joins]
    joined = f"(({pairs[0]}) JOIN n)"
    for pair in pairs[1:]:
        joined = f"({joined} JOIN ({pair}))"
    return joined


def _within(distance: str, gap: Link) -> list[str]:
    if gap.least == gap.most:
        return [f"{distance} = {gap.least}"]
    least = [f"{distance} >= {gap.least}"] if gap.least > 1 else []  # nested intervals are apart by one
    return least + ([f"{distance} <= {gap.most}"] if gap.most is not None else [])


def _least(expressions: Sequence[str]) -> str:
    """Return Cypher for the smallest of one or more ``expressions``."""
    first, *rest = expressions
    if not rest:
        return first
    smaller = " AND ".join(f"{first} <= {other}" for other in rest)
    return f"CASE WHEN {smaller} THEN {first} ELSE {_least(rest)} END"
