"""Routes: the addresses of the explorer; all of them read, none writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from n2gdb.database import Database
from n2gdb.explorer import answers, layers, neurons
from n2gdb.explorer.asked import Asked
from n2gdb.neuron import Neuron

__all__ = ["ANSWERS", "PICTURES", "Draw", "Find"]

#: Returns what JSON can hold.
Find = Callable[[Database, Asked], Any]

#: Returns an SVG.
Draw = Callable[[Database, Asked], str]

_ROWS, _PATTERNS, _EXAMPLES, _SIMILAR, _DRAWN, _MOST_DRAWN = 50, 100, 10, 20, 40, 400


def _query(database: Database, asked: Asked) -> Any:
    return answers.answer_query(
        database,
        asked.text("q"),
        model=asked.given("model"),
        limit=asked.whole("limit", _ROWS),
        offset=asked.whole("offset", 0),
        order=asked.given("order"),
        find=asked.given("find"),
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
    return neurons.describe_neuron(database, _found(database, asked))


def _patterns(database: Database, asked: Asked) -> Any:
    limit, offset = asked.whole("limit", _PATTERNS), asked.whole("offset", 0)
    return neurons.list_patterns(_found(database, asked), limit=limit, offset=offset)


def _examples(database: Database, asked: Asked) -> Any:
    return neurons.list_examples(_found(database, asked), limit=asked.whole("limit", _EXAMPLES))


def _similar(database: Database, asked: Asked) -> Any:
    metric, limit = asked.given("metric") or "graph", asked.whole("limit", _SIMILAR)
    return neurons.list_similar(_found(database, asked), metric, limit=limit)


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

    pair = [database.neuron(asked.needed(each), asked.given(f"{each}_model")) for each in ("first", "second")]
    return beside(*pair).svg()


def _found(database: Database, asked: Asked) -> Neuron:
    return database.neuron(asked.needed("name"), asked.given("model"))


#: What each address answers with, and whether the answer is worth keeping.
ANSWERS: dict[str, tuple[Find, bool]] = {
    "/api/database": (_database, True),
    "/api/questions": (_questions, True),
    "/api/query": (_query, False),
    "/api/check": (_check, False),
    "/api/complete": (_complete, False),
    "/api/explain": (_explain, False),
    "/api/model": (_model, True),
    "/api/layer/{layer:int}": (_layer, True),
    "/api/neuron/{name}": (_neuron, True),
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
