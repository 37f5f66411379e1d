"""Hits: the neurons that a query finds, each with the patterns that matched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from n2gdb.core.deadline import timed
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.units import NeuronName, OfNeuron
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
    """The strongest pattern that matches a clause.

    ``clause`` numbers the query's positive clauses from 0; ``path`` is in text order. Activation and
    importance are normalised: shares of the neuron's largest activation.

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
        """Return plain values for JSON."""
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

    ``activation`` and ``importance`` are the largest over all its matches of positive clauses, None if there
    are none; ``evidence`` holds one pattern for each positive clause that holds of it. ``similarity``, from 0
    to 1, and ``size``, the number of shared paths or tokens, compare it with the neuron that the query names.

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

    def __repr__(self) -> str:
        shown = {"f1": self.f1, "activation": self.activation, "similarity": self.similarity}
        figures = "".join(f" {name} {value:.2f}" for name, value in shown.items() if value is not None)
        return f"<Hit {self.neuron}{figures}{f': {self.path}' if self.evidence else ''}>"

    @property
    def path(self) -> str:
        """The strongest evidence as text; empty for a query that matches no pattern."""
        return str(max(self.evidence, key=lambda found: found.activation)) if self.evidence else ""

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON: the neuron, its statistics, its matches."""
        return {
            "neuron": str(self.neuron),
            "model": self.model,
            **self.statistics,
            "activation": self.activation,
            "importance": self.importance,
            "similarity": self.similarity,
            "size": self.size,
            "path": self.path,
            "evidence": [found.as_dict() for found in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class _Match:
    """A clause's strongest match in a neuron, and the largest importance of all its matches there."""

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
    """Return the hits of neurons that a query found, reading their evidence in a few statements."""
    matches = _matches(session, settled, [neuron["id"] for neuron in neurons], sets)
    paths = paths_of(session, [(neuron, match.end) for neuron, found in matches.items() for match in found])
    return [_hit(neuron, session.models, matches.get(neuron["id"], ()), paths, sets) for neuron in neurons]


def paths_of(session: Session, ends: Iterable[tuple[int, int]]) -> dict[tuple[int, int], list[PathStep]]:
    """Return the named steps down to each end, (Neuron.id, preorder index), by rising depth."""
    wanted: dict[int, set[int]] = {}
    for neuron, end in ends:
        wanted.setdefault(neuron, set()).add(end)
    if not wanted:
        return {}
    paths: dict[tuple[int, int], list[PathStep]] = {}
    rows = session.run("read the paths", _compile_nodes(list(wanted)))
    for neuron, pre, last, depth, token, text, importance in timed(rows):
        for end in wanted[neuron]:
            if pre <= end <= last:
                step = PathStep(depth or 0, token, text, importance)
                paths.setdefault((neuron, end), []).append(step)
    return paths


def _matches(
    session: Session, settled: Settled, neurons: Sequence[int], sets: ClauseSets
) -> dict[int, list[_Match]]:
    """Return the strongest match of each positive clause in each neuron, by neuron."""
    found: dict[int, list[_Match]] = {}
    for number, clause in enumerate(settled.positive):
        rows = evaluator_of(clause).matches(session, settled, clause, neurons, sets.firings)
        for neuron, match in _strongest(number, rows).items():
            found.setdefault(neuron, []).append(match)
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
    )


def _evidence(match: _Match, named: Sequence[PathStep]) -> Evidence:
    return Evidence(match.clause, match.activation, match.importance, filled(named, match.depths))
