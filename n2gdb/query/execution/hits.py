"""Hits: the neurons that a query finds, each with the patterns that matched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, cast

from n2gdb.core.deadline import timed
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.units import NeuronName, OfNeuron
from n2gdb.evidence.quality import quality_of
from n2gdb.grammar.ast import Clause
from n2gdb.grammar.fields import MATCH_FIELDS, OF_MATCH, WRITTEN
from n2gdb.grammar.records import dataclass
from n2gdb.query.cypher.breadth import of_columns
from n2gdb.query.cypher.compiler import Compiled
from n2gdb.query.execution.clause_sets import ClauseSets
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.evaluators import evaluator_of
from n2gdb.query.execution.rows import Known
from n2gdb.query.semantics.binder import Settled
from n2gdb.storage.columns import STATISTICS
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.read.catalog import ModelInfo
from n2gdb.storage.read.names import neuron_of
from n2gdb.storage.shapes import node_in

#: The steps of a firing without a pattern: depth and Token.id of each, by rising depth.
WeighedPath = tuple[tuple[int, int], ...]
#: Where a match ends: the preorder index of a pattern's end, or the steps of a firing without a pattern.
MatchEnd = int | WeighedPath

__all__ = ["Evidence", "Hit", "hits_of", "paths_of"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The strongest pattern that matches a clause.

    ``clause`` counts the query's positive clauses from 0, ``path`` is in text order. ``support`` is how often
    the pattern occurs in the corpus, ``confidence`` on which share of these occurrences the neuron fires;
    None where that was not counted. Where a neuron fires on a text by its weighed tokens, ``path`` has those
    that excite it there, and importance, support and confidence are None.

    >>> hit = db.query("neurons MATCHING 'on' BEFORE 'other'")[0]
    >>> str(hit.evidence[0]), hit.evidence[0].activation
    ('·on · _ · ·other', 0.5)
    """

    clause: int
    activation: float
    importance: float | None
    support: int | None
    confidence: float | None
    path: tuple[PathStep, ...]

    def __str__(self) -> str:
        return written(self.path)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> hit = db.query("neurons MATCHING 'end'")[0]
        >>> sorted(hit.evidence[0].as_dict())
        ['activation', 'clause', 'confidence', 'importance', 'path', 'steps', 'support']
        """
        return {
            "clause": self.clause,
            "activation": self.activation,
            "importance": self.importance,
            "support": self.support,
            "confidence": self.confidence,
            "path": str(self),
            "steps": [step.as_dict() for step in self.path],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Hit(OfNeuron):
    """A neuron that a query found.

    ``activation``, ``importance``, ``support`` and ``confidence`` are the largest over all its matches of
    positive clauses, None where there is none; ``evidence`` holds a pattern for each positive clause that
    holds of it. ``similarity`` and ``size``, the number of path nodes or tokens shared, are those of the
    neuron that the query compares with. ``matches``, ``share``, ``depth``, ``named``, ``promoted`` and
    ``suppressed`` are known where the query asks for them, in WHERE, ORDER BY or RETURN.

    >>> hit = db.query("neurons MATCHING 'the' BEFORE 'other'")[0]
    >>> str(hit.neuron), hit.activation, hit.path
    ('L4N358', 1.0, '·the · ·other')
    """

    neuron: NeuronName
    model: str
    state: str
    f1: float | None
    precision: float | None
    recall: float | None
    activation: float | None
    importance: float | None
    support: int | None
    confidence: float | None
    similarity: float | None
    size: int | None
    evidence: tuple[Evidence, ...]
    statistics: Mapping[str, object] = field(hash=False)
    matches: int | None = None
    share: float | None = None
    depth: int | None = None
    named: int | None = None
    promoted: float | None = None
    suppressed: float | None = None

    def __repr__(self) -> str:
        quality = quality_of(self.statistics)
        shown = {"f1": quality and quality.f1, "activation": self.activation, "similarity": self.similarity}
        figures = "".join(f" {name} {value:.2f}" for name, value in shown.items() if value is not None)
        return f"<Hit {self.neuron}{figures}{f': {self.path}' if self.evidence else ''}>"

    @property
    def path(self) -> str:
        """The strongest evidence as text; empty for a query that matches no pattern.

        >>> db.query("neurons MATCHING 'an' BEFORE ...")[0].path
        '·an · ·other'
        """
        return str(max(self.evidence, key=lambda found: found.activation)) if self.evidence else ""

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON: the neuron, its statistics, its evidence.

        >>> hit = db.query("neurons MATCHING 'an' BEFORE ...")[0]
        >>> hit.as_dict()["evidence"][0]["activation"]
        0.75
        """
        return {
            "neuron": str(self.neuron),
            "model": self.model,
            **self.statistics,
            **{name: getattr(self, name) for name in (*MATCH_FIELDS, *WRITTEN)},
            "similarity": self.similarity,
            "size": self.size,
            "path": self.path,
            "evidence": [found.as_dict() for found in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class _Match:
    """A clause's strongest match in a neuron, and the largest of each field over all of its matches there."""

    clause: int
    neuron: int
    end: MatchEnd
    fields: Known
    depths: frozenset[int]
    largest: Known


def hits_of(
    session: Session, settled: Settled, neurons: Sequence[Mapping[str, Any]], sets: ClauseSets
) -> list[Hit]:
    """Return the hits of neurons that a query found, reading their evidence in a few statements."""
    ids = [neuron["id"] for neuron in neurons]
    counted: Mapping[int, Mapping[str, Any]] = {}
    rows: Mapping[Clause, Iterable[tuple[Any, ...]]]
    if session.columns is not None and settled.positive:
        from n2gdb.query.execution.by_columns import matches_in, values_in

        search, rows = matches_in(session, settled, ids, sets)
        if names := of_columns(settled):
            counted = values_in(search, names, ids)
    else:
        rows = {
            clause: evaluator_of(clause).matches(session, settled, clause, ids, sets.firings)
            for clause in dict.fromkeys(settled.positive)
        }
    matches = _matches(settled, rows)
    ends = [(neuron, match.end) for neuron, found in matches.items() for match in found]
    paths: dict[tuple[int, MatchEnd], Sequence[PathStep]] = {}
    of_patterns = paths_of(session, [(neuron, end) for neuron, end in ends if isinstance(end, int)])
    paths.update(cast("Mapping[tuple[int, MatchEnd], Sequence[PathStep]]", of_patterns))
    paths.update(_weighed(session, [(neuron, end) for neuron, end in ends if not isinstance(end, int)]))
    return [
        _hit(
            neuron, session.models, matches.get(neuron["id"], ()), paths, sets, counted.get(neuron["id"], {})
        )
        for neuron in neurons
    ]


def paths_of(session: Session, ends: Iterable[tuple[int, int]]) -> dict[tuple[int, int], list[PathStep]]:
    """Return the named steps down to each end, (Neuron.id, preorder index), by rising depth."""
    wanted: dict[int, set[int]] = {}
    for neuron, end in ends:
        wanted.setdefault(neuron, set()).add(end)
    if not wanted:
        return {}
    if session.columns is not None:
        from n2gdb.query.execution.by_columns import paths_to

        return paths_to(session, [(neuron, end) for neuron, ends in wanted.items() for end in ends])
    paths: dict[tuple[int, int], list[PathStep]] = {}
    rows = session.run("read the paths", _compile_nodes(list(wanted)))
    for neuron, pre, last, depth, token, text, importance in timed(rows):
        for end in wanted[neuron]:
            if pre <= end <= last:
                step = PathStep(depth or 0, token, text, importance)
                paths.setdefault((neuron, end), []).append(step)
    return paths


def _weighed(
    session: Session, ends: Sequence[tuple[int, WeighedPath]]
) -> dict[tuple[int, MatchEnd], Sequence[PathStep]]:
    """Return the steps by which neurons fire on a text without a pattern, by rising depth."""
    tokens = {token for _, steps in ends for _, token in steps}
    if not tokens:
        return {}
    given = Parameters()
    wanted = node_in("t.id", sorted(tokens), given)
    compiled = Compiled(f"MATCH (t:Token) WHERE {wanted} RETURN t.id, t.token, t.text", given.values)
    texts = {key: (token, text) for key, token, text in session.run("read the paths", compiled)}
    return {
        (neuron, steps): [PathStep(depth, *texts[token]) for depth, token in steps] for neuron, steps in ends
    }


def _matches(settled: Settled, rows: Mapping[Clause, Iterable[tuple[Any, ...]]]) -> dict[int, list[_Match]]:
    """Return the strongest match of each positive clause in each neuron, by neuron."""
    found: dict[int, list[_Match]] = {}
    known: dict[Clause, dict[int, _Match]] = {}
    for number, clause in enumerate(settled.positive):
        if clause not in known:
            known[clause] = _strongest(number, rows.get(clause, ()))
        for neuron, match in known[clause].items():
            found.setdefault(neuron, []).append(replace(match, clause=number))
    return found


def _strongest(clause: int, rows: Iterable[tuple[Any, ...]]) -> dict[int, _Match]:
    by_neuron: dict[int, list[tuple[Any, ...]]] = {}
    for neuron, *match in timed(rows):
        by_neuron.setdefault(neuron, []).append(tuple(match))
    strongest = {}
    for neuron, matches in by_neuron.items():
        end, *rest = max(matches, key=_strength)
        fields, depths = Known(*rest[: len(OF_MATCH)]), frozenset(rest[len(OF_MATCH) :])
        largest = _largest([Known(*match[1 : 1 + len(OF_MATCH)]) for match in matches])
        strongest[neuron] = _Match(clause, neuron, end, fields, depths, largest)
    return strongest


def _largest(known: Sequence[Known]) -> Known:
    """Return the largest value of each field, each by itself."""

    def of(field: str) -> Any:
        return max((value for each in known if (value := getattr(each, field)) is not None), default=None)

    return Known(of("activation"), of("importance"), of("support"), of("confidence"))


def _strength(match: tuple[Any, ...]) -> tuple[object, ...]:
    end, activation, importance, *_ = match
    place = -end if isinstance(end, int) else 0  # of equally strong weighed tokens, the first
    depths = match[1 + len(OF_MATCH) :]
    return (activation, -1.0 if importance is None else importance, place, [-depth for depth in depths])


def _compile_nodes(neurons: Sequence[int]) -> Compiled:
    parameters = Parameters()
    cypher = (
        "MATCH (n:Neuron)-[x:ACTIVATES_ON|CONTEXT]->(v:Token)\n"
        f"WHERE {node_in('n.id', neurons, parameters)}\n"
        "RETURN n.id, x.pre, x.last, x.depth, v.token, v.text, x.importance"
    )
    return Compiled(cypher, parameters.values)


def _hit(
    neuron: Mapping[str, Any],
    models: Sequence[ModelInfo],
    matches: Sequence[_Match],
    paths: Mapping[tuple[int, MatchEnd], Sequence[PathStep]],
    sets: ClauseSets,
    counted: Mapping[str, Any],
) -> Hit:
    largest = _largest([match.largest for match in matches]) if matches else None
    similarity, size = sets.shown(neuron["id"])
    return Hit(
        neuron_of(models, neuron["id"])[1],
        next(model.name for model in models if model.number == neuron["model"]),
        neuron["state"],
        neuron["f1"],
        neuron["precision"],
        neuron["recall"],
        largest and largest.activation,
        largest and largest.importance,
        largest and largest.support,
        largest and largest.confidence,
        similarity,
        size,
        tuple(_evidence(match, paths[match.neuron, match.end]) for match in matches),
        {name: neuron[name] for name in STATISTICS},
        **counted,
    )


def _evidence(match: _Match, named: Sequence[PathStep]) -> Evidence:
    known = match.fields
    return Evidence(
        match.clause,
        known.activation,
        known.importance,
        known.support,
        known.confidence,
        filled(named, match.depths),
    )
