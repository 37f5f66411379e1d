"""A database, its models and their layers over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from n2gdb.database import Database
from n2gdb.errors import N2gdbError, UnknownNameError
from n2gdb.inventory import LayerFigures, ModelInfo
from n2gdb.layer_scores import mean_over_layers, read_layer_scores
from n2gdb.tokens import display
from n2gdb.version import __version__

__all__ = ["describe_database", "describe_layer", "describe_model", "list_questions"]

_BINS, _TOKENS, _NEURONS = 20, 30, 10

#: Questions to begin with; those that a database answers are offered.
_EXAMPLES = (
    "neurons MATCHING 'the' BEFORE ... WHERE f1 >= 0.6 LIMIT 50",
    "neurons MATCHING 'of' THEN 'the'",
    "neurons MATCHING $x BEFORE $x WHERE f1 >= 0.5",
    "patterns MATCHING <digit> THEN <punct> LIMIT 50",
    "neurons MENTIONING 'import' ORDER BY f1 DESC LIMIT 50",
    "neurons MATCHING /said|says|cried|asked/ WHERE n_context = 0",
    'neurons FIRING ON "Once upon a time" LIMIT 20',
    "neurons WHERE polysemy >= 5 AND f1 >= 0.7 ORDER BY polysemy DESC",
    "COUNT neurons MATCHING 'the' BEFORE ... BY layer",
    "COUNT neurons BY state",
)
_RULE = (
    "Means over the neurons that fire in their test examples; a graph that predicts no firing of its neuron"
    " counts as 0, dead neurons are counted apart."
)


def describe_database(database: Database) -> dict[str, Any]:
    """Return what a database holds."""
    layers = database.info().layers
    models = [_model(model, layers) for model in database.models()]
    return {"file": database.path.name, "version": __version__, "models": models}


def list_questions(database: Database) -> dict[str, Any]:
    """Return questions that a database answers, to begin with."""
    return {"examples": [query for query in _EXAMPLES if _answers(database, query)]}


def describe_model(database: Database, name: str | None) -> dict[str, Any]:
    """Return a model's figures, and the paper's table 1 of it."""
    model = database.model(name)
    scores = read_layer_scores(database.connection, model.number, model.name)
    return {
        **_model(model, database.info().layers),
        "configuration": json.loads(model.configuration),
        "table": [score.as_dict() for score in (*scores, *mean_over_layers(scores))],
        "rule": _RULE,
    }


def describe_layer(database: Database, layer: int, name: str | None) -> dict[str, Any]:
    """Return a layer's figures: how faithful its graphs are, what they fire on, what stands out."""
    model = database.model(name)
    figures = [each for each in database.info().layers if each.model == model.name and each.layer == layer]
    if not figures:
        held = sorted({each.layer for each in database.info().layers if each.model == model.name})
        raise UnknownNameError(
            f"the database holds no layer {layer} of {model.name}: it holds {', '.join(map(str, held))}"
        )
    (found,) = figures
    at = {"model": model.number, "layer": layer}
    dead, unpredicted = found.dead, found.unpredicted
    return {
        "model": model.name,
        "layer": layer,
        "neurons": found.neurons,
        "states": {"live": found.neurons - dead - unpredicted, "unpredicted": unpredicted, "dead": dead},
        "mean_f1": found.mean_f1,
        "mean_precision": found.mean_precision,
        "mean_recall": found.mean_recall,
        "f1": _histogram(database, at),
        "polysemy": _polysemy(database, at),
        "tokens": _tokens(database, at, layer),
        "best": _neurons(database, at, "n.f1"),
        "polysemous": _neurons(database, at, "n.polysemy"),
    }


def _model(model: ModelInfo, layers: Sequence[LayerFigures]) -> dict[str, Any]:
    own = [each for each in layers if each.model == model.name]
    judged = sum(each.judged for each in own)
    total = sum((each.mean_f1 or 0.0) * each.judged for each in own)
    plain = asdict(model)
    kept = ("name", "n_layers", "d_mlp", "d_vocab", "corpus", "corpus_tokens", "site", "activation_function")
    return {
        **{name: plain[name] for name in kept},
        "neurons": sum(each.neurons for each in own),
        "dead": sum(each.dead for each in own),
        "unpredicted": sum(each.unpredicted for each in own),
        "patterns": sum(each.patterns for each in own),
        "mean_f1": total / judged if judged else None,
    }


def _answers(database: Database, query: str) -> bool:
    """Tell whether an example finds something soon; one that this database cannot answer is no example."""
    try:
        return database.count(query) > 0
    except N2gdbError:
        return False


def _histogram(database: Database, at: Mapping[str, int]) -> list[dict[str, Any]]:
    """Count judged neurons by F1."""
    counts = [0] * _BINS
    for (f1,) in database.connection.rows(
        "MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer AND n.f1 IS NOT NULL RETURN n.f1", at
    ):
        counts[min(int(f1 * _BINS), _BINS - 1)] += 1
    return [
        {"from": place / _BINS, "to": (place + 1) / _BINS, "neurons": count}
        for place, count in enumerate(counts)
    ]


def _polysemy(database: Database, at: Mapping[str, int]) -> list[dict[str, Any]]:
    rows = database.connection.rows(
        "MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer"
        " RETURN n.polysemy, count(*) ORDER BY n.polysemy",
        at,
    )
    return [{"behaviours": behaviours, "neurons": count} for behaviours, count in rows]


def _tokens(database: Database, at: Mapping[str, int], layer: int) -> list[dict[str, Any]]:
    """Return the tokens that most neurons of a layer fire on, each with the query for these."""
    from n2gdb.builder import neurons, tok

    rows = database.connection.rows(
        "MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) WHERE n.model = $model AND n.layer = $layer"
        f" RETURN t.text, count(*) ORDER BY count(*) DESC, t.text LIMIT {_TOKENS}",
        at,
    )
    return [
        {
            "text": text,
            "shown": display(text),
            "neurons": count,
            "query": str(neurons().matching(tok(text, exact=True)).where(layer=layer)),
        }
        for text, count in rows
    ]


def _neurons(database: Database, at: Mapping[str, int], by: str) -> list[dict[str, Any]]:
    """Return the neurons of a layer with the most of something; of equals those with more patterns."""
    rows = database.connection.rows(
        f"MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer AND {by} IS NOT NULL"
        " AND n.n_patterns > 0 RETURN n.`index`, n.f1, n.n_patterns, n.polysemy"
        f" ORDER BY {by} DESC, n.n_patterns DESC, n.`index` LIMIT {_NEURONS}",
        at,
    )
    return [
        {"neuron": f"L{at['layer']}N{index}", "f1": f1, "n_patterns": patterns, "polysemy": polysemy}
        for index, f1, patterns, polysemy in rows
    ]
