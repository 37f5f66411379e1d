"""What a query finds, with its evidence: each neuron with the pattern that matched, as a person reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from n2gdb.compiler import ANSWER_COLUMNS, Compiled, compile_evidence, compile_query
from n2gdb.grammar.ast import Query
from n2gdb.neuron import NeuronName
from n2gdb.parameters import Parameters
from n2gdb.tokens import display

__all__ = ["Evidence", "Hit", "PathStep", "Rows", "find_hits"]

#: Runs a statement with its parameters and returns its rows.
Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]

#: Neurons whose evidence is fetched together: more only cost memory.
_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class PathStep:
    """One position of a path: a token, or any token where ``token``, ``text`` and ``importance`` are None.

    ``depth`` counts back from the activating token; ``matched`` says that the query names this step.
    """

    depth: int
    token: int | None = None
    text: str | None = None
    importance: float | None = None
    matched: bool = False

    def __str__(self) -> str:
        return "_" if self.text is None else display(self.text)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The pattern by which a clause holds: of those that match, the one that activates most.

    ``clause`` counts the query's positive clauses from 0, ``path`` is in text order.
    """

    clause: int
    activation: float
    importance: float | None
    path: tuple[PathStep, ...]

    def __str__(self) -> str:
        return " · ".join(str(step) for step in self.path)


@dataclass(frozen=True, slots=True)
class Hit:
    """A neuron that a query found.

    ``activation`` and ``importance`` are the largest over all its matches of positive clauses, None where
    there is none; ``evidence`` holds a pattern for each positive clause that holds of it.
    """

    neuron: NeuronName
    model: int
    state: str
    f1: float | None
    precision: float | None
    recall: float | None
    activation: float | None
    importance: float | None
    evidence: tuple[Evidence, ...]
    statistics: Mapping[str, object]

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
            "path": self.path,
            "evidence": [_evidence_dict(found) for found in self.evidence],
        }


def find_hits(rows: Rows, query: Query) -> list[Hit]:
    """Answer ``query`` through ``rows``, in order, in three statements or few more for a long answer."""
    compiled = compile_query(query)
    found = [
        dict(zip(ANSWER_COLUMNS, row, strict=True)) for row in rows(compiled.cypher, compiled.parameters)
    ]
    hits: list[Hit] = []
    for start in range(0, len(found), _TOGETHER):
        together = found[start : start + _TOGETHER]
        matches = _matches(rows, query, [neuron["id"] for neuron in together])
        paths = _paths(rows, matches)
        hits += [_hit(neuron, matches.get(neuron["id"], ()), paths) for neuron in together]
    return hits


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


def _matches(rows: Rows, query: Query, neurons: Sequence[int]) -> dict[int, list[_Match]]:
    """Return the strongest match of each positive clause in each neuron, by neuron."""
    found: dict[int, list[_Match]] = {}
    for clause, compiled in enumerate(compile_evidence(query, neurons)):
        for neuron, match in _strongest(clause, rows(compiled.cypher, compiled.parameters)).items():
            found.setdefault(neuron, []).append(match)
    return found


def _strongest(clause: int, rows: Iterable[tuple[Any, ...]]) -> dict[int, _Match]:
    by_neuron: dict[int, list[tuple[Any, ...]]] = {}
    for neuron, *match in rows:
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


def _paths(rows: Rows, matches: Mapping[int, Sequence[_Match]]) -> dict[tuple[int, int], list[PathStep]]:
    """Return the named steps down to the end of each match, by neuron and end."""
    if not matches:
        return {}
    compiled = _compile_nodes(list(matches))
    paths: dict[tuple[int, int], list[PathStep]] = {}
    for neuron, pre, last, depth, token, text, importance in rows(compiled.cypher, compiled.parameters):
        for end in {match.end for match in matches[neuron]}:
            if pre <= end <= last:
                step = PathStep(depth or 0, token, text, importance)
                paths.setdefault((neuron, end), []).append(step)
    return paths


def _compile_nodes(neurons: Sequence[int]) -> Compiled:
    parameters = Parameters()
    cypher = (
        "MATCH (n:Neuron)-[x:ACTIVATES_ON|CONTEXT]->(v:Token)\n"
        f"WHERE n.id IN {parameters.bind(neurons)}\n"
        "RETURN n.id, x.pre, x.last, x.depth, v.token, v.text, x.importance"
    )
    return Compiled(cypher, parameters.values, ())


def _hit(
    neuron: Mapping[str, Any], matches: Sequence[_Match], paths: Mapping[tuple[int, int], Sequence[PathStep]]
) -> Hit:
    importances = [match.largest_importance for match in matches if match.largest_importance is not None]
    return Hit(
        NeuronName(neuron["layer"], neuron["index"]),
        neuron["model"],
        neuron["state"],
        neuron["f1"],
        neuron["precision"],
        neuron["recall"],
        max((match.activation for match in matches), default=None),
        max(importances, default=None),
        tuple(_evidence(match, paths[match.neuron, match.end]) for match in matches),
        {name: value for name, value in neuron.items() if name not in ("id", "model")},
    )


def _evidence(match: _Match, named: Sequence[PathStep]) -> Evidence:
    return Evidence(match.clause, match.activation, match.importance, tuple(_filled(match, named)))


def _filled(match: _Match, named: Sequence[PathStep]) -> Iterator[PathStep]:
    """Yield the path in text order, with any-tokens in the gaps and the steps of the query marked."""
    by_depth = {step.depth: step for step in named}
    for depth in range(max(by_depth), -1, -1):
        step = by_depth.get(depth)
        if step is None:
            yield PathStep(depth)
        else:
            yield PathStep(depth, step.token, step.text, step.importance, depth in match.depths)


def _evidence_dict(found: Evidence) -> dict[str, object]:
    return {
        "clause": found.clause,
        "activation": found.activation,
        "importance": found.importance,
        "path": str(found),
        "steps": [
            {
                "depth": step.depth,
                "token": step.token,
                "text": step.text,
                "importance": step.importance,
                "matched": step.matched,
            }
            for step in found.path
        ],
    }
