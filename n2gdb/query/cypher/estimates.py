"""Estimates: bounds on the rows of each step of a plan, from counts that are cheap to read.

Two look-ups serve: the neurons and the nodes of their graphs by layer and source, and how often single tokens
stand in graphs. What they do not tell is bounded: an estimate is exact, or says from where to where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from n2gdb.core.units import token_of
from n2gdb.grammar.ast import (
    Clause,
    Condition,
    FiringOn,
    Formula,
    Influenced,
    Listed,
    Matching,
    Predictor,
    Writing,
)
from n2gdb.query.cypher.compiler import compile_influenced
from n2gdb.query.cypher.match import WRITES
from n2gdb.query.cypher.step_rows import (
    ComparedRows,
    Finds,
    GroupRows,
    NeuronRows,
    NodeRows,
    OwnRows,
    PatternRows,
    StatedRows,
)
from n2gdb.query.cypher.where import fields_of, split
from n2gdb.query.semantics.binder import Settled, fold
from n2gdb.query.semantics.evaluate import holds
from n2gdb.query.semantics.normal_form import Lowered, is_of_patterns
from n2gdb.query.semantics.token_sets import Among, TokenSet, is_listable, members
from n2gdb.storage.parameters import MOST_LISTED

__all__ = ["Estimate", "Estimator"]

Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]

ACTIVATES_ON, CONTEXT = "ACTIVATES_ON", "CONTEXT"

#: What all neurons of one group have alike: conditions on these fields are decided for whole groups.
_GROUPED = ("layer", "source", "kind", "side")
_CENSUS = (
    "MATCH (n:Neuron) RETURN n.model, n.layer, n.source, n.kind, n.side,"
    " count(*), sum(n.n_patterns), sum(n.n_activating), sum(n.n_nodes)"
)
_ON_TOKENS = (
    "MATCH (:Neuron)-[x:{kind}]->(t:Token) WHERE t.id IN $tokens"
    " RETURN t.id, count(*), sum(x.last - x.pre + 1)"
)
_WRITERS = (
    "MATCH (:Neuron)-[w:WRITES]->(t:Token) WHERE t.id IN $tokens AND w.logit {sign} RETURN t.id, count(*), 0"
)
_WRITTEN = "MATCH (:Neuron)-[w:WRITES]->(:Token) WHERE w.logit {sign} RETURN count(*)"
_FIRES = (
    "MATCH (n:Neuron)-[e:EVIDENCE]->(t:Token) WHERE t.id IN $tokens AND e.depth = 0"
    " RETURN count(DISTINCT n.id), count(*)"
)
_OF_NEURON = "MATCH (n:Neuron) WHERE n.id = $key RETURN n.n_activating, n.n_nodes, n.n_patterns"


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many rows a step gives, from ``least`` to ``most``, and how many stored rows it may read for them.

    ``reads`` counts the neurons, or the nodes of graphs, that its narrowest condition leaves.
    """

    least: int
    most: int
    reads: int

    def __str__(self) -> str:
        rows = f"{self.most:,} row{'' if self.most == 1 else 's'}"
        if self.least == self.most:
            return rows
        return f"{self.least:,} to {rows}" if self.least else f"at most {rows}"

    def cut(self, limit: int | None) -> Estimate:
        """Return the estimate of the first ``limit`` rows, all where None."""
        if limit is None:
            return self
        return Estimate(min(self.least, limit), min(self.most, limit), self.reads)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is stored of the neurons that meet WHERE, at most; ``is_exact`` where all of these meet it."""

    groups: tuple[Mapping[str, Any], ...]
    neurons: int
    patterns: int
    roots: int
    nodes: int
    is_exact: bool
    is_all: bool  # no condition and no model leaves out any

    def of_kind(self, kind: str) -> int:
        return self.roots if kind == ACTIVATES_ON else self.nodes - self.roots


@dataclass(frozen=True, slots=True)
class _Frequency:
    """How often tokens stand in a role."""

    nodes: int  # on how many nodes
    largest: int  # on how many for the most frequent of them
    below: int  # how many nodes these subtrees hold


@dataclass(slots=True)
class Estimator:
    """Estimates the steps of one plan; each count is looked up once.

    ``classes_of`` returns the classes of tokens, by TokenClass.id, ``text_of`` the tokens of a text on which
    a clause asks for firings, by Token.id, and ``named`` how many neurons a list names.
    """

    rows: Rows
    classes_of: Callable[[TokenSet], Sequence[int]]
    text_of: Callable[[Settled, FiringOn], Sequence[int]]
    named: Callable[[Settled, Listed], int]
    _census: list[tuple[Any, ...]] = field(default_factory=list)
    _known: dict[tuple[str, tuple[int, ...]], list[tuple[int, int, int]]] = field(default_factory=dict)

    def estimate(self, finds: Finds) -> Estimate:
        """Return how many rows a step gives that finds this."""
        match finds:
            case NeuronRows(settled, clauses, form, limit, is_count, is_narrowed):
                scope = self._scope(settled)
                if form is not None:
                    found = self._form(form, settled, scope)
                else:
                    found = self._formula(clauses, settled, scope)
                if is_count:
                    return Estimate(1, 1, found.reads)
                return Estimate(0 if is_narrowed else found.least, found.most, found.reads).cut(limit)
            case PatternRows(settled, form, conditions, limit, is_narrowed):
                return self._patterns(form, settled, conditions, is_narrowed).cut(limit)
            case NodeRows():
                return self._nodes(finds)
            case StatedRows():
                rows = self._stated(finds)[1]
                return Estimate(rows, rows, rows)
            case GroupRows(settled, by):
                scope = self._scope(settled)
                groups = len({group[by] for group in scope.groups}) if by in (*_GROUPED, "model") else None
                most = scope.of_kind(by) if groups is None else groups
                return Estimate(0, most, scope.neurons)
            case OwnRows(neuron, kind):
                ((roots, nodes, patterns),) = self.rows(_OF_NEURON, {"key": neuron})
                rows = {ACTIVATES_ON: roots, CONTEXT: nodes - roots, None: patterns}[kind]
                return Estimate(rows, rows, nodes)
            case ComparedRows(neuron):
                ((_, nodes, _),) = self.rows(_OF_NEURON, {"key": neuron})
                most = max(nodes, sum(row[5] for row in self._counted()))
                return Estimate(0, most, sum(int(row[8] or 0) for row in self._counted()))

    def _counted(self) -> list[tuple[Any, ...]]:
        if not self._census:
            self._census = self.rows(_CENSUS, {})
        return self._census

    def _scope(self, settled: Settled) -> _Scope:
        conditions = split(settled.query.where).neuron
        decided = [each for each in conditions if fields_of(each) <= {*_GROUPED}]
        met = []
        neurons = patterns = roots = nodes = 0
        for model, *values in self._counted():
            group = dict(zip(_GROUPED, values[:4], strict=True))
            if settled.model in (None, model) and all(holds(each, group) is True for each in decided):
                met.append({"model": model, **group})
                neurons += values[4]
                patterns, roots, nodes = (
                    known + int(new or 0)
                    for known, new in zip((patterns, roots, nodes), values[5:], strict=True)
                )
        is_all = not conditions and len(met) == len(self._counted())
        return _Scope(tuple(met), neurons, patterns, roots, nodes, len(decided) == len(conditions), is_all)

    def _frequency(self, kind: str, tokens: TokenSet | None, settled: Settled) -> _Frequency | None:
        """Look up how often tokens stand in a role, in the model of a query; None if they are too many."""
        listed = None if tokens is None else members(tokens)
        if listed is None and isinstance(tokens, Among) and len(tokens.tokens) <= MOST_LISTED:
            listed = tuple(sorted(tokens.tokens))
        if listed is None:
            return None
        if (kind, listed) not in self._known:
            if kind in WRITES.values():
                statement = _WRITERS.format(sign=kind)
            else:
                statement = _ON_TOKENS.format(kind=kind)
            self._known[kind, listed] = self.rows(statement, {"tokens": list(listed)}) if listed else []
        found = [row for row in self._known[kind, listed] if settled.model in (None, token_of(row[0])[0])]
        return _Frequency(
            sum(row[1] for row in found),
            max((row[1] for row in found), default=0),
            sum(int(row[2]) for row in found),
        )

    def _formula(self, clauses: Formula[Clause] | None, settled: Settled, scope: _Scope) -> Estimate:
        least = scope.neurons if scope.is_exact else 0
        everything = Estimate(least, scope.neurons, scope.neurons)
        if clauses is None:
            return everything

        def both(parts: Sequence[Estimate]) -> Estimate:
            least = sum(part.least for part in parts) - (len(parts) - 1) * scope.neurons
            return Estimate(
                max(0, least), min(part.most for part in parts), min(part.reads for part in parts)
            )

        return fold(
            clauses,
            lambda clause: self._clause(clause, settled, scope),
            both,
            lambda parts: _either(parts, scope),
            lambda part: Estimate(
                max(0, everything.least - part.most), scope.neurons - part.least, scope.neurons
            ),
        )

    def _clause(self, clause: Clause, settled: Settled, scope: _Scope) -> Estimate:
        if is_of_patterns(clause):
            found = _either([self._form(form, settled, scope) for form in settled.forms[clause]], scope)
            is_of_all = isinstance(clause, Matching) and clause.only  # a neuron may have patterns beside
            return Estimate(0 if is_of_all else found.least, found.most, found.reads)
        if isinstance(clause, Influenced):
            return self._influenced(clause, settled, scope)
        if isinstance(clause, FiringOn):
            tokens = self.text_of(settled, clause)
            roots = self._frequency(ACTIVATES_ON, Among(tuple(sorted(tokens))), settled)
            most = scope.roots if roots is None else roots.nodes
            if clause.by is Predictor.EVIDENCE:
                ((weighed, _),) = self.rows(_FIRES, {"tokens": list(tokens)})
                most += weighed
            return Estimate(0, min(scope.neurons, most), most)
        if isinstance(clause, Listed):
            named = self.named(settled, clause)
            return Estimate(named if scope.is_all else 0, min(scope.neurons, named), named)
        if isinstance(clause, Writing):
            known = self._frequency(WRITES[clause.effect], settled.written[clause], settled)
            if known is not None:
                least = known.largest if scope.is_all else 0
                return Estimate(least, min(scope.neurons, known.nodes), known.nodes)
        return Estimate(0, scope.neurons, scope.nodes)

    def _influenced(self, clause: Influenced, settled: Settled, scope: _Scope) -> Estimate:
        """Estimate the neurons with a weight of the tokens of a clause, or of a class of them."""
        tokens = settled.influences[clause]
        stated = [compile_influenced(settled, clause)]
        if classes := self.classes_of(tokens):
            stated.append(compile_influenced(settled, clause, classes))
        counts = [self._stated(StatedRows(each.cypher, each.parameters)) for each in stated]
        sure = counts if is_listable(tokens) else counts[1:]  # else some rows are of other tokens
        restricted = bool(split(settled.query.where).match)
        least = 0 if restricted else max((neurons for neurons, _ in sure), default=0)
        most = min(scope.neurons, sum(neurons for neurons, _ in counts))
        return Estimate(least, most, sum(rows for _, rows in counts))

    def _stated(self, finds: StatedRows) -> tuple[int, int]:
        """Count the neurons and the rows of a statement."""
        ((neurons, rows),) = self.rows(finds.counting, finds.parameters)
        return int(neurons), int(rows)

    def _form(self, form: Lowered, settled: Settled, scope: _Scope) -> Estimate:
        """Estimate the neurons that a normal form matches: no more than nodes stand on its rarest token."""
        found = self._anchors(form, settled)
        nodes = min((each.nodes for each in found), default=scope.nodes)
        least = 0
        if len(form.anchors) == 1 and form.activating and found and _is_plain(form):
            restricted = bool(split(settled.query.where).match)
            least = found[0].largest if scope.is_all and not restricted else 0
        return Estimate(least, min(scope.neurons, nodes), nodes)

    def _patterns(
        self,
        form: Lowered | None,
        settled: Settled,
        conditions: Sequence[Formula[Condition]],
        is_narrowed: bool,
    ) -> Estimate:
        scope = self._scope(settled)
        if form is None:
            return self._patterns_of(settled, conditions, scope)
        found = self._anchors(form, settled)
        most = min([scope.patterns, *(each.below for each in found)])
        is_exact = scope.is_exact and not (form.anchors or form.reach or conditions or is_narrowed)
        reads = min((each.nodes for each in found), default=scope.nodes)
        return Estimate(most if is_exact else 0, most, reads)

    def _patterns_of(
        self, settled: Settled, conditions: Sequence[Formula[Condition]], scope: _Scope
    ) -> Estimate:
        """Estimate the patterns that the formula of a query holds of, or of its neurons for PATTERNS OF."""
        clauses, every = settled.query.clauses, Estimate(0, scope.patterns, scope.nodes)
        if clauses is None and scope.is_exact and not conditions:
            return replace(every, least=scope.patterns)
        if clauses is None or settled.query.owners is not None:
            return every

        def of_clause(clause: Clause) -> Estimate:
            if not is_of_patterns(clause):
                return every
            return either([self._patterns(form, settled, conditions, True) for form in settled.forms[clause]])

        def both(parts: Sequence[Estimate]) -> Estimate:
            return Estimate(0, min(part.most for part in parts), min(part.reads for part in parts))

        def either(parts: Sequence[Estimate]) -> Estimate:
            most = min(scope.patterns, sum(part.most for part in parts))
            return Estimate(0, most, sum(part.reads for part in parts))

        return fold(clauses, of_clause, both, either, lambda _: every)

    def _anchors(self, form: Lowered, settled: Settled) -> list[_Frequency]:
        kinds = [CONTEXT] * len(form.context) + [ACTIVATES_ON] * (len(form.anchors) - len(form.context))
        found = (
            self._frequency(kind, anchor.tokens, settled)
            for kind, anchor in zip(kinds, form.anchors, strict=True)
        )
        return [each for each in found if each is not None]

    def _nodes(self, finds: NodeRows) -> Estimate:
        scope = self._scope(finds.settled)
        if finds.kind in WRITES.values():
            ((every,),) = self.rows(_WRITTEN.format(sign=finds.kind), {})
        else:
            every = scope.of_kind(finds.kind)
        found = [self._frequency(finds.kind, tokens, finds.settled) for tokens in finds.tokens or ()]
        known = [each.nodes for each in found if each is not None]
        is_counted = finds.tokens is not None and len(known) == len(found)
        if is_counted:
            every = min(every, sum(known))
        is_exact = finds.is_whole and is_counted and not split(finds.settled.query.where).neuron
        return Estimate(every if is_exact else 0, every, every)


def _either(parts: Sequence[Estimate], scope: _Scope) -> Estimate:
    return Estimate(
        max((part.least for part in parts), default=0),
        min(scope.neurons, sum(part.most for part in parts)),
        sum(part.reads for part in parts),
    )


def _is_plain(form: Lowered) -> bool:
    (anchor,) = form.anchors
    return not (form.reach or form.runs or anchor.effects)
