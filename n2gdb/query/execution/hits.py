"""What a query finds, with its evidence: each neuron with the pattern that matched, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from n2gdb.core.deadline import timed
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.units import NeuronName, OfNeuron
from n2gdb.grammar.ast import Clause
from n2gdb.query.cypher.breadth import of_columns
from n2gdb.query.cypher.compiler import Compiled
from n2gdb.query.execution.clause_sets import ClauseSets
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.evaluators import evaluator_of
from n2gdb.query.semantics.binder import Settled
from n2gdb.storage.columns import STATISTICS
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.read.catalog import ModelInfo
from n2gdb.storage.read.names import neuron_of
from n2gdb.storage.shapes import node_in

__all__ = ["Evidence", "Hit", "hits_of", "paths_of"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The pattern by which a clause holds: of those that match, the one that activates most.

    ``clause`` counts the query's positive clauses from 0, ``path`` is in text order.

    >>> hit = db.query("neurons MATCHING 'on' BEFORE 'other'")[0]
    >>> str(hit.evidence[0]), hit.evidence[0].activation
    ('·on · _ · ·other', 0.5)
    """

    clause: int
    activation: float
    importance: float | None
    path: tuple[PathStep, ...]

    def __str__(self) -> str:
        return written(self.path)

    def as_dict(self) -> dict[str, object]:
        """Return what JSON can hold."""
        return {
            "clause": self.clause,
            "activation": self.activation,
            "importance": self.importance,
            "path": str(self),
            "steps": [step.as_dict() for step in self.path],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Hit(OfNeuron):
    """A neuron that a query found.

    ``activation`` and ``importance`` are the largest over all its matches of positive clauses, None where
    there is none; ``evidence`` holds a pattern for each positive clause that holds of it. ``similarity``
    and ``size``, the number of path nodes or tokens shared, are those of the neuron that the query compares
    with. ``matches``, ``share``, ``depth`` and ``named`` are known where the query asks for them, in WHERE,
    ORDER BY or RETURN.

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
    similarity: float | None
    size: int | None
    evidence: tuple[Evidence, ...]
    statistics: Mapping[str, object] = field(hash=False)
    matches: int | None = None
    share: float | None = None
    depth: int | None = None
    named: int | None = None

    def __repr__(self) -> str:
        shown = {"f1": self.f1, "activation": self.activation, "similarity": self.similarity}
        figures = "".join(f" {name} {value:.2f}" for name, value in shown.items() if value is not None)
        return f"<Hit {self.neuron}{figures}{f': {self.path}' if self.evidence else ''}>"

    @property
    def path(self) -> str:
        """The strongest evidence as a person reads it; empty for a query that matches no pattern."""
        return str(max(self.evidence, key=lambda found: found.activation)) if self.evidence else ""

    def as_dict(self) -> dict[str, object]:
        """Return what JSON can hold: the neuron, its statistics, its matches."""
        return {
            "neuron": str(self.neuron),
            "model": self.model,
            **self.statistics,
            "activation": self.activation,
            "importance": self.importance,
            "matches": self.matches,
            "share": self.share,
            "depth": self.depth,
            "named": self.named,
            "similarity": self.similarity,
            "size": self.size,
            "path": self.path,
            "evidence": [found.as_dict() for found in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class _Match:
    """A clause's strongest match in a neuron, and the largest importance of all of its matches there."""

    clause: int
    neuron: int
    end: int
    activation: float
    importance: float | None
    depths: frozenset[int]
    largest_importance: float | None


def hits_of(
    session: Session, settled: Settled, neurons: Sequence[Mapping[str, Any]], sets: ClauseSets
) -> list[Hit]:
    """Return the hits of neurons that a query found, their evidence read in a few statements."""
    ids = [neuron["id"] for neuron in neurons]
    counted: Mapping[int, Mapping[str, Any]] = {}
    if session.columns is not None and settled.positive:
        from n2gdb.query.execution.by_columns import matches_in, values_in

        search, rows = matches_in(session, settled, ids, sets)
        matches = _matches(settled, rows)
        if names := of_columns(settled):
            counted = values_in(search, names, ids)
    else:
        rows = {
            clause: evaluator_of(clause).matches(session, settled, clause, ids, sets.firings)
            for clause in dict.fromkeys(settled.positive)
        }
        matches = _matches(settled, rows)
    paths = paths_of(session, [(neuron, match.end) for neuron, found in matches.items() for match in found])
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
        end, activation, importance, *depths = max(matches, key=_strength)
        largest = max((match[2] for match in matches if match[2] is not None), default=None)
        strongest[neuron] = _Match(clause, neuron, end, activation, importance, frozenset(depths), largest)
    return strongest


def _strength(match: tuple[Any, ...]) -> tuple[object, ...]:
    end, activation, importance, *depths = match
    return (activation, -1.0 if importance is None else importance, -end, [-depth for depth in depths])


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
    paths: Mapping[tuple[int, int], Sequence[PathStep]],
    sets: ClauseSets,
    counted: Mapping[str, Any],
) -> Hit:
    importances = [match.largest_importance for match in matches if match.largest_importance is not None]
    similarity, size = sets.shown(neuron["id"])
    return Hit(
        neuron_of(models, neuron["id"])[1],
        next(model.name for model in models if model.number == neuron["model"]),
        neuron["state"],
        neuron["f1"],
        neuron["precision"],
        neuron["recall"],
        max((match.activation for match in matches), default=None),
        max(importances, default=None),
        similarity,
        size,
        tuple(_evidence(match, paths[match.neuron, match.end]) for match in matches),
        {name: neuron[name] for name in STATISTICS},
        **counted,
    )


def _evidence(match: _Match, named: Sequence[PathStep]) -> Evidence:
    return Evidence(match.clause, match.activation, match.importance, filled(named, match.depths))
