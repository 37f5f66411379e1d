"""A database, its models and its layers over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any, Literal

from n2gdb.core.tokens import display
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, UnknownNameError
from n2gdb.evidence.quality import FEW_FIRINGS
from n2gdb.grammar.ast import Query, Subject
from n2gdb.grammar.unparse import written
from n2gdb.query.parse import read_query
from n2gdb.storage.read.catalog import LayerFigures, ModelInfo
from n2gdb.storage.read.layers import count_behaviours, frequent_tokens, outstanding_neurons, read_qualities
from n2gdb.storage.read.names import neuron_of
from n2gdb.storage.read.scores import mean_over_layers, read_layer_scores
from n2gdb.version import __version__

__all__ = ["describe_database", "describe_layer", "describe_model", "list_questions", "units_word"]

_BINS, _TOKENS, _NEURONS = 10, 30, 10

#: Questions to begin with, in words; those that a database answers are offered.
_EXAMPLES = {
    "{units} MATCHING 'the' BEFORE ... WHERE f1 >= 0.6 LIMIT 50": "Who needs “the” before what it fires on?",
    "{units} MATCHING 'of' THEN 'the'": "Who fires on “the” right after “of”?",
    "{units} MATCHING $x BEFORE $x WHERE f1 >= 0.5": "Who fires on a token that came before?",
    "patterns MATCHING <digit> THEN <punct> LIMIT 50": "Which patterns are a digit, then punctuation?",
    "{units} MENTIONING 'import' ORDER BY f1 DESC LIMIT 50": "Who has “import” anywhere in a pattern?",
    "{units} MATCHING /said|says|cried|asked/ WHERE n_context = 0": "Who fires on any “said” or “asked”?",
    '{units} FIRING ON "Once upon a time" LIMIT 20': "Who fires on a text?",
    "{units} WHERE polysemy >= 5 AND f1 >= 0.7 ORDER BY polysemy DESC": "Who does many things, and well?",
    "COUNT {units} MATCHING 'the' BEFORE ... BY layer": "In which layers is “the” needed before?",
    "COUNT {units} BY state": "How many are live, how many dead?",
}
_RULE = (
    "Means over those that fire in their test examples; a graph that predicts no firing counts as 0,"
    " the dead are counted apart."
)


def describe_database(database: Database) -> dict[str, Any]:
    """Return what a database holds."""
    layers = database.info().layers
    models = [_model(model, layers) for model in database.models()]
    return {
        "file": database.path.name,
        "version": __version__,
        "units": units_word(database).value,
        "models": models,
    }


def units_word(database: Database) -> Subject:
    """Return the word of a query that finds all units of a database: neurons, latents or units."""
    return database.session().units


def list_questions(database: Database) -> dict[str, Any]:
    """Return questions that a database answers, to begin with."""
    units = units_word(database)
    asked = {query.format(units=units.value): said for query, said in _EXAMPLES.items()}
    offered = ((query, said) for query, said in asked.items() if _answers(database, query, units))
    return {"examples": [{"query": query, "said": said} for query, said in offered]}


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
    states = {"unpredicted": found.unpredicted, "dead": found.dead}
    if found.dense:
        states["dense"] = found.dense
    quality, judged = read_qualities(database.connection, model.number, layer)
    score: Literal["f1", "heldout_f1"] = "f1" if quality == "f1" else "heldout_f1"
    return {
        "model": model.name,
        "layer": layer,
        "neurons": found.neurons,
        "states": {"live": found.neurons - sum(states.values()), **states},
        "mean_heldout_f1": fmean(f1 for f1, _ in judged) if judged and score == "heldout_f1" else None,
        "mean_f1": found.mean_f1,
        "mean_precision": found.mean_precision,
        "mean_recall": found.mean_recall,
        "judged": len(judged),
        "f1": _histogram(judged),
        "polysemy": [
            {"behaviours": behaviours, "neurons": count}
            for behaviours, count in count_behaviours(database.connection, model.number, layer)
        ],
        "tokens": _tokens(database, model.number, layer),
        "best": _neurons(database, model.number, layer, score, score),
        "quality": score,
        "enough": FEW_FIRINGS,
        "polysemous": _neurons(database, model.number, layer, "polysemy", score),
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
        "layers": [each.layer for each in own],
        "dead": sum(each.dead for each in own),
        "unpredicted": sum(each.unpredicted for each in own),
        "patterns": sum(each.patterns for each in own),
        "mean_f1": total / judged if judged else None,
    }


def _answers(database: Database, query: str, units: Subject) -> bool:
    """Return whether an example soon finds something; one that this database cannot answer is not one."""
    asked = read_query(query)
    assert isinstance(asked, Query), "examples ask for units or patterns"
    # One unit that is found is enough, in any order: of its patterns, or among those counted.
    one = replace(asked, subject=units, count=None, order=(), limit=1, source="")
    try:
        return len(database.query(one)) > 0
    except N2gdbError:
        return False


def _histogram(judged: Iterable[tuple[float, int]]) -> list[dict[str, Any]]:
    """Count judged neurons by F1, and those of them that are judged on more than a few firings."""
    counts, firm = [0] * _BINS, [0] * _BINS
    for f1, firings in judged:
        place = min(int(f1 * _BINS + 1e-9), _BINS - 1)
        counts[place] += 1
        firm[place] += firings >= FEW_FIRINGS
    return [
        {"from": place / _BINS, "to": (place + 1) / _BINS, "neurons": count, "firm": firm[place]}
        for place, count in enumerate(counts)
    ]


def _tokens(database: Database, model: int, layer: int) -> list[dict[str, Any]]:
    """Return the tokens that most neurons of a layer fire on, each with the query for these."""
    from n2gdb.query.builder.queries import neurons, tok

    units = units_word(database)
    return [
        {
            "text": text,
            "shown": display(text),
            "neurons": count,
            "query": written(
                replace(neurons().matching(tok(text, exact=True)).where(layer=layer).tree, subject=units)
            ),
        }
        for text, count in frequent_tokens(database.connection, model, layer, _TOKENS)
    ]


def _neurons(
    database: Database,
    model: int,
    layer: int,
    by: Literal["f1", "polysemy", "heldout_f1"],
    score: Literal["f1", "heldout_f1"],
) -> list[dict[str, Any]]:
    """Return the neurons of a layer with the most of something, each with its F1 and what that rests on."""
    return [
        {
            "neuron": str(neuron_of(database.models(), key)[1]),
            "f1": f1,
            "n_patterns": patterns,
            "polysemy": polysemy,
            "firings": firings,
        }
        for key, f1, patterns, polysemy, firings in outstanding_neurons(
            database.connection,
            model,
            layer,
            by,
            _NEURONS,
            score=score,
            least=0 if by == "polysemy" else FEW_FIRINGS,
        )
    ]
