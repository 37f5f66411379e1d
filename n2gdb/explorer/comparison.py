"""Comparison of neurons: what their graphs share, what each has alone, how similar they are; all pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from math import isnan
from typing import Any

from n2gdb.core.deadline import check_time
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.tokens import display
from n2gdb.core.units import NeuronName
from n2gdb.database import Database
from n2gdb.errors import QueryError
from n2gdb.explorer.neurons import list_examples
from n2gdb.explorer.plain import plain_path
from n2gdb.neuron import Neuron
from n2gdb.neuron_parts import NeuronPattern
from n2gdb.similarity.neurons import scores_among
from n2gdb.storage.read.graphs import read_graphs
from n2gdb.storage.read.names import neuron_key
from n2gdb.storage.read.shared_steps import SharedSteps

__all__ = ["compare", "list_pairs", "list_similar", "named_neurons"]

#: Neurons in one comparison; patterns and tokens of each list; pairs, and neurons like one, in one answer;
#: tokens that are named beside a neuron.
_MOST, _LISTED, _PAIRS, _LEADING = 6, 40, 200, 4


def named_neurons(database: Database, names: str) -> list[Neuron]:
    """Read ``L3N45,L4N12``, each perhaps with ``=model``; raise QueryError unless there are two to six."""
    parts = [part.strip() for part in names.split(",") if part.strip()]
    if not 2 <= len(parts) <= _MOST:
        raise QueryError(f"two to {_MOST} neurons can be compared, not {len(parts)}: write names=L3N45,L4N12")
    found = []
    for part in parts:
        name, _, model = part.partition("=")
        found.append(database.neuron(name, model or None))
    return found


def compare(database: Database, neurons: Sequence[Neuron]) -> dict[str, Any]:
    """Return what neurons share and what each has alone: patterns, tokens by role, scores, examples."""
    patterns = [{_key(each): each for each in neuron.patterns()} for neuron in neurons]
    tokens = [{(each.role, each.token) for each in neuron.tokens()} for neuron in neurons]
    shared = set.intersection(*(set(each) for each in patterns))
    common = set.intersection(*tokens)
    owners = Counter(key for each in patterns for key in each)
    return {
        "neurons": [
            {
                "neuron": str(neuron.name),
                "model": neuron.model,
                "f1": neuron.f1,
                "true_firings": neuron.true_firings,
                "heldout_f1": neuron.heldout_f1,
                "heldout_firings": neuron.heldout_firings,
                "n_patterns": neuron.n_patterns,
                "alone": _listed([own[key] for key in own if owners[key] == 1]),
                "n_alone": sum(owners[key] == 1 for key in own),
                "tokens": _tokens(mine - set().union(*(other for other in tokens if other is not mine))),
                "example": list_examples(neuron, limit=1)["examples"],
            }
            for neuron, own, mine in zip(neurons, patterns, tokens, strict=True)
        ],
        "shared": _listed([patterns[0][key] for key in patterns[0] if key in shared]),
        "n_shared": len(shared),
        "tokens": _tokens(common),
        "scores": _scores(database, neurons),
    }


def list_pairs(
    database: Database,
    metric: str,
    *,
    above: float | None,
    model: str | None,
    across_layers: bool,
    min_size: int,
    limit: int,
    offset: int,
) -> dict[str, Any]:
    """Return some of the pairs of neurons that are alike, the most alike first, and how many there are."""
    found = database.pairs(
        metric,
        above=above,
        model=model,
        across_layers=across_layers,
        sharing=max(1, min_size),
        progress=lambda *_: check_time(),
    )
    shown = found[offset : offset + min(limit, _PAIRS)]
    named = {(each.first_model, each.first) for each in shown} | {
        (each.second_model, each.second) for each in shown
    }
    fires = _fires_on(database, named)
    rows = [
        each.as_dict()
        | {
            "first_fires_on": fires[each.first_model, each.first],
            "second_fires_on": fires[each.second_model, each.second],
        }
        for each in shown
    ]
    return {"total": len(found), "rows": rows}


def list_similar(database: Database, neuron: Neuron, metric: str, *, limit: int) -> dict[str, Any]:
    """Return the neurons most like one, each with what it fires on."""
    found = neuron.similar(min(limit, _PAIRS), metric)
    fires = _fires_on(database, {(each.model, each.neuron) for each in found})
    return {"rows": [each.as_dict() | {"fires_on": fires[each.model, each.neuron]} for each in found]}


def _fires_on(
    database: Database, named: Collection[tuple[str, NeuronName]]
) -> dict[tuple[str, NeuronName], list[str]]:
    """Return a few tokens of each (model, neuron) as they are shown, the most activating first."""
    keys = {each: neuron_key(database.model(each[0]), each[1]) for each in named}
    graphs = read_graphs(database.connection, [key for key in keys.values() if key is not None])
    tokens = {each: _leading(graphs[key]) for each, key in keys.items() if key in graphs}
    texts = {
        model: database.texts({token for of, own in tokens.items() if of[0] == model for token in own}, model)
        for model in {model for model, _ in tokens}
    }
    return {each: [display(texts[each[0]][token]) for token in tokens.get(each, ())] for each in keys}


def _leading(graph: NeuronGraph) -> list[int]:
    """The activating tokens with the strongest patterns."""
    strongest: dict[int, float] = {}
    activating = -1
    for token, depth, end in zip(graph.token.tolist(), graph.depth.tolist(), graph.end.tolist(), strict=True):
        if depth == 0:
            activating = token
        if not isnan(end):
            strongest[activating] = max(strongest.get(activating, 0.0), end)
    return sorted(strongest, key=lambda each: -strongest[each])[:_LEADING]


def _key(pattern: NeuronPattern) -> tuple[tuple[int, str | None], ...]:
    """Return what makes two patterns of two neurons, perhaps of two models, the same."""
    return tuple((step.depth, step.text) for step in pattern.path if step.text is not None)


def _listed(patterns: Sequence[NeuronPattern]) -> list[dict[str, Any]]:
    return [{"activation": each.activation, "path": plain_path(each.path)} for each in patterns[:_LISTED]]


def _tokens(found: set[tuple[str, str]]) -> list[dict[str, str]]:
    ordered = sorted(found)[:_LISTED]
    return [{"role": role, "text": text, "shown": display(text)} for role, text in ordered]


def _scores(database: Database, neurons: Sequence[Neuron]) -> list[dict[str, Any]]:
    """Return how alike every two neurons are, by each metric."""
    named: dict[int, str] = {}
    for each in neurons:
        key = neuron_key(database.model(each.model), each.name)
        assert key is not None, "it was read from the database"
        named[key] = str(each.name)
    shared = SharedSteps.read(database.path)
    found = scores_among(database.connection.table, database.models(), shared, list(named))
    return [{"first": named[one], "second": named[other], **scores} for (one, other), scores in found.items()]
