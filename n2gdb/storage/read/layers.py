"""Layer figures: scores, behaviours, frequent tokens, and outstanding neurons."""

from __future__ import annotations

from typing import Literal

from n2gdb.storage.connection import Connection

__all__ = [
    "count_behaviours",
    "frequent_tokens",
    "neighbours",
    "outstanding_neurons",
    "read_qualities",
    "stepped",
]

_LAYER = "MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer"


def read_qualities(connection: Connection, model: int, layer: int) -> tuple[str, list[tuple[float, int]]]:
    """Return by which field a layer's neurons are judged, and (F1, firings) of each that was.

    The field is ``heldout_f1`` where any was judged on held-out text, else ``f1``.
    """
    found: list[tuple[float, int]] = []
    for field, firings in (("heldout_f1", "heldout_firings"), ("f1", "true_firings")):
        rows = connection.rows(
            f"{_LAYER} AND n.{field} IS NOT NULL RETURN n.{field}, n.{firings}",
            {"model": model, "layer": layer},
        )
        found = [(f1, count) for f1, count in rows]
        if found:
            return field, found
    return "f1", found


def count_behaviours(connection: Connection, model: int, layer: int) -> list[tuple[int, int]]:
    """Return pairs of a number of behaviours and how many neurons of a layer have as many."""
    rows = connection.rows(
        f"{_LAYER} RETURN n.polysemy, count(*) ORDER BY n.polysemy", {"model": model, "layer": layer}
    )
    return [(behaviours, count) for behaviours, count in rows]


def frequent_tokens(connection: Connection, model: int, layer: int, most: int) -> list[tuple[str, int]]:
    """Return the tokens that most neurons of a layer fire on, each with the number of these neurons."""
    rows = connection.rows(
        "MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) WHERE n.model = $model AND n.layer = $layer"
        " RETURN t.text, count(*) ORDER BY count(*) DESC, t.text LIMIT $most",
        {"model": model, "layer": layer, "most": most},
    )
    return [(text, count) for text, count in rows]


def outstanding_neurons(
    connection: Connection,
    model: int,
    layer: int,
    by: Literal["f1", "polysemy", "heldout_f1"],
    most: int,
    *,
    score: Literal["f1", "heldout_f1"] = "f1",
    least: int = 0,
) -> list[tuple[int, float | None, int, int, int]]:
    """Return key, score, patterns, behaviours and firings of the neurons with the most of something.

    Those with fewer than ``least`` firings, which say little, come after all others; of equals, those with
    more patterns come first. ``score`` is which F1 is returned, with the firings that it rests on.
    """
    evidence = "true_firings" if score == "f1" else "heldout_firings"
    rows = connection.rows(
        f"{_LAYER} AND n.{by} IS NOT NULL AND n.n_patterns > 0"
        f" RETURN n.id, n.{score}, n.n_patterns, n.polysemy, n.{evidence}"
        f" ORDER BY n.{evidence} >= $least DESC, n.{by} DESC, n.n_patterns DESC, n.id LIMIT $most",
        {"model": model, "layer": layer, "most": most, "least": least},
    )
    return [(key, f1, patterns, polysemy, firings) for key, f1, patterns, polysemy, firings in rows]


def neighbours(connection: Connection, model: int, layer: int, key: int) -> tuple[int | None, int | None]:
    """Return the keys of the ingested neurons before and after one in its layer, None if none is."""
    ((before, after),) = connection.rows(
        f"{_LAYER} RETURN max(CASE WHEN n.id < $key THEN n.id END), min(CASE WHEN n.id > $key THEN n.id END)",
        {"model": model, "layer": layer, "key": key},
    )
    return before, after


def stepped(connection: Connection, model: int, layer: int, key: int, by: int, *, back: bool) -> int:
    """Return the key of the ingested neuron so many after one in its layer, or before; the last there is."""
    sign, order = ("<", " DESC") if back else (">", "")
    rows = connection.rows(
        f"{_LAYER} AND n.id {sign} $key RETURN n.id ORDER BY n.id{order} LIMIT $by",
        {"model": model, "layer": layer, "key": key, "by": by},
    )
    return rows[-1][0] if rows else key
