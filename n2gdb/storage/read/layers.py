"""Layer figures: scores, behaviours, frequent tokens, and outstanding neurons."""

from __future__ import annotations

from typing import Literal

from n2gdb.storage.connection import Connection

__all__ = ["count_behaviours", "frequent_tokens", "neighbours", "outstanding_neurons", "read_f1", "stepped"]

_LAYER = "MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer"


def read_f1(connection: Connection, model: int, layer: int) -> list[float]:
    """Return F1 of every judged neuron of a layer."""
    rows = connection.rows(f"{_LAYER} AND n.f1 IS NOT NULL RETURN n.f1", {"model": model, "layer": layer})
    return [f1 for (f1,) in rows]


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
    evidence: Literal["true_firings", "heldout_firings"] = "true_firings",
    least: int = 0,
) -> list[tuple[int, float | None, int, int, int]]:
    """Return key, score, patterns, behaviours and firings of the neurons with the most of something.

    Those with fewer than ``least`` firings, which say little, come after all others; of equals, those with
    more patterns come first. The score is what they are ordered by, F1 for ``polysemy``.
    """
    score = "f1" if by == "polysemy" else by
    rows = connection.rows(
        f"{_LAYER} AND n.{by} IS NOT NULL AND n.n_patterns > 0"
        f" RETURN n.id, n.{score}, n.n_patterns, n.polysemy, n.{evidence}"
        f" ORDER BY n.{evidence} >= $least DESC, n.{by} DESC, n.n_patterns DESC, n.id LIMIT $most",
        {"model": model, "layer": layer, "most": most, "least": least},
    )
    return [(key, f1, patterns, polysemy, firings) for key, f1, patterns, polysemy, firings in rows]


def neighbours(connection: Connection, model: int, layer: int, key: int) -> tuple[int | None, int | None]:
    """Return the keys of the ingested neurons before and after one in its layer, None where none is."""
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
