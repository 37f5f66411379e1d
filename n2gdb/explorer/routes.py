"""Routes: the addresses of the explorer; all only read, except those of notes, which have their own file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from n2gdb.database import Database
from n2gdb.errors import QueryError
from n2gdb.explorer import answers, comparison, facets, layers, neurons, understood
from n2gdb.explorer.asked import Asked
from n2gdb.explorer.neurons import ModelRunner, read_truly
from n2gdb.explorer.notes import Notes
from n2gdb.grammar.ast import DEFAULT_METRIC
from n2gdb.neuron import Neuron

__all__ = ["ANSWERS", "FIRST", "LONG", "PICTURES", "QUESTIONS", "WARM", "Draw", "Find", "own_answers"]

#: Returns what JSON can hold.
Find = Callable[[Database, Asked], Any]

#: Returns an SVG.
Draw = Callable[[Database, Asked], str]

_ROWS, _PATTERNS, _EXAMPLES, _SIMILAR, _DRAWN, _MOST_DRAWN, _FIRST = 50, 100, 10, 20, 40, 400, 12


def _query(database: Database, asked: Asked) -> Any:
    return answers.answer_query(database, asked.text("q"), **_page(asked))


def _pictures(database: Database, asked: Asked) -> Any:
    return answers.sketch_rows(database, asked.text("q"), **_page(asked))


def _page(asked: Asked) -> dict[str, Any]:
    """Return which rows of an answer are asked for."""
    return {
        "model": asked.given("model"),
        "limit": asked.whole("limit", _ROWS),
        "offset": asked.whole("offset", 0),
        "order": asked.given("order"),
        "find": asked.given("find"),
    }


def _facets(database: Database, asked: Asked) -> Any:
    return facets.list_facets(database, asked.text("q"), model=asked.given("model"))


def _taken(database: Database, asked: Asked) -> Any:
    form = asked.given("format") or "csv"
    return {"text": answers.take_away(database, asked.text("q"), form, model=asked.given("model"))}


def _understood(database: Database, asked: Asked) -> Any:
    return understood.understand(database, asked.text("text"), asked.given("model"))


def _comparison(database: Database, asked: Asked) -> Any:
    return comparison.compare(database, comparison.named_neurons(database, asked.needed("names")))


def _pairs(database: Database, asked: Asked) -> Any:
    return comparison.list_pairs(
        database,
        asked.given("metric") or DEFAULT_METRIC.value,
        above=asked.share("above", 0) if asked.given("above") else None,
        model=asked.given("model"),
        across_layers=asked.given("across_layers") == "yes",
        min_size=asked.whole("min_size", 3),
        limit=asked.whole("limit", _ROWS),
        offset=asked.whole("offset", 0),
    )


def _check(database: Database, asked: Asked) -> Any:
    return answers.check_query(asked.text("q"), model=asked.given("model"))


def _complete(database: Database, asked: Asked) -> Any:
    query = asked.text("q")
    return answers.complete_query(database, query, asked.whole("at", len(query)))


def _explain(database: Database, asked: Asked) -> Any:
    return answers.explain_query(database, asked.text("q"), model=asked.given("model"))


def _database(database: Database, asked: Asked) -> Any:
    return layers.describe_database(database)


def _questions(database: Database, asked: Asked) -> Any:
    return layers.list_questions(database)


def _model(database: Database, asked: Asked) -> Any:
    return layers.describe_model(database, asked.given("model"))


def _layer(database: Database, asked: Asked) -> Any:
    return layers.describe_layer(database, asked.whole("layer", 0), asked.given("model"))


def _neuron(database: Database, asked: Asked) -> Any:
    neuron = _found(database, asked)
    first = neurons.list_patterns(neuron, limit=asked.whole("limit", _FIRST), offset=0)
    return {**neurons.describe_neuron(database, neuron), "first_patterns": first["patterns"]}


def _patterns(database: Database, asked: Asked) -> Any:
    limit, offset = asked.whole("limit", _PATTERNS), asked.whole("offset", 0)
    return neurons.list_patterns(_found(database, asked), limit=limit, offset=offset)


def _step(database: Database, asked: Asked) -> Any:
    back = asked.given("which") == "before"
    return neurons.step_from(database, _found(database, asked), asked.whole("by", 1), back=back)


def _examples(database: Database, asked: Asked) -> Any:
    limit, band = asked.whole("limit", _EXAMPLES), asked.given("band")
    return neurons.list_examples(_found(database, asked), limit=limit, band=band)


def _similar(database: Database, asked: Asked) -> Any:
    metric, limit = asked.given("metric") or DEFAULT_METRIC.value, asked.whole("limit", _SIMILAR)
    return comparison.list_similar(database, _found(database, asked), metric, limit=limit)


def _predict(database: Database, asked: Asked) -> Any:
    return neurons.read_typed(_found(database, asked), asked.text("text"))


def _saved(database: Database, asked: Asked) -> Any:
    return _found(database, asked).as_dict()


def _graph(database: Database, asked: Asked) -> str:
    from n2gdb.drawing import draw

    most = min(asked.whole("most", _DRAWN), _MOST_DRAWN)
    return draw(_found(database, asked), most=most, bare=True).svg()


def _thumbnail(database: Database, asked: Asked) -> str:
    from n2gdb.drawing import thumbnail

    return thumbnail(_found(database, asked))


def _compared(database: Database, asked: Asked) -> str:
    from n2gdb.drawing import beside

    if asked.given("names"):
        return beside(*comparison.named_neurons(database, asked.needed("names"))).svg()
    pair = [database.neuron(asked.needed(each), asked.given(f"{each}_model")) for each in ("first", "second")]
    return beside(*pair).svg()


def _found(database: Database, asked: Asked) -> Neuron:
    return database.neuron(asked.needed("name"), asked.given("model"))


#: What each address answers with, and whether the answer is worth keeping.
ANSWERS: dict[str, tuple[Find, bool]] = {
    "/api/database": (_database, True),
    "/api/questions": (_questions, True),
    "/api/query": (_query, False),
    "/api/pictures": (_pictures, True),
    "/api/facets": (_facets, True),
    "/api/take": (_taken, False),
    "/api/understand": (_understood, False),
    "/api/comparison": (_comparison, True),
    "/api/pairs": (_pairs, True),
    "/api/check": (_check, False),
    "/api/complete": (_complete, False),
    "/api/explain": (_explain, False),
    "/api/model": (_model, True),
    "/api/layer/{layer:int}": (_layer, True),
    "/api/neuron/{name}": (_neuron, True),
    "/api/neuron/{name}/step": (_step, False),
    "/api/neuron/{name}/patterns": (_patterns, False),
    "/api/neuron/{name}/examples": (_examples, False),
    "/api/neuron/{name}/similar": (_similar, True),
    "/api/neuron/{name}/predict": (_predict, False),
    "/api/neuron/{name}/graph.json": (_saved, False),
}

PICTURES: dict[str, Draw] = {
    "/api/neuron/{name}/graph.svg": _graph,
    "/api/neuron/{name}/thumbnail.svg": _thumbnail,
    "/api/compare.svg": _compared,
}

#: Addresses of what may take long: asked beside the others, and stopped where nobody waits any more.
QUESTIONS = frozenset(
    (
        *("/api/query", "/api/pictures", "/api/facets", "/api/take", "/api/explain", "/api/questions"),
        *("/api/comparison", "/api/pairs", "/api/neuron/{name}/true", "/api/neuron/{name}/trajectories"),
    )
)

#: Those of them that take long by their nature, and whose pages say what they do meanwhile.
LONG = frozenset(("/api/pairs", "/api/neuron/{name}/true", "/api/neuron/{name}/trajectories"))

#: What the page at an address asks first where nothing else is chosen there, with the names in its address.
FIRST: dict[str, tuple[str, ...]] = {
    "/neuron/{name}": (
        *("/api/neuron/{name}", f"/api/neuron/{{name}}/graph.svg?most={_DRAWN}"),
        *("/api/neuron/{name}/examples?limit=6", "/api/neuron/{name}/similar?metric=graph&limit=12"),
    ),
    "/layer/{layer:int}": ("/api/layer/{layer}",),
    "/model": ("/api/model",),
    "/compare": ("/api/comparison?names={names}", "/api/compare.svg?names={names}"),
}

#: What pages show without being asked for anything of their own, and what takes long the first time.
WARM: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("/api/questions", ()),
    ("/api/model", ()),
    ("/api/facets", (("q", "neurons"),)),
    *(
        ("/api/pairs", (("above", above), ("limit", "50"), ("metric", metric), ("min_size", "3")))
        for metric, above in (("graph", "0.3"), ("tokens", "0.5"), ("subset", "0.9"))
    ),
)


def own_answers(notes: Notes, runner: ModelRunner | None) -> dict[str, Find]:
    """Return what a server answers by the notes and the model that it has beside the database."""

    def kept(database: Database, asked: Asked) -> Any:
        return {**notes.read(), "writable": notes.is_writable, "file": notes.path.name}

    def run_truly(database: Database, asked: Asked) -> Any:
        reading, cost = read_truly(_running(runner), _found(database, asked), asked.text("text"))
        return {"tokens": neurons.plain_tokens(reading), "cost": cost}

    def followed(database: Database, asked: Asked) -> Any:
        found, cost = _running(runner).trajectories(_found(database, asked))
        return {**found, "cost": cost}

    return {
        "/api/notes": kept,
        "/api/neuron/{name}/true": run_truly,
        "/api/neuron/{name}/trajectories": followed,
    }


def _running(runner: ModelRunner | None) -> ModelRunner:
    if runner is None:
        raise QueryError("the model is not loaded: start the explorer with n2gdb serve --model")
    return runner
